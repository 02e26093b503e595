"""The examples that docs/masking.md shows, to the letter. What it trains is tested small in tests/plugins/masking."""

from __future__ import annotations

import io
import shlex
import subprocess

import pytest

from pentad_cli.main import call

from .conftest import matches, read_page


def test_its_examples_are_those_of_the_command(root, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO()))
    monkeypatch.setenv("COLUMNS", "80")
    count = 0
    for typed in read_page(root / "docs" / "masking.md"):
        if not typed.command.startswith("engine examples "):
            subprocess.run(typed.command, shell=True, check=True)
            continue
        assert call(shlex.split(typed.command)[1:]) == 0, typed.command
        said = capsys.readouterr().out
        assert matches(typed.shown, said), f"$ {typed.command}\n{said}"
        count += 1
    assert count >= 11


@pytest.mark.parametrize(
    "builder", ["next-token", "prefix", "multi-token", "masked", "fill-in-middle", "span-corruption", "dpo"]
)
def test_the_page_shows_every_builder(builder, root):
    assert f"--builder {builder}" in (root / "docs" / "masking.md").read_text(encoding="utf-8")
