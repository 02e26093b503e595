"""Filling in: a bidirectional model says what stands behind the masks of a text, one after the other.

In each step the model says how likely each token is at each mask that is left, the mask of which it is surest is filled by the
sampler, and what was filled is read with the rest from then on (easy-first decoding: Ghazvininejad et al., Mask-Predict, 2019,
with one token a step). The builder's special token with the name `mask` is what hides a token.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pentad.contracts.batch import IGNORED, Tokens, segments_of
from pentad.contracts.builder import ExampleBuilder
from pentad.contracts.sampler import Sampler
from pentad.contracts.session import Limits, Session, TokenEvent
from pentad.contracts.tokenizer import Tokenizer
from pentad.contracts.vocabulary import MASK, Vocabulary
from pentad.inference.drawing import check_distribution, draw, generator_of
from pentad.system.errors import UsageError


def mask_of(vocabulary: Vocabulary) -> int | None:
    """Return the id of the token that hides another, or None where the builder has none."""
    return vocabulary.id(MASK) if MASK in [token.name for token in vocabulary.special] else None


def trimmed(tokenizer: Tokenizer, parts: Sequence[str]) -> list[str]:
    """Return the parts of a text between which something is to be filled in, as they are read.

    Where tokens begin with the space before their word, a space before a gap is part of what fills it.
    """
    pieces = map(tokenizer.token_bytes, range(tokenizer.vocab_size))
    spaced = any(len(piece) > 1 and piece.startswith(b" ") for piece in pieces)
    return [part.removesuffix(" ") for part in parts[:-1]] + [*parts[-1:]] if spaced else [*parts]


def masked_prompt(tokenizer: Tokenizer, vocabulary: Vocabulary, parts: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return the ids (T,) of a text with a mask between each two of its parts, an end of text in front.

    Raises:
        UsageError: a part is no valid Unicode.
    """
    mask = mask_of(vocabulary)
    assert mask is not None
    ids = [vocabulary.end_of_text]
    for number, part in enumerate(trimmed(tokenizer, parts)):
        ids += [mask] * (number > 0)
        ids += tokenizer.encode(part).tolist()
    return np.array(ids, dtype=np.int64)


def masked_excerpts(
    builder: ExampleBuilder, tokens: Tokens, vocabulary: Vocabulary, samples: int, length: int, seed: int
) -> list[npt.NDArray[np.int64]]:
    """Return parts of a text (T,) as a builder masks it: all that it would teach is hidden, and something is.

    Args:
        builder, vocabulary: bidirectional, with a mask.
        tokens: of the text.
        samples: how many at most.
        length: ids of each at most.
        seed: decides which.
    """
    mask, count = mask_of(vocabulary), builder.count(tokens)
    if mask is None or not count:
        return []
    batch = builder.build(tokens, np.arange(min(samples, count), dtype=np.int64), seed)
    rows = np.where(batch.targets == IGNORED, batch.inputs, mask)[:, :length]
    return [row for row in rows if (row == mask).any()]


def spelled(tokenizer: Tokenizer, vocabulary: Vocabulary, ids: Sequence[int]) -> str:
    """Return a text with its masks as `<mask>`; other special tokens are left out."""
    mask, data = mask_of(vocabulary), b""
    for token in ids:
        data += f"<{MASK}>".encode() if token == mask else b""
        data += tokenizer.token_bytes(token) if token < vocabulary.tokenizer_size else b""
    return data.decode(errors="replace")


def fill(session: Session, ids: Tensor, sampler: Sampler | None, limits: Limits) -> Iterator[TokenEvent]:
    """Yield an event for each mask of each sequence, in the order in which they are filled; `position` says where.

    Args:
        session: of a bidirectional model.
        ids: (T,) with masks.
        sampler: None draws from the model's own distribution.
        limits: samples, seed, and what events tell; every mask is filled, however many there are.

    Raises:
        UsageError: there is no mask, or the text is longer than the model's context.
        EngineError: the sampler returns no distribution.
    """
    mask = mask_of(session.vocabulary)
    hidden = 0 if mask is None else int(ids.eq(mask).sum())
    if mask is None or not hidden:
        raise UsageError(
            "A bidirectional model fills in what is masked; the text has no mask.",
            'Write <mask> for each token to fill in: --prompt "To be or <mask> to be"',
            code="nothing-to-fill",
        )
    limit = session.context_length
    if limit is not None and len(ids) > limit:
        raise UsageError(
            f"A text to fill in must fit into the model's context of {limit} tokens; found {len(ids)}.",
            "Shorten it.",
            code="prompt-too-long",
        )
    generators = [generator_of(limits.seed, index) for index in range(limits.samples)]
    tokens = ids.repeat(limits.samples, 1)  # (B, T)
    numbers = segments_of(ids[None].cpu().numpy(), session.vocabulary.end_of_text)
    segments = None if numbers is None else torch.from_numpy(numbers).to(session.device).expand_as(tokens)
    drawable = session.vocabulary.drawable
    drawable[list(session.vocabulary.stops)] = False
    banned = torch.from_numpy(~drawable).to(session.device)
    rows = torch.arange(limits.samples, device=session.device)
    state = sampler.start(tokens) if sampler is not None else None
    for left in range(hidden, 0, -1):
        with torch.inference_mode():
            places = tokens.eq(mask).nonzero()[:, 1].view(limits.samples, left)  # (B, M)
            features = session.net(tokens, segments).features
            logits = session.net.logits(features.gather(1, places[..., None].expand(-1, -1, features.shape[-1])))  # (B, M, V)
            likely = logits.masked_fill(banned, -torch.inf).softmax(dim=-1)
            surest = likely.amax(dim=-1).argmax(dim=-1)  # (B,)
            chosen, position = logits[rows, surest], places[rows, surest]
            scores = chosen.log_softmax(dim=-1) if limits.alternatives or limits.logprobs else None
            chosen = chosen.masked_fill(banned, -torch.inf)
            probabilities = chosen.softmax(dim=-1) if sampler is None else sampler.constrained(chosen, tokens, state)
            check_distribution(probabilities, chosen, banned)
            drawn = draw(probabilities, generators).to(tokens.device)
            state = sampler.advance(state, drawn) if sampler is not None else None
            tokens[rows, position] = drawn
        for index, (token, place) in enumerate(zip(drawn.tolist(), position.tolist(), strict=True)):
            yield _event(session, index, token, place, None if scores is None else scores[index], limits, left == 1)


def _event(
    session: Session, index: int, token: int, position: int, scores: Tensor | None, limits: Limits, last: bool
) -> TokenEvent:
    alternatives: tuple[tuple[int, float], ...] = ()
    if scores is not None and limits.alternatives:
        best = scores.topk(min(limits.alternatives, len(scores)))
        alternatives = tuple(zip(best.indices.tolist(), best.values.tolist(), strict=True))
    return TokenEvent(
        sequence=index,
        token=token,
        text=session.tokenizer.token_bytes(token).decode(errors="replace"),
        logprob=math.nan if scores is None else float(scores[token]),
        alternatives=alternatives,
        ended="filled" if last else "",
        position=position,
    )
