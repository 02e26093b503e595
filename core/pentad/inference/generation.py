"""Texts: what a session generates, put together."""

from __future__ import annotations

import time
from collections.abc import Callable

from pentad.contracts.observer import Sample
from pentad.contracts.sampler import Sampler
from pentad.contracts.session import Decoder, Limits, Session, TokenEvent

OnToken = Callable[[int, str], None]
"""Called with the number of the sequence and the text that its newest token completes."""


def generate(
    session: Session,
    method: Sampler | Decoder | None,
    prompt: str,
    limits: Limits,
    *,
    step: int = 0,
    final: bool = False,
    on_token: OnToken | None = None,
    on_event: Callable[[TokenEvent], None] | None = None,
) -> list[Sample]:
    """Continue a text. The prompt is plain text: no spelling in it becomes a special token.

    Args:
        session: the model.
        method: a sampler or a decoder; None draws from the model's own distribution.
        prompt: empty for the start of a document.
        limits: how long, how many, which seed.
        step, final: of the run, for the record.
        on_token: called with the number of the sequence and the text that its newest token completes.
        on_event: called with each token.

    Raises:
        UsageError: the prompt is no valid Unicode, or the model is not causal.
        EngineError: the sampler returns no distribution.
    """
    began = time.perf_counter()
    tokens: list[list[int]] = [[] for _ in range(limits.samples)]
    pieces = [""] * limits.samples
    ended = [""] * limits.samples
    for event in session.generate(prompt, method, limits):
        if on_event is not None:
            on_event(event)
        if on_token is not None and event.text:
            on_token(event.sequence, event.text)
        pieces[event.sequence] += event.text
        ended[event.sequence] = event.ended
        if event.ended != "stop":
            tokens[event.sequence].append(event.token)
    rate = sum(map(len, tokens)) / max(time.perf_counter() - began, 1e-9)
    known = session.vocabulary.tokenizer_size
    return [
        Sample(
            step=step,
            index=index,
            prompt=prompt,
            # A stop text may lie within a token, so where there is one the tokens are not the text.
            text=pieces[index] if limits.stop else session.tokenizer.decode([token for token in ids if token < known]),
            tokens=ids,
            tokens_per_second=rate,
            final=final,
            ended=ended[index],
        )
        for index, ids in enumerate(tokens)
    ]
