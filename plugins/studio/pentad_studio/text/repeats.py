"""What a run's text has more than once, kept in the cache: comparing 100 MB takes half a minute."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from pentad import Catalogue
from pentad.tools import RunDirectory
from pentad_studio.text.duplicates import Duplicates, Group, Member, find_duplicates
from pentad_studio.text.held_out import open_held_out
from pentad_studio.trace.index import folder_of, keep, open_index

_KIND, _FOUND = "duplicates", "duplicates.json"


def open_duplicates(path: Path, catalogue: Catalogue) -> Duplicates:
    """Return what stands more than once in the text of a run, looked for first where that is not in the cache.

    Raises:
        UsageError: there is no run, its text is gone, or it is too long.
        EngineError: the text has changed since the run was trained; the cache cannot be written.
    """

    def build(folder: Path) -> None:
        found = find_duplicates(open_index(path, catalogue), open_held_out(path, catalogue).documents)
        (folder / _FOUND).write_text(json.dumps(asdict(found)) + "\n", encoding="utf-8")

    return keep(folder_of(RunDirectory.open(path), _KIND), _load, build)


def is_compared(path: Path) -> bool:
    """Say whether it is in the cache.

    Raises:
        EngineError: the run is damaged.
    """
    return _load(folder_of(RunDirectory.open(path), _KIND)) is not None


def _load(folder: Path) -> Duplicates | None:
    try:
        said = json.loads((folder / _FOUND).read_text(encoding="utf-8"))
        groups = [Group(**{**group, "members": [Member(**one) for one in group["members"]]}) for group in said["groups"]]
        return Duplicates(**{**said, "groups": groups})
    except (OSError, ValueError, TypeError, KeyError):
        return None
