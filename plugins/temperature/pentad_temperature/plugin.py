"""What this distribution offers; light, so that listing it imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Implementation, hookimpl


@hookimpl
def engine_samplers() -> Sequence[Implementation]:
    return [
        Implementation(
            name="temperature",
            summary="Draw from the whole distribution, sharpened or flattened.",
            source="Ackley, Hinton and Sejnowski, A Learning Algorithm for Boltzmann Machines, 1985",
            factory="pentad_temperature.sampler:Temperature",
            options="pentad_temperature.options:TemperatureOptions",
        )
    ]
