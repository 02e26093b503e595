"""A plugin that is a single file, `--plugin ./mine.py`: imported under the name of the file."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

from pentad.system.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

UNPACKAGED = "unpackaged"
"""The version of a plugin that is a single file."""


def load_file(file: str | Path) -> Any:
    """Import a plugin that is a single file, under the name of the file.

    Raises:
        UsageError: there is no such file, or its name is that of a module that exists.
    """
    import importlib.util
    from pathlib import Path

    path = Path(file)
    if not path.is_file():
        raise UsageError(f"--plugin expects a Python file, found no file at {path}.", "Check the path.", code="file-missing")
    name = path.stem
    loaded = sys.modules.get(name)
    if loaded is not None and getattr(loaded, "__file__", None) == str(path.resolve()):
        return loaded
    found = importlib.util.find_spec(name) if loaded is None and "." not in name else None
    if loaded is not None or (found is not None and found.origin != str(path.resolve())):
        raise UsageError(f"--plugin {path}: a module named {name} exists already.", "Rename the file.", code="name-taken")
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    if spec is None or spec.loader is None:
        raise UsageError(f"--plugin expects a Python file, found {path}.", "Give it the ending .py.", code="not-a-python-file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with contextlib.redirect_stdout(sys.stderr):  # what it prints is no part of a command's result
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
