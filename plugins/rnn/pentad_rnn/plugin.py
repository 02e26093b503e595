"""What this distribution offers; light, so that listing it imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Implementation, hookimpl


@hookimpl
def engine_models() -> Sequence[Implementation]:
    return [
        Implementation(
            name="rnn",
            summary="Recurrent network: reads token by token and carries a state of fixed size. LSTM, GRU or plain cell.",
            source="Hochreiter and Schmidhuber, Long Short-Term Memory, 1997; GRU: Cho et al., 2014; plain: Elman, 1990",
            compare_with=("gpt", "ngram"),
            factory="pentad_rnn.model:make",
            options="pentad_rnn.options:RNNOptions",
            advise="pentad_rnn.sizing:advise",
        )
    ]
