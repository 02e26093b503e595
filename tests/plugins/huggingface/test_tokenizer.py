"""Ids equal those of tokenizers, tiktoken and sentencepiece; nothing in a text becomes a control token."""

from __future__ import annotations

import io
import json

import pytest
import sentencepiece
import tokenizers
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

from pentad import END_OF_TEXT
from pentad.testing import raises_code
from pentad.testing.stages.tokenizer import NASTY, sample_texts
from pentad_bpe.options import BPEOptions
from pentad_bpe.tokenizer import BPE
from pentad_gpt2.tokenizer import GPT2
from pentad_gpt2.vocabulary import merges
from pentad_huggingface import probe
from pentad_huggingface.options import HuggingFaceOptions
from pentad_huggingface.tokenizer import HuggingFace

TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(" \n\t'sdl19ab\u2581"))
SPECIAL = ["<unk>", "<s>", "</s>"]


def opened(path, **options) -> HuggingFace:
    tokenizer = HuggingFace(HuggingFaceOptions(path=str(path), **options))
    tokenizer.train(iter(()))
    return tokenizer


def saved(tokenizer, folder):
    path = folder / "tokenizer.json"
    path.write_text(tokenizer.to_str(), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def piece_model() -> sentencepiece.SentencePieceProcessor:
    """A unigram model as T5's and Llama's are made: a space in front, spaces as U+2581, bytes for unknown characters."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sample_texts()),
        model_writer=model,
        model_type="unigram",
        vocab_size=500,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        minloglevel=3,
    )
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


@pytest.fixture(scope="module")
def unigram(piece_model, tmp_path_factory):
    """The same model as a tokenizer.json."""
    pieces = [(piece_model.id_to_piece(i), piece_model.get_score(i)) for i in range(piece_model.get_piece_size())]
    tokenizer = tokenizers.Tokenizer(models.Unigram(pieces, unk_id=0, byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=False)
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(prepend_scheme="always")])
    tokenizer.add_special_tokens(SPECIAL)
    return saved(tokenizer, tmp_path_factory.mktemp("unigram"))


@pytest.fixture(scope="module")
def word_pieces(tmp_path_factory):
    tokenizer = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(
        vocab_size=400, special_tokens=["[PAD]", "[UNK]", "[SEP]", "[MASK]"], show_progress=False
    )
    tokenizer.train_from_iterator(sample_texts(), trainer=trainer)
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=10)
    return saved(tokenizer, tmp_path_factory.mktemp("wordpiece"))


@pytest.fixture(scope="module")
def bytes_of_bpe(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bpe")
    bpe = BPE(BPEOptions(vocab_size=500))
    bpe.train(sample_texts())
    bpe.save(folder)
    return bpe, opened(folder)


@settings(max_examples=80, deadline=None)
@given(TEXT)
@example("a <|endoftext|> b")
def test_a_file_of_bpe_is_lossless_and_has_its_ids(bytes_of_bpe, text):
    bpe, tokenizer = bytes_of_bpe
    assert tokenizer.encode(text).tolist() == bpe.encode(text).tolist()
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.lossless
    assert tokenizer.end_of_text == bpe.end_of_text


def test_dropout_is_switched_off(bytes_of_bpe, tmp_path):
    bpe, _ = bytes_of_bpe
    bpe.save(tmp_path)
    path = tmp_path / "tokenizer.json"
    description = json.loads(path.read_text(encoding="utf-8"))
    description["model"]["dropout"] = 0.5
    path.write_text(json.dumps(description), encoding="utf-8")
    text = sample_texts()[0][:200]
    library = tokenizers.Tokenizer.from_file(str(path))
    assert len({tuple(library.encode(text).ids) for _ in range(5)}) > 1
    tokenizer = opened(path)
    for _ in range(5):
        assert tokenizer.encode(text).tolist() == bpe.encode(text).tolist()


def test_gpt2_has_the_ids_of_tiktoken(tmp_path):
    pairs = [tuple(line.split(" ")) for line in merges().split("\n")[1:-1]]
    alphabet = [*map(chr, range(33, 127)), *map(chr, range(161, 173)), *map(chr, range(174, 256)), *map(chr, range(256, 324))]
    vocabulary = {piece: token for token, piece in enumerate([*alphabet, *map("".join, pairs), END_OF_TEXT])}
    library = tokenizers.Tokenizer(models.BPE(vocabulary, pairs))
    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    library.decoder = decoders.ByteLevel()
    library.add_special_tokens([END_OF_TEXT])
    tokenizer, gpt2 = opened(saved(library, tmp_path)), GPT2(None)
    assert tokenizer.lossless
    assert (tokenizer.vocab_size, tokenizer.end_of_text) == (50257, 50256)
    for text in [*NASTY, *sample_texts()[:10], *probe.texts([])]:
        assert tokenizer.encode(text).tolist() == gpt2.encode(text).tolist()
    assert [tokenizer.token_bytes(token) for token in range(50257)] == [gpt2.token_bytes(token) for token in range(50257)]


@settings(max_examples=50, deadline=None)
@given(st.text("abcdehilmnorst ,.1é漢", max_size=60))
def test_a_unigram_file_has_the_ids_of_sentencepiece(unigram_tokenizer, piece_model, text):
    assert unigram_tokenizer.encode(f"a{text}").tolist() == piece_model.encode(f"a{text}")


@pytest.fixture(scope="module")
def unigram_tokenizer(unigram):
    return opened(unigram)


@pytest.fixture(scope="module")
def without_prefix(unigram):
    return opened(unigram, prefix_space=False)


def test_a_space_in_front_is_a_loss_that_is_found(unigram_tokenizer):
    assert not unigram_tokenizer.lossless
    assert unigram_tokenizer.decode(unigram_tokenizer.encode("a text")) == " a text"
    assert unigram_tokenizer.end_of_text == 2 and unigram_tokenizer.special_tokens == {END_OF_TEXT: 2, "<s>": 1}


@settings(max_examples=80, deadline=None)
@given(TEXT)
@example("\u2581")
@example(" \u2581 <s>\u2581\u2581 x")
@example("<s></s><unk> a<s>b")
@example("<unk>\u1234<unk>")
@example("<0x41> <0x4<0x42>")
def test_without_the_space_in_front_everything_comes_back(without_prefix, text):
    ids = without_prefix.encode(text)
    assert without_prefix.lossless
    assert without_prefix.decode(ids) == text
    assert not {0, 1, 2} & set(ids.tolist())


def test_the_library_itself_takes_control_tokens_from_texts(unigram):
    """What the tests above guard against: among a unigram's pieces are its control tokens."""
    library = tokenizers.Tokenizer.from_file(str(unigram))
    library.encode_special_tokens = True
    assert 1 in library.encode("a<s>b", add_special_tokens=False).ids


def test_word_pieces_have_the_ids_of_the_library_and_are_lossy(word_pieces):
    tokenizer = opened(word_pieces)
    library = tokenizers.Tokenizer.from_file(str(word_pieces))
    library.no_truncation()
    library.no_padding()
    library.encode_special_tokens = True
    assert not tokenizer.lossless
    for text in [*sample_texts()[:10], "The [MASK] model, reads. [UNK]", "x" * 200]:
        ids = tokenizer.encode(text).tolist()
        assert ids == library.encode(text, add_special_tokens=False).ids
    assert tokenizer.special_tokens == {END_OF_TEXT: 2, "[PAD]": 0, "[MASK]": 3}
    assert tokenizer.decode(tokenizer.encode("The model reads.")) == " the model reads."


def test_words_without_a_decoder_are_joined_by_spaces(tmp_path):
    library = tokenizers.Tokenizer(models.WordLevel({"one": 0, "two": 1, "?": 2}, unk_token="?"))
    library.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = opened(saved(library, tmp_path))
    assert tokenizer.decode(tokenizer.encode("one three two")) == " one two"
    assert not tokenizer.lossless
    assert (tokenizer.end_of_text, tokenizer.vocab_size) == (3, 4)  # added, as the file has none


def test_a_suffix_of_words_is_a_space(tmp_path):
    library = tokenizers.Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    library.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    library.decoder = decoders.BPEDecoder()
    trainer = trainers.BpeTrainer(vocab_size=300, end_of_word_suffix="</w>", show_progress=False)
    library.train_from_iterator(sample_texts(), trainer=trainer)
    tokenizer = opened(saved(library, tmp_path))
    assert tokenizer.decode(tokenizer.encode("the number of tokens")) == "the number of tokens "


def test_added_tokens_that_are_not_special_are_text(tmp_path):
    library = tokenizers.Tokenizer(models.BPE())
    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    library.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=256, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    library.train_from_iterator([], trainer=trainer)
    library.add_tokens(["    ", "漢é", "<think>"])
    tokenizer = opened(saved(library, tmp_path))
    assert tokenizer.lossless
    assert tokenizer.encode("漢é    <think>").tolist() == [257, 256, 258]
    assert [tokenizer.token_bytes(token) for token in (256, 257, 258)] == [b"    ", "漢é".encode(), b"<think>"]
    library.add_tokens(["é"])  # which is the spelling of a byte
    assert not opened(saved(library, tmp_path)).lossless


def test_a_byte_that_is_missing_is_found(tmp_path):
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    for missing in (alphabet[0], alphabet[120], alphabet[255]):
        library = tokenizers.Tokenizer(models.BPE({piece: i for i, piece in enumerate(set(alphabet) - {missing})}, []))
        library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        library.decoder = decoders.ByteLevel()
        held = pre_tokenizers.ByteLevel(add_prefix_space=False)
        can_be_in_text = any(missing in piece for text in probe.every_byte() for piece, _ in held.pre_tokenize_str(text))
        assert opened(saved(library, tmp_path)).lossless != can_be_in_text


def test_the_probe_holds_every_byte_that_utf8_can_have():
    found = set("".join(probe.every_byte()).encode())
    assert found == set(range(256)) - {0xC0, 0xC1, *range(0xF5, 0x100)}


@pytest.mark.parametrize("end", ["<s>", "<unk>"])
def test_the_end_of_text_can_be_named(unigram, end):
    tokenizer = opened(unigram, end_of_text=end, prefix_space=False)
    assert tokenizer.end_of_text == SPECIAL.index(end)
    assert tokenizer.end_of_text not in tokenizer.encode(f"a{end}b")
    assert tokenizer.token_bytes(tokenizer.end_of_text) == b""


def test_an_end_of_text_that_the_file_does_not_have(unigram):
    with raises_code("end-of-text-unknown"):
        opened(unigram, end_of_text="<|nope|>")


def test_files_that_are_missing(tmp_path):
    for path in ("", tmp_path / "nope.json", tmp_path):
        with raises_code("tokenizer-file-missing"):
            opened(path)
    with raises_code("tokenizer-file-missing"):
        HuggingFace(HuggingFaceOptions()).source_fingerprint()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no JSON",
        b"\xff",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"class_name": "Tokenizer", "config": {}}',
        b'{"model": {"type": "X"}}',
    ],
)
def test_files_that_are_no_tokenizer(tmp_path, content):
    (tmp_path / "tokenizer.json").write_bytes(content)
    with raises_code("tokenizer-file-invalid"):
        opened(tmp_path)


