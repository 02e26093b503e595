"""What the best size of a model is for a text and a budget: the measurements behind docs/sizing.md.

    python -m benchmarks.sizing --data my.txt --flops 2e12 2x128 3x128 3x128,dropout=0.1 4x192,vocab=2048
    python -m benchmarks.sizing --model rnn --seconds 60 auto 1x128 2x128 2x128,lr=0.03

Each word is layers x width, or `auto` for what the engine chooses, with options behind it (dropout, vocab, batch, context,
heads, lr). One run after another, one thread, with the schedule fitted to the budget. A budget of arithmetic gives scores that
do not depend on how busy the machine is; one of time is counted by the CPU, and also has what small products lose. A line of
JSON a run goes to --out, with the curve, the steps, the passes and the seconds of CPU.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.timing import cpu_clock
from pentad.system.machine import prepare_process


def recipe_of(word: str, given: argparse.Namespace) -> Any:
    """Return the recipe that a word such as `3x128,dropout=0.1,vocab=2048` means."""
    from pentad import Choice, Recipe

    size, *options = word.split(",")
    named = dict(option.split("=") for option in options)
    model: dict[str, Any] = {}
    if size != "auto":
        model["n_layer"], model["n_embd"] = map(int, size.split("x"))
    if "heads" in named:
        model["n_head"] = int(named["heads"])
    if "dropout" in named:
        model["dropout"] = float(named["dropout"])
    return Recipe(
        tokenizer=Choice("bpe", vocab_size=int(named.get("vocab", 1024))),
        builder="masked" if given.model == "bert" else "next-token",
        model=Choice(given.model, **model),
        optimizer=Choice("muon", **{name: float(named[name]) for name in ("lr", "weight_decay") if name in named}),
        sampler="top-k",
        data={"sources": (given.data,), "validation": given.validation},
        training={
            "budget": f"{given.seconds}s" if given.seconds else f"{given.flops}flops",
            "seed": given.seed,
            "batch_size": int(named.get("batch", 8)),
            "context_length": int(named.get("context", 128)),
        },
        machine={"threads": 1, "compile": "off"},
        evaluation={"evaluate_every": 0.125},
        generation={"sample_every": 0.0, "max_tokens": 1},
    )


def measure(word: str, given: argparse.Namespace) -> dict[str, Any]:
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
    with tempfile.TemporaryDirectory() as folder, cpu_clock():
        result = pentad.run(recipe_of(word, given), out=Path(folder) / "run", observers=[watch])
    plan = watch.plan
    chosen = plan.recipe.to_dict()
    return {
        "model": given.model,
        "data": Path(given.data).name,
        "train_bytes": plan.train_bytes,
        "flops": float(given.flops),
        "seconds": given.seconds,
        "size": word,
        "chosen": {**chosen["model"], "lr": chosen["optimizer"]["lr"]},
        "seed": given.seed,
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
    parser.add_argument("--model", default="gpt", help="gpt unless given; one that has layers and width")
    parser.add_argument("--data", default="shakespeare")
    parser.add_argument("--flops", default="2e12")
    parser.add_argument("--seconds", type=float, default=0.0, help="CPU seconds of training, in place of --flops")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--validation", type=float, default=0.0)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/sizing.jsonl"))
    given = parser.parse_args()
    prepare_process()
    given.out.parent.mkdir(parents=True, exist_ok=True)
    for word in given.sizes:
        found = measure(word, given)
        print(json.dumps(found), flush=True)
        with given.out.open("a") as file:
            file.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
