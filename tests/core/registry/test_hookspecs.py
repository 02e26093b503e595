"""Every hook, implemented by a module, reaches the catalogue as its kind."""

from __future__ import annotations

import inspect
import types

import pytest

from pentad import Adapter, Command, Corpus, Evaluator, Executor, Format, Implementation, Observer, Reader, Reward, hookimpl
from pentad.registry import hookspecs
from pentad.registry.catalogue import Catalogue
from pentad.registry.kinds import KINDS

RECORDS = {
    "engine_tokenizers": Implementation(name="acme", summary="", factory="never:imported"),
    "engine_example_builders": Implementation(name="acme", summary="", factory="never:imported"),
    "engine_models": Implementation(name="acme", summary="", factory="never:imported"),
    "engine_optimizers": Implementation(name="acme", summary="", factory="never:imported"),
    "engine_samplers": Implementation(name="acme", summary="", factory="never:imported"),
    "engine_corpora": Corpus(name="acme", summary="", factory="never:imported"),
    "engine_readers": Reader(suffix=".acme", summary="", factory="never:imported"),
    "engine_observers": Observer(name="acme", summary="", factory="never:imported"),
    "engine_commands": Command(name="acme", summary="", factory="never:imported"),
    "engine_executors": Executor(name="acme", summary="", factory="never:imported"),
    "engine_adapters": Adapter(name="acme", summary="", factory="never:imported"),
    "engine_formats": Format(name="acme", summary="", factory="never:imported"),
    "engine_rewards": Reward(name="acme", summary="", factory="never:imported"),
    "engine_evaluators": Evaluator(name="acme", summary="", factory="never:imported"),
}


def catalogue_of(**hooks: object) -> Catalogue:
    found = Catalogue(entry_points=[])
    found._load("acme", "1", lambda: types.SimpleNamespace(**hooks))
    return found


def test_the_specifications_are_the_hooks_that_are_asked():
    specified = {name for name, value in vars(hookspecs).items() if inspect.isfunction(value) and name.startswith("engine_")}
    assert specified == {kind.hook for kind in KINDS.values()} == set(RECORDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_is_offered_as_its_kind(kind):
    hook, record_type, *_ = KINDS[kind]
    record = RECORDS[hook]
    found = catalogue_of(**{hook: hookimpl(lambda: [record])})
    assert isinstance(record, record_type)
    assert found.problems == []
    assert [offer.record for offer in found.offers(kind)] == [record]
    assert not any(found.offers(other) for other in KINDS if other != kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_of_another_type_is_a_problem(kind):
    hook, record_type, *_ = KINDS[kind]
    wrong = next(record for record in RECORDS.values() if not isinstance(record, record_type))
    found = catalogue_of(**{hook: hookimpl(lambda: [wrong])})
    assert found.offers(kind) == []
    assert f"expected records of type {record_type.__name__}" in found.problems[0].cause
