"""An answer as it is drawn: events for the page, from a generator that is closed to stop.

The page keeps the conversation and sends it with each question, so that nothing is left here when its tab is closed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pentad import Choice, Limits, SavedRun, TokenEvent, UsageError
from pentad.tools import Conversation, can_converse
from pentad_cli.tools import visible
from pentad_studio.server.streams import Event

MOST_EXCHANGES = 1000


@dataclass(frozen=True)
class Said:
    """A question and its answer; the ids of the answer where this run gave it, else None."""

    question: str
    answer: str
    ids: Sequence[int] | None = None


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked.

    Args:
        text: the question.
        system: what the system says first; empty for nothing.
        history: what was said before.
        max_tokens: maximum tokens of the answer.
        seed: decides every draw.
        sampler: how the answer is drawn; None for the run's own sampler.
    """

    text: str
    system: str = ""
    history: Sequence[Said] = field(default=())
    max_tokens: int = 256
    seed: int = 0
    sampler: Choice | None = None


def read_history(words: str) -> list[Said]:
    """Read what was said, as the page sends it: JSON objects with `question`, `answer` and `ids`.

    Raises:
        UsageError: it is something else.
    """
    try:
        records = json.loads(words or "[]")
        said = [Said(one["question"], one["answer"], one.get("ids")) for one in records]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        said = [Said("", "", ())] * (MOST_EXCHANGES + 1)
    if len(said) > MOST_EXCHANGES or not all(map(_is_sound, said)):
        raise UsageError(
            f"A conversation has at most {MOST_EXCHANGES:,} questions with their answers; found something else.",
            "Reset the conversation.",
            code="form-unreadable",
        )
    return said


def _is_sound(said: Said) -> bool:
    ids = said.ids is None or (isinstance(said.ids, list) and all(type(number) is int for number in said.ids))
    return ids and isinstance(said.question, str) and isinstance(said.answer, str)


def answer(run: SavedRun, question: Question) -> Iterator[Event]:
    """Yield the start of an answer, its tokens, and its end.

    A run that has not learned conversations continues the question as plain text, and reads nothing of what was said before.

    Args:
        run: open, with a session that is this conversation's own.
        question: what is asked, and all that goes with it.

    Raises:
        UsageError: an id is none that the run may draw, a sampler or an option is unknown, the model cannot generate.
    """
    seed = question.seed + len(question.history)
    if can_converse(run):
        conversation = Conversation(run, question.max_tokens, question.seed, question.system)
        for said in question.history:
            conversation.remember(said.question, said.answer, _known(run, said.ids))
        ids, left_out = conversation.prompt(question.text)
        events, n_prompt = conversation.answer(question.text, question.sampler), len(ids)
    else:
        limits = Limits(max_tokens=question.max_tokens, seed=seed)
        events, left_out = run.stream(question.text, sampler=question.sampler, limits=limits), 0
        n_prompt = len(run.tokenizer.encode(question.text)) + 1
    yield "start", {"left_out": left_out, "n_prompt": n_prompt, "context": run.session.context_length}
    yield from _told(events)


def _told(events: Iterator[TokenEvent]) -> Iterator[Event]:
    """Yield the tokens and the end; a token that ends the turn is no part of the answer and comes without an id."""
    began, number, ended = time.perf_counter(), 0, ""
    try:
        for event in events:
            number, ended = number + 1, event.ended
            yield "token", {"id": None if ended == "stop" else event.token, "text": event.text, "shown": visible(event.text)}
    finally:
        close = getattr(events, "close", None)
        if close is not None:
            close()
    yield "done", {"tokens": number, "seconds": time.perf_counter() - began, "ended": ended}


def _known(run: SavedRun, ids: Sequence[int] | None) -> Sequence[int] | None:
    """Return ids of an answer, each of which the run may have drawn: a turn's opening is none of them."""
    drawable, stops = run.vocabulary.drawable, run.vocabulary.stops
    for token in ids or ():
        if not 0 <= token < len(drawable) or not drawable[token] or token in stops:
            raise UsageError(
                f"An answer has ids that {run.path.name} can draw; found {token:,}.",
                "Reset the conversation: another model answered.",
                code="unknown-token",
            )
    return ids
