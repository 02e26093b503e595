from __future__ import annotations

import unittest
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from pentad import Implementation, option
from pentad.testing import CheckResult, Conformance, NotChecked, require


@dataclass(frozen=True, kw_only=True)
class Options:
    size: int = option(1, "A size.")


class Kit(Conformance):
    kind: ClassVar[str] = "sampler"

    def check_always(self) -> None:
        """It holds."""
        require(True, "never said")

    def check_never(self) -> None:
        """It does not hold."""
        require(False, "change this")

    def check_raises(self) -> None:
        """It fails otherwise."""
        raise ValueError("a bug\nin two lines")


class Lacking(Kit):
    implementation = Implementation(name="lacking", summary="", factory=dict, expected_failures={"never": "by nature"})

    def check_needs_more(self) -> None:
        """It cannot be seen."""
        raise NotChecked("give it an example")


class Ours(Kit):
    implementation = Implementation(name="ours", summary="", factory=dict, options=Options)
    options: ClassVar[dict[str, Any]] = {"size": 3}


class Excused(Ours):
    expected_failures: ClassVar[dict[str, str]] = {"never": "no way", "always": "wrong"}


def test_checks_are_listed_in_the_order_in_which_they_are_written():
    assert Ours.checks() == ["options_survive_json", "always", "never", "raises"]


@pytest.mark.parametrize(
    ("kit", "result"),
    [
        (Ours, CheckResult(check="always", outcome="passed")),
        (Ours, CheckResult(check="never", outcome="failed", note="never: change this")),
        (Ours, CheckResult(check="raises", outcome="failed", note="raises: raised ValueError: a bug")),
        (Excused, CheckResult(check="never", outcome="expected failure", note="no way")),
    ],
)
def test_a_check_says_how_it_ended(kit, result):
    assert kit().run(result.check) == result


def test_an_excuse_that_is_not_needed_is_told():
    assert Excused().run("always").outcome == "unexpected pass"


def test_pytest_finds_a_test_for_each_check_once_something_is_named():
    assert not [name for name in vars(Kit) if name.startswith("test_")]
    Ours().test_always()
    with pytest.raises(AssertionError, match="change this"):
        Ours().test_never()
    with pytest.raises(unittest.SkipTest, match="no way"):
        Excused().test_never()


def test_options_are_the_defaults_then_the_classes_then_the_calls():
    assert Ours().parsed_options() == Options(size=3)
    assert Ours().parsed_options(size=4) == Options(size=4)
    assert Ours().factory() is dict


def test_what_the_record_expects_to_fail_counts():
    assert Lacking().run("never") == CheckResult(check="never", outcome="expected failure", note="by nature")


def test_a_check_that_lacks_something_says_what_and_is_skipped_by_pytest():
    assert Lacking().run("needs_more") == CheckResult(check="needs_more", outcome="not checked", note="give it an example")
    kit = type("Again", (Kit,), {"implementation": Lacking.implementation, "check_needs_more": Lacking.check_needs_more})
    with pytest.raises(unittest.SkipTest, match="give it an example"):
        kit().test_needs_more()


def test_a_record_says_with_which_options_and_files_it_is_tested():
    folders = []

    def example(folder):
        (folder / "sizes.txt").write_text("7")
        folders.append(folder)
        return {"size": int((folder / "sizes.txt").read_text())}

    class WithExample(Kit):
        implementation = Implementation(name="ours", summary="", factory=dict, options=Options, example=example)

        def check_the_file_is_there(self) -> None:
            """It lasts as long as the class."""
            require(self.parsed_options().size == 7 and (folders[0] / "sizes.txt").exists(), "gone")

    class Named(WithExample):
        options: ClassVar[dict[str, Any]] = {"size": 3}

    assert WithExample().run("the_file_is_there").outcome == WithExample().run("options_survive_json").outcome == "passed"
    assert len(folders) == 1
    assert Named().parsed_options().size == 3
