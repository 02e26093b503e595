"""The figures of a comparison, each worked out a second time from what the runs left."""

from __future__ import annotations

import contextlib
import io
import json
import random
import statistics
import time
import tomllib

import pytest
import torch

from pentad import Catalogue, Choice, open_run
from pentad.data.corpus import open_corpus
from pentad.data.split import split_corpus
from pentad.tools import peak_memory
from pentad_cli.main import call
from pentad_compare.measures.figures import Text
from pentad_compare.measures.texts import bits_per_byte_of, write_texts

WORDS = ["the", "cat", "sat", "on", "a", "mat", "and", "saw", "two", "dogs", "run", "by", "her", "red", "house", "in", "town"]
PROMPTS, TEXT_BYTES = 2, 110
TEXTS = ("--sampler", "temperature", "--prompts", PROMPTS, "--text-bytes", TEXT_BYTES)


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    """A text in which most lines are among twenty, so that much of what is held out stands in the training text too."""
    draw = random.Random(1)

    def line():
        return " ".join(draw.choices(WORDS, k=20)) + ".\n"

    known = [line() for _ in range(20)]
    text = "".join(draw.choice(known) if draw.random() < 0.7 else line() for _ in range(200))
    path = tmp_path_factory.mktemp("lines") / "lines.txt"
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def ask(place, lines, tmp_path_factory):
    """Calls `engine compare` always with the same DIR, and returns comparison.json."""
    out = tmp_path_factory.mktemp("figures")

    def ask(*arguments):
        plugins = ["--plugin", place / "here.py", "--plugin", place / "inline.py", "--executor", "inline"]
        fixed = ["--config", place / "tiny.toml", "--data", lines, *plugins]
        said = io.StringIO()
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            patch.setenv("PENTAD_CACHE", str(place / "cache"))
            patch.chdir(place)
            assert call(["compare", *map(str, [*arguments, *fixed, "--out", out])]) == 0, said.getvalue()
        newest = max(out.glob("*/comparison.json"), key=lambda path: path.stat().st_mtime_ns)
        return json.loads(newest.read_text())

    ask.out = out
    return ask


@pytest.fixture(scope="module")
def whole(ask):
    """Two tokenizers with two seeds that are not the first ones, and the seconds that all of it took."""
    began = time.perf_counter()
    found = ask("--tokenizer", "byte,bpe", "--tokenizer.vocab-size", "300", "--seed", "7", "--seeds", "2", *TEXTS)
    return found, time.perf_counter() - began


@pytest.fixture(scope="module")
def opened(ask, whole):
    """Every run of the comparison: label and seed to the record and the opened run."""
    return {
        (arm["label"], seed["seed"]): (seed, open_run(ask.out / seed["folder"]))
        for arm in whole[0]["arms"]
        for seed in arm["seeds"]
    }


def test_runs_that_were_computed_alike_have_no_note_about_it(whole):
    assert not any("computed in different ways" in note for note in whole[0]["notes"])


def texts_of(found):
    return [Text(**each) for each in found]


def test_the_seeds_begin_with_the_one_that_was_asked_for(whole, ask):
    found, _ = whole
    assert found["seeds"] == [7, 8]
    for arm in found["arms"]:
        assert [seed["seed"] for seed in arm["seeds"]] == [7, 8]
        recipes = [tomllib.loads((ask.out / seed["folder"] / "recipe.toml").read_text()) for seed in arm["seeds"]]
        assert [recipe["training"]["seed"] for recipe in recipes] == [7, 8]


def test_mean_and_spread_are_those_of_the_seeds(whole):
    for arm in whole[0]["arms"]:
        scores = [seed["score"] for seed in arm["seeds"]]
        assert arm["mean"] == pytest.approx(statistics.fmean(scores))
        assert arm["spread"] == pytest.approx(statistics.stdev(scores))


def test_parameters_are_those_of_the_model(whole, opened):
    for arm in whole[0]["arms"]:
        _, run = opened[arm["label"], 7]
        assert sum(arm["parameters"].values()) == sum(each.numel() for each in run.model.parameters())
        assert arm["vocab_size"] == run.tokenizer.vocab_size
    byte, bpe = (arm["parameters"] for arm in whole[0]["arms"])
    assert byte["matrix"] == bpe["matrix"] > 0
    assert byte["embedding"] < bpe["embedding"]


def test_rates_are_of_the_training_alone(whole):
    for arm in whole[0]["arms"]:
        for seed in arm["seeds"]:
            assert seed["bytes"] == pytest.approx(seed["tokens"] * arm["bytes_per_token"])
            assert seed["tokens_per_second"] == pytest.approx(seed["tokens"] / seed["training_seconds"])
            assert seed["bytes_per_second"] == pytest.approx(seed["bytes"] / seed["training_seconds"])
    assert whole[0]["arms"][1]["bytes_per_token"] > 1.3


