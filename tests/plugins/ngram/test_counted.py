"""A model beside counts: the sum of what both say, in training without the place that is learned."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch

from pentad import Choice, Model, Recipe, SpecialToken, Tokens, Vocabulary, open_run, resume, run
from pentad.runs.checkpoint import put_tensors
from pentad.testing import raises_code
from pentad_gpt.model import GPT
from pentad_gpt.options import GPTOptions
from pentad_ngram import counted as module
from pentad_ngram.counted import Counted
from pentad_ngram.model import Ngram
from pentad_ngram.options import NgramOptions

EOT, V, CONTEXT = 0, 30, 16
TEXT = Tokens.of(torch.randint(0, V, (500,), generator=torch.Generator().manual_seed(1)).numpy(), EOT)


def gpt(vocab_size: int = V) -> Model:
    torch.manual_seed(0)
    model = GPT(GPTOptions(n_layer=1, n_head=2, n_embd=16, zero_init_projections=False), vocab_size, CONTEXT)
    return model.eval()


def beside(special: int = 0, order: int = 3, weight: float = 0.5) -> Counted:
    names = tuple(SpecialToken(name=f"s{number}") for number in range(special))
    vocabulary = Vocabulary(tokenizer_size=V, end_of_text=EOT, special=names)
    return Counted(gpt(vocabulary.size), order=order, weight=weight, vocabulary=vocabulary).eval()  # type: ignore[return-value]


def rows(number: int = 4, seed: int = 2) -> torch.Tensor:
    return torch.randint(1, V, (number, CONTEXT), generator=torch.Generator().manual_seed(seed))


def logits(model: Model, inputs: torch.Tensor) -> torch.Tensor:
    return model.logits(model(inputs).features)


def test_it_is_the_model_alone_until_it_has_studied_a_text() -> None:
    assert torch.equal(logits(beside(), rows()), logits(gpt(), rows()))


def test_logits_are_the_sum_of_what_the_model_and_the_counts_say() -> None:
    model, alone, vocabulary = beside(), gpt(), Vocabulary(tokenizer_size=V, end_of_text=EOT)
    model.study(TEXT)
    counts = Ngram(NgramOptions(order=3), vocab_size=V, vocabulary=vocabulary)
    ids = torch.from_numpy(TEXT.ids)[None]
    counts.learn_by_counting(ids[:, :-1], ids[:, 1:], None)
    counts.eval()
    expected = logits(alone, rows()) + 0.5 * logits(counts, rows())
    assert torch.allclose(logits(model, rows()), expected, atol=1e-5)


def test_in_training_the_text_does_not_know_its_own_next_token() -> None:
    model = beside(order=4, weight=1.0)
    model.study(TEXT)
    inputs = torch.from_numpy(TEXT.ids[: 12 * CONTEXT]).view(-1, CONTEXT)
    targets = torch.from_numpy(TEXT.ids[1 : 12 * CONTEXT + 1]).view(-1, CONTEXT)

    def loss(of: Model) -> float:
        found = logits(of, inputs)[:, :-1]  # what follows the last of a row the model does not see
        return torch.nn.functional.cross_entropy(found.flatten(0, 1), targets[:, :-1].flatten()).item()

    other = beside(order=4, weight=1.0)
    other.study(Tokens.of(torch.randint(0, V, (500,), generator=torch.Generator().manual_seed(7)).numpy(), EOT))
    known, honest, strange = loss(model), loss(model.train()), loss(other)  # type: ignore[arg-type]
    assert known < 2.0 < 3.0 < honest  # the text is random: nothing but itself tells what comes
    assert abs(honest - strange) < 0.5


def test_a_copy_computes_the_same_and_shares_the_tables() -> None:
    model = beside()
    model.study(TEXT)
    expected = logits(model, rows())
    copied = copy.deepcopy(model)
    assert torch.equal(logits(copied, rows()), expected) and copied.tables() is model.tables()


def test_models_of_one_text_share_the_tables_from_the_start() -> None:
    first, second = beside(), beside()
    first.study(TEXT)
    second.study(TEXT)
    assert first.tables() is second.tables()
    assert torch.equal(logits(first, rows()), logits(second, rows()))


def test_special_tokens_are_as_likely_to_counts_as_a_token_of_none() -> None:
    model, alone = beside(special=2), gpt(V + 2)
    model.study(TEXT)
    inputs = rows()
    found, own = logits(model, inputs), logits(alone, inputs)
    assert torch.allclose(found[..., V:] - own[..., V:], torch.full((1,), -0.5 * torch.tensor(V + 2.0).log()), atol=1e-5)
    inputs[:, 5] = V + 1  # what stands before it is not looked at
    cut = inputs[:, 5:].clone()
    beyond = logits(model, inputs)[:, 6] - logits(alone, inputs)[:, 6]
    assert torch.allclose(beyond, logits(model, cut)[:, 1] - logits(alone, cut)[:, 1], atol=1e-4)


def test_the_first_tokens_of_a_large_text_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_TOKENS", 100)
    model = beside()
    model.study(Tokens.of(TEXT.ids.copy(), EOT))
    assert int(model.counts.sum()) == 99


def test_heads_for_further_tokens_know_nothing_of_their_context() -> None:
    model, alone = beside(), gpt()
    for each in (model, alone):
        each.predict_ahead(1)
    model.study(TEXT)
    (ahead,) = model.ahead(model(rows()).features)
    (own,) = alone.ahead(alone(rows()).features)
    given = model.logits(ahead) - alone.logits(own)
    assert torch.allclose(given, given[:1, :1].expand_as(given), atol=1e-5) and given.std() > 0.01


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "rhyme.txt"
    lines = [f"the {colour} cat sat on the {number} mats and said {word}\n" for colour in ("red", "grey", "blue")
             for number in ("two", "three", "four") for word in ("yes", "no", "maybe", "never")]  # fmt: skip
    path.write_text("".join(lines) * 6)
    return path


def recipe(text: Path, steps: int = 6, builder: str = "next-token", **model: object) -> Recipe:
    small = {"n_layer": 1, "n_head": 1, "n_embd": 16, **model}
    return Recipe(
        tokenizer=Choice("byte"),
        builder=Choice(builder),
        model=Choice("gpt", **small),
        data={"sources": [str(text)]},
        training={"steps": steps, "batch_size": 4, "context_length": 32},
        machine={"device": "cpu", "threads": 1, "precision": "fp32"},
        generation={"max_tokens": 8, "sample_every": 0.0},
    )


def test_a_few_steps_beside_counts_come_further(text: Path, tmp_path: Path) -> None:
    plain = run(recipe(text, ngram_order=0), out=tmp_path / "plain", observers=[])
    found = run(recipe(text), out=tmp_path / "counts", observers=[])  # sized by itself
    assert open_run(tmp_path / "counts").recipe.model.options["ngram_order"] == 8  # tokens are bytes
    assert plain.bits_per_byte is not None and found.bits_per_byte is not None
    assert found.bits_per_byte < plain.bits_per_byte - 1


def test_a_resumed_run_and_an_opened_one_have_the_same_counts(text: Path, tmp_path: Path) -> None:
    whole = run(recipe(text), out=tmp_path / "whole", observers=[])
    made = open_run(tmp_path / "whole").model
    assert isinstance(made, Counted) and made.has_counted
    part = run(recipe(text, steps=3), out=tmp_path / "part", observers=[])
    assert part.step == 3
    resumed = resume(tmp_path / "part", steps=6, observers=[])
    opened = open_run(tmp_path / "part")
    assert resumed.step == whole.step and torch.equal(opened.model.get_buffer("ngrams"), made.ngrams)
    assert opened.generate("the red", max_tokens=5, seed=1)[0].text == opened.generate("the red", max_tokens=5, seed=1)[0].text


@pytest.mark.parametrize(
    ("builder", "counts"), [("next-token", True), ("multi-token", True), ("span-corruption", False), ("fill-in-middle", True)]
)
def test_it_studies_where_each_next_token_is_learned(text: Path, tmp_path: Path, builder: str, counts: bool) -> None:
    run(recipe(text, steps=2, builder=builder, ngram_order=3), out=tmp_path / "run", observers=[])
    model = open_run(tmp_path / "run").model
    assert isinstance(model, Counted) and model.has_counted is counts


def test_a_run_that_starts_from_it_takes_the_counts_along(text: Path, tmp_path: Path) -> None:
    run(recipe(text), out=tmp_path / "base", observers=[])
    told = tmp_path / "told.jsonl"
    turn = '{"messages": [{"role": "user", "content": "cat %d?"}, {"role": "assistant", "content": "red"}]}\n'
    told.write_text("".join(turn % number for number in range(40)))
    started = Recipe(
        builder=Choice("chat"),
        start={"run": str(tmp_path / "base")},
        data={"sources": [str(told)], "held_out": 0.2},
        training={"steps": 2, "batch_size": 2, "context_length": 32},
        machine={"device": "cpu", "threads": 1, "precision": "fp32"},
        generation={"max_tokens": 8, "sample_every": 0.0},
    )
    run(started, out=tmp_path / "chat", observers=[])
    base, chat = open_run(tmp_path / "base").model, open_run(tmp_path / "chat").model
    assert chat.vocab_size > base.vocab_size
    assert torch.equal(base.get_buffer("ngrams"), chat.get_buffer("ngrams"))


DAMAGES: dict[str, dict[str, torch.Tensor]] = {
    "an id that is none": {"model.ngrams": torch.tensor([[1, 2, 9999]], dtype=torch.int32)},
    "nothing that followed": {"model.ngrams": torch.tensor([[1, 2, -1]], dtype=torch.int32)},
    "n-grams of another length": {"model.ngrams": torch.zeros(1, 5, dtype=torch.int32)},
    "more counts than n-grams": {"model.counts": torch.ones(2, dtype=torch.int32)},
    "never seen": {"model.counts": torch.zeros(1, dtype=torch.int32)},
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_counts_that_nobody_counted_are_refused(damage: str) -> None:
    model, holder = beside(), torch.nn.Module()
    holder.model = model
    fine = {"model.ngrams": torch.ones(1, 3, dtype=torch.int32), "model.counts": torch.ones(1, dtype=torch.int32)}
    put_tensors(holder, fine)  # type: ignore[arg-type]
    with raises_code("file-damaged"):
        put_tensors(holder, {**fine, **DAMAGES[damage]})  # type: ignore[arg-type]
