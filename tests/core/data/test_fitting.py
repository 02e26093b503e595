"""Small texts: open options give way to what the text can fill, given ones are refused, and the recipe says what was used."""

from __future__ import annotations

import dataclasses

import pytest

from pentad import Choice, OptionsDoNotFit, Recipe, open_run, plan, resume, run
from pentad.config.options import given, parse
from pentad.config.tables import TrainingOptions
from pentad.system.cache import folder_fingerprint
from pentad.testing import raises_code

pytestmark = pytest.mark.usefixtures("cache")
SENTENCE = "The cat sat on the mat, and the dog ran after the other cat in the garden of number {}.\n"


@pytest.fixture
def small(tmp_path):
    def make(n_bytes: int) -> str:
        path = tmp_path / f"{n_bytes}.txt"
        path.write_text("".join(SENTENCE.format(number) for number in range(n_bytes // 80 + 1))[:n_bytes])
        return str(path)

    return make


def recipe(data: str, tokenizer="bpe", **training) -> Recipe:
    return Recipe(
        tokenizer=tokenizer,
        builder="next-token",
        model=Choice("gpt", n_layer=1, n_head=2, n_embd=8),
        optimizer="adamw",
        sampler="top-k",
        data=data,
        training={"steps": 2, "batch_size": 2, **training},
        machine={"device": "cpu", "threads": 1, "precision": "fp32", "compile": "off"},
        generation={"max_tokens": 2},
    )


@pytest.mark.parametrize("tokenizer", ["bpe", "sentencepiece"])
@pytest.mark.parametrize("n_bytes", [300, 3000, 20_000])
def test_a_small_text_trains_with_the_defaults_and_is_resumed_with_what_was_used(small, tmp_path, tokenizer, n_bytes):
    result = run(recipe(small(n_bytes), tokenizer), out=tmp_path / "run")
    assert result.evaluation is not None and 0 < result.evaluation.bits_per_byte < 16
    saved = open_run(tmp_path / "run", device="cpu")
    used = saved.recipe.choice("tokenizer").options["vocab_size"]
    assert used == saved.tokenizer.vocab_size
    if n_bytes == 300:
        assert used < 1024 and saved.recipe.training.context_length <= 128
    again = resume(tmp_path / "run", steps=4)
    straight = run(recipe(small(n_bytes), tokenizer, steps=4), out=tmp_path / "straight")
    assert again.step == straight.step == 4
    assert open_run(tmp_path / "straight").recipe.training == dataclasses.replace(saved.recipe.training, steps=4)
    assert len({folder_fingerprint(tmp_path / name / "tokenizer") for name in ("run", "straight")}) == 1


def test_what_gives_way_stands_in_the_plan(small):
    said = plan(recipe(small(300)))
    assert any("--tokenizer.vocab-size" in warning for warning in said.warnings)
    assert any("--context-length" in warning for warning in said.warnings)
    assert said.recipe.training.context_length < 128
    assert said.recipe.choice("tokenizer").options["vocab_size"] == said.vocab_size


def test_what_the_user_asked_for_is_refused(small):
    with raises_code("vocabulary-too-large"):
        plan(recipe(small(300), Choice("bpe", vocab_size=1024)))
    with raises_code("text-too-short"):
        plan(recipe(small(300), context_length=128))
    with raises_code("vocabulary-too-large"):
        plan(recipe(small(300), Choice("bpe", min_frequency=3, vocab_size=400)))


def test_a_text_of_many_characters_gets_a_larger_vocabulary(tmp_path):
    path = tmp_path / "characters.txt"
    path.write_text("".join(chr(0x4E00 + number * 7 % 2000) for number in range(6000)))
    said = plan(recipe(str(path), "sentencepiece"))
    assert said.recipe.choice("tokenizer").options["vocab_size"] > 1024


def test_given_options_are_known():
    assert given(parse(TrainingOptions, {"steps": 3, "context-length": 128}, "training")) == {"steps", "context_length"}
    assert given(TrainingOptions()) == frozenset()
    assert given(TrainingOptions(batch_size=9)) == {"batch_size"}


def test_the_error_says_what_fits_also_in_another_process():
    import copy

    error = OptionsDoNotFit("message", "hint", code="vocabulary-too-large", fitting={"vocab_size": 300})
    copied = copy.copy(error)
    assert (copied.message, copied.hint, copied.code, copied.fitting) == ("message", "hint", error.code, error.fitting)
