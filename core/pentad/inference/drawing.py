"""Drawing: one id per sequence from a distribution, by a generator of its own."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pentad.system.errors import EngineError


def generator_of(seed: int, index: int) -> np.random.Generator:
    """Return the generator of a sequence, by the seed and its number."""
    return np.random.Generator(np.random.Philox(key=_key(seed, index)))


def _key(seed: int, index: int) -> npt.NDArray[np.uint64]:
    return np.array([seed % 2**64, index], dtype=np.uint64)  # a list of them would pass through floats


def check_distribution(probabilities: object, logits: Tensor, banned: Tensor | None) -> None:
    """Make sure that each row is a distribution over the allowed ids.

    Raises:
        EngineError: it is not; says what was found.
    """
    found = ""
    if not isinstance(probabilities, Tensor):
        found = type(probabilities).__name__
    elif probabilities.shape != logits.shape or not probabilities.is_floating_point():
        found = f"{probabilities.dtype} of shape {tuple(probabilities.shape)} for {tuple(logits.shape)}"
    else:
        facts = [*probabilities.sum(dim=-1).aminmax(), probabilities.amin()]
        if banned is not None:
            facts.append(torch.where(banned, probabilities, 0.0).amax())
        lowest, highest, least, *forbidden = torch.stack(facts).tolist()  # one wait for the device
        if lowest > 0.99 and highest < 1.01 and least >= 0 and not any(forbidden):  # NaN fails each of them
            return
        found = f"sums from {lowest:.3g} to {highest:.3g}, the smallest {least:.3g}"
        found += ", and some on ids that must not be drawn" if any(forbidden) else ""
    raise EngineError(
        f"The sampler must return a distribution over the ids in each row; found {found}.",
        "Use another --sampler; the model may also have diverged (engine evaluate tells).",
        code="not-a-distribution",
    )


def draw(probabilities: Tensor, generators: list[np.random.Generator]) -> Tensor:
    """Draw one id per row (B,) by inverting the cumulated probabilities (B, V), in double precision."""
    if probabilities.device.type == "mps":
        probabilities = probabilities.cpu()  # mps has no double precision
    cumulated = probabilities.double().cumsum(dim=-1)
    total = cumulated[:, -1:]
    uniform = torch.tensor([generator.random() for generator in generators], dtype=torch.float64, device=cumulated.device)
    # The first id whose cumulated probability exceeds the draw: ids with probability 0 never do. Kept below the total, since
    # rounding could lift the draw to it, which no id exceeds.
    wanted = torch.minimum(uniform[:, None] * total, torch.nextafter(total, torch.zeros_like(total)))
    return torch.searchsorted(cumulated, wanted, right=True).flatten()
