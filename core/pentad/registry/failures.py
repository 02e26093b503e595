"""Whose failure it is: the plugin in which an error was raised, or which returned what does not fit, with file and line."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any, NamedTuple

from pentad.registry.plugin_file import UNPACKAGED
from pentad.system.errors import EngineError, one_line
from pentad.system.frames import frames_of, package_of, place_of, raised_in


class Origin(NamedTuple):
    """Where code comes from.

    Args:
        kind, name: of what is offered.
        distribution, version: who offers it.
        module: its factory's.
    """

    kind: str
    name: str
    distribution: str
    version: str
    module: str


_ORIGINS: dict[str, list[Origin]] = {}
"""What was offered in this process, by the package that its code lies in: an error knows the code, and no catalogue."""


def remember(kind: str, name: str, distribution: str, version: str, factory: str | Callable[..., Any]) -> None:
    """Note whose code a factory's package is."""
    module = module_of(factory)
    origins, origin = _ORIGINS.setdefault(package_of(module), []), Origin(kind, name, distribution, version, module)
    if origin not in origins:
        origins.append(origin)


def plugin_failure(error: BaseException) -> EngineError | None:
    """Say in which plugin an unforeseen error was raised; None where no plugin's code was on the way to it."""
    for module, place in reversed(list(frames_of(error))):
        origins = _ORIGINS.get(package_of(module))
        if origins:
            whose = _whose(module, origins)
            message = f"{whose[0].upper()}{whose[1:]} failed in {place}: {one_line(error)}"
            return EngineError(message, _advice(origins), code="plugin-failed")
    return None


def plugin_broken(distribution: str, version: str, error: BaseException) -> EngineError:
    """Say that a plugin cannot be used, with the file and line where it was its own code that failed."""
    is_file = version == UNPACKAGED
    module = os.path.basename(distribution).removesuffix(".py") if is_file else distribution.replace("-", "_")
    place = raised_in(error, module)
    where = f" ({place})" if place else ""
    return EngineError(
        f"The plugin {distribution} {version} cannot be used{where}: {one_line(error)}",
        f"Correct {distribution}; --debug shows the traceback."
        if is_file
        else "Correct or uninstall it (engine plugins --debug shows the traceback).",
        code="plugin-broken",
    )


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
    origins = _ORIGINS.get(package_of(module), [])
    name = f"{getattr(kind, '__qualname__', kind)}{f'.{method}' if method else ''}"
    whose = f"{name} of {_whose(module, origins)}" if origins else name
    place = _defined(getattr(kind, method, kind) if method else kind)
    where = f" ({place})" if place else ""
    hint = _advice(origins) if origins else "Correct it; the contract is in docs/api.md."
    return EngineError(f"{whose}{where} must return {expected}; found {_described(found)}.", hint, code="plugin-contract")


def check_command(distribution: str, name: str = "") -> str:
    """Return the command that checks all or one of what a distribution offers, as a shell wants it."""
    import shlex

    return f"engine plugins check {shlex.quote(f'{distribution}:{name}' if name else distribution)}"


def _whose(module: str, origins: list[Origin]) -> str:
    """Return `the model gpt of pentad-gpt 0.1.0`: of several offers of a package those that live in the module itself."""
    exact = [origin for origin in origins if origin.module == module] or origins
    names = " or ".join(f"{origin.kind} {origin.name}" for origin in exact[:3])
    return f"the {names} of {exact[0].distribution} {exact[0].version}"


def _advice(origins: list[Origin]) -> str:
    command = check_command(origins[0].distribution, origins[0].name if len(origins) == 1 else "")
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
        return place_of(inspect.getsourcefile(thing) or "", inspect.getsourcelines(thing)[1])
    except (TypeError, OSError):
        return ""


def module_of(factory: str | Callable[..., Any]) -> str:
    """Return the module of a factory, given as `module:attribute` or as what can be called."""
    while isinstance(factory, functools.partial):
        factory = factory.func
    if isinstance(factory, str):
        return factory.partition(":")[0]
    return str(getattr(factory, "__module__", None) or type(factory).__module__)
