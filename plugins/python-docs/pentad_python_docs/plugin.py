"""What this distribution offers; light, so that listing it reads no text."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Corpus, hookimpl


@hookimpl
def engine_corpora() -> Sequence[Corpus]:
    return [
        Corpus(
            name="python-docs",
            summary="The Python language reference that this interpreter ships: real English, offline, about 0.4 MB.",
            factory="pentad_python_docs.corpus:documents",
        )
    ]
