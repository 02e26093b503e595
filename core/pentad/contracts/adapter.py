"""The adapter contract: a change to a model after it is made and loaded.

An adapter's factory is called as `factory(options)`. It freezes parameters, inserts small ones (LoRA) or prepends some (soft
prompts). Roles and `blocks()` say where, so that an adapter works with any model.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pentad.contracts.model import Model


class ModelAdapter(ABC):
    """A change to a model.

    Promises: right after `apply` the model's logits are what they were; after `merge` they are what they were before it, to
    rounding, and the model has the parameters that it had before `apply`.
    """

    @abstractmethod
    def apply(self, model: Model) -> None:
        """Change the model in place: freeze (`requires_grad_(False)`), and add what is trained instead."""

    @abstractmethod
    def merge(self, model: Model) -> None:
        """Fold what was trained into the model's own parameters, in place, for export."""
