"""Texts: what a session generates, put together."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch

from pentad.contracts.batch import Tokens
from pentad.contracts.observer import Sample
from pentad.contracts.sampler import Sampler
from pentad.contracts.session import Decoder, Limits, Session

OnToken = Callable[[int, str], None]
"""Called with the number of the sequence and the text that its newest token completes."""


def generate(
    session: Session,
    method: Sampler | Decoder | None,
    prompt: str | torch.Tensor,
    limits: Limits,
    *,
    step: int = 0,
    final: bool = False,
    on_token: OnToken | None = None,
) -> list[Sample]:
    """Continue a text. The prompt is plain text: no spelling in it becomes a special token.

    Args:
        session: the model.
        method: a sampler or a decoder; None draws from the model's own distribution.
        prompt: empty for the start of a document; or ids (T,), which may be special tokens.
        limits: how long, how many, which seed.
        step, final: of the run, for the record.
        on_token: called with the number of the sequence and the text that its newest token completes.

    Raises:
        UsageError: the prompt is no valid Unicode, or the model is not causal.
        EngineError: the sampler returns no distribution.
    """
    began = time.perf_counter()
    tokens: list[list[int]] = [[] for _ in range(limits.samples)]
    pieces = [""] * limits.samples
    ended = [""] * limits.samples
    for event in session.generate(prompt, method, limits):
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
            prompt=prompt if isinstance(prompt, str) else spelled(session, prompt.tolist()),
            # A stop text may lie within a token, so where there is one the tokens are not the text.
            text=pieces[index] if limits.stop else session.tokenizer.decode([token for token in ids if token < known]),
            tokens=ids,
            tokens_per_second=rate,
            final=final,
            ended=ended[index],
        )
        for index, ids in enumerate(tokens)
    ]


def questions(tokens: Tokens, number: int) -> list[list[int]]:
    """Return the prompts of a text of which only answers are learned: of some of its documents, what stands before the answer.

    Args:
        tokens: of a text, rendered by a builder.
        number: how many prompts at most, spread over the text, each another one.

    Returns:
        Ids with the end of text that opens each document; nothing where all of the text is learned.
    """
    if tokens.learn is None or len(tokens.starts) < 2:
        return []
    found: dict[tuple[int, ...], None] = {}
    documents = len(tokens.starts) - 1
    for document in np.linspace(0, documents - 1, min(documents, 8 * number)).astype(np.int64).tolist():
        first, end = int(tokens.starts[document]), int(tokens.starts[document + 1])
        learned = np.flatnonzero(np.asarray(tokens.learn[first + 1 : end + 1]))
        if len(learned):
            found[tuple(np.asarray(tokens.ids[first : first + 1 + int(learned[0])]).tolist())] = None
    spread = np.linspace(0, max(0, len(found) - 1), min(number, len(found))).astype(np.int64)
    return [list(list(found)[place]) for place in spread.tolist()]


def answer(
    session: Session,
    method: Sampler | Decoder | None,
    prompts: Sequence[Sequence[int]],
    limits: Limits,
    *,
    step: int = 0,
    final: bool = False,
) -> list[Sample]:
    """Answer prompts of ids, one text each; a prompt that the model's context cannot hold loses its beginning."""
    found = []
    for index, prompt in enumerate(prompts):
        room = session.context_length or len(prompt)
        ids = torch.tensor(prompt[-room:], device=session.device)
        one = dataclasses.replace(limits, samples=1, seed=limits.seed + index)
        (sample,) = generate(session, method, ids, one, step=step, final=final)
        found.append(dataclasses.replace(sample, index=index))
    return found


def spelled(session: Session, ids: Sequence[int]) -> str:
    """Return ids as a person reads them, special tokens spelled out but for the end of text in front."""
    known, text, plain = session.vocabulary.tokenizer_size, "", list[int]()
    for token in ids[ids[:1] == [session.vocabulary.end_of_text] :]:
        if token < known:
            plain.append(token)
            continue
        text += session.tokenizer.decode(plain) + (session.vocabulary.spelling(token) or "")
        plain = []
    return text + session.tokenizer.decode(plain)
