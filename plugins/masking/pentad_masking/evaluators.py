"""Scores of models that fill in: how likely each token is to them, and how often they find it, when it alone is hidden.

The text is cut into windows of the context length, side by side; the last one ends with the text. In each window every token is
asked for exactly once, given what stands on both sides of it in its window and document. Ends of text stand for no byte and are
not asked for.

- One at a time (`apart=0`) is the pseudo-log-likelihood of Salazar et al. (Masked Language Model Scoring, 2020). It reads a
  window once for each of its tokens.
- By default each 8th token is hidden at a time, about as much as in training, in 8 passes. A token then misses those 8, 16, …
  places away, so the score is a little worse than by one at a time. Compare only scores with the same `apart`.

The sum over tokens is no probability of the text, as each one is given all the others. It does not compare with the bits per
byte of a causal model, which is given only what stands before: for the same knowledge of the language it is lower.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from pentad import Evaluated, HeldOut, RunEvaluator, Session, segments_of
from pentad.tools import bits_per_byte, standard_error
from pentad_masking.options import HidingOptions

_Integers = npt.NDArray[np.int64]

TOKENS_AT_ONCE = 8192
LOGITS_AT_ONCE = 1 << 25
STRETCHES = 32
"""Stretches of the text by which the standard error is estimated."""


class _Found(NamedTuple):
    """What a model says of tokens (N,) that were hidden: the window of each, the id, its nats, whether it is the likeliest."""

    window: _Integers
    token: _Integers
    nats: npt.NDArray[np.float64]
    right: npt.NDArray[np.bool_]


class _Hiding(RunEvaluator):
    """Hides every token of the text once."""

    def __init__(self, options: HidingOptions) -> None:
        self.apart = options.apart

    def supports(self, run: Evaluated) -> str:
        """Ask for a bidirectional model whose builder has a mask."""
        masks = "mask" in [token.name for token in run.builder.special_tokens]
        return "" if masks and not run.model.causal else "It needs a bidirectional model whose builder has a mask."

    def evaluate(self, session: Session, text: HeldOut) -> Mapping[str, float]:
        """Return the scores."""
        length = len(text.tokens)
        width = max(1, min(text.context_length, length))
        firsts = np.arange(0, length, width)
        passes = self.apart or width
        whole = text.max_tokens is None or length * passes <= text.max_tokens
        if (
            not whole and text.max_tokens is not None
        ):  # so many tokens are read, each of which is asked for in one of the passes
            number = max(1, text.max_tokens // (width * passes))
            firsts = firsts[np.linspace(0, len(firsts) - 1, min(number, len(firsts))).astype(np.int64)]
        parts = list(self._judge(session, text, firsts, width))
        found = _Found(*(np.concatenate([part[field] for part in parts]) for field in range(len(_Found._fields))))
        sizes = np.array([len(session.tokenizer.token_bytes(token)) for token in range(session.vocabulary.tokenizer_size)])
        return self._scores(found, sizes[found.token], text, whole, len(firsts))

    def _scores(self, found: _Found, sizes: _Integers, text: HeldOut, whole: bool, windows: int) -> dict[str, float]:
        nats, n_bytes = float(found.nats.sum()), int(sizes.sum())
        if whole:
            lost, n_bytes = max(text.lost_bytes, text.n_bytes - n_bytes), text.n_bytes
        else:
            lost = round(text.lost_bytes * n_bytes / max(text.n_bytes - text.lost_bytes, 1))
            n_bytes += lost
        stretch = found.window * STRETCHES // max(windows, 1)
        totals = np.bincount(stretch, found.nats), np.bincount(stretch, sizes)
        error = standard_error([(float(one), int(other)) for one, other in zip(*totals, strict=True) if other])
        return {
            "pseudo_bits_per_byte": bits_per_byte(nats, max(n_bytes, 1), lost),
            "masked_accuracy": float(found.right.mean()) if len(found.right) else 0.0,
            **({"lost_bytes": lost} if lost else {}),
            **({"standard_error": error} if error else {}),
            "n_tokens": len(found.token),
            "n_bytes": n_bytes,
        }

    def _judge(self, session: Session, text: HeldOut, firsts: _Integers, width: int) -> Iterator[_Found]:
        """Yield what the model says of the tokens of windows that begin at `firsts`."""
        rows = max(1, TOKENS_AT_ONCE // width)
        hides = list(self._hides(firsts, width, text, session.vocabulary.end_of_text))
        asked = (
            np.concatenate([np.stack([window, group]) for window, group in hides], axis=1) if hides else np.zeros((2, 0), int)
        )
        for start in range(0, asked.shape[1], rows):
            if text.progress is not None:
                text.progress(start / asked.shape[1])
            windows, groups = asked[:, start : start + rows]
            ids, may, place = _read(text, firsts[windows], width, session.vocabulary.end_of_text)
            hidden = may & (place % (self.apart or width) == groups[:, None])
            yield _found(session, ids, hidden, windows)

    def _hides(self, firsts: _Integers, width: int, text: HeldOut, end: int) -> Iterator[tuple[_Integers, _Integers]]:
        """Yield windows and the groups of their tokens that are hidden together, those without a token left out."""
        passes = self.apart or width
        for start in range(0, len(firsts), 512):
            windows = np.arange(start, min(start + 512, len(firsts)))
            _, may, place = _read(text, firsts[windows], width, end)
            flags = np.zeros((len(windows), passes), dtype=np.bool_)
            row, column = may.nonzero()
            flags[row, place[row, column] % passes] = True
            row, group = flags.nonzero()
            yield windows[row], group


def _read(text: HeldOut, firsts: _Integers, width: int, end: int) -> tuple[_Integers, npt.NDArray[np.bool_], _Integers]:
    """Return the ids (B, T) of windows, which of them are asked for, and their places in the text."""
    tokens = text.tokens
    place = np.minimum(firsts, len(tokens) - width)[:, None] + np.arange(width)  # the last window ends with the text
    ids = np.asarray(tokens.ids)[place].astype(np.int64)
    may = (place >= firsts[:, None]) & (ids != end)
    if tokens.learn is not None:
        may &= np.asarray(tokens.learn)[place]
    return ids, may, place


def _found(session: Session, ids: _Integers, hidden: npt.NDArray[np.bool_], windows: _Integers) -> _Found:
    """Hide tokens in windows (B, T), and return what the model says of them."""
    inputs = torch.from_numpy(np.where(hidden, session.vocabulary.id("mask"), ids)).to(session.device)
    numbers = segments_of(ids, session.vocabulary.end_of_text)
    segments = None if numbers is None else torch.from_numpy(numbers).to(session.device)
    wanted = torch.from_numpy(ids[hidden]).to(session.device)  # (N,)
    known, nats, right = session.vocabulary.tokenizer_size, [], []
    with torch.inference_mode():
        features = session.net(inputs, segments).features[torch.from_numpy(hidden).to(session.device)]  # (N, D)
        rows = max(1, LOGITS_AT_ONCE // session.vocabulary.size)
        for chunk, targets in zip(features.split(rows), wanted.split(rows), strict=True):
            logits = session.net.logits(chunk)  # (n, V)
            nats.append(torch.nn.functional.cross_entropy(logits, targets, reduction="none").double().cpu())
            right.append((logits[:, :known].argmax(dim=-1) == targets).cpu())
    row = np.broadcast_to(windows[:, None], ids.shape)[hidden]
    return _Found(row, ids[hidden], torch.cat(nats).numpy(), torch.cat(right).numpy())


class PseudoLikelihood(_Hiding):
    """The pseudo-log-likelihood in bits per byte of the text, with the share of tokens that are found beside it."""

    primary = "pseudo_bits_per_byte"


class MaskedAccuracy(_Hiding):
    """The share of tokens that the model holds for the likeliest when they are hidden."""

    primary = "masked_accuracy"
    lower_is_better = False
