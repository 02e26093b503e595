"""Interpolated modified Kneser-Ney: Chen and Goodman, An Empirical Study of Smoothing Techniques, 1999; Kneser and Ney, 1995.

With a(h w) the count of an n-gram, D its discount and h' the context without its farthest token,

    p(w | h) = (a(h w) - D(a(h w))) / a(h .) + g(h) p(w | h'),    g(h) = sum over w of D(a(h w)) / a(h .)

down to p(w) = 1 / V. For the longest n-grams a is how often they were seen; for shorter ones by how many different tokens
they were preceded: "Francisco" was seen often, but after "San" alone. D is estimated for each length, for a = 1, 2, and 3 or
more.

Contexts are nodes of a tree, a level for each length, in which a child is longer by the token that stands before. A node is
found by its parent and that token in a sorted array, whatever the order and the vocabulary.

What the text itself holds at a place can be left out of the counts by which that place is judged (leaving one out; Ney, Essen
and Kneser, On the Estimation of "Small" Probabilities by Leaving-One-Out, 1995). Then an n-gram was seen once less, and where
that was the only time, so was the shorter one.
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

ROWS_WRITTEN_OUT = 1 << 22
"""Numbers, 16 MB of them, up to which what follows each single token is written out: then whole rows are copied."""


@dataclass(frozen=True, eq=False)
class Level:
    """Contexts of one length.

    Args:
        nodes: (N,) int64, sorted: number of the parent times (V + 1), plus the token before; at length 0 the root alone.
        starts: (N + 1,) int64, where the followers of each node begin.
        pairs: (E,) int64, sorted: number of the node times V, plus what followed.
        tokens: (E,) int64, what followed.
        counts: (E,) int64, a.
        totals: (N,) float32, a(h .).
        shares: (E,) float32, the part of its probability that this length gives.
        rest: (N,) float32, g: the part that is left to the shorter context.
        discounts: (4,) float32, D for counts of 0, 1, 2, and 3 or more.
    """

    nodes: Tensor
    starts: Tensor
    pairs: Tensor
    tokens: Tensor
    counts: Tensor
    totals: Tensor
    shares: Tensor
    rest: Tensor
    discounts: Tensor


@dataclass(frozen=True, eq=False)
class _Part:
    """What one length gives to the probabilities of N contexts.

    Args:
        level: the contexts of that length.
        nodes: (N,) theirs.
        weight: (N,) times the shares of the node; 0 where the context was never seen.
        correction: (N,) to add for what is left out; None where nothing is.
    """

    level: Level
    nodes: Tensor
    weight: Tensor
    correction: Tensor | None


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
        self.alone = torch.zeros(vocab_size, device=rows.device)  # (V,) the shares without any context
        self.after_one: Tensor | None = None  # (nodes, V) those after single tokens, where that is not too much
        for level in self.levels[:1]:
            self.alone.index_add_(0, level.tokens, level.shares)
        for level in self.levels[1:2]:
            if len(level.nodes) * vocab_size <= ROWS_WRITTEN_OUT:
                flat = torch.zeros(len(level.nodes) * vocab_size, device=rows.device)
                self.after_one = flat.index_add_(0, level.pairs, level.shares).view(-1, vocab_size)

    def __deepcopy__(self, memo: object) -> Tables:
        """Return itself: nothing in it changes, and copies of a model share it."""
        return self

    def probabilities(self, contexts: Tensor, left_out: Tensor | None = None) -> Tensor:
        """Return probabilities (N, V) float32 of what follows contexts (N, W), nearest token first; each row sums to 1.

        Args:
            contexts: ids, -1 where nothing is known.
            left_out: (N,) the token that the text has behind each context, which is not to count there; -1 where all counts.
        """
        parts, rest = self._parts(contexts, left_out)  # the longest contexts first
        probabilities = self._shortest(parts, rest)
        for part in parts[: -2 if self.after_one is not None else -1]:
            _add(probabilities, part)
        for part in parts:
            if part.correction is not None and left_out is not None:
                probabilities.scatter_add_(1, left_out.clamp_min(0)[:, None], part.correction[:, None])
        return probabilities

    def _shortest(self, parts: Sequence[_Part], rest: Tensor) -> Tensor:
        """Return what contexts of one token and of none give (N, V), and what is the same for each token, `rest` (N,)."""
        if not parts:
            return (rest / self.vocab_size)[:, None].repeat(1, self.vocab_size)
        root = parts[-1].weight[:, None]  # (N, 1)
        if self.after_one is None or len(parts) < 2:
            probabilities = root * self.alone
        else:
            probabilities = self.after_one.index_select(0, parts[-2].nodes).mul_(parts[-2].weight[:, None])
            torch.addcmul(probabilities, root, self.alone, out=probabilities)
        return probabilities.add_((rest / self.vocab_size)[:, None])

    def _parts(self, contexts: Tensor, left_out: Tensor | None) -> tuple[list[_Part], Tensor]:
        """Return what each length gives, the longest first, and what (N,) is left to all tokens alike."""
        node = torch.zeros(len(contexts), dtype=torch.int64, device=contexts.device)
        found = torch.ones_like(node, dtype=torch.bool)
        steps = [(level, node, found) for level in self.levels[:1]]
        for level, token in zip(self.levels[1:], contexts.unbind(1), strict=False):
            if not len(level.nodes):
                break
            node, found = _child(level, node, token, found & (token >= 0), self.vocab_size)
            steps.append((level, node, found))
        weight = torch.ones(len(contexts), device=contexts.device)  # what longer contexts have left
        out = None if left_out is None else left_out >= 0
        parts: list[_Part] = []
        for level, node, found in reversed(steps):
            if out is None or left_out is None:
                parts.append(_Part(level, node, weight.where(found, 0.0), None))
                weight = weight * _at(level.rest, node).where(found, 1.0)
            else:
                part, weight, out = _without(level, node, found, weight, left_out, out, self.vocab_size)
                parts.append(part)
        return parts, weight


def _without(
    level: Level, node: Tensor, found: Tensor, weight: Tensor, token: Tensor, out: Tensor, vocab_size: int
) -> tuple[_Part, Tensor, Tensor]:
    """Return what a length gives to N contexts when a token is left out, what is left to shorter ones, and where they lose it.

    Args:
        level, node, found: the length, the contexts there (N,), and whether they were seen (N,).
        weight: (N,) what longer contexts have left.
        token: (N,) what is left out.
        out: (N,) where it was counted at this length.
        vocab_size: V.
    """
    keys = node * vocab_size + token.clamp_min(0)
    at = torch.searchsorted(level.pairs, keys).clamp_max(len(level.pairs) - 1)
    seen = _at(level.counts, at).where(found & (_at(level.pairs, at) == keys), 0)  # (N,)
    less = out & (seen > 0)
    total = _at(level.totals, node)
    fewer = total - less.float()
    known = found & (fewer > 0)
    scale = weight.where(known, 0.0) / fewer.clamp_min(1.0)
    before, after = _at(level.discounts, seen.clamp_max(3)), _at(level.discounts, (seen - 1).clamp(0, 3))
    correction = (scale * (before - after - 1.0)).where(less, 0.0)
    rest = _at(level.rest, node) * total - (before - after).where(less, 0.0)
    part = _Part(level, node, scale * total, correction)
    return part, (scale * rest).where(known, weight), out & ((seen == 1) | ~found)


def _child(level: Level, parent: Tensor, token: Tensor, possible: Tensor, vocab_size: int) -> tuple[Tensor, Tensor]:
    """Return each context's node (N,) one token further back, and whether (N,) it was ever seen."""
    key = parent * (vocab_size + 1) + token
    node = torch.searchsorted(level.nodes, key).clamp_max(len(level.nodes) - 1)
    return node, possible & (_at(level.nodes, node) == key)


