"""What this distribution offers; light, so that listing it imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Observer, hookimpl


@hookimpl
def engine_observers() -> Sequence[Observer]:
    return [
        Observer(
            name="spike-guard",
            summary="Lowers the learning rate, or stops, when the loss spikes.",
            factory="pentad_spike_guard.guard:SpikeGuard",
            options="pentad_spike_guard.options:SpikeGuardOptions",
        )
    ]
