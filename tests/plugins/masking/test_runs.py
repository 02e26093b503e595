"""Runs of these builders through the public door: trained, scored, sampled, and filled in by the command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pentad import Choice, RunResult, SavedRun, open_run
from pentad.testing import raises_code
from pentad_chat.command import chat
from pentad_cli.main import call


@pytest.fixture(scope="module")
def masked(train: Callable[..., RunResult]) -> RunResult:
    return train(Choice("masked"), Choice("bert", n_layer=1, n_embd=16, n_head=2), samples=2, sample_every=0.5)


@pytest.fixture(scope="module")
def opened(masked: RunResult) -> SavedRun:
    return open_run(masked.folder)


def test_a_masked_run_reports_its_own_score(masked: RunResult, opened: SavedRun) -> None:
    scored = masked.evaluation
    assert scored is not None and (scored.evaluator, scored.primary) == ("pseudo-likelihood", "pseudo_bits_per_byte")
    assert scored.lower_is_better and 0 < scored.score < 8.2 and scored.n_bytes > 500
    assert opened.evaluate().scores == scored.scores
    assert opened.evaluate(evaluator="masked-accuracy").score == scored.scores["masked_accuracy"] > 0.05
    with raises_code("no-evaluator"):
        opened.evaluate(evaluator="bits-per-byte")


def test_samples_on_the_way_are_filled_in_texts(masked: RunResult) -> None:
    assert [sample.index for sample in masked.samples] == [0, 1]
    for sample in masked.samples:
        parts = sample.masked.split("<mask>")
        assert len(parts) == len(sample.tokens) + 1 > 1 and sample.ended == "filled"
        assert len(sample.text) == len(sample.masked) - 5 * len(sample.tokens)  # bytes: one character for each mask
        assert sample.text.startswith(parts[0]) and sample.text.endswith(parts[-1]) and not sample.prompt
    lines = [json.loads(line) for line in (masked.folder / "samples.jsonl").read_text().splitlines()]
    assert [(line["step"], line["final"]) for line in lines] == [(6, False)] * 2 + [(12, True)] * 2
    assert [line["masked"] for line in lines[:2]] == [line["masked"] for line in lines[2:]]


def test_masks_of_a_text_are_filled_and_the_rest_stays(opened: SavedRun) -> None:
    one, other, again = (opened.fill(["The ", " cats sa", " 3 dogs."], samples=2, seed=seed) for seed in (1, 2, 1))
    assert [sample.text for sample in one] == [sample.text for sample in again] != [sample.text for sample in other]
    for sample in one:
        assert sample.masked == "The <mask> cats sa<mask> 3 dogs."
        assert (sample.text[:4], sample.text[5:13], sample.text[14:]) == ("The ", " cats sa", " 3 dogs.")
    alone = opened.fill(["The ", " cats sa", " 3 dogs."], seed=1)
    assert alone[0].text == one[0].text  # whatever is filled in beside it


def test_decoders_and_chat_need_a_model_that_writes(opened: SavedRun, masked: RunResult) -> None:
    with raises_code("not-causal"):
        opened.fill(["The ", " cats"], sampler="beam")
    with raises_code("not-causal"):
        chat.callback(masked.folder, "", None, 8, 0, "cpu", None, ())


def test_what_cannot_be_filled_in_is_refused(opened: SavedRun) -> None:
    with raises_code("nothing-to-fill"):
        opened.generate("The cats")
    with raises_code("nothing-to-fill"):
        opened.generate("The <mask> cats")  # in Python a text is a text
    with raises_code("prompt-too-long"):
        opened.fill(["The ", " cats" * 20])


def test_the_command_fills_in(masked: RunResult, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    run = str(masked.folder)
    prompt = ["--prompt", "The <mask> cats", "--seed", "3"]
    assert call(["generate", run, *prompt, "--temperature", "0", "--samples", "1"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("The ") and said.out.endswith(" cats\n") and len(said.out) == len("The 1 cats\n")
    assert call(["generate", run, *prompt, "--samples", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["samples"]
    assert [sample["masked"] for sample in found] == ["The <mask> cats"] * 2
    assert call(["generate", run, *prompt, "--samples", "1", "--alternatives", "2"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[1].startswith("probability  token") and all(line.count("%") == 3 for line in shown[2:])
    assert call(["generate", run, *prompt, "--samples", "1", "--show-probabilities", "--json"]) == 0
    (sample,) = json.loads(capsys.readouterr().out)["samples"]
    assert sorted(event["token"] for event in sample["events"]) == sorted(sample["tokens"])
    assert call(["generate", run, "--interactive"]) == 2  # it writes no end
    assert call(["generate", run, *prompt, "--plain-prompt"]) != 0  # then there is nothing to fill in
    assert call(["generate", run, *prompt, "--stop", "a"]) == 2
    assert call(["generate", run, *prompt, "--suffix", "a"]) == 2


def test_the_prompt_of_a_run_may_have_masks(train: Callable[..., RunResult], tmp_path: Path) -> None:
    result = train(Choice("masked", rate=0.3), Choice("gpt", n_layer=1, n_embd=8, n_head=1), prompt="The <mask> cats")
    (sample,) = result.samples
    assert sample.masked == "The <mask> cats" and len(sample.tokens) == 1


@pytest.fixture(scope="module")
def gaps(train: Callable[..., RunResult]) -> RunResult:
    return train(Choice("fill-in-middle"), Choice("gpt", n_layer=1, n_embd=16, n_head=2))


def test_a_run_that_fills_gaps_is_scored_on_plain_text(gaps: RunResult) -> None:
    scored = gaps.evaluation
    assert scored is not None and scored.evaluator == "bits-per-byte"
    opened = open_run(gaps.folder)
    held_out = opened.evaluate()
    assert held_out.n_bytes == scored.n_bytes == held_out.n_tokens > 500  # bytes: all of the text, and no other token
    assert "fill-in-middle" in repr(opened.recipe.choice("builder"))
    assert gaps.samples[0].suffix == ""  # without a gap it goes on from its prompt as others do


def test_the_command_fills_a_gap(gaps: RunResult, capsys: pytest.CaptureFixture[str]) -> None:
    run, limits = str(gaps.folder), ["--max-tokens", "7", "--seed", "1", "--ignore-end-of-text"]
    assert call(["generate", run, "--prompt", "The 1 cats<fill> dogs.", *limits]) == 0
    said = capsys.readouterr().out
    assert said.startswith("The 1 cats") and said.endswith(" dogs.\n") and len(said) > len("The 1 cats dogs.\n")
    assert call(["generate", run, "--prompt", "The 1 cats", "--suffix", " dogs.", *limits]) == 0
    assert capsys.readouterr().out == said
    assert call(["generate", run, "--prompt", "The 1 cats<fill> dogs.", *limits, "--samples", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["samples"]
    assert [(sample["prompt"], sample["suffix"], len(sample["tokens"])) for sample in found] == [
        ("The 1 cats", " dogs.", 7)
    ] * 2
    assert call(["generate", run, "--prompt", "A<fill>b", *limits, "--plain-prompt"]) == 0
    assert capsys.readouterr().out.startswith("A<fill>b")
    assert call(["generate", run, "--prompt", "A<fill>b<fill>c"]) == 2  # one gap


def test_a_run_that_writes_on_reads_the_words_as_text(
    train: Callable[..., RunResult], capsys: pytest.CaptureFixture[str]
) -> None:
    plain = train(Choice("next-token", packing="best-fit"), Choice("gpt", n_layer=1, n_embd=8, n_head=1))
    assert open_run(plain.folder).fills == ""
    assert call(["generate", str(plain.folder), "--prompt", "The <mask> cats", "--max-tokens", "3"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("The <mask> cats") and "<mask>" in said.err
    assert call(["generate", str(plain.folder), "--prompt", "The ", "--suffix", "cats"]) == 2
    with raises_code("cannot-fill"):
        open_run(plain.folder).fill(["The ", " cats"])
