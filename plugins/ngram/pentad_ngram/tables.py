"""Interpolated modified Kneser-Ney: Chen and Goodman, An Empirical Study of Smoothing Techniques, 1999; Kneser and Ney, 1995.

With a(h w) the count of an n-gram, D its discount and h' the context without its farthest token,

    p(w | h) = (a(h w) - D(a(h w))) / a(h .) + g(h) p(w | h'),    g(h) = sum over w of D(a(h w)) / a(h .)

down to p(w) = 1 / V. For the longest n-grams a is how often they were seen; for shorter ones by how many different tokens
they were preceded: "Francisco" was seen often, but after "San" alone. D is estimated for each length, for a = 1, 2, and 3 or
more.

Contexts are nodes of a tree, a level for each length, in which a child is longer by the token that stands before. A node is
found by its parent and that token in a sorted array, whatever the order and the vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

FALLBACK = (0.5, 1.0, 1.5)
"""Discounts where the text is too small or too regular to estimate them."""

ENTRIES_AT_ONCE = 1 << 23
"""Followers that are added to probabilities at once, which bounds the memory that it takes."""


@dataclass(frozen=True, eq=False)
class Level:
    """Contexts of one length.

    Args:
        nodes: (N,) int64, sorted: number of the parent times (V + 1), plus the token before; at length 0 the root alone.
        starts: (N + 1,) int64, where the followers of each node begin.
        tokens: (E,) int64, what followed.
        shares: (E,) float32, the part of its probability that this length gives.
        rest: (N,) float32, g: the part that is left to the shorter context.
        discounts: for counts of 1, 2, and 3 or more.
    """

    nodes: Tensor
    starts: Tensor
    tokens: Tensor
    shares: Tensor
    rest: Tensor
    discounts: tuple[float, float, float]


class Tables:
    """Probabilities of what follows.

    Args:
        rows: (K, order) distinct n-grams, as in `counting`.
        counts: (K,) how often each was seen.
        vocab_size: V; as an id of a context it is the boundary of a document.
        discount: for all counts; None to estimate them.
    """

    def __init__(self, rows: Tensor, counts: Tensor, vocab_size: int, discount: float | None) -> None:
        self.vocab_size = vocab_size
        self.levels = _levels(rows.long(), counts, vocab_size, discount) if len(rows) else []
        self.unigram = torch.full((vocab_size,), 1 / vocab_size, device=rows.device)
        if self.levels:
            root = self.levels[0]
            self.unigram = (root.rest / vocab_size).expand(vocab_size).index_add(0, root.tokens, root.shares)

    def probabilities(self, contexts: Tensor) -> Tensor:
        """Return probabilities (N, V) float32 of what follows contexts (N, W), nearest token first; each row sums to 1."""
        node = torch.zeros(len(contexts), dtype=torch.int64, device=contexts.device)
        found = torch.ones_like(node, dtype=torch.bool)
        steps: list[tuple[Level, Tensor, Tensor]] = []
        for level, token in zip(self.levels[1:], contexts.unbind(1), strict=False):
            node, found = _child(level, node, token, found & (token >= 0), self.vocab_size)
            steps.append((level, node, found))
        weight = torch.ones(len(contexts), device=contexts.device)  # what longer contexts have left
        shares: list[tuple[Level, Tensor, Tensor, Tensor]] = []
        for level, node, found in reversed(steps):
            rows = found.nonzero()[:, 0]
            shares.append((level, rows, node[rows], weight[rows]))
            weight[rows] *= level.rest[node[rows]]
        probabilities = weight[:, None] * self.unigram  # (N, V)
        for share in shares:
            _add(probabilities, *share)
        return probabilities


def _child(level: Level, parent: Tensor, token: Tensor, possible: Tensor, vocab_size: int) -> tuple[Tensor, Tensor]:
    """Return each context's node (N,) one token further back, and whether (N,) it was ever seen."""
    key = parent * (vocab_size + 1) + token
    node = torch.searchsorted(level.nodes, key).clamp_max(max(0, len(level.nodes) - 1))
    if not len(level.nodes):
        return node, torch.zeros_like(possible)
    return node, possible & (level.nodes[node] == key)


