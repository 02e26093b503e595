"""What a form says: a body of names and values, read without a library for uploads, which the studio has none of."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request

from pentad import UsageError

MOST_CHARACTERS = 200_000
"""Of a text that is shown piece by piece: a browser draws so many pieces in about a second."""

Form = Mapping[str, str]


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a form: those of the address, and of the body where there is one. The last of a name holds.

    Raises:
        UsageError: the body is not UTF-8, or has too many fields.
    """
    fields = dict(request.query_params)
    if request.method == "POST":
        body = await request.body()
        try:
            pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=1000, errors="strict")
        except ValueError as error:
            raise UsageError(f"The form must be UTF-8: {error}.", "Send the page's own form.", code="form-unreadable") from None
        fields.update(pairs)
    # A browser sends each line end of a text as two characters, by the rules of forms; the user typed one.
    return {name: value.replace("\r\n", "\n") for name, value in fields.items()}


def text_of(form: Form, name: str, most: int = MOST_CHARACTERS) -> str:
    """Return a text of a form.

    Raises:
        UsageError: it is longer than a page can show.
    """
    text = form.get(name, "")
    if len(text) > most:
        raise UsageError(
            f"The text may have at most {most:,} characters here; it has {len(text):,}.",
            "Leave a part of it, or use the command line.",
            code="text-too-long",
        )
    return text


def number_of(form: Form, name: str, default: int, low: int, high: int) -> int:
    """Return a whole number of a form, its default where the field is empty.

    Raises:
        UsageError: it is none, or out of bounds.
    """
    word = form.get(name, "").strip()
    try:
        value = int(word) if word else default
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise UsageError(
            f"{name.replace('_', ' ')} expects a whole number from {low:,} to {high:,}, found {word!r}.",
            "Change it in the form.",
            code="form-number",
        )
    return value
