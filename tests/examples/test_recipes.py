"""Each recipe names what exists, in bounds; the small ones train a step."""

from __future__ import annotations

from pathlib import Path

import pytest

from pentad import Catalogue, Recipe, make
from pentad.config.recipe import read_tables
from pentad.registry.resolving import resolve
from pentad_cli.main import call

RECIPES = sorted((Path(__file__).parents[2] / "examples" / "recipes").glob("*.toml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_resolves(path: Path) -> None:
    resolved = resolve(Recipe.from_dict(read_tables(path)), Catalogue())
    assert resolved.recipe.choice("model").options


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_command_line_takes_it(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["run", "--config", str(path), "--print-config"]) == 0
    assert 'sources = ["shakespeare"]' in capsys.readouterr().out.replace("[\n    ", "[").replace(",\n]", "]")


def test_gpt2_small_has_its_parameters() -> None:
    import torch

    (path,) = [path for path in RECIPES if path.stem == "gpt2-small"]
    recipe = resolve(Recipe.from_dict(read_tables(path)), Catalogue()).recipe
    with torch.device("meta"):
        model = make("model", recipe.choice("model"), vocab_size=50257, context_length=1024)
    padded = (50304 - 50257) * 768
    assert sum(parameter.numel() for parameter in model.parameters()) == 124_439_808 + padded


def test_the_smallest_recipe_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path / "cache"))
    Path("text.txt").write_text("".join(f"Line {n}.\n" for n in range(300)))
    (path,) = [path for path in RECIPES if path.stem == "nanogpt-cpu"]
    assert call(["run", "--config", str(path), "--data", "text.txt", "--steps", "1", "--max-tokens", "2"]) == 0