def _add(probabilities: Tensor, level: Level, rows: Tensor, nodes: Tensor, weight: Tensor) -> None:
    """Add to probabilities (N, V) what a level gives to the followers of nodes (R,), times a weight (R,)."""
    lengths = level.starts[nodes + 1] - level.starts[nodes]
    ends = lengths.cumsum(0)
    first = 0
    while first < len(rows):
        before = int(ends[first - 1]) if first else 0
        last = max(first + 1, int(torch.searchsorted(ends, before + ENTRIES_AT_ONCE, right=True)))
        part = slice(first, last)
        owner = torch.repeat_interleave(torch.arange(last - first, device=rows.device), lengths[part])
        offset = torch.arange(len(owner), device=rows.device) - (ends[part] - lengths[part] - before)[owner]
        entry = level.starts[nodes[part]][owner] + offset
        at = rows[part][owner] * probabilities.shape[1] + level.tokens[entry]
        probabilities.view(-1).index_add_(0, at, weight[part][owner] * level.shares[entry])
        first = last


def _levels(rows: Tensor, counts: Tensor, vocab_size: int, discount: float | None) -> list[Level]:
    """Return the levels from the empty context to the longest."""
    width = rows.shape[1] - 1
    nodes = [rows.new_zeros(1)]
    at = [rows.new_zeros(len(rows))]  # each row's node, or -1 where the context is not known that far
    for length in range(1, width + 1):
        token, parent = rows[:, length - 1], at[-1]
        known = (token >= 0) & (parent >= 0)
        found, which = torch.unique(parent[known] * (vocab_size + 1) + token[known], return_inverse=True)
        nodes.append(found)
        at.append(torch.full_like(token, -1).masked_scatter(known, which))
    following = rows[:, -1]
    whole = at[width] >= 0
    pairs, which = torch.unique(at[width][whole] * vocab_size + following[whole], return_inverse=True)
    values = counts.new_zeros(len(pairs)).index_add_(0, which, counts[whole])
    levels = [_level(nodes[width], pairs, values, vocab_size, discount)]
    for length in range(width - 1, -1, -1):
        child, token = pairs // vocab_size, pairs % vocab_size
        longer = (nodes[length + 1][child] // (vocab_size + 1)) * vocab_size + token
        cut = (at[length] >= 0) & (at[length + 1] < 0)  # preceded by something that is not known
        shorter = torch.unique(at[length][cut] * vocab_size + following[cut])
        pairs, values = torch.unique(torch.cat([longer, shorter]), return_counts=True)
        levels.append(_level(nodes[length], pairs, values, vocab_size, discount))
    return levels[::-1]


def _level(nodes: Tensor, pairs: Tensor, values: Tensor, vocab_size: int, discount: float | None) -> Level:
    """Return the level of contexts whose followers are `pairs` (E,), node times V plus token, with these counts (E,)."""
    node = pairs // vocab_size
    discounts = (discount,) * 3 if discount is not None else estimate(values)
    taken = torch.tensor([0.0, *discounts], dtype=torch.float64, device=values.device)[values.clamp_max(3)]
    total = torch.zeros(len(nodes), dtype=torch.float64, device=values.device).index_add_(0, node, values.double())
    rest = torch.zeros_like(total).index_add_(0, node, taken) / total
    borders = torch.arange(len(nodes) + 1, device=pairs.device) * vocab_size
    return Level(
        nodes=nodes,
        starts=torch.searchsorted(pairs, borders),
        tokens=pairs % vocab_size,
        shares=((values - taken) / total[node]).float(),
        rest=rest.float(),
        discounts=discounts,
    )


def estimate(values: Tensor) -> tuple[float, float, float]:
    """Return the discounts for counts of 1, 2, and 3 or more, by how many n-grams were seen 1, 2, 3 and 4 times.

    Chen and Goodman, 1999, equation 17; `FALLBACK` where one of these is none, or a discount would not lie within its count.
    """
    seen = _how_many(values)
    if not all(seen):
        return FALLBACK
    share = seen[0] / (seen[0] + 2 * seen[1])
    one, two, three = (number - (number + 1) * share * seen[number] / seen[number - 1] for number in (1, 2, 3))
    return (one, two, three) if 0 < one < 1 and 0 < two < 2 and 0 < three < 3 else FALLBACK


def _how_many(values: Tensor) -> Sequence[int]:
    found: list[int] = torch.bincount(values.clamp_max(5), minlength=6)[1:5].tolist()
    return found
