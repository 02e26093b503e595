"""What the command line gives to Python: the defaults of `engine run`, and its display for `pentad.run` and `pentad.resume`."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from pentad.contracts.observer import Observers, RunObserver, RunResult

if TYPE_CHECKING:
    from pentad_cli.terminal.display import Display


def default_tables() -> dict[str, dict[str, Any]]:
    """Return the tables of default.toml."""
    from pentad_cli.arguments.layers import default_tables as tables

    return tables()


def display() -> AbstractContextManager[RunObserver] | None:
    """Return the display that suits a terminal or a notebook; None where nobody looks, as in a script whose output is kept."""
    from pentad_cli.terminal.display import PlainDisplay, is_first_process
    from pentad_cli.terminal.output import is_terminal

    if not is_first_process():
        return None
    if "ipykernel" in sys.modules:  # Jupyter, Colab and the like: what is printed stands below the cell
        return _shown(PlainDisplay(sys.stdout))
    if not is_terminal(sys.stdout):
        return None
    from pentad_cli.terminal.live import LiveDisplay

    return _shown(LiveDisplay(sys.stdout))


class _End(RunObserver):
    """Notes how a run ended."""

    result: RunResult | None = None

    def on_end(self, event: RunResult) -> None:
        self.result = event


@contextlib.contextmanager
def _shown(display: Display) -> Iterator[RunObserver]:
    """Open a display around a run, and write the result below it; what to type next is for shells, and is left out."""
    from pentad_cli.terminal.display import result_lines

    end = _End()
    with display:
        yield Observers([display, end])
    if end.result is not None:
        for line in result_lines(end.result, display.stream):
            print(line, file=display.stream)
