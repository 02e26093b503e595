"""Checks on a CUDA GPU, skipped where there is none: `make test` on a machine that has one runs them too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from pentad import Choice, Recipe


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason="no CUDA GPU"))


@pytest.fixture(autouse=True, scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PENTAD_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "text.txt"
    path.write_text("\n\n".join(f"the cat {n} sat on the mat and saw {n * n} mice." for n in range(600)))
    return path


@pytest.fixture(scope="session")
def recipe_of(text: Path) -> Any:
    def make(device: str = "cuda", precision: str = "fp32", **changes: Any) -> Recipe:
        """Return a small recipe; `training` and `machine` may be given in part."""
        stages: dict[str, Any] = {
            "tokenizer": "byte",
            "builder": "next-token",
            "model": Choice("gpt", n_layer=2, n_head=2, n_embd=32),
            "optimizer": "adamw",
            "sampler": "temperature",
        }
        training = {"steps": 12, "batch_size": 8, "context_length": 32, **changes.pop("training", {})}
        machine = {"device": device, "precision": precision, "threads": 2, **changes.pop("machine", {})}
        more = {"data": text, "reporting": {"log_every": 1}, **stages, **changes}
        return Recipe(**more, training=training, machine=machine)

    return make
