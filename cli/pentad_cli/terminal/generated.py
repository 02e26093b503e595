"""Texts that are being generated, as a person sees them: text as it comes, or a line for each token; then why it ended."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pentad_cli.terminal.output import has_colour, paint, say
from pentad_cli.terminal.probabilities import header, legend, row, shade, summary
from pentad_cli.terminal.text import plural, short
from pentad_cli.terminal.writing import TextWriter

if TYPE_CHECKING:
    from pentad.contracts.session import Limits, TokenEvent
    from pentad.runs.saved_run import SavedRun


class Sink(Protocol):
    """Takes the tokens of one text."""

    def take(self, event: TokenEvent) -> None:
        """Show a token."""

    def close(self) -> None:
        """End the text, on a line of its own."""


class TextSink:
    """Writes the text; where probabilities are wanted, each token in the colour of its own."""

    def __init__(self, prompt: str, suffix: str, shaded: bool) -> None:
        self._writer, self._suffix, self._shaded = TextWriter(sys.stdout), suffix, shaded
        self._writer.write(prompt, "bold")

    def take(self, event: TokenEvent) -> None:
        """Write the text that a token completes."""
        self._writer.write(event.text, shade(event.logprob) if self._shaded else "")

    def close(self) -> None:
        """Write what stands behind the text, and end the line."""
        self._writer.write(self._suffix, "bold")
        self._writer.close()


class TableSink:
    """Writes a line for each token: its probability, and what was likeliest beside it."""

    def __init__(self, prompt: str, suffix: str, saved: SavedRun, alternatives: int) -> None:
        self._suffix, self._saved, self._alternatives = suffix, saved, alternatives
        self._text(prompt)
        say(paint(header(alternatives), "dim"))

    def take(self, event: TokenEvent) -> None:
        """Write the line of a token."""
        say(row(self._saved, event, self._alternatives))

    def close(self) -> None:
        """Write what stands behind the text."""
        self._text(self._suffix)

    def _text(self, text: str) -> None:
        if text:
            writer = TextWriter(sys.stdout)
            writer.write(text, "bold")
            writer.close()


@dataclass(frozen=True, kw_only=True)
class Display:
    """How texts are shown.

    Args:
        saved: the run that writes.
        limits: when a text ends.
        probabilities: whether each token's is shown: in colours, or as a table where there are none or alternatives are wanted.
        alternatives: how many of the likeliest other tokens the table lists.
        legend: whether to say what the colours mean.
    """

    saved: SavedRun
    limits: Limits
    probabilities: bool = False
    alternatives: int = 0
    legend: bool = True

    def one(self, events: Iterator[TokenEvent], prompt: str, suffix: str = "", more: str = "") -> str:
        """Write one text as it comes; Ctrl-C ends it and keeps what is written. Returns why it ended.

        Args:
            events: of one sequence; they are closed.
            prompt, suffix: what stands before and behind it.
            more: what is to be said of it at the end.
        """
        self._explain()
        sink, ended, logprobs, began = self._sink(prompt, suffix), "", list[float](), time.perf_counter()
        try:
            for event in events:
                sink.take(event)
                if event.ended != "stop":
                    logprobs.append(event.logprob)
                ended = event.ended
        except KeyboardInterrupt:
            ended = "stopped"
        finally:
            close = getattr(events, "close", None)
            if close is not None:
                close()
            sink.close()
        rate = len(logprobs) / max(time.perf_counter() - began, 1e-9)
        note(f"{plural(len(logprobs), 'token')}, {short(rate)} tokens/s; {why(ended, self.limits)}{more}")
        self._summarise(logprobs)
        return ended

    def several(self, events: Iterator[TokenEvent], prompt: str, suffix: str = "") -> bool:
        """Write texts that are generated together; after Ctrl-C as far as they had come. Returns whether they were stopped."""
        self._explain()
        texts: list[list[TokenEvent]] = [[] for _ in range(self.limits.samples)]
        stopped = False
        try:
            for event in events:
                texts[event.sequence].append(event)
        except KeyboardInterrupt:
            stopped = True
        for number, text in enumerate(texts, 1):
            say(paint(f"--- sample {number} of {len(texts)}", "dim"))
            sink = self._sink(prompt, suffix)
            for event in text:
                sink.take(event)
            sink.close()
        ends = [(text[-1].ended if text else "") or "stopped" for text in texts]
        logprobs = [event.logprob for text in texts for event in text if event.ended != "stop"]
        reasons = ", ".join(f"{ends.count(reason)} {why(reason, self.limits)}" for reason in dict.fromkeys(ends))
        note(f"{plural(len(logprobs), 'token')} in {plural(len(texts), 'text')}; {reasons}")
        self._summarise(logprobs)
        return stopped

    def _sink(self, prompt: str, suffix: str) -> Sink:
        if self.probabilities and (self.alternatives or not has_colour(sys.stdout)):
            return TableSink(prompt, suffix, self.saved, self.alternatives)
        return TextSink(prompt, suffix, self.probabilities)

    def _explain(self) -> None:
        if self.probabilities and self.legend and has_colour(sys.stdout):
            say(legend(), err=True)

    def _summarise(self, logprobs: list[float]) -> None:
        if self.probabilities and (words := summary(logprobs)):
            note(words)


def note(text: str) -> None:
    """Say what is no text to stderr, so that a pipe holds the texts alone."""
    say(paint(text, "dim", sys.stderr), err=True)


def why(ended: str, limits: Limits) -> str:
    """Say why a text ends."""
    return {
        "stop": "ended by the model",
        "text": "ended by --stop",
        "length": f"ended at --max-tokens {limits.max_tokens}",
        "stopped": "ended by Ctrl-C",
    }.get(ended, "ended")
