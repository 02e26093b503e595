"""Run the story of docs/post-training.md, and collect its figures.

python examples/story.py [--seeds 0,1,2] [--jobs 2] [--out story]

The page itself is the program: each `$ …` line of it that trains or scores is run in a shell, in the folder
`story/seed-0`, with `--seed` and `--json` behind it. Steps that need nothing of each other run side by side. What is
finished is kept in `story/seed-0/figures`: called again, the script goes on where it was stopped, and does anew what has
changed on the page.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "post-training.md"

_BLOCK = re.compile(r"^```console\n(.*?)^```", re.DOTALL | re.MULTILINE)
_LOOP = re.compile(r"for (\w+) in ([\w ]+); do (.*); done")
_RUN = re.compile(r"(python examples/talks\.py|engine (run|evaluate|compare)|printf) ")
_MAKES = re.compile(r"--out runs/(\S+)|--name (\S+)|talks\.py (\S+)")
_NEEDS = re.compile(r"(?<!--out )\bruns/(\w+)|(?<!talks\.py )\b(data)\b/?")

_ORDER = ("python", "engine run", "engine compare", "")
"""What is started first: others wait for a training, and a comparison takes long."""

Figures = dict[str, Any]


@dataclass(frozen=True)
class Command:
    """A command of the page.

    Args:
        words: as the page has it, on one line.
        makes: the run, comparison or folder that it writes, or an empty text.
        needs: what it reads of what others write.
        key: changes when the command does, or one of those that it needs.
    """

    words: str
    makes: str
    needs: tuple[str, ...]
    key: str


def commands_of(page: str) -> list[Command]:
    """Return what the page trains and scores, in its order; a loop of the shell gives a command for each turn."""
    typed = [line for block in _BLOCK.findall(page) for line in _lines(block)]
    flags = next((line.partition('"')[2].rstrip('"') for line in typed if line.startswith('F="')), "")
    listed = [line.replace("$F", flags) for line in typed if _RUN.match(line)]
    makers = {name: words for words in listed for name in _names(_MAKES, words)}
    needs = {words: tuple(name for name in _names(_NEEDS, words) if name in makers) for words in listed}

    def key_of(words: str) -> str:
        below = [key_of(makers[name]) for name in needs[words]]
        return hashlib.sha256("\n".join([words, *below]).encode()).hexdigest()[:16]

    return [Command(words, "".join(_names(_MAKES, words)), needs[words], key_of(words)) for words in dict.fromkeys(listed)]


def _names(pattern: re.Pattern[str], words: str) -> list[str]:
    """Return what the groups of a pattern find, each once."""
    return list(dict.fromkeys(name for match in pattern.finditer(words) for name in match.groups() if name))


def _lines(block: str) -> Iterator[str]:
    """Yield the commands of a block, each on one line."""
    for part in re.split(r"^\$ ", block.replace("\\\n", " "), flags=re.MULTILINE)[1:]:
        line = " ".join(part.partition("\n")[0].split())
        loop = _LOOP.fullmatch(line)
        yield from (loop[3].replace(f"${loop[1]}", name) for name in loop[2].split()) if loop else (line,)


class Telling:
    """The story with one seed, in a folder of its own."""

    def __init__(self, folder: Path, seed: int, commands: Sequence[Command]) -> None:
        self.folder, self.seed, self.commands = folder, seed, commands
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "figures").mkdir(exist_ok=True)
        self.figures: dict[str, Figures] = {}
        for command in commands:
            if self._file(command).is_file():
                self.figures[command.words] = json.loads(self._file(command).read_text(encoding="utf-8"))

    def _file(self, command: Command) -> Path:
        return self.folder / "figures" / f"{command.key}.json"

    def ready(self, started: Iterable[str]) -> list[Command]:
        """Return what can run now."""
        done = {command.makes for command in self.commands if command.words in self.figures}
        waiting = [command for command in self.commands if command.words not in {*self.figures, *started}]
        able = [command for command in waiting if done.issuperset(command.needs)]
        return able

    def do(self, command: Command) -> bool:
        """Run a command, keep what it wrote, and say whether it worked."""
        for stopped in (self.folder / "runs" / command.makes,) if command.words.startswith("engine run") else ():
            if stopped.is_dir():
                shutil.rmtree(stopped)  # a training that was not finished
        words = command.words.replace("examples/talks.py", f"'{ROOT / 'examples' / 'talks.py'}'")
        if words.startswith("engine"):
            words += " --json" + f" --seed {self.seed}" * (not words.startswith("engine evaluate"))
        environment = {"OMP_NUM_THREADS": "1", **os.environ}
        if shutil.which("engine") is None:
            environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        before = time.monotonic()
        done = subprocess.run(words, shell=True, cwd=self.folder, env=environment, capture_output=True, text=True)
        if done.returncode:
            print(f"seed {self.seed}: $ {command.words}\n{done.stdout}{done.stderr}", file=sys.stderr)
            return False
        result = json.loads(done.stdout) if words.startswith("engine") else {"text": done.stdout}
        figures = {"command": command.words, "wall": round(time.monotonic() - before, 1), "result": result}
        half = self._file(command).with_suffix(".half")
        half.write_text(json.dumps(figures, indent=1), encoding="utf-8")
        half.replace(self._file(command))
        self.figures[command.words] = figures
        print(f"seed {self.seed}: {figures['wall']:6.1f} s  {command.words}", file=sys.stderr, flush=True)
        return True


def tell(tellings: Sequence[Telling], jobs: int) -> bool:
    """Run the stories, `jobs` commands at once, and say whether all of them worked."""
    started: dict[Telling, set[str]] = {telling: set() for telling in tellings}
    running: dict[Future[bool], Telling] = {}
    worked = True
    with ThreadPoolExecutor(jobs) as pool:
        while True:
            able = [(telling, command) for telling in tellings for command in telling.ready(started[telling])]
            able.sort(key=lambda one: next(place for place, start in enumerate(_ORDER) if one[1].words.startswith(start)))
            for telling, command in able[: jobs - len(running)]:
                started[telling].add(command.words)
                running[pool.submit(telling.do, command)] = telling
            if not running:
                return worked
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                worked &= future.result()
                del running[future]


def measures(telling: Telling) -> dict[str, dict[str, float]]:
    """Return run to measure to value: what a training took, and what each evaluation found."""
    found: dict[str, dict[str, float]] = {}
    for words, figures in telling.figures.items():
        result = figures["result"]
        if words.startswith("engine run"):
            name = re.search(r"--out runs/(\S+)", words)[1]  # type: ignore[index]
            found.setdefault(name, {}).update(steps=result["step"], seconds=result["seconds"])
        elif words.startswith("engine evaluate"):
            run = re.search(r"runs/(\w+)", words)[1]  # type: ignore[index]
            data = re.search(r"--data (\S+)", words)
            measured = Path(data[1].partition(",")[0]).stem if data else "held-out"
            found.setdefault(run, {})[f"{measured} {result['primary']}"] = result["scores"][result["primary"]]
        elif words.startswith("engine compare"):
            for arm in result["arms"]:
                scores = [seed["score"] for seed in arm["seeds"]]
                found.setdefault(arm["label"], {})["held-out answers"] = statistics.fmean(scores)
    return found


def summary(tellings: Sequence[Telling]) -> Iterator[str]:
    """Yield a line for each measure of each run: mean and standard deviation over seeds, then each seed."""
    of_seeds = [measures(telling) for telling in tellings]
    names = dict.fromkeys((run, measure) for found in of_seeds for run, its in found.items() for measure in its)
    width = max((len(f"{run}  {measure}") for run, measure in names), default=0)
    for run, measure in names:
        values = [found[run][measure] for found in of_seeds if measure in found.get(run, {})]
        spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
        each = ", ".join(f"{value:.3f}" for value in values)
        yield f"{f'{run}  {measure}':{width}}  {statistics.fmean(values):.3f}{spread}  ({each})"


def main(arguments: Sequence[str] | None = None) -> int:
    """Tell the story, print its figures, and return 0 when all of it worked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", default="0", help="seeds of the runs, with commas between them (default: 0)")
    parser.add_argument("--jobs", type=int, default=2, help="commands at once, each on one thread (default: 2)")
    parser.add_argument("--out", type=Path, default=Path("story"), help="folder for all of it (default: story)")
    parser.add_argument("--page", type=Path, default=PAGE, help="the page that has the commands")
    parser.add_argument("--json", action="store_true", help="print what every command gave as JSON")
    args = parser.parse_args(arguments)
    commands = commands_of(args.page.read_text(encoding="utf-8"))
    tellings = [Telling(args.out / f"seed-{seed}", int(seed), commands) for seed in args.seeds.split(",")]
    worked = tell(tellings, max(1, args.jobs))
    found: Mapping[int, Any] = {telling.seed: list(telling.figures.values()) for telling in tellings}
    print(json.dumps(found, indent=2) if args.json else "\n".join(summary(tellings)))
    return 0 if worked else 1


if __name__ == "__main__":
    sys.exit(main())
