"""Calibration of the likeliest token (Guo et al., On Calibration of Modern Neural Networks, 2017).

At each position of the held-out text the model's likeliest token has a probability, and is the right one or not. Positions are
sorted into bins by that probability. In a calibrated model the share of right ones in a bin is the mean probability there; the
expected calibration error is the mean distance of the two, each bin weighted by its positions. Signed by direction,
`overconfidence` is the mean probability less the share of right ones: above 0 the model is surer than it is right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from pentad import IGNORED, Evaluated, HeldOut, RunEvaluator, Session, segments_of
from pentad.tools import Line, line_chart, write_atomically
from pentad_calibration.options import CalibrationOptions

_TOKENS_AT_ONCE = 4096


class Calibration(RunEvaluator):
    """The expected calibration error, with the mean probability and the share of right tokens of each bin."""

    primary = "calibration_error"

    def __init__(self, options: CalibrationOptions) -> None:
        self.options = options

    def supports(self, run: Evaluated) -> str:
        """Ask for a causal model: a bidirectional one gives no probability of the next token."""
        return "" if run.model.causal else "Calibration needs a causal model; this one is bidirectional."

    def evaluate(self, session: Session, text: HeldOut) -> Mapping[str, float]:
        """Return the scores, and write the picture where one is asked for."""
        starts = _starts(text)
        whole = len(starts) * text.context_length >= len(text.tokens) - 1
        n_bins = self.options.bins
        counts, sums, right = (np.zeros(n_bins) for _ in range(3))
        n_bytes, lengths = 0, _token_lengths(session)
        at_once = max(1, _TOKENS_AT_ONCE // text.context_length)
        for first in range(0, len(starts), at_once):
            confidence, correct, tokens = _predicted(session, text, starts[first : first + at_once])
            bins = np.minimum((confidence * n_bins).astype(np.int64), n_bins - 1)
            counts += np.bincount(bins, minlength=n_bins)
            sums += np.bincount(bins, weights=confidence, minlength=n_bins)
            right += np.bincount(bins, weights=correct, minlength=n_bins)
            n_bytes += int(lengths[tokens].sum())
            if text.progress is not None:
                text.progress(first / len(starts))
        scores = _scores(counts, sums, right)
        if self.options.picture and whole:
            write_atomically(Path(self.options.picture).expanduser(), str(picture(scores)))
        return {**scores, "n_tokens": int(counts.sum()), "n_bytes": min(n_bytes, text.n_bytes)}

    def table(self, scores: Mapping[str, float]) -> Sequence[Sequence[str]]:
        """Return a row for each bin that has positions."""
        rows = [("probability", "positions", "mean probability", "come true", "")]
        n_bins = self.options.bins
        for number in range(n_bins):
            if f"bin_{number}_share" not in scores:
                continue
            share, mean, true = (scores[f"bin_{number}_{name}"] for name in ("share", "confidence", "accuracy"))
            bar = "#" * round(20 * true)
            rows.append(
                (f"{number / n_bins:.2f} to {(number + 1) / n_bins:.2f}", f"{share:.1%}", f"{mean:.3f}", f"{true:.3f}", bar)
            )
        return rows


def picture(scores: Mapping[str, float]) -> str:
    """Return the reliability diagram as SVG: the share that came true over the mean probability, and where both are equal."""
    numbers = sorted(int(name.split("_")[1]) for name in scores if name.startswith("bin_") and name.endswith("_share"))
    points = [(scores[f"bin_{number}_confidence"], scores[f"bin_{number}_accuracy"]) for number in numbers]
    lines = [
        Line(name="calibrated", points=[(0.0, 0.0), (1.0, 1.0)]),
        Line(name=f"model, error {scores['calibration_error']:.3f}", points=points, marked=True),
    ]
    return str(line_chart(lines, "probability of the likeliest token", "share that came true"))


def _scores(counts: np.ndarray, sums: np.ndarray, right: np.ndarray) -> dict[str, float]:
    """Return the scores of bins: their positions, and the sums of probabilities and of right tokens."""
    total = max(counts.sum(), 1.0)
    scores = {
        "calibration_error": float(np.abs(sums - right).sum() / total),
        "overconfidence": float((sums - right).sum() / total),
        "accuracy": float(right.sum() / total),
        "confidence": float(sums.sum() / total),
    }
    for number in np.flatnonzero(counts).tolist():
        scores[f"bin_{number}_share"] = float(counts[number] / total)
        scores[f"bin_{number}_confidence"] = float(sums[number] / counts[number])
        scores[f"bin_{number}_accuracy"] = float(right[number] / counts[number])
    return scores


def _starts(text: HeldOut) -> np.ndarray:
    """Return where windows of the context start, side by side; some of them, spread over the text, where few are asked for."""
    starts = np.arange(0, max(len(text.tokens) - 1, 1), text.context_length, dtype=np.int64)
    if text.max_tokens is not None and len(text.tokens) > text.max_tokens:
        n_windows = max(1, text.max_tokens // text.context_length)
        starts = starts[np.linspace(0, len(starts) - 1, n_windows).astype(np.int64)]
    return starts


def _predicted(session: Session, text: HeldOut, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return for the scored positions (N,) of windows: the likeliest token's probability, whether it is right, the token."""
    end, tokens = session.vocabulary.end_of_text, text.tokens
    places = starts[:, None] + np.arange(text.context_length + 1)  # (B, T + 1)
    inside = np.minimum(places, len(tokens) - 1)
    window = np.where(places < len(tokens), np.asarray(tokens.ids)[inside].astype(np.int64), end)
    inputs, targets = window[:, :-1], window[:, 1:].copy()
    targets[targets == end] = IGNORED  # it stands for no byte
    if tokens.learn is not None:
        targets[~np.asarray(tokens.learn)[inside[:, 1:]]] = IGNORED
    segments = segments_of(inputs, end)
    with torch.inference_mode():
        documents = None if segments is None else torch.from_numpy(segments).to(session.device)
        features = session.net(torch.from_numpy(inputs).to(session.device), documents).features
        scored = torch.from_numpy(targets != IGNORED).to(session.device)
        likeliest = session.net.logits(features[scored]).softmax(dim=-1).max(dim=-1)  # of (N, V)
    wanted = targets[targets != IGNORED]
    return likeliest.values.double().cpu().numpy(), likeliest.indices.cpu().numpy() == wanted, wanted


def _token_lengths(session: Session) -> np.ndarray:
    """Return the bytes (V,) of each id; special tokens have none."""
    known = session.vocabulary.tokenizer_size
    lengths = [len(session.tokenizer.token_bytes(token)) for token in range(known)]
    return np.array(lengths + [0] * (session.vocabulary.size - known), dtype=np.int64)
