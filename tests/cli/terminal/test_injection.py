"""Escape sequences in names, texts, records and files of a run reach the terminal spelled, whatever command shows them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from pentad import Choice, Recipe, run

EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e"
PRINTED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

PLUGIN = f"""
from pentad import Implementation, hookimpl

@hookimpl
def engine_samplers():
    return [Implementation(name="evil", summary={EVIL!r}, factory="nowhere{EVIL.encode().hex()}:nothing")]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evil")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PENTAD_CACHE", str(folder / "cache"))
        text = folder / f"text{EVIL}.txt"
        text.write_text(f"a cat {EVIL} sat.\n\n" * 60)
        recipe = Recipe(
            tokenizer="byte", builder="next-token", model=Choice("gpt", n_layer=1, n_head=2, n_embd=8), optimizer="adamw",
            sampler="temperature", data=str(text), training={"steps": 2, "batch_size": 2, "context_length": 8},
            machine={"device": "cpu", "threads": 1, "precision": "fp32"},
            generation={"prompt": EVIL, "max_tokens": 8},
        )  # fmt: skip
        run(recipe, out=folder / f"run{EVIL}")
    damaged = shutil.copytree(folder / f"run{EVIL}", folder / f"damaged{EVIL}")
    facts = json.loads((damaged / "engine.json").read_text())
    facts["stages"]["model"] = {"distribution": f"x{EVIL}", "version": EVIL, "name": EVIL}
    (damaged / "engine.json").write_text(json.dumps(facts))
    (folder / "plugin.py").write_text(PLUGIN)
    (folder / "table.jsonl").write_text(json.dumps({EVIL: "x"}) + "\n")
    (folder / "recipe.toml").write_text(f"[model]\n{json.dumps(EVIL)} = 1\n")
    return folder


RUN, DAMAGED, TEXT = f"run{EVIL}", f"damaged{EVIL}", f"text{EVIL}.txt"

COMMANDS = (
    ("generate", RUN, "--prompt", f"a{EVIL}", "--max-tokens", "4", "--json"),
    ("generate", f"none{EVIL}"),
    ("evaluate", RUN),
    ("evaluate", RUN, "--data", TEXT),
    ("resume", RUN),
    ("resume", RUN, "--steps", "3"),
    ("tokenize", "--run", RUN, f"a{EVIL}"),
    ("examples", "--tokenizer", "byte", "--builder", "next-token", f"a{EVIL}"),
    ("run", "--data", TEXT, "--dry-run", "--model.n-layer", "1", "--model.n-embd", "8", "--model.n-head", "2", "--steps", "2"),
    ("run", "--start", RUN, "--data", TEXT, "--dry-run", "--steps", "2"),
    ("run", "--data", "table.jsonl", "--dry-run"),
    ("run", "--data", f"none{EVIL}"),
    ("run", "--config", "recipe.toml"),
    ("run", "--model", EVIL),
    ("run", f"--{EVIL}"),
    ("generate", DAMAGED),
    ("resume", DAMAGED),
    ("plugins", "--plugin", "plugin.py"),
    ("plugins", "show", "evil", "--plugin", "plugin.py"),
    ("plugins", "show", EVIL),
    ("compare", "--model", f"gpt,{EVIL}", "--data", TEXT, "--dry-run"),
    ("export", RUN, "--format", EVIL, "--out", "out"),
    ("import", EVIL, "--format", EVIL, "--out", "out"),
    (EVIL,),
)


@pytest.mark.parametrize("number", range(len(COMMANDS)))
def test_no_command_shows_an_escape_sequence(folder, number, monkeypatch, capsys):
    from pentad_cli import main
    from pentad_cli.errors import show_warnings_in_one_line

    monkeypatch.chdir(folder)
    monkeypatch.setenv("PENTAD_CACHE", str(folder / "cache"))
    monkeypatch.setenv("NO_COLOR", "1")
    show_warnings_in_one_line()
    code = main.call(list(COMMANDS[number]))
    said = capsys.readouterr()
    assert PRINTED.search(said.out + said.err) is None
    assert code in (0, 1, 2) and (said.out or said.err)
    assert "unforeseen" not in said.err


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
def test_a_text_on_a_terminal_has_none(folder):
    """Into a file or a pipe a text goes as it is; a terminal gets it spelled."""
    import pty

    command = [sys.executable, "-m", "pentad_cli", "generate", RUN, "--max-tokens", "4", "--prompt", f"a{EVIL}"]
    ours, theirs = pty.openpty()
    environment = os.environ | {"NO_COLOR": "1", "TERM": "xterm"}
    child = subprocess.Popen(command, cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    said = _all_of(ours).decode().replace("\r\n", "\n")
    assert child.wait() == 0
    assert PRINTED.search(said) is None and "\\x1b]0;owned\\x07" in said.replace("\n", "")


def _all_of(terminal: int) -> bytes:
    said = b""
    with os.fdopen(terminal, "rb", 0) as stream, contextlib.suppress(OSError):  # the system's way to say that all have left
        while piece := stream.read(4096):
            said += piece
    return said
