"""Which code stands behind a name: a digest of its sources, for those who keep what it made.

A version says it of what was released. Of a single file, and of a plugin that is being written, only the sources do.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any


def sources_of(place: str | Callable[..., Any]) -> str:
    """Return a digest of the package that `module:attribute`, a class or a function lies in; empty where it has no files."""
    while isinstance(place, functools.partial):
        place = place.func
    module = place.partition(":")[0] if isinstance(place, str) else str(getattr(place, "__module__", ""))
    return source_digest(module)


@functools.cache
def source_digest(module: str) -> str:
    """Return a digest of the Python files of a module's whole package, as they lay when they were first asked for."""
    digest = hashlib.sha256()
    found = False
    for name, path in _files(module):
        found = True
        content = path.read_bytes()
        digest.update(b"%d %s %d " % (len(name), name.encode(), len(content)))
        digest.update(content)
    return digest.hexdigest()[:16] if found else ""


def _files(module: str) -> Iterator[tuple[str, Path]]:
    """Yield the files of the top-level package with their names in it, or the one file of a module that has none."""
    spec = None
    with contextlib.suppress(ImportError, ValueError):  # of a script, and of what was made without a spec
        spec = importlib.util.find_spec(module.partition(".")[0])
    folders = list(spec.submodule_search_locations or ()) if spec else []
    if folders:
        for folder in folders:
            for path in sorted(Path(folder).rglob("*.py")):
                yield path.relative_to(folder).as_posix(), path
        return
    file = spec.origin if spec else getattr(sys.modules.get(module), "__file__", None)
    if file and Path(file).suffix == ".py" and Path(file).is_file():
        yield Path(file).name, Path(file)
