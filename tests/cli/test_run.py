"""The main job through the command line, in small."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import TEXT, TINY, Result, command, environment

Cli = Callable[..., Result]
Unread = Callable[..., subprocess.Popen[bytes]]

OBSERVER = """
from dataclasses import dataclass
from pentad import Observer, hookimpl, option
from pentad.contracts.observer import RunObserver


@dataclass(frozen=True, kw_only=True)
class Options:
    place: str = option("", "Where to write.")


class Diary(RunObserver):
    def __init__(self, options):
        self.place = options.place
    def on_step(self, event):
        with open(self.place, "a") as file:
            print(event.step, file=file)


@hookimpl
def engine_observers():
    return [Observer(name="diary", summary="Keeps a diary.", factory=Diary, options=Options)]
"""


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_a_run_from_an_empty_directory(engine: Cli, tmp_path: Path) -> None:
    """Without --data the built-in corpus is used; the result is JSON on stdout, everything else goes to stderr."""
    done = engine("run", "--steps", "2", "--json", *TINY, cwd=tmp_path)
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert result["step"] == 2
    assert result["evaluation"]["bits_per_byte"] > 1
    assert len(result["samples"]) == 1
    folder = tmp_path / result["folder"]
    assert folder.parent == tmp_path / "runs"
    assert {"recipe.toml", "engine.json", "tokenizer", "checkpoints", "metrics.jsonl", "samples.jsonl"} <= {
        path.name for path in folder.iterdir()
    }
    assert "shakespeare" in done.err
    assert "bits per byte" in done.err
    assert "Traceback" not in done.err


def test_plain_lines_say_plan_progress_and_end(cli: Cli, text: Path) -> None:
    result = cli("run", "--data", text, "--steps", "4", "--out", "my run", *TINY)
    assert result.code == 0, result.err
    out = result.out
    assert "\x1b" not in out
    for words in ("gpt: ", "byte: 257 ids", "4 × 16 tokens a step", "4 steps", "cpu, fp32, 1 thread"):
        assert words in out
    assert "  25%  step 1/4" in out or " 25%  step 1/4" in out
    assert "100%  step 4/4" in out
    assert "sampled at step 4" in out
    assert "bits per byte on the held-out text" in out
    assert "Saved to my run" in out
    (generate,) = [line.strip() for line in out.splitlines() if line.strip().startswith("engine generate")]
    assert generate.startswith("engine generate 'my run' --prompt \"")
    again = cli("run", "--data", text, "--steps", "4", "--out", "my run", *TINY)
    assert again.code == 2
    assert "engine resume 'my run'" in again.err


def test_the_commands_that_the_end_names_work(cli: Cli, text: Path) -> None:
    import shlex

    out = cli("run", "--data", text, "--steps", "2", "--out", "r", *TINY).out
    lines = [line.strip() for line in out.split("Try next:")[1].splitlines() if line.strip().startswith("engine ")]
    assert len(lines) == 3
    for line in lines:
        done = cli(*shlex.split(line)[1:])
        assert done.code == 0, done.err


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX pipes")
def test_a_run_that_nobody_reads_goes_on_in_silence(text: Path, cache: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        command("run", "--data", text, "--steps", "2", "--out", "r", *TINY),
        cwd=tmp_path,
        env=environment(cache),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 0
    assert (tmp_path / "r" / "checkpoints" / "step-2").is_dir()


def test_dry_run_stops_before_training(cli: Cli, text: Path, tmp_path: Path) -> None:
    plan = json.loads(cli("run", "--data", text, "--steps", "7", "--dry-run", "--json", *TINY).out)
    assert plan["steps"] == 7
    assert plan["vocab_size"] == 257
    assert sum(plan["parameters"].values()) > 1000
    assert plan["recipe"]["model"]["n_embd"] == 16
    assert not (tmp_path / "runs").exists()
    shown = cli("run", "--data", text, "--steps", "7", "--dry-run", *TINY)
    assert "Dry run" in shown.out


@pytest.mark.parametrize(
    "arguments",
    [
        "a.txt b.txt",
        "--data a.txt b.txt",
        "--data a.txt --data b.txt",
        "--data a.txt,b.txt",
        "--strict a.txt b.txt",
        "--data *.txt",
    ],
)
def test_own_files_are_named_in_any_way(arguments: str, cli: Cli, tmp_path: Path) -> None:
    """What a shell makes of `--data *.txt` included."""
    (tmp_path / "a.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "b.txt").write_text(TEXT.upper(), encoding="utf-8")
    done = cli("run", *arguments.split(), "--steps", "1", "--out", "r", *TINY)
    assert done.code == 0, done.err
    assert f"{len(TEXT.encode() + TEXT.upper().encode()) * 0.9 / 1000:.1f} kB in " in done.out
    named = tomllib.loads((tmp_path / "r/recipe.toml").read_text(encoding="utf-8"))["data"]["sources"]
    assert len(named) == (1 if "*" in arguments else 2) and all(Path(name).is_absolute() for name in named)
    assert cli("evaluate", "r").code == 0


def test_what_is_piped_in_is_kept_in_the_run(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = cli("run", "--data", "-", "--steps", "1", "--out", "r", *TINY, stdin=TEXT)
    assert done.code == 0, done.err
    assert (tmp_path / "r/text.piped").read_text(encoding="utf-8") == TEXT
    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path / "another-cache"))
    assert cli("resume", "r", "--steps", "2").code == 0
    assert cli("evaluate", "r").code == 0
    assert cli("evaluate", "r", "--data", "-", stdin="Another text. " * 20).code == 0
    assert cli("run", "--data", "-", *TINY).error == "pipe-empty"


def test_how_files_are_read_goes_with_the_run(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/a.log").write_text(TEXT, encoding="latin-1")
    (tmp_path / "notes/b.csv").write_text(
        "id,body\n" + "".join(f'{n},"Row, number {n}."\n' for n in range(30)), encoding="latin-1"
    )
    flags = ("--include", "*.log,*.txt", "--encoding", "latin-1", "--text-key", "body")
    assert cli("run", "notes", "--steps", "1", "--out", "r", *TINY).error == "data-without-files"
    done = cli("run", "notes", "--steps", "1", "--out", "r", *flags, *TINY)
    assert done.code == 0, done.err
    assert "in 31 documents" in done.out and "left out" not in done.out
    assert cli("resume", "r", "--steps", "2").code == 0
    assert cli("evaluate", "r").code == 0
    assert cli("evaluate", "r", "--data", "notes/b.csv").code == 0
    assert "engine run --config r/recipe.toml --model " in done.out  # so many flags are shorter as the run's own recipe
    kept = json.loads(cli("run", "--config", "r/recipe.toml", "--print-config", "--json").out)["data"]
    assert (kept["include"], kept["encoding"], kept["text_key"]) == (["*.log", "*.txt"], "latin-1", "body")


def test_the_plan_says_what_is_left_out(cli: Cli, text: Path, tmp_path: Path) -> None:
    (tmp_path / "a.docx2").write_bytes(b"x")
    (tmp_path / "b.txt").write_bytes(b"caf\xe9")
    done = cli("run", "--data", tmp_path, "--steps", "1", "--dry-run", *TINY)
    words = " ".join(done.out.split())
    assert '! left out: 1 .docx2; --include "*.docx2" takes more' in words
    assert "b.txt must be UTF-8 text; found the byte 0xe9 at byte 3. (--strict refuses it)" in words
    assert cli("run", "--data", tmp_path, "--strict", "--steps", "1", "--dry-run", *TINY).error == "text-not-utf8"


def test_a_command_without_file_names_says_what_to_type(cli: Cli, text: Path, tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("b")
    done = cli("compare", "--data", "text.txt", "b.txt")
    assert done.error == "unexpected-argument" and '--data "*.txt"' in done.err


LOSSY = """
import numpy as np
from pentad import END_OF_TEXT, Implementation, Tokenizer, hookimpl


