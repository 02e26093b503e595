"""Prompts from the data, answers from the model, rewards from checks or from a model that learned preferences.

An example is a prompt with all answers to it: a group of rows. The answers are a function of the weights, the indices and the
seed, so a run that is stopped goes on bit for bit. A prompt that leaves no room for an answer loses its beginning.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch

from pentad import (
    IGNORED,
    Batch,
    Catalogue,
    Document,
    ExampleBuilder,
    Record,
    Session,
    Span,
    Tokenizer,
    Tokens,
    UsageError,
    random_words,
    shuffled,
)
from pentad_chat.template import SPECIAL_TOKENS, excerpt, messages_of, turns
from pentad_reinforcement.objective import GroupRelative, logprobs_at
from pentad_reinforcement.options import GRPOOptions
from pentad_tasks.answering import write_answers
from pentad_tasks.questions import Question, Rewards, question_at

_STD_EPSILON = 1e-4
"""Added to the deviation of a group's rewards, as trl does."""

Floats = npt.NDArray[np.float32]


class GRPO(ExampleBuilder):
    """Groups of answers that the model writes."""

    needs_policy = True
    evaluators: tuple[str, ...] = ("task-accuracy", "mean-reward")

    def __init__(
        self,
        options: GRPOOptions,
        *,
        context_length: int,
        vocab_size: int,
        end_of_text: int,
        tokenizer: Tokenizer,
        catalogue: Catalogue | None = None,
    ) -> None:
        del vocab_size
        self.options, self.context_length, self.end_of_text = options, context_length, end_of_text
        self.tokenizer, self.updates = tokenizer, options.updates
        self.special_tokens = SPECIAL_TOKENS if options.template == "chat" else ()
        self._chosen = [*options.reward, *([f"reward-model,run={options.reward_run}"] if options.reward_run else [])]
        self._rewards = Rewards(catalogue or Catalogue())
        if self._chosen:
            self.evaluators = ("mean-reward",)

    def render(self, record: Record) -> Iterator[Document]:
        """Yield the prompt of a record with the answer that is expected, and the name of the reward behind it.

        Raises:
            UsageError: the record has no prompt, or a role is unknown.
        """
        reward = record.get("reward", "") if not isinstance(record, str) else ""
        named = (Span(reward, learn=False),) if reward else ()
        *before, answer = messages_of(record)
        if answer.get("role") != "assistant" or not before:
            raise UsageError(
                f"A task must end with the assistant's answer, behind a prompt; found {excerpt(record)}",
                'Each line of a .jsonl file holds one object, {"prompt": …, "completion": …}; the completion may be empty.',
                code="record-keys",
            )
        if self.options.template == "chat":
            asked = turns(before, learn=False)
            yield Document((*asked, *turns([answer]), *named), learn_end=False)
            return
        if not answer["content"]:
            raise UsageError(
                f"In plain text a prompt ends where the expected answer begins; found no answer: {excerpt(record)}",
                "Give it a completion, or leave --builder.template out.",
                code="empty-answer",
            )
        prompt = "".join(message["content"] for message in before)
        yield Document((Span(prompt, learn=False), Span(answer["content"]), *named), learn_end=False)

    def count(self, tokens: Tokens) -> int:
        """Return the number of tasks."""
        return max(0, len(tokens.starts) - 1)

    def build(self, tokens: Tokens, indices: npt.NDArray[np.int64], seed: int | None) -> Batch:
        """Return the prompts (B, T) alone, for looking at them: nothing is learned from them."""
        prompts = [self._prompt(question) for question in self._questions(tokens, indices, seed)]
        inputs, _ = self._rows([(prompt, []) for prompt in prompts])
        return Batch(inputs=inputs, targets=np.full_like(inputs, IGNORED))

    def roll_out(self, tokens: Tokens, indices: npt.NDArray[np.int64], seed: int, session: Session) -> Batch:
        """Return `answers` rows (B, T) for each index, and in `extra` their advantages and rewards (B,).

        Raises:
            UsageError: a reward is unknown, or compares with an answer that a task has not.
        """
        options, questions = self.options, self._questions(tokens, indices, seed)
        prompts = [self._prompt(question) for question in questions]
        keys = random_words(seed, indices[:, None], np.arange(options.answers))  # (prompts, answers)
        groups = self.answer(session, questions, keys)
        rewards = np.concatenate([self.judge(session, *each) for each in zip(questions, groups, strict=True)])
        rows = [(prompt, answer) for prompt, group in zip(prompts, groups, strict=True) for answer in group]
        inputs, targets = self._rows(rows)
        extra = {"advantage": self.advantages(rewards), "reward": rewards}
        if options.updates > 1:
            read, said = (torch.from_numpy(array).to(session.device) for array in (inputs, targets))
            with torch.no_grad():
                drawn = logprobs_at(session.net, read, said, options.temperature)
            extra["logprobs"] = drawn.float().cpu().numpy()
        return Batch(inputs=inputs, targets=targets, extra=extra)

    def objective(self) -> GroupRelative:
        """Return the clipped loss of groups."""
        return GroupRelative(self.options)

    def advantages(self, rewards: Floats) -> Floats:
        """Return how far each reward (N,) lies above the mean of its group, exactly 0 where all of a group are equal."""
        groups = rewards.astype(np.float64).reshape(-1, self.options.answers)
        equal = (groups == groups[:, :1]).all(axis=1, keepdims=True)
        above = np.where(equal, 0.0, groups - groups.mean(axis=1, keepdims=True))
        if self.options.loss == "grpo":
            above /= groups.std(axis=1, ddof=1, keepdims=True) + _STD_EPSILON
        return above.ravel().astype(np.float32)

    def _questions(self, tokens: Tokens, indices: npt.NDArray[np.int64], seed: int | None) -> list[Question]:
        _, documents = shuffled(indices, self.count(tokens), seed)
        return [question_at(tokens, document, self.tokenizer, self.end_of_text) for document in documents.tolist()]

    def _prompt(self, question: Question) -> list[int]:
        """Return the ids of a prompt, its end where it is long: an answer has its tokens, or half of the context."""
        room = self.context_length - min(self.options.max_tokens, self.context_length // 2) + 1
        return list(question.prompt[-room:])

    def answer(
        self, session: Session, questions: list[Question], keys: npt.NDArray[np.uint64] | None = None
    ) -> list[list[list[int]]]:
        """Return the answers to each question, as many as keys (questions, answers) say; the likeliest one without keys."""
        prompts = [self._prompt(question) for question in questions]
        limits = [min(self.options.max_tokens, self.context_length - len(prompt) + 1) for prompt in prompts]
        each = 1 if keys is None else keys.shape[1]
        found = write_answers(
            session, prompts, answers=each, max_tokens=limits, keys=keys, temperature=self.options.temperature
        )
        return [found[first : first + each] for first in range(0, len(found), each)]

    def judge(self, session: Session, question: Question, answers: list[list[int]]) -> Floats:
        """Return the reward of each answer (ids) to a task.

        Raises:
            UsageError: a reward is unknown, or compares with an answer that the task has not.
        """
        ends = session.vocabulary.stops
        texts = [self._text([token for token in answer if token not in ends]) for answer in answers]
        prompt, total = self._text(list(question.prompt[1:])), np.zeros(len(answers))
        for chosen in self._chosen or [""]:
            _, reward = self._rewards.of(question, chosen)
            total += np.asarray(reward.rewards(prompt, texts, question.expected), dtype=np.float64)
        return total.astype(np.float32)

    def _text(self, ids: list[int]) -> str:
        return self.tokenizer.decode([token for token in ids if token < self.tokenizer.vocab_size])

    def _rows(self, pairs: list[tuple[list[int], list[int]]]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return inputs and targets (B, T) of prompts with answers; targets are the answers, the token that ends one too."""
        longest = max((len(prompt) + max(0, len(answer) - 1) for prompt, answer in pairs), default=1)
        inputs = np.full((len(pairs), longest), self.end_of_text, dtype=np.int64)
        targets = np.full_like(inputs, IGNORED)
        for row, (prompt, answer) in enumerate(pairs):
            ids = [*prompt, *answer[:-1]]
            inputs[row, : len(ids)] = ids
            targets[row, len(prompt) - 1 : len(prompt) - 1 + len(answer)] = answer
        return inputs, targets
