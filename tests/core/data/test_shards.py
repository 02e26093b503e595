"""Token shards and trained tokenizers: whole, equal to the text, made once, in bounded memory."""

from __future__ import annotations

import errno
import json
import shutil
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pentad import END_OF_TEXT, Implementation, Tokenizer, option
from pentad.data import shards
from pentad.data.pieces import cut
from pentad.data.shards import sample, tokenize_split, tokenizer_fingerprint, trained_tokenizer
from pentad.data.split import split_corpus
from pentad.registry.offers import Offer
from pentad.testing import raises_code


class Text:
    def __init__(self, documents, size=8):
        self.documents, self.size = list(documents), size

    def pieces(self):
        for document in self.documents:
            yield from cut([document], self.size)


@dataclass(frozen=True, kw_only=True)
class ByteOptions:
    offset: int = option(1, "Added to each byte.", ge=1)
    most: int | None = option(None, "Maximum bytes to train on.", ge=1)


class Bytes(Tokenizer):
    """Byte + offset; id 0 ends a text. What it was trained on is saved, so that tests can look at it."""

    def __init__(self, options: ByteOptions, vocab_size: int = 257) -> None:
        self.offset, self.size = options.offset, vocab_size
        self.sample_bytes = options.most
        self.seen: list[str] = []

    @property
    def vocab_size(self):
        return self.size

    @property
    def special_tokens(self):
        return {END_OF_TEXT: 0}

    def train(self, texts):
        self.seen = list(texts)

    def encode(self, text):
        return np.frombuffer(text.encode(), dtype=np.uint8).astype(np.uint32) + self.offset

    def token_bytes(self, token):
        return bytes([token - self.offset]) if token else b""

    def save(self, folder):
        (folder / "seen.json").write_text(json.dumps(self.seen))

    def load(self, folder):
        self.seen = json.loads((folder / "seen.json").read_text())


BYTES = Implementation(name="bytes", summary="", factory=Bytes, options=ByteOptions)


def offer(version: str = "1") -> Offer[Implementation]:
    return Offer(kind="tokenizer", name="bytes", record=BYTES, distribution="acme", version=version)


def train_part(documents, size=8):
    return split_corpus(Text(documents, size), 0).train


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(documents=st.lists(st.text("abé😀 \n", min_size=1, max_size=30), min_size=1, max_size=8), size=st.integers(2, 40))
def test_a_shard_is_the_text(tmp_path, documents, size):
    shard = tokenize_split(train_part(documents, size), Bytes(ByteOptions()), "bytes", tmp_path)
    assert shard.tokens.ids.dtype == np.uint16 and not shard.tokens.ids.flags.writeable
    assert shard.tokens.learn is None and shard.tokens.sources is None
    ends = np.flatnonzero(shard.tokens.ids == 0)
    assert shard.tokens.starts.dtype == np.int64 and shard.tokens.starts.tolist() == ends.tolist()
    assert ends[0] == 0 and ends[-1] == shard.n_tokens - 1
    parts = [bytes((part[1:] - 1).astype(np.uint8)).decode() for part in np.split(shard.tokens.ids, ends[1:])[:-1]]
    assert parts == documents
    assert (shard.n_bytes, shard.n_documents) == (len("".join(documents).encode()), len(documents))


def test_a_large_vocabulary_needs_four_bytes(tmp_path):
    for size, dtype in ((1 << 16, np.uint16), ((1 << 16) + 1, np.uint32)):
        tokenizer = Bytes(ByteOptions(offset=size - 256), size)
        shard = tokenize_split(train_part(["\x7fÿ"]), tokenizer, f"bytes-{size}", tmp_path)
        assert shard.tokens.ids.dtype == dtype
        assert tokenizer.decode(shard.tokens.ids) == "\x7fÿ"


def test_an_empty_part_is_one_end_of_text(tmp_path):
    shard = tokenize_split(split_corpus(Text(["a b c"]), 0).held_out, Bytes(ByteOptions()), "bytes", tmp_path)
    assert (shard.tokens.ids.tolist(), shard.n_bytes, shard.n_documents) == ([0], 0, 0)


def test_an_id_beyond_the_vocabulary_is_refused(tmp_path):
    with raises_code("plugin-contract"):
        tokenize_split(train_part(["z"]), Bytes(ByteOptions(), 100), "bytes", tmp_path)
    assert not list((tmp_path / "shards").glob("*.part"))


