"""The contract of formats, as checks on a model of theirs.

from pentad.testing import FormatConformance

class TestMine(FormatConformance):
    name = "mine"

    def trained(self):
        return Trained(tokenizer=…, model=…, …)  # small, of a kind that the format can hold

Without `trained` nothing can be checked but that the format can be made.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch

from pentad.config.options import parse
from pentad.contracts.format import Imported, ModelFormat, Trained
from pentad.contracts.model import Model
from pentad.contracts.tokenizer import Tokenizer
from pentad.registry.catalogue import Catalogue
from pentad.testing.conformance import Conformance, NotChecked, require

_TEXT = "Two cats sat on a mat; ô très bien."
_TOLERANCE = 1e-4


class FormatConformance(Conformance):
    """Checks of a format."""

    kind = "format"

    def trained(self) -> Trained:
        """Return a small trained model of a kind that the format can hold.

        Raises:
            NotChecked: unless it is overridden.
        """
        raise NotChecked("which models it can hold is not known; give the test class `trained`")

    def format(self) -> ModelFormat:
        """Make the format under test."""
        made = self.make()
        require(isinstance(made, ModelFormat), f"the factory must return a ModelFormat, found a {type(made).__name__}")
        return made  # type: ignore[no-any-return]

    def check_can_be_made(self) -> None:
        """The factory returns a format."""
        self.format()

    def check_supports_says_why_not(self) -> None:
        """`supports` returns an empty text for a model that the format can hold."""
        reason = self.format().supports(self.trained())
        require(isinstance(reason, str), f"supports must return a text, found {reason!r}; return '' where it can be written")
        require(not reason, f"supports says of the model of `trained`: {reason}")

    def check_writing_changes_nothing(self) -> None:
        """The model's weights stay as they are."""
        trained = self.trained()
        before = {name: tensor.clone() for name, tensor in trained.model.state_dict().items()}
        with tempfile.TemporaryDirectory() as folder:
            self.format().write(trained, Path(folder))
            require(any(Path(folder).iterdir()), "write has written nothing")
        same = all(torch.equal(tensor, before[name]) for name, tensor in trained.model.state_dict().items())
        require(same, "write changes the model's weights")

    def check_reads_what_it_wrote(self) -> None:
        """What was written is read as the same model: the same ids of a text, and the same logits to rounding."""
        trained, format = self.trained(), self.format()
        if type(format).read is ModelFormat.read:
            raise NotChecked("it only writes")
        with tempfile.TemporaryDirectory() as folder:
            format.write(trained, Path(folder))
            imported = format.read(Path(folder))
            require(isinstance(imported, Imported), f"read must return an Imported, found a {type(imported).__name__}")
            tokenizer = self._tokenizer(imported)
            ids, expected = tokenizer.encode(_TEXT), trained.tokenizer.encode(_TEXT)
            require(np.array_equal(ids, expected), "the tokenizer that is read gives other ids of a text")
            inputs = torch.from_numpy(expected.astype(np.int64))[None, : trained.context_length]
            with torch.no_grad():
                model = self._model(imported, trained)
                found, wanted = model.logits(model(inputs).features), trained.model.logits(trained.model(inputs).features)
            distance = float((found - wanted).abs().max()) if found.shape == wanted.shape else float("inf")
            require(distance <= _TOLERANCE, f"the model that is read gives other logits, by up to {distance:.2g}")

    def _tokenizer(self, imported: Imported) -> Tokenizer:
        offer = Catalogue().find("tokenizer", imported.tokenizer.name)
        tokenizer: Tokenizer = offer.make(parse(offer.options, imported.tokenizer.options, "tokenizer"))
        tokenizer.load(imported.tokenizer_folder)
        return tokenizer

    def _model(self, imported: Imported, trained: Trained) -> Model:
        offer = Catalogue().find("model", imported.model.name)
        model: Model = offer.make(
            parse(offer.options, imported.model.options, "model"),
            vocab_size=trained.vocabulary.size,
            context_length=imported.context_length,
            vocabulary=trained.vocabulary,
        )
        model.load_state_dict(dict(imported.tensors))
        return model.eval()
