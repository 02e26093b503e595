"""Links from a contract to real implementations of it: what this repository ships, found by the records that plugins return."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from pentad.registry.catalogue import Catalogue
from pentad.registry.kinds import KINDS
from pentad_cli.authoring.reading import code_lines, places_of

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
        """Return a line for each kind of a chapter that links its implementations, those that need the least code first."""
        kinds = _CHAPTERS.get(chapter, ())
        titles = [f"Each {kind} of this repository" if len(kinds) > 1 else _TITLE for kind in kinds]
        lines = [self._line(title, dict(self._offers(kind))) for title, kind in zip(titles, kinds, strict=True)]
        if chapter == "Sizes":
            lines.append(self._line(_TITLE, dict(self._advice())))
        if chapter in _CLASSES:
            lines.append(self._line(_TITLE, dict(self._deriving(_CLASSES[chapter]))))
        return "\n\n".join(filter(None, lines))

    def _line(self, title: str, places: dict[str, tuple[str, ...]]) -> str:
        """Return the links of names to the files of what they stand for: the first of the places that each needs."""
        names: dict[Path, list[str]] = {}
        lines: dict[Path, int] = {}
        for name, needed in places.items():
            if path := self._file(needed[0].partition(":")[0]):
                names.setdefault(path, []).append(f"`{name}`")
                lines[path] = min(lines.get(path, sys.maxsize), code_lines(needed))
        smallest = sorted(names, key=lambda path: (lines[path], path))
        links = [f"[{', '.join(sorted(names[path]))}](../{path.relative_to(self._root).as_posix()})" for path in smallest]
        return f"{title}, the smallest first: {', '.join(links)}." if links else ""

    def _offers(self, kind: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        for offer in self._catalogue.offers(kind):
            places = places_of(offer.record)
            yield offer.name, (places.pop("factory"), *places.values())

    def _advice(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        for kind in KINDS:
            for offer in self._catalogue.offers(kind):
                if place := places_of(offer.record).get("advise"):
                    yield offer.name, (place,)

    def _deriving(self, base: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        for path in self._root.glob(f"{_PLUGINS}/pentad_*/**/*.py"):
            module = ".".join(path.relative_to(self._root).with_suffix("").parts[2:])
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.ClassDef) and base in map(ast.unparse, node.bases) and not node.name.startswith("_"):
                    yield node.name, (f"{module}:{node.name}",)

    def _file(self, module: str) -> Path | None:
        """Return the source of a module of this repository; None of what is installed beside it."""
        return next(self._root.glob(f"{_PLUGINS}/{module.replace('.', '/')}.py"), None) if module else None
