"""Options of an implementation: a frozen keyword-only dataclass whose fields carry help and bounds.

One description serves everywhere: the flag `--model.n-layer 6`, the TOML key `[model] n_layer = 6` and the Python keyword
`n_layer=6` are made from the same field. Modules that hold options import no torch, so listing them is free.

    @dataclass(frozen=True, kw_only=True)
    class GPTOptions:
        n_layer: int = option(6, "Number of transformer blocks.", ge=1)

Field types: `int`, `float`, `bool`, `str`, `tuple[str, ...]`, each also as `… | None`.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import re
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from pentad.system.errors import UsageError, did_you_mean
from pentad.system.frozen import Frozen

Options = TypeVar("Options")

_METADATA_KEY = "pentad"

PART = "__"
"""What stands in a field's name between the part of a chain that has the option and the option: `top_k__k` is `top-k.k`."""

_GIVEN = "_pentad_given"


def option(
    default: Any,
    help: str,
    *,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    choices: tuple[str, ...] | None = None,
    affects_result: bool = True,
    inherited: bool = True,
) -> Any:
    """Declare one option as a dataclass field.

    Args:
        default: the value when the user says nothing: of the field's type, which is `int`, `float`, `bool`, `str` or
            `tuple[str, ...]`, or `… | None`. A list is a `tuple[str, ...]`: `--model.layers a,b`.
        help: one sentence for `--help`; give the unit.
        ge, gt, le, lt: bounds, inclusive and exclusive.
        choices: the allowed words of a `str` option.
        affects_result: whether another value can change the trained model or its scores, be it by rounding alone. Runs that
            differ only in options that cannot are taken for the same run by comparisons.
        inherited: whether a run that starts from another takes the value from there. False for what matters while the model is
            trained and does not shape it, such as dropout: then the new recipe decides.

    Raises:
        TypeError: the default is a list, a dict or a set, which can be changed.
    """
    if isinstance(default, (list, dict, set)):
        raise TypeError(
            f"an option's default must not be changeable, as every run would share it; found the {type(default).__name__} "
            f"{default!r}. Use a tuple: ({', '.join(repr(str(part)) for part in default) + ',' if default else ''})"
        )
    metadata = {
        "help": help,
        "ge": ge,
        "gt": gt,
        "le": le,
        "lt": lt,
        "choices": choices,
        "affects_result": affects_result,
        "inherited": inherited,
    }
    return dataclasses.field(default=default, metadata={_METADATA_KEY: metadata})


class NoOptions(Frozen):
    """For an implementation that has nothing to set."""


class OptionSpec(Frozen):
    """One option, described: what `--help`, completion and the docs are made from."""

    name: str
    type: type
    optional: bool
    default: Any
    help: str
    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None
    choices: tuple[str, ...] | None = None
    affects_result: bool = True
    inherited: bool = True

    @property
    def flag(self) -> str:
        """The name as a flag spells it, without dashes in front: `n-layer`."""
        return self.name.replace(PART, ".").replace("_", "-")

    @property
    def type_name(self) -> str:
        """The type in words, for tables: `int`, `float or none`, `bpe|unigram`."""
        word = "|".join(self.choices) if self.choices else ("list" if self.type is tuple else self.type.__name__)
        return f"{word} or none" if self.optional else word

    @property
    def bounds(self) -> str:
        """The bounds in words: `>= 1`, `>= 0 and < 1`, or an empty string."""
        signs = ((">=", self.ge), (">", self.gt), ("<=", self.le), ("<", self.lt))
        return " and ".join(f"{sign} {_number(bound)}" for sign, bound in signs if bound is not None)

    def convert(self, value: Any, where: str) -> Any:
        """Check a value (a flag's text, a TOML value or a Python object) and return it in the field's type.

        Args:
            value: what the user gave.
            where: how the user names this option, for the message: `--model.n-layer`.

        Raises:
            UsageError: the value has the wrong type, is not finite, is out of bounds or is no choice.
        """
        if value is None or (self.optional and isinstance(value, str) and value.lower() == "none"):
            if self.optional:
                return None
            raise UsageError(f"{where} expects {self.type_name}, found nothing.", f"{self.help}", code="option-type")
        try:
            converted = _CONVERTERS[self.type](value)
        except (ValueError, TypeError, OverflowError):
            raise UsageError(f"{where} expects {self.type_name}, found {value!r}.", self.help, code="option-type") from None
        self._check(converted, where)
        return converted

    def _check(self, value: Any, where: str) -> None:
        if self.choices and value not in self.choices:
            near = did_you_mean(str(value), self.choices)
            raise UsageError(
                f"{where} expects one of {', '.join(self.choices)}, found {value!r}.", near or self.help, code="option-choice"
            )
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            return
        outside = (
            (self.ge is not None and value < self.ge)
            or (self.gt is not None and value <= self.gt)
            or (self.le is not None and value > self.le)
            or (self.lt is not None and value >= self.lt)
        )
        if outside or (isinstance(value, float) and not math.isfinite(value)):
            raise UsageError(
                f"{where} expects a value {self.bounds or 'that is finite'}, found {value}.", self.help, code="option-bounds"
            )


