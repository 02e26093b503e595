"""The contract of example builders, as checks.

Most checks read a text in which no token but the end-of-text occurs twice: then a token tells where it stands in the text,
and what a row teaches can be compared with what the text says.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from pentad.contracts.batch import IGNORED, Batch, Tokens
from pentad.contracts.builder import ExampleBuilder
from pentad.registry.catalogue import Catalogue
from pentad.testing.conformance import Conformance, require
from pentad.testing.stages.objective import ObjectiveConformance
from pentad.testing.stages.policy import PolicyBuilderConformance, policy_arguments
from pentad.testing.subjects import Symbols

_LENGTHS = (5, 1, 12, 3, 40, 8, 23)
"""Tokens of the test's documents: shorter and longer than a row, and as long as one."""

_END = 0
_VOCAB_SIZE = 1 + sum(_LENGTHS)


@dataclass(frozen=True, kw_only=True)
class _Learned:
    """One target, with what the model may look at when it learns it."""

    example: int
    column: int
    token: int
    target: int
    visible: list[int]


class ExampleBuilderConformance(Conformance):
    """Checks of an example builder.

    Attributes:
        context_length: tokens of a row in the checks.
    """

    kind = "builder"
    context_length: ClassVar[int] = 8

    def builder(self, **options: Any) -> ExampleBuilder:
        """Make the builder under test."""
        arguments = {"context_length": self.context_length, "vocab_size": _VOCAB_SIZE, "end_of_text": _END}
        made = self.make(options=options, tokenizer=Symbols(_VOCAB_SIZE), catalogue=Catalogue(entry_points=()), **arguments)
        require(isinstance(made, ExampleBuilder), f"the factory must return an ExampleBuilder, found a {type(made).__name__}")
        other = "it writes its examples with the model (needs_policy); test it with PolicyBuilderConformance"
        require(not made.needs_policy, other)
        return made  # type: ignore[no-any-return]

    @classmethod
    def kits(cls) -> list[type[Conformance]]:
        """Return this class or that of builders that need the policy, and that of the objective where it brings one."""
        try:
            made = cls().make(**policy_arguments())
            objective = made.objective()
        except Exception:
            return [cls]
        own = cls.kit_of(PolicyBuilderConformance) if made.needs_policy else cls
        return [own] if objective is None else [own, cls.kit_of(ObjectiveConformance)]

    def check_rows_have_their_shape(self) -> None:
        """Inputs, targets and segments are int64 arrays (B, T), with B the number of indices and T at most the context."""
        batch = self._epoch(self.builder(), seed=1)
        for name in ("inputs", "targets", "segments"):
            rows = getattr(batch, name)
            if rows is None and name == "segments":
                continue
            require(rows.dtype == np.int64, f"{name} must be int64, found {rows.dtype}")
            require(rows.shape == batch.inputs.shape, f"{name} has shape {rows.shape}, inputs {batch.inputs.shape}")
        rows, columns = batch.inputs.shape
        require(
            rows == self.builder().count(_text()), f"asked for count() = {self.builder().count(_text())}, found {rows} rows"
        )
        require(columns <= self.context_length, f"rows have {columns} tokens, the context {self.context_length}")

    def check_ids_are_within_the_vocabulary(self) -> None:
        """Inputs and targets are ids below vocab_size and those of special_tokens; a target may also be IGNORED."""
        builder = self.builder()
        batch, end = self._epoch(builder, seed=1), _VOCAB_SIZE + len(builder.special_tokens)
        targets = batch.targets[batch.targets != IGNORED]
        for name, ids in (("inputs", batch.inputs), ("targets", targets)):
            require(bool(((ids >= 0) & (ids < end)).all()), f"{name} must lie in [0, {end}), found {ids.min()} to {ids.max()}")

    def check_same_rows_in_any_grouping(self) -> None:
        """An example depends on the text, its index and the seed alone: not on its batch, the order, or earlier calls."""
        builder, text = self.builder(), _text()
        indices = np.arange(2 * builder.count(text))
        for seed in (None, 1):
            whole = builder.build(text, indices, seed)
            halves = [self.builder().build(text, part, seed) for part in (indices[:3], indices[3:])]
            single = [builder.build(text, indices[at : at + 1], seed) for at in indices]
            backwards = builder.build(text, indices[::-1].copy(), seed)
            for what, batches in (("in two batches", halves), ("one by one", single), ("backwards", [backwards])):
                found = _rows(batches)
                expected = _rows([whole])
                wanted = expected[::-1] if what == "backwards" else expected
                require(
                    found == wanted, f"build gives other examples {what} (seed {seed}); make it a function of its arguments"
                )
        require(bool((text.ids == _text().ids).all()), "build changed the text that it was given")

    def check_seed_decides_the_order(self) -> None:
        """Two seeds give two orders."""
        builder = self.builder()
        orders = [_rows([self._epoch(builder, seed)]) for seed in (1, 2, 3)]
        require(
            not orders[0] == orders[1] == orders[2], "seeds 1, 2 and 3 give the same examples in the same order; use the seed"
        )

    def check_no_seed_is_the_order_of_the_text(self) -> None:
        """Without a seed the examples come in the order of the text."""
        learned = self._learned(self._epoch(self.builder(), seed=None))
        firsts = {one.example: one.target for one in reversed(learned) if one.target != _END}
        order = [firsts[example] for example in sorted(firsts)]
        require(order == sorted(order), "with seed None the examples must come in the order of the text")

    def check_examples_are_distinct(self) -> None:
        """No example of a pass comes twice."""
        for passes in (0, 1):
            rows = _rows([self._epoch(self.builder(), seed=1, passes=passes)])
            require(
                len(set(rows)) == len(rows), f"{len(rows) - len(set(rows))} of {len(rows)} examples of pass {passes} come twice"
            )

    def check_examples_cover_the_text(self) -> None:
        """Every token of the text is learned in every pass (causal), or at least seen or learned (bidirectional)."""
        builder = self.builder()
        for seed, passes in ((None, 0), (1, 0), (1, 1)):
            batch = self._epoch(builder, seed, passes)
            found = set(batch.targets.ravel().tolist())
            if builder.attention == "bidirectional":
                found |= set(batch.inputs.ravel().tolist())
            missing = sorted(set(_text().ids.tolist()) - found)
            where = f"in pass {passes} of seed {seed}"
            require(not missing, f"{len(missing)} of {len(_text())} tokens are not covered {where}, the first at {missing[:1]}")

    def check_targets_are_the_next_token(self) -> None:
        """A causal builder's target is the token that follows the input in the text."""
        builder, text = self.builder(), _text().ids.tolist()
        if builder.attention != "causal":
            return
        follows = set(itertools.pairwise(text))
        for one in self._learned(self._epoch(builder, seed=1)):
            require(
                (one.token, one.target) in follows,
                f"the target at {one.token} is {one.target}, which does not follow it in the text; is it shifted by one?",
            )

    def check_targets_are_the_text(self) -> None:
        """A bidirectional builder's target is the token of the text there, and where nothing is learned the text is shown."""
        builder, text = self.builder(), _text().ids.tolist()
        if builder.attention != "bidirectional":
            return
        batch = self._epoch(builder, seed=1)
        whole = np.where(batch.targets == IGNORED, batch.inputs, batch.targets)
        follows = set(itertools.pairwise(text))
        filled = {(_END, _END)}  # a row may be filled up with end-of-text
        for row in whole.tolist():
            wrong = [pair for pair in itertools.pairwise(row) if pair not in follows | filled]
            require(not wrong, f"with the targets put in, a row has {wrong[:1]}, not in the text; teach what was hidden")

    def check_some_targets_are_hidden(self) -> None:
        """A bidirectional builder hides at least half of its targets; the rest it may show, as BERT does with a tenth."""
        builder = self.builder()
        if builder.attention != "bidirectional":
            return
        batch = self._epoch(builder, seed=1)
        learned = batch.targets != IGNORED
        hidden = int((learned & (batch.inputs != batch.targets)).sum())
        require(2 * hidden >= learned.sum() > 0, f"{hidden} of {learned.sum()} targets are hidden in the inputs; mask them")

    def check_learn_mask(self) -> None:
        """Nothing is learned where `learn` is False."""
        plain = _text()
        learn = np.arange(len(plain)) % 3 != 0
        text = Tokens(ids=plain.ids, starts=plain.starts, learn=learn)
        forbidden = set(plain.ids[~learn].tolist()) - {_END}
        for seed in (None, 1):
            targets = set(self._epoch(self.builder(), seed, text=text).targets.ravel().tolist())
            wrong = sorted(targets & forbidden)
            require(not wrong, f"{len(wrong)} ids are targets though `tokens.learn` is False there; make them IGNORED")

    def check_nothing_crosses_documents(self) -> None:
        """A token is learned from tokens of its own document and from the end-of-text before it."""
        documents = _documents()
        if self.builder().attention != "causal":  # random replacements come from anywhere
            return
        for one in self._learned(self._epoch(self.builder(), seed=1)):
            tokens = [*one.visible, one.target]
            seen = {documents[token] for token in tokens if token in documents}
            require(
                len(seen) <= 1,
                f"{one.target} is learned from tokens of {len(seen)} documents; number them in segments, or end the row",
            )

    def check_end_of_text_is_learned(self) -> None:
        """A causal builder teaches that documents end, or generation would never stop; it may cut some of the ends off."""
        builder = self.builder()
        if builder.attention != "causal":
            return
        targets = self._epoch(builder, seed=1).targets
        found = int((targets == _END).sum())
        require(
            2 * found >= len(_LENGTHS),
            f"{len(_LENGTHS)} documents end, but end-of-text is learned {found} times; make it a target",
        )

    def check_segments_count_up(self) -> None:
        """Segments start at 0 in each row and never fall, or are None."""
        segments = self._epoch(self.builder(), seed=1).segments
        if segments is None:
            return
        require(bool((segments[:, 0] == 0).all()), "the first segment of a row must be 0")
        require(bool((np.diff(segments, axis=1) >= 0).all()), "segments must never fall within a row")

    def check_too_short_a_text_has_no_examples(self) -> None:
        """A text without a document has no examples, and `count` says so instead of failing."""
        for text in ([], [_END]):
            found = self.builder().count(Tokens.of(np.array(text, dtype=np.uint16), _END))
            require(found == 0, f"count() of the text {text} must be 0, found {found}")

    def check_reads_memory_maps(self) -> None:
        """A read-only memory map of 16-bit or 32-bit ids gives the examples of the same text in memory."""
        expected = _rows([self._epoch(self.builder(), seed=1)])
        with tempfile.TemporaryDirectory() as folder:
            for dtype in (np.uint16, np.uint32):
                path = Path(folder) / np.dtype(dtype).name
                _text().ids.astype(dtype).tofile(path)
                mapped = np.memmap(path, dtype=dtype, mode="r")
                found = _rows([self._epoch(self.builder(), seed=1, text=Tokens.of(mapped, _END))])
                del mapped  # Windows cannot remove a file that is mapped
                require(found == expected, f"a memory map of {np.dtype(dtype).name} gives other examples")

    def check_stays_within_the_text(self) -> None:
        """What stands in memory before and behind the text is never read."""
        text = _text().ids
        poison = np.full(4 * self.context_length, _VOCAB_SIZE + 500, dtype=text.dtype)
        inside = np.concatenate([poison, text, poison])[len(poison) : -len(poison)]
        same = _rows([self._epoch(self.builder(), seed=1, text=Tokens.of(inside, _END))]) == _rows(
            [self._epoch(self.builder(), seed=1)]
        )
        require(same, "a text inside of a larger array gives other examples; keep indices between 0 and len(tokens) - 1")

    def check_goes_on_without_end(self) -> None:
        """Indices far beyond the first pass give examples too."""
        far = self._epoch(self.builder(), seed=1, passes=1_000_000)
        require(len(far.inputs) == self.builder().count(_text()), "the millionth pass has another number of examples")

    def _epoch(self, builder: ExampleBuilder, seed: int | None, passes: int = 0, text: Tokens | None = None) -> Batch:
        tokens = _text() if text is None else text
        count = builder.count(tokens)
        require(count > 0, f"count() of a text of {len(tokens)} tokens in {len(_LENGTHS)} documents is {count}")
        return builder.build(tokens, np.arange(count, dtype=np.int64) + passes * count, seed)

    def _learned(self, batch: Batch) -> list[_Learned]:
        return list(_learned(batch, causal=self.builder().attention == "causal"))


