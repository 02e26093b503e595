"""The loop of `engine chat`: lines from a person or a pipe, answers as they are drawn, and words that begin with a slash."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from pentad import Choice, EngineError, Limits, SavedRun, TokenEvent, UsageError, make
from pentad.tools import Conversation, can_converse, did_you_mean, split_options
from pentad_cli.tools import TextWriter, is_terminal, plural, visible_line

HELP = """\
/reset         forget everything that was said
/undo          forget the last question and its answer
/system TEXT   what the system says first; without TEXT nothing
/sampler NAME  how answers are drawn: greedy, or top-k,k=20 with options
/save FILE     add the conversation to a .jsonl file that --builder chat learns from
/help          this list
/quit          leave; so does the end of the input
Ctrl-C ends an answer. A line that should begin with a slash is typed with two."""


def sampler_of(text: str, run: SavedRun) -> Choice:
    """Return the sampler that a name with options means: `top-k,k=20`.

    Raises:
        UsageError: none of that name is installed, or an option does not fit.
    """
    name, options = split_options(text)
    choice = Choice(name, **{key.replace("-", "_"): value for key, value in options.items()})
    make("sampler", choice, catalogue=run.catalogue, tokenizer=run.tokenizer, vocabulary=run.vocabulary)
    return choice


class Console:
    """A conversation on a terminal or through a pipe.

    Args:
        run: the model.
        talk: with it.
        sampler: how answers are drawn; None for the run's own.
    """

    def __init__(self, run: SavedRun, talk: Conversation, sampler: Choice | None) -> None:
        self.saved, self.talk, self.sampler = run, talk, sampler
        self._talks = can_converse(run)
        self._left_out = 0
        self._commands: dict[str, Callable[[str], None]] = {
            "/reset": self._reset,
            "/undo": self._undo,
            "/system": self._system,
            "/sampler": self._sampler,
            "/save": self._save,
            "/help": lambda _: note(HELP),
        }

    def run(self) -> None:
        """Answer until the input ends."""
        name = visible_line(str(self.saved.path))
        if self._talks:
            note(f"Talking with {name}. /help lists what else can be typed.")
        else:
            note(f"{name} has not learned conversations, so each line is continued as plain text. /help lists the rest.")
        for line in _lines():
            if line.strip() == "/quit":
                return
            try:
                self._take(line)
            except EngineError as error:
                note(f"{error.message} {error.hint}".strip())

    def _take(self, line: str) -> None:
        if line.startswith("//"):
            self._answer(line[1:])
        elif line.startswith("/"):
            word, _, rest = line.strip().partition(" ")
            if word not in self._commands:
                near = did_you_mean(word, self._commands)
                raise UsageError(f"There is no {word}.", near or "/help lists what there is.", code="unknown-command")
            self._commands[word](rest.strip())
        elif line.strip():
            self._answer(line)

    def _answer(self, line: str) -> None:
        events = self.talk.answer(line, self.sampler) if self._talks else self._continuation(line)
        if self._talks:
            left_out = self.talk.prompt(line)[1]
            if left_out > self._left_out:
                note(f"The context is full: {plural(left_out, 'exchange')} at the beginning can no longer be seen.")
            self._left_out = left_out
        writer, ended = TextWriter(sys.stdout), ""
        try:
            for event in events:
                writer.write(event.text)
                ended = event.ended
        except KeyboardInterrupt:
            ended = "stopped"
        finally:
            close = getattr(events, "close", None)
            if close is not None:
                close()
            writer.close()
        if ended in ("length", "stopped"):
            why = f"--max-tokens {self.talk.max_tokens}" if ended == "length" else "Ctrl-C"
            note(f"(ended by {why})")

    def _continuation(self, line: str) -> Iterator[TokenEvent]:
        limits = Limits(max_tokens=self.talk.max_tokens, seed=self.talk.seed)
        return self.saved.stream(line, sampler=self.sampler, limits=limits)

    def _reset(self, rest: str) -> None:
        del rest
        self.talk.exchanges.clear()
        self._left_out = 0
        note("Everything that was said is forgotten.")

    def _undo(self, rest: str) -> None:
        del rest
        if not self.talk.exchanges:
            raise UsageError("There is nothing to undo.", "", code="nothing-to-undo")
        note(f"Forgotten: {visible_line(self.talk.exchanges.pop().question)}")

    def _system(self, rest: str) -> None:
        self.talk.system = rest
        note(f"The system says: {visible_line(rest)}" if rest else "The system says nothing.")

    def _sampler(self, rest: str) -> None:
        if not rest:
            raise UsageError("/sampler expects a name.", "/sampler greedy, or /sampler top-k,k=20.", code="value-missing")
        self.sampler = sampler_of(rest, self.saved)
        note(f"Answers are drawn by {visible_line(rest)}.")

    def _save(self, rest: str) -> None:
        if not rest:
            raise UsageError("/save expects a file.", "/save talks.jsonl", code="value-missing")
        if not self.talk.exchanges:
            raise UsageError("There is nothing to save yet.", "", code="nothing-to-save")
        try:
            with Path(rest).expanduser().open("a", encoding="utf-8") as file:
                file.write(json.dumps({"messages": self.talk.messages()}, ensure_ascii=False) + "\n")
        except OSError as error:
            raise UsageError(
                f"{rest} cannot be written: {error.strerror}.", "Name another file.", code="file-not-writable"
            ) from None
        note(f"{plural(len(self.talk.exchanges), 'exchange')} added to {visible_line(rest)}.")


def note(text: str) -> None:
    """Write what is no answer to stderr, so that a pipe holds the answers alone."""
    click.secho(text, err=True, dim=is_terminal(sys.stderr))


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
            click.echo()
            return
        except KeyboardInterrupt:
            note("\n/quit leaves.")
