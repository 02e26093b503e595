"""Comparisons as the tool would find them, of every kind that the report must show."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from pentad_compare.measures.figures import SamplerFigures, Text, TextFigures, TokenizerFigures
from pentad_compare.records import (
    BITS_PER_BYTE,
    ArmResult,
    Candidate,
    Comparison,
    Data,
    Difference,
    Group,
    Point,
    SeedResult,
    from_dict,
)

PROMPTS = ("The", "A function is", "In the morning, when the")
WORDS = (
    "the",
    "a",
    "function",
    "returns",
    "object",
    "of",
    "type",
    "value",
    "and",
    "is",
    "called",
    "with",
    "if",
    "not",
    "found",
)


def written(prompt: str, seed: int, n_words: int = 70) -> str:
    draw = random.Random(f"{prompt}{seed}")
    words = [draw.choice(WORDS) for _ in range(n_words)]
    return " " + " ".join(words) + ".\n\nSee also:\n\n   the (name) of <type> & “value”."


def text_figures(shift: float = 0.0, bits: float | None = 1.4, verbatim: float | None = 0.1) -> TextFigures:
    longest = None if verbatim is None else int(40 + 900 * verbatim)
    return TextFigures(
        n_texts=12,
        repetition=0.02 + shift / 3,
        distinct_1=0.42 - shift / 2,
        distinct_2=0.83 - shift,
        distinct_3=0.95 - shift,
        bits_per_byte=bits,
        verbatim=verbatim,
        verbatim_bytes=32,
        longest_verbatim=longest,
        longest_text="the value of the object is returned if the name is not found" if longest else "",
    )


HUMAN = text_figures(0.0, 1.95, 0.03)


def sampler(name: str, seeds: Sequence[int], shift: float) -> SamplerFigures:
    return SamplerFigures(
        sampler=name,
        figures=text_figures(shift, 1.6 - 2 * shift, shift),
        by_seed={
            str(seed): text_figures(shift + 0.01 * (index - 1), 1.6 - 2 * shift, shift) for index, seed in enumerate(seeds)
        },
        texts=[Text(prompt=prompt, text=written(prompt, int(shift * 100))) for prompt in PROMPTS],
    )


def curve(final: float, seconds: float, text: float, flops: float, seed: int, points: int = 25) -> list[Point]:
    draw = random.Random(seed)
    made = []
    for index in range(points):
        share = (index / (points - 1)) ** 1.5 if points > 1 else 1.0
        score = final + 0.02 + (8.0 - final) * math.exp(-7 * share**0.45) + draw.gauss(0, 0.008)
        made.append(_point(share, score, seconds, text, flops, False))
    return [*made, _point(1.0, final, seconds, text, flops, True)]


def _point(share: float, score: float, seconds: float, text: float, flops: float, final: bool) -> Point:
    return Point(
        step=round(500 * share),
        tokens=round(text * share / 3),
        bytes=text * share,
        flops=flops * share,
        seconds=seconds * share,
        score=score,
        final=final,
    )


def run(seed: int, final: float | None, seconds: float, text: float, flops: float, memory: float = 4e8) -> SeedResult:
    score = None if final is None else final + random.Random(f"{seed} {final}").gauss(0, 0.012)
    return SeedResult(
        seed=seed,
        folder=f"runs/arm/seed-{seed}",
        metric=None if score is None else BITS_PER_BYTE,
        score=score,
        scores={} if score is None else {"bits_per_byte": score, "loss": score * 2.1, "perplexity": 11.0},
        steps=500,
        tokens=round(text / 3),
        bytes=text,
        flops=flops,
        training_seconds=seconds,
        wall_seconds=seconds * 1.3 + 5,
        tokens_per_second=text / 3 / seconds,
        bytes_per_second=text / seconds,
        peak_memory_bytes=int(memory),
        device="cpu",
        precision="fp32",
        threads=2,
        curve=[] if score is None else curve(score, seconds, text, flops, seed),
    )


def arm(
    label: str,
    settings: Mapping[str, str],
    seeds: Sequence[SeedResult],
    embedding: int = 262_144,
    matrix: int = 1_200_000,
    **more: object,
) -> ArmResult:
    scores = [seed.score for seed in seeds if seed.score is not None]
    mean = sum(scores) / len(scores) if scores else None
    spread = (
        math.sqrt(sum((score - mean) ** 2 for score in scores) / (len(scores) - 1)) if mean is not None and scores[1:] else None
    )
    values: dict[str, object] = {
        "label": label,
        "settings": settings,
        "recipe": {
            "tokenizer": {"name": settings.get("tokenizer", "bpe"), "vocab_size": 2048},
            "builder": {"name": "next-token"},
            "model": {"name": settings.get("model", "gpt"), "n_layer": 4, "n_embd": 128, "dropout": 0.0, "rope_base": None},
            "optimizer": {"name": "adamw", "lr": 1e-3},
            "data": {"sources": ["my.txt"], "held_out": 0.05},
            "training": {"batch_size": 16, "budget": "60s", "seed": 1},
        },
        "reproduce": f"engine run --config mine/arms/{'-'.join(settings.values())}/recipe.toml --seed 1 --out runs/again",
        "parameters": {"embedding": embedding, "matrix": matrix, "vector": 2_304},
        "vocab_size": embedding // 128,
        "bytes_per_token": 3.21,
        "flops_per_step": 3.1e9,
        "metric": None if mean is None else BITS_PER_BYTE,
        "mean": mean,
        "spread": spread,
        "seeds": seeds,
    }
    return ArmResult(**{**values, **more})  # type: ignore[arg-type]


def difference(found: ArmResult, baseline: ArmResult, half: float = 0.03) -> Difference:
    assert found.mean is not None and baseline.mean is not None
    mean = found.mean - baseline.mean
    low, high = mean - half, mean + half
    verdict = "better" if high < 0 else "worse" if low > 0 else "none"
    words = {
        "better": f"{found.label} better than {baseline.label} by {-mean:.3f} bits per byte [{-high:.3f}, {-low:.3f}]",
        "worse": f"{found.label} worse than {baseline.label} by {mean:.3f} bits per byte [{low:.3f}, {high:.3f}]",
        "none": f"{found.label} beside {baseline.label}: no difference shown; about 6 more seeds would be needed to show 0.01",
    }[verdict]
    return Difference(
        arm=found.label, baseline=baseline.label, n_seeds=3, mean=mean, low=low, high=high, verdict=verdict, words=words
    )


def group(arms: Sequence[ArmResult], half: float = 0.03, reason: str = "") -> Group:
    scored = sorted((each for each in arms if each.mean is not None), key=lambda each: each.mean or 0)
    rest = [each for each in arms if each.mean is None]
    baseline = next((each for each in arms if each.mean is not None), None)
    differences = [difference(each, baseline, half) for each in scored if baseline and each is not baseline]
    name = baseline.label if baseline and differences else ""
    metric = BITS_PER_BYTE if scored else None
    labels = [each.label for each in (*scored, *rest)]
    return Group(reason=reason, metric=metric, arms=labels, baseline=name, differences=differences)


def comparison(arms: Sequence[ArmResult], groups: Sequence[Group] | None = None, **more: object) -> Comparison:
    values: dict[str, object] = {
        "name": "mine",
        "command": "engine compare --tokenizer bpe,byte --model gpt,rnn --seeds 3 --budget 60s --data my.txt",
        "created": "2026-11-20T21:14:05+00:00",
        "engine": "0.1.0",
        "python": "3.11.9",
        "torch": "2.13.0",
        "machine": "2 × AMD EPYC 7R13 (AVX2), 16 GB, Linux",
        "budget": "60s",
        "budget_unit": "seconds",
        "seeds": [1, 2, 3],
        "confidence": 0.95,
        "detect": 0.01,
        "data": Data(
            sources=["my.txt"],
            fingerprint="9f2c71d05e6ab344",
            rule="documents",
            train_bytes=4_812_331,
            held_out_bytes=251_004,
        ),
        "groups": [group(arms)] if groups is None else groups,
        "arms": arms,
    }
    return Comparison(**{**values, **more})  # type: ignore[arg-type]


def usual() -> Comparison:
    """Four arms on three seeds; one seed ran out of memory; an arm that failed; tuning; texts; notes."""
    seeds = (1, 2, 3)
    flops = {"bpe gpt": 9.1e12, "bpe rnn": 3.4e12, "byte gpt": 8.8e12, "byte rnn": 2.9e12}
    finals = {"bpe gpt": 1.912, "bpe rnn": 2.121, "byte gpt": 1.925, "byte rnn": 2.402}
    arms = []
    for index, (name, final) in enumerate(finals.items()):
        tokenizer, model = name.split()
        runs = [run(seed, final, 60.0 + index / 10, 1.1e7 / (1 + index), flops[name], 3e8 + index * 1e8) for seed in seeds]
        if name == "byte rnn":
            runs[1] = SeedResult(
                seed=2, folder="runs/byte-rnn/seed-2", failure="RuntimeError: out of memory: tried to get 512 MB"
            )
        candidates = [
            Candidate(options={"optimizer.lr": lr}, scores=[final + 0.1 + shift, final + 0.09 + shift], chosen=lr == "1e-3")
            for lr, shift in (("3e-4", 0.1), ("1e-3", 0.0), ("3e-3", 0.04))
        ]
        candidates[2] = Candidate(options={"optimizer.lr": "3e-3"}, scores=[None, None]) if index == 1 else candidates[2]
        figures = [sampler("top-k", seeds, 0.04 + 0.03 * index)]
        settings = {"tokenizer": tokenizer, "model": model}
        parameters = {"embedding": 262_144 if tokenizer == "bpe" else 32_768}
        arms.append(arm(f"{tokenizer}, {model}", settings, runs, candidates=candidates, samplers=figures, **parameters))  # type: ignore[arg-type]
    failure = "The loss was not finite at step 12: lower optimizer.lr, or raise warmup_ratio."
    dead = [SeedResult(seed=seed, folder=f"runs/gpt2/seed-{seed}", failure=failure) for seed in seeds]
    arms.append(arm("gpt2, gpt", {"tokenizer": "gpt2", "model": "gpt"}, dead, failure=failure))
    human = [Text(prompt=prompt, text=written(prompt, 99)) for prompt in PROMPTS]
    notes = [
        "Other programs used 40% of the machine while byte, gpt with seed 3 was trained.",
        "gpt2's vocabulary was not cut.",
    ]
    return comparison(arms, human=HUMAN, human_texts=human, notes=notes)


def apart() -> Comparison:
    """Two groups: next-token arms, and a masked one that has no probability of a text; one seed only; no human text."""
    arms = [arm(name, {"model": name}, [run(1, final, 61, 9e6, 4e12)]) for name, final in (("gpt", 1.95), ("rnn", 2.2))]
    masked = arm("gpt, masked", {"builder": "masked"}, [run(1, None, 61, 9e6, 4e12)])
    unknown = Difference(
        arm="rnn",
        baseline="gpt",
        n_seeds=1,
        mean=0.25,
        low=None,
        high=None,
        verdict="unknown",
        words="rnn 0.250 bits per byte above gpt; one seed gives no interval",
    )
    reason = "No evaluator fits these arms, so they have no score: no ranking."
    groups = [
        Group(reason="", metric=BITS_PER_BYTE, arms=["gpt", "rnn"], baseline="gpt", differences=[unknown]),
        Group(reason=reason, arms=["gpt, masked"]),
    ]
    return comparison([*arms, masked], groups, seeds=[1])


def many() -> Comparison:
    """Twelve arms, long labels, costs far apart, a budget in bytes, and one huge interval."""
    arms = []
    for index in range(12):
        settings = {"model.n_layer": str(2 + index % 4), "optimizer.lr": f"{1 + index // 4}e-3", "tokenizer": "sentencepiece"}
        label = ", ".join(f"{key.split('.')[-1]} {value}" for key, value in settings.items())
        runs = [run(seed, 1.9 + 0.007 * index + 0.02 * (index % 3), 20 * 1.5**index, 5e7, 1e12 * 1.8**index) for seed in (1, 2)]
        arms.append(arm(label, settings, runs, matrix=300_000 * 2 ** (index % 4)))
    found = group(arms, 0.02)
    wide = found.differences[3]
    huge = Difference(
        arm=wide.arm, baseline=wide.baseline, n_seeds=2, mean=wide.mean, low=-3.1, high=3.2, verdict="none", words=wide.words
    )
    differences = [huge if each is wide else each for each in found.differences]
    groups = [Group(reason="", metric=BITS_PER_BYTE, arms=found.arms, baseline=found.baseline, differences=differences)]
    return comparison(arms, groups, budget="50MB", budget_unit="bytes", seeds=[1, 2])


def samplers() -> Comparison:
    """One arm trained once, its texts drawn in four ways."""
    names = ("greedy", "top-k, k 50", "temperature 0.8", "min-p")
    figures = [sampler(name, (1, 2, 3), 0.35 - 0.1 * index) for index, name in enumerate(names)]
    arms = [arm("gpt", {}, [run(seed, 1.92, 60, 9e6, 4e12) for seed in (1, 2, 3)], samplers=figures)]
    human = [Text(prompt=prompt, text=written(prompt, 99)) for prompt in PROMPTS]
    return comparison(arms, human=HUMAN, human_texts=human)


def tokenizer(label: str, mean: float, vocab: int, **more: object) -> TokenizerFigures:
    peak = mean + 0.5
    lengths = {str(length): int(8000 * math.exp(-(((length - peak) / (mean / 1.4)) ** 2))) for length in range(1, 26)}
    values: dict[str, object] = {
        "label": label,
        "recipe": {"name": label.split(",")[0], "vocab_size": vocab},
        "vocab_size": vocab,
        "n_bytes": 251_004,
        "n_tokens": int(251_004 / mean),
        "bytes_per_token": mean,
        "tokens_per_word": 6.1 / mean,
        "used": 0.8,
        "renyi_efficiency": 0.52,
        "encode_bytes_per_second": 5.4e6,
        "lengths": lengths if mean > 1 else {"1": 251_004},
        "longest": [" NotImplementedError", " __contains__", "================", "日本語の", "\\xe2\\x80", " <b>bold</b>"]
        if mean > 1
        else [],
    }
    return TokenizerFigures(**{**values, **more})  # type: ignore[arg-type]


def tokenizers() -> Comparison:
    """Tokenizers only, one of which failed and one of which loses text."""
    found = [
        tokenizer("bpe, vocab_size 2048", 3.21, 2048),
        tokenizer("bpe, vocab_size 8192", 4.05, 8192),
        tokenizer("sentencepiece", 3.4, 4096, round_trip_failures=3),
        tokenizer("byte", 1.0, 257),
        tokenizer("gpt2", 3.9, 50257, failure="The vocabulary is missing."),
    ]
    return comparison(
        [], [], tokenizers=found, seeds=[1], command="engine compare --tokenizer bpe,sentencepiece,byte --no-train"
    )


def nothing() -> Comparison:
    """Every run failed."""
    dead = [SeedResult(seed=1, folder="runs/a", failure="OSError: no space left on device")]
    arms = [arm("gpt", {"model": "gpt"}, dead, failure="OSError: no space left on device", parameters={}), arm("rnn", {}, dead)]
    return comparison(arms, [Group(reason="", arms=["gpt", "rnn"])])


CASES: dict[str, Callable[[], Comparison]] = {
    made.__name__: made for made in (usual, apart, many, samplers, tokenizers, nothing)
}


@pytest.fixture(scope="session")
def cases() -> dict[str, Comparison]:
    return {name: make() for name, make in CASES.items()}


@pytest.fixture(params=sorted(CASES))
def each_case(request: pytest.FixtureRequest) -> Comparison:
    return CASES[request.param]()


def marked(value: Any, ending: str, key: str = "") -> Any:
    """Append a text to every text of a record; `key` is the field it stands in."""
    if isinstance(value, str):
        return value + ending if value and key not in ("verdict", "budget_unit") else value
    if isinstance(value, (list, tuple)):
        return [marked(each, ending, key) for each in value]
    if not isinstance(value, Mapping):
        return value
    # These fields are mappings whose keys are texts too; all other mappings are records.
    free = key in ("settings", "recipe", "options", "by_seed", "inside")
    inner = {"recipe": "inside", "by_seed": "figures"}.get(key)
    return {name + ending * free: marked(each, ending, inner or name) for name, each in value.items()}


def spoiled(comparison: Comparison, ending: str) -> Comparison:
    return from_dict(Comparison, marked(dataclasses.asdict(comparison), ending))


@pytest.fixture(scope="session")
def spoil() -> Callable[[Comparison, str], Comparison]:
    """Append a text to every text of a comparison."""
    return spoiled
