"""Records with keys: what `.jsonl` files and plugins may yield in place of plain text.

A mapping with "text" is that text, and is cut and streamed like any other. One of the other sets of keys
(`pentad.contracts.records`) travels as a unit to the example builder, whose `render` makes documents of it: it is never cut
at the held-out border, and its size is that of `text_of(record)`. Keys outside the set are left out, so that an identifier
is never taken for text; what a message holds beside its role and content is kept.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from pentad.contracts.records import text_of
from pentad.data.pieces import Piece, clean, cut
from pentad.system.errors import UsageError

KEY_SETS = (
    ("messages",),
    ("prompt", "completion", "reward"),
    ("prompt", "completion"),
    ("prompt", "chosen", "rejected"),
    ("instruction", "input", "output"),
    ("instruction", "output"),
)
"""The sets of keys beside "text"; the first whose keys are all there is taken."""

_STRINGS = ("instruction", "input", "output")
"""Keys whose values are texts, and never lists of messages."""

RECORD_HINT = (
    "Name the key that holds the text: --text-key KEY. "
    'Records for fine-tuning have "messages"; "prompt" and "completion"; "prompt", "chosen" and "rejected"; '
    'or "instruction", "input" and "output".'
)
_MESSAGES_HINT = 'Messages are a list like [{"role": "user", "content": "2 + 2?"}].'


def record_pieces(value: Mapping[str, Any], where: str, text_key: str = "") -> Iterator[Piece]:
    """Yield the pieces of one record: one with all of it, or as many as its plain text needs; none without any text.

    Args:
        value: of JSON values.
        where: the file and line, or the plugin, for messages.
        text_key: the key of the text, in place of "text" and the sets of keys.

    Raises:
        UsageError: no set of keys is there, or a value has another form.
    """
    key = text_key or "text"
    if key in value:
        text = value[key]
        if text is not None and not isinstance(text, str):
            raise UsageError(
                f"{where} must have a string under {_quoted(key)}; found {kind_of(text)}.", RECORD_HINT, code="document-format"
            )
        yield from cut([clean(text or "")])
        return
    keys = next((keys for keys in KEY_SETS if not text_key and _has(value, keys)), None)
    if keys is None:
        found = ", ".join(_quoted(key) for key in list(value)[:8]) or "none"
        raise UsageError(
            f"{where} has no key {_quoted(key)}; found the keys {found}.", _key_hint(value), code="document-format"
        )
    for key in keys:
        _check(value[key], key, where)
    record = {key: _cleaned(value[key]) for key in keys}
    text = text_of(record)
    if text.strip("\n"):
        yield Piece(text, True, record)


def _has(value: Mapping[str, Any], keys: tuple[str, ...]) -> bool:
    """Whether a record has a set of keys; a reward that is a number, as other projects write it, is no name of one."""
    return all(key in value for key in keys) and ("reward" not in keys or isinstance(value["reward"], str))


def _quoted(key: str) -> str:
    return json.dumps(key, ensure_ascii=False)


def _key_hint(value: Mapping[str, Any]) -> str:
    """Suggest the key with the longest text."""
    texts = {key: len(text) for key, text in value.items() if isinstance(text, str)}
    return RECORD_HINT.replace("KEY", shlex.quote(max(texts, key=lambda key: texts[key])), 1) if texts else RECORD_HINT


def _check(value: Any, key: str, where: str) -> None:
    if isinstance(value, str) and key != "messages":
        return
    if not isinstance(value, list) or key in _STRINGS:
        expected = "a list of messages" if key == "messages" else "a string or a list of messages"
        expected = "a string" if key in _STRINGS else expected
        raise UsageError(
            f'{where} must have {expected} under "{key}"; found {kind_of(value)}.', _MESSAGES_HINT, code="document-format"
        )
    for number, message in enumerate(value, 1):
        what = f'{where} must have objects with the strings "role" and "content" under "{key}"'
        if not isinstance(message, Mapping):
            raise UsageError(f"{what}; message {number} is {kind_of(message)}.", _MESSAGES_HINT, code="document-format")
        for part in ("role", "content"):
            if not isinstance(message.get(part), str):
                found = kind_of(message[part]) if part in message else "nothing"
                raise UsageError(
                    f'{what}; message {number} has {found} under "{part}".', _MESSAGES_HINT, code="document-format"
                )


def _cleaned(value: Any) -> Any:
    """Replace lone surrogates, which JSON can spell and UTF-8 cannot, everywhere in a value."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [_cleaned(part) for part in value]
    if isinstance(value, Mapping):
        return {clean(str(key)): _cleaned(part) for key, part in value.items()}
    return value


def canonical(record: Mapping[str, Any]) -> bytes:
    """Return the same bytes for equal records, and others than any text has: they start with a byte that UTF-8 never holds."""
    return b"\xff" + json.dumps(record, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def kind_of(value: Any) -> str:
    """Name a JSON value for messages."""
    kinds: dict[type, str] = {dict: "an object", list: "an array", str: "a string", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")
