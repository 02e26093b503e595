"""Write the pages that are made from the code: `docs/cli.md` and `docs/api.md`.

python docs/generate.py             writes them (make docs)
python docs/generate.py --check     says which are stale, exit code 1 (make lint)
python docs/generate.py --run       runs a bare `engine run` and puts its output into README.md

The pages describe what this repository ships, whatever else is installed beside it.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from _api_page import api_page
from _cli_page import cli_page

ROOT = Path(__file__).resolve().parent.parent

RUN_OUTPUT = re.compile(r"(<!-- run-output -->\n```console\n\$ make run\n)(?:(?!```).*\n)*(?=```)")
"""Where the README shows the output of the main job."""


def pages() -> dict[Path, str]:
    """Return path and content of each generated page."""
    return {ROOT / "docs" / "cli.md": cli_page(ROOT), ROOT / "docs" / "api.md": api_page(ROOT)}


def stale(wanted: dict[Path, str]) -> list[Path]:
    """Return the pages whose file says something else."""
    return [path for path, text in wanted.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]


def fill_in_run() -> None:
    """Run the main job as `make run` does and show its output in the README, what it printed on the way left out."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pentad_cli", "run"]
        output = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
    readme = ROOT / "README.md"
    text, times = RUN_OUTPUT.subn(lambda match: f"{match[1]}{_shortened(output)}\n", readme.read_text(encoding="utf-8"))
    if times != 1:
        sys.exit("README.md must have one block after <!-- run-output -->.")
    readme.write_text(text, encoding="utf-8")


def _shortened(output: str) -> str:
    """Keep the plan and the end; of the lines between, three steps and three looks at the held-out text."""
    lines = [line.rstrip() for line in output.splitlines()]
    start = next(number for number, line in enumerate(lines) if line.startswith("  text "))
    first = next(number for number, line in enumerate(lines) if "%  step " in line)
    last = max(number for number, line in enumerate(lines) if "  sampled at step " in line)
    training = [line for line in lines[first:last] if "%  step " in line]
    looks = [line for line in lines[first:last] if "held-out" in line]
    middle = [training[0], looks[0], "…", training[len(training) // 2], looks[len(looks) // 2], "…", training[-1], looks[-1]]
    shown = [*lines[start:first], *middle, *lines[last:]]
    return "\n".join(line for number, line in enumerate(shown) if line or (number and shown[number - 1])).rstrip()


def main() -> None:
    """Do what the arguments say."""
    parser = argparse.ArgumentParser(description="Write the generated pages.")
    parser.add_argument("--check", action="store_true", help="only say which are stale")
    parser.add_argument("--run", action="store_true", help="refresh the README's output of the main job (minutes)")
    arguments = parser.parse_args()
    if arguments.run:
        fill_in_run()
        return
    wanted = pages()
    names = [str(path.relative_to(ROOT)) for path in stale(wanted)]
    if arguments.check and names:
        sys.exit(f"Stale: {', '.join(names)}. Write them anew with: make docs")
    if not arguments.check:
        for path, text in wanted.items():
            path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
