"""The example-builder contract: tokens to what is learned from them (self-supervision by masking the text itself).

A builder's factory is called as `factory(options, context_length=…, vocab_size=…, end_of_text=…)`, where `vocab_size` is the
tokenizer's: the builder's own special tokens have the ids from there on. It gets `tokenizer` and `catalogue` too where it names
them. What `render` makes of a record is kept in the cache, by the text, the tokenizer, the builder's version and options and
the context length: it must depend on nothing else. Builders are map-style and stateless: example `i` of
seed `s` is always the same, so a resumed run, another number of micro-batches or of processes sees the same examples. Importing
this module imports numpy and no torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pentad.contracts.batch import Attention, Batch, Tokens
from pentad.contracts.records import Document, Record, text_of

if TYPE_CHECKING:
    from pentad.contracts.objective import Objective
    from pentad.contracts.session import Session
    from pentad.contracts.vocabulary import SpecialToken


class ExampleBuilder(ABC):
    """Tokens to examples.

    Promises, each checked by the conformance kit:

    - `build` is a pure function of (tokens, indices, seed): any order, any grouping, any process, any thread. The next batch
      may be built while the gradient of this one is computed; no two methods of a builder are called at once.
    - Each of the first `count` examples of a seed differs from the others, and together they cover the text.
    - What a causal builder teaches at a position never stands in what the model may attend to from there; what a
      bidirectional one teaches is the token of the text at that position.
    - The end of a document is learned; nothing is learned or attended across it.

    A builder with `needs_policy` promises of `roll_out` that it is a function of (tokens, indices, seed, weights).
    """

    attention: Attention = "causal"
    """What the model must be able to do: causal or bidirectional."""

    special_tokens: tuple[SpecialToken, ...] = ()
    """The tokens that the builder adds behind the tokenizer's own: a mask, the turns of a chat. Where a bidirectional builder
    names the token that hides others `mask`, its models can fill in texts."""

    evaluators: tuple[str, ...] = ()
    """The evaluators that fit what is taught, by name, with options as `accuracy,best=5`; a run is judged by the first that
    supports it. Where none is named, by the evaluators that are offered as default (`pentad.Evaluator`)."""

    writes_on: bool = True
    """Whether the models go on from a text as it is. Where they do not, core continues a text as `gap_prompt` with
    nothing behind the gap."""

    needs_policy: bool = False
    """Whether examples are written by the model itself: then core calls `roll_out` in place of `build`."""

    updates: int = 1
    """How many updates a step makes with its examples before it gets new ones; more than one for examples that are dear, such
    as those that the model wrote."""

    tokens_ahead: int = 0
    """How many tokens beyond the next the objective predicts at each position: core gives the model a head for each of them
    (`Model.predict_ahead`), which the objective reads by `Net.ahead`."""

    context_length: int
    end_of_text: int

    def render(self, record: Record) -> Iterable[Document]:
        """Return the documents of a record; one of its whole text unless overridden.

        Raises:
            UsageError: the record has not the keys that this builder needs.
        """
        return (Document.of(text_of(record)),)

    @abstractmethod
    def count(self, tokens: Tokens) -> int:
        """Return how many examples one pass over the text has; 0 when the text is too short for one."""

    @abstractmethod
    def build(self, tokens: Tokens, indices: npt.NDArray[np.int64], seed: int | None) -> Batch:
        """Return the examples with these global indices.

        Args:
            tokens: the training text.
            indices: (B,) from 0 without end; index `count + i` is example `i` of the second pass.
            seed: decides the order and every random choice; None means the order of the text, for looking at examples.
        """

    def roll_out(self, tokens: Tokens, indices: npt.NDArray[np.int64], seed: int, session: Session) -> Batch:
        """Return examples that the model writes itself, a function of (tokens, indices, seed, weights) and of nothing else.

        Called in place of `build` where `needs_policy` is set.

        Args:
            tokens, indices, seed: as for `build`.
            session: the model as it is now.
        """
        raise NotImplementedError(f"{type(self).__name__} asks for the policy and does not roll out")

    def gap_prompt(self, before: npt.NDArray[np.int64], after: npt.NDArray[np.int64]) -> npt.NDArray[np.int64] | None:
        """Return the ids (T,) behind which a causal model writes what stands between two texts; None where it cannot.

        A builder that teaches to fill gaps overrides it. What the model writes ends by a token that ends a sequence
        (`SpecialToken.stops`, or the end of text).

        Args:
            before, after: (N,) the ids of the texts, without an end of text; either may be empty.
        """
        del before, after
        return None

    def positions(self, length: int) -> int:
        """Return the positions that a row needs for a document which reads so many ids; as many unless overridden."""
        return length

    def describe(self, tokens: Tokens) -> str:
        """Return what the plan should say of the examples of a text, in a few words; nothing unless overridden.

        Such as how much of the rows is padding.
        """
        del tokens
        return ""

    def objective(self) -> Objective | None:
        """Return the builder's own objective, or None for cross-entropy on the targets."""
        return None
