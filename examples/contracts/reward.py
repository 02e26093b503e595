"""Proves the contract of builders that learn from the model's own texts (`ExampleBuilder.roll_out`) and of objectives.

engine run --plugin examples/contracts/reward.py --data book.txt --builder reward --builder.letter e

The reward of an answer is the share of one letter in it. REINFORCE (Williams, 1992) raises the likelihood of answers that are
better than the mean of their group, and lowers that of worse ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pentad import (
    IGNORED,
    Batch,
    ExampleBuilder,
    Implementation,
    Limits,
    Loss,
    Net,
    Objective,
    Session,
    TensorBatch,
    Tokens,
    UsageError,
    hookimpl,
    option,
    random_words,
    shuffled,
)


@dataclass(frozen=True, kw_only=True)
class RewardOptions:
    """What is asked, and what is rewarded."""

    letter: str = option("e", "The letter whose share is the reward.")
    answers: int = option(4, "Answers to each prompt; their mean reward is the baseline.", ge=2)
    prompt_tokens: int = option(4, "Tokens of a document that are its prompt.", ge=1)
    answer_tokens: int = option(8, "Tokens of an answer at most.", ge=1)


class Reinforce(Objective):
    """Minus the log-likelihood of each answer, times its advantage; summed over the answers, of which each counts 1."""

    name = "reinforce"

    def loss(self, net: Net, batch: TensorBatch) -> Loss:
        """Return the loss with the mean reward; the advantages are the weights of the targets."""
        total = net.nll(net(batch.inputs).features, batch.targets, batch.weights)
        counted = (batch.targets != IGNORED).any(dim=1)
        return Loss(total=total, count=counted.sum(), metrics={"reward": batch.extra["reward"][counted].sum()})


class Reward(ExampleBuilder):
    """Prompts from the text, answers from the model. An example is a prompt with all answers to it: a group of rows.

    Raises:
        UsageError: the context is too short for a prompt and its answer.
    """

    needs_policy = True

    def __init__(self, options: RewardOptions, *, context_length: int, vocab_size: int, end_of_text: int) -> None:
        del vocab_size
        self.context_length, self.end_of_text, self.options = context_length, end_of_text, options
        longest = options.prompt_tokens + options.answer_tokens
        if longest > context_length:
            raise UsageError(
                f"--context-length must be at least {longest}, a prompt and its answer; found {context_length}.",
                "Raise it, or lower --builder.answer-tokens.",
                code="context-too-short",
            )

    def count(self, tokens: Tokens) -> int:
        """Return the documents: each gives a prompt."""
        return max(0, len(tokens.starts) - 1)

    def build(self, tokens: Tokens, indices: npt.NDArray[np.int64], seed: int | None) -> Batch:
        """Return the prompts (B, T) alone, for looking at them: nothing is learned from them."""
        prompts = self._prompts(tokens, indices, seed)
        inputs = np.full((len(prompts), 1 + self.options.prompt_tokens), self.end_of_text, dtype=np.int64)
        for row, prompt in zip(inputs, prompts, strict=True):
            row[: len(prompt)] = prompt
        return Batch(inputs=inputs, targets=np.full_like(inputs, IGNORED))

    def roll_out(self, tokens: Tokens, indices: npt.NDArray[np.int64], seed: int, session: Session) -> Batch:
        """Return `answers` rows for each index, the advantages as weights, and the rewards as the extra array `reward`."""
        size = self.options.prompt_tokens + self.options.answer_tokens
        n_rows = len(indices) * self.options.answers
        inputs = np.full((n_rows, size), self.end_of_text, dtype=np.int64)
        targets = np.full_like(inputs, IGNORED)
        rewards = np.zeros(n_rows, dtype=np.float32)
        prompts = self._prompts(tokens, indices, seed)
        draws = (random_words(seed, indices) >> np.uint64(1)).tolist()  # by the example, whatever else is in the batch
        row = 0
        for prompt, draw in zip(prompts, draws, strict=True):
            for answer in self._answers(prompt, int(draw), session):
                ids = [*prompt, *answer]
                inputs[row, : len(ids) - 1] = ids[:-1]
                targets[row, len(prompt) - 1 : len(ids) - 1] = answer
                rewards[row] = self._reward(answer, session)
                row += 1
        weights = np.repeat(self._advantages(rewards)[:, None], size, axis=1)
        return Batch(inputs=inputs, targets=targets, weights=weights, extra={"reward": rewards})

    def objective(self) -> Objective:
        """Return REINFORCE."""
        return Reinforce()

    def _prompts(self, tokens: Tokens, indices: npt.NDArray[np.int64], seed: int | None) -> list[list[int]]:
        """Return the beginning of a document for each index, with the end of text that opens it."""
        _, documents = shuffled(indices, self.count(tokens), seed)
        firsts, ends = tokens.starts[documents], tokens.starts[documents + 1]
        ends = np.minimum(ends, firsts + self.options.prompt_tokens + 1)
        return [tokens.ids[first:end].tolist() for first, end in zip(firsts, ends, strict=True)]

    def _answers(self, prompt: list[int], seed: int, session: Session) -> list[list[int]]:
        """Return the ids of each answer; the token that ends one is learned with it."""
        import torch

        answers: list[list[int]] = [[] for _ in range(self.options.answers)]
        limits = Limits(max_tokens=self.options.answer_tokens, samples=self.options.answers, seed=seed)
        for event in session.generate(torch.tensor(prompt), None, limits):
            answers[event.sequence].append(event.token)
        return answers

    def _reward(self, answer: list[int], session: Session) -> float:
        text = session.tokenizer.decode(token for token in answer if token < session.vocabulary.tokenizer_size)
        return text.count(self.options.letter) / max(1, len(text))

    def _advantages(self, rewards: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return each reward (N,) less the mean of its group; exactly 0 where all of a group are equal."""
        groups = rewards.reshape(-1, self.options.answers)
        equal = (groups == groups[:, :1]).all(axis=1, keepdims=True)
        return np.where(equal, np.float32(0), groups - groups.mean(axis=1, keepdims=True)).ravel()


@hookimpl
def engine_example_builders() -> Sequence[Implementation]:
    """Offer the builder."""
    return [
        Implementation(
            name="reward", summary="The model's own answers, by the share of a letter.", factory=Reward, options=RewardOptions
        )
    ]
