"""The adapter contract: what changes a trained model so that little of it, or something beside it, is learned.

An adapter's factory is called as `factory(options)`; it gets `vocabulary` too where it names it. Core calls `apply` on a model
that has the weights of the run that a new one starts from (`--start`), with torch's generator seeded, before the optimizer is
made. A checkpoint then holds what the adapter left trainable and what it inserted; the rest stands once in the run's folder.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pentad.contracts.model import Model


class ModelAdapter(ABC):
    """A change of a model: what is frozen, inserted or prepended.

    Promises, each checked by the conformance kit:

    - The adapted model keeps the model's contract; something in it is left to learn.
    - `apply` makes the same change for the same seed, so that a checkpoint fits a model that was made anew.
    - Where the change can begin as nothing (LoRA), the adapted model computes what the model did.
    - After `merge` the model has the parameters that it had before `apply`, by name and shape, and computes to rounding what
      the adapted one did.
    """

    prepended: int = 0
    """Positions that it puts before each document: core makes the model for so many more than the context has. Known as soon as
    the adapter is made."""

    @abstractmethod
    def apply(self, model: Model) -> None:
        """Change a model in place.

        What shall stay as it is gets `requires_grad = False`; what is inserted must be parameters or buffers of the model.
        """

    @abstractmethod
    def merge(self, model: Model) -> None:
        """Fold what was learned into the model's own parameters, and take out what was inserted.

        Raises:
            EngineError: what was learned cannot be folded into them (a prompt of vectors).
        """
