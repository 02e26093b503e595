"""A run's folder: recipe.toml, engine.json, tokenizer/, checkpoints/, metrics.jsonl, samples.jsonl."""

from __future__ import annotations

import contextlib
import datetime
import errno
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pentad.config.recipe import Recipe
from pentad.registry.resolving import Resolved
from pentad.runs.provenance import FORMAT, Provenance, engine_facts, named_absolutely
from pentad.system.errors import EngineError, UsageError, to_resume
from pentad.system.files import locked, sync_folder, sync_tree, write_atomically


def new_run_path(model: str) -> Path:
    """Return an unused folder name below runs/: date, time and model."""
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    name = model.split(":")[-1]
    for suffix in ["", *(f"-{number}" for number in range(2, 1000))]:
        path = Path("runs", f"{stamp}-{name}{suffix}")
        if not path.exists():
            return path
    raise EngineError("runs/ must have a free name for this second; found none.", "Say --out DIR.", code="no-free-name")


class RunDirectory(Provenance):
    """A run's folder: made, opened, locked, and written to while the run trains.

    Args:
        path: the folder.
    """

    @classmethod
    def create(cls, path: Path, resolved: Resolved, tokenizer_folder: Path, facts: Mapping[str, Any]) -> RunDirectory:
        """Make a new run's folder.

        Raises:
            UsageError: the folder exists and is not empty.
            EngineError: the disk is full or not writable.
        """
        refuse_used(path)
        run = cls(path)
        with run.writing():
            path.mkdir(parents=True, exist_ok=True)
            shutil.copytree(tokenizer_folder, path / "tokenizer")
            sync_tree(path / "tokenizer")
            (path / "metrics.jsonl").touch()
            (path / "samples.jsonl").touch()
            run.write_recipe(named_absolutely(resolved.recipe))
            # Written last: a folder without engine.json is no run.
            write_atomically(path / "engine.json", json.dumps(engine_facts(resolved, facts), indent=1) + "\n")
            sync_folder(path.parent)
        return run

    @classmethod
    def open(cls, path: Path) -> RunDirectory:
        """Open a run that exists.

        Raises:
            UsageError: there is no run in that folder.
            EngineError: it was made by a newer version, or it is damaged.
        """
        if not (path / "engine.json").is_file():
            found = "no such folder" if not path.exists() else "a folder without engine.json"
            raise UsageError(
                f"{path} must be the folder of a run; found {found}.", "engine run makes one below runs/.", code="not-a-run"
            )
        run = cls(path)
        form = run.fact(int, "format")
        if form > FORMAT:
            raise EngineError(
                f"{path} must be of run format {FORMAT} or older; found {form}.",
                "pip install --upgrade pentad-core",
                code="format-too-new",
            )
        return run

    def write_recipe(self, recipe: Recipe) -> None:
        """Replace the recipe."""
        write_atomically(self.path / "recipe.toml", recipe.to_toml())

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Turn a failure to write into an error that says so."""
        try:
            yield
        except OSError as error:
            raise self._not_written(error) from error

    def _not_written(self, error: OSError) -> EngineError:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        cause = "the disk is full" if full else f"{error.strerror or error}"
        hint = f"Make room, then: {to_resume(self.path)}" if full else "Check the folder's rights, or say --out DIR."
        return EngineError(f"{self.path} must be writable; found: {cause}.", hint, code="not-writable")

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keep a second process from training in the same folder; let go when the process ends, however it ends.

        Raises:
            EngineError: another process trains here.
        """
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(locked(self.path / ".lock", wait=False))
            except BlockingIOError:
                raise EngineError(
                    f"{self.path} is in use by another process that trains in it.",
                    "Wait for it, or stop it.",
                    code="folder-in-use",
                ) from None
            except OSError as error:
                raise self._not_written(error) from error
            yield

    def append(self, name: str, *records: Mapping[str, Any]) -> None:
        """Add lines to metrics.jsonl or samples.jsonl, in one write."""
        with self.writing(), (self.path / name).open("a", encoding="utf-8") as file:
            file.write("".join(json.dumps(record) + "\n" for record in records))

    def is_scored(self, step: int) -> bool:
        """Say whether the run is complete at this step: its end is the last line that it writes."""
        return any(line.get("kind") == "end" and line.get("step") == step for line in self.lines("metrics.jsonl"))

    def cut_back(self, step: int, *, keep_final: bool) -> None:
        """Drop the lines of steps after `step`, and a half line at the end: the run goes on from there.

        Args:
            step: the last one that stays.
            keep_final: whether the run ended at this step; a final score that it could not finish is dropped too.
        """

        def stays(line: dict[str, Any]) -> bool:
            at = line.get("step")
            return isinstance(at, int) and at <= step and (keep_final or at < step or line.get("final") is not True)

        for name in ("metrics.jsonl", "samples.jsonl"):
            lines = [line for line in self.lines(name) if stays(line)]
            with self.writing():
                write_atomically(self.path / name, "".join(json.dumps(line) + "\n" for line in lines))

    def lines(self, name: str) -> list[dict[str, Any]]:
        """Return the whole lines of metrics.jsonl or samples.jsonl."""
        return read_lines(self.path / name)


def refuse_used(path: Path) -> None:
    """Make sure that a new run may lie there.

    Raises:
        UsageError: there is something.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        is_run = (path / "engine.json").is_file()
        raise UsageError(
            f"--out expects a new or empty folder; found something at {path}.",
            f"Choose another folder{f', or go on with it: {to_resume(path)}' if is_run else ''}.",
            code="folder-taken",
        )


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the whole lines of a JSON-lines file; a half line at the end, left by a crash, is passed over."""
    lines = []
    with contextlib.suppress(FileNotFoundError), path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            with contextlib.suppress(ValueError):
                found = json.loads(line)
                if isinstance(found, dict):
                    lines.append(found)
    return lines
