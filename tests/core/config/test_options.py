"""Options: one description, the same checks for a flag's text, a TOML value and a Python object."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pentad import NoOptions, option
from pentad.config.options import describe, parse, split_options, to_dict
from pentad.testing import raises_code


@dataclass(frozen=True, kw_only=True)
class Shape:
    n_layer: int = option(4, "Number of blocks.", ge=1, le=64)
    rate: float = option(0.5, "Share that is dropped.", ge=0, lt=1)
    lr: float = option(1e-3, "Learning rate.", gt=0)
    bias: bool = option(False, "Add biases.")
    norm: str = option("rmsnorm", "Normalisation.", choices=("rmsnorm", "layernorm"))
    heads: int | None = option(None, "Heads of keys.", ge=1)
    parts: tuple[str, ...] = option((), "Names.")

    def __post_init__(self) -> None:
        if self.heads is not None and self.heads > self.n_layer:
            raise ValueError(f"heads must be at most n_layer, found {self.heads}")


def refused(code, **values):
    with raises_code(code) as caught:
        parse(Shape, values, "model")
    return caught.value


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("n_layer", "6", 6),
        ("n-layer", 6, 6),
        ("n_layer", 6.0, 6),
        ("rate", "0.25", 0.25),
        ("rate", 0, 0.0),
        ("lr", "1e-4", 1e-4),
        ("norm", "layernorm", "layernorm"),
        ("heads", "2", 2),
        ("heads", "none", None),
        ("heads", "None", None),
        ("heads", None, None),
        ("parts", "a,b", ("a", "b")),
        ("parts", ["a,b"], ("a,b",)),
        ("parts", "", ()),
        *(("bias", word, True) for word in (True, "true", "YES", "on", "1")),
        *(("bias", word, False) for word in (False, "False", "no", "off", "0")),
    ],
)
def test_values_take_the_fields_type(name, value, expected):
    found = getattr(parse(Shape, {name: value}, "model"), name.replace("-", "_"))
    assert found == expected and type(found) is type(expected)


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("n_layer", "six", "option-type"),
        ("n_layer", 1.5, "option-type"),
        ("n_layer", True, "option-type"),
        ("n_layer", 0, "option-bounds"),
        ("n_layer", 10**400, "option-bounds"),
        ("n_layer", None, "option-type"),
        ("rate", 1, "option-bounds"),
        ("rate", "nan", "option-bounds"),
        ("rate", 10**400, "option-type"),
        ("lr", "inf", "option-bounds"),
        ("lr", True, "option-type"),
        ("bias", "maybe", "option-type"),
        ("bias", 1, "option-type"),
        ("norm", "layer", "option-choice"),
        ("norm", 3, "option-type"),
        ("norm", "\udcff", "option-type"),
        ("heads", 0, "option-bounds"),
        ("parts", [1], "option-type"),
        ("parts", 5, "option-type"),
        ("parts", "a,\udcff", "option-type"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_flag(name, value, code):
    assert f"--model.{name.replace('_', '-')} " in refused(code, **{name: value}).message


def test_the_hint_says_what_to_do():
    assert refused("option-bounds", n_layer=0).hint == "Number of blocks."
    assert refused("option-choice", norm="layernrm").hint == "Did you mean layernorm?"
    assert refused("unknown-option", n_layr=3).hint == "Did you mean n_layer?"
    assert refused("unknown-option", zebra=3).hint.startswith("The options of model are: bias, heads, lr,")
    assert "heads must be at most n_layer" in refused("options-conflict", heads=5).message
    with raises_code("unknown-option") as caught:
        parse(NoOptions, {"x": 1}, "sampler")
    assert caught.value.hint == "The options of sampler are: none."


def test_a_description_has_all_that_help_needs():
    specs = {spec.name: spec for spec in describe(Shape)}
    assert list(specs) == ["n_layer", "rate", "lr", "bias", "norm", "heads", "parts"]
    assert (specs["n_layer"].flag, specs["n_layer"].bounds, specs["n_layer"].default) == ("n-layer", ">= 1 and <= 64", 4)
    assert [specs[name].type_name for name in ("norm", "heads", "parts")] == ["rmsnorm|layernorm", "int or none", "list"]
    assert specs["rate"].help == "Share that is dropped."


def test_bad_dataclasses_are_refused():
    class Plain:
        x = 1

    @dataclass(frozen=True, kw_only=True)
    class Needs:
        x: int

    @dataclass(frozen=True, kw_only=True)
    class Factory:
        x: list = field(default_factory=list)

    @dataclass(frozen=True, kw_only=True)
    class Either:
        x: int | str = option(1, "")

    for options_type, message in ((Plain, "must be a dataclass"), (Needs, "no default"), (Factory, "type"), (Either, "type")):
        with pytest.raises(TypeError, match=message):
            describe(options_type)


shapes = st.builds(
    lambda **values: Shape(**values),
    n_layer=st.integers(4, 64),
    rate=st.floats(0, 1, exclude_max=True),
    lr=st.floats(0, allow_infinity=False, exclude_min=True),
    bias=st.booleans(),
    norm=st.sampled_from(["rmsnorm", "layernorm"]),
    heads=st.none() | st.integers(1, 4),
    parts=st.lists(st.text(st.characters(exclude_categories=["Cs"]))).map(tuple),
)


@given(shapes)
def test_options_survive_their_plain_form(shape):
    assert parse(Shape, to_dict(shape), "model") == shape


@given(shapes)
def test_options_survive_the_text_of_flags(shape):
    values = {name: str(value) for name, value in to_dict(shape).items() if name != "parts"}
    assert {**to_dict(parse(Shape, values, "model")), "parts": ()} == {**to_dict(shape), "parts": ()}


def test_options_behind_a_name_are_split_off():
    assert split_options("words") == ("words", {})
    assert split_options("a, b.txt") == ("a, b.txt", {})
    assert split_options("words,documents=5,kind=a,kind=b") == ("words", {"documents": "5", "kind": "a,b"})
    assert split_options("my, own.csv,column=a b") == ("my, own.csv", {"column": "a b"})


@dataclass
class Unfrozen:
    size: int = option(1, "A size.")


@dataclass(frozen=True)
class MadeAnew:
    names: tuple[str, ...] = field(default_factory=tuple)


@dataclass(frozen=True, kw_only=True)
class Required:
    size: int


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (Unfrozen, "frozen"),
        (MadeAnew, "default_factory"),
        (Required, "has no default"),
        (int, "a dataclass"),
        (Shape(), "itself"),
    ],
)
def test_options_that_cannot_be_used_are_told_apart(wrong, said):
    with pytest.raises(TypeError, match=said):
        describe(wrong)


@pytest.mark.parametrize("default", [["a"], {"a": 1}, {1}])
def test_a_default_that_can_be_changed_is_refused(default):
    with pytest.raises(TypeError, match="Use a tuple"):
        option(default, "Names.")
