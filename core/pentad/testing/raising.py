"""Testing which error a call ends with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pentad.system.errors import EngineError


@dataclass
class Raised:
    """What `raises_code` caught; `value` is set when its block is over."""

    value: EngineError


@contextmanager
def raises_code(code: str) -> Iterator[Raised]:
    """Expect a block to raise the `EngineError` of a code: the words may be mended, the code stays.

    Args:
        code: of the error, `unknown-option`.

    Raises:
        AssertionError: nothing was raised, or an error of another code; anything but an EngineError passes through.

    >>> from pentad import UsageError
    >>> with raises_code("unknown-option") as raised:
    ...     raise UsageError("It has no option colour.", "Did you mean color?", code="unknown-option")
    >>> raised.value.hint
    'Did you mean color?'
    """
    raised = Raised(EngineError("Nothing was raised yet.", code="nothing-raised"))
    try:
        yield raised
    except EngineError as error:
        raised.value = error
        if error.code != code:
            raise AssertionError(f"expected an error of the code {code}, found {error.code}: {error.message}") from error
    else:
        raise AssertionError(f"expected an error of the code {code}, found none")
