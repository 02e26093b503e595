"""Generated tokens/s, greedy, from an untrained model: speed does not depend on what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import cast

import torch

from benchmarks import bare, stages
from benchmarks.rows import Row, Settings
from benchmarks.timing import alternate, ratios
from pentad import Limits, Model, Tokenizer, Vocabulary
from pentad.inference.session import ModelSession
from pentad.system.machine import Machine, pick_machine

LAYERS, HEADS, WIDTH, TOKENS = 6, 6, 384, 255


def rows(settings: Settings) -> Iterator[Row]:
    """Measure one text at a time, and 32 side by side."""
    machine = pick_machine("cpu", "fp32", settings.threads)
    layers, heads, width, tokens = (1, 2, 16, 5) if settings.quick else (LAYERS, HEADS, WIDTH, TOKENS)
    size = {"n_layer": layers, "n_head": heads, "n_embd": width}
    models = {
        f"gpt {layers}x{width}, GPT-2's settings": stages.make_model("gpt", tokens + 1, **size, **stages.GPT2),
        f"gpt {layers}x{width}, defaults": stages.make_model("gpt", tokens + 1, **size),
        f"rnn lstm 2x{width}": stages.make_model("rnn", tokens + 1, n_layer=2, n_embd=width),
    }
    reference = bare.GPT2(layers, heads, width, tokens + 1, stages.VOCABULARY).eval()
    for batch, rounds in ((1, 5), (32, 3)):
        runs: dict[str, Callable[[], object]] = {
            f"{name}, batch {batch}": _engine(model, machine, batch, tokens) for name, model in models.items()
        }
        by_hand = f"GPT-2 by hand, static cache, batch {batch}"
        runs[by_hand] = lambda batch=batch: reference.generate(batch, tokens)  # type: ignore[misc]
        times = alternate(runs, settings.rounds(rounds))
        for name in runs:
            compared = not name.startswith(("rnn", "GPT-2"))
            wall_ratio, cpu_ratio = ratios(times[name], times[by_hand]) if compared else (None, None)
            yield Row(
                bench="generation",
                name=name,
                value=batch * tokens / times[name].wall,
                unit="tokens/s",
                wall=times[name].wall,
                cpu=times[name].cpu,
                against="GPT-2 by hand" if compared else "",
                ratio=wall_ratio,
                cpu_ratio=cpu_ratio,
            )


def _engine(model: Model, machine: Machine, batch: int, tokens: int) -> Callable[[], object]:
    sampler = stages.make_sampler("greedy")
    tokenizer = cast(Tokenizer, stages.make("tokenizer", "byte"))
    session = ModelSession(model, machine, tokenizer, Vocabulary(tokenizer_size=stages.VOCABULARY, end_of_text=-1))
    limits = Limits(max_tokens=tokens, samples=batch)
    return lambda: list(session.generate(torch.zeros(1, dtype=torch.int64), sampler, limits))
