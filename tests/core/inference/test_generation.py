"""Generation: drawn by core, each sequence by itself, whatever the sampler or the context does."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pentad import Sampler, tempered_softmax
from pentad.inference.generation import generate, generate_tokens
from pentad.testing import raises_code

V, END = 11, 0


class Draw(Sampler):
    def probabilities(self, logits, tokens):
        return tempered_softmax(logits, 1.0)


class Greedy(Sampler):
    def probabilities(self, logits, tokens):
        return torch.nn.functional.one_hot(logits.argmax(dim=-1), logits.shape[-1]).float()


class Returns(Sampler):
    def __init__(self, answer):
        self.answer = answer

    def probabilities(self, logits, tokens):
        return self.answer(logits)


def model_of(fakes, cls="Summing", bias=None, vocab_size=V, **kwargs):
    torch.manual_seed(4)
    model = getattr(fakes, cls)(vocab_size, 8, **kwargs)
    with torch.no_grad():
        model.head.weight *= 3
        for token, value in (bias or {}).items():
            model.head.bias[token] = value
    return model


def tokens_of(model, cpu, sampler=None, prompt=(0, 3, 5), n_allowed=V, **kwargs):
    kwargs = {"max_tokens": 12, "end_of_text": END, **kwargs}
    return generate_tokens(model, cpu, sampler or Draw(), list(prompt), n_allowed=n_allowed, **kwargs)


def test_greedy_is_the_argmax_of_the_full_forward(fakes, cpu):
    model = model_of(fakes, bias={END: -100.0})
    (found,) = tokens_of(model, cpu, Greedy())
    expected = [0, 3, 5]
    for _ in range(12):
        expected.append(int(model.logits(model(torch.tensor([expected]))[0])[0, -1].argmax()))
    assert found == expected[3:] and len(set(found)) > 1


def test_one_token_is_read_at_a_time(fakes, cpu):
    model, lengths = model_of(fakes, bias={END: -100.0}), []
    forward = model.forward
    model.forward = lambda inputs, state=None, segments=None: (
        lengths.append(inputs.shape[1]) or forward(inputs, state, segments)
    )
    tokens_of(model, cpu)
    assert lengths == [3] + [1] * 11


def test_a_sequence_does_not_depend_on_what_is_beside_it(fakes, cpu):
    model = model_of(fakes)
    many = tokens_of(model, cpu, samples=6, seed=7)
    assert many == tokens_of(model, cpu, samples=6, seed=7)
    assert many[:2] == tokens_of(model, cpu, samples=2, seed=7) and many[:1] == tokens_of(model, cpu, seed=7)
    assert len({tuple(sequence) for sequence in many}) > 3
    assert many != tokens_of(model, cpu, samples=6, seed=8)
    assert tokens_of(model, cpu, seed=-1) == tokens_of(model, cpu, seed=2**64 - 1)
    assert tokens_of(model, cpu, seed=2**63, samples=6) != tokens_of(model, cpu, seed=2**63 + 1, samples=6)


def test_draws_follow_the_distribution(fakes, cpu):
    model = model_of(fakes, "Uniform", context_length=4)
    found = np.concatenate(tokens_of(model, cpu, samples=400, max_tokens=10, end_of_text=-1))
    counts = np.bincount(found, minlength=V)
    assert counts.min() > 0.8 * counts.mean() and counts.max() < 1.2 * counts.mean()


@pytest.mark.parametrize("prompt", [(0, 3), (0, 3, 5, 7, 1, 2, 9, 4, 6)])
@pytest.mark.parametrize("context_length", [1, 2, 5])
def test_a_full_context_goes_on_from_its_newer_half(fakes, cpu, prompt, context_length):
    model, longest = model_of(fakes, bias={END: -100.0}, context_length=context_length), []
    initial, forward = model.initial_state, model.forward

    def counted(inputs, state=None, segments=None):
        longest[-1] += inputs.shape[1]
        return forward(inputs, state, segments)

    model.initial_state = lambda *sizes: longest.append(0) or initial(*sizes)
    model.forward = counted
    (found,) = tokens_of(model, cpu, prompt=prompt, max_tokens=20)
    assert len(found) == 20 and max(longest) <= context_length and len(longest) > 3


def test_the_end_of_text_ends_one_sequence_only(fakes, cpu):
    heard = []
    found = tokens_of(
        model_of(fakes, bias={END: 1.0}),
        cpu,
        samples=8,
        max_tokens=30,
        on_token=lambda index, token: heard.append((index, token)),
    )
    assert len({len(sequence) for sequence in found}) > 2
    assert END not in np.concatenate(found)
    assert all([token for index, token in heard if index == which] == sequence for which, sequence in enumerate(found))
    assert tokens_of(model_of(fakes, bias={END: 1000.0}), cpu, samples=3) == [[], [], []]


def test_padding_is_never_drawn(fakes, cpu):
    model = model_of(fakes, bias=dict.fromkeys(range(6, V), 1000.0))
    assert np.concatenate(tokens_of(model, cpu, samples=20, n_allowed=6)).max() < 6


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (lambda logits: logits * float("nan"), "sums from nan"),
        (lambda logits: logits.softmax(-1) * 2, "sums from 2 to 2"),
        (lambda logits: logits * 0, "sums from 0 to 0"),
        (lambda logits: torch.cat([logits[:, :1] * 0 + 1.5, logits[:, 1:2] * 0 - 0.5, logits[:, 2:] * 0], 1), "smallest -0.5"),
        (lambda logits: logits.softmax(-1)[:, :-1], "of shape (1, 10) for (1, 11)"),
        (lambda logits: logits.softmax(-1)[0], "of shape (11,)"),
        (lambda logits: logits.argmax(-1), "torch.int64"),
        (lambda logits: None, "found NoneType"),
        (lambda logits: torch.full_like(logits, 1 / V), "some on ids that must not be drawn"),
    ],
)
def test_a_sampler_that_returns_garbage_is_refused(fakes, cpu, answer, found):
    model = model_of(fakes, "Uniform")
    if found.startswith("some on"):
        with raises_code("not-a-distribution"):
            tokens_of(model, cpu, Returns(answer), n_allowed=V - 1)
        return
    finite = Returns(lambda logits: answer(torch.zeros_like(logits)))
    with raises_code("not-a-distribution") as caught:
        tokens_of(model, cpu, finite)
    assert found in caught.value.message and "--sampler" in caught.value.hint


def text_model(fakes, after=None):
    """Return a model of bytes that says the bytes of a text, in turn, whatever it reads."""
    model = model_of(fakes, vocab_size=257 + 3)
    said = iter([*after, 256]) if after is not None else None
    if said is not None:
        model.logits = lambda features: torch.nn.functional.one_hot(torch.tensor([next(said)]), 260).float() * 1000
    return model


@pytest.mark.parametrize("text", ["héllo 😀!", "plain", "", "😀é"])
def test_streamed_pieces_make_the_text(fakes, cpu, text):
    for data in (text.encode(), text.encode()[:-1], text.encode() + b"\xff\xc3"):
        pieces: list[tuple[int, str]] = []
        tell = lambda *heard, pieces=pieces: pieces.append(heard)  # noqa: E731
        (sample,) = generate(text_model(fakes, data), cpu, fakes.ByteLike(), Draw(), "p", max_tokens=40, on_token=tell)
        assert sample.text == data.decode(errors="replace") == "".join(piece for _, piece in pieces)
        assert list(sample.tokens) == list(data) and sample.prompt == "p"


def test_a_prompt_is_plain_text(fakes, cpu):
    model, read = text_model(fakes), []
    forward = model.forward
    model.forward = lambda inputs, state=None, segments=None: (
        read.append(inputs[0].tolist()) or forward(inputs, state, segments)
    )
    generate(model, cpu, fakes.ByteLike(), Draw(), "<|endoftext|>", max_tokens=1)
    assert read[0] == [256, *b"<|endoftext|>"]
    generate(model, cpu, fakes.ByteLike(), Draw(), "", max_tokens=1)
    assert read[1] == [256]


def test_ids_beyond_the_tokenizers_are_never_drawn(fakes, cpu):
    model = text_model(fakes)
    with torch.no_grad():
        model.head.bias[257:] = 1000.0
    for sample in generate(model, cpu, fakes.ByteLike(), Draw(), "x", max_tokens=8, samples=4):
        assert max(sample.tokens, default=0) < 257


def test_dropout_is_off(fakes, cpu):
    model = model_of(fakes, "Tiny", dropout=0.9)
    model.train()
    assert tokens_of(model, cpu, Greedy(), samples=2)[0] == tokens_of(model, cpu, Greedy(), samples=2)[1]
