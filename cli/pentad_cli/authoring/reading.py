"""The sources that an implementation needs, read without importing them, and which implementations need the least.

What is needed are the modules of plugins that its record and, from there, their imports lead to. Core, the standard library and
other libraries are not read: they are there in any case.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import importlib.util
import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from pentad.config.options import NoOptions
from pentad.registry.offers import Offer
from pentad.system.entry_points import entry_points_of

PLUGIN = "plugin"
"""The module of a package that holds the hooks. They name all that it offers, so what this module imports is not followed."""


def smallest_first(offers: Iterable[Offer[Any]]) -> list[Offer[Any]]:
    """Return those that can be copied, whichever needs the fewest lines of code first."""
    copied = [offer for offer in offers if _is_in_folder(offer)]
    return sorted(copied, key=lambda offer: (code_lines(places_of(offer.record).values()), offer.name))


def code_lines(places: Iterable[str]) -> int:
    """Return the lines of code of plugins that `module:attribute` places need; comments and docstrings do not count."""
    packages = plugin_packages() | {package_of(place) for place in places if place}
    return sum(_lines(path) for module, path in reachable(places, packages) if module.rpartition(".")[2] != PLUGIN)


@functools.cache
def plugin_packages() -> set[str]:
    """Return the packages of the installed plugins."""
    return {package_of(entry_point.place) for entry_point in entry_points_of("pentad")}


def reachable(places: Iterable[str], packages: Collection[str]) -> Iterator[tuple[str, Path]]:
    """Yield the modules of these packages that `module:attribute` places and their code lead to, with their files."""
    waiting = [place.partition(":")[0] for place in places if ":" in place]
    seen: set[str] = set()
    while waiting:
        module = waiting.pop()
        path = None if module in seen or package_of(module) not in packages else path_of(module)
        seen.add(module)
        if path is not None:
            yield module, path
            if module.rpartition(".")[2] != PLUGIN:
                waiting += _named_in(path, package_of(module))
            waiting.append(module.rpartition(".")[0] or package_of(module))


def places_of(record: Any) -> dict[str, str]:
    """Return `module:attribute` of each field of a record that names code; empty for the others."""
    return {field.name: _place(getattr(record, field.name)) for field in dataclasses.fields(record)}


def package_of(place: str) -> str:
    """Return the top-level package of a module, or of a `module:attribute`."""
    return place.partition(":")[0].partition(".")[0]


@functools.cache
def folder_of(package: str) -> Path | None:
    """Return the folder of a package; None of a single file."""
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    folders = list(spec.submodule_search_locations or ()) if spec else []
    return Path(folders[0]) if folders and Path(folders[0]).is_dir() else None


@functools.cache
def path_of(module: str) -> Path | None:
    """Return the file of a module; None where it has none, as what is an attribute of one."""
    folder = folder_of(package_of(module))
    place = folder.joinpath(*module.split(".")[1:]) if folder else None
    return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()), None) if place else None


@functools.cache
def _named_in(path: Path, package: str) -> list[str]:
    """Return the modules that a source imports, or names as `module:attribute` of its own package."""
    text = path.read_text(encoding="utf-8")
    found = re.findall(rf"\b({package}[\w.]*):\w", text)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return found


@functools.cache
def _lines(path: Path) -> int:
    """Count the lines of code: those on which a statement stands that is more than a text."""
    lines = set[int]()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.stmt) and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            body = getattr(node, "body", None)
            lines.update(range(node.lineno, (body[0].lineno if body else (node.end_lineno or node.lineno) + 1)))
    return len(lines)


def _is_in_folder(offer: Offer[Any]) -> bool:
    return offer.kind != "command" and folder_of(package_of(places_of(offer.record)["factory"])) is not None


def _place(value: Any) -> str:
    if isinstance(value, str):
        return value if re.fullmatch(r"[\w.]+:\w+", value) else ""
    if value is NoOptions or not hasattr(value, "__qualname__"):
        return ""
    return f"{value.__module__}:{value.__qualname__}"
