"""Shards of what builders make of records: learn-masks, special tokens, sources and the places of documents."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pentad import (
    Document,
    ExampleBuilder,
    Implementation,
    Span,
    SpecialToken,
    UsageError,
    Vocabulary,
    option,
)
from pentad.data import shards
from pentad.data.corpus import open_corpus
from pentad.data.pieces import PIECE_CHARACTERS, Piece, cut
from pentad.data.rendering import Rendering, encode_all
from pentad.data.shards import sample, tokenize_split
from pentad.data.split import split_corpus
from pentad.registry.catalogue import Catalogue
from pentad.registry.offers import Offer
from pentad.testing import raises_code

END = 256


class Plain(ExampleBuilder):
    def __init__(self, context_length=8):
        self.context_length = context_length

    def count(self, tokens):
        return len(tokens) - 1

    def build(self, tokens, indices, seed):
        raise NotImplementedError


class Masked(Plain):
    special_tokens = (SpecialToken(name="mask"),)


class Chat(Plain):
    """A turn is the token of its speaker, its text and the token of its end; the answers are learned, and their ends."""

    special_tokens = tuple(SpecialToken(name=name) for name in ("user", "assistant", "end_of_turn"))

    def render(self, record):
        if isinstance(record, str):
            return [Document.of(record)]
        if "messages" not in record:
            raise UsageError("This builder reads messages.", "Give it a chat.", code="document-format")
        spans = []
        for turn in record["messages"]:
            learn = turn["role"] == "assistant"
            spans += [
                Span(special=turn["role"], learn=False),
                Span(turn["content"], learn),
                Span(special="end_of_turn", learn=learn),
            ]
        return [Document(tuple(spans), learn_end=False)]


@dataclass(frozen=True, kw_only=True)
class Options:
    style: str = option("short", "How it is rendered.")


def offer(version="1") -> Offer:
    record = Implementation(name="chat", summary="", factory=Chat, options=Options)
    return Offer(kind="builder", name="chat", record=record, distribution="acme", version=version)


class Given:
    def __init__(self, *pieces):
        self.given = pieces

    def pieces(self):
        return iter(self.given)


def chat(*turns) -> Piece:
    messages = [{"role": role, "content": content} for role, content in zip(itertools.cycle(["user", "assistant"]), turns)]
    return Piece("\n".join(turns), True, {"messages": messages})


def text(document: str, source: int = 0) -> list[Piece]:
    return [piece._replace(source=source) for piece in cut([document], 8)]


@pytest.fixture
def shard_of(fakes, tmp_path):
    """Return a function that writes and opens the shard of some pieces for a builder."""

    def make(pieces, builder=None, name="chat", tokenizer=None):
        rendering = Rendering.of(builder or Plain(), offer(name), Options())
        part = split_corpus(Given(*pieces), 0).train
        return tokenize_split(part, tokenizer or Batched(fakes.ByteLike()), "bytes", tmp_path, rendering=rendering)

    return make


class Batched:
    """The fake tokenizer, with what core asks of one when it encodes a text."""

    lossless = True

    def __init__(self, inner, vocab_size=257):
        self.inner, self.vocab_size, self.end_of_text, self.texts = inner, vocab_size, inner.end_of_text, []

    def encode_batch(self, texts):
        self.texts += texts
        return [self.inner.encode(text) for text in texts]

    def decode(self, tokens):
        return self.inner.decode(tokens)


def test_a_chat_is_special_tokens_and_text_of_which_the_answers_are_learned(shard_of):
    shard = shard_of([chat("é?", "4")], Chat())
    user, assistant, end_of_turn = 257, 258, 259
    assert shard.tokens.ids.tolist() == [END, user, *"é?".encode(), end_of_turn, assistant, ord("4"), end_of_turn, END]
    assert shard.tokens.learn is not None and shard.tokens.learn.dtype == np.bool_
    assert shard.tokens.learn.astype(int).tolist() == [1, 0, 0, 0, 0, 0, 0, 1, 1, 0]
    assert shard.tokens.starts.tolist() == [0, 9]
    assert (shard.n_bytes, shard.n_documents) == (1, 1)


def test_the_spelling_of_a_special_token_is_text(shard_of):
    shard = shard_of([chat("<|assistant|>", "<|endoftext|>")], Chat())
    special = shard.tokens.ids >= 257
    assert special.sum() == 4 and (shard.tokens.ids == END).sum() == 2


def test_starts_are_right_where_documents_are_packed_over_batches(shard_of, monkeypatch):
    monkeypatch.setattr(shards, "BATCH_PIECES", 3)
    pieces = [*text("some plain text that is cut"), chat("a", "b"), *text("more"), chat("c", "d", "e"), chat("f")]
    tokens = shard_of(pieces, Chat()).tokens
    assert tokens.starts.tolist() == np.flatnonzero(tokens.ids == END).tolist()
    assert len(tokens.learn) == len(tokens.ids)
    plain = tokens.learn[: tokens.starts[1] + 1]
    assert plain.all()  # what stands before the first masked id, in an earlier batch
    assert (~tokens.learn).sum() == 5 + 8 + 4


def test_nothing_masked_is_no_mask(shard_of):
    tokens = shard_of(text("plain text alone"), Chat()).tokens
    assert tokens.learn is None and tokens.sources is None


def test_two_sources_are_numbered(shard_of, monkeypatch):
    monkeypatch.setattr(shards, "BATCH_PIECES", 2)
    pieces = [*text("one, in several pieces"), *text("two"), *text("three", 1), chat("a", "b")._replace(source=1)]
    for builder in (Plain(), Chat()):
        sources = shard_of(pieces, builder).tokens.sources
        assert sources.dtype == np.int64 and sources.tolist() == [0, 0, 1, 1]


def test_sources_are_the_arguments_of_data(tmp_path, fakes):
    for name in ("folder/a.txt", "folder/b.txt", "c.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    catalogue = Catalogue(entry_points=[])
    prints = set()
    for names, expected in ((["folder", "c.txt"], [0, 0, 1]), (["folder/*.txt", "folder", "c.txt"], [0, 0, 2])):
        part = split_corpus(open_corpus([str(tmp_path / name) for name in names], catalogue), 0).train
        shard = tokenize_split(part, Batched(fakes.ByteLike()), "bytes", tmp_path / "cache")
        assert shard.tokens.sources.tolist() == expected
        prints.add(shard.fingerprint)
    assert len(prints) == 2


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    turns=st.lists(st.lists(st.text("abé😀 \n", min_size=1, max_size=20), min_size=1, max_size=4), min_size=1, max_size=6),
    batch=st.integers(1, 5),
)
def test_decoding_each_document_by_its_start_gives_its_turns(shard_of, monkeypatch, fakes, turns, batch):
    monkeypatch.setattr(shards, "BATCH_PIECES", batch)
    shard = shard_of([chat(*each) for each in turns], Chat())
    ids, starts, learn = shard.tokens.ids, shard.tokens.starts, shard.tokens.learn
    decode, answers = fakes.ByteLike().decode, 0
    for each, (start, end) in zip(turns, itertools.pairwise(starts), strict=True):
        document = ids[start + 1 : end]
        ends = np.flatnonzero(document == 259)
        parts = [part for part in np.split(document, ends + 1) if len(part)]
        assert [decode(part[1:-1]) for part in parts] == each
        assert [int(part[0]) - 257 for part in parts] == [number % 2 for number in range(len(each))]
        answers += sum(len(turn.encode()) + 1 for turn in each[1::2])
    assert learn[1:].sum() == answers
    assert shard.n_bytes == sum(len(turn.encode()) for each in turns for turn in each[1::2])


def test_records_are_plain_text_to_a_builder_that_renders_nothing(shard_of, fakes):
    shard = shard_of([chat("a", "é")])
    assert fakes.ByteLike().decode(shard.tokens.ids[1:-1]) == "a\né"
    assert (shard.n_bytes, shard.tokens.learn) == (4, None)


def test_the_shard_depends_on_the_rendering(shard_of, tmp_path):
    pieces = text("the same text")
    plain = shard_of(pieces).fingerprint
    assert shard_of(pieces, Plain(99), "2").fingerprint == plain  # shared by all that render nothing
    others = [shard_of(pieces, Masked()), shard_of(pieces, Chat()), shard_of(pieces, Chat(), "2"), shard_of(pieces, Chat(99))]
    assert len({plain, *(shard.fingerprint for shard in others)}) == 5
    other = Rendering.of(Chat(), offer("chat"), Options(style="long"))
    assert other.fingerprint != Rendering.of(Chat(), offer("chat"), Options()).fingerprint


def test_special_tokens_beyond_two_bytes_need_four(shard_of, fakes):
    for size, dtype in ((65533, np.uint16), (65534, np.uint32)):
        shard = shard_of([chat(f"{size}", "b")], Chat(), tokenizer=Batched(fakes.ByteLike(), size))
        assert shard.tokens.ids.dtype == dtype and shard.tokens.ids.max() == size + 2


def test_plain_text_reaches_an_overridden_render_whole(shard_of):
    seen = []

    class Watching(Plain):
        def render(self, record):
            seen.append(record)
            return [Document.of(record), Document.of("again")] if len(seen) == 1 else []

    shard = shard_of([*text("cut into many small pieces"), *text("dropped")], Watching())
    assert seen == ["cut into many small pieces", "dropped"]
    assert (shard.n_documents, len(shard.tokens.starts)) == (2, 3)


@pytest.mark.parametrize(
    "rendered",
    [
        lambda record: [Document((Span(special="nobody"),))],
        lambda record: [Document((Span("a", special="user"),))],
        lambda record: record["gone"],
        lambda record: ["text"],
    ],
)
def test_a_render_that_is_wrong_is_the_builders_fault(shard_of, tmp_path, rendered):
    class Wrong(Chat):
        def render(self, record):
            return rendered(record)

    with raises_code("plugin-contract"):
        shard_of(text("a"), Wrong())
    assert not list(tmp_path.rglob("*.bin"))


def test_a_record_that_a_builder_cannot_use_is_the_users_to_mend(shard_of):
    with raises_code("document-format"):
        shard_of([Piece("a\nb", True, {"prompt": "a", "completion": "b"})], Chat())


def test_text_may_not_become_a_special_id(shard_of, fakes):
    class Sly(Batched):
        def encode_batch(self, texts):
            return [np.array([257], dtype=np.uint32) for _ in texts]

    with raises_code("plugin-contract"):
        shard_of([chat("a")], Chat(), tokenizer=Sly(fakes.ByteLike()))


@pytest.mark.parametrize("builder", [Plain(), Chat()])
def test_no_text_is_longer_than_a_piece_to_the_tokenizer(shard_of, fakes, builder):
    tokenizer = Batched(fakes.ByteLike())
    long = chat("a b " * (PIECE_CHARACTERS // 2), "c")
    shard = shard_of([long], builder, tokenizer=tokenizer)
    assert max(map(len, tokenizer.texts)) <= PIECE_CHARACTERS
    assert shard.n_documents == 1
    part = split_corpus(Given(long), 0).train
    texts = list(sample(part, 10 * PIECE_CHARACTERS))
    assert "".join(texts) == long.text and max(map(len, texts)) <= PIECE_CHARACTERS


def test_a_text_of_many_tiny_documents_is_written_fast(shard_of):
    pieces = [Piece(str(number), True) for number in range(100_000)]
    start = time.process_time()
    shard = shard_of(pieces)
    assert len(shard.tokens.starts) == 100_001
    assert time.process_time() - start < 10  # 1 s where it was written


def test_encoding_in_memory_is_what_the_shard_holds(shard_of, fakes):
    pieces = [*text("some plain text"), chat("a", "b")._replace(source=1)]
    shard = shard_of(pieces, Chat()).tokens
    memory = encode_all(pieces, Batched(fakes.ByteLike()), Rendering.of(Chat()))
    for name in ("ids", "starts", "learn", "sources"):
        assert getattr(memory, name).tolist() == getattr(shard, name).tolist()
    empty = encode_all([], Batched(fakes.ByteLike()))
    assert (empty.ids.tolist(), empty.starts.tolist(), empty.learn, empty.sources) == ([END], [0], None, None)
    assert Vocabulary.of(Batched(fakes.ByteLike()), Chat.special_tokens).id("end_of_turn") == 259


def test_what_a_tokenizer_loses_of_the_learned_text_is_counted(shard_of, fakes):
    class Ascii(Batched):
        lossless = False

        def encode_batch(self, texts):
            return [self.inner.encode("".join(filter(str.isascii, text))) for text in texts]

        def token_bytes(self, token):
            return self.inner.token_bytes(token)

    asked = shard_of([chat("é?", "4é")], Chat(), tokenizer=Ascii(fakes.ByteLike()))
    assert (asked.n_bytes, asked.lost_bytes) == (3, 2)
    assert shard_of([chat("é", "4é")], Chat()).lost_bytes == 0  # another text, as the cache goes by text and fingerprint
    plain = shard_of([chat("é?", "4é")], Plain(), tokenizer=Ascii(fakes.ByteLike()))
    assert plain.lost_bytes == 4
