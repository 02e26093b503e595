"""A model looked into: maps of attention and gates, the head read early, and the neighbours of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pentad import SavedRun
from pentad_studio.tokens.pieces import Parts, Spelling

MOST_TOKENS = 48
"""Of a text that is looked at: a map has the square of them."""

NEIGHBOURS, MOST_UNITS = 8, 128


@dataclass(frozen=True)
class Guess:
    """What the head says at a place: the likeliest token, its probability, and that of the token that does come."""

    id: int
    parts: Parts
    p: float
    truth: float | None


@dataclass(frozen=True)
class Neighbours:
    """A token of the text, and the tokens whose embeddings point the same way, with the cosine."""

    id: int
    parts: Parts
    near: list[tuple[Parts, float]]


@dataclass(frozen=True)
class Look:
    """What was seen.

    Args:
        tokens: of the text, the end of text that opens it first.
        ids: theirs.
        more: tokens of the text that are not among these.
        maps: attention by layer: heads of T rows of T shares, in thousandths, as JSON holds them.
        gates: by name: units of T values, in thousandths.
        lens: by place: what the head says at each position.
        neighbours: of each different token.
    """

    tokens: list[Parts]
    ids: list[int]
    more: int
    maps: dict[str, list[list[list[int]]]]
    gates: dict[str, list[list[int]]]
    lens: list[tuple[str, list[Guess]]]
    neighbours: list[Neighbours]


@torch.inference_mode()
def look_into(run: SavedRun, text: str) -> Look:
    """Look into a model while it reads a text.

    Raises:
        UsageError: the text is no valid Unicode.
    """
    spelling = Spelling(run.tokenizer, run.vocabulary)
    whole = run.session.prompt(text)
    ids = whole[: min(MOST_TOKENS, run.model.context_length or MOST_TOKENS)]
    shown = run.model.inspect(ids)
    following = [*ids[1:].tolist(), None]
    return Look(
        tokens=[spelling.of(token) for token in ids.tolist()],
        ids=ids.tolist(),
        more=len(whole) - len(ids),
        maps={name: _thousandths(weights) for name, weights in shown.attention.items()},
        gates={name: _thousandths(_few(gate).T) for name, gate in shown.gates.items()},
        lens=[(name, _guesses(run, stream, following, spelling)) for name, stream in shown.streams.items()],
        neighbours=_neighbours(run, ids, spelling),
    )


def _few(gate: Tensor) -> Tensor:
    """Return at most so many units (T, units), spread evenly."""
    return gate[:, :: max(1, -(-gate.shape[1] // MOST_UNITS))]


def _thousandths(values: Tensor) -> Any:
    return (values.float().cpu() * 1000).round().int().tolist()


def _guesses(run: SavedRun, stream: Tensor, following: Sequence[int | None], spelling: Spelling) -> list[Guess]:
    probabilities = run.model.logits(stream).float().softmax(dim=-1)  # (T, V)
    best = probabilities.max(dim=-1)
    return [
        Guess(token, spelling.of(token), p, None if truth is None else float(probabilities[place, truth]))
        for place, (token, p, truth) in enumerate(zip(best.indices.tolist(), best.values.tolist(), following, strict=True))
    ]


def _neighbours(run: SavedRun, ids: Tensor, spelling: Spelling) -> list[Neighbours]:
    """Return the neighbours of each different token, by the first parameter that is an embedding of the whole vocabulary."""
    roles, named = run.model.roles(), dict(run.model.named_parameters())
    tables = [named[name] for name, role in roles.items() if role == "embedding" and len(named[name]) >= run.vocabulary.size]
    if not tables:
        return []
    table = torch.nn.functional.normalize(tables[0][: run.vocabulary.size].float(), dim=-1)  # (V, D)
    wanted = list(dict.fromkeys(ids.tolist()))
    found = (table[wanted] @ table.T).topk(min(NEIGHBOURS + 1, len(table)), dim=-1)
    rows = zip(wanted, found.indices.tolist(), found.values.tolist(), strict=True)
    return [
        Neighbours(
            token,
            spelling.of(token),
            [(spelling.of(near), cosine) for near, cosine in zip(tokens, cosines, strict=True) if near != token][:NEIGHBOURS],
        )
        for token, tokens, cosines in rows
    ]
