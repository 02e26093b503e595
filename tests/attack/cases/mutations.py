"""What is done to a file: its bytes are changed, or something else stands in its place."""

from __future__ import annotations

import contextlib
import json
import os
import random
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import tomli_w

from pentad import EngineError

TARGET = "a stranger's target"


def flipped(original: bytes, chance: random.Random) -> bytes:
    """Change a bit."""
    data = bytearray(original or b"\0")
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(data)


def cut(original: bytes, chance: random.Random) -> bytes:
    """Leave out the end."""
    return original[: chance.randrange(max(1, len(original)))]


def extended(original: bytes, chance: random.Random) -> bytes:
    """Put noise behind it."""
    return original + chance.randbytes(chance.randrange(1, 200))


def noise(original: bytes, chance: random.Random) -> bytes:
    """Put noise in its place."""
    return chance.randbytes(chance.randrange(len(original) + 10))


def edited(original: bytes, chance: random.Random) -> bytes:
    """Change a few bytes."""
    data = bytearray(original or b"\0")
    for _ in range(chance.randrange(1, 5)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(data)


def spliced(original: bytes, chance: random.Random) -> bytes:
    """Leave out a piece, or have it twice."""
    start, end = sorted(chance.randrange(len(original) + 1) for _ in range(2))
    return original[:end] + original[start:] if chance.random() < 0.5 else original[:start] + original[end:]


def deep(original: bytes, chance: random.Random) -> bytes:
    """Nest more deeply than a parser calls itself."""
    return chance.choice((b'{"a": ', b"[", b"a = [[")) * 50_000 + b"\n"


ODD = (
    *(None, True, -1, 0, 10**30, 2**63, 1.5, "", "x" * 1000, [], {}, [[]], {"a": {}}, float("nan"), float("inf"), "\x00"),
    *("../../x", "/etc/passwd", "\x1b[2J", "<script>", "\ud800"),
)


def odd_value(original: bytes, chance: random.Random) -> bytes:
    """Put an odd value in the place of one, somewhere in the JSON or TOML, or in a line of JSON."""
    with contextlib.suppress(ValueError, TypeError, AttributeError):  # what is no TOML, and trees that TOML cannot hold
        return tomli_w.dumps(_with_odd_value(tomllib.loads(original.decode()), chance)).encode()
    lines = original.splitlines()
    index = chance.randrange(len(lines)) if len(lines) > 1 and lines[0].endswith(b"}") else None
    try:
        tree = json.loads(original if index is None else lines[index])
    except ValueError:
        return edited(original, chance)
    changed = json.dumps(_with_odd_value(tree, chance)).encode()
    return changed if index is None else b"\n".join((*lines[:index], changed, *lines[index + 1 :], b""))


def _with_odd_value(tree: Any, chance: random.Random) -> Any:
    node: Any = {"": tree}
    root, key = node, ""
    while isinstance(node[key], (dict, list)) and node[key] and chance.random() < 0.8:
        node = node[key]
        key = chance.choice(list(node) if isinstance(node, dict) else range(len(node)))
    if node is not root and isinstance(node, dict) and chance.random() < 0.2:
        del node[key]
    else:
        node[key] = chance.choice(ODD)
    return root[""]


BYTES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    *(flipped, cut, extended, noise, edited, spliced, odd_value, odd_value, odd_value, deep),
)
"""Each returns other bytes; odd values come more often, as they get further."""


def _link(path: Path) -> None:
    path.symlink_to(target_of(path))


INSTEAD: dict[str, Callable[[Path], None]] = {
    "gone": lambda path: None,
    "a link": _link,
    "a link to nothing": lambda path: path.symlink_to("nowhere"),
    "a hard link": lambda path: os.link(target_of(path), path),
    "a pipe": lambda path: os.mkfifo(path),
    "a folder": lambda path: path.mkdir(),
}
"""What may stand in the place of a file."""


def mutate(path: Path, chance: random.Random) -> str:
    """Change a file in some way, and return the way's name."""
    if chance.random() < 0.15:
        kind = chance.choice(sorted(INSTEAD))
        path.unlink()
        INSTEAD[kind](path)
        return kind
    change = chance.choice(BYTES)
    path.write_bytes(change(path.read_bytes(), chance))
    return change.__name__


def target_of(path: Path) -> Path:
    """Make a file outside the run that nothing may touch."""
    case = next(parent for parent in path.parents if parent.name.startswith("case-"))
    target = case / "target"
    target.write_text(TARGET)
    return target


def is_touched(case: Path) -> bool:
    """Say whether the file outside was changed."""
    target = case / "target"
    return target.exists() and target.read_text() != TARGET


@contextlib.contextmanager
def named(kind: str) -> Iterator[None]:
    """Say with an error that has no code what was done to the file."""
    try:
        yield
    except EngineError:
        raise
    except Exception as error:
        error.add_note(kind)
        raise
