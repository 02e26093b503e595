"""Docstrings and tables as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

NOTICE = "<!-- Made by docs/generate.py from the code: change the code, then say `make docs`. -->"

_SECTIONS = ("Args", "Attributes", "Returns", "Yields", "Raises")
_ENTRY = re.compile(r"([A-Za-z_][\w, .]*): (.*)", re.DOTALL)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; bars in cells are escaped."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def docstring(text: str) -> str:
    """Return a docstring as Markdown: sections become lists, what is indented becomes code."""
    blocks = [block for block in re.split(r"\n[ \t]*\n", text.strip()) if block.strip()]
    out: list[str] = []
    code: list[str] = []
    for block in blocks:
        if block.startswith("    ") or block.startswith(">>>"):
            code.append(_dedent(block))
            continue
        if code:
            out.append(_fence(code))
            code = []
        out.append(_block(block))
    if code:
        out.append(_fence(code))
    return "\n\n".join(out)


def _fence(blocks: Sequence[str]) -> str:
    return "```python\n" + "\n\n".join(blocks) + "\n```"


def _dedent(block: str) -> str:
    return "\n".join(line[4:] if line.startswith("    ") else line for line in block.splitlines())


def _block(block: str) -> str:
    first, _, rest = block.partition("\n")
    if first.removesuffix(":") not in _SECTIONS or not first.endswith(":") or not rest:
        return block
    title = first.removesuffix(":")
    if title in ("Returns", "Yields"):
        return f"{title}: {_dedent(rest)}"
    entries = [" ".join(entry.split()) for entry in re.split(r"\n(?=    \S)", rest)]
    return f"{title}:\n\n" + "\n".join(_entry(entry) for entry in entries)


def _entry(entry: str) -> str:
    match = _ENTRY.match(entry)
    return f"- `{match[1]}`: {match[2]}" if match else f"- {entry}"
