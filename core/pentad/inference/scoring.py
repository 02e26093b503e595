"""Scores of held-out text: by windows for whoever judges by probabilities, and by the evaluator that fits a run.

The text is cut into windows of the context length, side by side, and every token is scored exactly once, given what stands
before it in its window and document. End-of-text ids are context and are not scored, as they stand for no byte. Memory does
not grow with the text. Processes share the stretches, and come to the figures of one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from pentad.config.options import split_options
from pentad.contracts.batch import IGNORED, segments_of
from pentad.contracts.evaluator import Evaluated, HeldOut, RunEvaluator
from pentad.contracts.observer import Evaluation
from pentad.contracts.session import Session, TextScore
from pentad.registry.catalogue import Catalogue
from pentad.registry.failures import wrong_return
from pentad.registry.making import make_named
from pentad.system.errors import EngineError

TOKENS_AT_ONCE = 8192

STRETCHES = 32
"""A text is scored in this many stretches or more, so that they tell how much its parts differ."""


@dataclass(frozen=True, eq=False)
class Offered:
    """An evaluator with the name that it is offered by."""

    name: str
    evaluator: RunEvaluator


def find_evaluator(names: Iterable[str], run: Evaluated, catalogue: Catalogue) -> tuple[Offered | None, list[str]]:
    """Return the first of the evaluators that supports a run, and why those before it do not.

    Raises:
        EngineError: an evaluator is broken.
    """
    reasons = []
    installed = {offer.name: offer for offer in catalogue.offers("evaluator")}
    defaults = tuple(name for name, offer in installed.items() if offer.record.default)
    for name in tuple(names) or defaults:
        if split_options(name)[0] not in installed:
            reasons.append(f"The evaluator {name} is not installed.")
            continue
        offered = make_evaluator(name, catalogue)
        reason = offered.evaluator.supports(run)
        if not reason:
            return offered, reasons
        reasons.append(f"{name}: {reason}")
    return None, reasons


def make_evaluator(name: str, catalogue: Catalogue) -> Offered:
    """Return the evaluator that a name means, with the options behind it: `accuracy,best=5`.

    Raises:
        UsageError: none of that name is installed, or an option is unknown or out of bounds.
        EngineError: it is broken.
    """
    return Offered(name, make_named("evaluator", name, catalogue=catalogue))


def judge(session: Session, offered: Offered, text: HeldOut, *, step: int = 0, final: bool = False) -> Evaluation:
    """Let an evaluator judge a model.

    Raises:
        EngineError: it does not return its primary score.
    """
    began = time.perf_counter()
    was_training = session.model.training
    session.model.eval()
    with torch.no_grad():
        found = offered.evaluator.evaluate(session, text)
    session.model.train(was_training)
    if not isinstance(found, Mapping):
        raise wrong_return(offered.evaluator, "evaluate", "scores by name, such as {'accuracy': 0.5}", found)
    scores, primary = dict(found), offered.evaluator.primary
    if primary not in scores:
        raise EngineError(
            f"The evaluator {offered.name} must return the score {primary}; found {', '.join(scores) or 'none'}.",
            "Report it to the evaluator's author.",
            code="evaluator-contract",
        )
    n_bytes, n_tokens = int(scores.pop("n_bytes", text.n_bytes)), int(scores.pop("n_tokens", len(text.tokens)))
    return Evaluation(
        step=step,
        evaluator=offered.name,
        scores=scores,
        primary=primary,
        lower_is_better=offered.evaluator.lower_is_better,
        n_bytes=n_bytes,
        n_tokens=n_tokens,
        context_length=text.context_length,
        seconds=time.perf_counter() - began,
        final=final,
        table=offered.evaluator.table(scores),
    )


def score_windows(session: Session, text: HeldOut) -> TextScore:
    """Return the negative log-likelihood of a text's tokens, each scored once in its window; what is not learned is context.

    Args:
        session: a causal model.
        text: what to score; some of its windows, spread evenly, where `max_tokens` says so.
    """
    tokens, context_length = text.tokens, text.context_length
    starts = np.arange(0, len(tokens) - 1, context_length, dtype=np.int64)
    whole = text.max_tokens is None or len(tokens) <= text.max_tokens
    if not whole and text.max_tokens is not None:
        n_windows = max(1, text.max_tokens // context_length)
        starts = starts[np.linspace(0, len(starts) - 1, n_windows).astype(np.int64)]
    rows = max(1, min(TOKENS_AT_ONCE // context_length, -(-len(starts) // STRETCHES)))
    lengths, net, end = _token_lengths(session), session.net, session.vocabulary.end_of_text

    def score(stretch: int) -> tuple[float, int, int]:
        """Return the nats, bytes and tokens of a stretch of the text."""
        here = starts[stretch * rows : (stretch + 1) * rows]
        inputs, targets = _windows(tokens.ids, here, context_length, end)
        if tokens.learn is not None:
            targets[~_learned(tokens.learn, here, context_length)] = IGNORED
        segments = segments_of(inputs, end)
        counted = targets[targets != IGNORED]
        on_device = [None if a is None else torch.from_numpy(a).to(session.device) for a in (inputs, targets, segments)]
        assert on_device[0] is not None
        assert on_device[1] is not None
        nats = float(net.nll(net(on_device[0], on_device[2]).features, on_device[1]))
        return nats, int(lengths[counted].sum()), len(counted)

    with torch.inference_mode():
        found = text.score_parts(-(-len(starts) // rows), score)
    stretches = [(nats, int(n_bytes)) for nats, n_bytes, _ in found.tolist()]
    nats, n_bytes = sum(one for one, _ in stretches), sum(one for _, one in stretches)
    n_tokens = int(sum(n for _, _, n in found.tolist()))
    error = standard_error(stretches)
    # The shard knows the text's bytes, also where a tokenizer is not lossless.
    if whole:  # also where one that says it is lossless has left bytes out
        lost = max(text.lost_bytes, text.n_bytes - n_bytes)
        return TextScore(nats=nats, n_tokens=n_tokens, n_bytes=text.n_bytes, lost_bytes=lost, standard_error=error)
    # What tokens stand for was not lost; of what was, the part that was looked at has its share.
    kept = max(text.n_bytes - text.lost_bytes, 1)
    lost = round(text.lost_bytes * n_bytes / kept)
    return TextScore(nats=nats, n_tokens=n_tokens, n_bytes=n_bytes + lost, lost_bytes=lost, standard_error=error)


def standard_error(stretches: Sequence[tuple[float, int]]) -> float:
    """Return the standard error of the bits per byte of a text, from the nats and bytes of stretches of it.

    It says how far the score would move on another text of this kind and length, with the same model: that of a ratio of means
    (Cochran, Sampling Techniques, 1977, ch. 6). Stretches, and not tokens or windows, since neighbours are alike. 0 where there
    are fewer than 8.
    """
    n_bytes = sum(one for _, one in stretches)
    if len(stretches) < 8 or not n_bytes:
        return 0.0
    mean = sum(nats for nats, _ in stretches) / n_bytes
    squares = sum((nats - mean * size) ** 2 for nats, size in stretches)
    return math.sqrt(squares * len(stretches) / (len(stretches) - 1)) / n_bytes / math.log(2)


def _windows(tokens: np.ndarray, starts: np.ndarray, context_length: int, end_of_text: int) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs and targets (B, T); beyond the end of the text there is end-of-text, which is not scored."""
    columns = np.arange(context_length + 1, dtype=np.int64)
    places = starts[:, None] + columns  # (B, T + 1)
    window = np.full(places.shape, end_of_text, dtype=np.int64)
    inside = places < len(tokens)
    window[inside] = tokens[places[inside]]
    inputs, targets = window[:, :-1].copy(), window[:, 1:].copy()
    targets[targets == end_of_text] = IGNORED
    return inputs, targets


def _learned(learn: np.ndarray, starts: np.ndarray, context_length: int) -> np.ndarray:
    """Return which targets (B, T) of the windows are learned; none beyond the end of the text."""
    places = starts[:, None] + np.arange(1, context_length + 1, dtype=np.int64)  # (B, T)
    inside = places < len(learn)
    learned = np.zeros(places.shape, dtype=bool)
    learned[inside] = learn[places[inside]]
    return learned


def _token_lengths(session: Session) -> np.ndarray:
    """Return the bytes (V,) that each id stands for; the builder's special tokens stand for none."""
    tokenizer, vocabulary = session.tokenizer, session.vocabulary
    lengths = [len(tokenizer.token_bytes(token)) for token in range(vocabulary.tokenizer_size)]
    return np.array(lengths + [0] * len(vocabulary.special), dtype=np.int64)
