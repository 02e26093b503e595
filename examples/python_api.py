"""The engine from Python: a run in five lines, then every stage by itself.

python examples/python_api.py [FOLDER]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from pentad import END_OF_TEXT, Choice, Recipe, Tokens, make, named_parameters, open_run, run


def whole_run(folder: Path) -> None:
    """Train, score and sample, as `engine run` does."""
    model = Choice("gpt", n_layer=1, n_embd=64, n_head=2)
    stages: dict[str, Any] = {"tokenizer": "byte", "builder": "next-token", "optimizer": "muon", "sampler": "top-k"}
    recipe = Recipe(model=model, **stages, data="python-docs", training={"steps": 30, "batch_size": 8, "context_length": 64})
    result = run(recipe, out=folder)
    print(f"{result.bits_per_byte:.2f} bits per byte after {result.step} steps")

    saved = open_run(folder)
    print(repr(saved.generate("The ", max_tokens=20)[0].text))


def stage_by_stage(text: str = "the cat sat on the mat. " * 40) -> float:
    """Do by hand what a run does, and return the last loss in nats per token."""
    tokenizer = make("tokenizer", Choice("bpe", vocab_size=262))
    tokenizer.train([text])
    end = tokenizer.special_tokens[END_OF_TEXT]
    ids = np.array([end, *tokenizer.encode(text), end], dtype=np.uint16)
    print("tokens:", [tokenizer.decode([token]) for token in ids[1:8]])

    sizes = {"vocab_size": tokenizer.vocab_size, "context_length": 16}
    builder = make("builder", "next-token", end_of_text=end, **sizes)
    batch = builder.build(Tokens.of(ids, end), np.arange(4), seed=0)
    print("batch: inputs", batch.inputs.shape, "targets", batch.targets.shape)

    torch.manual_seed(0)
    model = make("model", Choice("rnn", n_layer=1, n_embd=32), **sizes)
    optimization = make("optimizer", Choice("adamw", lr=0.01), named_parameters(model))
    inputs, targets = torch.from_numpy(batch.inputs), torch.from_numpy(batch.targets)
    for step in range(30):
        features = model(inputs).features
        loss = F.cross_entropy(model.logits(features).flatten(0, 1), targets.flatten())
        loss.backward()
        for optimizer in optimization.optimizers:
            optimizer.step()
            optimizer.zero_grad()
        if step % 10 == 0:
            print(f"step {step}: {float(loss.detach()):.2f} nats per token")

    sampler = make("sampler", Choice("top-p", p=0.9))
    seen, state = torch.from_numpy(tokenizer.encode("the").astype(np.int64))[None], model.initial_state(1, 64)
    probabilities = sampler.probabilities(model.logits(model(seen, state).features[:, -1]), seen)
    print("after 'the':", repr(tokenizer.decode([int(probabilities.argmax())])))
    return float(loss.detach())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        whole_run(Path(sys.argv[1] if len(sys.argv) > 1 else temporary))
    stage_by_stage()
