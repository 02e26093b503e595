"""The shape of the sources, read without importing them: arrows, circles, sizes, and names of implementations."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from pentad import STAGES

ROOT = Path(__file__).parents[2]
CORE = ROOT / "core" / "pentad"

FOLDERS = (
    "system", "config", "contracts", "registry", "data", "inference", "runs", "speed", "train", "pipeline", "tools", "testing"
)  # fmt: skip
"""What may import what: a folder imports those before it, and itself. `pipeline` and `tools` are files."""

PUBLIC_DOORS = ("pentad", "pentad.tools", "pentad_cli.tools", "pentad_cli.charts")
"""Modules whose business it is to hand out the names of others."""

KNOWN_CIRCLES: tuple[str, ...] = ()
"""Packages whose circles are still to be opened."""

PACKAGES = [CORE, ROOT / "cli" / "pentad_cli", *sorted(path.parent for path in ROOT.glob("plugins/*/pentad_*/__init__.py"))]


class Arrow(NamedTuple):
    """One import within a package: which file takes which name from which, and whether for its types alone."""

    source: str
    target: str
    name: str
    for_types: bool


def modules_of(package: Path) -> dict[str, Path]:
    named = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        named[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return named


def imports(node: ast.AST, for_types: bool = False) -> Iterator[tuple[str, str, bool]]:
    """Yield module, name and whether it is under TYPE_CHECKING, of every import, those inside functions included."""
    if isinstance(node, ast.Import):
        yield from ((alias.name, "", for_types) for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        assert not node.level, "imports are absolute"
        yield from ((node.module or "", alias.name, for_types) for alias in node.names)
    for child in ast.iter_child_nodes(node):
        guarded = isinstance(node, ast.If) and child in node.body and ast.unparse(node.test) == "TYPE_CHECKING"
        yield from imports(child, for_types or guarded)


def arrows_of(package: Path) -> list[Arrow]:
    modules = modules_of(package)
    arrows = []
    for source, path in modules.items():
        for module, name, for_types in imports(ast.parse(path.read_text(encoding="utf-8"))):
            whole = f"{module}.{name}"
            target, taken = (whole, "") if whole in modules else (module, name)
            if target in modules:
                arrows.append(Arrow(source, target, taken, for_types))
    return arrows


def circles_in(arrows: list[Arrow]) -> list[str]:
    """Return the files of each circle: what is left after taking away, again and again, files that import no others."""
    waits_for: dict[str, set[str]] = {}
    for arrow in arrows:
        waits_for.setdefault(arrow.target, set())
        waits_for.setdefault(arrow.source, set()).add(arrow.target)
    while True:
        free = {name for name, targets in waits_for.items() if not targets & waits_for.keys()}
        if not free:
            return sorted(waits_for)
        for name in free:
            del waits_for[name]


def folder_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_no_files_import_each_other_in_a_circle(package: Path) -> None:
    arrows = [arrow for arrow in arrows_of(package) if arrow.source not in PUBLIC_DOORS]
    assert bool(circles_in(arrows)) == (package.name in KNOWN_CIRCLES), circles_in(arrows)


@pytest.mark.parametrize("for_types", [False, True], ids=["imports", "imports of types alone"])
def test_core_imports_only_downwards(for_types: bool) -> None:
    arrows = [arrow for arrow in arrows_of(CORE) if arrow.for_types == for_types and arrow.source != "pentad"]
    up = [
        f"{arrow.source} -> {arrow.target}"
        for arrow in arrows
        if folder_of(arrow.target) not in FOLDERS
        or FOLDERS.index(folder_of(arrow.target)) > FOLDERS.index(folder_of(arrow.source))
    ]
    assert arrows and up == []


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_names_are_imported_from_where_they_are_defined(package: Path) -> None:
    imported: dict[str, set[str]] = {}
    for source, path in modules_of(package).items():
        found = imports(ast.parse(path.read_text(encoding="utf-8")))
        imported[source] = {name for module, name, _ in found if module.startswith("pentad")}
    doors = [
        f"{arrow.source} takes {arrow.name} from {arrow.target}"
        for arrow in arrows_of(package)
        if arrow.target not in PUBLIC_DOORS and arrow.name in imported[arrow.target]
    ]
    assert doors == []


def strings_of(tree: ast.AST) -> Iterator[str]:
    """Yield the strings of the code itself; docstrings and those that explain a constant are statements of their own."""
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.value


def test_core_names_no_implementation() -> None:
    plugins = {path.parent.name for path in ROOT.glob("plugins/*/pyproject.toml")}
    assert {"gpt", "bpe", "adamw"} <= plugins
    plugins -= {f"{stage}s" for stage in STAGES}  # distributions of several; the words are core's too
    plugins |= {f"pentad_{name.replace('-', '_')}" for name in plugins}
    plugins.discard("tokenizers")  # also a folder of the cache; pentad_tokenizers stays
    named = {
        path.relative_to(CORE).as_posix(): sorted(plugins & {string.partition(".")[0] for string in strings_of(tree)})
        for path in CORE.rglob("*.py")
        for tree in [ast.parse(path.read_text(encoding="utf-8"))]
    }
    assert {path: names for path, names in named.items() if names} == {}


def test_folders_and_files_can_be_read() -> None:
    folders = [CORE, *(path for path in CORE.rglob("*") if path.is_dir() and path.name != "__pycache__")]
    many = {path.name: len(list(path.glob("*.py"))) for path in folders}
    long = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in CORE.rglob("*.py")}
    most = {"contracts": 19, "system": 14}  # a file for each promise, and for each thing of the machine's
    assert {name: number for name, number in many.items() if number > most.get(name, 13)} == {}, "at most 12 beside __init__"
    assert {name: number for name, number in long.items() if number > 430} == {}


def test_the_reader_of_arrows_sees_circles_and_types() -> None:
    code = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from a import b\ndef f():\n    import c\n"
    assert list(imports(ast.parse(code)))[1:] == [("a", "b", True), ("c", "", False)]
    forth, back, out = (Arrow(*ends, "", False) for ends in (("a", "b"), ("b", "a"), ("a", "c")))
    assert circles_in([forth, back, out]) == ["a", "b"]
    assert circles_in([forth, out]) == []
