"""What the pages share: what is installed, where runs lie, and what is open."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from starlette.requests import Request

from pentad import Catalogue, UsageError
from pentad.tools import did_you_mean
from pentad_studio.runs.following import Followed
from pentad_studio.runs.jobs import Jobs
from pentad_studio.runs.listing import Listing

Value = TypeVar("Value")

SEED = "This is me training"
"""The sentence with which the pages begin; in GPT-2's vocabulary it is 1212 318 502 3047."""


class Shelf:
    """Keeps what was used last, made by one caller at a time.

    Args:
        most: how many things are kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[Hashable, object] = OrderedDict()
        self._locks: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """Return what is kept under a key, made now where it is not; who asks for it meanwhile waits."""
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            with self._lock:
                if key in self._kept:
                    self._kept.move_to_end(key)
                    return self._kept[key]  # type: ignore[return-value]
            value = make()
            with self._lock:
                self._kept[key] = value
                while len(self._kept) > self._most:
                    dropped, _ = self._kept.popitem(last=False)
                    self._locks.pop(dropped, None)
            return value

    def has(self, key: Hashable) -> bool:
        """Whether something is kept under a key."""
        with self._lock:
            return key in self._kept


@dataclass(kw_only=True)
class Studio:
    """The state of a studio.

    Args:
        catalogue: what is installed.
        runs: the folder of runs.
        comparisons: the folder of comparisons.
        models: open runs, the last few.
        tokenizers: likewise.
        sorts: of tokenizers that are installed.
        records: what the files of runs say that do not change.
        jobs: the trainings that the studio has started.
    """

    catalogue: Catalogue
    runs: Path = field(default=Path("runs"))
    comparisons: Path = field(default=Path("comparisons"))
    models: Shelf = field(default_factory=lambda: Shelf(3))
    tokenizers: Shelf = field(default_factory=lambda: Shelf(12))
    records: Shelf = field(default_factory=lambda: Shelf(500))
    sorts: Shelf = field(default_factory=lambda: Shelf(1000))
    jobs: Jobs = field(default_factory=Jobs)
    _follows: Shelf = field(default_factory=lambda: Shelf(24))

    def __post_init__(self) -> None:
        self.listing = Listing(self.jobs.is_known_to_run)

    def followed(self, name: str) -> Followed:
        """Return a run that is followed, from its start where it was not."""
        return self._follows.get(name, lambda: Followed(self.runs / name))

    def run_names(self) -> list[str]:
        """List the runs, the newest first; what is no folder with an engine.json is no run."""
        return folders_with(self.runs, "engine.json")

    def run_path(self, name: str) -> Path:
        """Return the folder of a run that is listed: a name is never a path.

        Raises:
            UsageError: there is none of that name.
        """
        is_name = name not in ("", ".", "..") and os.path.basename(name) == name
        if not is_name or not (self.runs / name / "engine.json").is_file():
            near = did_you_mean(name, self.run_names())
            raise UsageError(f"No run {name!r} is in {self.runs}.", near or "Choose one of the list.", code="unknown-run")
        return self.runs / name

    def corpora(self) -> list[str]:
        """List the texts that are installed."""
        return [offer.name for offer in self.catalogue.offers("corpus")]


def folders_with(folder: Path, *names: str) -> list[str]:
    """List the folders within a folder that hold a file of one of the names, the one written to last first."""
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                time = _written(entry, names)
                if time is not None:
                    found.append((time, entry.name))
    except OSError:
        return []
    return [name for _, name in sorted(found, reverse=True)]


def _written(entry: os.DirEntry[str], names: tuple[str, ...]) -> float | None:
    for name in names:
        try:
            facts = os.stat(os.path.join(entry.path, name))
        except OSError:
            continue
        # Metrics grow while a run trains, so their time is that of its last step.
        try:
            return max(facts.st_mtime, os.stat(os.path.join(entry.path, "metrics.jsonl")).st_mtime)
        except OSError:
            return facts.st_mtime
    return None


def studio_of(request: Request) -> Studio:
    """Return the studio that a request asks."""
    found = request.app.state.studio
    assert isinstance(found, Studio)
    return found
