"""The conformance kit for tokenizers. Subclass it, name your tokenizer, and make its vocabulary small.

class TestSyllables(TokenizerConformance):
    name = "syllables"
    options = {"vocab_size": 400}
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pentad.contracts.tokenizer import END_OF_TEXT, Tokenizer
from pentad.system.errors import EngineError, UsageError
from pentad.testing.advice import AdviceConformance
from pentad.testing.conformance import require

SENTENCES = (
    "The tokenizer cuts a text into pieces, and each piece has a number.",
    "A model reads the numbers and says which number comes next.",
    "When the model is wrong, its parameters are moved a little; when it is right, they stay.",
    "Don't count the letters: count the bytes, for every byte must be paid for exactly once.",
    "In 1948 Shannon asked how many bits an English letter is worth, and people guessed it: about 1.3.",
    "def words(text):\n    return [word for word in text.split() if word]\n",
    "Käse, naïve façades, Ελληνικά, русский язык, 日本語の文章, العربية and हिन्दी are text as well 🙂.",
)

NASTY = (
    "",
    " ",
    "a",
    "\n",
    "  two  spaces,   three,    four ",
    "tab\tand\r\nCRLF\rand\u2028and\x0b\x0c\x1c\x85\xa0\u3000end",
    "NUL\x00inside\x00",
    "\u2581 underlines \u2581\u2581like sentencepiece\u2581",
    f"{END_OF_TEXT}",
    f"before{END_OF_TEXT}after {END_OF_TEXT}{END_OF_TEXT}",
    "<|endoftext|",
    "<s></s><unk><pad><0x41>[MASK]",
    "combining: e\u0301 e\u0308\u0301 \u0915\u094d\u0937\u093f, composed: \u00e9, ligature \ufb01, wide \uff21",
    "family \U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 flag \U0001f1e9\U0001f1ea skin \U0001f44d\U0001f3fd",
    "\ufeffbyte order mark, \ufffd replacement, \uffff noncharacter, \U0010ffff last",
    "right to left \u202e\u05e9\u05dc\u05d5\u05dd\u202c",
    "3.14159265358979 1,000,000 0x1F 2\u00bd \u0661\u0662\u0663",
)
"""Texts on which tokenizers have failed: each must come back as it was."""

_EDGES = (0x0, 0x20, 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x10FFFF)


def sample_texts() -> list[str]:
    """Return the documents that the kit trains on: about 60,000 characters of sentences and of made-up words."""
    source = random.Random(0)
    syllables = [start + vowel + end for start in "bdfgklmnprst" for vowel in "aeiou" for end in ("", "n", "r", "st")]
    words = ["".join(source.choices(syllables, k=source.randint(1, 4))) for _ in range(600)]
    often = [1 / rank for rank in range(1, len(words) + 1)]  # as in real text: few words often, many rarely (Zipf)
    lines = [" ".join(source.choices(words, often, k=10)) + source.choice(".?!") for _ in range(600)]
    return [" ".join(source.choices(SENTENCES, k=5) + source.choices(lines, k=10)) for _ in range(60)]


def random_texts(count: int = 200, seed: int = 0) -> list[str]:
    """Return short texts of random characters from all of Unicode but the surrogates, the same for the same seed."""
    source = random.Random(seed)

    def character() -> str:
        kind = source.randrange(4)
        if kind == 0:
            return chr(source.choice(_EDGES))
        code = source.randrange((0x80, 0x3000, 0x110000)[kind - 1])
        return chr(code) if not 0xD800 <= code < 0xE000 else " "

    return ["".join(character() for _ in range(source.randrange(1, 40))) for _ in range(count)]


class TokenizerConformance(AdviceConformance):
    """The tokenizer contract (`pentad.contracts.tokenizer.Tokenizer`), promise by promise.

    The tokenizer is trained on `sample_texts()`; a vocabulary of some hundred tokens fits them. `lossless = False` in the
    tokenizer's class takes the round trip, and the account of bytes, out of the checks: it is a property to declare, not
    a fault.
    """

    kind = "tokenizer"

    def untrained(self) -> Tokenizer:
        """Return the tokenizer as its factory makes it."""
        tokenizer = self.make()
        require(isinstance(tokenizer, Tokenizer), f"the factory must return a Tokenizer, it returned {tokenizer!r}")
        return tokenizer  # type: ignore[no-any-return]

    def trained(self) -> Tokenizer:
        """Return the tokenizer, trained on the kit's texts; made once for each class."""
        made: Tokenizer | None = type(self).__dict__.get("_trained")
        if made is None:
            made = self.untrained()
            made.train(iter(sample_texts()))
            type(self)._trained = made  # type: ignore[attr-defined]
        return made

    def check_round_trip(self) -> None:
        """Decoding an encoded text gives the text, for any text that UTF-8 can hold."""
        tokenizer = self.trained()
        if not tokenizer.lossless:
            return
        for text in [*NASTY, *random_texts()]:
            ids = tokenizer.encode(text)
            back = tokenizer.decode(ids)
            if set(tokenizer.special_tokens.values()) & set(ids.tolist()):
                continue  # check_text_never_becomes_special says what is wrong here
            require(
                back == text,
                f"decode(encode({text!a})) gives {back!a}; keep every character (no normalization, no stripping, "
                "bytes for unknown characters), or say lossless = False in the class",
            )

    def check_every_byte_is_accounted_for(self) -> None:
        """The token_bytes of an encoded text, joined, are the bytes of what it decodes to: bits per byte counts by them."""
        tokenizer = self.trained()
        for text in [*NASTY, *sample_texts()[:5], *random_texts(50)]:
            ids = tokenizer.encode(text)
            joined = b"".join(tokenizer.token_bytes(int(token)) for token in ids)
            decoded = tokenizer.decode(ids)
            require(
                joined == decoded.encode("utf-8"),
                f"the token_bytes of {text!a} join to {joined!r}, but it decodes to {decoded!a}; "
                "token_bytes must return exactly the bytes that an id adds to the text",
            )

    def check_ids_are_below_vocab_size(self) -> None:
        """`encode` returns a one-dimensional uint32 array of ids below vocab_size, as all special tokens are; "" has none."""
        tokenizer = self.trained()
        size = tokenizer.vocab_size
        for text in [*NASTY, *sample_texts()[:5], *random_texts(50)]:
            ids = tokenizer.encode(text)
            require(isinstance(ids, np.ndarray), f"encode must return a numpy array (T,), it returned {type(ids).__name__}")
            require(
                ids.dtype == np.uint32 and ids.ndim == 1,
                f"encode must return uint32 ids (T,), it returned {ids.dtype} of shape {ids.shape}; use .astype(np.uint32)",
            )
            highest = int(ids.max(initial=0))
            require(highest < size, f"encode({text!a}) gives the id {highest}; vocab_size must be above it, it is {size}")
        for word, token in tokenizer.special_tokens.items():
            require(0 <= token < size, f"{word} has the id {token}; vocab_size counts special tokens too, it is {size}")

    def check_end_of_text_exists(self) -> None:
        """There is an end-of-text token, and special tokens have ids of their own that stand for no bytes."""
        tokenizer = self.trained()
        special = tokenizer.special_tokens
        require(END_OF_TEXT in special, f"special_tokens must hold {END_OF_TEXT!r}, it holds {sorted(special)}")
        require(len(set(special.values())) == len(special), f"two special tokens share an id: {dict(special)}")
        for word, token in special.items():
            found = tokenizer.token_bytes(token)
            require(found == b"", f"token_bytes of the special token {word} must be empty, it is {found!r}")

    def check_text_never_becomes_special(self) -> None:
        """`encode` gives no special token, also when the text spells one."""
        tokenizer = self.trained()
        special = dict(tokenizer.special_tokens)
        spelled = [text for word in special for text in (word, f"a{word}b", f" {word} {word}\n")]
        for text in [*spelled, *NASTY, *random_texts(50)]:
            found = set(tokenizer.encode(text).tolist()) & set(special.values())
            names = [word for word, token in special.items() if token in found]
            require(
                not found,
                f"encode({text!a}) gives the special token {names}; text must never become one: "
                "encode the spelling as plain text (with tiktoken: disallowed_special=())",
            )

    def check_encode_with_special(self) -> None:
        """`encode_with_special` turns the spelling into the special token, and leaves the text around it as it is."""
        tokenizer = self.trained()
        for word, token in tokenizer.special_tokens.items():
            parts = (tokenizer.encode("one text"), [token], tokenizer.encode("another"))
            expected = [int(number) for part in parts for number in part]
            text = f"one text{word}another"
            found = tokenizer.encode_with_special(text).tolist()
            require(
                found == expected,
                f"encode_with_special({text!r}) gives {found}; expected the ids of both texts with {token} between: {expected}",
            )

    def check_segmentations(self) -> None:
        """`segmentations` gives ways to cut the text, the likeliest first, with what `encode` takes among them; or none."""
        tokenizer = self.trained()
        for text in ("", *(word for sample in sample_texts()[:2] for word in sample.split(" ")[:3])):
            ways = tokenizer.segmentations(text, 5)
            if not ways:
                continue
            own, scores = tuple(map(int, tokenizer.encode(text))), [way.score for way in ways]
            sound = all(len(way.ids) == len(way.scores) and max(way.scores, default=0) <= 0 for way in ways)
            require(sound, f"segmentations({text!a}, 5) must give each piece the logarithm of a probability: {ways!r:.200}")
            require(
                len(ways) <= 5 and scores == sorted(scores, reverse=True) and own in [way.ids for way in ways],
                f"segmentations({text!a}, 5) gives {ways!r:.200}; expected 5 at most, the best first, and {own} among them",
            )
            for way in ways:
                found = tokenizer.decode_bytes(way.ids)
                require(found == text.encode(), f"segmentations({text!a}, 5) has a way that stands for {found!a}")

    def check_batch_equals_single(self) -> None:
        """`encode_batch` gives for each text, in order, what `encode` gives."""
        tokenizer = self.trained()
        for texts in ([], ["one"], [*NASTY, *sample_texts()[:20], *random_texts(50)]):
            batch = tokenizer.encode_batch(texts)
            require(len(batch) == len(texts), f"encode_batch of {len(texts)} texts returned {len(batch)} results")
            for text, ids in zip(texts, batch, strict=True):
                require(
                    np.array_equal(ids, tokenizer.encode(text)),
                    f"encode_batch and encode give different ids for {text[:80]!a}; no text may depend on the others",
                )

    def check_random_cuts(self) -> None:
        """`encode_randomly` is `encode`, or with `random_cuts` gives its bytes in ids that follow from the source alone."""
        tokenizer = self.trained()
        special, differs = set(tokenizer.special_tokens.values()), False
        for text in [*NASTY, *sample_texts()[:3], *random_texts(50)]:
            own = tokenizer.encode(text)
            cuts = [tokenizer.encode_randomly(text, np.random.default_rng(seed)) for seed in (0, 0, 1)]
            if not tokenizer.random_cuts:
                require(
                    all(np.array_equal(ids, own) for ids in cuts),
                    f"encode_randomly({text[:80]!a}) gives other ids than encode; say random_cuts = True, or leave it out",
                )
                continue
            for ids in cuts:
                require(
                    isinstance(ids, np.ndarray) and ids.dtype == np.uint32 and ids.ndim == 1,
                    f"encode_randomly({text[:80]!a}) must return a numpy array (T,) of uint32, it returned {ids!r:.80}",
                )
                require(not special & set(ids.tolist()), f"encode_randomly({text[:80]!a}) gives a special token")
                found = tokenizer.decode_bytes(ids)
                require(
                    found == tokenizer.decode_bytes(own),
                    f"encode_randomly({text[:80]!a}) stands for {found[:80]!r}; every cut must stand for the bytes of encode",
                )
            require(
                np.array_equal(cuts[0], cuts[1]),
                f"encode_randomly({text[:80]!a}) gives other ids from the same source; draw from nothing but the source",
            )
            require(np.array_equal(own, tokenizer.encode(text)), "encode gives other ids after encode_randomly")
            differs = differs or not np.array_equal(cuts[0], cuts[2])
        require(
            differs == tokenizer.random_cuts, "random_cuts is True, and encode_randomly gives the same ids from every source"
        )

    def check_save_and_load(self) -> None:
        """After `save` and `load` into a new object, ids, texts and special tokens are the same."""
        tokenizer = self.trained()
        with tempfile.TemporaryDirectory() as folder:
            tokenizer.save(Path(folder))
            loaded = self.untrained()
            loaded.load(Path(folder))
        for name in ("vocab_size", "special_tokens"):
            before, after = getattr(tokenizer, name), getattr(loaded, name)
            require(before == after, f"{name} was {before} before save and is {after} after load; save must write all of it")
        for text in [*NASTY, *sample_texts()[:5], *random_texts(50)]:
            ids = tokenizer.encode(text)
            require(
                np.array_equal(ids, loaded.encode(text)),
                f"ids of {text[:80]!a} differ after save and load; save must write all that encode needs",
            )
            require(tokenizer.decode(ids) == loaded.decode(ids), f"{text[:80]!a} decodes differently after save and load")

    def check_damaged_files_are_refused(self) -> None:
        """`load` raises EngineError when a saved file is missing or cut off."""
        with tempfile.TemporaryDirectory() as folder:
            self.trained().save(Path(folder))
            for path in sorted(path for path in Path(folder).rglob("*") if path.is_file()):
                whole = path.read_bytes()
                path.write_bytes(whole[: len(whole) // 2])
                self._require_refusal(Path(folder), f"{path.name} is cut in half")
                path.unlink()
                self._require_refusal(Path(folder), f"{path.name} is missing")
                path.write_bytes(whole)

    def _require_refusal(self, folder: Path, damage: str) -> None:
        try:
            self.untrained().load(folder)
        except EngineError:
            return
        except Exception as error:
            raise AssertionError(f"when {damage}, load must raise EngineError; it raised {type(error).__name__}") from None
        raise AssertionError(f"when {damage}, load must raise EngineError; it noticed nothing (check a digest or the content)")

    def check_decode_never_raises(self) -> None:
        """Any ids decode, in any order, as list or array: generation may stop in the middle of a character."""
        tokenizer = self.trained()
        source = np.random.default_rng(0)
        rows = [source.integers(tokenizer.vocab_size, size=20).tolist() for _ in range(50)]
        rows += [[], [tokenizer.vocab_size - 1], *([token] for token in range(min(tokenizer.vocab_size, 2000)))]
        for row in rows:
            self._require_decodes(tokenizer, row)
            self._require_decodes(tokenizer, np.array(row, dtype=np.int64))

    def _require_decodes(self, tokenizer: Tokenizer, ids: Sequence[int] | Any) -> None:
        try:
            decoded = tokenizer.decode(ids)
        except Exception as error:
            raise AssertionError(
                f"decode({ids!r}) raised {type(error).__name__}: {error}; bad UTF-8 must become U+FFFD"
            ) from None
        require(isinstance(decoded, str), f"decode must return str, it returned {type(decoded).__name__}")

    def check_lone_surrogates_are_refused(self) -> None:
        """A text with a lone surrogate, which UTF-8 cannot hold, raises UsageError."""
        tokenizer = self.trained()
        for text in ("\ud800", "a\udfffb", "\udc80" * 3 + "\u2581"):
            try:
                tokenizer.encode(text)
            except UsageError:
                continue
            except Exception as error:
                raise AssertionError(
                    f"encode({text!a}) must raise UsageError, it raised {type(error).__name__}; call utf8 on it"
                ) from None
            raise AssertionError(f"encode({text!a}) must raise UsageError, it raised nothing; call pentad.utf8 on the text")

    def check_long_runs(self) -> None:
        """A very long run without a space, or of spaces, is encoded without failing and without loss."""
        tokenizer = self.trained()
        for name, text in (
            ("200,000 letters", "ab" * 100_000),
            ("1,100,000 spaces between words", "a" + " " * 1_100_000 + "b"),
            ("100,000 line ends", "\n" * 100_000),
            ("50,000 Chinese characters", "漢字" * 25_000),
        ):
            try:
                back = tokenizer.decode(tokenizer.encode(text))
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:  # a panic in Rust is no Exception
                raise AssertionError(f"encode fails on {name} ({type(error).__name__}: {error}); cut such texts") from None
            require(
                back == text or not tokenizer.lossless, f"{name} do not come back as they were; mind where long texts are cut"
            )