def _number(bound: float) -> str:
    """Spell a bound: whole numbers in full, others shortly."""
    return str(bound) if isinstance(bound, int) else f"{bound:g}"


def _to_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    words = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    if isinstance(value, str) and value.lower() in words:
        return words[value.lower()]
    raise ValueError(value)


def _to_int(value: Any) -> int:
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise ValueError(value)
    return int(value)


def _to_float(value: Any) -> float:
    if isinstance(value, bool):
        raise ValueError(value)
    return float(value)


def _to_str(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(value)
    value.encode()  # a lone surrogate (a flag that is no UTF-8) fits in no recipe; UnicodeEncodeError is a ValueError
    return value


def _to_tuple(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(_to_str(part) for part in value.split(",") if part)
    return tuple(_to_str(part) for part in value)


_CONVERTERS: dict[type, typing.Callable[[Any], Any]] = {
    bool: _to_bool,
    int: _to_int,
    float: _to_float,
    str: _to_str,
    tuple: _to_tuple,
}


def describe(options_type: type) -> list[OptionSpec]:
    """List the options of a dataclass, in the order of its fields.

    Raises:
        TypeError: the class is no frozen dataclass, or a field has no plain default or a type that options cannot have.
    """
    if not dataclasses.is_dataclass(options_type):
        raise TypeError(f"options must be a dataclass, found {options_type!r}")
    if not isinstance(options_type, type):
        raise TypeError(f"options must be the dataclass itself, found an object of it: {options_type!r}")
    if not (issubclass(options_type, Frozen) or options_type.__dataclass_params__.frozen):  # type: ignore[attr-defined]
        raise TypeError(
            f"options must be frozen, so that nothing changes them during a run: write @dataclass(frozen=True, kw_only=True) "
            f"above {options_type.__name__}"
        )
    return list(_specs(options_type))


@functools.cache  # reading the annotations is the most of many a short command
def _specs(options_type: type) -> tuple[OptionSpec, ...]:
    hints = typing.get_type_hints(options_type)
    return tuple(_spec(field, hints[field.name]) for field in dataclasses.fields(options_type))


def _spec(field: dataclasses.Field[Any], hint: Any) -> OptionSpec:
    optional = False
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        members = [member for member in typing.get_args(hint) if member is not type(None)]
        optional = len(members) < len(typing.get_args(hint))
        hint = members[0] if len(members) == 1 else hint
    base = typing.get_origin(hint) or hint
    if base not in _CONVERTERS:
        raise TypeError(f"option {field.name}: type {hint!r} is not one of int, float, bool, str, tuple[str, ...]")
    if field.default_factory is not dataclasses.MISSING:
        raise TypeError(f"option {field.name} has a default_factory; give a default that cannot be changed, a tuple for a list")
    if field.default is dataclasses.MISSING:
        raise TypeError(f"option {field.name} has no default")
    metadata = field.metadata.get(_METADATA_KEY, {"help": ""})
    return OptionSpec(name=field.name, type=base, optional=optional, default=field.default, **metadata)


def split_options(text: str) -> tuple[str, dict[str, str]]:
    """Split `NAME,option=value,…`, as `--data` and `--with` take it, into the name and its options.

    >>> split_options("words,documents=5,kind=a,kind=b")
    ('words', {'documents': '5', 'kind': 'a,b'})
    >>> split_options("a, b.txt")
    ('a, b.txt', {})
    """
    match = re.fullmatch(r"(.*?)((?:,[a-zA-Z][\w-]*=[^,]*)+)", text, re.DOTALL)
    if match is None:
        return text, {}
    options: dict[str, str] = {}
    for pair in match[2][1:].split(","):
        name, _, value = pair.partition("=")
        options[name] = f"{options[name]},{value}" if name in options else value
    return match[1], options


def parse_named(options_type: type[Options], values: Mapping[str, Any], name: str) -> Options:
    """Make the options object of what stands as `NAME,option=value,…`; errors as for `parse`, which see."""
    return parse(options_type, values, name, spelling="{where},{option}=…")


def parse(options_type: type[Options], values: Mapping[str, Any], where: str, spelling: str = "--{where}.{option}") -> Options:
    """Make an options object from names and values.

    Args:
        options_type: the dataclass.
        values: option names (`n_layer` or `n-layer`) to values; names that are missing keep their default.
        where: the stage or table that the options belong to, for messages: `model`.
        spelling: how a user names an option of it, for messages.

    Raises:
        UsageError: an unknown name (with the nearest known one), a wrong type, a value out of bounds, or a combination
            that the dataclass's `__post_init__` refuses with a ValueError; of a chain, an option that several parts have.
    """
    specs = {spec.name: spec for spec in describe(options_type)}
    arguments = {}
    for key, value in values.items():
        name = _field_name(key, specs, where)
        if name not in specs:
            known = ", ".join(sorted(spec.flag if PART in spec.name else spec.name for spec in specs.values())) or "none"
            hint = did_you_mean(name, specs) or f"The options of {where} are: {known}."
            raise UsageError(f"{where} has no option {name!r}.", hint, code="unknown-option")
        arguments[name] = specs[name].convert(
            value, spelling.format(where=where, option=specs[name].flag) if where else f"--{specs[name].flag}"
        )
    try:
        options = options_type(**arguments)
        object.__setattr__(options, _GIVEN, frozenset(arguments))  # the class is frozen, and this is no field of it
        return options
    except ValueError as error:
        raise UsageError(
            f"The options of {where or 'the run'} do not fit together: {error}", "Change one of them.", code="options-conflict"
        ) from None


def _field_name(key: str, specs: Mapping[str, OptionSpec], where: str) -> str:
    """Return the field that a user means; of a chain, an option alone is enough where only one part has it."""
    name = key.replace("-", "_").replace(".", PART)
    owners = [field for field in specs if field.partition(PART)[2] == name]
    if name in specs or not owners:
        return name
    if len(owners) > 1:
        flags = [f"--{where}.{specs[owner].flag}" for owner in owners]
        raise UsageError(
            f"--{where}.{key.replace('_', '-')} is an option of several parts of the chain.",
            f"Use {' or '.join(flags)}.",
            code="chain-option",
        )
    return owners[0]


def given(options: Any) -> frozenset[str]:
    """Return the names that the user gave, of options that `parse` made; of others, those that are not at their default.

    What is not given is open: where a default does not fit the text, core may take another value, and says so.
    """
    names: frozenset[str] | None = getattr(options, _GIVEN, None)
    if names is not None:
        return names
    return frozenset(field.name for field in dataclasses.fields(options) if getattr(options, field.name) != field.default)


def changed(options: Options, **changes: Any) -> Options:
    """Return a copy with some options changed, which counts them as given and leaves open what was open."""
    copied = dataclasses.replace(options, **changes)  # type: ignore[type-var]
    object.__setattr__(copied, _GIVEN, given(options) | frozenset(changes))
    return copied


def to_dict(options: Any) -> dict[str, Any]:
    """Return an options object as plain names and values, in the order of its fields."""
    return {field.name: getattr(options, field.name) for field in dataclasses.fields(options)}
