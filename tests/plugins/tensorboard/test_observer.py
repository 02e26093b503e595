from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from pentad import Catalogue
from pentad.testing import ObserverConformance
from pentad_cli.main import call

pytest.importorskip("tensorboard", reason="the optional plugin tensorboard is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SMALL = (
    *("--tokenizer", "byte", "--batch-size", "4", "--context-length", "16", "--max-tokens", "8", "--threads", "1"),
    *("--model", "rnn", "--model.n-layer", "1", "--model.n-embd", "16"),
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path / "cache"))
    (tmp_path / "text.txt").write_text("".join(f"Line {n} of {n * n}.\n" for n in range(300)))
    return tmp_path


def read(folder: Path) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(folder)).Reload()


def steps(events: Any, tag: str) -> list[int]:
    return [event.step for event in events.Scalars(tag)]


def test_a_run_is_written_and_goes_on(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--data", "text.txt", "--out", "run", *SMALL)
    assert call(["run", *arguments, "--steps", "4", "--observe", "tensorboard", "--tensorboard.every", "2"]) == 0
    events = read(folder / "run" / "tensorboard")
    assert steps(events, "training/loss") == [1, 2, 4]
    assert {"training/gradient norm", "training/tokens per second", "held-out/bits per byte"} <= set(events.Tags()["scalars"])
    scored = [json.loads(line) for line in (folder / "run" / "metrics.jsonl").read_text().splitlines()]
    (final,) = [line for line in scored if line["kind"] == "evaluation" and line["final"]]
    assert events.Scalars("held-out/bits per byte")[-1].value == pytest.approx(final["bits_per_byte"], rel=1e-6)
    texts = {tag: events.Tensors(tag) for tag in events.Tags()["tensors"]}
    assert b'name = "rnn"' in texts["recipe/text_summary"][0].tensor_proto.string_val[0]
    assert texts["samples/0/text_summary"]

    assert call(["resume", "run", "--steps", "6", "--observe", "tensorboard", "--tensorboard.every", "2"]) == 0
    assert steps(read(folder / "run" / "tensorboard"), "training/loss") == [1, 2, 4, 6]
    assert "left out" not in capsys.readouterr().err


def test_the_scores_of_another_evaluator_have_their_names(folder: Path) -> None:
    arguments = ("--data", "text.txt", "--out", "run", *SMALL, "--model", "gpt", "--model.n-head", "2")
    chosen = ("--builder", "masked", "--steps", "2", "--observe", "tensorboard")
    assert call(["run", *arguments, *chosen]) == 0
    events = read(folder / "run" / "tensorboard")
    lines = [json.loads(line) for line in (folder / "run" / "metrics.jsonl").read_text().splitlines()]
    (final,) = [line for line in lines if line["kind"] == "evaluation" and line["final"]]
    for name in ("pseudo_bits_per_byte", "masked_accuracy"):
        shown = events.Scalars(f"held-out/{name.replace('_', ' ')}")[-1].value
        assert shown == pytest.approx(final[name], rel=1e-6)
    assert "held-out/bits per byte" not in events.Tags()["scalars"]


def test_another_folder(folder: Path) -> None:
    observer = Catalogue().find("observer", "tensorboard")
    assert call(["run", "--data", "text.txt", "--out", "run", *SMALL, "--steps", "1", "--observe", "tensorboard",
                 "--tensorboard.folder", "elsewhere"]) == 0  # fmt: skip
    assert list((folder / "elsewhere").iterdir())
    assert not (folder / "run" / "tensorboard").exists()
    assert observer.options().folder is None


def test_a_failing_writer_does_not_end_the_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "taken").write_text("a file")
    with pytest.warns(UserWarning, match="The observer TensorBoard raised in on_start and is left out"):
        assert call(["run", "--data", "text.txt", "--out", "run", *SMALL, "--steps", "1", "--observe", "tensorboard",
                     "--tensorboard.folder", "taken"]) == 0  # fmt: skip


def test_listing_it_imports_no_tensorboard(folder: Path) -> None:
    import subprocess

    code = "import sys, pentad_tensorboard.plugin; print([name for name in ('torch', 'tensorboard') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_its_options_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["run", "--observe", "tensorboard", "--help"]) == 0
    assert "--tensorboard.every" in capsys.readouterr().out


class TestTensorboard(ObserverConformance):
    name = "tensorboard"