def test_progress_ends_at_the_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "BATCH_CHARACTERS", 16)
    told = []
    part = train_part(["é b c d " * 20, "b"])
    tokenize_split(part, Bytes(ByteOptions()), "bytes", tmp_path, lambda done, total: told.append((done, total)))
    assert len(told) > 5 and told == sorted(told)
    assert told[-1] == (part.n_bytes, part.n_bytes)


class Unused(Bytes):
    def encode(self, text):
        raise AssertionError("must not be encoded again")


def test_a_shard_is_used_again_and_rebuilt_when_damaged(tmp_path):
    part = train_part(["some text", "more"])
    first = tokenize_split(part, Bytes(ByteOptions()), "bytes", tmp_path)
    again = tokenize_split(part, Unused(ByteOptions()), "bytes", tmp_path)
    assert again.tokens.ids.tolist() == first.tokens.ids.tolist() and again.fingerprint == first.fingerprint
    for name in ("ids.bin", "starts.bin"):
        (file,) = tmp_path.rglob(name)
        for damaged in (file.read_bytes()[:-2], b"\1" + file.read_bytes()[1:], b""):
            expected = first.tokens.ids.tolist(), first.tokens.starts.tolist()
            file.write_bytes(damaged) if damaged else file.unlink()
            first = tokenize_split(part, Bytes(ByteOptions()), "bytes", tmp_path)
            assert (first.tokens.ids.tolist(), first.tokens.starts.tolist()) == expected


def test_another_text_or_tokenizer_gives_another_shard(tmp_path):
    prints = {
        tokenize_split(train_part([text]), Bytes(ByteOptions()), name, tmp_path).fingerprint
        for text in ("one", "two")
        for name in ("a", "b")
    }
    assert len(prints) == 4


class Halves(Bytes):
    """Bytes, in training text each of them as one of two ids."""

    random_cuts = True

    def encode_randomly(self, text, source):
        ids = self.encode(text)
        return (ids + 256 * source.integers(2, size=len(ids))).astype(np.uint32)

    def token_bytes(self, token):
        return super().token_bytes((token - 1) % 256 + 1 if token else 0)


def halves(part, cache, seed):
    return tokenize_split(part, Halves(ByteOptions(), 513), "halves", cache, seed=seed).tokens.ids.tolist()


def test_training_text_is_cut_at_random_by_the_seed_and_the_place_of_the_text(tmp_path):
    part = train_part(["same text", "same text", "another"])
    ids = halves(part, tmp_path, 3)
    _, first, second, _, _ = np.split(ids, np.flatnonzero(np.array(ids) == 0))
    assert first.tolist() != second.tolist()
    assert Halves(ByteOptions(), 513).decode_bytes(ids) == b"same textsame textanother"
    assert halves(part, tmp_path / "elsewhere", 3) == ids
    assert halves(part, tmp_path, 4) != ids
    assert halves(part, tmp_path, 3) == ids
    assert max(halves(part, tmp_path, None)) <= 256


@pytest.mark.parametrize(("characters", "pieces"), [(1, 1 << 15), (20, 1 << 15), (1 << 20, 3)])
def test_random_cuts_do_not_depend_on_how_many_texts_are_encoded_at_once(tmp_path, monkeypatch, characters, pieces):
    part = train_part(["a text of some length", "b", "c d e", "more of it " * 9])
    expected = halves(part, tmp_path / "at once", 0)
    monkeypatch.setattr(shards, "BATCH_CHARACTERS", characters)
    monkeypatch.setattr(shards, "BATCH_PIECES", pieces)
    assert halves(part, tmp_path / "in parts", 0) == expected


def test_without_random_cuts_all_seeds_share_a_shard(tmp_path):
    part = train_part(["some text"])
    prints = {tokenize_split(part, Bytes(ByteOptions()), "b", tmp_path, seed=seed).fingerprint for seed in (None, 0, 1)}
    assert len(prints) == 1


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path, monkeypatch):
    def full(files, encoded):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shards._Files, "append", full)
    with raises_code("disk-full") as caught:
        tokenize_split(train_part(["text"]), Bytes(ByteOptions()), "bytes", tmp_path)
    assert "PENTAD_CACHE" in caught.value.hint
    assert [path.suffix for path in (tmp_path / "shards").iterdir()] == [".lock"]


def test_text_that_changes_while_it_is_encoded_leaves_nothing(tmp_path):
    corpus = Text(["one two", "three"])
    part = split_corpus(corpus, 0).train
    corpus.documents = ["one two", "four"]
    with raises_code("text-changed"):
        tokenize_split(part, Bytes(ByteOptions()), "bytes", tmp_path)
    assert not list(tmp_path.rglob("*.bin"))


