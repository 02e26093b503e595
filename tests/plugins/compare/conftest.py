"""A small text, a tiny recipe below every comparison, and an executor that needs no process."""

from __future__ import annotations

import functools
import json
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

INLINE = Path(__file__).parents[2] / "inline_executor.py"

PLUGIN = '''
"""A builder that no evaluator fits, and a tokenizer that loses capital letters."""

import numpy as np

from pentad import IGNORED, Batch, ExampleBuilder, Implementation, SpecialToken, hookimpl
from pentad_masking.masked import Masked as MaskedTokens
from pentad_masking.options import MaskedOptions


class Masked(ExampleBuilder):
    """Hides every third token."""

    attention, special_tokens = "bidirectional", (SpecialToken(name="mask"),)

    def __init__(self, options, *, context_length, vocab_size, end_of_text):
        self.context_length, self.end_of_text, self.mask = context_length, end_of_text, vocab_size

    def count(self, tokens):
        return len(tokens) // self.context_length

    def build(self, tokens, indices, seed):
        starts = indices % self.count(tokens) * self.context_length
        inputs = np.asarray(tokens.ids)[starts[:, None] + np.arange(self.context_length)].astype(np.int64)
        targets = np.full_like(inputs, IGNORED)
        targets[:, ::3] = inputs[:, ::3]
        inputs[:, ::3] = self.mask
        return Batch(inputs=inputs, targets=targets)


class Guessed(MaskedTokens):
    """Is judged by how often hidden tokens are found: more is better."""

    evaluators = ("masked-accuracy,apart=4",)


def lower(options):
    from pentad_byte.tokenizer import Byte

    class Lower(Byte):
        lossless = False

        def encode(self, text):
            return super().encode(text.lower())

    return Lower(options)


@hookimpl
def engine_tokenizers():
    return [Implementation(name="lower", summary="Bytes of small letters.", factory=lower)]


@hookimpl
def engine_example_builders():
    guessed = Implementation(name="guessed", summary="Hide tokens.", factory=Guessed, options=MaskedOptions)
    return [Implementation(name="hidden-third", summary="Hide tokens.", factory=Masked), guessed]
'''

WORDS = ["the", "cat", "sat", "on", "a", "mat", "and", "saw", "two", "dogs", "run", "by", "her", "red", "house", "in", "town"]

TINY = """
[tokenizer]
name = "byte"
[model]
name = "gpt"
n_layer = 1
n_head = 2
n_embd = 16
[optimizer]
name = "adamw"
[training]
steps = 12
batch_size = 4
context_length = 16
[machine]
threads = 1
[evaluation]
evaluate_every = 0.5
[generation]
max_tokens = 8
"""


@pytest.fixture(scope="session")
def place(tmp_path_factory) -> Path:
    """A folder with text.txt, tiny.toml, here.py and inline.py."""
    folder = tmp_path_factory.mktemp("compare")
    draw = random.Random(0)
    lines = [" ".join(draw.choices(WORDS, k=9)) + ".\n" for _ in range(150)]
    (folder / "text.txt").write_text("".join(lines))
    (folder / "tiny.toml").write_text(TINY)
    (folder / "here.py").write_text(PLUGIN)
    shutil.copy(INLINE, folder / "inline.py")
    return folder


@pytest.fixture
def compare(place, monkeypatch, capsys, tmp_path):
    """Calls `engine compare` in this process, with runs in this process too, and returns comparison.json."""
    from pentad_cli import main
    from pentad_cli.errors import as_engine_error, show

    codes = []
    monkeypatch.setattr(main, "show", lambda error, **how: codes.append(as_engine_error(error).code) or show(error, **how))
    monkeypatch.chdir(place)
    monkeypatch.setenv("PENTAD_CACHE", str(place / "cache"))

    def run(*arguments, out=None, code=0, error=None, data="text.txt"):
        codes.clear()
        out = out or tmp_path / "out"
        plugins = ("--plugin", "here.py", "--plugin", "inline.py", "--executor", "inline")
        fixed = ("--config", "tiny.toml", "--data", str(data), *plugins)
        exit_code = main.call(["compare", *map(str, arguments), *fixed, "--out", str(out)])
        said = capsys.readouterr()
        assert exit_code == code, said.err
        assert error is None or codes == [error], said.err
        reports = sorted(out.glob("*/comparison.json"), key=lambda path: path.stat().st_mtime_ns)
        return (json.loads(reports[-1].read_text()) if reports else None), said

    return run


@pytest.fixture
def started(place, monkeypatch):
    """Starts a command in the folder, and returns its process."""
    monkeypatch.setenv("PENTAD_CACHE", str(place / "cache"))
    monkeypatch.setenv("COLUMNS", "100")

    processes = []

    def start(*command):
        # A shell that puts the tests into the background has them ignore SIGINT, and they would pass that on.
        foreground = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        processes.append(subprocess.Popen([*map(str, command)], cwd=place, preexec_fn=foreground, **pipes))
        return processes[-1]

    yield start
    for each in processes:
        each.kill()
        each.communicate()


@pytest.fixture
def engine(started, warm_engine):
    """Starts `engine` as a process of its own, which need not import torch."""
    return functools.partial(started, *warm_engine)


@pytest.fixture
def fresh_engine(started):
    """Starts `engine` as users do."""
    return functools.partial(started, sys.executable, "-m", "pentad_cli")
