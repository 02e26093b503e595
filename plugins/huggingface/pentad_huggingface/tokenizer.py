"""A tokenizer that others trained, from its tokenizer.json, through Hugging Face's library `tokenizers`.

Moi and Patry, HuggingFace's Tokenizers, 2023.

Ids are the library's, with no special token added. What the file calls a special token is none in a text: what spells it is
encoded as text. Whether everything comes back is tried out with a text of many scripts each time the file is read.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Container, Iterable, Mapping
from pathlib import Path

import numpy as np
import tokenizers

from pentad import END_OF_TEXT, EngineError, TokenIds, Tokenizer, UsageError, utf8
from pentad_huggingface import probe
from pentad_huggingface.file import NoTokenizer, parse, read, types
from pentad_huggingface.options import HuggingFaceOptions
from pentad_huggingface.pieces import token_bytes

_FILE = "tokenizer.json"
_DESCRIPTION = "huggingface.json"

ENDS = (END_OF_TEXT, "<|end_of_text|>", "</s>", "<eos>", "<|eos|>", "[EOS]", "<｜end▁of▁sentence｜>", "[SEP]")
"""How files spell the end of a text; the first that a file has as a special token is taken."""

_SPACE = "\u2581"  # stands for a space in many files, which give a space back for this character itself


class HuggingFace(Tokenizer):
    """Whatever a tokenizer.json describes: byte pairs, unigram, word pieces, words."""

    def __init__(self, options: HuggingFaceOptions) -> None:
        self._options = options
        self._content = b""
        self._library: tokenizers.Tokenizer | None = None
        self._tokens: list[bytes] = []
        self._special: dict[str, int] = {}
        self._spells_space: TokenIds | None = None

    @property
    def vocab_size(self) -> int:
        """The highest id and one; ids between that the file leaves out stand for nothing."""
        self._loaded()
        return len(self._tokens)

    @property
    def special_tokens(self) -> Mapping[str, int]:
        """The end of text, and what else the file calls special."""
        self._loaded()
        return self._special

    def source_fingerprint(self) -> str:
        """Return the digest of the file.

        Raises:
            UsageError: it is missing.
        """
        return hashlib.sha256(read(self._options.path)).hexdigest()

    def train(self, texts: Iterable[str]) -> None:
        """Read the file; the vocabulary is fixed, and no text is looked at.

        Raises:
            UsageError: the file is missing or no tokenizer.json, or has no such end of text.
        """
        del texts
        content = read(self._options.path)
        try:
            self._become(content)
        except NoTokenizer as error:
            raise UsageError(
                f"Expected a tokenizer.json of Hugging Face's tokenizers at {self._options.path}: {error}.",
                "Give another file; for a .tiktoken file use --tokenizer tiktoken.",
                code="tokenizer-file-invalid",
            ) from None

    def encode(self, text: str) -> TokenIds:
        """Return the ids (T,) that the library gives, special tokens in the text taken as text. Threads run side by side.

        Raises:
            UsageError: the text holds a lone surrogate.
            EngineError: the library fails on the text.
        """
        self._loaded()
        if not text.isascii():
            utf8(text)
        if self._spells_space is None or _SPACE not in text:
            return self._encode(text)
        parts = []
        for number, part in enumerate(text.split(_SPACE)):
            parts += [self._spells_space] if number else []
            parts += [self._encode(part)] if part else []
        return np.concatenate(parts)

    def token_bytes(self, token: int) -> bytes:
        """Return the bytes of an id; none for special tokens and for the unknown id."""
        return self._tokens[token]

    def save(self, folder: Path) -> None:
        """Write a copy of the file, and its digest."""
        self._loaded()
        (folder / _FILE).write_bytes(self._content)
        description = {"format": 1, "sha256": hashlib.sha256(self._content).hexdigest()}
        (folder / _DESCRIPTION).write_text(json.dumps(description) + "\n", encoding="utf-8")

    def load(self, folder: Path) -> None:
        """Read the copy.

        Raises:
            EngineError: a file is missing or damaged.
        """
        try:
            content = read(str(folder / _FILE))
            found = json.loads((folder / _DESCRIPTION).read_text(encoding="utf-8"))
        except (OSError, UsageError):
            raise EngineError(
                f"Expected a saved huggingface tokenizer in {folder}: {_FILE} or {_DESCRIPTION} cannot be read.",
                "Check the folder.",
                code="saved-file-unreadable",
            ) from None
        except (ValueError, RecursionError):
            found = None
        if found != {"format": 1, "sha256": hashlib.sha256(content).hexdigest()}:
            raise _damaged(folder, "its digest is another")
        try:
            self._become(content)
        except NoTokenizer as error:
            raise _damaged(folder, str(error)) from None

    def _become(self, content: bytes) -> None:
        library, description = parse(content, self._options.prefix_space)
        added = description.get("added_tokens") or []
        special = {token["content"]: token["id"] for token in added if token.get("special")}
        ids = library.get_vocab()
        unknown = _unknown(description)
        end = self._end_of_text(special, ids)
        silent = frozenset({*special.values(), *([ids[unknown]] if unknown in ids else []), *([] if end is None else [end])})
        self._tokens = token_bytes(library, description, silent)
        if end is None:
            end = len(self._tokens)
            self._tokens.append(b"")
        others = {
            spelling: token for spelling, token in special.items() if token != end and spelling not in (unknown, END_OF_TEXT)
        }
        self._special = {END_OF_TEXT: end, **others}
        self._is_control = np.zeros(len(self._tokens), dtype=np.bool_)
        self._is_control[list(self._special.values())] = True
        self._spellings = _no_text(ids, silent)
        self._library, self._content = library, content
        self._spells_space = self._bytes_of_space(description, ids)
        self.lossless = self._gives_back_all([token["content"] for token in added])

    def _end_of_text(self, special: Mapping[str, int], ids: Mapping[str, int]) -> int | None:
        """Return the id that separates texts; None where one is to be added.

        Raises:
            UsageError: the file does not have what the user names.
        """
        named = self._options.end_of_text
        if named and named not in ids:
            raise UsageError(
                f"--tokenizer.end-of-text {named!r} is no token of the file.",
                f"Name one of its special tokens ({', '.join(special) or 'it has none'}), or leave it out.",
                code="end-of-text-unknown",
            )
        found = [named] if named else [end for end in ENDS if end in special]
        return ids[found[0]] if found else None

    def _bytes_of_space(self, description: dict[str, object], ids: Mapping[str, int]) -> TokenIds | None:
        """Return the ids that spell U+2581 where the file writes a space as that; None where it has none, or adds spaces."""
        if any("Byte" in name for name in types(description.get("pre_tokenizer"))) or len(self._encode(_SPACE)) == 0:
            return None
        spelled = [ids.get(f"<0x{byte:02X}>") for byte in _SPACE.encode()]
        if None in spelled or self.decode(self._encode(_SPACE)) != " ":
            return None
        return np.array(spelled, dtype=np.uint32)

    def _gives_back_all(self, added: list[str]) -> bool:
        try:
            return all(self.decode(self.encode(text)) == text for text in probe.texts(added))
        except EngineError:
            return False

    def _encode(self, text: str) -> TokenIds:
        ids = self._plain(text)
        # Some models find the spelling of a special token among their pieces; it is cut in two, which no piece goes over.
        spellings = set(self._spellings.findall(text))
        if self._is_control[ids].any() or (spellings and not self._gives_back(ids, spellings)):
            parts, start = [], 0
            for spelled in self._spellings.finditer(text):
                parts.append(self._plain(text[start : spelled.start() + 1]))
                start = spelled.start() + 1
            ids = np.concatenate([*parts, self._plain(text[start:])])
            ids = ids[~self._is_control[ids]]
        return ids

    def _gives_back(self, ids: TokenIds, spellings: Iterable[str]) -> bool:
        text = self.decode(ids)
        return all(spelling in text for spelling in spellings)

    def _plain(self, text: str) -> TokenIds:
        try:
            return np.array(self._loaded().encode(text, add_special_tokens=False).ids, dtype=np.uint32)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # a panic in Rust is no Exception
            raise EngineError(
                f"The tokenizer of {self._options.path or 'the saved file'} fails on a text: {str(error)[:200]}.",
                "Use another tokenizer, or a file with an unknown token.",
                code="tokenizer-cannot-encode",
            ) from None

    def _loaded(self) -> tokenizers.Tokenizer:
        if self._library is None:
            raise EngineError(
                "The huggingface tokenizer has no vocabulary yet.",
                "Read a tokenizer.json with train, or load a saved one.",
                code="tokenizer-untrained",
            )
        return self._library


def _no_text(ids: Mapping[str, int], silent: Container[int]) -> re.Pattern[str]:
    """Return what finds the spellings of tokens that no text means: special ones, and single bytes (`<0x41>`)."""
    longest_first = sorted((spelling for spelling, token in ids.items() if token in silent), key=len, reverse=True)
    single_bytes = [r"<0x[0-9A-F]{2}>"] if "<0x41>" in ids else []
    return re.compile("|".join([*map(re.escape, longest_first), *single_bytes]) or r"(?!)")


def _unknown(description: dict[str, object]) -> str | None:
    model = description["model"]
    assert isinstance(model, dict)
    if model.get("unk_token") is not None:
        return str(model["unk_token"])
    number, vocabulary = model.get("unk_id"), model.get("vocab")
    if isinstance(number, int) and isinstance(vocabulary, list) and number < len(vocabulary):
        return str(vocabulary[number][0])
    return None


def _damaged(folder: Path, problem: str) -> EngineError:
    return EngineError(
        f"The saved huggingface tokenizer in {folder} is damaged or from a newer version: {problem}.",
        "Make the run again.",
        code="tokenizer-damaged",
    )
