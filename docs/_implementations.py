"""Links from a contract to real implementations of it: what this repository ships, found by the records that plugins return."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pentad.registry.catalogue import Catalogue
from pentad.registry.kinds import KINDS

_CHAPTERS: dict[str, tuple[str, ...]] = {
    "Example builder": ("builder",),
    "Corpora, readers and commands": ("corpus", "reader", "command"),
    "Running": ("observer", "executor"),
    **{
        kind.capitalize(): (kind,)
        for kind in KINDS
        if kind not in ("builder", "corpus", "reader", "command", "observer", "executor")
    },
}
"""Chapter of the page to the kinds whose contracts it describes."""

_CLASSES = {"Session": "Decoder", "Objective": "Objective"}
"""Chapter to the class that implementations derive from, where no record names them."""

_TITLE = "Implementations to read"

_PLUGINS = "plugins/*"
"""Where what ships lies. The examples beside it need not be installed where the page is made."""


class Implementations:
    """What the repository ships, by contract.

    Args:
        root: the repository.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._catalogue = Catalogue()

    def of(self, chapter: str) -> str:
        """Return a line for each kind of a chapter that links its implementations, those in the shortest files first."""
        kinds = _CHAPTERS.get(chapter, ())
        titles = [f"Each {kind} of this repository" if len(kinds) > 1 else _TITLE for kind in kinds]
        lines = [self._line(title, dict(self._offers(kind))) for title, kind in zip(titles, kinds, strict=True)]
        if chapter == "Sizes":
            lines.append(self._line(_TITLE, dict(self._advice())))
        if chapter in _CLASSES:
            lines.append(self._line(_TITLE, dict(self._deriving(_CLASSES[chapter]))))
        return "\n\n".join(filter(None, lines))

    def _line(self, title: str, places: dict[str, Path]) -> str:
        names: dict[Path, list[str]] = {}
        for name, path in places.items():
            names.setdefault(path, []).append(f"`{name}`")
        shortest = sorted(names, key=lambda path: (len(path.read_text(encoding="utf-8").splitlines()), path))
        links = [f"[{', '.join(sorted(names[path]))}](../{path.relative_to(self._root).as_posix()})" for path in shortest]
        return f"{title}, the shortest first: {', '.join(links)}." if links else ""

    def _offers(self, kind: str) -> Iterator[tuple[str, Path]]:
        for offer in self._catalogue.offers(kind):
            if path := self._file(_module(getattr(offer.record, "factory", None) or offer.record)):
                yield offer.name, path

    def _advice(self) -> Iterator[tuple[str, Path]]:
        for kind in KINDS:
            for offer in self._catalogue.offers(kind):
                if path := self._file(_module(getattr(offer.record, "advise", None))):
                    yield offer.name, path

    def _deriving(self, base: str) -> Iterator[tuple[str, Path]]:
        for path in self._root.glob(f"{_PLUGINS}/pentad_*/**/*.py"):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.ClassDef) and base in map(ast.unparse, node.bases) and not node.name.startswith("_"):
                    yield node.name, path

    def _file(self, module: str) -> Path | None:
        """Return the source of a module of this repository; None of what is installed beside it."""
        return next(self._root.glob(f"{_PLUGINS}/{module.replace('.', '/')}.py"), None) if module else None


def _module(named: Any) -> str:
    """Return the module of what a record names, or of what it holds."""
    return named.partition(":")[0] if isinstance(named, str) else str(getattr(named, "__module__", ""))
