"""Vocabularies in tiktoken's format: the file, where it is looked for, and the encodings that OpenAI published."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pentad import END_OF_TEXT, UsageError
from pentad_bpe.splitting import CL100K_IN_TIKTOKEN, SplitPattern, pattern_of

MOST_BYTES = 64 * 1024**2
MOST_IDS = 4_000_000

_ADDRESS = "https://openaipublic.blob.core.windows.net/encodings/{}.tiktoken"


class Encoding(NamedTuple):
    """An encoding that OpenAI published with the package tiktoken.

    Args:
        file: its vocabulary's name, without the ending.
        sha256: of that file.
        pattern: cuts words.
        special: spelling to id of its special tokens.
    """

    file: str
    sha256: str
    pattern: SplitPattern
    special: Mapping[str, int]

    @property
    def address(self) -> str:
        """Where the file is published."""
        return _ADDRESS.format(self.file)


class NoVocabulary(Exception):
    """What a file is that is no vocabulary, in words."""


def encoding(name: str) -> Encoding:
    """Return an encoding by its name, as one of the options has it."""
    return _encodings()[name]


def _encodings() -> dict[str, Encoding]:
    gpt2, o200k = pattern_of("gpt2"), pattern_of("o200k")
    cl100k = pattern_of("cl100k")._replace(tiktoken=CL100K_IN_TIKTOKEN)
    p50k = "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069"
    o200k_file = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
    fill = ("<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>")
    return {
        "r50k_base": Encoding(
            "r50k_base",
            "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930",
            gpt2,
            {END_OF_TEXT: 50256},
        ),
        "p50k_base": Encoding("p50k_base", p50k, gpt2, {END_OF_TEXT: 50256}),
        "p50k_edit": Encoding("p50k_base", p50k, gpt2, {END_OF_TEXT: 50256, **_numbered(fill, 50281)}),
        "cl100k_base": Encoding(
            "cl100k_base",
            "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
            cl100k,
            {END_OF_TEXT: 100257, **_numbered(fill, 100258), "<|endofprompt|>": 100276},
        ),
        "o200k_base": Encoding("o200k_base", o200k_file, o200k, {END_OF_TEXT: 199999, "<|endofprompt|>": 200018}),
        "o200k_harmony": Encoding("o200k_base", o200k_file, o200k, _harmony()),
    }


def _numbered(names: tuple[str, ...], first: int) -> dict[str, int]:
    return {name: first + place for place, name in enumerate(names)}


def _harmony() -> dict[str, int]:
    """Return the special tokens of OpenAI's format for conversations, harmony (2025)."""
    named = {
        "<|startoftext|>": 199998,
        END_OF_TEXT: 199999,
        "<|return|>": 200002,
        "<|constrain|>": 200003,
        "<|channel|>": 200005,
        "<|start|>": 200006,
        "<|end|>": 200007,
        "<|message|>": 200008,
        "<|call|>": 200012,
        "<|endofprompt|>": 200018,
    }
    # tiktoken gives 200018 a second name, <|reserved_200018|>.
    return {**named, **{f"<|reserved_{i}|>": i for i in range(200000, 201088) if i not in named.values()}}


def read(path_of_user: str, name: str | None) -> bytes:
    """Return the file that the user names, or the one of the encoding from where tiktoken keeps it.

    Raises:
        UsageError: neither is named, or the file is not there.
    """
    if not path_of_user and not name:
        raise UsageError(
            "The tokenizer tiktoken needs a vocabulary; found neither --tokenizer.encoding nor --tokenizer.path.",
            "Use --tokenizer.path FILE.tiktoken, or --tokenizer.encoding cl100k_base where tiktoken has its file.",
            code="tokenizer-file-missing",
        )
    places = [Path(path_of_user).expanduser()] if path_of_user or name is None else kept_at(encoding(name))
    for place in places:
        try:
            with place.open("rb") as file:
                return file.read(MOST_BYTES + 1)
        except OSError as error:
            problem = error.strerror
    if path_of_user or name is None:
        raise UsageError(
            f"Expected a .tiktoken file at {places[0]}: {problem}.", "Correct --tokenizer.path.", code="tokenizer-file-missing"
        )
    raise UsageError(
        f"The encoding {name} needs its file, which pentad does not download; looked for {' and '.join(map(str, places))}.",
        f"Fetch {encoding(name).address} and give it to --tokenizer.path beside --tokenizer.encoding, or put it there.",
        code="tokenizer-file-missing",
    )


def kept_at(chosen: Encoding) -> list[Path]:
    """Return where tiktoken keeps an encoding's file, in the folder of its cache: by the digest of its address, or by name."""
    folder = os.environ.get("TIKTOKEN_CACHE_DIR") or os.environ.get("DATA_GYM_CACHE_DIR")
    cache = Path(folder) if folder else Path(tempfile.gettempdir()) / "data-gym-cache"
    return [cache / hashlib.sha1(chosen.address.encode()).hexdigest(), cache / f"{chosen.file}.tiktoken"]


def parse(content: bytes) -> dict[bytes, int]:
    """Return each token's bytes with its rank, checked: tiktoken itself hangs or fails on what is not complete.

    Raises:
        NoVocabulary: the content is none.
    """
    if len(content) > MOST_BYTES:
        raise NoVocabulary(f"it has more than {MOST_BYTES // 1024**2} MB")
    ranks: dict[bytes, int] = {}
    lines = content.split(b"\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            word, rank = line.split()
            token = base64.b64decode(word, validate=True)
            ranks.setdefault(token, int(rank))
        except (ValueError, binascii.Error):
            raise NoVocabulary(f"its line {number} is no token in base64 with a rank") from None
        if not token or not 0 <= ranks[token] < MOST_IDS:
            raise NoVocabulary(f"its line {number} has an empty token, or a rank that is not below {MOST_IDS:,}")
    if len(set(ranks.values())) < sum(1 for line in lines if line.strip()):
        raise NoVocabulary("a token or a rank stands in it twice")
    missing = [byte for byte in range(256) if bytes([byte]) not in ranks]
    if missing:
        raise NoVocabulary(f"{len(missing)} of the 256 bytes are no token, so that it cannot spell every text")
    return ranks


def written(ranks: Mapping[bytes, int]) -> bytes:
    """Return ranks in tiktoken's format."""
    lines = (b"%s %d\n" % (base64.b64encode(token), rank) for token, rank in sorted(ranks.items(), key=lambda item: item[1]))
    return b"".join(lines)


def example(folder: Path) -> Mapping[str, str]:
    """Write a small vocabulary for the conformance kit, and return options that name it."""
    ranks = {bytes([byte]): byte for byte in range(256)}
    for token in (b" t", b"he", b" the", b"en", b"in", b"  ", b"\n\n", b" number"):
        ranks[token] = len(ranks)
    path = folder / "small.tiktoken"
    path.write_bytes(written(ranks))
    return {"path": str(path)}
