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
            source="Jordan et al., Muon: An optimizer for hidden layers in neural networks, 2024",
            factory="pentad_muon.optimizer:muon",
            options="pentad_muon.options:MuonOptions",
            advise="pentad_muon.sizing:advise",
        ),
        Implementation(
            name="normuon",
            summary="Muon whose updates are as large in every row; AdamW as beside Muon.",
            source="Li et al., NorMuon: Making Muon more efficient and scalable, 2025",
            factory="pentad_muon.optimizer:muon",
            options="pentad_muon.options:NorMuonOptions",
            advise="pentad_muon.sizing:advise",
        ),
    ]
