"""How often a model holds the preferred answer of a held-out pair for the likelier one.

Compared are mean log-probabilities per token of the answer, as SimPO does: sums would favour whichever answer is shorter. The
model is judged alone, without the reference that it may have learned from.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from pentad import IGNORED, Evaluated, HeldOut, NoOptions, RunEvaluator, Session
from pentad_preferences.rows import Ids, count_pairs, rows_of

_TOKENS_AT_ONCE = 8192


class PreferenceAccuracy(RunEvaluator):
    """The share of pairs in which the preferred answer is likelier, and by how many nats per token on average."""

    primary = "preference_accuracy"
    lower_is_better = False

    def __init__(self, options: NoOptions) -> None:
        del options

    def supports(self, run: Evaluated) -> str:
        """Ask for held-out text that comes in pairs."""
        from pentad_preferences.builder import Pairs

        return "" if isinstance(run.builder, Pairs) else "Preferences need a run of the builder dpo, whose text comes in pairs."

    def evaluate(self, session: Session, text: HeldOut) -> Mapping[str, float]:
        """Return the scores."""
        pairs = np.arange(count_pairs(text.tokens))
        if text.max_tokens is not None and len(text.tokens) > text.max_tokens and len(pairs):
            wanted = max(1, len(pairs) * text.max_tokens // len(text.tokens))
            pairs = pairs[np.linspace(0, len(pairs) - 1, wanted).astype(np.int64)]
        chosen, n_chosen = _means(session, text, 2 * pairs)
        rejected, n_rejected = _means(session, text, 2 * pairs + 1)
        margins = chosen - rejected
        return {
            "preference_accuracy": float((margins > 0).mean()) if len(pairs) else 0.0,
            "preference_margin": float(margins.mean()) if len(pairs) else 0.0,
            "n_pairs": len(pairs),
            "n_tokens": n_chosen + n_rejected,
            "n_bytes": text.n_bytes,
        }


def _means(session: Session, text: HeldOut, documents: Ids) -> tuple[np.ndarray, int]:
    """Return the mean log-probability (N,) of each document's learned tokens, and how many tokens these are."""
    at_once = max(1, _TOKENS_AT_ONCE // text.context_length)

    def score(batch: int) -> list[float]:
        """Return the tokens, and the mean of each document; a last batch that is short is filled up with 0."""
        part = documents[batch * at_once : (batch + 1) * at_once]
        rows = rows_of(text.tokens, part, text.context_length, session.vocabulary.end_of_text)
        inputs, targets = (torch.from_numpy(array).to(session.device) for array in rows)
        learned = (targets != IGNORED).sum(dim=1)
        totals = session.net.logprobs(session.net(inputs).features, targets).double().sum(dim=1)
        means = (totals / learned.clamp(min=1)).tolist()
        return [float(learned.sum()), *means, *[0.0] * (at_once - len(part))]

    with torch.inference_mode():
        found = text.score_parts(-(-len(documents) // at_once), score)
    return found[:, 1:].ravel()[: len(documents)], int(found[:, :1].sum())
