"""What stands in runs' folders, for who looks for one or wants to be rid of one. Imports no torch.

A run that started from another holds a copy of its weights, so it does not need that one any more. What it may need is a run
that an option names (the reward of grpo), as long as it is trained.
"""

from __future__ import annotations

import datetime
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pentad.config.recipe import Recipe
from pentad.runs.folder import START, RunDirectory
from pentad.runs.records import METRICS, RESULT, SAMPLES, changed_records, sealed_step
from pentad.system.cache import PIPED
from pentad.system.errors import EngineError, UsageError
from pentad.system.files import read_json
from pentad.system.json_lines import read_lines
from pentad.system.opening import list_files, remove_at_once

DEEPEST = 3
"""Folders below the one that is listed in which runs are looked for: a comparison has its own below its folder."""

_OWN = ("recipe.toml", "engine.json", "latest.json", "tokenizer", "checkpoints", "export", START, METRICS, SAMPLES, RESULT)


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """A run, as its records tell of it.

    Args:
        path: its folder.
        made: when it was set up, in local time, `2026-01-31 17:05`.
        stages: tokenizer, builder, model, optimizer, sampler and adapter by name; empty where engine.json is damaged.
        step: steps that are saved or done.
        done: whether it has come to its end.
        scores: final scores: the primary one of each evaluator, by the score's name.
        n_bytes: size on the disk.
        start: the folder of the run that it started from, as it was named then; empty where there was none.
        problem: why it cannot be read; empty where it can.
    """

    path: Path
    made: str
    stages: dict[str, str] = field(default_factory=dict)
    step: int = 0
    done: bool = False
    scores: dict[str, float] = field(default_factory=dict)
    n_bytes: int = 0
    start: str = ""
    problem: str = ""


def find_runs(folder: Path) -> list[RunSummary]:
    """Return the runs below a folder, the newest first; what cannot be read is listed with the reason.

    Raises:
        UsageError: there is no such folder.
    """
    if not folder.is_dir():
        raise UsageError(
            f"{folder} must be a folder with runs; found no such folder.",
            "engine run makes one below runs/; engine runs list FOLDER looks elsewhere.",
            code="folder-missing",
        )
    found = [summary_of(path) for path in _run_folders(folder, DEEPEST)]
    return sorted(found, key=lambda run: (run.made, str(run.path)), reverse=True)


def summary_of(path: Path) -> RunSummary:
    """Return what a run's records tell; of a damaged one, why they do not."""
    made = datetime.datetime.fromtimestamp((path / "engine.json").stat().st_mtime).strftime("%Y-%m-%d %H:%M")
    n_bytes = size_of(path)
    try:
        facts = read_json(path / "engine.json")
        stages = {
            str(stage): str(maker.get("name", "?"))
            for stage, maker in facts.get("stages", {}).items()
            if isinstance(maker, dict)
        }
        start = facts.get("start")
        ended = sealed_step(path)
        changed = [name for name in changed_records(path) if name in (METRICS, SAMPLES)]
        if changed:
            warnings.warn(
                f"{' and '.join(changed)} of {path} differ from what the run's end sealed: they were edited, or "
                "the run was resumed and has not ended again.",
                stacklevel=2,
            )
        return RunSummary(
            path=path,
            made=made,
            stages=stages,
            step=_step(path) if ended is None else ended,
            done=ended is not None,
            scores=_scores(read_lines(path / METRICS)),
            n_bytes=n_bytes,
            start=str(start.get("run", "")) if isinstance(start, dict) else "",
        )
    except (EngineError, AttributeError) as error:
        message = error.message if isinstance(error, EngineError) else "engine.json is damaged"
        return RunSummary(path=path, made=made, n_bytes=n_bytes, problem=message)


def chain_of(path: Path) -> list[dict[str, Any]]:
    """Return the runs that a run goes back to, the nearest first: folder, step, and whether it is still there."""
    found: list[dict[str, Any]] = []
    start = read_json(path / "engine.json").get("start")
    while isinstance(start, dict) and len(found) < 100:
        folder = str(start.get("run", ""))
        found.append({"run": folder, "step": start.get("step"), "exists": (Path(folder) / "engine.json").is_file()})
        start = start.get("start")
    return found


