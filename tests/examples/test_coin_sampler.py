"""A plugin that is a single file keeps the contract and is used by `--plugin`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from pentad.registry.catalogue import Catalogue
from pentad.testing import SamplerConformance
from pentad_cli.main import call

FILE = Path(__file__).parents[2] / "examples" / "coin_sampler.py"
OFFER = Catalogue(plugin_files=[FILE]).find("sampler", "coin")


class TestCoin(SamplerConformance):
    implementation = OFFER.record


def test_two_tokens_at_most_are_possible() -> None:
    options = OFFER.options(bias=0.9)
    found = OFFER.resolve()(options).probabilities(torch.tensor([[0.0, 3.0, 1.0, 2.0]]), torch.zeros(1, 0))
    assert torch.allclose(found, torch.tensor([[0.0, 0.9, 0.0, 0.1]]))


def test_it_is_listed_and_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["plugins", "--plugin", str(FILE), "--json"]) == 0
    offers = json.loads(capsys.readouterr().out)["offers"]
    assert ("coin", str(FILE)) in {(offer["name"], offer["distribution"]) for offer in offers}
    assert call(["plugins", "check", str(FILE)]) == 0


def test_it_makes_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path / "cache"))
    Path("text.txt").write_text("".join(f"Line {n}.\n" for n in range(200)))
    size = ("--batch-size", "2", "--context-length", "8", "--max-tokens", "4", "--model", "rnn", "--model.n-embd", "8")
    arguments = ["run", "--data", "text.txt", "--tokenizer", "byte", "--steps", "1", "--out", "run", *size]
    assert call([*arguments, "--plugin", str(FILE), "--sampler", "coin", "--sampler.bias", "0.9"]) == 0
    assert call(["generate", "run", "--max-tokens", "2"]) == 1
    assert f"Use --plugin {FILE}" in capsys.readouterr().err
    assert call(["generate", "run", "--max-tokens", "2", "--plugin", str(FILE)]) == 0
