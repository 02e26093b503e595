"""GPT-2's files, against the library transformers."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from pentad import (
    Catalogue,
    Choice,
    EngineError,
    Recipe,
    Trained,
    Vocabulary,
    export_run,
    import_model,
    make,
    open_run,
    plan,
    run,
)
from pentad.testing import FormatConformance, raises_code

GPT2: dict[str, Any] = {"preset": "gpt2", "norm_eps": 1e-4}
SHAPE = {"n_layer": 2, "n_head": 2, "n_embd": 16}


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PENTAD_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue()


def recipe_of(data: Any, **changes: Any) -> Recipe:
    stages = {
        "tokenizer": Choice("bpe", vocab_size=270),
        "builder": "next-token",
        "model": Choice("gpt", **GPT2, **SHAPE),
        "optimizer": "adamw",
        "sampler": "temperature",
    }
    return Recipe(
        **{**stages, **changes},
        data=data,
        training={"steps": 10, "batch_size": 4, "context_length": 16},
        machine={"device": "cpu", "threads": 1, "precision": "fp32"},
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, cache: Any) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    (folder / "text.txt").write_text("".join(f"{number} cats sat on mat {number * 7 % 13}.\n\n" for number in range(60)))
    return run(recipe_of(folder / "text.txt"), out=folder / "run").folder


def test_transformers_reads_what_was_exported(trained: Path, catalogue: Catalogue, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    export_run(trained, "gpt2-files", tmp_path / "out", catalogue=catalogue)
    theirs = transformers.GPT2LMHeadModel.from_pretrained(tmp_path / "out").eval()
    ours = open_run(trained)
    ids = torch.from_numpy(ours.tokenizer.encode("12 cats sat on mat 6.").astype(np.int64))[None, :12]
    with torch.no_grad():
        wanted, found = theirs(ids).logits, ours.model.logits(ours.model(ids).features)
    assert torch.allclose(found, wanted, atol=1e-4)


def test_what_was_exported_is_imported_as_a_run(trained: Path, catalogue: Catalogue, tmp_path: Path) -> None:
    export_run(trained, Choice("gpt2-files"), tmp_path / "out", catalogue=catalogue)
    import_model(tmp_path / "out", "gpt2-files", tmp_path / "again", recipe_of(()), catalogue=catalogue)
    before, after = open_run(trained), open_run(tmp_path / "again")
    assert after.step == 0
    one, other = before.model.state_dict(), after.model.state_dict()
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert after.generate("1", max_tokens=4)[0].tokens == before.generate("1", max_tokens=4)[0].tokens
    text = tmp_path / "more.txt"
    text.write_text("7 cats sat on mat 3.\n\n" * 30)
    assert after.evaluate([str(text)]).bits_per_byte == pytest.approx(before.evaluate([str(text)]).bits_per_byte)
    started = plan(recipe_of(text, start=tmp_path / "again", tokenizer="bpe", model="gpt"), catalogue=catalogue)
    assert started.start is not None
    with pytest.raises(EngineError):
        after.evaluate()  # it has no text of its own


def test_what_the_format_cannot_hold_is_refused(catalogue: Catalogue, trained: Path, tmp_path: Path) -> None:
    text = trained.parent / "text.txt"
    modern = run(recipe_of(text, model=Choice("gpt", **SHAPE)), out=tmp_path / "modern").folder
    with raises_code("format-unsupported"):
        export_run(modern, "gpt2-files", tmp_path / "out", catalogue=catalogue)
    assert not (tmp_path / "out").exists()
    with raises_code("format-unreadable"):
        import_model(text.parent, "gpt2-files", tmp_path / "again", recipe_of(()), catalogue=catalogue)
    with raises_code("folder-taken"):
        export_run(trained, "gpt2-files", trained, catalogue=catalogue)


@pytest.mark.parametrize(
    "odd",
    [
        {"head_gate": True},
        {"n_head_width": 4},
        {"qk_norm": True, "qk_norm_gain": True},
        {"value_embeddings": True, "previous_tokens": 2, "bigram_hash": 64, "residual_scalars": True, "unet": True},
    ],
)
def test_parts_that_gpt2_lacks_are_named(odd: dict[str, Any]) -> None:
    offer = Catalogue().find("format", "gpt2-files")
    files = offer.make(offer.options())
    for options, named in ((plan_options(), ()), ({**plan_options(), **odd}, odd)):
        reason = files.supports(SimpleNamespace(model_choice=Choice("gpt", **options)))
        assert all(name in reason for name in named) and bool(reason) == bool(named)
    assert "rnn" in files.supports(SimpleNamespace(model_choice=Choice("rnn", **plan_options())))


class TestGPT2Files(FormatConformance):
    implementation = Catalogue().find("format", "gpt2-files").record

    def trained(self) -> Trained:
        tokenizer = make("tokenizer", "byte")
        torch.manual_seed(0)
        model = make("model", Choice("gpt", **GPT2, **SHAPE), vocab_size=257, context_length=16)
        full = plan_options()
        return Trained(
            tokenizer=tokenizer,
            tokenizer_choice=Choice("byte"),
            vocabulary=Vocabulary.of(tokenizer),
            model=model.eval(),
            model_choice=Choice("gpt", **full),
            context_length=16,
        )


def plan_options() -> dict[str, Any]:
    """Return every option of the model, as a recipe that is resolved has them."""
    from pentad.registry.resolving import resolve

    return resolve(recipe_of("x"), Catalogue()).recipe.model.options


@pytest.mark.parametrize(
    ("name", "content"),
    [("model.safetensors", b"\x00" * 40), ("config.json", b"{"), ("config.json", b'{"n_layer": []}'), ("config.json", b"[1]")],
)
def test_damaged_files_are_refused(catalogue: Catalogue, trained: Path, tmp_path: Path, name: str, content: bytes) -> None:
    export_run(trained, "gpt2-files", tmp_path / "out", catalogue=catalogue)
    (tmp_path / "out" / name).write_bytes(content)
    with raises_code("format-unreadable"):
        import_model(tmp_path / "out", "gpt2-files", tmp_path / "again", recipe_of(()), catalogue=catalogue)
    assert not (tmp_path / "again").exists()
