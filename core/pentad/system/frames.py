"""Where an error was raised: the files and lines of a traceback, as a message names them."""

from __future__ import annotations

import os
from collections.abc import Iterator


def frames_of(error: BaseException) -> Iterator[tuple[str, str]]:
    """Yield the module and the place of each frame of a traceback, the innermost last."""
    step = error.__traceback__
    while step is not None:
        frame = step.tb_frame
        yield str(frame.f_globals.get("__name__", "")), place_of(frame.f_code.co_filename, step.tb_lineno)
        step = step.tb_next


def raised_in(error: BaseException, module: str) -> str:
    """Return the file and line where the code of a module's package raised an error; empty where it did not."""
    places = [place for name, place in frames_of(error) if package_of(name) == package_of(module)]
    return places[-1] if places else ""


def place_of(file: str, line: int) -> str:
    """Return `mine.py, line 3`: the path as it works from here, where that is shorter; empty for no file."""
    if not file:
        return ""
    try:
        near = os.path.relpath(file)
    except ValueError:  # another drive
        near = file
    return f"{min(file, near, key=len)}, line {line}"


def package_of(module: str) -> str:
    """Return the top-level package of a module, by whose name code is told apart.

    >>> package_of("pentad_gpt.model")
    'pentad_gpt'
    """
    return module.partition(".")[0]
