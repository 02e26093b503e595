"""The one template: a token that says who speaks, what is said, a token that ends the turn.

    <|system|>Be brief.<|end_of_turn|><|user|>2 + 2?<|end_of_turn|><|assistant|>4<|end_of_turn|>

These are ChatML's turns with one token in the place of each spelled marker. The four are ids behind the tokenizer's own, so no
text becomes one of them, however it is spelled. Learned are what the assistant says and the token that ends its turn.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pentad import Record, Span, SpecialToken, UsageError

ROLES = ("system", "user", "assistant")
END_OF_TURN = "end_of_turn"

SPECIAL_TOKENS = (*(SpecialToken(name=role) for role in ROLES), SpecialToken(name=END_OF_TURN, drawable=True, stops=True))
"""In the order of their ids: what opens the turn of each role, then what ends a turn."""

Message = Mapping[str, str]

_KEYS_HINT = (
    'A line of a .jsonl file holds {"messages": [{"role": "user", "content": …}, …]}, {"prompt": …, "completion": …} or '
    '{"instruction": …, "input": …, "output": …}.'
)


def messages_of(record: Record, advice: str = "") -> list[Message]:
    """Return the messages of a record: of `messages`, `prompt` and `completion`, or `instruction`, `input` and `output`.

    Args:
        record: a record of the text.
        advice: what the hint of the error says besides; the options of builders differ.

    Raises:
        UsageError: the record has other keys, or no messages.
    """
    if isinstance(record, Mapping):
        if record.get("messages"):
            return list(record["messages"])
        if "prompt" in record and "completion" in record:
            return [*as_messages(record["prompt"], "user"), *as_messages(record["completion"], "assistant")]
        if "instruction" in record and "output" in record:
            question = "\n\n".join(filter(None, (record["instruction"], record.get("input", ""))))
            return [{"role": "user", "content": question}, {"role": "assistant", "content": record["output"]}]
    found = f"the keys {', '.join(record)}" if isinstance(record, Mapping) else "plain text"
    raise UsageError(
        f"A conversation must have messages, prompt and completion, or instruction and output. Found {found}:"
        f" {excerpt(record)}",
        f"{_KEYS_HINT} {advice}".strip(),
        code="record-keys",
    )


def as_messages(value: str | Sequence[Message], role: str) -> list[Message]:
    """Return a text as one message of a role, and messages as they are."""
    return [{"role": role, "content": value}] if isinstance(value, str) else list(value)


def turns(messages: Sequence[Message], *, learn: bool = True) -> Iterator[Span]:
    """Yield the spans of messages.

    Args:
        messages: with `role` and `content`.
        learn: whether the assistant's turns are learned.

    Raises:
        UsageError: a role is unknown.
    """
    for message in messages:
        role = message.get("role", "")
        if role not in ROLES:
            raise UsageError(
                f"The role of a message must be {', '.join(ROLES[:-1])} or {ROLES[-1]}; found {role!r}: {excerpt(message)}",
                "Rename it, or leave the message out.",
                code="unknown-role",
            )
        learned = learn and role == "assistant"
        yield Span(special=role, learn=False)
        yield Span(message["content"], learn=learned)
        yield Span(special=END_OF_TURN, learn=learned)


def excerpt(value: Any) -> str:
    """Return the beginning of a record, by which it can be found in its file."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = " ".join(text.split())
    return text if len(text) <= 80 else f"{text[:79]}…"
