"""What this distribution offers; light, so that listing it imports no tiktoken."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Implementation, hookimpl


@hookimpl
def engine_tokenizers() -> Sequence[Implementation]:
    return [
        Implementation(
            name="gpt2",
            summary="GPT-2's published vocabulary: 50,257 ids, nothing to train, no network needed.",
            source="Radford et al., Language Models are Unsupervised Multitask Learners, 2019",
            factory="pentad_gpt2.tokenizer:GPT2",
        )
    ]
