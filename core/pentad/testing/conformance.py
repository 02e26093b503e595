"""What the conformance classes share: how a check is found, run, expected to fail and reported."""

from __future__ import annotations

import json
import tempfile
import unittest
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from pentad.config.options import NoOptions, parse, to_dict
from pentad.registry.catalogue import Catalogue
from pentad.registry.failures import module_of
from pentad.registry.offers import arguments_for
from pentad.registry.records import HookRecord, Reader, resolve
from pentad.system.errors import one_line
from pentad.system.frames import raised_in


def require(condition: bool, message: str) -> None:
    """Fail the check unless the condition holds; the message tells the author what to change.

    Raises:
        AssertionError: the condition does not hold.
    """
    if not condition:
        raise AssertionError(message)


class NotChecked(Exception):
    """What a check raises that needs something which is not there: the message says what to provide."""


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """How one check ended: `note` is the failure's message, or the reason why a failure was expected."""

    check: str
    outcome: Literal["passed", "failed", "expected failure", "unexpected pass", "not checked"]
    note: str = ""


class Conformance:
    """Base of all conformance classes. Methods named `check_…` are the checks; pytest sees each as `test_…`.

    Attributes:
        kind: the stage, or what else a plugin offers (`observer`); set by the classes of the kit.
        name: what to test, as users type it.
        implementation: the record itself, instead of `name`, for code that is not installed.
        options: options to test it with, beside the defaults; make the thing small so that checks take milliseconds.
        expected_failures: name of a check (without `check_`) to the reason why this implementation cannot keep it; those
            that the record names count too.
    """

    kind: ClassVar[str]
    name: ClassVar[str] = ""
    implementation: ClassVar[HookRecord | None] = None
    options: ClassVar[Mapping[str, Any]] = {}
    expected_failures: ClassVar[Mapping[str, str]] = {}
    _record: HookRecord | None = None

    def __init_subclass__(cls) -> None:
        """Give pytest one test for each check, once a class names what to test."""
        super().__init_subclass__()
        if not (cls.name or cls.implementation):
            return
        for check in cls.checks():

            def test(self: Conformance, check: str = check) -> None:
                result = self.run(check)
                if result.outcome == "expected failure":
                    raise unittest.SkipTest(f"expected to fail: {result.note}")
                if result.outcome == "not checked":
                    raise unittest.SkipTest(result.note)
                assert result.outcome == "passed", result.note

            test.__name__ = f"test_{check}"
            test.__doc__ = getattr(cls, f"check_{check}").__doc__
            setattr(cls, test.__name__, lambda self, test=test: test(self))

    @classmethod
    def checks(cls) -> list[str]:
        """Return the names of the checks, without `check_`, in the order in which they are written."""
        names: dict[str, None] = {}
        for base in reversed(cls.__mro__):
            names.update({name.removeprefix("check_"): None for name in vars(base) if name.startswith("check_")})
        return list(names)

    @classmethod
    def kits(cls) -> list[type[Conformance]]:
        """Return the classes whose checks are meant for what is named here: this one, unless it turns out to be another kind.

        What cannot be made is left to this class, whose checks say why.
        """
        return [cls]

    @classmethod
    def kit_of(cls, base: type[Conformance]) -> type[Conformance]:
        """Return a class with the checks of another one, and all that is named here."""
        named = ("name", "implementation", "options", "expected_failures")
        return type(base.__name__, (base,), {attribute: getattr(cls, attribute) for attribute in named})

    def run(self, check: str) -> CheckResult:
        """Run one check and say how it ended; a check that is expected to fail must fail."""
        reason = {**self.record().expected_failures, **self.expected_failures}.get(check)
        try:
            getattr(self, f"check_{check}")()
        except NotChecked as error:
            return CheckResult(check=check, outcome="not checked", note=str(error))
        except Exception as error:
            if reason is not None:
                return CheckResult(check=check, outcome="expected failure", note=reason)
            return CheckResult(check=check, outcome="failed", note=f"{check}: {self._told(error)}")
        if reason is not None:
            note = f"{check} passes now: take it out of expected_failures"
            return CheckResult(check=check, outcome="unexpected pass", note=note)
        return CheckResult(check=check, outcome="passed")

    def _told(self, error: Exception) -> str:
        """Say what a check failed with; where the subject itself raised, with its file and line."""
        if isinstance(error, AssertionError):
            return str(error)
        place = raised_in(error, module_of(self.record().factory))
        return f"raised {one_line(error)}{f' in {place}' if place else ''}"

    def record(self) -> HookRecord:
        """Return the record under test; plugins are asked once."""
        if self.implementation is not None:
            return self.implementation
        if self._record is None:
            self._record = Catalogue().find(self.kind, self.name).record
        record: HookRecord = self._record
        return record

    def factory(self) -> Any:
        """Import the factory of the record under test."""
        return resolve(self.record().factory)

    def make(self, *arguments: Any, options: Mapping[str, Any] | None = None, **available: Any) -> Any:
        """Call the factory as the engine does: it gets what it names of what is available."""
        factory = self.factory()
        return factory(self.parsed_options(**(options or {})), *arguments, **arguments_for(factory, available, self.kind))

    def options_type(self) -> Any:
        """Return the dataclass of the options."""
        return resolve(getattr(self.record(), "options", NoOptions))

    def parsed_options(self, **more: Any) -> Any:
        """Return the options object: defaults, then what the record's `example` says, then `options`, then `more`."""
        return parse(self.options_type(), {**self.example_options(), **self.options, **more}, self.kind)

    def example_options(self) -> Mapping[str, Any]:
        """Return the options with which the record wants to be tested; their files last as long as this class."""
        example = getattr(self.record(), "example", "")
        if not example or isinstance(self.record(), Reader):  # whose example is a file's content
            return {}
        made: Mapping[str, Any] | None = type(self).__dict__.get("_example_options")
        if made is None:
            folder = tempfile.TemporaryDirectory(prefix="pentad-")
            made = resolve(example)(Path(folder.name))
            type(self)._example_folder, type(self)._example_options = folder, made  # type: ignore[attr-defined]
        return made

    def check_options_survive_json(self) -> None:
        """The options, written as JSON and read again, are the same: recipes and saved runs depend on it."""
        options = self.parsed_options()
        try:
            text = json.dumps(to_dict(options))
        except TypeError as error:
            raise AssertionError(
                f"an option is not a JSON value ({error}); use int, float, bool, str or a tuple of str"
            ) from None
        require(
            parse(self.options_type(), json.loads(text), self.kind) == options,
            "options change when they are written to JSON and read again; use int, float, bool, str or a tuple of str",
        )
