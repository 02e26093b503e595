"""What a user is told when something cannot go on.

Every error that a user can cause is an `EngineError`: one sentence that says what was expected and what was found, and a
hint that says what to do next. The command line shows the two as `Error:` and `Hint:`; anything else that escapes is a bug.
Each kind of mistake has a code besides, which stays when the words are mended: programs and tests go by it.

Messages and hints name the flag to change. Who called from Python sees them in a traceback, which is the error as a string:
there, and nowhere else, a flag is written as the argument that it stands for, `model=Choice(…, n_layer=0)`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any


class EngineError(Exception):
    """A failure with a way out.

    Args:
        message: what was expected and what was found.
        hint: what to do next; names the flag or the command.
        code: the kind of the mistake, `unknown-option`; a plugin puts its own name before its own kinds, `acme-no-lexicon`.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "", *, code: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code

    def __str__(self) -> str:
        """Return message and hint in the names of Python; the command line shows the two as they are."""
        return in_python(f"{self.message}\nHint: {self.hint}" if self.hint else self.message)

    def __reduce__(self) -> tuple[Callable[..., EngineError], tuple[str, ...]]:
        """Say how it is copied, to another process too: Python would leave out `code`."""
        return partial(type(self), code=self.code), (self.message, self.hint)


class UsageError(EngineError):
    """The request itself is wrong: an unknown name, an option out of range, a missing file."""

    exit_code = 2


class OptionsDoNotFit(UsageError):
    """The text cannot give what options ask for. Where the user left them open, core takes the values that do fit.

    Args:
        message, hint, code: as for `EngineError`.
        fitting: names of options of the implementation that raises this, with values that would fit.
    """

    def __init__(self, message: str, hint: str = "", *, code: str, fitting: Mapping[str, Any]) -> None:
        super().__init__(message, hint, code=code)
        self.fitting = dict(fitting)

    def __reduce__(self) -> tuple[Callable[..., EngineError], tuple[str, ...]]:
        """Say how it is copied."""
        return partial(type(self), code=self.code, fitting=self.fitting), (self.message, self.hint)


class RunDone(UsageError):
    """A run that shall go on is at its end already."""

    def __init__(self, message: str, hint: str = "", *, code: str = "run-done") -> None:
        super().__init__(message, hint, code=code)


class Interrupted(EngineError):
    """The user stopped the run; everything up to the last finished step is saved."""

    exit_code = 130

    def __init__(self, message: str, hint: str = "", *, code: str = "interrupted") -> None:
        super().__init__(message, hint, code=code)


ARGUMENTS: dict[str, str] = {}
"""Flag to the argument that it stands for, `--batch-size` to `training={{"batch_size": {}}}`; the recipe fills it in."""

# Texts, which `re` compiles and keeps when they are first used: few commands fail.
_FLAG = r"(?<![\w-])(--[a-z][a-z-]*)(?:\.([a-z][\w.-]*))?(?: (\d[\w.]*\w|\d|[A-Z]+)\b)?"

_COMMAND = r"\bengine [a-z]+ .*"
"""A command to type, which ends a line."""


def in_python(text: str) -> str:
    """Return a text with its flags written as arguments of a recipe; commands, and flags of nothing in a recipe, stay.

    >>> in_python("--no-such-flag, engine resume runs/a --steps 9")
    '--no-such-flag, engine resume runs/a --steps 9'
    """
    lines = []
    for line in text.split("\n"):
        command = re.search(_COMMAND, line)
        end = command.start() if command else len(line)
        lines.append(re.sub(_FLAG, _argument, line[:end]) + line[end:])
    return "\n".join(lines)


def _argument(match: re.Match[str]) -> str:
    flag, option, value = match.groups()
    name = (option or "").rstrip(".-")
    rest = (option or "")[len(name) :]
    shown = "…" if value is None else value if value.isupper() or value.replace(".", "", 1).isdigit() else f'"{value}"'
    if not name:
        return ARGUMENTS[flag].format(shown) if flag in ARGUMENTS else match[0]
    if f"--{name}" in ARGUMENTS and flag not in ARGUMENTS:  # the long spelling of a table's flag, --training.batch-size
        return ARGUMENTS[f"--{name}"].format(shown) + rest
    if flag not in ARGUMENTS:
        return match[0]
    return f"{flag[2:]}=Choice(…, {name.replace('-', '_').replace('.', '__')}={shown}){rest}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `Did you mean X?` for the nearest known word, or an empty string when none is near.

    >>> did_you_mean("gtp", ["gpt", "rnn"])
    'Did you mean gpt?'
    >>> did_you_mean("zebra", ["gpt", "rnn"])
    ''
    """
    import difflib

    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"Did you mean {near[0]}?" if near else ""


def to_resume(run: object) -> str:
    """Return the command that resumes a run, its folder quoted as a shell wants it.

    >>> to_resume("my run")
    "engine resume 'my run'"
    """
    import shlex

    return f"engine resume {shlex.quote(str(run))}"


def one_line(error: BaseException) -> str:
    """Say an error in one line: its class, unless it is our own, and the first line of its message."""
    text = (error.message if isinstance(error, EngineError) else str(error)).strip().splitlines()
    first = text[0] if text else ""
    return first if isinstance(error, EngineError) else f"{type(error).__name__}: {first}".rstrip(": ")


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether a failure is one of memory: on a CPU and on mps torch raises a RuntimeError, and an import an ImportError.

    So is an ImportError that was raised from such a failure, in which scipy says that its installation is broken.
    """
    import errno

    if isinstance(error, ImportError) and error.__cause__ is not None and is_out_of_memory(error.__cause__):
        return True
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return any(sign in str(error) for sign in _OUT_OF_MEMORY)


_OUT_OF_MEMORY = (
    "can't allocate memory",
    "annot allocate memory",  # the system's own words
    "failed to map segment",  # of a library
    "not enough memory",  # Windows
    "out of memory",
    "std::bad_alloc",
    "Invalid buffer size",  # mps
    "Storage size calculation overflowed",
)
