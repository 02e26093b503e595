"""Keeps the texts of a run, and what they have more than once, in a process of its own.

The run's folder comes on stdin, an error goes to stdout.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pentad import Catalogue
from pentad_studio.server.elsewhere import answer
from pentad_studio.text.held_out import open_held_out
from pentad_studio.text.repeats import open_duplicates
from pentad_studio.trace.index import open_index


def _prepare(said: Any) -> None:
    path, catalogue = Path(said["run"]), Catalogue()
    open_held_out(path, catalogue)
    open_index(path, catalogue)
    if said.get("duplicates"):
        open_duplicates(path, catalogue)


if __name__ == "__main__":
    sys.exit(answer(_prepare))
