"""The tables of a recipe that belong to no stage, and the options that each holds, with defaults, bounds and help."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pentad.config.options import describe, option
from pentad.config.stages import STAGES
from pentad.system.errors import ARGUMENTS


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """The text: the table `[data]`."""

    sources: tuple[str, ...] = option(
        (), "Corpora, files, folders or globs, with options behind (NAME,option=value); - reads what is piped in."
    )
    include: tuple[str, ...] = option((), 'More files of folders and globs to read, by patterns such as "*.log".')
    exclude: tuple[str, ...] = option((), 'Files and folders below folders to leave out, by patterns: "*.md", "tests".')
    strict: bool = option(False, "Refuse a folder that holds an unreadable file, instead of skipping the file.")
    encoding: str = option(
        "auto", "How the bytes of text files are read: utf-8, latin-1, …; auto is UTF-8, or what a byte order mark says."
    )
    text_key: str = option("", "Key of JSON lines, or column of .csv and .tsv files, that holds the text.")
    held_out: float = option(0.1, "Share of the text's bytes that is held out of training, for evaluation.", ge=0, lt=1)
    held_out_sources: tuple[str, ...] = option((), "Text for evaluation, instead of a share of the sources.")
    validation: float = option(
        0.0, "Share of the training text to evaluate on in place of the held-out text, while settings are tuned.", ge=0, lt=1
    )
    drop_duplicates: bool = option(False, "Leave out documents that repeat an earlier one exactly.")


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """What decides the trained model, beside the text and the stages: the table `[training]`."""

    steps: int | None = option(None, "Optimizer steps; none means that the budget decides.", ge=1)
    budget: str | None = option(
        "150s", "When to stop, if not by steps: training time (90s, 5m, 2h), 2e15flops, 50MB of text, or 3epochs."
    )
    seed: int = option(0, "Seed of the initial parameters, the order of examples and every random draw.", ge=0, lt=2**63)
    batch_size: int = option(
        8,
        "Examples per step, over all micro-batches and processes. Left open, a budget of time or arithmetic decides.",
        ge=1,
        le=1_000_000,
    )
    context_length: int = option(128, "Tokens per example. Left open, a budget of time or arithmetic decides.", ge=1)
    gradient_accumulation: int = option(1, "Micro-batches per step; more need less memory.", ge=1)
    max_epochs: float | None = option(None, "Most passes over the text, where the budget buys more; none: no limit.", gt=0)
    grad_clip: float = option(1.0, "Clip the gradient norm to this; 0 disables.", ge=0)


@dataclass(frozen=True, kw_only=True)
class MachineOptions:
    """How to compute: the table `[machine]`. All but `recompute` change the rounding, and so can change the result a little."""

    device: str = option("auto", "Device to compute on.", choices=("auto", "cpu", "cuda", "mps"))
    precision: str = option(
        "auto", "Number format of products; auto: the faster, as measured.", choices=("auto", "fp32", "bf16")
    )
    compile: str = option(
        "auto",
        "Compile the model; auto does so where the run is long enough to save time, and on a CPU if it is measured to.",
        choices=("auto", "on", "off"),
    )
    kernels: tuple[str, ...] = option((), "Ways to compute, by name (attention=products); others are measured, or auto.")
    threads: int | None = option(None, "CPU threads; none means one per core, or fewer where that is faster.", ge=1, le=1024)
    recompute: bool = option(False, "Compute blocks again in the backward pass: less memory, more time.", affects_result=False)


@dataclass(frozen=True, kw_only=True)
class EvaluationOptions:
    """When the model is scored: the table `[evaluation]`. It decides which scores there are, so it is part of the result."""

    evaluate_every: float = option(
        0.1, "Share of the run between evaluations on the held-out text; 0 evaluates at the end only.", ge=0, le=1
    )


@dataclass(frozen=True, kw_only=True)
class GenerationOptions:
    """The texts that a run samples: the table `[generation]`. Their random numbers are not those of the training."""

    prompt: str = option("", "Text to continue; empty means the start of a document.", affects_result=False)
    max_tokens: int = option(120, "Maximum new tokens.", ge=1, le=10_000_000, affects_result=False)
    samples: int = option(1, "Number of texts, generated as one batch.", ge=1, le=10_000, affects_result=False)
    sample_every: float = option(
        0.25, "Share of the run between sampled texts; 0 samples at the end only.", ge=0, le=1, affects_result=False
    )


@dataclass(frozen=True, kw_only=True)
class ReportingOptions:
    """What a run writes while it trains: the table `[reporting]`."""

    log_every: int = option(10, "Steps between lines in metrics.jsonl.", ge=1, affects_result=False)
    checkpoint_seconds: float = option(
        60.0, "Seconds between checkpoints; 0 saves at the end only.", ge=0, affects_result=False
    )
    keep_checkpoints: int = option(2, "Number of newest checkpoints to keep.", ge=1, affects_result=False)


@dataclass(frozen=True, kw_only=True)
class StartOptions:
    """The run that this one starts from: the table `[start]`, which most recipes do not have."""

    run: str | None = option(None, "Folder of a run to start from, with its tokenizer, its model and its weights.")


TABLES: Mapping[str, type[Any]] = {
    "data": DataOptions,
    "training": TrainingOptions,
    "machine": MachineOptions,
    "evaluation": EvaluationOptions,
    "generation": GenerationOptions,
    "reporting": ReportingOptions,
    "start": StartOptions,
}
"""The tables beside those of the stages, and the options that each holds."""

ADAPTER = "adapter"
"""The table of what changes a model, which most recipes do not have; like a stage's it has a name and options."""

ARGUMENTS.update({f"--{stage}": f"{stage}={{}}" for stage in (*STAGES, ADAPTER)})
ARGUMENTS.update(
    {f"--{spec.flag}": f'{name}={{{{"{spec.name}": {{}}}}}}' for name, table in TABLES.items() for spec in describe(table)}
)
ARGUMENTS.update({"--data": "data={}", "--start": "start={}", "--held-out-data": 'data={{"held_out_sources": {}}}'})
