"""Each deliberately wrong tokenizer is caught by the check meant for it, and by no other."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pentad import END_OF_TEXT, EngineError, Implementation, NoOptions, Tokenizer, utf8
from pentad.testing import TokenizerConformance
from pentad.testing.stages.tokenizer import NASTY, random_texts, sample_texts


class Right(Tokenizer):
    """Bytes, most frequent first: small, trained, and right."""

    def __init__(self, options):
        self.order = None

    vocab_size = property(lambda self: 257)
    special_tokens = property(lambda self: {END_OF_TEXT: 256})

    def train(self, texts):
        counts = np.zeros(256, dtype=np.int64)
        for text in texts:
            counts += np.bincount(np.frombuffer(utf8(text), np.uint8), minlength=256)
        self.order = np.argsort(-counts, kind="stable")

    def encode(self, text):
        return np.argsort(self.order)[np.frombuffer(utf8(text), np.uint8)].astype(np.uint32)

    def token_bytes(self, token):
        return b"" if token == 256 else bytes([self.order[token]])

    def decode_bytes(self, tokens):
        ids = np.array(tokens, dtype=np.int64)
        return self.order[ids[ids != 256]].astype(np.uint8).tobytes()

    def save(self, folder):
        (folder / "order.json").write_text(json.dumps(self.order.tolist()))

    def load(self, folder):
        try:
            self.order = np.array(json.loads((folder / "order.json").read_text()))
        except (OSError, ValueError) as error:
            raise EngineError(f"damaged: {error}", code="tokenizer-damaged") from None


class StripsSpaces(Right):
    def encode(self, text):
        return super().encode(text.strip(" "))


class DeclaresThatItStrips(StripsSpaces):
    lossless = False


class MiscountsBytes(Right):
    def token_bytes(self, token):
        return super().token_bytes(token).strip()


class LetsTextBecomeSpecial(Right):
    def encode(self, text):
        return super().encode_with_special(text) if END_OF_TEXT in text else super().encode(text)

    def encode_with_special(self, text):
        before, _, after = text.partition(END_OF_TEXT)
        return np.concatenate([self.encode(before), np.array([256], np.uint32), self.encode(after)])


class NeverMakesSpecial(Right):
    def encode_with_special(self, text):
        return self.encode(text)


class BatchJoins(Right):
    def encode_batch(self, texts):
        return [self.encode(text + " " * (i > 0)) for i, text in enumerate(texts)]


class ForgetsOnSave(Right):
    def load(self, folder):
        super().load(folder)
        self.order = np.arange(256)


class LoadsAnything(Right):
    def load(self, folder):
        try:
            super().load(folder)
        except EngineError:
            self.order = np.arange(256)


class LeaksJsonErrors(Right):
    def load(self, folder):
        self.order = np.array(json.loads((folder / "order.json").read_text()))


class CountsNoSpecial(Right):
    vocab_size = property(lambda self: 256)


class ReturnsLists(Right):
    def encode(self, text):
        return super().encode(text).astype(np.int64)


class SpecialHasBytes(Right):
    def token_bytes(self, token):
        return END_OF_TEXT.encode() if token == 256 else super().token_bytes(token)


class DecodesStrictly(Right):
    def decode(self, tokens):
        return self.decode_bytes(tokens).decode("utf-8")


class PassesSurrogates(Right):
    def encode(self, text):
        return super().encode(text.encode("utf-8", "replace").decode())


class RandomCuts(Right):
    """Two ids for each byte, of which training text has either."""

    random_cuts = True
    vocab_size = property(lambda self: 257 + 256)

    def encode_randomly(self, text, source):
        ids = self.encode(text)
        return np.where(source.random(len(ids)) < 0.5, ids, ids + 257).astype(np.uint32)

    def token_bytes(self, token):
        return super().token_bytes(token - 257 if token > 256 else token)

    def decode_bytes(self, tokens):
        return b"".join(self.token_bytes(int(token)) for token in tokens)


class CutsAtRandomUnsaid(RandomCuts):
    random_cuts = False


class DrawsFromElsewhere(RandomCuts):
    def encode_randomly(self, text, source):
        return super().encode_randomly(text, np.random.default_rng())


class LosesBytesAtRandom(RandomCuts):
    def encode_randomly(self, text, source):
        ids = super().encode_randomly(text, source)
        return ids[source.random(len(ids)) < 0.9]


class CutsAlikeEachTime(RandomCuts):
    def encode_randomly(self, text, source):
        return self.encode(text)


class Panic(BaseException):
    pass


class PanicsOnLongTexts(Right):
    def encode(self, text):
        if len(text) > 1_000_000:
            raise Panic("stack overflow")
        return super().encode(text)


def failed(tokenizer: type[Tokenizer]) -> set[str]:
    """Return the checks that fail; the kit's class is made here so that each run trains anew."""
    record = Implementation(name="wrong", summary="For tests.", factory=tokenizer, options=NoOptions)
    kit = type("Kit", (TokenizerConformance,), {"implementation": record})()
    results = [kit.run(check) for check in kit.checks()]
    return {result.check for result in results if result.outcome != "passed"}


@pytest.mark.parametrize("tokenizer", [Right, DeclaresThatItStrips, RandomCuts])
def test_right_passes(tokenizer):
    assert failed(tokenizer) == set()


@pytest.mark.parametrize(
    ("tokenizer", "check"),
    [
        (StripsSpaces, "round_trip"),
        (MiscountsBytes, "every_byte_is_accounted_for"),
        (LetsTextBecomeSpecial, "text_never_becomes_special"),
        (NeverMakesSpecial, "encode_with_special"),
        (BatchJoins, "batch_equals_single"),
        (ForgetsOnSave, "save_and_load"),
        (LoadsAnything, "damaged_files_are_refused"),
        (LeaksJsonErrors, "damaged_files_are_refused"),
        (CountsNoSpecial, "ids_are_below_vocab_size"),
        (ReturnsLists, "ids_are_below_vocab_size"),
        (SpecialHasBytes, "end_of_text_exists"),
        (DecodesStrictly, "decode_never_raises"),
        (PassesSurrogates, "lone_surrogates_are_refused"),
        (PanicsOnLongTexts, "long_runs"),
        (CutsAtRandomUnsaid, "random_cuts"),
        (DrawsFromElsewhere, "random_cuts"),
        (LosesBytesAtRandom, "random_cuts"),
        (CutsAlikeEachTime, "random_cuts"),
    ],
)
def test_wrong_is_caught_by_its_check_alone(tokenizer, check):
    assert failed(tokenizer) == {check}


def test_texts_are_the_same_every_time():
    assert sample_texts() == sample_texts()
    assert random_texts() == random_texts()
    assert len(set(NASTY)) == len(NASTY)
    assert all(text == text.encode().decode() for text in [*NASTY, *random_texts()])
