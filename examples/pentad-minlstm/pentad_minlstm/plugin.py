"""What this distribution offers; light, so that listing it imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Implementation, hookimpl


@hookimpl
def engine_models() -> Sequence[Implementation]:
    """Offer the model; the factory is imported only when a user chooses it."""
    return [
        Implementation(
            name="minlstm",
            summary="minLSTM: gates that look at the input alone, so that all tokens of a row are learned at once.",
            factory="pentad_minlstm.model:MinLSTM",
            options="pentad_minlstm.options:MinLSTMOptions",
        )
    ]
