"""What this distribution offers; light, so that listing it imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Implementation, hookimpl


@hookimpl
def engine_optimizers() -> Sequence[Implementation]:
    return [
        Implementation(
            name="adafactor",
            summary="Adafactor: one number for each row and column in place of a second moment.",
            factory="pentad_optimizers.adafactor:adafactor",
            options="pentad_optimizers.options:AdafactorOptions",
            advise="pentad_optimizers.sizing:advise",
        ),
        Implementation(
            name="lion",
            summary="Lion: the sign of a running mean of the gradient.",
            factory="pentad_optimizers.lion:lion",
            options="pentad_optimizers.options:LionOptions",
            advise="pentad_optimizers.sizing:advise",
        ),
        Implementation(
            name="schedule-free",
            summary="AdamW without a schedule: the mean of its weights is judged and saved.",
            factory="pentad_optimizers.schedule_free:schedule_free",
            options="pentad_optimizers.options:ScheduleFreeOptions",
            advise="pentad_optimizers.sizing:advise",
        ),
        Implementation(
            name="sgd",
            summary="Stochastic gradient descent with momentum.",
            factory="pentad_optimizers.sgd:sgd",
            options="pentad_optimizers.options:SGDOptions",
            advise="pentad_optimizers.sizing:advise",
        ),
        Implementation(
            name="soap",
            summary="SOAP: Adam in the eigenbasis of Shampoo's preconditioner.",
            factory="pentad_optimizers.soap:soap",
            options="pentad_optimizers.options:SOAPOptions",
            advise="pentad_optimizers.sizing:advise",
        ),
    ]
