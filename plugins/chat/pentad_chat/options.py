"""The options of the builder."""

from __future__ import annotations

from dataclasses import dataclass

from pentad import option


@dataclass(frozen=True, kw_only=True)
class ChatOptions:
    """What may stand in the data beside conversations."""

    plain_text: bool = option(
        False, "Learn records of plain text as well, all of it, as pretraining does; otherwise they are refused."
    )
