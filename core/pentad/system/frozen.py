"""Dataclasses that are frozen, take their fields by name, and cost a tenth of `@dataclass(frozen=True, kw_only=True)` to make.

Python writes and compiles six methods for each class of that decorator, about a millisecond together. What every `engine`
command makes before it knows what is asked (the records of the hooks, the table of stages) shares the methods here instead:
17 classes, 3.6 million instructions less for each, of the 550 million that `engine --help` took.

`dataclasses.fields`, `replace` and `asdict` take them like any other.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable
from typing import Any

if typing.TYPE_CHECKING:
    import inspect


class _Signature:
    """The signature of a class, made of its fields when somebody asks: for `help` and notebooks."""

    def __get__(self, thing: object, owner: type[Frozen]) -> inspect.Signature:
        import inspect

        defaults = owner._defaults | {name: factory() for name, factory in owner._factories.items()}
        parameters = [
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=defaults.get(field.name, inspect.Parameter.empty),
                annotation=field.type,
            )
            for field in dataclasses.fields(owner)  # type: ignore[arg-type]
        ]
        return inspect.Signature(parameters)


@typing.dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(dataclasses.field,))
class Frozen:
    """A frozen dataclass by inheritance: `class Corpus(Frozen): name: str`."""

    _names: typing.ClassVar[frozenset[str]] = frozenset()
    _defaults: typing.ClassVar[dict[str, Any]] = {}
    _factories: typing.ClassVar[dict[str, Callable[[], Any]]] = {}
    __signature__: typing.ClassVar[Any] = _Signature()

    def __init_subclass__(cls) -> None:
        """Make a dataclass of the class, without methods of its own."""
        super().__init_subclass__()
        dataclasses.dataclass(init=False, repr=False, eq=False, kw_only=True)(cls)
        fields = dataclasses.fields(cls)  # type: ignore[arg-type]
        cls._names = frozenset(field.name for field in fields)
        cls._defaults = {field.name: field.default for field in fields if field.default is not dataclasses.MISSING}
        cls._factories = {
            field.name: field.default_factory for field in fields if field.default_factory is not dataclasses.MISSING
        }

    def __init__(self, **given: Any) -> None:
        """Take the fields.

        Raises:
            TypeError: one that has no default is missing, or there is no such field.
        """
        made = {name: factory() for name, factory in self._factories.items() if name not in given}
        values = {**self._defaults, **made, **given}
        if values.keys() != self._names:
            raise TypeError(f"{type(self).__name__}() {_wrong(values.keys(), self._names)}")
        vars(self).update(values)

    def __setattr__(self, name: str, value: Any) -> None:
        """Refuse.

        Raises:
            FrozenInstanceError: always.
        """
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        """Refuse.

        Raises:
            FrozenInstanceError: always.
        """
        raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")

    def __eq__(self, other: object) -> bool:
        """Whether the other is of the same class and has the same values."""
        return vars(self) == vars(other) if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        """Hash the class and its values in the order of the fields."""
        return hash((type(self), *(getattr(self, name) for name in self.__dataclass_fields__)))  # type: ignore[attr-defined]

    def __repr__(self) -> str:
        """Return `Corpus(name='shakespeare', …)`."""
        fields = dataclasses.fields(self)  # type: ignore[arg-type]
        return f"{type(self).__qualname__}({', '.join(f'{field.name}={getattr(self, field.name)!r}' for field in fields)})"


def _wrong(found: typing.AbstractSet[str], expected: frozenset[str]) -> str:
    """Say which fields are missing or unknown, in Python's words for arguments."""
    if unknown := sorted(found - expected):
        return f"got an unexpected keyword argument {unknown[0]!r}"
    missing = sorted(expected - found)
    return f"missing {len(missing)} required keyword-only argument{'s' * (len(missing) > 1)}: {', '.join(map(repr, missing))}"
