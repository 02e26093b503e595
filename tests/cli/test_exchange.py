"""`engine export` and `engine import`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import TEXT, TINY, Result

Cli = Callable[..., Result]
FORMAT = ("--format", "gpt2-files")
GPT2 = {
    "position": "learned", "previous-tokens": "0", "ngram-order": "0", "qk-norm": "false", "norm": "layernorm",
    "norm-gain": "true", "embedding-norm": "false", "activation": "gelu-tanh", "bias": "true", "tie-embeddings": "true",
    "logit-softcap": "0",
}  # fmt: skip


@pytest.fixture
def trained(cli: Cli, tmp_path: Path) -> Path:
    (tmp_path / "text.txt").write_text(TEXT)
    model = [word for name, value in GPT2.items() for word in (f"--model.{name}", value)]
    done = cli("run", "--data", "text.txt", *TINY, *model, "--steps", "2", "--out", "run")
    assert done.code == 0, done.err
    return tmp_path / "run"


def test_a_run_is_exported_and_imported_again(cli: Cli, trained: Path) -> None:
    done = cli("export", trained, *FORMAT, "--out", "out", "--json")
    assert done.code == 0, done.err
    assert {"config.json", "model.safetensors"} <= set(json.loads(done.out)["files"])
    again = cli("import", "out", *FORMAT, "--out", "again")
    assert again.code == 0, again.err
    assert cli("generate", "again", "--max-tokens", "4").code == 0
    assert cli("evaluate", "again", "--data", "text.txt").code == 0


def test_what_cannot_be_done_is_told(cli: Cli, trained: Path) -> None:
    assert cli("export", trained, "--format", "gpt3", "--out", "other").error == "unknown-name"
    assert cli("export", trained, *FORMAT, "--out", trained).error == "folder-taken"
    assert cli("export", "nowhere", *FORMAT, "--out", "other").error == "not-a-run"
    assert cli("import", "nowhere", *FORMAT, "--out", "other").error == "format-unreadable"
    assert not Path("other").exists()
