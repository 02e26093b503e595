"""Tokenizers on the built-in corpus: MB/s of text in training and encoding, on one core and on all, and bytes per token."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

from benchmarks import stages
from benchmarks.rows import Row, Settings
from benchmarks.timing import Times, timed
from pentad import Tokenizer

CANDIDATES: dict[str, tuple[str, dict[str, Any]]] = {
    "byte": ("byte", {}),
    "bpe": ("bpe", {"vocab_size": 4096}),
    "gpt2": ("gpt2", {}),
    "sentencepiece unigram": ("sentencepiece", {"model_type": "unigram", "vocab_size": 4096}),
    "sentencepiece bpe": ("sentencepiece", {"model_type": "bpe", "vocab_size": 4096}),
}

SECONDS = 1.0
"""Encoding is repeated for about so long."""


def rows(settings: Settings) -> Iterator[Row]:
    """Measure each tokenizer."""
    texts = _texts(settings)
    n_bytes = sum(len(text.encode()) for text in texts)
    for name, (implementation, options) in CANDIDATES.items():
        options = {**options, "vocab_size": 400} if settings.quick and implementation in ("bpe", "sentencepiece") else options
        tokenizer, trainings = _train(implementation, options, texts)
        if implementation not in ("byte", "gpt2"):
            for cores, times in trainings.items():
                yield _row(f"{name}, training", cores, n_bytes, times, f"{tokenizer.vocab_size:,} ids")
        n_tokens = sum(map(len, tokenizer.encode_batch(texts)))
        for cores, times in _encode(tokenizer, texts, settings).items():
            yield _row(f"{name}, encoding", cores, n_bytes, times, f"{n_bytes / n_tokens:.2f} bytes a token")


def _texts(settings: Settings) -> list[str]:
    texts = list(stages.catalogue().find("corpus", "python-docs").resolve()())
    return texts[:4] if settings.quick else texts


def _train(implementation: str, options: dict[str, Any], texts: Sequence[str]) -> tuple[Tokenizer, dict[str, Times]]:
    """Train once on all cores and once on one; return the tokenizer and the seconds."""
    seconds = {}
    for cores, limit in _cores().items():
        tokenizer = cast(Tokenizer, stages.make("tokenizer", implementation, options=options))
        with limit():
            wall, cpu = timed(lambda tokenizer=tokenizer: tokenizer.train(iter(texts)))  # type: ignore[misc]
        seconds[cores] = Times(walls=[wall], cpus=[cpu])
    return tokenizer, seconds


def _encode(tokenizer: Tokenizer, texts: Sequence[str], settings: Settings) -> dict[str, Times]:
    runs: dict[str, Callable[[], object]] = {
        "one core": lambda: [tokenizer.encode(text) for text in texts],
        "all cores": lambda: tokenizer.encode_batch(texts),
    }
    first, _ = timed(runs["one core"])
    rounds = settings.rounds(min(100, max(5, round(SECONDS / first))))
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            with _cores()[name]():
                found[name].append(timed(run))
    return {name: Times(walls=[wall for wall, _ in times], cpus=[cpu for _, cpu in times]) for name, times in found.items()}


def _row(name: str, cores: str, n_bytes: int, times: Times, note: str) -> Row:
    megabytes = n_bytes / 1e6
    return Row(
        bench="tokenizers",
        name=f"{name}, {cores}",
        value=megabytes / times.wall,
        unit="MB/s",
        wall=times.wall,
        cpu=times.cpu,
        note=note,
    )


def _cores() -> dict[str, Callable[[], contextlib.AbstractContextManager[None]]]:
    return {"all cores": contextlib.nullcontext, "one core": _one_core}


@contextlib.contextmanager
def _one_core() -> Iterator[None]:
    """Keep this thread, and those that it starts, on one core; tell `tokenizers`, whose threads are there already."""
    kept = os.environ.get("TOKENIZERS_PARALLELISM")
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_setaffinity") else set()
    if cores:
        os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        if cores:
            os.sched_setaffinity(0, cores)
        os.environ["TOKENIZERS_PARALLELISM"] = kept or "true"
