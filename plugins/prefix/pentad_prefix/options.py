"""Options of this distribution, in a module that is imported only when one of them is chosen or shown."""

from __future__ import annotations

from dataclasses import dataclass

from pentad import option


@dataclass(frozen=True, kw_only=True)
class PrefixOptions:
    """Which prefixes are learned from."""

    min_prefix: int = option(
        0, "Fewest tokens of the document in a prefix; 0 also learns its first token, from the end-of-text before it.", ge=0
    )
