"""Write `messages.txt`: every error that a user can meet, so that a change of its words or its code is seen in review.

python tests/golden/refresh.py
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
MESSAGES = Path(__file__).with_name("messages.txt")

FIXED = {"RunDone": "run-done", "Interrupted": "interrupted"}
"""Errors whose class says their code."""
ERRORS = ("EngineError", "UsageError", "OptionsDoNotFit", *FIXED)


class Site(NamedTuple):
    """A place where an error is made; `code` is empty where the source says none in letters."""

    code: str
    path: str
    error: str
    message: str
    hint: str


def sites() -> list[Site]:
    """Return every place where the sources make an error, by code."""
    folders = (ROOT / "core", ROOT / "cli", ROOT / "plugins", ROOT / "examples")
    paths = [path for folder in folders for path in folder.rglob("*.py")]
    return sorted(site for path in paths if not {"build", "tests"} & set(path.relative_to(ROOT).parts) for site in _sites(path))


def page() -> str:
    """Return what `messages.txt` must hold."""
    lines = ["Every error by its code: where it is made, its words, its hint. Written by: python tests/golden/refresh.py"]
    code = ""
    for site in sites():
        if site.code != code:
            lines += ["", site.code]
            code = site.code
        lines += [f"  {site.error} in {site.path}", f"    {site.message}", *([f"    → {site.hint}"] if site.hint else [])]
    return "\n".join(lines) + "\n"


def _sites(path: Path) -> Iterator[Site]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for scope, call in _calls(tree, tree):
        name = ast.unparse(call.func).rpartition(".")[2]
        if name in ERRORS:
            said = {keyword.arg: keyword.value for keyword in call.keywords}
            code = said.get("code")
            literal = code.value if isinstance(code, ast.Constant) and isinstance(code.value, str) else ""
            words = [_words(argument, scope) for argument in call.args]
            message, hint = (*words, "")[:2]
            yield Site(literal or FIXED.get(name, ""), path.relative_to(ROOT).as_posix(), name, message, hint)


def _calls(node: ast.AST, scope: ast.AST) -> Iterator[tuple[ast.AST, ast.Call]]:
    """Yield each call, and the innermost function that it stands in."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call):
            yield scope, child
        yield from _calls(child, child if isinstance(child, ast.FunctionDef) else scope)


def _words(node: ast.expr, scope: ast.AST) -> str:
    """Write an expression as a reader wants it: text as text, what is put in as {its source}, alternatives as `a | b`."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_part(part) for part in node.values)
    if isinstance(node, ast.BoolOp):
        return " | ".join(_words(value, scope) for value in node.values)
    if isinstance(node, ast.IfExp):
        return f"{_words(node.body, scope)} | {_words(node.orelse, scope)}"
    if isinstance(node, ast.Name):
        given = [found.value for found in ast.walk(scope) if isinstance(found, ast.Assign) and _names(found) == [node.id]]
        texts = [_words(value, scope) for value in given if isinstance(value, ast.Constant | ast.JoinedStr | ast.IfExp)]
        if texts and len(texts) == len(given):
            return " | ".join(texts)
    return f"{{{ast.unparse(node)}}}"


def _part(node: ast.expr) -> str:
    if isinstance(node, ast.FormattedValue):
        return f"{{{ast.unparse(node.value)}}}"
    return str(node.value) if isinstance(node, ast.Constant) else ast.unparse(node)


def _names(node: ast.Assign) -> list[str]:
    return [target.id for target in node.targets if isinstance(target, ast.Name)]


if __name__ == "__main__":
    MESSAGES.write_text(page(), encoding="utf-8")
