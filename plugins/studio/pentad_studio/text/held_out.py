"""The text that a run held out, kept in the cache as its training text is, and how the two were told apart."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from pentad import Catalogue
from pentad.tools import RunDirectory, Split
from pentad_studio.trace.index import Documents, folder_of, keep, read_kept, read_text, split_of, write_text

_KIND, _FACTS = "held-out", "split.json"


@dataclass(frozen=True)
class Cut:
    """How a text was cut.

    Args:
        rule: `documents`, `tails`, `corpus` or `nothing`, as `pentad.tools.Split` has it.
        train_documents, train_bytes: what was learned from.
        held_out_documents, held_out_bytes: what was held out.
        n_duplicates: documents that repeat an earlier one to the letter.
        dropped: whether these were left out.
        n_withheld: documents left out of training because they stand in the held-out corpus.
    """

    rule: str
    train_documents: int
    train_bytes: int
    held_out_documents: int
    held_out_bytes: int
    n_duplicates: int
    dropped: bool
    n_withheld: int


@dataclass(frozen=True, eq=False)
class HeldOutText:
    """What was held out, and how."""

    documents: Documents
    cut: Cut


def open_held_out(path: Path, catalogue: Catalogue) -> HeldOutText:
    """Return the held-out text of a run, read first where it is not in the cache.

    Raises:
        UsageError: there is no run, its text is gone, or it is too long.
        EngineError: the text has changed since the run was trained; the cache cannot be written.
    """
    run = RunDirectory.open(path)
    return keep(folder_of(run, _KIND), _load, lambda part: _build(part, split_of(run, catalogue)))


def is_kept(path: Path) -> bool:
    """Say whether the held-out text of a run is in the cache.

    Raises:
        EngineError: the run is damaged.
    """
    return read_kept(folder_of(RunDirectory.open(path), _KIND), _load) is not None


def _build(folder: Path, split: Split) -> None:
    write_text(folder, split.held_out, split.held_out.n_bytes)
    cut = Cut(
        rule=split.rule,
        train_documents=split.train.n_documents,
        train_bytes=split.train.n_bytes,
        held_out_documents=split.held_out.n_documents,
        held_out_bytes=split.held_out.n_bytes,
        n_duplicates=split.n_duplicates,
        dropped=split.dropped,
        n_withheld=split.n_withheld,
    )
    (folder / _FACTS).write_text(json.dumps(asdict(cut)) + "\n", encoding="utf-8")


def _load(folder: Path) -> HeldOutText | None:
    documents = read_text(folder)
    try:
        cut = Cut(**json.loads((folder / _FACTS).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return HeldOutText(documents, cut) if documents is not None else None
