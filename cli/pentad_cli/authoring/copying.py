"""The code of an installed implementation under another name: what `engine plugins new --like NAME` starts from.

Taken is what the implementation uses of its own package, and nothing that serves only what else the package offers. The text of
the sources stays as it is, but for the name of the package in it.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib.metadata
import json
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from pentad.registry.kinds import KINDS
from pentad.registry.offers import Offer
from pentad.registry.records import Reader
from pentad.system.errors import UsageError
from pentad_cli.authoring.reading import PLUGIN, folder_of, package_of, path_of, places_of, reachable


class Copied:
    """An implementation as the files of a package with another name.

    Args:
        offer: what is copied.
        module: the new package.

    Raises:
        UsageError: it is a command, or its code does not lie in a package of files.
    """

    def __init__(self, offer: Offer[Any], module: str) -> None:
        self._offer, self._module = offer, module
        self._places = places_of(offer.record)
        self._package = package_of(self._places["factory"])
        self._folder = folder_of(self._package)
        if offer.kind == "command" or self._folder is None:
            raise UsageError(
                f"--like expects what is more than a command and lies in a package; found {offer.full_name}.",
                f"engine plugins new {module.replace('_', '-')} --kind {offer.kind} writes a small one.",
                code="like-unfit",
            )
        found = reachable(self._places.values(), {self._package})
        self._sources = {module: path.read_text(encoding="utf-8") for module, path in found}

    @property
    def main(self) -> str:
        """The file, in the package, that makes what is offered."""
        return self._file(self._places["factory"].partition(":")[0])

    def files(self, name: str) -> dict[str, str | bytes]:
        """Return the files of the package, by their places in it, offering the implementation as `name` (a reader's suffix)."""
        written = [module for module, text in self._sources.items() if module != self._plugin and not _says_nothing(text)]
        sources = {self._file(module): self._sources[module] for module in written}
        sources[f"{PLUGIN}.py"] = self._plugin_source(name)
        files: dict[str, str | bytes] = {place: self._renamed(text) for place, text in sources.items()}
        return {**files, **dict(self._data(" ".join(sources.values())))}

    def dependencies(self) -> list[str]:
        """Return what its distribution needs, extras left out."""
        needed = importlib.metadata.requires(self._offer.distribution) or []
        return [line for line in needed if "extra ==" not in line]

    @property
    def _plugin(self) -> str:
        return f"{self._package}.{PLUGIN}"

    def _renamed(self, text: str) -> str:
        return re.sub(rf"\b{self._package}\b", self._module, text)

    def _file(self, module: str) -> str:
        path = path_of(module)
        assert path is not None and self._folder is not None
        return path.relative_to(self._folder).as_posix()

    def _data(self, sources: str) -> Iterator[tuple[str, bytes]]:
        """Yield the files beside the code whose names the code says."""
        assert self._folder is not None
        for path in sorted(self._folder.rglob("*")):
            if path.is_file() and path.suffix not in (".py", ".pyc") and path.name in sources:
                yield path.relative_to(self._folder).as_posix(), path.read_bytes()

    def _plugin_source(self, name: str) -> str:
        """Return the module of the hook, with those classes of the old one that the code uses."""
        used = {place.partition(":")[2] for place in self._places.values() if place.startswith(f"{self._plugin}:")}
        for module, text in self._sources.items():
            used |= set() if module == self._plugin else _imported(text, self._plugin)
        kept = _Kept(self._sources.get(self._plugin, ""), used)
        record = type(self._offer.record).__name__
        imports = [*kept.imports, ("__future__", "annotations"), ("collections.abc", "Sequence")]
        imports += [("pentad", record), ("pentad", "hookimpl")]
        arguments = "".join(f"            {argument},\n" for argument in self._arguments(name))
        hook = (
            f"@hookimpl\ndef {KINDS[self._offer.kind].hook}() -> Sequence[{record}]:\n"
            f'    """Offer the {self._offer.kind}; the factory is imported only when a user chooses it."""\n'
            f"    return [\n        {record}(\n{arguments}        )\n    ]"
        )
        title = '"""What this distribution offers. Every `engine` command imports this module, so it imports nothing heavy."""'
        return "\n\n".join([title, _written(imports)]) + "".join(f"\n\n\n{part}" for part in [*kept.parts, hook]) + "\n"

    def _arguments(self, name: str) -> Iterator[str]:
        """Yield the arguments of the record."""
        own = ("name", "suffix")
        for field in sorted(dataclasses.fields(self._offer.record), key=lambda field: field.name not in own):
            value = getattr(self._offer.record, field.name)
            default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
            if field.name in own:
                value = name
            elif value == default or field.name == "default":  # one judge of all runs is enough
                continue
            elif self._places[field.name]:
                value = self._places[field.name]
            yield f"{field.name}={value if isinstance(value, bool) else json.dumps(value, ensure_ascii=False)}"


class _Kept:
    """What of a module the names need that are used elsewhere.

    Args:
        source: of the module; may be empty.
        used: names.
    """

    def __init__(self, source: str, used: Iterable[str]) -> None:
        body = ast.parse(source).body
        named = {name: node for node in body for name in _names_of(node)}
        kept: set[ast.stmt] = set()
        words, waiting = set[str](), list(used)
        while waiting:
            word = waiting.pop()
            words.add(word)
            node = named.get(word)
            if node is not None and node not in kept:
                kept.add(node)
                waiting += [found.id for found in ast.walk(node) if isinstance(found, ast.Name)]
        lines = source.splitlines()
        self.parts = [_lines_of(node, lines) for node in body if node in kept]
        imports = [node for node in body if isinstance(node, ast.ImportFrom) and not node.level]
        self.imports = [(str(node.module), alias.name) for node in imports for alias in node.names if alias.name in words]


def _says_nothing(text: str) -> bool:
    """Whether a source is a docstring at the most, as an `__init__` that speaks of all that its package offers."""
    return all(isinstance(node, ast.Expr) for node in ast.parse(text).body)


def _names_of(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _lines_of(node: ast.stmt, lines: list[str]) -> str:
    """Return a statement as it is written, its decorators included."""
    first = min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", ()))])
    return "\n".join(lines[first - 1 : node.end_lineno])


def _imported(text: str, module: str) -> set[str]:
    """Return the names that a source imports from a module."""
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom) and node.module == module]
    return {alias.name for node in nodes for alias in node.names}


def _written(imports: Iterable[tuple[str, str]]) -> str:
    """Return `from` imports, sorted and in groups."""
    names: dict[str, set[str]] = {}
    for module, name in imports:
        names.setdefault(module, set()).add(name)
    groups: dict[int, list[str]] = {}
    for module in sorted(names):
        top = module.partition(".")[0]
        group = 0 if top == "__future__" else 1 if top in sys.stdlib_module_names else 2
        # Classes come before functions, as isort has them.
        ordered = sorted(names[module], key=lambda name: (name[:1].islower(), name))
        groups.setdefault(group, []).append(f"from {module} import {', '.join(ordered)}")
    return "\n\n".join("\n".join(groups[group]) for group in sorted(groups))


def suffix_or_name(offer: Offer[Any], name: str, suffix: str) -> str:
    """Return what the copy is called by: a reader by its suffix."""
    return suffix if isinstance(offer.record, Reader) else name