def test_a_curve_lies_over_training_time(whole):
    for seed in (seed for arm in whole[0]["arms"] for seed in arm["seeds"]):
        middle, end = seed["curve"]
        assert (middle["step"], end["step"]) == (6, 12)
        assert 0 < middle["seconds"] < end["seconds"] == seed["training_seconds"]
        assert (middle["bytes"], middle["flops"]) == pytest.approx((seed["bytes"] / 2, seed["flops"] / 2))
        assert (end["bytes"], end["flops"]) == pytest.approx((seed["bytes"], seed["flops"]))


def test_wall_time_and_memory_are_of_the_whole_process(whole):
    found, elapsed = whole
    seeds = [seed for arm in found["arms"] for seed in arm["seeds"]]
    assert all(seed["training_seconds"] < seed["wall_seconds"] for seed in seeds)
    assert sum(seed["wall_seconds"] for seed in seeds) < elapsed
    assert all(1_000_000 < seed["peak_memory_bytes"] <= peak_memory() for seed in seeds)


def test_samples_are_drawn_with_the_seed_of_their_model(whole, opened):
    prompts = [text["prompt"] for text in whole[0]["human_texts"]]
    for arm in whole[0]["arms"]:
        _, run = opened[arm["label"], 7]
        own = {name: value for name, value in arm["recipe"]["sampler"].items() if name != "name"}
        drawn = {
            seed: write_texts(
                run, [Choice("temperature", **own)], prompts, max_tokens=TEXT_BYTES, seed=seed, n_bytes=TEXT_BYTES
            )[0]
            for seed in (7, 0)
        }
        (sampler,) = arm["samplers"]
        assert texts_of(sampler["texts"]) == drawn[7]
        assert drawn[7] != drawn[0]  # or it would not matter


def test_surprise_is_that_of_the_model_that_wrote(whole, opened):
    for arm in whole[0]["arms"]:
        (sampler,) = arm["samplers"]
        alone = statistics.fmean(bits_per_byte_of(opened[arm["label"], 7][1], texts_of(sampler["texts"])))
        assert sampler["by_seed"]["7"]["bits_per_byte"] == pytest.approx(alone, rel=1e-5)
        both = statistics.fmean(each["bits_per_byte"] for each in sampler["by_seed"].values())
        assert sampler["figures"]["bits_per_byte"] == pytest.approx(both)


def test_held_out_text_has_a_surprise_where_there_is_one_arm(ask, whole, opened):
    assert whole[0]["human"]["bits_per_byte"] is None
    found = ask("--tokenizer", "byte", "--seed", "7", "--seeds", "2", *TEXTS)
    assert all(seed["reused"] for seed in found["arms"][0]["seeds"])
    texts = texts_of(found["human_texts"])
    expected = [statistics.fmean(bits_per_byte_of(opened["byte", seed][1], texts)) for seed in (7, 8)]
    assert found["human"]["bits_per_byte"] == pytest.approx(statistics.fmean(expected), rel=1e-5)
    assert found["human"]["n_texts"] == PROMPTS


def passages(text, training):
    """Return the share of a text inside passages of 50 bytes or more from the training text, and the longest of all."""
    covered, longest = set(), 0
    for start in range(len(text)):
        length = next(size for size in range(len(text) - start, -1, -1) if text[start : start + size] in training)
        longest = max(longest, length)
        covered.update(range(start, start + length) if length >= 50 else ())
    return len(covered) / len(text), longest


def test_verbatim_passages_are_looked_for_in_the_training_text(whole, lines):
    split = split_corpus(open_corpus([str(lines)], Catalogue()), 0.1)
    training = "".join(piece.text for piece in split.train.pieces())
    human = whole[0]["human"]
    found = [passages(text["text"], training) for text in whole[0]["human_texts"]]
    assert human["verbatim"] == pytest.approx(statistics.fmean(share for share, _ in found))
    assert human["longest_verbatim"] == len(human["longest_text"]) == max(longest for _, longest in found)
    assert human["longest_text"] in training
    assert 0 < human["verbatim"] < 1  # some of it stands there, and not all


def test_other_texts_that_are_asked_for_are_written_anew(ask, whole):
    del whole  # the run that is used again
    for prompts, n_bytes in ((1, 60), (2, 60), (2, 30)):  # each time one of them changes
        found = ask("--tokenizer", "byte", "--seed", "7", "--seeds", "1", "--prompts", prompts, "--text-bytes", n_bytes)
        (arm,) = found["arms"]
        assert arm["seeds"][0]["reused"]
        written = [arm["samplers"][0]["texts"], found["human_texts"]]
        assert [len(texts) for texts in written] == [prompts, prompts]
        assert [arm["samplers"][0]["figures"]["n_texts"], found["human"]["n_texts"]] == [prompts, prompts]
        assert max(len(text["text"].encode()) for texts in written for text in texts) == n_bytes
