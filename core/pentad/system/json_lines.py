"""JSON lines, as metrics.jsonl has them, read as far as they can be."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pentad.system.errors import EngineError
from pentad.system.opening import open_plain

_SHOWN = 5
"""Numbers of damaged lines that a warning lists."""


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a JSON-lines file that can be read; none where there is no file.

    A half line at the end is what a crash leaves, and is skipped. Any other that is not a JSON object is left out with a
    warning that says how many there are and where.

    Raises:
        EngineError: it is a link, a pipe or a device, or cannot be read.
    """
    lines, damaged = [], []
    try:
        for number, whole, found in _parsed(path):
            if found is not None:
                lines.append(found)
            elif whole:
                damaged.append(number)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise EngineError(
            f"{path} cannot be read: {error.strerror}.", "Check its rights and its disk.", code="saved-file-unreadable"
        ) from None
    if damaged:
        shown = ", ".join(map(str, damaged[:_SHOWN])) + (", …" if len(damaged) > _SHOWN else "")
        warnings.warn(f"{path} is damaged: {len(damaged)} of its lines are left out (line {shown}).", stacklevel=2)
    return lines


class LineFollower:
    """Reads a JSON-lines file that grows while a run writes it: each call of `read` returns only what was added.

    Args:
        path: the file; it need not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: tuple[int, int] | None = None  # device and inode
        self._read = 0  # bytes

    def read(self, choose: Callable[[list[bytes]], list[bytes]] | None = None) -> tuple[list[dict[str, Any]], bool]:
        """Return the whole lines that were added since the last call, and whether they are those of another file.

        The file is another one where it was replaced, as a run that resumes does, or got shorter; it is then read from its
        start, and what was read before no longer holds. A half line at the end waits for its rest; a whole one that is not a
        JSON object is left out.

        Args:
            choose: given the lines that were added, returns those that are worth parsing; None for all.

        Raises:
            EngineError: it is a link, a pipe or a device, or cannot be read.
        """
        try:
            with open_plain(self.path, "rb") as file:
                facts = os.fstat(file.fileno())
                known, same = self._file, (facts.st_dev, facts.st_ino)
                another = known is not None and (known != same or facts.st_size < self._read)
                self._read = 0 if another else self._read
                self._file = same
                file.seek(self._read)
                data = file.read()
        except FileNotFoundError:
            another, self._file, self._read = self._file is not None, None, 0
            return [], another
        except OSError as error:
            raise EngineError(
                f"{self.path} cannot be read: {error.strerror}.", "Check its rights and its disk.", code="saved-file-unreadable"
            ) from None
        whole = data[: data.rfind(b"\n") + 1]
        self._read += len(whole)
        lines = whole.splitlines()
        return [found for line in (choose(lines) if choose else lines) if (found := _object(line)) is not None], another


def _parsed(path: Path) -> Iterator[tuple[int, bool, dict[str, Any] | None]]:
    """Yield for each line its number, whether it ends as a line does, and what it holds; None where that is no object."""
    with open_plain(path, "rb") as file:
        for number, line in enumerate(file, 1):
            yield number, line.endswith(b"\n"), _object(line)


_decode = json.JSONDecoder().decode
"""`json.loads` of text, without its looking for options: a quarter faster on short lines."""


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        found = _decode(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
