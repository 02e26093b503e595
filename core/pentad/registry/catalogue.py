"""What is installed: every plugin found, every implementation offered, every problem met.

Each entry point of the group `pentad` is loaded by itself and each plugin's hooks are asked by themselves, so a broken
plugin costs its own offers and nothing else. Offers are kept with their distribution; a name that two distributions offer is
refused when used bare. Factories are strings and are resolved only when an implementation is chosen.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pluggy

from pentad.config.options import NoOptions, describe
from pentad.registry import hookspecs
from pentad.registry.chains import SIGN
from pentad.registry.failures import plugin_broken, remember
from pentad.registry.kinds import KINDS
from pentad.registry.offers import Offer, chain_offer
from pentad.registry.plugin_file import UNPACKAGED, load_file
from pentad.registry.records import (
    HOOK_API_VERSION,
    Reader,
)
from pentad.system.entry_points import EntryPoint, entry_points_of
from pentad.system.errors import EngineError, UsageError, did_you_mean, one_line
from pentad.system.frozen import Frozen

if TYPE_CHECKING:
    from pathlib import Path

ENTRY_POINT_GROUP = "pentad"

_HOOKS = [kind.hook for kind in KINDS.values()]

_HOOKABLE = (types.FunctionType, types.MethodType, staticmethod, classmethod)

HOOK_ARGUMENTS: dict[str, Any] = {}
"""What the hooks are called with, by the names of their arguments; a plugin names those that it wants. None so far."""


class Problem(Frozen):
    """Why a plugin, or a part of it, is not available, or will not be for long."""

    distribution: str
    version: str
    cause: str
    details: str


class _Manager(pluggy.PluginManager):
    """pluggy's, which asks `inspect` about every name of a plugin; of a module, only marked functions need that."""

    def parse_hookimpl_opts(self, plugin: Any, name: str) -> Any:
        """Return what the marker `@hookimpl` says of the hook of this name, or None where there is none."""
        if isinstance(plugin, types.ModuleType):
            value = vars(plugin).get(name)
            if not isinstance(value, _HOOKABLE) or not hasattr(value, f"{ENTRY_POINT_GROUP}_impl"):
                return None
        return super().parse_hookimpl_opts(plugin, name)


class Catalogue:
    """Everything that the installed plugins offer.

    Args:
        plugin_files: unpackaged plugins (`./mine.py`) to load beside the installed ones.
        entry_points: the entry points to load instead of the installed ones, for tests.

    With `PENTAD_STRICT=1` in the environment the first problem is raised instead of noted.
    """

    def __init__(
        self,
        plugin_files: Sequence[str | Path] = (),
        entry_points: Iterable[EntryPoint] | None = None,
    ) -> None:
        self.problems: list[Problem] = []
        self._offers: dict[str, list[Offer[Any]]] = {kind: [] for kind in KINDS}
        self._taken: set[tuple[str, str]] = set()
        self._manager = _Manager(ENTRY_POINT_GROUP)
        self._manager.add_hookspecs(hookspecs)
        for entry_point in entry_points_of(ENTRY_POINT_GROUP) if entry_points is None else entry_points:
            self._load(entry_point.distribution, entry_point.version, entry_point.load)
        for path in plugin_files:
            self._load(os.path.normpath(path), UNPACKAGED, functools.partial(load_file, path), fatal=True)

    def offers(self, kind: str) -> list[Offer[Any]]:
        """List what is offered of a kind (a word of `KINDS`), by name and then by distribution."""
        return list(self._offers[kind])

    def find(self, kind: str, name: str) -> Offer[Any]:
        """Return the offer that a user means by `name` or `distribution:name`.

        Raises:
            UsageError: nothing has that name, or two distributions offer it.
        """
        if kind == "sampler" and SIGN in name:
            return chain_offer([self.find(kind, part) for part in name.split(SIGN)])
        offers = self.offers(kind)
        found = [offer for offer in offers if name in (offer.name, offer.full_name)]
        if len(found) == 1:
            return found[0]
        if found:
            makers = " and ".join(offer.distribution for offer in found)
            choices = " or ".join(offer.full_name for offer in found)
            raise UsageError(f"The {kind} {name} is offered by {makers}.", f"Say {choices}.", code="ambiguous-name")
        raise UsageError(f"No {kind} named {name!r} is installed.", self._advice(kind, name, offers), code="unknown-name")

    def _advice(self, kind: str, name: str, offers: list[Offer[Any]]) -> str:
        names = [offer.name for offer in offers]
        installed = f"Installed: {', '.join(names) or 'none'}."
        broken = [problem for problem in self.problems if f"-{_normal(problem.distribution)}".endswith(f"-{_normal(name)}")]
        if broken:
            return f"{broken[0].distribution} {broken[0].version} is installed but broken: {broken[0].cause}"
        distribution = f"pentad-{_normal(name)}"
        here = {_normal(offer.distribution) for offers_of_kind in self._offers.values() for offer in offers_of_kind}
        if distribution in bundled() and distribution not in here:
            return f"Install it with: pip install {distribution}"
        near = did_you_mean(name, names)
        return f"{near} {installed}" if near else installed

    def _load(self, distribution: str, version: str, load: Callable[[], Any], fatal: bool = False) -> None:
        try:
            plugin = load()
            asked = getattr(plugin, "pentad_api", HOOK_API_VERSION)
            if asked > HOOK_API_VERSION:
                raise EngineError(
                    f"it is written for hook API {asked}; this pentad-core speaks {HOOK_API_VERSION}",
                    "pip install --upgrade pentad-core",
                    code="hook-version",
                )
            self._ask(plugin, distribution, version, fatal)
        except (Exception, SystemExit) as error:
            if fatal and isinstance(error, UsageError):
                raise
            if fatal or os.environ.get("PENTAD_STRICT") == "1":
                raise plugin_broken(distribution, version, error) from error
            self._note(distribution, version, error)

    def _ask(self, plugin: Any, distribution: str, version: str, fatal: bool = False) -> None:
        """Register a plugin and ask each of its hooks by itself; what is wrong with one is raised or else noted."""
        try:
            self._manager.register(plugin)
            callers = {caller.name: caller for caller in self._manager.get_hookcallers(plugin) or ()}
            for name, caller in callers.items():
                if caller.spec and caller.spec.warn_on_impl:
                    self._note_deprecated(distribution, version, caller.spec.warn_on_impl)
                if not caller.has_spec():
                    raise EngineError(
                        f"it implements an unknown hook {name}. {did_you_mean(name, _HOOKS)}".rstrip(), code="unknown-hook"
                    )
            if not callers:
                raise EngineError("it implements no hook (is @hookimpl missing?)", code="hook-missing")
        except BaseException:
            with contextlib.suppress(Exception):
                self._manager.unregister(plugin)
            raise
        for kind, (hook, record_type, *_) in KINDS.items():
            if hook not in callers:
                continue
            implementation = next(found for found in callers[hook].get_hookimpls() if found.plugin is plugin)
            # A hook that has got an argument since is called without it by those who do not name it.
            given = [HOOK_ARGUMENTS[name] for name in implementation.argnames]
            try:
                self._keep(_offers(kind, implementation.function(*given), record_type, distribution, version))
            except (Exception, SystemExit) as error:
                if fatal or os.environ.get("PENTAD_STRICT") == "1":
                    raise
                self._note(distribution, version, error, f"{hook}: ")

    def _keep(self, offers: list[Offer[Any]]) -> None:
        """Keep a hook's answer, whole or not at all."""
        names = [(offer.kind, offer.full_name) for offer in offers]
        for number, name in enumerate(names):
            if name in self._taken or name in names[:number]:
                raise EngineError(f"it offers the {name[0]} {offers[number].name} twice", code="offered-twice")
        self._taken.update(names)
        for offer in offers:
            self._offers[offer.kind].append(offer)
            remember(offer.kind, offer.name, offer.distribution, offer.version, offer.record.factory)
        for kind in {kind for kind, _ in names}:
            self._offers[kind].sort(key=lambda offer: (offer.name, offer.distribution))

    def _note_deprecated(self, distribution: str, version: str, warning: Warning) -> None:
        """Note that a hook will go; it is asked all the same. A hookspec says so: `@hookspec(warn_on_impl=…)`."""
        if os.environ.get("PENTAD_STRICT") == "1":
            raise EngineError(str(warning), code="hook-warning")
        self._note(distribution, version, EngineError(str(warning), code="hook-warning"))

    def _note(self, distribution: str, version: str, error: BaseException, where: str = "") -> None:
        import traceback

        details = "".join(traceback.format_exception(error))
        problem = Problem(distribution=distribution, version=version, cause=where + one_line(error), details=details)
        self.problems.append(problem)


