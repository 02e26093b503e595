"""The contract of example builders that write their examples with the model, as checks (`ExampleBuilder.roll_out`).

from pentad.testing import PolicyBuilderConformance

class TestReward(PolicyBuilderConformance):
    name = "reward"
"""

from __future__ import annotations

import functools
from typing import Any, ClassVar

import numpy as np
import torch

from pentad.contracts.batch import IGNORED, Batch, Tokens
from pentad.contracts.builder import ExampleBuilder
from pentad.contracts.session import Session
from pentad.inference.session import ModelSession
from pentad.registry.catalogue import Catalogue
from pentad.testing.conformance import Conformance, require
from pentad.testing.subjects import Bytes, Table, random_table, session_of, tokens_of

_INDICES = np.arange(6, dtype=np.int64)


@functools.cache
def _installed() -> Catalogue:
    """Return what is installed: a builder may need what others offer (rewards)."""
    return Catalogue()


def policy_arguments(context_length: int = 32) -> dict[str, Any]:
    """Return what a builder is given when its text is one of bytes."""
    tokenizer = Bytes()
    return {
        "context_length": context_length,
        "vocab_size": tokenizer.vocab_size,
        "end_of_text": tokenizer.end_of_text,
        "tokenizer": tokenizer,
        "catalogue": _installed(),
    }


