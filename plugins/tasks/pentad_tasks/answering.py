"""Answers to many prompts at once: prompts of one length share a batch, and each is read once for all of its answers.

What is drawn depends on the key of its answer and the place in it alone, so that an answer does not depend on what is written
beside it, up to the rounding of a product with more or fewer rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pentad import Session, random_words

ROWS_AT_ONCE = 512
"""Answers that are written side by side at most."""


def write_answers(
    session: Session,
    prompts: Sequence[Sequence[int]],
    *,
    answers: int = 1,
    max_tokens: Sequence[int],
    keys: npt.NDArray[np.uint64] | None = None,
    temperature: float = 1.0,
) -> list[list[int]]:
    """Write answers to prompts.

    Args:
        session: the model, which must be causal.
        prompts: ids each.
        answers: how many to each prompt.
        max_tokens: most tokens of an answer, for each prompt.
        keys: (prompts, answers) decides the draws of each answer; None for the likeliest token each time.
        temperature: divides the logits before a token is drawn.

    Returns:
        Ids for each answer, those to the first prompt first; the token that ends an answer is its last one.
    """
    found: list[list[int]] = [[] for _ in range(len(prompts) * answers)]
    by_length: dict[int, list[int]] = {}
    for number, prompt in enumerate(prompts):
        by_length.setdefault(len(prompt), []).append(number)
    at_once = max(1, ROWS_AT_ONCE // answers)
    for numbers in by_length.values():
        for first in range(0, len(numbers), at_once):
            part = numbers[first : first + at_once]
            ids = torch.tensor([list(prompts[number]) for number in part], device=session.device)  # (P, T)
            rows = [number * answers + answer for number in part for answer in range(answers)]
            limits = np.array([max_tokens[number] for number in part for _ in range(answers)])
            own = None if keys is None else keys[part].reshape(-1)
            for row, answer in zip(rows, _write(session, ids, answers, limits, own, temperature), strict=True):
                found[row] = answer
    return found


def _write(
    session: Session,
    ids: Tensor,
    answers: int,
    limits: npt.NDArray[np.int64],
    keys: npt.NDArray[np.uint64] | None,
    temperature: float,
) -> list[list[int]]:
    """Write answers to prompts (P, T) of one length: a list of P * answers."""
    stops = torch.tensor(sorted(session.vocabulary.stops), device=session.device)
    banned = torch.from_numpy(~session.vocabulary.drawable).to(session.device)
    logits = session.prefill(ids).repeat_interleave(answers, dim=0)
    if answers > 1:
        session.select(torch.arange(len(ids), device=session.device).repeat_interleave(answers))
    written: list[list[int]] = [[] for _ in range(len(logits))]
    rows = np.arange(len(logits))  # which answers the session still writes
    running = np.ones(len(logits), dtype=bool)
    for place in range(int(limits.max())):
        logits = logits.masked_fill(banned, float("-inf"))
        drawn = logits.argmax(dim=-1) if keys is None else _draw(logits / temperature, keys[rows], place)
        ended = torch.isin(drawn, stops).cpu().numpy()
        for at, token in enumerate(drawn.tolist()):
            if running[at]:
                written[rows[at]].append(token)
        running &= ~ended & (place + 1 < limits[rows])
        if not running.any():
            break
        if running.sum() <= len(running) // 2:  # the rest goes on alone
            kept = torch.from_numpy(np.flatnonzero(running)).to(session.device)
            session.select(kept)
            drawn, rows, running = drawn[kept], rows[running], running[running]
        logits = session.extend(drawn)
    return written


def _draw(logits: Tensor, keys: npt.NDArray[np.uint64], place: int) -> Tensor:
    """Draw a token for each row of logits (B, V), by the inverse of the distribution function."""
    words = (random_words(0, keys, place) >> np.uint64(32)).astype(np.float64)
    uniform = torch.from_numpy(words / 2**32).to(logits.device)  # (B,) in [0, 1)
    summed = logits.softmax(dim=-1).double().cumsum(dim=-1)
    wanted = (uniform * summed[:, -1])[:, None]
    drawn: Tensor = torch.searchsorted(summed, wanted, right=True)[:, 0].clamp(max=logits.shape[1] - 1)
    return drawn
