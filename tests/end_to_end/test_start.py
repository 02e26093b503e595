"""A run that compiles nothing never imports torch's compiler; it learns the same, and a later run may compile."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pentad import Catalogue

PROGRAM = """
import hashlib, importlib, json, sys
from pathlib import Path

import torch

if sys.argv[1] == "imported":
    import torch._dynamo

from pentad import Choice, Recipe, RunObserver, resume, run

def trained(name, **machine):
    recipe = Recipe(
        tokenizer="byte",
        builder="next-token",
        model=Choice("gpt", n_layer=1, n_head=2, n_embd=8),
        optimizer=Choice(name),
        sampler="greedy",
        data="text.txt",
        training={"steps": 4, "batch_size": 4, "context_length": 16},
        machine={"device": "cpu", "threads": 1, "precision": "fp32", **machine},
        generation={"max_tokens": 2, "samples": 1, "prompt": "1 c", "sample_every": 0.0},
    )
    out = Path(sys.argv[1], name + "-".join(machine))
    run(recipe, out=out, observers=[RunObserver()])
    return digest(out)

def digest(out):
    newest = max(out.glob("checkpoints/step-*"))
    return hashlib.sha256((newest / "model.safetensors").read_bytes()).hexdigest()

def is_imported():
    return "torch._dynamo.eval_frame" in sys.modules

found = {}
for name in sys.argv[2:]:
    found[name] = trained(name), is_imported()
last = Path(sys.argv[1], name)
resume(last, steps=6, observers=())
found["resumed"] = digest(last), is_imported()
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
optimizer = torch.optim.AdamW(model.parameters())
compiled = torch.compile(model, backend="eager")
for step in range(3):
    compiled(torch.ones(2, 4)).sum().backward()
    optimizer.step()
    optimizer.zero_grad()
found["compiled"] = [p.tolist() for p in model.parameters()], is_imported()
found["graphs"] = torch._dynamo.utils.counters["stats"]["unique_graphs"]
found["after"] = trained(name, threads=1, recompute=True)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def optimizers() -> list[str]:
    return [offer.name for offer in Catalogue().offers("optimizer")]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, optimizers: list[str]) -> dict[str, dict[str, object]]:
    """Return what a process without the compiler found, and one that imported it at first."""
    folder = tmp_path_factory.mktemp("start")
    (folder / "text.txt").write_text("".join(f"{number} cats sat on mat {number * 7 % 13}.\n\n" for number in range(60)))
    environment = {**os.environ, "PENTAD_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    return {kind: _program(folder, environment, kind, optimizers) for kind in ("deferred", "imported")}


def _program(folder: Path, environment: dict[str, str], kind: str, optimizers: list[str]) -> dict[str, object]:
    command = [sys.executable, "-c", PROGRAM, kind, *optimizers]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return result


def test_no_optimizer_imports_the_compiler(found, optimizers):
    assert len(optimizers) >= 8
    assert [found["deferred"][name][1] for name in (*optimizers, "resumed")] == [False] * (len(optimizers) + 1)
    assert [found["imported"][name][1] for name in optimizers] == [True] * len(optimizers)


def test_the_weights_are_those_of_a_process_that_imported_it(found, optimizers):
    weights = [{name: found[kind][name][0] for name in (*optimizers, "resumed")} for kind in ("deferred", "imported")]
    assert weights[0] == weights[1]
    assert len(set(weights[0].values())) == len(optimizers) + 1


def test_what_is_compiled_afterwards_is_the_same(found):
    assert [found["deferred"]["compiled"], found["deferred"]["graphs"], found["deferred"]["after"]] == [
        found["imported"]["compiled"],
        found["imported"]["graphs"],
        found["imported"]["after"],
    ]
    assert found["deferred"]["compiled"][1] and found["deferred"]["graphs"] > 0
