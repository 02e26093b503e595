"""Builds an index in a process of its own: the run's folder comes on stdin, an error goes to stdout."""

from __future__ import annotations

import sys
from pathlib import Path

from pentad import Catalogue
from pentad_studio.server.elsewhere import answer
from pentad_studio.trace.index import open_index

if __name__ == "__main__":
    sys.exit(answer(lambda said: open_index(Path(said["run"]), Catalogue())))
