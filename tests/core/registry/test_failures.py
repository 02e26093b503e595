"""Whose failure it is: the plugin, the file and the line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pentad import Catalogue, Implementation, NoOptions, hookimpl
from pentad.registry.failures import check_command, plugin_failure, wrong_return
from pentad.testing import raises_code

MODULE = """
from pentad import Implementation, Tokenizer, hookimpl


class Lists:
    def encode(self, text):
        return [1, 2]

    def stumble(self):
        raise KeyError("whale")


def no_options():
    return Lists()


@hookimpl
def engine_samplers():
    return [Implementation(name="lists", summary="", factory=lambda options: Lists())]


@hookimpl
def engine_tokenizers():
    return [Implementation(name="bare", summary="", factory=no_options)]
"""


@pytest.fixture(autouse=True)
def a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pentad.registry.failures._ORIGINS", {})


@pytest.fixture
def plugin(tmp_path: Path) -> tuple[Catalogue, Path]:
    path = tmp_path / f"failing_{abs(hash(tmp_path))}.py"
    path.write_text(MODULE)
    return Catalogue(plugin_files=[path], entry_points=[]), path


def lists(plugin: tuple[Catalogue, Path]) -> object:
    return plugin[0].find("sampler", "lists").resolve()(NoOptions())


def test_an_error_is_told_with_the_plugin_the_file_and_the_line(plugin: tuple[Catalogue, Path]) -> None:
    try:
        lists(plugin).stumble()  # type: ignore[attr-defined]
    except KeyError as error:
        told = plugin_failure(error)
    assert told is not None and told.code == "plugin-failed"
    assert told.message.startswith("The tokenizer bare or sampler lists of ") or "sampler lists" in told.message
    assert f"{plugin[1].name}, line 10: KeyError: 'whale'" in told.message
    assert f"engine plugins check {plugin[1]}" in told.hint


def test_an_error_of_nobody_is_nobodys() -> None:
    try:
        {}["whale"]
    except KeyError as error:
        assert plugin_failure(error) is None


@pytest.mark.parametrize(
    ("found", "described"),
    [([1], "a list"), (None, "None"), (np.zeros((2, 3), dtype=np.int8), "ndarray (2, 3) of int8")],
)
def test_what_does_not_fit_is_told_with_what_was_expected(
    found: object, described: str, plugin: tuple[Catalogue, Path]
) -> None:
    told = wrong_return(lists(plugin), "encode", "an array (T,) of uint32", found)
    assert told.code == "plugin-contract"
    assert told.message.startswith("Lists.encode of the ")
    assert f"{plugin[1].name}, line 6) must return an array (T,) of uint32; found {described}." in told.message


def test_a_factory_that_cannot_be_called_is_told_how(plugin: tuple[Catalogue, Path]) -> None:
    with raises_code("plugin-contract") as raised:
        plugin[0].find("tokenizer", "bare").make(NoOptions())
    assert "factory(options)" in raised.value.message
    assert f"engine plugins check {plugin[1]}:bare" in raised.value.hint


def test_a_type_error_of_the_factorys_own_code_passes_through() -> None:
    def factory(options: NoOptions) -> object:
        return len(options)  # type: ignore[arg-type]

    @hookimpl
    def engine_samplers() -> list[Implementation]:
        return [Implementation(name="own", summary="", factory=factory)]

    catalogue = Catalogue(entry_points=[])
    catalogue._load("acme", "1", lambda: __import__("types").SimpleNamespace(engine_samplers=engine_samplers))
    with pytest.raises(TypeError, match="len"):
        catalogue.find("sampler", "own").make(NoOptions())


def test_the_command_is_quoted_for_a_shell() -> None:
    assert check_command("my plugin.py", "coin") == "engine plugins check 'my plugin.py:coin'"
    assert check_command("pentad-gpt") == "engine plugins check pentad-gpt"
