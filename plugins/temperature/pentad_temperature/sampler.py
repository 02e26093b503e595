"""The whole distribution, with logits divided by a temperature: Ackley, Hinton and Sejnowski, Boltzmann Machines, 1985."""

from __future__ import annotations

from torch import Tensor

from pentad import Sampler, tempered_softmax
from pentad_temperature.options import TemperatureOptions


class Temperature(Sampler):
    """Draw from the whole distribution."""

    def __init__(self, options: TemperatureOptions) -> None:
        self.temperature = options.temperature

    def probabilities(self, logits: Tensor, tokens: Tensor) -> Tensor:
        """Return the softmax of the logits divided by the temperature."""
        return tempered_softmax(logits, self.temperature)  # (B, V)
