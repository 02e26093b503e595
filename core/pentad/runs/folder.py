"""A run's folder: recipe.toml, engine.json, tokenizer/, start/, checkpoints/, metrics.jsonl, samples.jsonl."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pentad.config.recipe import Recipe
from pentad.registry.resolving import Resolved
from pentad.runs.provenance import FORMAT, Provenance, engine_facts, named_absolutely
from pentad.runs.records import METRICS, SAMPLES, is_sealed, rewrite, seal_result, sealed_step
from pentad.system.cache import PIPED, is_kept_pipe
from pentad.system.errors import EngineError, UsageError, to_resume
from pentad.system.files import locked, sync_folder, sync_tree, what_to_check, write_atomically
from pentad.system.json_lines import read_lines
from pentad.system.opening import UNFINISHED, discard, open_to_append, refuse_links

_ENGINE, _LOCK, _SETTING_UP = "engine.json", ".lock", ".setting-up"
START = "start"
"""Folder within a run that holds the weights with which its training began, where they come from another run."""

_OF_SET_UP = ("tokenizer", START, f"text{PIPED}", METRICS, SAMPLES, "recipe.toml")
"""What a set-up makes before engine.json."""


def new_run_path(model: str) -> Path:
    """Return an unused folder name below runs/: date, time and model."""
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    name = model.split(":")[-1]
    for suffix in ["", *(f"-{number}" for number in range(2, 1000))]:
        path = Path("runs", f"{stamp}-{name}{suffix}")
        if not path.exists():
            return path
    raise EngineError("runs/ must have a free name for this second; found none.", "Use --out DIR.", code="no-free-name")


class RunDirectory(Provenance):
    """A run's folder: made, opened, locked, and written to while the run trains.

    Args:
        path: the folder.
    """

    @classmethod
    @contextlib.contextmanager
    def create(
        cls,
        path: Path,
        resolved: Resolved,
        tokenizer_folder: Path,
        facts: Mapping[str, Any],
        save_start: Callable[[Path], None] | None = None,
    ) -> Iterator[RunDirectory]:
        """Make a new run's folder, locked for as long as the context lasts.

        A set-up that fails leaves nothing; one that is killed leaves a mark, by which the next one takes the folder over.

        Args:
            path: where.
            resolved: every choice.
            tokenizer_folder: the saved tokenizer.
            facts: what engine.json says beside the versions.
            save_start: writes the weights with which the training begins, where they come from another run.

        Raises:
            UsageError: the folder exists and is not empty.
            EngineError: the disk is full or not writable, or another process trains here.
        """
        refuse_used(path)
        run, existed = cls(path), path.is_dir()
        with contextlib.ExitStack() as held:
            with run.writing():
                path.mkdir(parents=True, exist_ok=True)
                held.enter_context(run.lock())
            refuse_used(path)  # another process may have been first
            try:
                with run.writing():
                    run._set_up(resolved, tokenizer_folder, facts, save_start)
            except BaseException:
                if not run.is_set_up:
                    run._clear(existed)
                raise
            yield run

    def _set_up(
        self,
        resolved: Resolved,
        tokenizer_folder: Path,
        facts: Mapping[str, Any],
        save_start: Callable[[Path], None] | None,
    ) -> None:
        self._clear_set_up()  # of one that was killed
        (self.path / _SETTING_UP).touch()
        sync_folder(self.path)
        shutil.copytree(tokenizer_folder, self.path / "tokenizer")
        sync_tree(self.path / "tokenizer")
        if save_start is not None:
            save_start(self.path / START)
        (self.path / METRICS).touch(exist_ok=False)
        (self.path / SAMPLES).touch(exist_ok=False)
        self.write_recipe(self._with_own_pipe(named_absolutely(resolved.recipe)))
        # Written last: a folder without engine.json is no run.
        write_atomically(self.path / _ENGINE, json.dumps(engine_facts(resolved, facts), indent=1) + "\n")
        sync_folder(self.path.parent)
        discard(self.path / _SETTING_UP)

    @property
    def is_set_up(self) -> bool:
        """Whether the folder is a run: engine.json is written last."""
        return (self.path / _ENGINE).is_file()

    def _clear(self, existed: bool) -> None:
        """Take back a set-up that failed."""
        with contextlib.suppress(OSError):
            self._clear_set_up()
            discard(self.path / _LOCK)
            if not existed:
                self.path.rmdir()

    def _clear_set_up(self) -> None:
        for path in self.path.iterdir():
            if path.name != _LOCK and _of_set_up(path.name):
                discard(path)

    def _sweep(self) -> None:
        """Remove halves of files that killed processes left, and the mark of a set-up that was killed at its last step."""
        with contextlib.suppress(OSError):
            for path in self.path.iterdir():
                if path.name == _SETTING_UP or _is_half(path.name):
                    discard(path)

    @classmethod
    def open(cls, path: Path) -> RunDirectory:
        """Open a run that exists.

        Raises:
            UsageError: there is no run in that folder.
            EngineError: it was made by a newer version, it is damaged, or it holds a link, a pipe or a device.
        """
        if not cls(path).is_set_up:
            found = "no such folder" if not path.exists() else "a folder without engine.json"
            raise UsageError(
                f"{path} must be the folder of a run; found {found}.", "engine run makes one below runs/.", code="not-a-run"
            )
        run = cls(path)
        refuse_links(path)
        form = run.fact(int, "format")
        if form > FORMAT:
            raise EngineError(
                f"{path} must be of run format {FORMAT} or older; found {form}.",
                "pip install --upgrade pentad-core",
                code="format-too-new",
            )
        return run

    def _with_own_pipe(self, recipe: Recipe) -> Recipe:
        """Copy what was piped in from the cache, which may be emptied, into the run, and return the recipe that names it."""

        def own(source: str) -> str:
            if not is_kept_pipe(Path(source)):
                return source
            copy = self.path.absolute() / f"text{PIPED}"
            shutil.copyfile(source, copy)
            return str(copy)

        data = recipe.data
        sources, held_out = tuple(map(own, data.sources)), tuple(map(own, data.held_out_sources))
        return recipe.replace(data=dataclasses.replace(data, sources=sources, held_out_sources=held_out))

    def write_recipe(self, recipe: Recipe) -> None:
        """Replace the recipe."""
        with self.writing():
            write_atomically(self.path / "recipe.toml", recipe.to_toml())

    def write_facts(self, facts: Mapping[str, Any]) -> None:
        """Replace what engine.json says."""
        with self.writing():
            write_atomically(self.path / _ENGINE, json.dumps(facts, indent=1) + "\n")

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
        again = to_resume(self.path) if self.is_set_up else "the same command again"
        hint = f"Make room, then: {again}" if full else f"{what_to_check(error)}, or use --out DIR."
        return EngineError(f"{self.path} must be writable; found: {cause}.", hint, code="not-writable")

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keep a second process from training in the same folder; let go when the process ends, however it ends.

        Raises:
            EngineError: another process trains here.
        """
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(locked(self.path / _LOCK, wait=False))
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
        with self.writing(), open_to_append(self.path / name) as file:
            file.write("".join(json.dumps(record) + "\n" for record in records))

    def seal(self, step: int, stop_reason: str) -> None:
        """Say that the run is complete, and seal its records: the last thing that it writes."""
        with self.writing():
            seal_result(self.path, step, stop_reason)

    def is_scored(self, step: int) -> bool:
        """Say whether the run is complete at this step."""
        return sealed_step(self.path) == step

    def is_sealed(self) -> bool:
        """Say whether the run is complete, and its records, recipe and facts are, byte for byte, those of its end."""
        return is_sealed(self.path)

    def cut_back(self, step: int, *, keep_final: bool) -> None:
        """Drop the lines of steps after `step`, and a half line at the end: the run resumes from there.

        Args:
            step: the last one that stays. Changes of options that a user made later hold from there on; what an observer asked
                for later is gone, as the checkpoint does not have it.
            keep_final: whether the run ended at this step; a final score that it could not finish is dropped too.
        """

        def cut(line: dict[str, Any]) -> dict[str, Any] | None:
            at = line.get("step")
            if not isinstance(at, int):
                return None
            if line.get("kind") == "change" and "optimizer" in line:
                return {**line, "step": min(at, step)}
            return line if at <= step and (keep_final or at < step or line.get("final") is not True) else None

        for name in (METRICS, SAMPLES):
            with self.writing():
                rewrite(self.path / name, cut)
        self._sweep()

    def lines(self, name: str) -> list[dict[str, Any]]:
        """Return the lines of metrics.jsonl or samples.jsonl; errors and warnings as for `read_lines`."""
        return read_lines(self.path / name)


def refuse_used(path: Path) -> None:
    """Make sure that a new run may lie there: in a new or empty folder, or where the set-up of one was killed.

    Raises:
        UsageError: there is something else.
        EngineError: it cannot be found out.
    """
    if not os.path.lexists(path):
        return
    try:
        names = {entry.name for entry in path.iterdir()} if path.is_dir() else {""}
    except OSError as error:
        raise EngineError(
            f"--out expects a folder that can be written; found {path}, which cannot be read: {error.strerror}.",
            f"{what_to_check(error)}, or choose another folder.",
            code="not-writable",
        ) from None
    killed = _SETTING_UP in names and _ENGINE not in names
    if not names or names == {_LOCK} or (killed and all(_of_set_up(name) for name in names)):
        return
    raise UsageError(
        f"--out expects a new or empty folder; found something at {path}.",
        f"Choose another folder{f', or resume the run in it: {to_resume(path)}' if _ENGINE in names else ''}.",
        code="folder-taken",
    )


def _of_set_up(name: str) -> bool:
    return name in (*_OF_SET_UP, _SETTING_UP, _LOCK) or _is_half(name)


def _is_half(name: str) -> bool:
    return name.startswith(".") and name.endswith(UNFINISHED)
