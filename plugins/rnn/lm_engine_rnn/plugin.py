"""What this distribution offers; light, so that listing it imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

from lm_engine import Implementation, hookimpl


@hookimpl
def engine_models() -> Sequence[Implementation]:
    return [
        Implementation(
            name="rnn",
            summary="Recurrent network: reads token by token and carries a state of fixed size. LSTM, GRU or plain cell.",
            factory="lm_engine_rnn.model:RNN",
            options="lm_engine_rnn.options:RNNOptions",
        )
    ]
