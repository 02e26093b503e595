"""The front end that is installed beside core: it has the defaults of a recipe, and shows a run to the person who started it.

Core names no implementation, so a recipe that names none either gets its stages from here; and core writes nothing to a
terminal. The command line is such a front end. It says so by an entry point, which names a module with two functions:

    [project.entry-points."pentad.front_end"]
    cli = "pentad_cli.front_end"
"""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager
from typing import Any, Protocol, cast

from pentad.system.entry_points import entry_points_of

GROUP = "pentad.front_end"


class FrontEnd(Protocol):
    """What the module offers."""

    def default_tables(self) -> dict[str, dict[str, Any]]:
        """Return the tables of the recipe that holds where nobody says anything."""

    def display(self) -> AbstractContextManager[Any] | None:
        """Return an observer that shows a run, opened and closed around it; None where nobody looks."""


@functools.cache
def front_end() -> FrontEnd | None:
    """Return the installed front end, of several the first by the name of its distribution; None without one."""
    found = entry_points_of(GROUP)
    return cast(FrontEnd, found[0].load()) if found else None
