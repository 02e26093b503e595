"""Whose failure it is: the plugin in which an error was raised, or which returned what does not fit, with file and line."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from pentad.system.errors import EngineError, one_line

if TYPE_CHECKING:
    from pentad.registry.catalogue import Offer

_OFFERS: dict[str, list[Offer[Any]]] = {}
"""What was offered in this process, by the package that its code lies in: an error knows the code, and no catalogue."""


def remember(offer: Offer[Any]) -> None:
    """Note whose code a package is."""
    offers = _OFFERS.setdefault(_package(_module(offer.record.factory)), [])
    if offer.full_name not in [other.full_name for other in offers if other.kind == offer.kind]:
        offers.append(offer)


def raised_in(error: BaseException, factory: str | Callable[..., Any]) -> str:
    """Return the file and line where the code of a factory's package raised an error; empty where it did not."""
    package = _package(_module(factory))
    places = [place for module, place in _frames(error) if _package(module) == package]
    return places[-1] if places else ""


def plugin_failure(error: BaseException) -> EngineError | None:
    """Say in which plugin an unforeseen error was raised; None where no plugin's code was on the way to it."""
    for module, place in reversed(list(_frames(error))):
        offers = _OFFERS.get(_package(module))
        if offers:
            message = f"{_whose(module, offers)} failed in {place}: {one_line(error)}"
            return EngineError(message, _advice(offers), code="plugin-failed")
    return None


def wrong_return(thing: object, method: str, expected: str, found: object) -> EngineError:
    """Say that a method of a plugin's object returned what does not fit.

    Args:
        thing: the object; a class or a function stands for itself.
        method: its name; empty for a call of the thing itself.
        expected: what the contract asks for, with its shape: `an array (T,) of uint32`.
        found: what came back.
    """
    import inspect

    kind = thing if inspect.isclass(thing) or inspect.isroutine(thing) else type(thing)
    module = str(getattr(kind, "__module__", ""))
    offers = _OFFERS.get(_package(module), [])
    name = f"{getattr(kind, '__qualname__', kind)}{f'.{method}' if method else ''}"
    whose = f"{name} of {_whose(module, offers)}" if offers else name
    place = _defined(getattr(kind, method, kind) if method else kind)
    where = f" ({place})" if place else ""
    hint = _advice(offers) if offers else "Correct it; the contract is in docs/api.md."
    return EngineError(f"{whose}{where} must return {expected}; found {_described(found)}.", hint, code="plugin-contract")


def check_command(offer: Offer[Any]) -> str:
    """Return the command that checks one offer, as a shell wants it."""
    import shlex

    return f"engine plugins check {shlex.quote(offer.full_name)}"


def _whose(module: str, offers: list[Offer[Any]]) -> str:
    """Return `The model gpt of pentad-gpt 0.1.0`: of several offers of a package those that live in the module itself."""
    exact = [offer for offer in offers if _module(offer.record.factory) == module] or offers
    first = exact[0]
    names = " or ".join(f"{offer.kind} {offer.name}" for offer in exact[:3])
    return f"the {names} of {first.distribution} {first.version}"


def _advice(offers: list[Offer[Any]]) -> str:
    import shlex

    command = check_command(offers[0]) if len(offers) == 1 else f"engine plugins check {shlex.quote(offers[0].distribution)}"
    return f"{command} tells more, and --debug shows the traceback."


def _described(found: object) -> str:
    """Say what a value is: its type, with a tensor's or an array's numbers and shape."""
    shape, dtype = getattr(found, "shape", None), getattr(found, "dtype", None)
    if shape is not None and dtype is not None:
        return f"{type(found).__name__} {tuple(shape)} of {dtype}"
    return "None" if found is None else f"a {type(found).__name__}"


def _defined(thing: Any) -> str:
    import inspect

    try:
        thing = inspect.unwrap(thing)
        return _place(inspect.getsourcefile(thing) or "", inspect.getsourcelines(thing)[1])
    except (TypeError, OSError):
        return ""


def _frames(error: BaseException) -> Iterator[tuple[str, str]]:
    """Yield the module and the place of each frame of a traceback, the innermost last."""
    import traceback

    for frame, line in traceback.walk_tb(error.__traceback__):
        yield str(frame.f_globals.get("__name__", "")), _place(frame.f_code.co_filename, line)


def _place(file: str, line: int) -> str:
    """Return `mine.py, line 3`: the path as it works from here, where that is shorter."""
    if not file:
        return ""
    try:
        near = os.path.relpath(file)
    except ValueError:  # another drive
        near = file
    return f"{min(file, near, key=len)}, line {line}"


def _module(factory: str | Callable[..., Any]) -> str:
    while isinstance(factory, functools.partial):
        factory = factory.func
    if isinstance(factory, str):
        return factory.partition(":")[0]
    return str(getattr(factory, "__module__", None) or type(factory).__module__)


def _package(module: str) -> str:
    return module.partition(".")[0]