@pytest.mark.parametrize(("most", "least"), [(100, 80), (400, 380), (None, 480)])
def test_a_tokenizer_is_given_as_much_text_as_it_wants(tmp_path, most, least):
    split = split_corpus(Text([f"number {number:03}" for number in range(48)], 50), 0)
    tokenizer, _, _ = trained_tokenizer(offer(), ByteOptions(most=most), split, tmp_path)
    given = sum(len(text) for text in tokenizer.seen)
    assert least <= given <= (most or split.train.n_bytes)


def test_a_tokenizer_is_trained_once_on_the_training_part_alone(tmp_path):
    documents = [f"document {number}" for number in range(40)]
    split = split_corpus(Text(documents, 50), 0.2)
    tokenizer, folder, fingerprint = trained_tokenizer(offer(), ByteOptions(), split, tmp_path)
    assert isinstance(tokenizer, Bytes)
    held_out = [piece.text for piece in split.held_out.pieces()]
    assert held_out and not set(tokenizer.seen) & set(held_out)
    assert len(tokenizer.seen) == split.train.n_documents
    (kept,) = (tmp_path / "tokenizers").rglob("seen.json")
    stamp = kept.stat().st_mtime_ns
    again = trained_tokenizer(offer(), ByteOptions(), split, tmp_path)
    assert again[2] == fingerprint == tokenizer_fingerprint(offer(), ByteOptions(), again[1])
    assert kept.stat().st_mtime_ns == stamp
    shutil.rmtree(tmp_path / "tokenizers")
    assert (folder / "seen.json").read_bytes() == (again[1] / "seen.json").read_bytes()  # the cache is no longer needed
    others = [
        trained_tokenizer(offer("2"), ByteOptions(), split, tmp_path)[2],
        trained_tokenizer(offer(), ByteOptions(offset=2), split, tmp_path)[2],
        trained_tokenizer(offer(), ByteOptions(), split_corpus(Text(documents, 50), 0.3), tmp_path)[2],
    ]
    assert len({fingerprint, *others}) == 4


def test_a_tokenizer_whose_file_changed_is_trained_again(tmp_path, monkeypatch):
    split = split_corpus(Text(["one", "two"], 50), 0)
    for content, n_kept in (("a", 1), ("b", 2), ("a", 2)):
        monkeypatch.setattr(Bytes, "source_fingerprint", lambda self, content=content: content)
        trained_tokenizer(offer(), ByteOptions(), split, tmp_path)
        assert len(list((tmp_path / "tokenizers").rglob("seen.json"))) == n_kept


def test_a_sample_is_spread_evenly_and_bounded():
    part = train_part([f"word{number:04}" for number in range(1000)], 50)
    texts = list(sample(part, 800))
    assert sum(map(len, texts)) == 800
    gaps = np.diff([int(text[4:]) for text in texts])
    assert set(gaps.tolist()) == {10}
    assert list(sample(part, 800)) == texts
    assert len(list(sample(part, 8000))) == 1000


MEMORY = """
    import resource, sys
    from pathlib import Path
    import numpy as np
    from pentad.registry.catalogue import Catalogue
    from pentad.data.corpus import open_corpus
    from pentad.data.split import split_corpus
    from pentad.data.shards import tokenize_split
    from pentad import END_OF_TEXT

    class Words:
        vocab_size, end_of_text, lossless = 60_000, 1, True
        def encode_batch(self, texts):
            return [np.frombuffer(text.encode()[: len(text) // 4 * 4], dtype=np.uint32) % 50_000 + 2 for text in texts]

    def peak():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024  # MB

    before = peak()
    split = split_corpus(open_corpus([sys.argv[1]], Catalogue(entry_points=[])), 0.1)
    shard = tokenize_split(split.train, Words(), "words", Path(sys.argv[2]))
    print(split.train.n_bytes + split.held_out.n_bytes, shard.n_tokens, peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss counts in other units")
def test_memory_is_bounded(tmp_path):
    line = "All work and no play makes Jack a dull boy. " * 40 + "\n"
    n_bytes = 0
    with (tmp_path / "large.txt").open("w") as file:
        while n_bytes < 220_000_000:
            n_bytes += file.write(line * 1000)
    code = [sys.executable, "-c", textwrap.dedent(MEMORY), str(tmp_path / "large.txt"), str(tmp_path / "cache")]
    done = subprocess.run(code, capture_output=True, text=True, check=True, cwd=Path(__file__).parent)
    total, n_tokens, grown = map(int, done.stdout.split())
    assert total == n_bytes
    assert n_tokens > 45_000_000
    assert grown < 120, f"{grown} MB for a text of {n_bytes >> 20} MB"