def sizes_of(path: Path) -> dict[str, int]:
    """Return the bytes of each part of a run's folder, the largest first."""
    sizes: dict[str, int] = {}
    for name in list_files(path):
        part = name.split(os.sep)[0]
        sizes[part] = sizes.get(part, 0) + _size(path / name)
    return dict(sorted(sizes.items(), key=lambda item: -item[1]))


def size_of(path: Path) -> int:
    """Return the bytes of all files of a run."""
    return sum(sizes_of(path).values())


def users_of(path: Path, others: list[RunSummary]) -> tuple[list[RunSummary], list[RunSummary]]:
    """Return the runs that started from a run, and those that still need it: an option names it, and they are not done."""
    own = path.resolve()
    started, needing = [], []
    for other in others:
        if other.problem or other.path.resolve() == own:
            continue
        if other.start and Path(other.start).resolve() == own:
            started.append(other)
        if not other.done and _names(RunDirectory(other.path).recipe(), own):
            needing.append(other)
    return started, needing


def remove_run(path: Path, others: list[RunSummary], *, force: bool = False) -> int:
    """Remove a run's folder, and return the bytes that it had.

    Args:
        path: the run.
        others: runs that may need it.
        force: remove it also where another one needs it, or where its folder holds something else.

    Raises:
        UsageError: it is no run; another run needs it, or its folder holds what is no part of a run.
        EngineError: it is in use, or cannot be removed.
    """
    run = RunDirectory(path)
    if not run.is_set_up or path.is_symlink():
        raise UsageError(
            f"{path} must be the folder of a run; found {'a link' if path.is_symlink() else 'none'}.",
            "engine runs list shows those that there are.",
            code="not-a-run",
        )
    _, needing = users_of(path, others)
    if needing and not force:
        raise UsageError(
            f"{path} is named by an option of {needing[0].path}, which is not done; found {len(needing)} such run(s).",
            f"Finish that one first, or remove {path} with --force.",
            code="run-needed",
        )
    strange = _strange(path)
    if strange and not force:
        raise UsageError(
            f"{path} must hold nothing but a run; found {', '.join(strange[:3])} too.",
            "Move that elsewhere, or remove all of it with --force.",
            code="run-not-alone",
        )
    n_bytes = size_of(path)
    try:
        with run.lock():
            remove_at_once(path)
    except OSError as error:
        raise EngineError(
            f"{path} could not be removed: {error.strerror}.", "Check its rights and its disk.", code="run-not-removed"
        ) from None
    return n_bytes


def _run_folders(folder: Path, deep: int) -> Iterator[Path]:
    """Yield the folders of runs, without looking into one and without following links."""
    if (folder / "engine.json").is_file():
        yield folder
        return
    if not deep:
        return
    try:
        entries = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False))
    except OSError:
        return
    for name in entries:
        yield from _run_folders(folder / name, deep - 1)


def _scores(lines: list[dict[str, Any]]) -> dict[str, float]:
    """Return the primary score of each final evaluation."""
    final = [line for line in lines if line.get("kind") == "evaluation" and line.get("final") is True]
    scores = {str(line.get("primary")): line.get(str(line.get("primary"))) for line in final}
    return {name: float(value) for name, value in scores.items() if isinstance(value, int | float)}


def _step(path: Path) -> int:
    """Return the step of the newest checkpoint, 0 before the first."""
    try:
        step = read_json(path / "latest.json").get("step")
    except EngineError:
        return 0
    return step if type(step) is int else 0


def _names(recipe: Recipe, run: Path) -> bool:
    """Whether an option of a recipe names a run."""
    values = [value for choice in recipe.choices().values() for value in choice.options.values()]
    words = [word for value in values for word in (value if isinstance(value, list | tuple) else [value])]
    paths = [part.partition("=")[2] or part for word in words if isinstance(word, str) for part in word.split(",")]
    return any(os.sep in part and Path(part).resolve() == run for part in paths)


def _strange(path: Path) -> list[str]:
    """Return what stands in a run's folder and is no part of it; hidden files are the engine's own marks."""
    names = sorted(entry.name for entry in os.scandir(path))
    return [name for name in names if name not in _OWN and not name.startswith(".") and not name.endswith(PIPED)]


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:  # removed meanwhile
        return 0
