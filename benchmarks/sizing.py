"""What the best size of a model is for a text and a budget of arithmetic: the measurements behind docs/sizing.md.

    python -m benchmarks.sizing --data my.txt --flops 2e12 2x128 3x128 3x128,dropout=0.1 4x192,vocab=2048

Each word is layers x width, with options behind it (dropout, vocab, batch, context, heads, lr). One run after another, one
thread, with the schedule fitted to the budget: the score depends on the arithmetic and not on how busy the machine is. A line
of JSON a run goes to --out, with the curve, the steps, the passes and the seconds of CPU.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from pentad.system.machine import prepare_process


def recipe_of(word: str, data: str, flops: str, seed: int, validation: float) -> Any:
    """Return the recipe that a word such as `3x128,dropout=0.1,vocab=2048` means."""
    from pentad import Choice, Recipe

    size, *options = word.split(",")
    layers, _, width = size.partition("x")
    given = dict(option.split("=") for option in options)
    return Recipe(
        tokenizer=Choice("bpe", vocab_size=int(given.get("vocab", 1024))),
        builder="next-token",
        model=Choice(
            "gpt",
            n_layer=int(layers),
            n_embd=int(width),
            n_head=int(given.get("heads", max(1, int(width) // 64))),
            dropout=float(given.get("dropout", 0.0)),
        ),
        optimizer=Choice("muon", **{name: float(given[name]) for name in ("lr", "weight_decay") if name in given}),
        sampler="top-k",
        data={"sources": (data,), "validation": validation},
        training={
            "budget": f"{flops}flops",
            "seed": seed,
            "batch_size": int(given.get("batch", 8)),
            "context_length": int(given.get("context", 128)),
        },
        machine={"threads": 1, "compile": "off"},
        evaluation={"evaluate_every": 0.125},
        generation={"sample_every": 0.0, "max_tokens": 1},
    )


def measure(word: str, data: str, flops: str, seed: int, validation: float) -> dict[str, Any]:
    """Train one recipe and return what was found."""
    import pentad

    class Watch(pentad.RunObserver):
        def __init__(self) -> None:
            self.curve: list[float] = []
            self.plan: Any = None

        def on_start(self, event: pentad.Plan) -> None:
            self.plan = event

        def on_evaluation(self, event: pentad.Evaluation) -> None:
            self.curve.append(round(event.bits_per_byte, 4))

    watch, began = Watch(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        recipe = recipe_of(word, data, flops, seed, validation)
        result = pentad.run(recipe, out=Path(folder) / "run", observers=[watch])
    plan = watch.plan
    return {
        "data": Path(data).name,
        "train_bytes": plan.train_bytes,
        "flops": float(flops),
        "size": word,
        "seed": seed,
        "bits_per_byte": result.bits_per_byte,
        "curve": watch.curve,
        "steps": result.step,
        "passes": round(plan.epochs, 2),
        "parameters": plan.parameters,
        "bytes_per_token": round(plan.train_bytes / plan.train_tokens, 3),
        "flops_per_step": plan.flops_per_step,
        "precision": plan.precision,
        "training_seconds": round(result.seconds, 1),
        "cpu_seconds": round(time.process_time() - began, 1),
    }


def main() -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", nargs="+")
    parser.add_argument("--data", default="shakespeare")
    parser.add_argument("--flops", default="2e12")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--validation", type=float, default=0.0)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/sizing.jsonl"))
    given = parser.parse_args()
    prepare_process()
    given.out.parent.mkdir(parents=True, exist_ok=True)
    for word in given.sizes:
        found = measure(word, given.data, given.flops, given.seed, given.validation)
        print(json.dumps(found), flush=True)
        with given.out.open("a") as file:
            file.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
