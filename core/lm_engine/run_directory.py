"""A run's folder: recipe.toml, engine.json, tokenizer/, checkpoints/, metrics.jsonl, samples.jsonl."""

from __future__ import annotations

import contextlib
import datetime
import errno
import json
import platform
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lm_engine.cache import folder_fingerprint
from lm_engine.catalogue import Catalogue
from lm_engine.durable import read_json, write_atomically
from lm_engine.errors import EngineError, UsageError
from lm_engine.implementation import STAGES
from lm_engine.recipe import Recipe, Resolved, read_tables

try:
    import fcntl
except ImportError:  # Windows has none; there two processes in one run are not kept apart
    fcntl = None  # type: ignore[assignment]

FORMAT = 1


def new_run_path(model: str) -> Path:
    """Return an unused folder name below runs/: date, time and model."""
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    name = model.split(":")[-1]
    for suffix in ["", *(f"-{number}" for number in range(2, 1000))]:
        path = Path("runs", f"{stamp}-{name}{suffix}")
        if not path.exists():
            return path
    raise EngineError("runs/ must have a free name for this second; found none.", "Say --out DIR.")


class RunDirectory:
    """A run's folder and what is in it.

    Args:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, path: Path, resolved: Resolved, tokenizer_folder: Path, facts: Mapping[str, Any]) -> RunDirectory:
        """Make a new run's folder.

        Raises:
            UsageError: the folder exists and is not empty.
            EngineError: the disk is full or not writable.
        """
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise UsageError(
                f"--out expects a new or empty folder; found something at {path}.",
                f"Choose another folder, or go on with it: engine resume {path}",
            )
        run = cls(path)
        with run.writing():
            path.mkdir(parents=True, exist_ok=True)
            shutil.copytree(tokenizer_folder, path / "tokenizer")
            (path / "metrics.jsonl").touch()
            (path / "samples.jsonl").touch()
            run.write_recipe(resolved.recipe)
            # Written last: a folder without engine.json is no run.
            write_atomically(path / "engine.json", json.dumps(_engine_facts(resolved, facts), indent=1) + "\n")
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
            raise UsageError(f"{path} must be the folder of a run; found {found}.", "engine run makes one below runs/.")
        run = cls(path)
        form = run.facts().get("format")
        if not isinstance(form, int) or form > FORMAT:
            raise EngineError(
                f"{path} must be of run format {FORMAT} or older; found {form!r}.", "pip install --upgrade lm-engine-core"
            )
        return run

    def facts(self) -> dict[str, Any]:
        """Return what engine.json says."""
        return read_json(self.path / "engine.json")

    def recipe(self) -> Recipe:
        """Return the resolved recipe."""
        return Recipe.from_dict(read_tables(self.path / "recipe.toml"), str(self.path / "recipe.toml"))

    def write_recipe(self, recipe: Recipe) -> None:
        """Replace the recipe."""
        write_atomically(self.path / "recipe.toml", recipe.to_toml())

    def check_stages(self, catalogue: Catalogue) -> None:
        """Make sure that what made the run is installed.

        Raises:
            EngineError: a distribution is missing; says which, in which version, and what to install.
        """
        stages = self.facts().get("stages", {})
        for stage in STAGES:
            made = stages.get(stage, {})
            distribution, version, name = (str(made.get(key)) for key in ("distribution", "version", "name"))
            offers = [offer for offer in catalogue.offers(stage) if (offer.distribution, offer.name) == (distribution, name)]
            if offers:
                continue
            broken = [problem.cause for problem in catalogue.problems if problem.distribution == distribution]
            state = f"it is installed but broken: {broken[0]}" if broken else "it is not installed"
            install = f"pip install {distribution}=={version}"
            if version == "unpackaged":
                install = f"Say --plugin {distribution}"
            raise EngineError(f"The {stage} {name} of {self.path} was made by {distribution} {version}; {state}.", install)

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Turn a failure to write into an error that says so."""
        try:
            yield
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            cause = "the disk is full" if full else f"{error.strerror or error}"
            hint = f"Make room, then: engine resume {self.path}" if full else "Check the folder's rights, or say --out DIR."
            raise EngineError(f"{self.path} must be writable; found: {cause}.", hint) from error

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keep a second process from training in the same folder; let go when the process ends, however it ends.

        Raises:
            EngineError: another process trains here.
        """
        with self.writing(), (self.path / ".lock").open("wb") as file:
            if fcntl is not None:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise EngineError(
                        f"{self.path} is in use by another process that trains in it.", "Wait for it, or stop it."
                    ) from None
            yield

    def append(self, name: str, record: Mapping[str, Any]) -> None:
        """Add one line to metrics.jsonl or samples.jsonl."""
        with self.writing(), (self.path / name).open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def cut_back(self, step: int) -> None:
        """Drop the lines of steps after `step`, and a half line at the end: the run goes on from there."""
        for name in ("metrics.jsonl", "samples.jsonl"):
            lines = [line for line in self.lines(name) if line.get("step", 0) <= step]
            with self.writing():
                write_atomically(self.path / name, "".join(json.dumps(line) + "\n" for line in lines))

    def lines(self, name: str) -> list[dict[str, Any]]:
        """Return the whole lines of metrics.jsonl or samples.jsonl."""
        return read_lines(self.path / name)

    def tokenizer_fingerprint(self) -> str:
        """Return the digest of the tokenizer's files."""
        return folder_fingerprint(self.path / "tokenizer")


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


def _engine_facts(resolved: Resolved, facts: Mapping[str, Any]) -> dict[str, Any]:
    import torch

    from lm_engine import __version__

    return {
        "format": FORMAT,
        "engine": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "platform": platform.platform(),
        "stages": {
            stage: {"distribution": offer.distribution, "version": offer.version, "name": offer.name}
            for stage, offer in resolved.offers.items()
        },
        **facts,
    }
