"""An error carries its code, also to another process; a test can ask for it."""

from __future__ import annotations

import copy

import pytest

from pentad import EngineError, UsageError
from pentad.system.errors import Interrupted, RunDone
from pentad.testing import raises_code


@pytest.mark.parametrize("error", [EngineError("a", "b", code="c"), UsageError("a", code="c"), RunDone("a"), Interrupted("a")])
def test_a_copy_is_the_same_error(error):
    again = copy.copy(error)
    assert type(again) is type(error)
    assert (again.message, again.hint, again.code, str(again)) == (error.message, error.hint, error.code, str(error))


def test_an_error_without_a_code_cannot_be_made():
    with pytest.raises(TypeError, match="code"):
        EngineError("It expected more, found less.", "Give it more.")


def test_raises_code_gives_the_error():
    with raises_code("too-little") as raised:
        raise UsageError("It expected more, found less.", "Give it more.", code="too-little")
    assert raised.value.hint == "Give it more."


def test_raises_code_fails_on_another_code_and_on_none():
    with (
        pytest.raises(AssertionError, match="expected an error of the code too-much, found too-little"),
        raises_code("too-much"),
    ):
        raise EngineError("It expected more, found less.", code="too-little")
    with pytest.raises(AssertionError, match="found none"), raises_code("too-much"):
        pass
    with pytest.raises(ZeroDivisionError), raises_code("too-much"):
        raise ZeroDivisionError