class PolicyBuilderConformance(Conformance):
    """Checks of a builder with `needs_policy`, whose examples the model writes itself.

    Attributes:
        context_length: tokens of a row at the most.
    """

    kind = "builder"
    context_length: ClassVar[int] = 32

    def builder(self) -> ExampleBuilder:
        """Make the builder under test."""
        made = self.make(**policy_arguments(self.context_length))
        require(isinstance(made, ExampleBuilder), f"the factory must return an ExampleBuilder, found a {type(made).__name__}")
        require(made.needs_policy, "it does not need the policy; test it with ExampleBuilderConformance")
        return made  # type: ignore[no-any-return]

    def session(self, seed: int = 0) -> ModelSession:
        """Return a session of a small model; another seed is another model."""
        special = self.builder().special_tokens
        return session_of(Table(random_table(Bytes.vocab_size + len(special), seed)), special)

    def rows(self, indices: Any = _INDICES, seed: int = 1, session: Session | None = None) -> Batch:
        """Return what a fresh builder writes."""
        with torch.no_grad():
            found = self.builder().roll_out(tokens_of(), indices, seed, session or self.session())
        require(isinstance(found, Batch), f"roll_out must return a Batch, found a {type(found).__name__}")
        return found

    def check_rows_have_their_shape(self) -> None:
        """Each array has the same rows, as many for each index; ids are int64, weights float32, rows fit the context."""
        batch = self.rows()
        n_rows, n_columns = batch.inputs.shape
        require(n_rows % len(_INDICES) == 0, f"{len(_INDICES)} indices give {n_rows} rows; each index gives as many")
        require(n_columns <= self.context_length, f"rows have {n_columns} tokens, the context {self.context_length}")
        for name, dtype in (("inputs", np.int64), ("targets", np.int64), ("segments", np.int64), ("weights", np.float32)):
            array = getattr(batch, name)
            if array is not None:
                require(array.dtype == dtype, f"{name} must be {np.dtype(dtype)}, found {array.dtype}")
                require(array.shape == batch.inputs.shape, f"{name} has shape {array.shape}, inputs {batch.inputs.shape}")
        for name, array in batch.extra.items():
            require(len(array) == n_rows, f"extra {name!r} has {len(array)} rows, inputs {n_rows}; its first dimension is B")

    def check_ids_are_within_the_vocabulary(self) -> None:
        """Inputs and targets are ids of the vocabulary; a target may also be IGNORED, and some are learned."""
        batch, end = self.rows(), Bytes.vocab_size + len(self.builder().special_tokens)
        targets = batch.targets[batch.targets != IGNORED]
        require(len(targets) > 0, "no target is learned; each answer's tokens are targets")
        for name, ids in (("inputs", batch.inputs), ("targets", targets)):
            require(bool(((ids >= 0) & (ids < end)).all()), f"{name} must lie in [0, {end}), found {ids.min()} to {ids.max()}")

    def check_same_rows_again(self) -> None:
        """The same weights, text, indices and seed give the same rows, whatever the global generators are at."""
        found = []
        for number in range(3):
            torch.manual_seed(number)
            np.random.seed(number)
            found.append(_bytes(self.rows()))
        require(
            found[0] == found[1] == found[2],
            "the same arguments give other rows the second time; draw by Limits(seed=…), from the seed and the index",
        )

    def check_same_rows_in_any_grouping(self) -> None:
        """An example depends on its own index: in two batches the rows are those of one."""
        whole = _bytes(self.rows())
        if whole != _bytes(self.rows()):
            return  # check_same_rows_again says what is wrong here
        halves = [row for part in (_INDICES[:2], _INDICES[2:]) for row in _bytes(self.rows(part))]
        require(halves == whole, "two batches give other rows than one; draw by the index, not by the place in the batch")

    def check_seed_decides(self) -> None:
        """Another seed gives other rows."""
        require(_bytes(self.rows(seed=1)) != _bytes(self.rows(seed=2)), "seeds 1 and 2 give the same rows; use the seed")

    def check_rows_follow_the_model(self) -> None:
        """Another model writes other rows."""
        found = [_bytes(self.rows(session=self.session(seed))) for seed in (0, 1)]
        require(found[0] != found[1], "another model gives the same rows; write the examples with the session")

    def check_changes_nothing(self) -> None:
        """The model's weights and the text stay as they are."""
        session, text = self.session(), tokens_of()
        before = {name: tensor.clone() for name, tensor in session.model.state_dict().items()}
        with torch.no_grad():
            self.builder().roll_out(text, _INDICES, 1, session)
        after = session.model.state_dict()
        require(all(torch.equal(tensor, after[name]) for name, tensor in before.items()), "roll_out changes the weights")
        require(bool((text.ids == tokens_of().ids).all()), "roll_out changes the text that it was given")

    def check_goes_on_without_end(self) -> None:
        """Indices far beyond the first pass give rows too."""
        count = self.builder().count(tokens_of())
        require(count > 0, f"count() of a text of {len(tokens_of())} tokens is {count}")
        far = self.rows(_INDICES + 1_000_000 * count)
        require(len(far.inputs) == len(self.rows().inputs), "the millionth pass gives another number of rows")

    def check_too_short_a_text_has_no_examples(self) -> None:
        """A text without a document has no examples, and `count` says so instead of failing."""
        nothing = np.zeros(0, dtype=np.int64)
        for tokens in (tokens_of(()), Tokens(ids=nothing.astype(np.uint16), starts=nothing)):
            found = self.builder().count(tokens)
            require(found == 0, f"count() of {len(tokens)} ids without a document must be 0, found {found}")

    def check_build_shows_the_prompts(self) -> None:
        """`build` works without a model, for looking at examples (`engine examples`)."""
        batch = self.builder().build(tokens_of(), _INDICES, None)
        require(isinstance(batch, Batch), f"build must return a Batch, found a {type(batch).__name__}")
        require(batch.inputs.shape == batch.targets.shape, "inputs and targets of build must have one shape")


def _bytes(batch: Batch) -> list[bytes]:
    """Return each row as bytes, with all that stands beside it."""
    arrays = [batch.inputs, batch.targets, *(array for _, array in sorted(batch.extra.items()))]
    arrays += [] if batch.weights is None else [batch.weights]
    whole = [array for array in arrays if len(array) == len(batch.inputs)]
    return [b"".join(np.ascontiguousarray(array[row]).tobytes() for array in whole) for row in range(len(batch.inputs))]
