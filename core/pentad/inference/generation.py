"""Texts: what a session generates, put together."""

from __future__ import annotations

import time
from collections.abc import Callable

from torch import Tensor

from pentad.config.options import parse
from pentad.config.recipe import Choice
from pentad.contracts.observer import Sample
from pentad.contracts.sampler import Sampler
from pentad.contracts.session import Decoder, Limits, Session, TokenEvent
from pentad.contracts.tokenizer import Tokenizer
from pentad.contracts.vocabulary import Vocabulary
from pentad.inference.filling import mask_of, spelled
from pentad.registry.catalogue import Catalogue
from pentad.registry.resolving import Resolved

OnToken = Callable[[int, str], None]
"""Called with the number of the sequence and the text that its newest token completes."""


def generate(
    session: Session,
    method: Sampler | Decoder | None,
    prompt: str,
    limits: Limits,
    *,
    ids: Tensor | None = None,
    suffix: str = "",
    step: int = 0,
    final: bool = False,
    on_token: OnToken | None = None,
    on_event: Callable[[TokenEvent], None] | None = None,
) -> list[Sample]:
    """Continue a text, or fill one in. The prompt is plain text: no spelling in it becomes a special token.

    Args:
        session: the model.
        method: a sampler or a decoder; None draws from the model's own distribution.
        prompt: empty for the start of a document.
        limits: how long, how many, which seed.
        ids: (T,) what the model reads in place of the prompt: with masks for a bidirectional model, or such that it writes
            between the prompt and the suffix.
        suffix: what stands behind the text that is written.
        step, final: of the run, for the record.
        on_token: called with the number of the sequence and the text that its newest token completes.
        on_event: called with each token.

    Raises:
        UsageError: the prompt is no valid Unicode, or the model is not causal.
        EngineError: the sampler returns no distribution.
    """
    began = time.perf_counter()
    if ids is not None and not session.model.causal:
        return _fill(session, method, ids, limits, step=step, final=final, on_token=on_token, on_event=on_event)
    tokens: list[list[int]] = [[] for _ in range(limits.samples)]
    pieces = [""] * limits.samples
    ended = [""] * limits.samples
    for event in session.generate(prompt if ids is None else ids, method, limits):
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
            suffix=suffix,
            # A stop text may lie within a token, so where there is one the tokens are not the text.
            text=pieces[index] if limits.stop else session.tokenizer.decode([token for token in ids if token < known]),
            tokens=ids,
            tokens_per_second=rate,
            final=final,
            ended=ended[index],
        )
        for index, ids in enumerate(tokens)
    ]


def _fill(
    session: Session,
    method: Sampler | Decoder | None,
    ids: Tensor,
    limits: Limits,
    *,
    step: int,
    final: bool,
    on_token: OnToken | None,
    on_event: Callable[[TokenEvent], None] | None,
) -> list[Sample]:
    """Return texts of which each mask is filled in."""
    began = time.perf_counter()
    before = ids.tolist()
    hidden = [place for place, token in enumerate(before) if token == mask_of(session.vocabulary)]
    filled = [list(before) for _ in range(limits.samples)]
    for event in session.generate(ids, method, limits):
        assert event.position is not None
        if on_event is not None:
            on_event(event)
        filled[event.sequence][event.position] = event.token
        if on_token is not None:
            on_token(event.sequence, event.text)
    rate = limits.samples * len(hidden) / max(time.perf_counter() - began, 1e-9)
    known = session.vocabulary.tokenizer_size
    return [
        Sample(
            step=step,
            index=index,
            prompt="",
            text=session.tokenizer.decode([token for token in tokens if token < known]),
            masked=spelled(session.tokenizer, session.vocabulary, before),
            tokens=[tokens[place] for place in hidden],
            tokens_per_second=rate,
            final=final,
            ended="filled",
        )
        for index, tokens in enumerate(filled)
    ]


def make_sampler(
    resolved: Resolved, catalogue: Catalogue, choice: Choice | None, tokenizer: Tokenizer, vocabulary: Vocabulary
) -> Sampler | Decoder:
    """Return the recipe's sampler, or another one; `top-k+temperature` is a chain of samplers.

    Raises:
        UsageError: a name or an option is unknown, an option belongs to several samplers of a chain, or a decoder stands in it.
    """
    offer, options = resolved.offers["sampler"], resolved.options["sampler"]
    if choice is not None:
        offer = catalogue.find("sampler", choice.name)
        options = parse(offer.options, choice.options, "sampler")
    method: Sampler | Decoder = offer.make(options, tokenizer=tokenizer, vocabulary=vocabulary)
    return method
