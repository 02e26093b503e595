"""What this distribution offers; light, so that listing it reads no text."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Corpus, hookimpl


@hookimpl
def engine_corpora() -> Sequence[Corpus]:
    return [
        Corpus(
            name="python-docs",
            summary="The language reference that this Python ships: prose and code, 0.4 MB; it differs by version.",
            factory="pentad_python_docs.corpus:documents",
        )
    ]
