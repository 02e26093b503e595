from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import pytest

from pentad import UsageError, option, presets
from pentad.config.options import changed, given, parse, to_dict

TABLE = {"wide": {"width": 512, "depth": 2}, "deep": {"depth": 12}}


@presets(TABLE)
@dataclass(frozen=True, kw_only=True)
class Shape:
    preset: str | None = option(None, "A named shape.", choices=("wide", "deep"))
    depth: int = option(4, "Layers.", ge=1)
    width: int = option(128, "Features.", ge=1, le=1000)

    def __post_init__(self) -> None:
        if self.depth * self.width > 5000:
            raise ValueError("too large")


@pytest.mark.parametrize(
    ("values", "depth", "width"),
    [
        ({}, 4, 128),
        ({"preset": "wide"}, 2, 512),
        ({"preset": "wide", "width": 128}, 2, 128),  # given, though it is the default
        ({"preset": "deep", "width": "7"}, 12, 7),
        ({"preset": "none"}, 4, 128),
    ],
)
def test_a_preset_fills_what_is_not_given(values: dict[str, Any], depth: int, width: int) -> None:
    options = parse(Shape, values, "model")
    assert (options.depth, options.width) == (depth, width)
    assert given(options) == values.keys()


def test_a_filled_setting_is_kept_as_it_is() -> None:
    options = parse(Shape, {"preset": "wide", "depth": 4}, "model")
    assert parse(Shape, to_dict(options), "model") == options
    assert dataclasses.replace(options, width=3).depth == 4
    assert given(changed(options, width=3)) == {"preset", "depth", "width"}


def test_what_does_not_fit_together_is_refused_with_what_was_filled() -> None:
    with pytest.raises(UsageError) as raised:
        parse(Shape, {"preset": "deep", "width": 500}, "model")
    assert raised.value.code == "options-conflict"


def test_faults_of_the_author() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Plain:
        preset: str | None = option(None, "", choices=("a",))
        depth: int = option(1, "")

    for table in ({"b": {"depth": 2}}, {"a": {"width": 2}}, {"a": {"preset": "a"}}):
        with pytest.raises(TypeError):
            presets(table)(Plain)
    with pytest.raises(TypeError):
        presets({"a": {}}, field="kind")(Plain)
    with pytest.raises(TypeError):
        presets({})(object)
    assert presets({"a": {"depth": 3}})(Plain)(preset="a").depth == 3
