"""Frozen is what `@dataclass(frozen=True, kw_only=True)` makes, in all that can be seen of it."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Mapping
from dataclasses import field
from typing import Any

import pytest

from pentad.system.frozen import Frozen


class Named(Frozen):
    """The fields of both."""

    name: str


class Corpus(Named):
    """A corpus."""

    notes: Mapping[str, str] = field(default_factory=dict)
    size: int = 3

    @property
    def doubled(self) -> int:
        """Twice the size."""
        return 2 * self.size


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlainNamed:
    """The fields of both."""

    name: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlainCorpus(PlainNamed):
    """A corpus."""

    notes: Mapping[str, str] = field(default_factory=dict)
    size: int = 3


def test_fields_defaults_and_words_are_those_of_a_dataclass() -> None:
    ours, plain = Corpus(name="a", size=4), PlainCorpus(name="a", size=4)
    assert repr(ours) == repr(plain).replace("Plain", "")
    assert dataclasses.asdict(ours) == dataclasses.asdict(plain)
    assert [found.name for found in dataclasses.fields(Corpus)] == [found.name for found in dataclasses.fields(PlainCorpus)]
    mine, theirs = inspect.signature(Corpus).parameters, inspect.signature(PlainCorpus).parameters
    assert list(mine) == list(theirs)
    assert {found.kind for found in mine.values()} == {inspect.Parameter.KEYWORD_ONLY}
    assert (mine["name"].default, mine["size"].default) == (inspect.Parameter.empty, 3)
    assert ours.doubled == 8


def test_it_is_equal_by_its_values_and_its_class() -> None:
    assert Corpus(name="a") == Corpus(name="a", size=3)
    assert Corpus(name="a") != Corpus(name="b")
    assert Named(name="a") != Corpus(name="a")
    assert hash(Named(name="a")) == hash(Named(name="a"))
    assert len({Named(name="a"), Named(name="a"), Named(name="b")}) == 2


def test_it_can_be_copied() -> None:
    ours = Corpus(name="a", size=4)
    assert dataclasses.replace(ours, name="b") == Corpus(name="b", size=4)
    assert copy.deepcopy(ours) == ours
    assert pickle.loads(pickle.dumps(ours)) == ours


def test_a_changeable_default_is_made_for_each() -> None:
    assert Corpus(name="a").notes is not Corpus(name="b").notes


def test_it_cannot_be_changed() -> None:
    ours: Any = Named(name="a")
    with pytest.raises(dataclasses.FrozenInstanceError):
        ours.name = "b"
    with pytest.raises(dataclasses.FrozenInstanceError):
        ours.other = "b"
    with pytest.raises(dataclasses.FrozenInstanceError):
        del ours.name


@pytest.mark.parametrize("given", [{}, {"name": "a", "nmae": "b"}])
def test_wrong_fields_are_named_as_python_does(given: dict[str, Any]) -> None:
    with pytest.raises(TypeError) as plain:
        PlainNamed(**given)
    with pytest.raises(TypeError) as ours:
        Named(**given)
    assert str(ours.value) == str(plain.value).replace("PlainNamed.__init__", "Named")


def test_python_writes_no_method_for_it() -> None:
    assert not {"__init__", "__repr__", "__eq__", "__setattr__"} & {*vars(Corpus)}
