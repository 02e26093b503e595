"""Learn a part of a model and freeze the rest: the head, the last blocks, the gains and biases.

Blocks are the entries of the model's `nn.ModuleList` with the most parameters, which is how stacks of layers are written.
"""

from __future__ import annotations

from torch import nn

from pentad import Model, ModelAdapter, UsageError
from pentad_adapters.options import FreezeOptions


class Freeze(ModelAdapter):
    """Freezes all but what the options name; core refuses what leaves nothing to learn."""

    def __init__(self, options: FreezeOptions) -> None:
        self.options = options

    def apply(self, model: Model) -> None:
        """Freeze.

        Raises:
            UsageError: blocks are named and the model has none, or fewer.
        """
        roles = model.roles()
        learned = {role for role, wanted in (("head", self.options.head), ("vector", self.options.norms)) if wanted}
        blocks = _blocks(model, self.options.blocks) if self.options.blocks else []
        model.requires_grad_(False)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(roles[name] in learned)
        for block in blocks:
            block.requires_grad_(True)

    def merge(self, model: Model) -> None:
        """Do nothing: what was learned are the model's own parameters."""


def _blocks(model: Model, number: int) -> list[nn.Module]:
    """Return the last blocks of a model.

    Raises:
        UsageError: it has fewer.
    """
    lists = [list(module) for module in model.modules() if isinstance(module, nn.ModuleList)]
    blocks = max(lists, key=lambda found: sum(p.numel() for block in found for p in block.parameters()), default=[])
    if len(blocks) < number:
        raise UsageError(
            f"--adapter.blocks must be at most the blocks of the model, {len(blocks)}; found {number}.",
            "Lower it, or name the head or the gains instead: --adapter.head, --adapter.norms.",
            code="too-few-blocks",
        )
    return blocks[len(blocks) - number :]
