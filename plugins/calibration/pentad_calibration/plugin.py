"""What this distribution offers; light, so that listing it imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Evaluator, hookimpl


@hookimpl
def engine_evaluators() -> Sequence[Evaluator]:
    return [
        Evaluator(
            name="calibration",
            summary="Whether tokens that a model holds for 70 percent sure come true 70 times in 100.",
            factory="pentad_calibration.evaluator:Calibration",
            options="pentad_calibration.options:CalibrationOptions",
        )
    ]
