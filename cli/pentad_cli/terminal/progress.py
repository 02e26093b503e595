"""How far a command is that has no display of its own: on a terminal one line, written over; else a line now and then."""

from __future__ import annotations

import contextlib
import time
from typing import Self, TextIO

from pentad.contracts.observer import Preparation, RunObserver
from pentad_cli.terminal.output import is_terminal
from pentad_cli.terminal.text import visible_line

PATIENCE = 1.0
"""Seconds that pass in silence: what is quicker needs no progress."""

EVERY = 10.0
"""Seconds between lines where there is no terminal."""


class ProgressLine(RunObserver):
    """Shows the share that is done.

    Args:
        stream: where to write: stderr, as it is no part of the result.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._terminal = is_terminal(stream)
        self._began = time.monotonic()
        self._written = 0.0 if self._terminal else self._began
        self._shown = 0

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *error: object) -> None:
        """Take the line away."""
        if self._shown and self._terminal:
            self._write(f"\r{' ' * self._shown}\r")

    def on_preparation(self, event: Preparation) -> None:
        """Write the line anew, not more often than anybody reads."""
        now = time.monotonic()
        if now - self._began < PATIENCE or now - self._written < (0.1 if self._terminal else EVERY):
            return
        self._written = now
        share = f" {event.done:4.0%}" if event.done is not None else " …"
        line = f"{visible_line(event.what)}{share}"
        self._write(f"\r{line:<{self._shown}}" if self._terminal else f"{line}\n")
        self._shown = max(self._shown, len(line))

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):  # nobody reads it any more
            self._stream.write(text)
            self._stream.flush()
