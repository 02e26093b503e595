from __future__ import annotations

import json
import re
import shutil
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import tomli_w
import torch
from safetensors.torch import load_file, save_file

from pentad import open_run
from pentad.system.files import SEAL, facts_of_file

from .conftest import Result

Cli = Callable[..., Result]


def test_text_goes_on_from_the_prompt(cli: Cli, trained: Path) -> None:
    result = cli("generate", trained, "--prompt", "The n", "--max-tokens", "5", "--sampler", "greedy")
    assert result.code == 0, result.err
    assert result.out.startswith("The n")
    assert (
        result.out == cli("generate", trained, "--prompt", "-", "--max-tokens", "5", "--sampler", "greedy", stdin="The n").out
    )


def test_json_holds_every_sample(cli: Cli, trained: Path) -> None:
    facts = json.loads(cli("generate", trained, "--samples", "3", "--max-tokens", "4", "--seed", "1", "--json").out)
    assert facts["step"] == 6
    assert [sample["index"] for sample in facts["samples"]] == [0, 1, 2]
    assert all(len(sample["tokens"]) <= 4 for sample in facts["samples"])


def test_the_seed_decides(cli: Cli, trained: Path) -> None:
    first, same, other = (cli("generate", trained, "--max-tokens", "20", "--seed", seed).out for seed in ("1", "1", "2"))
    assert first == same != other


def test_an_option_alone_changes_the_runs_own_sampler(cli: Cli, trained: Path) -> None:
    greedy = cli("generate", trained, "--max-tokens", "8", "--sampler", "greedy").out
    assert cli("generate", trained, "--max-tokens", "8", "--sampler.k", "1").out == greedy
    assert cli("generate", "--sampler.k", "1", "--max-tokens", "8", trained).out == greedy


