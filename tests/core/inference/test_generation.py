"""Generation: drawn by core, each sequence by itself, whatever the sampler or the context does."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pentad import EngineError, Sampler, Session, TextScore, tempered_softmax
from pentad.contracts.batch import Tokens
from pentad.contracts.sampler import Chain
from pentad.contracts.session import Decoder, Limits, TokenEvent
from pentad.contracts.vocabulary import SpecialToken, Vocabulary
from pentad.inference.answering import answer, questions
from pentad.inference.generation import generate
from pentad.inference.session import ModelSession
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


class Ids:
    """A tokenizer of a few ids that stand for letters."""

    def __init__(self, vocab_size, end_of_text):
        self.vocab_size, self.end_of_text = vocab_size, end_of_text

    def token_bytes(self, token):
        return bytes([97 + token])

    def decode(self, tokens):
        return b"".join(map(self.token_bytes, tokens)).decode()


def session_of(model, cpu, n_allowed=V, end_of_text=END):
    special = tuple(SpecialToken(name=f"extra{number}") for number in range(model.vocab_size - n_allowed))
    vocabulary = Vocabulary(tokenizer_size=n_allowed, end_of_text=end_of_text, special=special)
    return ModelSession(model, cpu, Ids(n_allowed, end_of_text), vocabulary)


def events_of(model, cpu, sampler=None, prompt=(0, 3, 5), n_allowed=V, end_of_text=END, **limits):
    session = session_of(model, cpu, n_allowed, end_of_text)
    return session.generate(torch.tensor(prompt), sampler or Draw(), Limits(**{"max_tokens": 12, **limits}))


def tokens_of(model, cpu, sampler=None, *, samples=1, **kwargs):
    sequences = [[] for _ in range(samples)]
    for event in events_of(model, cpu, sampler, samples=samples, **kwargs):
        if event.ended != "stop":
            sequences[event.sequence].append(event.token)
    return sequences


def test_greedy_is_the_argmax_of_the_full_forward(fakes, cpu):
    model = model_of(fakes, bias={END: -100.0})
    (found,) = tokens_of(model, cpu, Greedy())
    expected = [0, 3, 5]
    for _ in range(12):
        expected.append(int(model.logits(model(torch.tensor([expected])).features)[0, -1].argmax()))
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
    model = model_of(fakes, bias={END: 1.0})
    found = tokens_of(model, cpu, samples=8, max_tokens=30)
    assert len({len(sequence) for sequence in found}) > 2
    assert END not in np.concatenate(found)
    ends = {event.sequence: event.ended for event in events_of(model, cpu, samples=8, max_tokens=30) if event.ended}
    assert ends == {which: "length" if len(sequence) == 30 else "stop" for which, sequence in enumerate(found)}
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


def text_session(model, cpu, fakes):
    tokenizer = fakes.ByteLike()
    special = tuple(SpecialToken(name=name) for name in ("a", "b", "c"))
    return ModelSession(model, cpu, tokenizer, Vocabulary.of(tokenizer, special))


@pytest.mark.parametrize("text", ["héllo 😀!", "plain", "", "😀é"])
def test_streamed_pieces_make_the_text(fakes, cpu, text):
    for data in (text.encode(), text.encode()[:-1], text.encode() + b"\xff\xc3"):
        pieces: list[tuple[int, str]] = []
        tell = lambda *heard, pieces=pieces: pieces.append(heard)  # noqa: E731
        session = text_session(text_model(fakes, data), cpu, fakes)
        (sample,) = generate(session, Draw(), "p", Limits(max_tokens=40), on_token=tell)
        assert sample.text == data.decode(errors="replace") == "".join(piece for _, piece in pieces)
        assert list(sample.tokens) == list(data) and sample.prompt == "p"


def test_a_prompt_is_plain_text(fakes, cpu):
    model, read = text_model(fakes), []
    forward = model.forward
    model.forward = lambda inputs, state=None, segments=None: (
        read.append(inputs[0].tolist()) or forward(inputs, state, segments)
    )
    generate(text_session(model, cpu, fakes), Draw(), "<|endoftext|>", Limits(max_tokens=1))
    assert read[0] == [256, *b"<|endoftext|>"]
    generate(text_session(model, cpu, fakes), Draw(), "", Limits(max_tokens=1))
    assert read[1] == [256]


def test_ids_beyond_the_tokenizers_are_never_drawn(fakes, cpu):
    model = text_model(fakes)
    with torch.no_grad():
        model.head.bias[257:] = 1000.0
    for sample in generate(text_session(model, cpu, fakes), Draw(), "x", Limits(max_tokens=8, samples=4)):
        assert max(sample.tokens, default=0) < 257


def test_dropout_is_off(fakes, cpu):
    model = model_of(fakes, "Tiny", dropout=0.9)
    model.train()
    assert tokens_of(model, cpu, Greedy(), samples=2)[0] == tokens_of(model, cpu, Greedy(), samples=2)[1]


class Selects:
    """The summed state of `Summing`, which can be selected and truncated."""

    def __init__(self, history):
        self.history = history  # (B, T, D) the sum after each token

    def select(self, rows):
        return Selects(self.history[rows])

    def truncate(self, length):
        return Selects(self.history[:, :length])


def with_state(model):
    """Give `Summing` a state that offers `select` and `truncate`."""
    plain = model.forward

    def forward(inputs, state=None, segments=None):
        if state is None:
            return plain(inputs, None, segments)
        before = state.history[:, -1:] if state.history.shape[1] else torch.zeros(len(inputs), 1, state.history.shape[2])
        summed = model.embedding(inputs).cumsum(dim=1) + before
        history = torch.cat([state.history, summed], dim=1)
        return type(plain(inputs))(torch.tanh(summed), Selects(history))

    model.forward = forward
    model.initial_state = lambda batch_size, max_length: Selects(torch.zeros(batch_size, 0, model.embedding.embedding_dim))
    return model


@pytest.mark.parametrize("offered", [True, False])
def test_select_and_truncate_are_a_fresh_prefill(fakes, cpu, offered):
    model = model_of(fakes)
    session, fresh = session_of(with_state(model_of(fakes)) if offered else model, cpu), session_of(model, cpu)
    session.prefill(torch.tensor([[1, 2, 3], [4, 5, 6]]))
    session.extend(torch.tensor([7, 8]))
    session.select(torch.tensor([1, 1, 0]))
    assert session.tokens.tolist() == [[4, 5, 6, 8], [4, 5, 6, 8], [1, 2, 3, 7]]
    found = session.extend(torch.tensor([2, 9, 3]))
    torch.testing.assert_close(found, fresh.prefill(torch.tensor([[4, 5, 6, 8, 2], [4, 5, 6, 8, 9], [1, 2, 3, 7, 3]])))
    session.truncate(2)
    found = session.extend(torch.tensor([1, 1, 1]))
    torch.testing.assert_close(found, fresh.prefill(torch.tensor([[4, 5, 1], [4, 5, 1], [1, 2, 1]])))


@pytest.mark.parametrize("offered", [True, False])
def test_a_prompt_is_read_once_for_all_samples_where_the_state_can_be_repeated(fakes, cpu, offered):
    model, read = model_of(fakes, bias={END: -100.0}), []
    model = with_state(model) if offered else model
    forward = model.forward
    model.forward = lambda inputs, state=None, segments=None: (
        read.append(tuple(inputs.shape)) or forward(inputs, state, segments)
    )
    many = tokens_of(model, cpu, samples=4, seed=3)
    assert read[:2] == [(1 if offered else 4, 3), (4, 1)]
    assert many == tokens_of(model_of(fakes, bias={END: -100.0}), cpu, samples=4, seed=3)


def test_closing_the_iterator_stops(fakes, cpu):
    model, calls = model_of(fakes, bias={END: -100.0}), []
    forward = model.forward
    model.forward = lambda inputs, state=None, segments=None: calls.append(1) or forward(inputs, state, segments)
    events = events_of(model, cpu, max_tokens=1000)
    next(events)
    events.close()
    assert len(calls) == 1


def test_events_have_log_probabilities_and_alternatives_on_request(fakes, cpu):
    model = model_of(fakes)
    (event, *_) = events_of(model, cpu, Greedy(), alternatives=3)
    expected = model.logits(model(torch.tensor([[0, 3, 5]])).features)[0, -1].log_softmax(-1)
    assert [token for token, _ in event.alternatives] == expected.topk(3).indices.tolist()
    assert event.logprob == pytest.approx(float(expected.max()), abs=1e-6)
    assert np.isnan(next(events_of(model, cpu)).logprob)


class Keeps(Sampler):
    """Allows an even token after an odd number of draws and an odd one after an even number: a state per sequence."""

    def probabilities(self, logits, tokens):
        return self.constrained(logits, tokens, self.start(tokens))

    def start(self, tokens):
        return [0] * len(tokens)

    def constrained(self, logits, tokens, state):
        allowed = torch.tensor([[token % 2 == drawn % 2 for token in range(logits.shape[1])] for drawn in state])
        return logits.masked_fill(~allowed, float("-inf")).softmax(dim=-1)

    def advance(self, state, drawn):
        return [number + 1 for number in state]


def test_a_sampler_keeps_a_state_also_in_a_chain(fakes, cpu):
    model = model_of(fakes, bias={END: -100.0})
    for sampler in (Keeps(), Chain((Keeps(), Draw())), Chain((Keeps(), Greedy()))):
        for sequence in tokens_of(model, cpu, sampler, samples=3):
            assert [token % 2 for token in sequence] == [number % 2 for number in range(12)]


class Zigzag(Decoder):
    """Says the tokens 1 and 2 in turn, and asks the session for their logits."""

    def decode(self, session, prompt, limits):
        session.prefill(prompt[None])
        for number in range(limits.max_tokens):
            token = 1 + number % 2
            session.extend(torch.tensor([token]))
            ended = "length" if number + 1 == limits.max_tokens else ""
            yield TokenEvent(sequence=0, token=token, text="", logprob=0.0, ended=ended)


def test_a_decoder_drives_the_session(fakes, cpu):
    assert tokens_of(model_of(fakes), cpu, Zigzag(), max_tokens=5) == [[1, 2, 1, 2, 1]]


def test_a_bidirectional_model_neither_generates_nor_scores(fakes, cpu):
    model = model_of(fakes)
    model.causal = False
    with pytest.raises(EngineError) as caught:
        tokens_of(model, cpu)
    assert caught.value.code == "not-causal"
    with pytest.raises(EngineError) as caught:
        session_of(model, cpu).score_tokens(torch.tensor([0, 1, 2]))
    assert caught.value.code == "not-causal"


@pytest.mark.parametrize("context_length", [None, 4, 6, 50])
def test_a_text_is_scored_token_by_token(fakes, cpu, context_length):
    model = text_model(fakes)
    model.context_length = context_length
    session = text_session(model, cpu, fakes)
    assert isinstance(session, Session)
    score = session.score("and more text", prompt="some text ")
    assert isinstance(score, TextScore)
    assert (score.n_bytes, score.n_tokens) == (13, 13)
    ids = torch.tensor([256, *b"some text ", *b"and more text"])
    if context_length is None or context_length >= 24:
        logits = model.logits(model(ids[None, :-1]).features)[0].log_softmax(-1)
        nats = -sum(float(logits[at - 1, ids[at]]) for at in range(11, len(ids)))
        assert score.nats == pytest.approx(nats, rel=1e-5)
    assert session.score("", prompt="some").nats == 0.0


def test_no_sequence_ends_before_its_minimum(fakes, cpu):
    model = model_of(fakes, bias={END: 8.0})  # wants to end at once
    assert tokens_of(model, cpu, samples=4) == [[]] * 4
    for sequence in tokens_of(model, cpu, samples=4, min_tokens=5):
        assert len(sequence) >= 5 and END not in sequence


def test_the_end_can_be_ignored(fakes, cpu):
    model = model_of(fakes, bias={END: 8.0})
    ends = {event.sequence: event.ended for event in events_of(model, cpu, samples=3, ignore_end=True) if event.ended}
    assert ends == dict.fromkeys(range(3), "length")


def test_a_stop_text_ends_what_is_written(fakes, cpu):
    session = text_session(text_model(fakes, b"one two three"), cpu, fakes)
    (cut,) = generate(session, Draw(), "", Limits(max_tokens=40, stop=("nothing", " t")))
    assert (cut.text, cut.ended) == ("one", "text")
    session = text_session(text_model(fakes, b"one two three"), cpu, fakes)
    (whole,) = generate(session, Draw(), "", Limits(max_tokens=13, stop=("threes",)))
    assert (whole.text, whole.ended) == ("one two three", "length")


def test_questions_are_what_stands_before_an_answer():
    ids = np.array([END, 1, 2, 9, 3, END, 1, 2, 9, 4, END, 5, 9, 6, END], np.uint16)
    learn = np.array([1, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0], bool)
    tokens = Tokens(ids=ids, starts=np.flatnonzero(ids == END), learn=learn)
    assert questions(tokens, 5) == [[END, 1, 2, 9], [END, 5, 9]]  # the same prompt once
    assert len(questions(tokens, 1)) == 1
    assert questions(Tokens(ids=ids, starts=tokens.starts), 5) == []  # all of it is learned
    assert questions(Tokens(ids=ids[:1], starts=tokens.starts[:1], learn=learn[:1]), 5) == []


def test_questions_are_answered_and_spelled_out(fakes, cpu):
    session = session_of(model_of(fakes), cpu, n_allowed=V - 1)
    special = V - 1
    found = answer(session, Greedy(), [[END, 1, special, 2], [END, 3]], Limits(max_tokens=4))
    assert [sample.prompt for sample in found] == ["b<|extra0|>c", "d"]
    assert [sample.index for sample in found] == [0, 1]
    alone = generate(session, Greedy(), "", Limits(max_tokens=4), ids=torch.tensor([END, 3]))
    assert found[1].tokens == alone[0].tokens
