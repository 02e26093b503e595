"""Presets: one option that fills others, as far as the user leaves them open.

    @presets({"wide": {"n_layer": 2, "n_embd": 512}, "deep": {"n_layer": 12}})
    @dataclass(frozen=True, kw_only=True)
    class MyOptions:
        preset: str | None = option(None, "A named shape; options that are given beside it win.", choices=("wide", "deep"))
        n_layer: int = option(4, "Number of blocks.", ge=1)
        n_embd: int = option(128, "Width.", ge=1)

`--model.preset wide --model.n-layer 3` is 3 layers of 512. What a preset fills stands in the recipe like any other value, so a
run keeps it whatever the preset means later. It still counts as open: `advise` may size what the user did not give.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

Options = TypeVar("Options")


def presets(table: Mapping[str, Mapping[str, Any]], field: str = "preset") -> Callable[[type[Options]], type[Options]]:
    """Return a decorator for a dataclass of options, which makes one of its fields a preset for others.

    Args:
        table: name of each preset to the values that it fills.
        field: the option that names the preset; by default None, which fills nothing.

    Raises:
        TypeError: the class is no dataclass, lacks the field, or a preset fills what is no option of it; or the field's
            choices are not the table's names.
    """

    def decorate(options_type: type[Options]) -> type[Options]:
        _check(options_type, table, field)
        plain: Callable[..., None] = options_type.__init__

        @functools.wraps(plain)
        def fill(self: Options, **given: Any) -> None:
            name = given.get(field)
            if name is not None and name not in table:
                raise ValueError(f"{field} must be one of {', '.join(table)}, found {name!r}")
            plain(self, **{**(table[name] if name else {}), **given})

        options_type.__init__ = fill  # type: ignore[method-assign, assignment]
        return options_type

    return decorate


def _check(options_type: type, table: Mapping[str, Mapping[str, Any]], field: str) -> None:
    if not dataclasses.is_dataclass(options_type):
        raise TypeError(f"@presets stands above @dataclass; found {options_type!r}, which is not a dataclass")
    fields = {found.name: found for found in dataclasses.fields(options_type)}
    if field not in fields:
        raise TypeError(f"@presets needs an option {field!r} of {options_type.__name__}; found {', '.join(fields)}")
    choices = fields[field].metadata.get("pentad", {}).get("choices")
    if choices is None or set(choices) != set(table):
        raise TypeError(f"the choices of {field!r} must be the presets {', '.join(table)}; found {choices}")
    for name, values in table.items():
        unknown = sorted(set(values) - (set(fields) - {field}))
        if unknown:
            raise TypeError(f"the preset {name!r} fills {', '.join(unknown)}, which {options_type.__name__} has no option for")
