"""Commands as they can be typed here: `engine` by the way it was started, words that the shell takes as they are.

Core says `engine resume RUN` and `pip install DIST`. In a checkout whose environment is not activated neither runs, so what is
shown names `.venv/bin/engine`, and the folder of a plugin that no package index has.
"""

from __future__ import annotations

import functools
import os
import re
import sys
from typing import TYPE_CHECKING

from pentad_cli.terminal.text import visible_line

if TYPE_CHECKING:
    from pathlib import Path


@functools.cache
def engine_word() -> str:
    """Return what starts this command from here: `engine` where the shell finds it, else its path, else python -m."""
    from pathlib import Path  # only here: it takes 4 ms of every start

    called = Path(sys.argv[0])
    own = called if called.stem == "engine" and called.is_file() else Path(sys.executable).with_name("engine")
    if not own.is_file():
        return f"{_path_word(Path(sys.executable))} -m pentad_cli"
    found = _which("engine")
    if found and (found == own or os.path.realpath(found) == os.path.realpath(own)):
        return "engine"
    return _path_word(own)


def _which(name: str) -> Path | None:
    """Do what `shutil.which` does, without importing shutil."""
    from pathlib import Path  # only here: it takes 4 ms of every start

    for folder in os.environ.get("PATH", "").split(os.pathsep):
        path = Path(folder or ".") / name
        if path.is_file() and os.access(path, os.X_OK):
            return path
    return None


def _path_word(path: Path) -> str:
    """Return a path as short as it can be said from here."""
    from pathlib import Path  # only here: it takes 4 ms of every start

    absolute = Path(os.path.abspath(path))
    try:
        inside = absolute.relative_to(Path.cwd())
    except (ValueError, OSError):
        return shell_word(str(absolute))
    return shell_word(f"./{inside}" if len(inside.parts) == 1 else str(inside))


def shell_word(text: str) -> str:
    r"""Return a word as a shell takes it and a terminal may show it: control characters are spelled, as in $'a\x1bb'.

    >>> shell_word("my run")
    "'my run'"
    """
    import shlex  # only here, and the patterns below are texts, compiled when used: few messages name a command

    if visible_line(text) == text:
        return shlex.quote(text)
    spelled = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"$'{visible_line(spelled)}'"


def runnable(text: str) -> str:
    """Return a message whose commands run here: those of `engine` and those of pip."""
    if "engine " in text and engine_word() != "engine":
        text = re.sub(_ENGINE, lambda match: engine_word() + match.group(1), text)
    return re.sub(_PIP, _pip, text) if "pip install" in text else text


_COMMANDS = "run|resume|generate|evaluate|chat|compare|tokenize|examples|runs|export|import|studio|plugins|doctor|start"
_ENGINE = rf"(?<![\w/.-])engine( (?:(?:{_COMMANDS})\b|--help|--version))"
_PIP = r"(?<![\w/-])pip install((?: --[a-z-]+)*) (pentad(?:-[a-z0-9-]+)?)(==[\w.+!-]+)?(?![\w=-])"


def _pip(match: re.Match[str]) -> str:
    """Return the command that installs a distribution here: from the checkout where there is one, by this Python."""
    from pathlib import Path  # only here: it takes 4 ms of every start

    python = _path_word(Path(sys.executable))
    folder = _folder_of(match.group(2))
    if folder is None or (match.group(3) and _is_installed(match.group(2))):  # another version is asked for than the sources'
        return f"{python} -m pip install{match.group(1)} {match.group(2)}{match.group(3) or ''}"
    if match.group(2) == "pentad":  # the bundle, which needs all of the others: the Makefile names them
        return f"make -C {_path_word(folder)} run"
    return f"{python} -m pip install --editable {_path_word(folder)}"


def _is_installed(distribution: str) -> bool:
    import importlib.metadata

    try:
        importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _folder_of(distribution: str) -> Path | None:
    """Return the folder of a distribution's sources in the checkout that this command runs from, or None."""
    from pathlib import Path  # only here: it takes 4 ms of every start

    root = next((folder for folder in Path(__file__).resolve().parents if (folder / "plugins").is_dir()), None)
    if root is None or not (root / "core" / "pyproject.toml").is_file():
        return None
    name = distribution.removeprefix("pentad").removeprefix("-")
    folder = root / name if name in ("", "core", "cli") else root / "plugins" / name
    return folder if (folder / "pyproject.toml").is_file() else None
