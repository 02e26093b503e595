"""Answers to the prompts that a text asks, for texts of which only answers are learned: talks, pairs, tasks."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch

from pentad.contracts.batch import Tokens
from pentad.contracts.observer import Sample
from pentad.contracts.sampler import Sampler
from pentad.contracts.session import Decoder, Limits, Session
from pentad.inference.generation import generate


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
        (sample,) = generate(session, method, as_read(session, ids.tolist()), one, ids=ids, step=step, final=final)
        found.append(dataclasses.replace(sample, index=index))
    return found


def as_read(session: Session, ids: Sequence[int]) -> str:
    """Return ids as a person reads them, special tokens spelled out, but for an end of text in front: it opens any prompt."""
    known, text, plain = session.vocabulary.tokenizer_size, "", list[int]()
    for token in ids[ids[:1] == [session.vocabulary.end_of_text] :]:
        if token < known:
            plain.append(token)
            continue
        text += session.tokenizer.decode(plain) + (session.vocabulary.spelling(token) or "")
        plain = []
    return text + session.tokenizer.decode(plain)
