"""The Python language reference as a corpus: one document a topic of `pydoc_data.topics`, no text twice."""

from __future__ import annotations

from collections.abc import Iterator
from pydoc_data.topics import topics


def documents() -> Iterator[str]:
    """Yield one document a topic, in the order of their names; the same on every call."""
    for name in sorted(topics):
        yield topics[name]
