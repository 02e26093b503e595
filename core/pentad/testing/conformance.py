"""What the five conformance classes share: how a check is found, run, expected to fail and reported."""

from __future__ import annotations

import json
import unittest
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pentad.config.options import parse, to_dict
from pentad.registry.catalogue import Catalogue
from pentad.registry.records import Implementation, resolve
from pentad.system.errors import one_line


def require(condition: bool, message: str) -> None:
    """Fail the check unless the condition holds; the message tells the author what to change.

    Raises:
        AssertionError: the condition does not hold.
    """
    if not condition:
        raise AssertionError(message)


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """How one check ended: `note` is the failure's message, or the reason why a failure was expected."""

    check: str
    outcome: Literal["passed", "failed", "expected failure", "unexpected pass"]
    note: str = ""


class Conformance:
    """Base of the five classes. Methods named `check_…` are the checks; pytest sees each as `test_…`.

    Attributes:
        kind: the stage, set by the five classes.
        name: the implementation to test, as users type it.
        implementation: the record itself, instead of `name`, for code that is not installed.
        options: options to test it with, beside the defaults; make the thing small so that checks take milliseconds.
        expected_failures: name of a check (without `check_`) to the reason why this implementation cannot keep it.
    """

    kind: ClassVar[str]
    name: ClassVar[str] = ""
    implementation: ClassVar[Implementation | None] = None
    options: ClassVar[Mapping[str, Any]] = {}
    expected_failures: ClassVar[Mapping[str, str]] = {}

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

    def run(self, check: str) -> CheckResult:
        """Run one check and say how it ended; a check that is expected to fail must fail."""
        reason = self.expected_failures.get(check)
        try:
            getattr(self, f"check_{check}")()
        except Exception as error:
            message = str(error) if isinstance(error, AssertionError) else f"raised {one_line(error)}"
            if reason is not None:
                return CheckResult(check=check, outcome="expected failure", note=reason)
            return CheckResult(check=check, outcome="failed", note=f"{check}: {message}")
        if reason is not None:
            note = f"{check} passes now: take it out of expected_failures"
            return CheckResult(check=check, outcome="unexpected pass", note=note)
        return CheckResult(check=check, outcome="passed")

    def record(self) -> Implementation:
        """Return the record under test."""
        if self.implementation is not None:
            return self.implementation
        record = Catalogue().find(self.kind, self.name).record
        assert isinstance(record, Implementation)
        return record

    def factory(self) -> Any:
        """Import the factory of the record under test."""
        return resolve(self.record().factory)

    def parsed_options(self, **more: Any) -> Any:
        """Return the options object: defaults, then `options`, then `more`."""
        return parse(resolve(self.record().options), {**self.options, **more}, self.kind)

    def check_options_survive_json(self) -> None:
        """The options, written as JSON and read again, are the same: recipes and saved runs depend on it."""
        options = self.parsed_options()
        try:
            text = json.dumps(to_dict(options))
        except TypeError as error:
            raise AssertionError(f"an option is no JSON value ({error}); use int, float, bool, str or a tuple of str") from None
        require(
            parse(resolve(self.record().options), json.loads(text), self.kind) == options,
            "options change when they are written to JSON and read again; use int, float, bool, str or a tuple of str",
        )
