"""What a reward model says: of held-out pairs, of conversations, and of answers that another model wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from pentad import (
    Evaluated,
    HeldOut,
    NoOptions,
    RewardFunction,
    RunEvaluator,
    SavedRun,
    Session,
    Tokens,
    UsageError,
    open_run,
)
from pentad_preferences.options import ModelRewardOptions
from pentad_preferences.reward_builder import RewardPairs
from pentad_preferences.reward_objective import rewards_of
from pentad_preferences.rows import Ids, count_pairs

_TOKENS_AT_ONCE = 8192


class _OfRewardModels(RunEvaluator):
    """An evaluator of reward models."""

    lower_is_better = False

    def __init__(self, options: NoOptions) -> None:
        del options

    def supports(self, run: Evaluated) -> str:
        """Ask for a reward model."""
        return "" if isinstance(run.builder, RewardPairs) else "Rewards need a run of the builder reward-model."


class RewardAccuracy(_OfRewardModels):
    """The share of held-out pairs in which the preferred answer has the higher reward, and by how much on average."""

    primary = "reward_accuracy"

    def evaluate(self, session: Session, text: HeldOut) -> Mapping[str, float]:
        """Return the scores.

        Raises:
            UsageError: the text has no pairs.
        """
        builder = _builder_of(text)
        builder.require_pairs(text.tokens)
        pairs = _part(np.arange(count_pairs(text.tokens)), text)
        both = np.stack([2 * pairs, 2 * pairs + 1], axis=1).reshape(-1)
        rewards = document_rewards(session, builder, text.tokens, both).reshape(-1, 2)
        margins = rewards[:, 0] - rewards[:, 1]
        return {
            "reward_accuracy": float((margins > 0).mean()) if len(pairs) else 0.0,
            "reward_margin": float(margins.mean()) if len(pairs) else 0.0,
            "n_pairs": len(pairs),
            "n_tokens": _read(text.tokens, both),
            "n_bytes": text.n_bytes,
        }


class MeanRewardOfTexts(_OfRewardModels):
    """The mean reward of conversations, and how far they lie apart."""

    primary = "reward"

    def evaluate(self, session: Session, text: HeldOut) -> Mapping[str, float]:
        """Return the scores."""
        documents = _part(np.arange(max(0, len(text.tokens.starts) - 1)), text)
        rewards = document_rewards(session, _builder_of(text), text.tokens, documents)
        found = rewards if len(rewards) else np.zeros(1)
        return {
            "reward": float(found.mean()),
            "deviation": float(found.std()),
            "lowest": float(found.min()),
            "highest": float(found.max()),
            "n_texts": len(documents),
            "n_tokens": _read(text.tokens, documents),
            "n_bytes": _bytes(session, text.tokens, documents),
        }


class ModelReward(RewardFunction):
    """The reward that a trained reward model gives, for answers of any model: the texts are encoded by its own tokenizer.

    Raises:
        UsageError: the options name no run of a reward model.
    """

    needs_expected = False
    right = None

    def __init__(self, options: ModelRewardOptions) -> None:
        if not options.run:
            raise UsageError(
                "The reward reward-model must be told its run.",
                "--builder.reward-run RUN, or --builder.reward reward-model,run=RUN",
                code="reward-run-missing",
            )
        self.path = options.run
        self._run: SavedRun | None = None

    def rewards(self, prompt: str, answers: Sequence[str], expected: str) -> Sequence[float]:
        """Return the reward of each answer to a prompt of one turn."""
        del expected
        if not answers:
            return []
        run = self._opened()
        builder: Any = run.builder
        tokens = _encoded(run, builder, prompt, answers)
        with torch.no_grad():
            found: list[float] = document_rewards(run.session, builder, tokens, np.arange(len(answers))).tolist()
        return found

    def _opened(self) -> SavedRun:
        """Open the run at first use, and leave the threads and the generator of this process as they are."""
        if self._run is None:
            threads, state = torch.get_num_threads(), torch.get_rng_state()
            run = open_run(self.path)
            torch.set_num_threads(threads)
            torch.set_rng_state(state)
            if not isinstance(run.builder, RewardPairs):
                raise UsageError(
                    f"{self.path} must be a run of the builder reward-model; found {run.recipe.choice('builder').name}.",
                    "engine run --start RUN --builder reward-model --data PAIRS trains one.",
                    code="no-reward-model",
                )
            self._run = run
        return self._run


def document_rewards(session: Session, builder: RewardPairs, tokens: Tokens, documents: Ids) -> np.ndarray:
    """Return the reward (N,) of documents (N,) of a text."""
    at_once = max(1, _TOKENS_AT_ONCE // builder.context_length)
    found = [np.zeros(0)]
    with torch.no_grad():
        for first in range(0, len(documents), at_once):
            inputs, targets = builder.judged_rows(tokens, documents[first : first + at_once])
            used = int((targets != -100).argmax(axis=1).max()) + 1  # behind it there is only padding
            rows = [torch.from_numpy(np.ascontiguousarray(array[:, :used])).to(session.device) for array in (inputs, targets)]
            found.append(rewards_of(session.net, *rows)[0].double().cpu().numpy())
    return np.concatenate(found)


def _encoded(run: SavedRun, builder: RewardPairs, prompt: str, answers: Sequence[str]) -> Tokens:
    """Return a document for each answer to a prompt, as the run's builder renders them."""
    end = run.vocabulary.end_of_text
    ids: list[int] = [end]
    starts = [0]
    for answer in answers:
        if builder.options.template == "chat":
            messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]
            spans = next(builder.render({"messages": messages})).spans
        else:
            spans = next(builder.render({"prompt": prompt, "chosen": answer or " ", "rejected": " "})).spans
        for span in spans:
            ids += [run.vocabulary.id(span.special)] if span.special else run.tokenizer.encode(span.text).tolist()
        starts.append(len(ids))
        ids.append(end)
    return Tokens(ids=np.array(ids, dtype=np.uint32), starts=np.array(starts, dtype=np.int64))


def _builder_of(text: HeldOut) -> RewardPairs:
    if not isinstance(text.builder, RewardPairs):
        raise UsageError(
            "Rewards need the builder reward-model.", "Judge a run of it: engine evaluate RUN.", code="no-reward-model"
        )
    return text.builder


def _part(numbers: Ids, text: HeldOut) -> Ids:
    """Return as many as shall be judged, spread over the text."""
    if text.max_tokens is None or len(text.tokens) <= text.max_tokens or not len(numbers):
        return numbers
    wanted = max(1, len(numbers) * text.max_tokens // len(text.tokens))
    part: Ids = numbers[np.linspace(0, len(numbers) - 1, wanted).astype(np.int64)]
    return part


def _bytes(session: Session, tokens: Tokens, documents: Ids) -> int:
    """Return the bytes of documents; of a conversation nothing is learned, so the text's own count has none of it."""
    known = session.vocabulary.tokenizer_size
    lengths = np.array([len(session.tokenizer.token_bytes(token)) for token in range(known)] + [0])
    parts = (np.asarray(tokens.ids[tokens.starts[one] + 1 : tokens.starts[one + 1]]) for one in documents.tolist())
    return int(sum(lengths[np.minimum(part, known)].sum() for part in parts))


def _read(tokens: Tokens, documents: Ids) -> int:
    return int((tokens.starts[documents + 1] - tokens.starts[documents]).sum())
