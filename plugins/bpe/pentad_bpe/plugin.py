"""What this distribution offers; light, so that listing it imports neither tokenizers nor tiktoken."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Implementation, hookimpl


@hookimpl
def engine_tokenizers() -> Sequence[Implementation]:
    return [
        Implementation(
            name="bpe",
            summary="Byte-pair encoding trained on your text; encodes fast, through tiktoken.",
            source="Sennrich et al., Neural Machine Translation of Rare Words, 2016; on bytes: Radford et al., 2019",
            factory="pentad_bpe.tokenizer:BPE",
            options="pentad_bpe.options:BPEOptions",
            advise="pentad_bpe.sizing:advise",
        ),
        Implementation(
            name="tiktoken",
            summary="A published vocabulary from a .tiktoken file: cl100k_base, o200k_base, any other.",
            source="OpenAI, tiktoken, the library",
            factory="pentad_bpe.published:Tiktoken",
            options="pentad_bpe.options:TiktokenOptions",
            example="pentad_bpe.ranks:example",
        ),
    ]
