"""What is attacked: a tiny run, and what it must come to."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pentad import Catalogue, Choice, Recipe, RunObserver, export_run, open_run, resume, run
from pentad.config.tables import StartOptions
from pentad.runs.newest import list_checkpoints

from .harness.child import count_calls, in_child, prepared

STEPS, STOPPED = 8, 4

GPT2: dict[str, Any] = {
    **{"position": "learned", "previous_tokens": 0, "ngram_order": 0, "qk_norm": False, "norm": "layernorm", "norm_gain": True},
    **{"embedding_norm": False, "activation": "gelu-tanh", "bias": True, "tie_embeddings": True, "logit_softcap": 0},
    **{"zero_init_projections": False},
}
"""The options by which the model gpt is GPT-2, which the example of a format writes."""


class _Stops(RunObserver):
    def on_step(self, event: Any) -> None:
        if event.step == STOPPED:
            os.kill(os.getpid(), signal.SIGTERM)


class Ground:
    """A folder with a text, a complete run, and one that was stopped half-way; each attack gets copies.

    Args:
        folder: empty.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = self.cases = folder
        self._calls: dict[str, int] = {}
        self.cache = folder / "cache"
        os.environ["PENTAD_CACHE"] = str(self.cache)
        text = folder / "text.txt"
        text.write_text("".join(f"{number} cats sat on mat {number * 7 % 13}.\n\n" for number in range(60)))
        self.recipe = Recipe(
            tokenizer="byte",
            builder="next-token",
            model=Choice("gpt", n_layer=1, n_head=2, n_embd=8, dropout=0.2),
            optimizer="adamw",
            sampler="temperature",
            data=text,
            training={"steps": STEPS, "batch_size": 8, "context_length": 16},
            machine={"device": "cpu", "threads": 1, "precision": "fp32"},
            evaluation={"evaluate_every": 0.5},
            generation={"max_tokens": 8, "samples": 1, "prompt": "1 c", "sample_every": 0.5},
            reporting={"log_every": 3, "keep_checkpoints": 2, "checkpoint_seconds": 1e-9},
        )
        self.complete, self.half, self.started = (folder / name for name in ("complete", "half", "started"))
        run(self.recipe, out=self.complete)
        in_child(lambda: run(self.recipe, out=self.half, observers=[_Stops()]))
        assert list_checkpoints(self.half)[0] < STEPS
        self.start_recipe = self.recipe.replace(start=StartOptions(run=str(self.complete)))
        prepared(lambda: run(self.start_recipe.replace(training={"steps": 2}), out=self.started))
        self.texts = {self.text_of(self.complete), *(self._text_of_older() or ())}

    def tokenized(self) -> dict[str, Path]:
        """Return a run of each tokenizer that has files of its own, by its name."""
        runs = {}
        for name, options in {"bpe": {"vocab_size": 260}, "sentencepiece": {"vocab_size": 300}}.items():
            runs[name] = self.folder / name
            if not runs[name].exists():
                recipe = self.recipe.replace(tokenizer=Choice(name, **options), training={"steps": 1})
                prepared(lambda recipe=recipe, path=runs[name]: run(recipe, out=path))
        return runs

    def adapted(self, catalogue: Catalogue) -> Path:
        """Return a run with an adapter, which starts from the complete one."""
        path = self.folder / "adapted"
        if not path.exists():
            recipe = self.start_recipe.replace(adapter=Choice("lora"), training={"steps": 2})
            prepared(lambda: run(recipe, out=path, catalogue=catalogue))
        return path

    def exported(self, catalogue: Catalogue) -> Path:
        """Return a run's model in the files of another project."""
        path = self.folder / "exported"
        if not path.exists():
            model = Choice("gpt", **GPT2, n_layer=1, n_head=2, n_embd=8)
            recipe = self.recipe.replace(tokenizer="gpt2", model=model, training={"steps": 1})
            prepared(lambda: run(recipe, out=self.folder / "gpt2"))
            prepared(lambda: export_run(self.folder / "gpt2", "gpt2-files", path, catalogue=catalogue))
        return path

    def place(self) -> Path:
        """Return a new empty folder for one attack."""
        return Path(tempfile.mkdtemp(prefix="case-", dir=self.cases))

    def clear(self) -> None:
        """Remove what the cases left."""
        for left in self.cases.glob("case-*"):
            shutil.rmtree(left, ignore_errors=True)

    def calls_of(self, name: str, work: Callable[[], Any], below: Path) -> int:
        """Return how many calls a piece of work makes that touch a folder; it is done once for each name."""
        if name not in self._calls:
            self._calls[name] = count_calls(work, below)
        return self._calls[name]

    def copy(self, source: Path) -> Path:
        """Return a copy of a run in a place of its own."""
        return shutil.copytree(source, self.place() / "run")

    def text_of(self, path: Path) -> str:
        """Return what a run writes."""
        return open_run(path).generate("1 c", max_tokens=12)[0].text

    def _text_of_older(self) -> Iterator[str]:
        copy = self.copy(self.complete)
        shutil.rmtree(copy / "checkpoints" / f"step-{STEPS}")
        yield self.text_of(copy)

    def finished(self, path: Path) -> str:
        """Finish what is left of a run, in a process of its own, and return why it is not what the complete run is."""
        ended = in_child(lambda: self.finish(path))
        if ended.how != "ok" and ended.detail != "run-done":
            return f"it cannot be finished: {ended.how} {ended.detail}"
        return self.difference(path)

    def difference(self, path: Path) -> str:
        """Say in what a run differs from the complete one; empty where it does not."""
        return next((f"{name} differs" for name, read in _PARTS.items() if read(path) != read(self.complete)), "")

    def finish(self, path: Path) -> None:
        """Do what the user would do with what is left of a run."""
        if (path / "engine.json").is_file():
            resume(path)
        else:
            run(self.recipe, out=path)


def _lines(path: Path, name: str) -> list[Any]:
    found = [json.loads(line) for line in (path / name).read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "timing"} for line in found]


def _bytes_of(path: Path, name: str) -> bytes:
    return (path / "checkpoints" / f"step-{list_checkpoints(path)[0]}" / name).read_bytes()


_PARTS: dict[str, Callable[[Path], Any]] = {
    "metrics.jsonl": lambda path: _lines(path, "metrics.jsonl"),
    "samples.jsonl": lambda path: _lines(path, "samples.jsonl"),
    "model.safetensors": lambda path: _bytes_of(path, "model.safetensors"),
    "optimizer.safetensors": lambda path: _bytes_of(path, "optimizer.safetensors"),
}
