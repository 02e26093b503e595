"""The loss of a reward model: pairs by Bradley and Terry (1952), as in InstructGPT (Ouyang et al., 2022).

The reward of an answer is one logit at its last token: that of `<|reward|>`, a special token that is never read or drawn. Its
row in the head is the value head, so any model can be one, and a checkpoint or an adapter holds it like any other row.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from pentad import IGNORED, Loss, Net, Objective, TensorBatch
from pentad_preferences.options import RewardModelOptions


class BradleyTerry(Objective):
    """Minus log sigmoid of the difference between the rewards of a pair, less its margin.

    A batch marks the token at which an answer is judged by the reward's token as its target.
    """

    dropout = False
    name = "bradley-terry"

    def __init__(self, options: RewardModelOptions) -> None:
        self.options = options

    def loss(self, net: Net, batch: TensorBatch) -> Loss:
        """Return the loss summed over pairs, how often the preferred answer has the higher reward, and by how much."""
        chosen, judged = rewards_of(net, batch.inputs, batch.targets)  # (B,), (B,)
        rejected, also = rewards_of(net, batch.extra["inputs"], batch.extra["targets"])
        counted = judged & also
        total = self.losses(chosen, rejected)[counted].sum()
        difference = (chosen - rejected).detach()[counted]
        metrics = {"reward-accuracy": (difference > 0).float().sum(), "reward-margin": difference.sum()}
        return Loss(total=total, count=counted.sum(), metrics=metrics)

    def losses(self, chosen: Tensor, rejected: Tensor) -> Tensor:
        """Return the loss (B,) of the rewards (B,) of both answers.

        With `center` above 0 the squared sum of a pair's rewards is added, which keeps their mean near 0 (Eisenstein et al.,
        2023).
        """
        return -F.logsigmoid(chosen - rejected - self.options.margin) + self.options.center * (chosen + rejected) ** 2


def rewards_of(net: Net, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return the reward (B,) of each row at the token that is marked, 0 where none is, and which rows are marked (B,)."""
    marked = targets != IGNORED  # (B, T), one a row
    judged = marked.any(dim=1)
    at = marked.int().argmax(dim=1)  # (B,)
    rows = torch.arange(len(inputs), device=inputs.device)
    features = net(inputs).features[rows, at]  # (B, D)
    ids = targets[rows, at].clamp(min=0)
    rewards = net.logits(features).gather(1, ids[:, None])[:, 0]
    return torch.where(judged, rewards, 0.0), judged
