"""Reading a tokenizer.json: what it may be, and what of it is switched off."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tokenizers

from pentad import UsageError

MOST_BYTES = 256 * 1024**2
"""A larger file is refused; Gemma's, with 256,000 ids, has 34 MB."""

MOST_IDS = 4_000_000


class NoTokenizer(Exception):
    """What a text is that is no tokenizer.json, in words."""


def read(path_of_user: str) -> bytes:
    """Return the content of the file that the user names, or of the tokenizer.json in the folder.

    Raises:
        UsageError: nothing is named, or there is no such file.
    """
    if not path_of_user:
        raise UsageError(
            "The tokenizer huggingface needs a file; found no --tokenizer.path.",
            "Use --tokenizer.path FOLDER/tokenizer.json, as model repositories hold it.",
            code="tokenizer-file-missing",
        )
    path = Path(path_of_user).expanduser()
    if path.is_dir():
        path /= "tokenizer.json"
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(
            f"Expected a tokenizer.json at {path}: {error.strerror}.",
            "Give the file, or the folder that holds it, to --tokenizer.path.",
            code="tokenizer-file-missing",
        ) from None
    return content


def parse(content: bytes, prefix_space: bool) -> tuple[tokenizers.Tokenizer, dict[str, Any]]:
    """Return the library's tokenizer with nothing that cuts texts off, fills them up or draws lots, and its description.

    Args:
        content: of the file.
        prefix_space: whether a space in front of each text, which the file may ask for, is added.

    Raises:
        NoTokenizer: the content is not what the library reads, or too large.
    """
    if len(content) > MOST_BYTES:
        raise NoTokenizer(f"it has more than {MOST_BYTES // 1024**2} MB")
    try:
        description = json.loads(content.decode("utf-8"))
        if not isinstance(description, dict) or "model" not in description:
            raise NoTokenizer("it is JSON, but describes no model of tokens")
        description.update(truncation=None, padding=None, post_processor=None)
        if isinstance(description["model"], dict) and "dropout" in description["model"]:
            description["model"]["dropout"] = None  # a text has the same ids each time
        if not prefix_space:
            _without_prefix(description)
        tokenizer = tokenizers.Tokenizer.from_str(json.dumps(description))
    except (ValueError, RecursionError) as error:
        raise NoTokenizer(f"it is no JSON ({error})") from None
    except (KeyboardInterrupt, SystemExit, NoTokenizer):
        raise
    except BaseException as error:  # a panic in Rust is no Exception
        raise NoTokenizer(f"tokenizers {tokenizers.__version__} cannot read it ({str(error)[:200]})") from None
    tokenizer.encode_special_tokens = True
    highest = max(tokenizer.get_vocab().values(), default=0)
    if highest >= MOST_IDS:
        raise NoTokenizer(f"its highest id is {highest:,}; {MOST_IDS:,} is the limit")
    return tokenizer, description


def types(part: Any) -> set[str]:
    """Return the types of a normalizer, pre-tokenizer or decoder, those inside a sequence too."""
    return {str(inner.get("type")) for inner in _parts(part)}


def find(part: Any, type_: str) -> dict[str, Any] | None:
    """Return the first of a type in a normalizer, pre-tokenizer or decoder."""
    return next((inner for inner in _parts(part) if inner.get("type") == type_), None)


def _parts(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        yield part
        for name in ("normalizers", "pretokenizers", "decoders"):
            for inner in part.get(name) or ():
                yield from _parts(inner)


def _without_prefix(description: dict[str, Any]) -> None:
    normalizer = description.get("normalizer")
    if isinstance(normalizer, dict) and normalizer.get("type") == "Prepend":
        description["normalizer"] = None
    for part in _parts(normalizer):
        if part.get("type") == "Sequence":
            part["normalizers"] = [inner for inner in part["normalizers"] if inner.get("type") != "Prepend"]
    # Where another one has cut at spaces before, this is how words show them: left as it is.
    first = next((part for part in _parts(description.get("pre_tokenizer")) if part.get("type") != "Sequence"), {})
    if first.get("type") == "Metaspace":
        first["prepend_scheme"] = "never"
        first.pop("add_prefix_space", None)  # as older files say it
    if first.get("type") == "ByteLevel":
        first["add_prefix_space"] = False
