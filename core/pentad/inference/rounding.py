"""Rounded weights for generation: asked for by name, and checked against the weights as trained."""

from __future__ import annotations

import torch
from torch import Tensor

from pentad.inference.drawing import draw, generator_of
from pentad.inference.session import ModelSession
from pentad.system.errors import EngineError, UsageError

LARGEST_DIFFERENCE = 0.05
"""By how much a logit may differ, as a share of the distance from the lowest to the highest of its place."""

_TEXTS, _TOKENS = 4, 24
"""Of what the model itself writes, for the check."""


def round_weights(session: ModelSession, name: str) -> float:
    """Let a session's model generate with rounded weights, and return by how much its logits differ then.

    Args:
        session: of the model; on a CPU, in fp32.
        name: of the format: `int8`.

    Raises:
        UsageError: the model does not offer it, the model is on another device, or it would not be faster.
        EngineError: the logits differ by more than `LARGEST_DIFFERENCE`; the weights are then as trained.
    """
    model, offered = session.model, session.model.generation_weights()
    if name not in offered:
        found = f"offers {', '.join(offered)}" if offered else "writes with its weights as trained only"
        raise UsageError(
            f"--weights {name} is for models that offer it; this {type(model).__name__} {found}.",
            f"Use --weights {offered[0]}." if offered else "Leave out --weights.",
            code="weights-not-offered",
        )
    if session.device.type != "cpu":
        raise UsageError(
            f"--weights {name} is for generation on a CPU; found {session.device.type}.",
            "Use --device cpu, or leave out --weights.",
            code="weights-not-here",
        )
    model.use_generation_weights(name)
    difference = logit_difference(session)
    if not difference <= LARGEST_DIFFERENCE:
        model.use_generation_weights(None)
        raise EngineError(
            f"With --weights {name} a logit may differ by {LARGEST_DIFFERENCE:.0%} of the distance from the lowest to the "
            f"highest; found {difference:.1%} in a text of the model's own.",
            "Leave out --weights.",
            code="weights-too-far",
        )
    return difference


@torch.inference_mode()
def logit_difference(session: ModelSession) -> float:
    """Return the largest difference between the logits of one token a row and those of all at once, in texts that it writes.

    It is a share of the distance from the lowest to the highest logit at the same place.
    """
    reader = session.fork()
    banned = torch.from_numpy(~session.vocabulary.drawable).to(session.device)
    generators = [generator_of(0, index) for index in range(_TEXTS)]
    logits = reader.prefill(session.prompt("").repeat(_TEXTS, 1), _TOKENS)
    step_by_step: list[Tensor] = []
    for _ in range(min(_TOKENS, (session.context_length or _TOKENS + 1) - 1)):
        probabilities = logits.masked_fill(banned, float("-inf")).softmax(dim=-1)
        logits = reader.extend(draw(probabilities, generators))
        step_by_step.append(logits)
    found = torch.stack(step_by_step, dim=1)  # (B, T, V)
    expected = session.model.logits(session.model(reader.tokens).features[:, -found.shape[1] :]).float()
    spread = expected.amax(dim=-1) - expected.amin(dim=-1)  # (B, T)
    return float(((found - expected).abs().amax(dim=-1) / spread.clamp_min(1e-6)).max())
