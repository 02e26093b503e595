"""The contract of commands, as checks: what click calls, and that mistakes are told as such.

from pentad.testing import CommandConformance

class TestHello(CommandConformance):
    name = "hello"
"""

from __future__ import annotations

import contextlib
import importlib
import io
from typing import Any

from pentad.system.errors import UsageError
from pentad.testing.conformance import Conformance, require

_NO_SUCH_OPTION = "--no-such-option"


class CommandConformance(Conformance):
    """Checks of a command."""

    kind = "command"

    @classmethod
    def checks(cls) -> list[str]:
        """Return the names of the checks; a command's options are click's own."""
        return [check for check in super().checks() if check != "options_survive_json"]

    def command(self) -> Any:
        """Return the command under test."""
        click = importlib.import_module("click")  # core itself needs no click; whoever has a command brings it
        made = self.factory()
        require(isinstance(made, click.Command), f"the factory must be a click.Command, found a {type(made).__name__}")
        return made

    def call(self, *arguments: str) -> tuple[int, str]:
        """Call the command as `engine` does, and return its exit code and what it wrote to stdout."""
        click = importlib.import_module("click")
        with contextlib.redirect_stdout(io.StringIO()) as written:
            try:
                result = self.command().main(list(arguments), prog_name=f"engine {self._name()}", standalone_mode=False)
            except click.exceptions.Exit as end:
                return end.exit_code, written.getvalue()
        return result if isinstance(result, int) else 0, written.getvalue()

    def _name(self) -> str:
        return str(getattr(self.record(), "name", self.name))

    def check_is_a_click_command(self) -> None:
        """The factory names a `click.Command`, or a function that a click decorator has made one."""
        self.command()

    def check_help_is_written(self) -> None:
        """`--help` ends well, and says what the command does."""
        code, text = self.call("--help")
        require(code == 0, f"--help ends with the exit code {code}, expected 0")
        command = self.command()
        require(bool((command.help or command.short_help or "").strip()), "it has no help; give the command a docstring")
        require("Usage:" in text, "--help shows no usage")

    def check_unknown_options_are_refused(self) -> None:
        """An option that it does not have is refused as wrong usage."""
        click = importlib.import_module("click")
        try:
            with contextlib.redirect_stderr(io.StringIO()):
                self.call(_NO_SUCH_OPTION)
        except (click.UsageError, UsageError):
            return
        except Exception as error:
            raise AssertionError(f"{_NO_SUCH_OPTION} must raise click's UsageError, found {type(error).__name__}") from None
        raise AssertionError(f"{_NO_SUCH_OPTION} is taken without a word; do not set ignore_unknown_options")
