"""GPT-2 124M on a CUDA GPU, in bf16, compiled: tokens/s, and the share of the GPU's peak that the mathematics takes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import torch

from benchmarks import stages
from benchmarks.rows import Row, Settings
from benchmarks.timing import Times, timed
from pentad import Model
from pentad.system.machine import Machine, pick_machine

LAYERS, HEADS, WIDTH, CONTEXT, VOCABULARY = 12, 12, 768, 1024, 50257

PEAKS = {
    "B200": 2250,
    "H200": 989,
    "H100 PCIe": 756,
    "H100 NVL": 835,
    "H100": 989,
    "A100": 312,
    "A10G": 70,
    "A10": 125,
    "L40S": 362,
    "L4": 121,
    "A6000": 155,
    "RTX 5090": 210,
    "RTX 4090": 165,
    "RTX 4080": 97,
    "RTX 3090": 71,
    "RTX 3080": 60,
}
"""Dense bf16 TFLOP/s with sums in fp32, from the makers' data sheets; the first name that a GPU's name holds is taken."""


def rows(settings: Settings) -> Iterator[Row]:
    """Measure the largest batch of 64, 32, … that fits."""
    if not torch.cuda.is_available():
        yield Row(bench="cuda", name="GPT-2 124M", value=None, unit="tokens/s", note="no CUDA device")
        return
    machine = pick_machine("cuda", "bf16", settings.threads)
    for batch in (2,) if settings.quick else (64, 32, 16, 8, 4):
        torch.cuda.empty_cache()
        try:
            yield _row(machine, batch, settings)
            return
        except torch.cuda.OutOfMemoryError:
            continue
    yield Row(bench="cuda", name="GPT-2 124M", value=None, unit="tokens/s", note="too little GPU memory for 4 texts of 1024")


def _row(machine: Machine, batch: int, settings: Settings) -> Row:
    size = {"n_layer": LAYERS, "n_head": HEADS, "n_embd": WIDTH, "pad_vocab_to": 64}
    model = stages.make_model("gpt", CONTEXT, VOCABULARY, **size, **stages.GPT2).to(machine.device)
    tokens = stages.random_text(vocab_size=VOCABULARY)
    forward = torch.compile(model)
    trainer = stages.make_trainer(model, machine, tokens, context_length=CONTEXT, batch_size=batch, forward=forward)
    numbers = itertools.count()
    for _ in range(5):  # compiles and warms up
        trainer.step(next(numbers), 0.5)
    measured = [timed(lambda: trainer.step(next(numbers), 0.5)) for _ in range(settings.rounds(30))]
    times = Times(walls=[wall for wall, _ in measured], cpus=[cpu for _, cpu in measured])
    rate = batch * CONTEXT / times.wall
    name = f"GPT-2 124M, bf16, compiled, batch {batch} x {CONTEXT}"
    return Row(
        bench="cuda",
        name=name,
        value=rate,
        unit="tokens/s",
        wall=times.wall,
        cpu=times.cpu,
        note=share_of_peak(rate * flops_per_token(model), torch.cuda.get_device_name(machine.device)),
    )


def flops_per_token(model: Model) -> float:
    """Return 6 N + 12 L H Q T, forward and backward (PaLM: Chowdhery et al., 2022, appendix B); N leaves out the positions."""
    parameters = sum(parameter.numel() for name, parameter in model.named_parameters() if not name.startswith("positions."))
    return 6 * parameters + 12 * LAYERS * WIDTH * CONTEXT


def share_of_peak(flops: float, gpu: str) -> str:
    """Say which part of the GPU's peak so many FLOP/s are.

    >>> share_of_peak(400e12, "NVIDIA H100 80GB HBM3")
    'NVIDIA H100 80GB HBM3: 40.4% of its 989 TFLOP/s'
    >>> share_of_peak(1e12, "Some GPU")
    'Some GPU: 1.0 TFLOP/s, share of its peak unknown'
    """
    peak = next((peak for name, peak in PEAKS.items() if name in gpu), None)
    if peak is None:
        return f"{gpu}: {flops / 1e12:.1f} TFLOP/s, share of its peak unknown"
    return f"{gpu}: {flops / peak / 1e10:.1f}% of its {peak} TFLOP/s"
