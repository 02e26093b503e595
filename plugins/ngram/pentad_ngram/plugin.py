"""What this distribution offers; light, so that listing it imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Implementation, hookimpl


@hookimpl
def engine_models() -> Sequence[Implementation]:
    return [
        Implementation(
            name="ngram",
            summary="Counts of n-grams, smoothed by Kneser and Ney: no parameters, one pass; the baseline to beat.",
            source="Chen and Goodman, An Empirical Study of Smoothing Techniques, 1999; Kneser and Ney, 1995",
            compare_with=("gpt", "rnn"),
            factory="pentad_ngram.model:Ngram",
            options="pentad_ngram.options:NgramOptions",
            advise="pentad_ngram.sizing:advise",
        )
    ]