@pytest.mark.parametrize("flags", ["--prompt be", "--max-tokens 5", "--seed 5", "--generation.samples 2", "--device cpu"])
def test_the_runs_own_values_hold_wherever_it_stands(flags: str, cli: Cli, trained: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    recipe = tomllib.loads((run / "recipe.toml").read_text())
    recipe["sampler"] = {"name": "greedy"}
    (run / "recipe.toml").write_text(tomli_w.dumps(recipe))
    behind = cli("generate", run, *flags.split(), "--json")
    before = cli("generate", *flags.split(), run, "--json")
    assert (behind.code, before.code) == (0, 0), before.err
    texts = [[sample["tokens"] for sample in json.loads(result.out)["samples"]] for result in (behind, before)]
    assert texts[0] == texts[1]


def test_only_options_that_count_are_taken(cli: Cli, trained: Path) -> None:
    assert cli("generate", trained, "--sample-every", "1").code == 2


def test_several_samples_are_told_apart(cli: Cli, trained: Path) -> None:
    out = cli("generate", trained, "--samples", "2", "--max-tokens", "3").out
    assert "--- sample 1 of 2" in out
    assert "--- sample 2 of 2" in out


def test_a_terminal_gets_no_control_characters(cli: Cli, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An untrained model over bytes writes anything; the terminal sees it spelled, and characters whole."""
    monkeypatch.setattr("pentad_cli.terminal.writing.is_terminal", lambda stream: True)
    monkeypatch.setenv("NO_COLOR", "1")
    out = cli("generate", trained, "--prompt", "é\x1b[2J", "--max-tokens", "200", "--sampler", "temperature").out
    assert out.startswith("é\\x1b[2J")
    assert "\x1b" not in out
    assert all(character.isprintable() or character in "\n\t" or ord(character) > 0x9F for character in out)
    assert sys.stdout is not None


def test_evaluate(cli: Cli, trained: Path, tmp_path: Path) -> None:
    facts = json.loads(cli("evaluate", trained, "--json").out)
    assert facts["step"] == 6
    assert facts["n_bytes"] > 100
    shown = cli("evaluate", trained)
    assert shown.out.startswith(f"{facts['bits_per_byte']:.3f} bits per byte on the run's held-out text\n")
    (tmp_path / "other.txt").write_text("zzz zzz zzz " * 20)
    other = json.loads(cli("evaluate", trained, "--data", "other.txt", "--json").out)
    assert other["n_bytes"] == 240
    assert other["data"] == ["other.txt"]


def test_evaluate_with_a_named_evaluator(cli: Cli, trained: Path) -> None:
    named = json.loads(cli("evaluate", trained, "--with", "bits-per-byte", "--json").out)
    assert named["evaluator"] == "bits-per-byte"
    assert named["bits_per_byte"] == json.loads(cli("evaluate", trained, "--json").out)["bits_per_byte"]
    unknown = cli("evaluate", trained, "--with", "bits-per-bite")
    assert unknown.code != 0
    assert "bits-per-byte" in unknown.err


@pytest.mark.parametrize("sampler", ["sampler = 5\n", "[[sampler]]\nname = 'greedy'\n", "[sampler]\nk = 5\n", "[sampler", None])
@pytest.mark.parametrize("name", ["generate", "evaluate"])
def test_a_damaged_recipe_of_a_run_is_told_in_two_lines(
    name: str, sampler: str | None, cli: Cli, trained: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    recipe = tomllib.loads((run / "recipe.toml").read_text())
    del recipe["sampler"]
    (run / "recipe.toml").write_text((sampler or "") + "\n" + tomli_w.dumps(recipe))
    if sampler is None:
        (run / "recipe.toml").unlink()
    result = cli(name, run)
    assert result.code in (1, 2), result
    assert len(result.err.splitlines()) == 2
    assert str(run) in result.err
    assert result.error != "bug"
    assert "--config" not in result.err


@pytest.mark.parametrize("name", ["generate", "evaluate", "resume"])
def test_a_damaged_run_is_told_in_two_lines(name: str, cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "engine.json").write_text("{")
    result = cli(name, folder)
    assert result.code in (1, 2)
    assert len(result.err.splitlines()) == 2
    assert result.error == "file-damaged"


def test_flags_of_elsewhere_mean_a_sampler(cli: Cli, trained: Path) -> None:
    def tokens(*flags: str) -> list[int]:
        return json.loads(cli("generate", trained, "--max-tokens", "8", "--json", *flags).out)["samples"][0]["tokens"]

    assert tokens("--temperature", "0") == tokens("--sampler", "greedy") == tokens("--top-k", "1")
    named = ("--sampler", "temperature+top-p", "--sampler.temperature.temperature", "2", "--sampler.top-p.p", "0.5")
    assert tokens("--temperature", "2", "--top-p", "0.5") == tokens(*named)
    assert cli("generate", trained, "--top-k", "5", "--sampler", "greedy").error == "options-conflict"
    assert cli("generate", trained, "--top-k", "0").error == "option-bounds"


def test_a_text_ends_by_a_text(cli: Cli, trained: Path) -> None:
    flags = ("--max-tokens", "40", "--sampler", "greedy", "--ignore-end-of-text")
    whole = cli("generate", trained, *flags)
    assert "ended at --max-tokens 40" in whole.err
    stop = whole.out[3:5]
    cut = cli("generate", trained, *flags, "--stop", "never", "--stop", stop.replace("\n", "\\n"))
    assert cut.out == whole.out[: whole.out.index(stop)] + "\n"
    assert "ended by --stop" in cut.err
    assert cli("generate", trained, "--stop=").error == "empty-word"


def test_a_minimum_must_fit(cli: Cli, trained: Path) -> None:
    assert cli("generate", trained, "--min-new-tokens", "9", "--max-tokens", "8").error == "options-conflict"
    assert json.loads(cli("generate", trained, "--min-new-tokens", "8", "--max-tokens", "8", "--json").out)["samples"][0][
        "ended"
    ] == ("length")


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_ctrl_c_keeps_what_is_written(trained: Path, cache: Path, tmp_path: Path) -> None:
    """Into a file, where each token arrives as it is written."""
    import functools
    import signal
    import subprocess
    import time

    from .conftest import command, environment

    path = tmp_path / "out.txt"
    flags = ("--max-tokens", "10000000", "--ignore-end-of-text", "--prompt", "The")
    foreground = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # also where the tests are in the background
    how = {"env": environment(cache), "stderr": subprocess.PIPE, "text": True, "preexec_fn": foreground}
    with path.open("w") as file, subprocess.Popen(command("generate", trained, *flags), stdout=file, **how) as process:
        while path.stat().st_size < 10 and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        try:
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130, err
    assert "ended by Ctrl-C" in err and "Traceback" not in err
    assert path.read_bytes().startswith(b"The") and path.read_bytes().endswith(b"\n")


def test_ctrl_c_keeps_several_texts(cli: Cli, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pentad import SavedRun

    stream = SavedRun.stream

    def stopped(*args: object, **named: object) -> object:
        for number, event in enumerate(stream(*args, **named)):  # type: ignore[arg-type]
            if number == 6:
                raise KeyboardInterrupt
            yield event

    monkeypatch.setattr(SavedRun, "stream", stopped)
    result = cli("generate", trained, "--samples", "2", "--prompt", "The", "--ignore-end-of-text")
    assert result.code == 130
    assert result.out.count("The") == 2 and "2 ended by Ctrl-C" in result.err


@pytest.mark.parametrize("name", ["generate", "evaluate"])
def test_an_older_checkpoint_is_used_with_a_warning_or_not_at_all(name: str, cli: Cli, trained: Path, tmp_path: Path) -> None:
    run = shutil.copytree(trained, tmp_path / "run")
    shutil.copytree(run / "checkpoints/step-6", run / "checkpoints/step-9")  # of another step than it says
    flags = ("--max-tokens", "2") if name == "generate" else ()
    with pytest.warns(UserWarning, match=r"step-9.*Using the checkpoint of step 6 instead"):
        assert cli(name, run, *flags).code == 0
    strict = cli(name, run, *flags, "--strict")
    assert (strict.code, strict.error) == (1, "newest-checkpoint-damaged")
    assert cli(name, trained, *flags, "--strict").code == 0


def test_a_score_that_is_no_number_is_a_failure(cli: Cli, trained: Path, tmp_path: Path) -> None:
    """A model that holds every token for impossible, as an older engine or another program may have saved it."""
    run = shutil.copytree(trained, tmp_path / "run")
    place = run / "checkpoints/step-6"
    tensors = {
        name: tensor * (float("nan") if tensor.is_floating_point() else 1)
        for name, tensor in load_file(place / "model.safetensors").items()
    }
    save_file(tensors, place / "model.safetensors")
    seal = json.loads((place / SEAL).read_text())
    seal["model.safetensors"] = facts_of_file(place / "model.safetensors")
    (place / SEAL).write_text(json.dumps(seal))
    result = cli("evaluate", run)
    assert (result.code, result.error, result.out) == (1, "score-not-finite", "")


def test_resume_has_the_options_of_the_runs_optimizer_and_no_other(cli: Cli, trained: Path, tmp_path: Path) -> None:
    run = shutil.copytree(trained, tmp_path / "run")
    assert "--optimizer.lr FLOAT" in cli("resume", run, "--help").out
    assert "--optimizer.lr FLOAT" not in cli("resume", "--help").out
    assert cli("resume", "nowhere", "--help").code == 0
    assert cli("resume", run, "--optimizer", "adamw").error == "unknown-option"
    assert cli("resume", run, "--optimizer.colour", "red").error == "unknown-option"
    assert cli("resume", run, "--optimizer.lr", "-1").error == "option-bounds"
    assert cli("resume", run, "--steps", "3").error == "end-passed"
    result = cli("resume", run, "--steps", "8", "--optimizer.lr", "0.001")
    assert result.code == 0, result.err
    assert tomllib.loads((run / "recipe.toml").read_text())["optimizer"]["lr"] == 0.001


def test_probabilities_are_the_models_own(cli: Cli, trained: Path) -> None:
    """Whatever the sampler does: with top-k 2, each token is one of the model's two likeliest."""
    flags = ("--prompt", "The n", "--max-tokens", "8", "--sampler.k", "2", "--ignore-end-of-text")
    (sample,) = json.loads(cli("generate", trained, *flags, "--alternatives", "2", "--json").out)["samples"]
    events = sample["events"]
    assert [event["token"] for event in events] == sample["tokens"]
    run = open_run(trained)
    ids = torch.cat([run.session.prompt("The n"), torch.tensor(sample["tokens"])])
    expected = run.session.score_tokens(ids, len(ids) - len(events)).tolist()
    assert [event["logprob"] for event in events] == pytest.approx(expected, abs=1e-4)
    for event in events:
        first, second = event["alternatives"]
        assert event["token"] not in (first["token"], second["token"])
        assert first["logprob"] >= second["logprob"] and event["logprob"] >= second["logprob"]
        assert first["text"] == json.dumps(chr(first["token"])) or first["token"] > 126 or first["token"] < 32
    plain = json.loads(cli("generate", trained, *flags, "--json").out)["samples"][0]
    assert plain["tokens"] == sample["tokens"] and "events" not in plain


def test_probabilities_can_be_read_without_colours(cli: Cli, trained: Path) -> None:
    result = cli("generate", trained, "--prompt", "The n", "--max-tokens", "5", "--alternatives", "2", "--ignore-end-of-text")
    prompt, header, *rows = result.out.splitlines()
    assert (prompt, header.split()) == ("The n", ["probability", "token", "others"])
    assert len(rows) == 5 and all(len(re.findall(r"\d%", line)) == 3 for line in rows)
    assert "perplexity" in result.err and "\x1b" not in result.out + result.err
    several = cli("generate", trained, "--samples", "2", "--max-tokens", "3", "--show-probabilities", "--ignore-end-of-text")
    assert len(re.findall(r"\d%", several.out)) == 6 and several.out.count("probability  token") == 2


def test_probabilities_colour_the_text(cli: Cli, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flags = ("--prompt", "The n", "--max-tokens", "9", "--ignore-end-of-text")
    plain = cli("generate", trained, *flags).out
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    result = cli("generate", trained, *flags, "--show-probabilities")
    assert re.sub(r"\x1b\[\d*m", "", result.out) == plain
    assert set(re.findall(r"\x1b\[(\d+)m", result.out)) - {"0", "1"} <= {"31", "32", "33", "36"}
    assert result.out.count("\x1b[") > 6
