"""Pairs of answers for a reward model, and single conversations for it to score.

The rows are those of the builder dpo; marked in each is the last token, where a reader knows the whole answer: the end of the
turn, or of plain text. A conversation by itself has nothing that is learned, and is refused in training.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from pentad import IGNORED, Batch, Document, Record, SpecialToken, Tokens, UsageError, shuffled
from pentad_chat.template import messages_of, turns
from pentad_preferences.builder import Pairs
from pentad_preferences.options import DPOOptions, RewardModelOptions
from pentad_preferences.reward_objective import BradleyTerry
from pentad_preferences.rows import Ids, count_pairs, last_places, rows_of

REWARD = SpecialToken(name="reward")


class RewardPairs(Pairs):
    """Pairs, of which the preferred answer shall have the higher reward."""

    evaluators = ("reward-accuracy",)

    def __init__(self, options: RewardModelOptions, *, context_length: int, vocab_size: int, end_of_text: int) -> None:
        pairs = DPOOptions(template=options.template)
        super().__init__(pairs, context_length=context_length, vocab_size=vocab_size, end_of_text=end_of_text)
        self.reward_options = options
        self.special_tokens = (*self.special_tokens, REWARD)
        self.reward_id = vocab_size + len(self.special_tokens) - 1

    def render(self, record: Record) -> Iterator[Document]:
        """Yield the two answers of a pair, or one conversation, which can be scored and not learned from.

        Raises:
            UsageError: the record is neither.
        """
        if isinstance(record, Mapping) and "chosen" not in record and self.options.template == "chat":
            yield Document(tuple(turns(messages_of(record), learn=False)), learn_end=False)
        else:
            yield from super().render(record)

    def count(self, tokens: Tokens) -> int:
        """Return the number of pairs.

        Raises:
            UsageError: a document is no answer of a pair.
        """
        self.require_pairs(tokens)
        return count_pairs(tokens)

    def require_pairs(self, tokens: Tokens) -> None:
        """Make sure that every document is an answer of a pair.

        Raises:
            UsageError: one is a conversation by itself.
        """
        if tokens.learn is None or len(tokens.starts) < 2:
            return
        learned = np.add.reduceat(np.asarray(tokens.learn[1:], dtype=np.int64), np.asarray(tokens.starts[:-1]))
        alone = int((learned == 0).sum())
        if alone:
            raise UsageError(
                f"A reward model learns from pairs; found {alone} conversations by themselves.",
                'Each line of a .jsonl file holds one object, {"prompt": …, "chosen": …, "rejected": …}. '
                "To score conversations: engine evaluate RUN --data FILE --with reward",
                code="record-keys",
            )

    def build(self, tokens: Tokens, indices: npt.NDArray[np.int64], seed: int | None) -> Batch:
        """Return the preferred answers (B, T), each marked at its last token, and in `extra` the others."""
        _, pairs = shuffled(indices, self.count(tokens), seed)
        inputs, targets = self.judged_rows(tokens, 2 * pairs)
        other, others = self.judged_rows(tokens, 2 * pairs + 1)
        return Batch(inputs=inputs, targets=targets, extra={"inputs": other, "targets": others})

    def judged_rows(self, tokens: Tokens, documents: Ids) -> tuple[Ids, Ids]:
        """Return inputs and targets (B, T) of documents (B,): the reward's token at the last token of each, else ignored."""
        inputs, _ = rows_of(tokens, documents, self.context_length, self.end_of_text)
        targets = np.full_like(inputs, IGNORED)
        targets[np.arange(len(documents)), last_places(tokens, documents, self.context_length)] = self.reward_id
        return inputs, targets

    def objective(self) -> BradleyTerry:  # type: ignore[override]
        """Return the loss of Bradley and Terry."""
        return BradleyTerry(self.reward_options)