def test_an_id_beyond_reason_is_refused(unigram, tmp_path):
    description = json.loads(unigram.read_text())
    description["model"] = {"type": "WordLevel", "vocab": {"a": 0, "b": 2_000_000_000}, "unk_token": "a"}
    description["added_tokens"] = []
    (tmp_path / "tokenizer.json").write_text(json.dumps(description))
    with raises_code("tokenizer-file-invalid"):
        opened(tmp_path)


def test_a_changed_file_is_another_tokenizer(unigram, tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_bytes(unigram.read_bytes())
    tokenizer = HuggingFace(HuggingFaceOptions(path=str(path)))
    before = tokenizer.source_fingerprint()
    path.write_bytes(unigram.read_bytes() + b" ")
    assert tokenizer.source_fingerprint() != before


def test_the_saved_copy_needs_the_file_no_more(without_prefix, tmp_path):
    without_prefix.save(tmp_path)
    loaded = HuggingFace(HuggingFaceOptions(path="gone/tokenizer.json", prefix_space=False))
    loaded.load(tmp_path)
    assert loaded.encode("a text").tolist() == without_prefix.encode("a text").tolist()
    assert loaded.lossless
    (tmp_path / "tokenizer.json").write_bytes((tmp_path / "tokenizer.json").read_bytes() + b" ")
    with raises_code("tokenizer-damaged"):
        loaded.load(tmp_path)


def test_untrained_says_so():
    with raises_code("tokenizer-untrained"):
        HuggingFace(HuggingFaceOptions()).encode("a")