def _add(probabilities: Tensor, part: _Part) -> None:
    """Add to probabilities (N, V) what a length gives to the followers of its nodes."""
    level, rows = part.level, part.weight.nonzero()[:, 0]
    nodes, weight = _at(part.nodes, rows), _at(part.weight, rows)
    starts = _at(level.starts, nodes)
    lengths = _at(level.starts, nodes + 1) - starts
    ends = lengths.cumsum(0)
    first = 0
    while first < len(rows):
        before = int(ends[first - 1]) if first else 0
        last = max(first + 1, int(torch.searchsorted(ends, before + ENTRIES_AT_ONCE, right=True)))
        some = slice(first, last)
        owner = torch.repeat_interleave(torch.arange(last - first, device=rows.device), lengths[some])
        skipped = starts[some] - (ends[some] - lengths[some] - before)  # from a follower's place here to that in the level
        entry = torch.arange(len(owner), device=rows.device).add_(_at(skipped, owner))
        at = _at(rows[some] * probabilities.shape[1], owner).add_(_at(level.tokens, entry))
        given = _at(weight[some], owner).mul_(_at(level.shares, entry))
        probabilities.view(-1).scatter_add_(0, at, given)
        first = last


def _at(values: Tensor, places: Tensor) -> Tensor:
    """Return values (N, …) at places (M,): less is to be decided than for `values[places]`, which takes 3 times as long."""
    return values.index_select(0, places)


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
    three = (discount,) * 3 if discount is not None else estimate(values)
    discounts = torch.tensor([0.0, *three], dtype=torch.float64, device=values.device)
    taken = discounts[values.clamp_max(3)]
    total = torch.zeros(len(nodes), dtype=torch.float64, device=values.device).index_add_(0, node, values.double())
    rest = torch.zeros_like(total).index_add_(0, node, taken) / total
    borders = torch.arange(len(nodes) + 1, device=pairs.device) * vocab_size
    return Level(
        nodes=nodes,
        starts=torch.searchsorted(pairs, borders),
        pairs=pairs,
        tokens=pairs % vocab_size,
        counts=values,
        totals=total.float(),
        shares=((values - taken) / total[node]).float(),
        rest=rest.float(),
        discounts=discounts.float(),
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
