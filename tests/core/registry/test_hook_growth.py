"""Hooks grow and go without breaking the plugins that are written for them."""

from __future__ import annotations

import types

import pytest

from pentad import Implementation, hookimpl
from pentad.registry import catalogue, hookspecs
from pentad.registry.catalogue import Catalogue
from pentad.testing import raises_code


def record(name: str) -> Implementation:
    return Implementation(name=name, summary="", factory="never:imported")


def load(**hooks: object) -> Catalogue:
    made = Catalogue(entry_points=[])
    made._load("acme", "1", lambda: types.SimpleNamespace(**hooks))
    return made


@pytest.fixture
def growing(monkeypatch: pytest.MonkeyPatch) -> None:
    """`engine_samplers` has got the argument `settings`."""

    @hookspecs.hookspec
    def engine_samplers(settings):
        """Return the samplers that this plugin offers."""

    monkeypatch.setattr(hookspecs, "engine_samplers", engine_samplers)
    monkeypatch.setitem(catalogue.HOOK_ARGUMENTS, "settings", {"name": "grown"})


@pytest.mark.usefixtures("growing")
def test_an_old_plugin_is_called_without_the_new_argument():
    @hookimpl
    def engine_samplers():
        return [record("old")]

    made = load(engine_samplers=engine_samplers)
    assert (made.problems, made.find("sampler", "old").distribution) == ([], "acme")


@pytest.mark.usefixtures("growing")
def test_a_new_plugin_gets_it():
    @hookimpl
    def engine_samplers(settings):
        return [record(settings["name"])]

    assert load(engine_samplers=engine_samplers).find("sampler", "grown")


def test_an_argument_that_no_hook_has_is_a_problem_of_that_plugin():
    @hookimpl
    def engine_samplers(settings):
        return []

    (problem,) = load(engine_samplers=engine_samplers).problems
    assert "settings" in problem.cause or "engine_samplers" in problem.cause


@pytest.fixture
def deprecated(monkeypatch: pytest.MonkeyPatch) -> None:
    @hookspecs.hookspec(warn_on_impl=DeprecationWarning("engine_samplers goes with hook API 2: use engine_models."))
    def engine_samplers():
        """Return the samplers that this plugin offers."""

    monkeypatch.setattr(hookspecs, "engine_samplers", engine_samplers)


@hookimpl
def engine_samplers():
    return [record("old")]


@pytest.mark.usefixtures("deprecated")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_deprecated_hook_works_and_says_what_to_use(monkeypatch):
    made = load(engine_samplers=engine_samplers)
    assert made.find("sampler", "old")
    (problem,) = made.problems
    assert (problem.distribution, problem.cause) == ("acme", "engine_samplers goes with hook API 2: use engine_models.")

    monkeypatch.setenv("PENTAD_STRICT", "1")
    with raises_code("plugin-broken"):
        load(engine_samplers=engine_samplers)
