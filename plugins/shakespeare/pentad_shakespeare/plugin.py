"""What this distribution offers; light, so that listing it reads no text."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Corpus, hookimpl


@hookimpl
def engine_corpora() -> Sequence[Corpus]:
    return [
        Corpus(
            name="shakespeare",
            summary="Scenes from Shakespeare's plays, 1.1 MB, public domain: tinyshakespeare, as char-rnn and nanoGPT use it. "
            "Its last tenth is held out, byte for byte as in nanoGPT.",
            factory="pentad_shakespeare.corpus:documents",
        )
    ]
