"""Types what docs/masking.md says, in this process: most of it shows examples, which depend on nothing but the command."""

from __future__ import annotations

import io
import shlex
import subprocess

import pytest

from pentad_cli.main import call

from .conftest import is_compared, matches, read_page, shortened


def test_its_commands_work_in_order(root, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO()))
    monkeypatch.setenv("COLUMNS", "80")
    count, was_shortened = 0, False
    for typed in read_page(root / "docs" / "masking.md"):
        command = shortened(typed.command)
        was_shortened = was_shortened or command != typed.command
        if not command.startswith("engine "):
            subprocess.run(command, shell=True, check=True)
            continue
        assert call(shlex.split(command)[1:]) == 0, command
        said = capsys.readouterr().out
        if is_compared(typed.command, was_shortened):
            assert matches(typed.shown, said), f"$ {command}\n{said}"
        count += 1
    assert count >= 12


@pytest.mark.parametrize("builder", ["next-token", "prefix", "masked", "fill-in-middle", "span-corruption", "dpo"])
def test_the_page_shows_every_builder(builder, root):
    assert f"--builder {builder}" in (root / "docs" / "masking.md").read_text(encoding="utf-8")
