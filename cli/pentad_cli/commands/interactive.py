"""`engine generate RUN --interactive`: a line, a text that goes on from it as it is drawn, and the next line."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from pentad.config.options import split_options
from pentad.config.recipe import Choice
from pentad.registry.making import make
from pentad.runs.saved_run import SavedRun
from pentad.system.errors import EngineError, UsageError, did_you_mean
from pentad_cli.arguments.prompts import unescaped
from pentad_cli.terminal.generated import Display, note
from pentad_cli.terminal.output import say
from pentad_cli.terminal.text import visible_line

if TYPE_CHECKING:
    from pentad.contracts.session import TokenEvent

HELP = """\
A line is continued; \\n in it is a newline. An empty line goes on where the last text ended.
/sampler NAME       how tokens are drawn: greedy, or top-k,k=20 with options, or a chain such as temperature+top-p,p=0.9
/seed N             the seed of the next text; each text after it takes the next number
/max-tokens N       maximum new tokens of a text
/probabilities      show how sure the model is of each token, or stop showing it
/help               this list
/quit               leave; so does the end of the input
Ctrl-C ends a text. A line that should begin with a slash is typed with two."""


class Prompter:
    """Lines and texts, on a terminal or through a pipe.

    Args:
        display: how texts are shown; its limits have the seed of the first text.
        sampler: how tokens are drawn.
    """

    def __init__(self, display: Display, sampler: Choice) -> None:
        self.display, self.sampler = display, sampler
        self._text = ""
        self._commands: dict[str, Callable[[str], None]] = {
            "/sampler": self._sampler,
            "/seed": self._seed,
            "/max-tokens": self._max_tokens,
            "/probabilities": self._probabilities,
            "/help": lambda _: note(HELP),
        }

    def run(self) -> None:
        """Continue lines until the input ends."""
        note(f"{visible_line(str(self.display.saved.path))} goes on from each line. /help lists what else can be typed.")
        for line in _lines():
            if line.strip() == "/quit":
                return
            try:
                self._take(line)
            except EngineError as error:
                note(f"{error.message} {error.hint}".strip())

    def _take(self, line: str) -> None:
        word, _, rest = line.strip().partition(" ")
        if line.startswith("/") and not line.startswith("//"):
            if word not in self._commands:
                near = did_you_mean(word, self._commands)
                raise UsageError(f"There is no {word}.", near or "/help lists what there is.", code="unknown-command")
            self._commands[word](rest.strip())
        elif line.strip():
            self._continue(unescaped(line[1:] if line.startswith("//") else line))
        elif self._text:
            self._continue(self._text)

    def _continue(self, prompt: str) -> None:
        limits = self.display.limits
        written: list[str] = []

        def events() -> Iterator[TokenEvent]:
            for event in self.display.saved.stream(prompt, sampler=self.sampler, limits=limits):
                written.append(event.text)
                yield event

        self.display.one(events(), prompt, more=f"; seed {limits.seed}")
        self._text = prompt + "".join(written)
        self.display = dataclasses.replace(self.display, legend=self.display.legend and not self.display.probabilities)
        self._change(seed=limits.seed + 1)

    def _change(self, **limits: Any) -> None:
        self.display = dataclasses.replace(self.display, limits=dataclasses.replace(self.display.limits, **limits))

    def _sampler(self, rest: str) -> None:
        if not rest:
            raise UsageError("/sampler expects a name.", "/sampler greedy, or /sampler top-k,k=20.", code="value-missing")
        self.sampler = sampler_of(rest, self.display.saved)
        note(f"Tokens are drawn by {visible_line(rest)}.")

    def _seed(self, rest: str) -> None:
        self._change(seed=_number("/seed", rest, least=0))

    def _max_tokens(self, rest: str) -> None:
        number = _number("/max-tokens", rest, least=1)
        self._change(max_tokens=number, min_tokens=min(number, self.display.limits.min_tokens))

    def _probabilities(self, rest: str) -> None:
        del rest
        shown = not self.display.probabilities
        self._change(logprobs=shown)
        self.display = dataclasses.replace(self.display, probabilities=shown)


def sampler_of(text: str, saved: SavedRun) -> Choice:
    """Return the sampler that a name with options means: `top-k,k=20`.

    Raises:
        UsageError: none of that name is installed, or an option does not fit.
    """
    name, options = split_options(text)
    choice = Choice(name, **{key.replace("-", "_"): value for key, value in options.items()})
    make("sampler", choice, catalogue=saved.catalogue, tokenizer=saved.tokenizer, vocabulary=saved.vocabulary)
    return choice


def _number(word: str, text: str, least: int) -> int:
    if not text.isdecimal() or int(text) < least:
        raise UsageError(
            f"{word} expects a whole number from {least} on, found {text!r}.", f"{word} {least + 1}", code="option-type"
        )
    return int(text)


def _lines() -> Iterator[str]:
    """Yield what is typed, or the lines of a pipe; Ctrl-C drops the line that is being typed."""
    if not sys.stdin.isatty():
        for line in sys.stdin:
            yield line.rstrip("\r\n")
        return
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  # input() takes its editing and history from it
    while True:
        try:
            yield input("> ")
        except EOFError:
            say()
            return
        except KeyboardInterrupt:
            note("\n/quit leaves.")
