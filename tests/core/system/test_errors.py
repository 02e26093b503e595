"""An error carries its code, also to another process; a test can ask for it."""

from __future__ import annotations

import copy
import importlib

import pytest

from pentad import EngineError, UsageError
from pentad.system.errors import Interrupted, RunDone, is_out_of_memory, one_line
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


@pytest.mark.parametrize(
    ("flags", "arguments"),
    [
        ("--model.n-layer expects more, found 0.", "model=Choice(…, n_layer=…) expects more, found 0."),
        ("Use --optimizer.lr 0.1.", "Use optimizer=Choice(…, lr=0.1)."),
        ("--sampler.top-k.k or --sampler", "sampler=Choice(…, top_k__k=…) or sampler=…"),
        ("--budget 90s, --training.batch-size X", 'training={"budget": "90s"}, training={"batch_size": X}'),
        ("Lower --batch-size, or name --data.", 'Lower training={"batch_size": …}, or name data=….'),
        ("engine run --steps 9", "engine run --steps 9"),
        ("--with, --no-such.flag 3", "--with, --no-such.flag 3"),
    ],
)
def test_who_called_from_python_reads_the_names_of_python(flags, arguments):
    importlib.import_module("pentad.config.tables")  # which knows what the flags stand for
    error = EngineError(flags, flags, code="a-code")
    assert str(error) == f"{arguments}\nHint: {arguments}"
    assert (error.message, error.hint, one_line(error)) == (flags, flags, flags)


def test_an_import_that_fails_for_want_of_memory_is_one_of_memory_also_behind_another_error():
    cause = ImportError("libx.so: failed to map segment from shared object")
    broken = ImportError("The `scipy` install you are using seems to be broken.")
    assert is_out_of_memory(cause) and not is_out_of_memory(broken)
    broken.__cause__ = cause
    assert is_out_of_memory(broken)
    broken.__cause__ = ImportError("no such module")
    assert not is_out_of_memory(broken)