class Few(Tokenizer):
    lossless = False
    special_tokens = {END_OF_TEXT: 129}
    vocab_size = 130

    def __init__(self, options):
        del options

    def train(self, texts):
        pass

    def encode(self, text):
        return np.array([ord(c) if c in "eaton" else 128 for c in text], dtype=np.uint32)

    def token_bytes(self, token):
        return bytes([token]) if token < 128 else b""

    def save(self, folder):
        (folder / "few.txt").write_text("few")

    def load(self, folder):
        pass


@hookimpl
def engine_tokenizers():
    return [Implementation(name="few", summary="Knows a few letters.", factory=Few)]
"""


def test_a_lossy_tokenizer_is_charged_and_warned_of(cli: Cli, text: Path, tmp_path: Path) -> None:
    """One unknown id for most characters is easy to predict, and must not win by that."""
    (tmp_path / "few.py").write_text(LOSSY)
    flags = ("--plugin", "few.py", *TINY, "--tokenizer", "few", "--optimizer", "adamw", "--data", text)
    done = cli("run", *flags, "--steps", "60", "--out", "r")
    assert done.code == 0, done.err
    words = " ".join(done.out.split())
    assert "! The tokenizer few is lossy: " in words and "bits per byte (lossy) on the held-out text" in words
    assert "that the tokenizer loses, 8 bits each" in words
    lines = [json.loads(line) for line in (tmp_path / "r/metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    final = next(line for line in lines if line["kind"] == "evaluation" and line["final"])
    share = final["lost_bytes"] / final["n_bytes"]
    assert 0.5 < share < 1
    assert final["bits_per_byte"] == pytest.approx(final["bits_per_byte_of_tokens"] + 8 * share)
    assert "(lossy)" in cli("evaluate", "r", "--plugin", "few.py").out
    assert json.loads(cli("evaluate", "r", "--plugin", "few.py", "--json").out)["lost_bytes"] == final["lost_bytes"]


def test_print_config_is_a_recipe_that_config_takes(cli: Cli, tmp_path: Path) -> None:
    first = cli(
        "run", "--print-config", "--steps", "3", "--model", "rnn", "--model.cell", "gru", "--data", "a.txt", "--data", "b.txt"
    )
    recipe = tomllib.loads(first.out)
    assert recipe["model"]["name"] == "rnn"
    assert recipe["training"]["steps"] == 3
    assert recipe["training"]["budget"] == "none"
    assert recipe["data"]["sources"] == ["a.txt", "b.txt"]
    (tmp_path / "recipe.toml").write_text(first.out)
    assert cli("run", "--config", "recipe.toml", "--print-config").out == first.out
    later = tomllib.loads(cli("run", "--config", "recipe.toml", "--model.n-layer", "2", "--budget", "9s", "--print-config").out)
    assert (later["model"]["n_layer"], later["model"]["cell"]) == (2, "gru")
    assert (later["training"]["steps"], later["training"]["budget"]) == ("none", "9s")
    other = tomllib.loads(cli("run", "--config", "recipe.toml", "--model", "gpt", "--print-config").out)
    assert other["model"] == {"name": "gpt"}, "its sizes are left to the run"


def test_a_dry_run_prints_the_recipe_with_every_size(cli: Cli, text: Path) -> None:
    words = ("run", "--data", text, "--budget", "1e9flops", "--tokenizer", "byte", "--precision", "fp32", "--threads", "1")
    printed = cli(*words, "--max-tokens", "1", "--dry-run", "--print-config")
    assert "layers x" in printed.err, "the plan is no part of the recipe"
    sized = tomllib.loads(printed.out)
    assert {"n_layer", "n_embd", "n_head"} <= sized["model"].keys() and sized["training"]["max_epochs"] != "none"
    assert json.loads(cli(*words, "--dry-run", "--print-config", "--json").out)["model"]["n_embd"] == sized["model"]["n_embd"]
    Path("sized.toml").write_text(printed.out)
    assert cli("run", "--config", "sized.toml", "--out", "small").code == 0
    assert tomllib.loads(Path("small/recipe.toml").read_text()) == sized


def test_sizes_are_chosen_shown_and_kept(cli: Cli, text: Path) -> None:
    words = ("run", "--data", text, "--budget", "1e9flops", "--tokenizer", "byte", "--precision", "fp32", "--threads", "1")
    done = cli(*words, "--max-tokens", "1", "--out", "small")
    assert done.code == 0, done.err
    assert "layers x" in done.out and "1e9 FLOPs" in done.out
    chosen = tomllib.loads(Path("small/recipe.toml").read_text())["model"]
    larger = json.loads(cli(*words[:4], "2e12flops", *words[5:], "--model.n-layer", "1", "--dry-run", "--json").out)
    assert larger["recipe"]["model"]["n_layer"] == 1
    assert larger["recipe"]["model"]["n_embd"] > chosen["n_embd"]
    assert larger["recipe"]["training"]["max_epochs"] is not None, "a small text is not read for ever"
    assert "layers x" in larger["sizing"]["model"]
    assert cli("resume", "small", "--steps", "12").code == 0
    assert tomllib.loads(Path("small/recipe.toml").read_text())["model"] == chosen


@pytest.mark.parametrize("flags", ["--steps none", "--steps NONE", "--steps None --budget 150s", "--config none.toml"])
def test_steps_none_leaves_the_end_to_the_budget(flags: str, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "none.toml").write_text('[training]\nsteps = "None"\n')
    printed = cli("run", *flags.split(), "--print-config")
    assert printed.code == 0, printed.err
    training = tomllib.loads(printed.out)["training"]
    assert (training["steps"], training["budget"]) == ("none", "150s")


@pytest.mark.parametrize(
    ("recipe", "code", "words"),
    [
        ("[modle]\nname = 'gpt'\n", "unknown-table", "Did you mean model?"),
        ("model = 5\n", "table-type", "Write [model]"),
        ("[training]\nbatch_sise = 5\n", "unknown-option", "Did you mean batch_size?"),
        ("[training]\nbatch_size = 0\n", "option-bounds", "--training.batch-size"),
        ("[model]\nname = 'gtp'\n", "unknown-name", "Did you mean gpt?"),
        ("[model]\nname = 5\n", "unknown-name", "Installed"),
        ("[model\n", "recipe-syntax", "--print-config"),
    ],
)
def test_a_wrong_recipe_is_told_in_two_lines(recipe: str, code: str, words: str, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(recipe)
    result = cli("run", "--config", "recipe.toml")
    assert (result.code, result.error) == (2, code), result
    assert len(result.err.splitlines()) == 2
    assert words in result.err


def test_an_observer_with_options_is_told(cli: Cli, text: Path, tmp_path: Path) -> None:
    (tmp_path / "diary_plugin.py").write_text(OBSERVER)
    arguments = ["--plugin", "diary_plugin.py", "--observe", "diary", "--diary.place", "diary.txt"]
    done = cli("run", "--data", text, "--steps", "3", "--json", *arguments, *TINY)
    assert done.code == 0, done.err
    assert (tmp_path / "diary.txt").read_text().split() == ["1", "2", "3"]
    again = cli("resume", json.loads(done.out)["folder"], "--steps", "5", "--json", *arguments)
    assert again.code == 0, again.err
    assert (tmp_path / "diary.txt").read_text().split() == ["1", "2", "3", "4", "5"]
    assert "--diary.place STR" in cli("run", *arguments[:4], "--help").out


def test_ctrl_c_saves_and_the_hint_goes_on(tmp_path: Path, cache: Path, engine: Cli, text: Path) -> None:
    process = subprocess.Popen(
        command(
            "run", "--data", text, "--steps", "100000", "--out", "r", "--sample-every", "0", "--evaluate-every", "0", *TINY
        ),
        cwd=tmp_path,
        env=environment(cache),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "step 1/" in line:
            break
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    stopped, hint = err.strip().splitlines()
    assert stopped.startswith("Stopped at step ")
    assert "engine resume r" in hint
    step = max(int(path.name.removeprefix("step-")) for path in (tmp_path / "r" / "checkpoints").glob("step-*"))
    done = engine("resume", "r", "--steps", str(step + 2), "--json", cwd=tmp_path)
    assert done.code == 0, done.err
    assert json.loads(done.out)["step"] == step + 2


@pytest.fixture
def unread(warm_engine: list[str], tmp_path: Path, cache: Path) -> Unread:
    """Start `engine` with both streams in one pipe, whose reader goes away after the first line."""

    def start(*arguments: str | Path) -> subprocess.Popen[bytes]:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        process = subprocess.Popen([*warm_engine, *map(str, arguments)], cwd=tmp_path, env=environment(cache), **pipes)
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        return process

    return start


def test_a_run_whose_reader_goes_away_goes_on_to_its_end(unread: Unread, tmp_path: Path, text: Path) -> None:
    process = unread("run", "--data", text, "--steps", "20", "--out", "r", *TINY)
    assert process.wait(60) == 0
    assert (tmp_path / "r" / "checkpoints" / "step-20").is_dir()
    assert '"final": true' in (tmp_path / "r" / "samples.jsonl").read_text()


def test_ctrl_c_is_130_and_saves_where_nobody_reads(unread: Unread, tmp_path: Path, text: Path) -> None:
    process = unread("run", "--data", text, "--steps", "100000", "--out", "r", "--log-every", "1", *TINY)
    metrics = tmp_path / "r" / "metrics.jsonl"
    while process.poll() is None and not (metrics.is_file() and metrics.stat().st_size):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert any((tmp_path / "r" / "checkpoints").iterdir())


def test_a_terminal_that_is_closed_does_not_end_a_run(tmp_path: Path, cache: Path, text: Path) -> None:
    """As after `disown`: a terminal that has gone refuses what is written to it with another error than a pipe does."""
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    quiet = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); from pentad_cli.main import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", quiet, "run", "--data", str(text), "--steps", "20", "--out", "r", *TINY],
        **{"cwd": tmp_path, "env": {**environment(cache), "TERM": "xterm"}, "start_new_session": True},
        **dict.fromkeys(("stdin", "stdout", "stderr"), theirs),
    )
    os.close(theirs)
    os.read(ours, 10)
    os.close(ours)
    process.wait(60)
    assert (tmp_path / "r" / "checkpoints" / "step-20").is_dir()
    assert '"final": true' in (tmp_path / "r" / "samples.jsonl").read_text()


def test_only_the_first_process_of_several_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    from pentad_cli.terminal.display import PlainDisplay
    from pentad_cli.training import display_for

    monkeypatch.setenv("RANK", "1")
    stream = io.StringIO()
    display = display_for(stream)
    display.write("words")
    assert not isinstance(display, PlainDisplay)
    assert stream.getvalue() == ""


def test_resume_says_when_a_run_is_done(cli: Cli, trained: Path) -> None:
    result = cli("resume", trained)
    assert result.code == 2
    assert "--steps" in result.err.splitlines()[-1]


def test_find_lr_suggests_a_rate_and_trains_nothing(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    arguments = ("run", "text.txt", "--steps", "10", *TINY, "--model.ngram-order", "0", "--find-lr")
    result = cli(*arguments, "--optimizer", "adamw")
    assert result.code == 0, result.err
    assert "--optimizer.lr 0." in result.out
    assert max(map(len, result.out.splitlines())) <= 80
    assert [path.name for path in tmp_path.iterdir()] == ["text.txt"]
    found = json.loads(cli(*arguments, "--json", "--out", "curve").out)
    assert len(found["rates"]) == len(found["losses"]) and found["suggested"] > 0
    assert json.loads((tmp_path / "curve" / "learning-rates.json").read_text()) == found
    assert cli(*arguments, "--dry-run").error == "options-conflict"
