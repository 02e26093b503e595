"""What this distribution offers; light, so that listing it imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Implementation, hookimpl


@hookimpl
def engine_optimizers() -> Sequence[Implementation]:
    return [
        Implementation(
            name="muon",
            summary="Muon for the matrices, AdamW for embedding, head, biases and gains.",
            factory="pentad_muon.optimizer:muon",
            options="pentad_muon.options:MuonOptions",
            advise="pentad_muon.sizing:advise",
        ),
        Implementation(
            name="normuon",
            summary="Muon whose updates are as large in every row; AdamW as beside Muon.",
            factory="pentad_muon.optimizer:muon",
            options="pentad_muon.options:NorMuonOptions",
            advise="pentad_muon.sizing:advise",
        ),
    ]
