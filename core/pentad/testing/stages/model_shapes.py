"""What a model's logits may depend on, and their shapes, as checks: causality, rows, documents, limits."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pentad.contracts.model import Model, Output
from pentad.system.errors import EngineError
from pentad.testing.conformance import require
from pentad.testing.stages.model_subject import BATCH, ModelSubject, logits_of, logits_of_itself


class ShapeChecks(ModelSubject):
    """Checks of shapes, and of what reaches which logits."""

    def check_attributes(self) -> None:
        """`vocab_size`, `context_length` and `attention` are set."""
        model = self.fresh()
        require(model.vocab_size == self.vocab_size, f"vocab_size is {model.vocab_size}; set it to the {self.vocab_size} given")
        known = model.context_length is None or model.context_length > 0
        require(known, f"context_length is {model.context_length}; set it to the one given, or None when there is no bound")
        wrong = set(model.attention) - {"causal", "bidirectional"}
        require(bool(model.attention) and not wrong, f"attention is {set(model.attention)}; list causal, bidirectional or both")

    def check_shapes(self) -> None:
        """Features are (B, T, D) and logits (…, V), also for one row and one token; without a state none comes back."""
        model = self.fresh()
        for batch, length in ((BATCH, self.context_length), (1, 1), (2, 3)):
            output = model(self.tokens(0, batch, length))
            require(isinstance(output, Output), f"forward must return a pentad.Output, found a {type(output).__name__}")
            features, state = output.features, output.state
            require(not output.losses, f"in evaluation `losses` must be empty, found {', '.join(output.losses)}")
            require(features.shape[:2] == (batch, length), f"features of ({batch}, {length}) ids are {tuple(features.shape)}")
            require(features.ndim == 3, f"features must be (B, T, D), found {features.ndim} dimensions")
            require(state is None, "forward without a state must return None as its state")
            for part in (features, features[:, -1], features[0, 0]):
                expected = (*part.shape[:-1], self.vocab_size)
                found = tuple(model.logits(part).shape)
                require(
                    found == expected, f"logits of features {tuple(part.shape)} are {found}; return (…, V), here {expected}"
                )

    def check_logits_by_position(self) -> None:
        """Logits of a part of the features are that part of the logits: core makes them in chunks."""
        model = self.perturbed()
        features = model(self.tokens()).features
        expected = model.logits(features)
        found = torch.stack([model.logits(features[:, position]) for position in range(features.shape[1])], dim=1)
        self.compare(found, expected, "logits must look at one position's features only: all at once and one by one must agree")

    def check_reads_its_input(self) -> None:
        """The logits at a position depend on the token there."""
        model, inputs = self.perturbed(), self.tokens()
        before, after = logits_of(model, inputs), logits_of(model, _changed(inputs, -1))
        require(not torch.equal(before[:, -1], after[:, -1]), "the last token does not change the last logits; read it")

    def check_causal(self) -> None:
        """A change at position t leaves all logits before t as they were."""
        model, inputs = self.perturbed(), self.tokens()
        if not model.causal:
            return
        before = logits_of(model, inputs)
        for position in range(1, self.context_length):
            after = logits_of(model, _changed(inputs, position))
            message = f"a change of token {position} changes logits before it: the model looks ahead; mask what comes later"
            self.compare(after[:, :position], before[:, :position], message)

    def check_shorter_row(self) -> None:
        """The beginning of a row alone has the logits that it has in the whole row."""
        model, inputs = self.perturbed(), self.tokens()
        if not model.causal:
            return
        half = self.context_length // 2
        message = "the first half of a row must have the same logits alone and with the second half behind it"
        self.compare(logits_of(model, inputs[:, :half]), logits_of(model, inputs)[:, :half], message)

    def check_looks_both_ways(self) -> None:
        """With `causal` set to False, a model that lists bidirectional attention sees what comes later."""
        model, inputs = self.perturbed(), self.tokens()
        if "bidirectional" not in model.attention:
            return
        model.causal = False
        before, after = logits_of(model, inputs), logits_of(model, _changed(inputs, -1))
        message = (
            "attention lists bidirectional, but with causal = False the last token changes nothing before it; obey `causal`"
        )
        require(not torch.equal(before[:, :-1], after[:, :-1]), message)

    def check_rows_apart(self) -> None:
        """Rows of a batch do not touch each other, in evaluation and in training mode."""
        model, inputs = self.perturbed(), self.tokens()
        changed = torch.cat((self.tokens(1)[:1], inputs[1:]))
        for training in (False, True):
            model.train(training)
            before, after = logits_of(model, inputs), logits_of(model, changed)
            mode = "training" if training else "evaluation"
            message = f"in {mode} mode a change of row 0 changes other rows; normalise within a position, not over the batch"
            self.compare(after[1:], before[1:], message)

    def check_any_batch_size(self) -> None:
        """A row has the same logits alone and in a batch."""
        model, inputs = self.perturbed(), self.tokens()
        found = torch.cat([logits_of(model, row[None]) for row in inputs])
        self.compare(found, logits_of(model, inputs), "a row must have the same logits alone and in a batch")

    def check_segments_apart(self) -> None:
        """A change in one document leaves the logits of the others in its row as they were, before and behind it."""
        model = self.perturbed()
        for attention in sorted(model.attention):
            model.causal = attention == "causal"
            self._compare_documents(model)

    def _compare_documents(self, model: Model) -> None:
        inputs, segments = self.tokens(), self.segments()
        before = logits_of(model, inputs, segments)
        for row, numbers in enumerate(segments[:2]):  # the last row is one document
            for number in range(int(numbers.max()) + 1):
                inside = numbers == number
                changed = inputs.clone()
                changed[row, inside] = (changed[row, inside] + 1) % self.vocab_size
                after = logits_of(model, changed, segments)
                message = (
                    f"a change in document {number} of a row changes the logits of another; attend and carry within `segments`"
                )
                self.compare(after[row, ~inside], before[row, ~inside], message)

    def check_one_segment(self) -> None:
        """Rows of one document have the same logits with `segments` and without."""
        model, inputs = self.perturbed(), self.tokens()
        found = logits_of(model, inputs, torch.zeros_like(inputs))
        self.compare(found, logits_of(model, inputs), "segments of all zeros must give the same logits as None")

    def check_no_leak_between_calls(self) -> None:
        """A call without a state starts afresh: nothing is left of earlier calls, in evaluation and in training mode."""
        model, inputs = self.perturbed(), self.tokens()
        for training in (False, True):
            model.train(training)
            before = logits_of_itself(model, inputs)
            logits_of_itself(model, self.tokens(1))
            message = "the same ids give other logits after a call with other ids; start each call without a state from nothing"
            self.compare(logits_of_itself(model, inputs), before, message)

    def check_refuses_too_long(self) -> None:
        """More tokens than `context_length`, in one call or through a state, are refused with an EngineError."""
        model = self.fresh()
        most = model.context_length
        if most is None:
            return
        too_long = self.tokens(0, 1, most + 1)
        _require_engine_error(lambda: model(too_long), f"{most + 1} tokens in one call")
        if model.causal:
            state = model(too_long[:, :-1], model.initial_state(1, most)).state
            _require_engine_error(lambda: model(too_long[:, -1:], state), f"token {most + 1} from a full state")


def _changed(inputs: Tensor, position: int) -> Tensor:
    changed = inputs.clone()
    changed[:, position] = (changed[:, position] + 1) % (int(inputs.max()) + 1)
    return changed


def _require_engine_error(call: Any, what: str) -> None:
    try:
        call()
    except EngineError:
        return
    except Exception as error:
        raise AssertionError(f"{what} must raise an EngineError that says the limit, found {type(error).__name__}") from None
    raise AssertionError(f"{what} must raise an EngineError, but nothing was raised; or set context_length to None")