@functools.cache
def bundled() -> frozenset[str]:
    """Return the distributions that the bundle `pentad` names, extras included; none where it is not installed."""
    import importlib.metadata

    try:
        required = importlib.metadata.requires("pentad") or []
    except importlib.metadata.PackageNotFoundError:
        return frozenset()
    names = (re.match(r"pentad[A-Za-z0-9._-]*", line) for line in required)
    return frozenset(_normal(found.group()) for found in names if found)


def _normal(name: str) -> str:
    """Spell a name as distributions are compared: `.parquet` and `parquet`, `top_k` and `top-k` are the same."""
    return re.sub(r"[-_.]+", "-", name).strip("-").lower()


def _offers(kind: str, answer: Any, record_type: type[Any], distribution: str, version: str) -> list[Offer[Any]]:
    if not isinstance(answer, Iterable) or isinstance(answer, (str, bytes, Mapping)):
        raise EngineError(f"expected a list of {record_type.__name__} records, found {answer!r}", code="record-type")
    return [_offer(kind, record, record_type, distribution, version) for record in answer]


def _offer(kind: str, record: Any, record_type: type[Any], distribution: str, version: str) -> Offer[Any]:
    if not isinstance(record, record_type):
        raise EngineError(f"expected records of type {record_type.__name__}, found {record!r}", code="record-type")
    name: str = record.suffix if isinstance(record, Reader) else record.name
    if not isinstance(record, Reader) and not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name):
        raise EngineError(f"a name is made of lower-case letters, digits and dashes, found {name!r}", code="record-name-format")
    if isinstance(record, Reader) and not re.fullmatch(r"(\.[a-z0-9]+)+", name):
        raise EngineError(f"a suffix is a dot and lower-case letters or digits, found {name!r}", code="suffix-format")
    if not callable(record.factory) and not _names_attribute(record.factory):
        raise EngineError(
            f"the factory of {name} must read module:Class or be callable, found {record.factory!r}", code="factory-format"
        )
    options = getattr(record, "options", NoOptions)
    if not isinstance(options, str):
        if options is not NoOptions:
            describe(options)
    elif not _names_attribute(options):
        raise EngineError(
            f"the options of {name} must read module:Class or be a dataclass, found {options!r}", code="options-format"
        )
    return Offer(kind=kind, name=name, record=record, distribution=distribution, version=version)


def _names_attribute(place: str) -> bool:
    return re.fullmatch(r"[\w.]+:\w+", place) is not None
