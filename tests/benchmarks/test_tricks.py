"""The comparison of settings: what it trains, what it keeps, what it says. How good a setting is, is no test's business."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks import tricks  # noqa: E402
from benchmarks.trick_table import compared, tables  # noqa: E402
from benchmarks.variants import BASELINE, VARIANTS, read_option, read_variant  # noqa: E402

from pentad import Catalogue  # noqa: E402
from pentad.registry.resolving import resolve  # noqa: E402


def line(variant: str, seed: int, score: float, **more: Any) -> dict[str, Any]:
    head = {"kind": "result", "text": "a", "options": {}, "seconds": 60.0, "validation": 0.0, "sizes": {"model.n_layer": 2}}
    return {**head, "variant": variant, "seed": seed, "bits_per_byte": score, "steps": 100, **more}


def test_options_of_any_table_and_stage() -> None:
    options = {"model.unet": True, "optimizer": "adamw", "optimizer.lr": 0.01, "training.batch_size": 4}
    recipe = tricks.recipe_of("shakespeare", 2.5, options, seed=3)
    assert (recipe.model.name, recipe.model.options) == ("gpt", {"unet": True})
    assert (recipe.optimizer.name, recipe.optimizer.options) == ("adamw", {"lr": 0.01})
    assert (recipe.training.batch_size, recipe.training.seed, recipe.training.budget) == (4, 3, "2.5s")
    assert recipe.machine.threads == 1
    assert "batch_size" in resolve(tricks.recipe_of("shakespeare", 1.0, {}), Catalogue()).open["training"]


def test_every_variant_is_known_here() -> None:
    here = {name: options for name, options in VARIANTS.items() if not any("optimizer." in option for option in options)}
    assert tricks.known_variants("shakespeare", 1.0, here).keys() == here.keys()


def test_a_variant_that_is_not_known_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    found = tricks.known_variants("shakespeare", 1.0, {"odd": {"model.wings": 2}, "nobody": {"model": "bird"}, BASELINE: {}})
    assert list(found) == [BASELINE]
    assert "odd" in capsys.readouterr().err


def test_variants_from_the_command_line() -> None:
    assert read_variant("a-b:model.n-hidden=768,model.unet=true,optimizer=normuon,optimizer.lr=0.1") == (
        "a-b",
        {"model.n_hidden": 768, "model.unet": True, "optimizer": "normuon", "optimizer.lr": 0.1},
    )
    with pytest.raises(ValueError, match="NAME:option=value"):
        read_variant("model.unet=true")
    with pytest.raises(ValueError, match="option=value"):
        read_option("model.unet")


def test_differences_are_in_pairs_of_text_and_seed() -> None:
    group = [line(BASELINE, seed, 2.0 + seed) for seed in range(3)]
    group += [line("good", seed, 1.9 + seed + 0.01 * (seed - 1)) for seed in (2, 1, 0)]
    group += [line("lone", 1, 3.5)]
    (best, scores, difference), (_, _, none), (worst, _, lone) = compared(group)
    assert (best, worst, none) == ("good", "lone", None) and len(scores) == 3
    assert difference.mean == pytest.approx(-0.1)  # the seeds themselves are 1 bit apart
    half = 4.302653 * 0.01 / 3**0.5  # t of two degrees of freedom at 95%, as one interval by itself
    assert (difference.low, difference.high) == pytest.approx((-0.1 - half, -0.1 + half), abs=1e-6)
    assert difference.verdict == "better" and (lone.n_seeds, lone.low) == (1, None)


def test_texts_and_budgets_have_tables_of_their_own() -> None:
    lines = [line(name, 0, 2.0, text=text) for name in (BASELINE, "x") for text in ("a", "b")]
    lines += [line(BASELINE, 0, 2.0, seconds=15.0), {"kind": "sizes"}]
    lines += [{"kind": "failure", "text": "a", "variant": "y", "message": "it broke"}]
    parts = tables(lines).split("\n\n")
    assert [part.split(":")[0] for part in parts] == ["a", "b", "a", "all texts", "failed"]
    assert tables([{"kind": "sizes"}]) == "No results yet."


def test_a_line_that_was_cut_short_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "results.jsonl"
    tricks.append(path, line("x", 0, 2.0))
    with path.open("a") as file:
        file.write('{"kind": "res')
    tricks.append(path, line("x", 1, 2.0))
    assert [each["seed"] for each in tricks.read(path)] == [0, 1]


def test_a_name_nobody_knows_is_refused() -> None:
    with pytest.raises(SystemExit):
        tricks.main(["--only", "coffee"])


def test_trainings_end_by_processor_time_and_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path / "cache"))
    text, out = tmp_path / "text.txt", tmp_path / "out.jsonl"
    text.write_text("".join(f"{number} cats sat on mat {number * 7 % 13}.\n" for number in range(200)))
    sizes = {"model.n_layer": 1, "model.n_embd": 16, "model.n_head": 1, "model.dropout": 0.0, "tokenizer": "byte"}
    head = {"kind": "sizes", "text": str(text), "seconds": 0.2, "validation": 0.0, "common": {}}
    tricks.append(out, {**head, "sizes": {**sizes, "training.max_epochs": None}, "kernels": {}})
    given = ["--texts", str(text), "--seconds", "0.2", "--seeds", "1", "--out", str(out), "--only", "bigram-hash-1024"]
    monkeypatch.setattr(tricks, "ProcessPoolExecutor", InThisProcess)
    tricks.main(given)
    first = out.read_text()
    results = [each for each in tricks.read(out) if each["kind"] == "result"]
    assert {each["variant"] for each in results} == {BASELINE, "bigram-hash-1024"}
    for each in results:
        assert 0.2 <= each["training_cpu_seconds"] <= each["cpu_seconds"] + 0.1
        assert each["steps"] > 0 and 0 < each["bits_per_byte"] < 9
        assert each["sizes"]["model.n_embd"] == 16
    tricks.main(given)
    assert out.read_text() == first, "nothing is done twice"
    assert json.loads(first.splitlines()[0])["kind"] == "sizes"


class InThisProcess:
    """A pool that saves the start of processes."""

    def __init__(self, *_: Any) -> None:
        pass

    def __enter__(self) -> InThisProcess:
        return self

    def __exit__(self, *_: Any) -> None:
        pass

    def submit(self, function: Any, job: Any) -> Any:
        from concurrent.futures import Future

        future: Future[Any] = Future()
        future.set_result(function(job))
        return future

    def shutdown(self, **_: Any) -> None:
        pass