def _text() -> Tokens:
    """Return documents of tokens 1, 2, 3…, in this order, with end-of-text before, between and behind them."""
    pieces, first = [np.array([_END])], 1
    for length in _LENGTHS:
        pieces += [np.arange(first, first + length), np.array([_END])]
        first += length
    return Tokens.of(np.concatenate(pieces).astype(np.uint16), _END)


def _documents() -> dict[int, int]:
    """Return the document of each token."""
    numbers = np.repeat(np.arange(len(_LENGTHS)), _LENGTHS)
    return {token: int(number) for token, number in enumerate(numbers, start=1)}


def _rows(batches: list[Batch]) -> list[bytes]:
    """Return each example as bytes, so that examples can be compared and counted."""
    rows: list[bytes] = []
    for batch in batches:
        segments = np.zeros_like(batch.inputs) if batch.segments is None else batch.segments
        stacked: npt.NDArray[np.int64] = np.stack([batch.inputs, batch.targets, segments], axis=1)  # (B, 3, T)
        rows += [row.tobytes() for row in stacked]
    return rows


def _learned(batch: Batch, causal: bool) -> Iterator[_Learned]:
    """Yield every target with the inputs that the model may look at: of its segment, up to its column when causal."""
    segments = np.zeros_like(batch.inputs) if batch.segments is None else batch.segments
    for example, column in np.argwhere(batch.targets != IGNORED).tolist():
        row = batch.inputs[example]
        same = segments[example] == segments[example, column]
        if causal:
            same[column + 1 :] = False
        yield _Learned(
            example=example,
            column=column,
            token=int(row[column]),
            target=int(batch.targets[example, column]),
            visible=row[same].tolist(),
        )
