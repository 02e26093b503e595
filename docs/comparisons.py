"""Do the comparisons whose tables docs/compare.md shows, and keep what they print.

python docs/comparisons.py OUT                  all of them, one after another
python docs/comparisons.py OUT models samplers  some of them
python docs/comparisons.py --list               their commands, and what each costs

Of each there are then, in OUT: NAME.txt, the command and what it printed, as the page shows it; NAME.json, every figure;
NAME.html, the report; and NAME/, its figures as SVG. The runs stay in OUT/comparisons, so that the same call again goes on
where it was stopped.

Up to 15 runs train at once, each on a core of its own, where there are 16 cores; fewer on a smaller machine.
"""

from __future__ import annotations

import argparse
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from pentad.tools import physical_cores

JOBS = max(1, min(15, physical_cores() - 1))
"""Runs at once: one core stays free, or the budget of time would be refused."""

ALIKE = "--seeds 3 --budget 30s --device cpu --threads 1 --jobs JOBS"
"""What the comparisons have in common: runs of 30 seconds on one core."""

COMMANDS = {
    "tokenizers": f"engine compare --tokenizer bpe,byte,char,sentencepiece,wordpiece {ALIKE}",
    "models": (
        "engine compare --model gpt,rnn,mingru,linear-attention,ngram --model gpt,preset=gpt2 --model gpt,n-expert=4 "
        f"--model rnn,cell=gru {ALIKE}"
    ),
    "optimizers": (
        f"engine compare --optimizer adamw,sgd,lion,muon,soap,schedule-free {ALIKE} "
        "--tune optimizer.lr=x0.3,x1,x3 --tune-budget 15s"
    ),
    "samplers": (
        "engine compare --sampler greedy,beam,contrastive,temperature,top-k,top-p,min-p,typical,mirostat --seeds 1 --budget 1MB"
    ),
}
"""The commands, as the page prints them for the machine on which they were measured."""

RUNS = {"tokenizers": (15, 0), "models": (24, 0), "optimizers": (18, 18), "samplers": (1, 0)}
"""How many runs of about 30 seconds each trains, and how many tries of 15."""


def cost(name: str) -> int:
    """Return the CPU seconds of a comparison: its trainings, and about 25 for each to start, measure, score and write."""
    runs, tries = RUNS[name]
    return runs * (30 + 25) + tries * (15 + 15)


def compare(name: str, out: Path, jobs: int) -> None:
    """Do one comparison in the folder `out`, so many runs at once.

    Raises:
        subprocess.CalledProcessError: it failed; its text says why.
    """
    command = COMMANDS[name].replace("JOBS", str(jobs))
    words = [sys.executable, "-m", "pentad_cli", *shlex.split(command)[1:]]
    with (out / f"{name}.txt").open("w", encoding="utf-8") as file:
        print(f"$ {command}", file=file, flush=True)
        subprocess.run(words, cwd=out, stdout=file, stderr=subprocess.STDOUT, check=True)
    # Its runs are there now, so that this only draws.
    subprocess.run([*words, "--figures", name], cwd=out, capture_output=True, check=True)
    report = re.search(r"^The report: (\S+)/report\.html$", (out / f"{name}.txt").read_text(encoding="utf-8"), re.MULTILINE)
    if report is None:
        sys.exit(f"{name}.txt names no report.")
    shutil.copy(out / report[1] / "report.html", out / f"{name}.html")
    shutil.copy(out / report[1] / "comparison.json", out / f"{name}.json")


def main() -> None:
    """Do what the arguments say."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", nargs="?", type=Path, metavar="OUT", help="folder for the results")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(COMMANDS)}; all unless named")
    parser.add_argument("--jobs", type=int, default=JOBS, metavar="N", help=f"runs at once; {JOBS} here unless said")
    parser.add_argument("--list", action="store_true", help="show the commands and end")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.names if name not in COMMANDS]:
        parser.error(f"no comparison of the name {unknown[0]}; there are {', '.join(COMMANDS)}")
    if arguments.list or arguments.out is None:
        for name, command in COMMANDS.items():
            print(f"{name}, about {cost(name):,} CPU seconds:\n{command.replace('JOBS', str(arguments.jobs))}\n")
        return
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in arguments.names or COMMANDS:
        compare(name, arguments.out, arguments.jobs)


if __name__ == "__main__":
    main()
