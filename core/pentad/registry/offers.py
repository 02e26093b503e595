"""A record with the distribution that offers it, and the one door by which what it offers is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar, cast

from pentad.config.options import NoOptions, describe
from pentad.config.stages import STAGE_SPECS
from pentad.registry.chains import BETWEEN, SIGN, chain_record
from pentad.registry.failures import check_command, wrong_return
from pentad.registry.kinds import KINDS
from pentad.registry.plugin_file import UNPACKAGED
from pentad.registry.records import resolve
from pentad.system.errors import EngineError, one_line
from pentad.system.frozen import Frozen

Record = TypeVar("Record")


class Offer(Frozen, Generic[Record]):
    """A record with the distribution that offers it."""

    kind: str
    name: str
    record: Record
    distribution: str
    version: str

    @property
    def full_name(self) -> str:
        """The name that is always unambiguous: `pentad-gpt:gpt`."""
        return f"{self.distribution}:{self.name}"

    @property
    def table(self) -> str:
        """The word before the dot in the flags of its options: `model` of `--model.n-layer`, or its own name.

        Of some kinds a command uses one at a time, and their flags bear the kind's name; of the others it may use many.
        """
        return (
            self.kind
            if self.kind in (*STAGE_SPECS, "executor", "adapter", "format")
            else self.name.lstrip(".").replace(".", "-")
        )

    @property
    def fingerprint(self) -> str:
        """What tells the code behind the name from any other: distribution, version, and a digest of its sources."""
        from pentad.system.sources import sources_of

        return f"{self.distribution} {self.version} {sources_of(self.record.factory)}"  # type: ignore[attr-defined]

    @property
    def options(self) -> type[Any]:
        """The dataclass of its options, imported now where the record names the place.

        Raises:
            EngineError: it cannot be imported, or is not a dataclass of options; names the distribution and the cause.
        """
        options = self.resolve("options") if hasattr(self.record, "options") else NoOptions
        try:
            describe(cast("type[Any]", options))
        except Exception as error:
            raise self._unusable(error) from error
        return cast("type[Any]", options)

    def resolve(self, field: str = "factory") -> Callable[..., Any]:
        """Import the factory, or what another field of the record names.

        Raises:
            EngineError: the module or the attribute cannot be imported; names the distribution and the cause.
        """
        try:
            return resolve(getattr(self.record, field))  # type: ignore[no-any-return]
        except (Exception, SystemExit) as error:
            raise self._unusable(error) from error

    def _unusable(self, error: BaseException) -> EngineError:
        return EngineError(
            f"The {self.kind} {self.name} of {self.distribution} {self.version} cannot be loaded: {one_line(error)}",
            f"{self._remedy}, or use another {self.kind}.",
            code="implementation-broken",
        )

    @property
    def _remedy(self) -> str:
        if self.version == UNPACKAGED:
            return f"Correct {self.distribution} ({check_command(self.distribution, self.name)} tells more)"
        return f"Reinstall it (pip install --force-reinstall {self.distribution})"

    def make(self, options: Any, *arguments: Any, **available: Any) -> Any:
        """Call the factory and check what comes back against the contract of its kind: the one door to every implementation.

        Args:
            options: the options object.
            arguments: what the contract gives every factory by position (an optimizer's parameters).
            available: what core has beside the options; the factory gets those that it names, and those that its contract
                promises if it takes `**`.

        Raises:
            EngineError: as for `resolve`; the factory cannot be called like this, or returns something else.
        """
        factory = self.resolve()
        given = arguments_for(factory, available, self.kind)
        try:
            made = factory(options, *arguments, **given)
        except TypeError as error:
            if error.__traceback__ is not None and error.__traceback__.tb_next is not None:
                raise  # of the factory's own code
            raise self._uncallable(error, len(arguments), tuple(available)) from error
        contracts = tuple(resolve(contract) for contract in KINDS[self.kind].contracts)
        if not isinstance(made, contracts):
            names = " or a ".join(f"pentad.{contract.__name__}" for contract in contracts)
            raise wrong_return(factory, "", f"a {names}", made)
        return made

    def _uncallable(self, error: TypeError, n_arguments: int, names: tuple[str, ...]) -> EngineError:
        parameters = ["options", *(["parameters"] if n_arguments else []), *(f"{name}=…" for name in names)]
        return EngineError(
            f"The {self.kind} {self.full_name} must have a factory that can be called as factory({', '.join(parameters)}); "
            f"found that {error}.",
            f"Give the factory these arguments. {check_command(self.distribution, self.name)} tells more.",
            code="plugin-contract",
        )


def chain_offer(parts: Sequence[Offer[Any]]) -> Offer[Any]:
    """Return samplers in a row as one offer, by the names of all of them."""
    return Offer(
        kind="sampler",
        name=SIGN.join(part.name for part in parts),
        record=chain_record(parts),
        distribution=BETWEEN.join(part.distribution for part in parts),
        version=BETWEEN.join(part.version for part in parts),
    )


def arguments_for(factory: Callable[..., Any], available: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Return what a factory gets by name: what it names, and where it takes `**` what the contract of its kind promises."""
    import inspect

    try:
        parameters = inspect.signature(factory).parameters
    except (TypeError, ValueError):  # of what is written in C
        return dict(available)
    takes_any = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values())
    promised = (STAGE_SPECS[kind].arguments if kind in STAGE_SPECS else tuple(available)) if takes_any else ()
    return {name: value for name, value in available.items() if name in parameters or name in promised}
