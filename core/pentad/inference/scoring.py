"""The score: bits per byte of the held-out text.

The text is cut into windows of the context length, side by side, and every token is scored exactly once, given what stands
before it in its window and document. End-of-text ids are context and are not scored, as they stand for no byte. Memory does
not grow with the text.
"""

from __future__ import annotations

import math
import time

import numpy as np
import torch

from pentad.contracts.batch import IGNORED, segments_of
from pentad.contracts.model import Model
from pentad.contracts.observer import Evaluation
from pentad.contracts.tokenizer import Tokenizer
from pentad.data.shards import TokenShard
from pentad.inference.net import bits_per_byte, negative_log_likelihood
from pentad.system.machine import Machine

TOKENS_AT_ONCE = 8192


def evaluate(
    model: Model,
    machine: Machine,
    tokenizer: Tokenizer,
    shard: TokenShard,
    context_length: int,
    *,
    step: int = 0,
    most_tokens: int | None = None,
) -> Evaluation:
    """Score a text.

    Args:
        model: on the machine's device.
        machine: where to compute.
        tokenizer: that made the shard.
        shard: the text as ids.
        context_length: tokens per window.
        step: training steps behind the model, for the record.
        most_tokens: score about so many tokens, in windows spread evenly over the text, instead of all.

    Returns:
        The score. Perplexity and loss are per scored token.
    """
    began = time.perf_counter()
    tokens = shard.tokens
    starts = np.arange(0, shard.n_tokens - 1, context_length, dtype=np.int64)
    whole = most_tokens is None or shard.n_tokens <= most_tokens
    if not whole and most_tokens is not None:
        n_windows = max(1, most_tokens // context_length)
        starts = starts[np.linspace(0, len(starts) - 1, n_windows).astype(np.int64)]
    rows = max(1, TOKENS_AT_ONCE // context_length)
    nats, n_tokens, n_bytes = 0.0, 0, 0
    lengths = None if whole else _token_lengths(tokenizer)
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        for first in range(0, len(starts), rows):
            inputs, targets = _windows(tokens, starts[first : first + rows], context_length, tokenizer.end_of_text)
            segments = segments_of(inputs, tokenizer.end_of_text)
            counted = targets[targets != IGNORED]
            n_tokens += len(counted)
            n_bytes += int(lengths[counted].sum()) if lengths is not None else 0
            on_device = [None if a is None else torch.from_numpy(a).to(machine.device) for a in (inputs, targets, segments)]
            assert on_device[0] is not None
            assert on_device[1] is not None
            nats += negative_log_likelihood(model, machine, on_device[0], on_device[1], on_device[2])
    model.train(was_training)
    # The shard knows the text's bytes, also where a tokenizer is not lossless.
    n_bytes = shard.n_bytes if whole else n_bytes
    loss = nats / max(n_tokens, 1)
    return Evaluation(
        step=step,
        bits_per_byte=bits_per_byte(nats, max(n_bytes, 1)),
        loss=loss,
        perplexity=math.exp(min(loss, 700.0)),
        n_bytes=n_bytes,
        n_tokens=n_tokens,
        context_length=context_length,
        seconds=time.perf_counter() - began,
    )


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


def _token_lengths(tokenizer: Tokenizer) -> np.ndarray:
    """Return the bytes (V,) that each id stands for."""
    return np.array([len(tokenizer.token_bytes(token)) for token in range(tokenizer.vocab_size)], dtype=np.int64)
