"""The losses of pairs, each a function of the margin between the preferred answer and the other one.

With a reference the margin is beta * (log p(chosen) - log ref(chosen) - log p(rejected) + log ref(rejected)), the
log-probabilities summed over an answer. SimPO has no reference, and takes their means.

| loss | of the margin h | source |
|---|---|---|
| sigmoid | -(1 - e) log sigmoid(h) - e log sigmoid(-h), e the label smoothing | DPO, Rafailov et al., 2023; cDPO, Mitchell |
| ipo | (h / beta - 1 / (2 beta))^2 | Azar et al., 2023 |
| hinge | max(0, 1 - h) | SLiC, Zhao et al., 2023 |
| simpo | -log sigmoid(h - target margin) | Meng et al., 2024 |

The first starts at ln 2, since the model begins as the reference.

ORPO (Hong et al., 2024) has no reference either. It learns the preferred answer itself, and adds beta times -log sigmoid of
the log odds ratio: log (p / (1 - p)) of the preferred answer less that of the other one, p being the mean probability of a
token. So it also takes the place of supervised tuning. The paper's likelihood is that of prompt and answer; here it is the
answer's.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from pentad import IGNORED, Loss, Net, Objective, TensorBatch
from pentad_preferences.options import DPOOptions


class Preference(Objective):
    """The loss of pairs; a batch holds the preferred answers in `inputs` and `targets`, the others in `extra`."""

    dropout = False  # two passes are compared, which must differ by the weights alone
    name = "preference"

    def __init__(self, options: DPOOptions) -> None:
        self.options = options
        self.needs_reference = options.loss not in ("simpo", "orpo")

    def loss(self, net: Net, batch: TensorBatch) -> Loss:
        """Return the loss summed over pairs, how often the preferred answer wins, and by how much (the margin, in nats)."""
        chosen = self._reward(net, batch.inputs, batch.targets)  # (B,)
        rejected = self._reward(net, batch.extra["inputs"], batch.extra["targets"])
        counted = _any(batch.targets) & _any(batch.extra["targets"])
        margin = self.options.beta * self.difference(chosen, rejected)
        metrics = {
            "preference-accuracy": ((margin > 0) & counted).float().sum(),
            "preference-margin": margin.detach()[counted].sum(),
        }
        losses = self.losses(margin / self.options.beta) if self.options.loss == "orpo" else self.losses(margin)
        if self.options.loss == "orpo":
            losses = self.options.beta * losses - chosen
            metrics["nll"] = -chosen.detach()[counted].sum()
        return Loss(total=losses[counted].sum(), count=counted.sum(), metrics=metrics)

    def difference(self, chosen: Tensor, rejected: Tensor) -> Tensor:
        """Return by how much the preferred answers (B,) lead: the difference of what `_reward` gives, for orpo of log odds."""
        if self.options.loss != "orpo":
            return chosen - rejected
        odds = [answer - torch.log(-torch.expm1(answer.clamp(max=-1e-6))) for answer in (chosen, rejected)]
        return odds[0] - odds[1]

    def losses(self, margin: Tensor) -> Tensor:
        """Return the loss (B,) of each margin (B,)."""
        options = self.options
        if options.loss == "ipo":
            return (margin / options.beta - 1 / (2 * options.beta)) ** 2
        if options.loss == "hinge":
            return F.relu(1 - margin)
        if options.loss == "simpo":
            return -F.logsigmoid(margin - options.target_margin)
        wrong = options.label_smoothing
        return -(1 - wrong) * F.logsigmoid(margin) - wrong * F.logsigmoid(-margin)

    def _reward(self, net: Net, inputs: Tensor, targets: Tensor) -> Tensor:
        """Return the log-probability of each answer (B,): above that of the reference, or its mean where there is none."""
        total = net.logprobs(net(inputs).features, targets).sum(dim=1)
        if not self.needs_reference:
            return total / (targets != IGNORED).sum(dim=1).clamp(min=1)
        assert net.reference is not None
        with torch.no_grad():
            before = net.reference.logprobs(net.reference(inputs).features, targets).sum(dim=1)
        return total - before


def _any(targets: Tensor) -> Tensor:
    return (targets != IGNORED).any(dim=1)
