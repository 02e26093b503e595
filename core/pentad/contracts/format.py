"""The format contract: model files of other projects.

A format's factory is called as `factory(options)`. It is used by `engine export` and `engine import`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pentad.contracts.session import Session


class ModelFormat(ABC):
    """Files of another project.

    Promise: what is written and read again gives the same logits, to rounding.
    """

    @abstractmethod
    def write(self, session: Session, folder: Path) -> None:
        """Write a model and its tokenizer into an existing empty folder.

        Raises:
            UsageError: this model cannot be said in this format; names what it would need.
        """
