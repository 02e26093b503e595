"""The format contract: other projects' model files, written from a run and read into one.

A format's factory is called as `factory(options)`. `engine export RUN --format NAME --out DIR` calls `write`, `engine import
PATH --format NAME --out DIR` calls `read` and makes a run of what comes back: one that has learned elsewhere, and can generate,
be scored on a text, and be started from.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from pentad.config.recipe import Choice
    from pentad.contracts.model import Model
    from pentad.contracts.tokenizer import Tokenizer
    from pentad.contracts.vocabulary import Vocabulary


@dataclass(frozen=True, kw_only=True, eq=False)
class Trained:
    """A trained model, as a format writes it.

    Args:
        tokenizer, vocabulary: as trained.
        tokenizer_choice: the tokenizer by name, with all its options.
        model: on the CPU in float32; an adapter is merged.
        model_choice: the model by name, with all its options.
        context_length: tokens of a training example.
    """

    tokenizer: Tokenizer
    tokenizer_choice: Choice
    vocabulary: Vocabulary
    model: Model
    model_choice: Choice
    context_length: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Imported:
    """What a format reads.

    Args:
        tokenizer: by name, with options; `tokenizer_folder` holds its files, as its `load` reads them.
        tokenizer_folder: may lie within what is imported; it is copied.
        model: by name, with options.
        tensors: the model's parameters and buffers by name, as its `load_state_dict` takes them.
        context_length: the most tokens in a row.
    """

    tokenizer: Choice
    tokenizer_folder: Path
    model: Choice
    tensors: Mapping[str, Tensor]
    context_length: int


class ModelFormat(ABC):
    """Reads and writes model files of another project.

    Promises, checked by the conformance kit: what `write` writes, `read` reads as the same model: the same ids of a text, and
    the same logits to rounding. Nothing that it reads can run code: no pickle.
    """

    def supports(self, trained: Trained) -> str:
        """Return why this model cannot be written, in one sentence; an empty text when it can."""
        del trained
        return ""

    @abstractmethod
    def write(self, trained: Trained, folder: Path) -> None:
        """Write a model into an empty folder."""

    def read(self, path: Path) -> Imported:
        """Read a model.

        Raises:
            UsageError: there is none of this format at the path, or it is of a kind that no installed model computes.
        """
        raise NotImplementedError(f"{type(self).__name__} only writes: {path} cannot be read")
