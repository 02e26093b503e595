"""A text as it is written: events for the page, from a generator that is closed to stop."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from pentad import Decoder, Limits, SavedRun, TokenEvent, UsageError
from pentad_studio.generation.watching import Watched
from pentad_studio.server.streams import Event
from pentad_studio.tokens.pieces import Spelling

ALTERNATIVES = 12
"""Tokens that are shown in place of one."""

MOST_PROMPT = 4000
"""Tokens of a prompt whose probabilities are shown."""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is to be written.

    Args:
        prompt: plain text.
        kept: ids that stand behind it already: what was written before, as far as it was kept.
        max_tokens: new tokens at most; 0 to look at the prompt alone.
        seed: decides every draw.
    """

    prompt: str
    kept: Sequence[int]
    max_tokens: int
    seed: int


def write(run: SavedRun, method: Any, wish: Wish) -> Iterator[Event]:
    """Yield what is written: the prompt in pieces, each token, and the end.

    Args:
        run: open, with a session that is this writer's own.
        method: a sampler, a decoder, or None for the model's own distribution.
        wish: what is to be written.

    Raises:
        UsageError: a kept id is none of the vocabulary's, or the model cannot generate.
    """
    session, spelling = run.session, Spelling(run.tokenizer, run.vocabulary)
    unknown = [token for token in wish.kept if not 0 <= token < run.vocabulary.size]
    if unknown:
        raise UsageError(
            f"An id must be below {run.vocabulary.size:,}; found {unknown[0]:,}.",
            "Begin again: the text was written by another model.",
            code="unknown-token",
        )
    prompt = session.prompt(wish.prompt)
    ids = torch.cat([prompt, torch.tensor(list(wish.kept), dtype=torch.int64, device=prompt.device)])
    yield "start", {"step": run.step, "model": run.recipe.model.name, "prompt": _prompt(run, prompt, spelling)}
    began, number, bits, n_bytes = time.perf_counter(), 0, 0.0, 0
    if wish.max_tokens:
        limits = Limits(max_tokens=wish.max_tokens, seed=wish.seed, logprobs=True, alternatives=ALTERNATIVES)
        watched = None if isinstance(method, Decoder) else Watched(method, ALTERNATIVES)
        events = session.generate(ids, watched or method, limits)
        try:
            for event in events:
                number += 1
                told = _told(event, watched, spelling)
                bits += -event.logprob / math.log(2) if math.isfinite(event.logprob) else 0.0
                n_bytes += len(run.tokenizer.token_bytes(event.token)) if event.token < run.vocabulary.tokenizer_size else 0
                yield "token", told
        finally:
            close = getattr(events, "close", None)
            if close is not None:
                close()
    seconds = time.perf_counter() - began
    yield "done", {"tokens": number, "seconds": seconds, "bits_per_byte": bits / n_bytes if n_bytes else None}


def _prompt(run: SavedRun, prompt: torch.Tensor, spelling: Spelling) -> list[dict[str, Any]]:
    """Return the pieces of a prompt with their probabilities; the end of text that opens it has none."""
    shown = prompt[: MOST_PROMPT + 1]
    scores = run.session.score_tokens(shown).exp().tolist() if len(shown) > 1 and run.model.causal else []
    probabilities = [*scores, *[None] * (len(shown) - 1 - len(scores))]
    return [
        {"id": token, "parts": spelling.of(token), "p": _number(probability)}
        for token, probability in zip(shown[1:].tolist(), probabilities, strict=True)
    ]


def _told(event: TokenEvent, watched: Watched | None, spelling: Spelling) -> dict[str, Any]:
    told: dict[str, Any] = {"id": event.token, "text": event.text, "parts": spelling.of(event.token), "ended": event.ended}
    if watched is None:
        told["p"] = _number(math.exp(event.logprob)) if math.isfinite(event.logprob) else None
        told["others"] = [
            {"id": token, "parts": spelling.of(token), "p": _number(math.exp(logprob)), "q": None}
            for token, logprob in event.alternatives
        ]
        return told
    thought = watched.thought(event.token)
    told |= {"entropy": _number(thought.entropy), "kept": _number(thought.kept), "choices": thought.choices}
    others = [
        {"id": one.token, "parts": spelling.of(one.token), "p": _number(one.model), "q": _number(one.sampler)}
        for one in thought.alternatives
    ]
    told["others"] = others
    told["p"] = next((one["p"] for one in others if one["id"] == event.token), None)
    return told


def _number(value: float | None) -> float | None:
    """Return a number as JSON can hold it."""
    return None if value is None or not math.isfinite(value) else round(value, 6)
