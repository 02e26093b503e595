"""The contract of a model, as checks.

from pentad.testing import ModelConformance

class TestMine(ModelConformance):
    name = "mine"
    options = {"width": 16}  # small, so that checks take milliseconds
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, get_args

import safetensors.torch
import torch
from torch import Tensor
from torch.nn import functional as F

from pentad.contracts.model import Model, Output, Role
from pentad.system.errors import EngineError
from pentad.testing.conformance import Conformance, require

BATCH = 3


class ModelConformance(Conformance):
    """Checks of a model, on tiny inputs, on the CPU, in fp32.

    Most checks run on a model whose parameters have been stirred with noise (or, without parameters, that has counted a random
    text): at the start many models compute nothing yet, and faults would not show.

    Attributes:
        vocab_size, context_length: what the factory is called with.
        tolerance: how far two ways to the same logits may be apart; fp32 sums in another order differ by about 1e-6.
    """

    kind = "model"
    vocab_size: ClassVar[int] = 29
    context_length: ClassVar[int] = 16
    tolerance: ClassVar[float] = 1e-4

    def fresh(self, seed: int = 0) -> Model:
        """Return a new model in evaluation mode."""
        torch.manual_seed(seed)
        model: Model = self.factory()(self.parsed_options(), vocab_size=self.vocab_size, context_length=self.context_length)
        model.eval()
        model.causal = "causal" in model.attention
        return model

    def stirred(self) -> Model:
        """Return a model in which every parameter matters."""
        model = self.fresh()
        if not list(model.parameters()):
            for seed in range(3):
                model.learn_by_counting(self.tokens(seed), self.tokens(seed + 10), None)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.2 * torch.randn_like(parameter))
        return model

    def tokens(self, seed: int = 0, batch: int = BATCH, length: int | None = None) -> Tensor:
        """Return random ids (B, T)."""
        generator = torch.Generator().manual_seed(seed)
        return torch.randint(self.vocab_size, (batch, length or self.context_length), generator=generator)

    def segments(self) -> Tensor:
        """Return document numbers (B, T): three documents in the first row, two in the second, one in the last."""
        length = self.context_length
        segments = torch.zeros(BATCH, length, dtype=torch.int64)
        segments[0, length // 4 :] += 1
        segments[0, length // 2 + 1 :] += 1
        segments[1, length // 2 :] += 1
        return segments

    def compare(self, found: Tensor, expected: Tensor, message: str) -> None:
        """Fail with the message and the distance unless two tensors are the same within the tolerance."""
        found, expected = found.detach(), expected.detach()
        require(found.shape == expected.shape, f"{message}; the shapes are {tuple(found.shape)} and {tuple(expected.shape)}")
        scale = max(1.0, float(expected.abs().max()))
        distance = float((found - expected).abs().max()) / scale
        require(distance <= self.tolerance, f"{message}; they differ by {distance:.2g} of the largest logit")

    def check_attributes(self) -> None:
        """`vocab_size`, `context_length` and `attention` are set."""
        model = self.fresh()
        require(isinstance(model, Model), "the factory must return a pentad.Model; inherit from it")
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
        model = self.stirred()
        features = model(self.tokens()).features
        expected = model.logits(features)
        found = torch.stack([model.logits(features[:, position]) for position in range(features.shape[1])], dim=1)
        self.compare(found, expected, "logits must look at one position's features only: all at once and one by one must agree")

    def check_finite_at_start(self) -> None:
        """Logits of a fresh model are finite."""
        require(bool(_logits(self.fresh(), self.tokens()).isfinite().all()), "logits at the start hold NaN or infinity")

    def check_starts_near_uniform(self) -> None:
        """A fresh model knows nothing: its loss is near log V."""
        loss, uniform = _loss(self.fresh(), self.tokens(), self.tokens(1)).item(), math.log(self.vocab_size)
        message = (
            f"the loss at the start is {loss:.2f}, expected about log V = {uniform:.2f}; start with smaller weights in the head"
        )
        require(abs(loss - uniform) < 1.0, message)

    def check_seeded(self) -> None:
        """The same seed of torch's generator gives the same parameters."""
        first, second = self.fresh(seed=5).state_dict(), self.fresh(seed=5).state_dict()
        for name, tensor in first.items():
            require(
                torch.equal(tensor, second[name]), f"{name} differs under the same seed; draw it from torch's global generator"
            )

    def check_reads_its_input(self) -> None:
        """The logits at a position depend on the token there."""
        model, inputs = self.stirred(), self.tokens()
        before, after = _logits(model, inputs), _logits(model, _changed(inputs, -1))
        require(not torch.equal(before[:, -1], after[:, -1]), "the last token does not change the last logits; read it")

    def check_causal(self) -> None:
        """A change at position t leaves all logits before t as they were."""
        model, inputs = self.stirred(), self.tokens()
        if not model.causal:
            return
        before = _logits(model, inputs)
        for position in range(1, self.context_length):
            after = _logits(model, _changed(inputs, position))
            message = f"a change of token {position} changes logits before it: the model looks ahead; mask what comes later"
            self.compare(after[:, :position], before[:, :position], message)

    def check_shorter_row(self) -> None:
        """The beginning of a row alone has the logits that it has in the whole row."""
        model, inputs = self.stirred(), self.tokens()
        if not model.causal:
            return
        half = self.context_length // 2
        message = "the first half of a row must have the same logits alone and with the second half behind it"
        self.compare(_logits(model, inputs[:, :half]), _logits(model, inputs)[:, :half], message)

    def check_looks_both_ways(self) -> None:
        """With `causal` set to False, a model that lists bidirectional attention sees what comes later."""
        model, inputs = self.stirred(), self.tokens()
        if "bidirectional" not in model.attention:
            return
        model.causal = False
        before, after = _logits(model, inputs), _logits(model, _changed(inputs, -1))
        message = (
            "attention lists bidirectional, but with causal = False the last token changes nothing before it; obey `causal`"
        )
        require(not torch.equal(before[:, :-1], after[:, :-1]), message)

    def check_step_by_step(self) -> None:
        """One token at a time from a state gives the same logits as all at once."""
        self._compare_steps([1] * self.context_length, "one token at a time")

    def check_prefill_then_step(self) -> None:
        """A prompt at once, then one token at a time, gives the same logits as all at once."""
        prompt = self.context_length // 2
        self._compare_steps([prompt] + [1] * (self.context_length - prompt), f"{prompt} tokens at once, then one at a time,")

    def check_prefill_in_chunks(self) -> None:
        """A prompt in several pieces gives the same logits as all at once."""
        third = self.context_length // 3
        self._compare_steps([third, third, self.context_length - 2 * third], "several tokens at a time, in pieces,")

    def _compare_steps(self, lengths: Sequence[int], how: str) -> None:
        model, inputs = self.stirred(), self.tokens()
        if not model.causal:
            return
        found = _logits_in_pieces(model, inputs, lengths)
        message = (
            f"{how} from a state must give the same logits as all at once; look at positions, masks and what the state keeps"
        )
        self.compare(found, _logits(model, inputs), message)

    def check_state_selects(self) -> None:
        """Where the state offers `select`, rows picked from it, also twice, go on as if they had been read so."""
        model, inputs = self.stirred(), self.tokens()
        half, rows = self.context_length // 2, torch.tensor([2, 0, 2, 1])
        if not model.causal or not hasattr(model.initial_state(BATCH, self.context_length), "select"):
            return
        with torch.no_grad():
            for lengths in ([half], [half - 1, 1]):
                state = model.initial_state(BATCH, self.context_length)
                for piece in inputs[:, :half].split(lengths, dim=1):
                    state = model(piece, state).state
                state = state.select(rows)
                others = self.tokens(2, len(rows))[:, half:]  # a row that comes twice goes on in two ways
                pieces = []
                for piece in others.split(1, dim=1):
                    output = model(piece, state)
                    state = output.state
                    pieces.append(model.logits(output.features))
                found = torch.cat(pieces, dim=1)
                expected = _logits(model, torch.cat((inputs[rows, :half], others), dim=1))[:, half:]
                self.compare(
                    found, expected, "after state.select(rows) the logits must be those of these rows, each on its own"
                )

    def check_state_truncates(self) -> None:
        """Where the state offers `truncate`, it forgets the newest tokens as if they had never been read."""
        model, inputs = self.stirred(), self.tokens()
        half = self.context_length // 2
        if not model.causal or not hasattr(model.initial_state(BATCH, self.context_length), "truncate"):
            return
        with torch.no_grad():
            state = model(self.tokens()[:, :half], model.initial_state(BATCH, self.context_length)).state
            state = model(self.tokens(4)[:, half:-1], state).state.truncate(half)
            found = model.logits(model(inputs[:, half:], state).features)
        self.compare(
            found, _logits(model, inputs)[:, half:], "after state.truncate(n) the state must be that of the first n tokens"
        )

    def check_losses(self) -> None:
        """Auxiliary losses are finite single numbers with a gradient, and there are none in evaluation."""
        model = self.stirred()
        require(not model(self.tokens()).losses, "in evaluation `losses` must be empty")
        for name, loss in model.train()(self.tokens()).losses.items():
            require(loss.shape == (), f"the loss {name} must be one number, found shape {tuple(loss.shape)}")
            require(bool(loss.isfinite()), f"the loss {name} is {loss.item()}")
            require(loss.requires_grad, f"the loss {name} has no gradient; do not detach it")

    def check_states_are_apart(self) -> None:
        """A state made later starts empty, and two states do not touch each other."""
        model, inputs, other = self.stirred(), self.tokens(), self.tokens(1)
        if not model.causal:
            return
        half = self.context_length // 2
        expected, expected_other = _logits(model, inputs), _logits(model, other)
        first = model.initial_state(BATCH, self.context_length)
        first = model(inputs[:, :half], first).state
        second = model.initial_state(BATCH, self.context_length)
        features = model(other[:, :half], second).features
        message = "a new state must start empty; make it in initial_state and keep nothing of it in the model"
        self.compare(model.logits(features), expected_other[:, :half], message)
        features = model(inputs[:, half:], first).features
        message = "a state must not change when another one is used; keep it in what initial_state returns, not in the model"
        self.compare(model.logits(features), expected[:, half:], message)

    def check_no_leak_between_calls(self) -> None:
        """A call without a state starts afresh: nothing is left of earlier calls, in evaluation and in training mode."""
        model, inputs = self.stirred(), self.tokens()
        for training in (False, True):
            model.train(training)
            before = _logits_of_itself(model, inputs)
            _logits_of_itself(model, self.tokens(1))
            message = "the same ids give other logits after a call with other ids; start each call without a state from nothing"
            self.compare(_logits_of_itself(model, inputs), before, message)

    def check_rows_apart(self) -> None:
        """Rows of a batch do not touch each other, in evaluation and in training mode."""
        model, inputs = self.stirred(), self.tokens()
        changed = torch.cat((self.tokens(1)[:1], inputs[1:]))
        for training in (False, True):
            model.train(training)
            before, after = _logits(model, inputs), _logits(model, changed)
            mode = "training" if training else "evaluation"
            message = f"in {mode} mode a change of row 0 changes other rows; normalise within a position, not over the batch"
            self.compare(after[1:], before[1:], message)

    def check_any_batch_size(self) -> None:
        """A row has the same logits alone and in a batch."""
        model, inputs = self.stirred(), self.tokens()
        found = torch.cat([_logits(model, row[None]) for row in inputs])
        self.compare(found, _logits(model, inputs), "a row must have the same logits alone and in a batch")

    def check_segments_apart(self) -> None:
        """A change in one document leaves the logits of the others in its row as they were, before and behind it."""
        model = self.stirred()
        for attention in sorted(model.attention):
            model.causal = attention == "causal"
            self._compare_documents(model)

    def _compare_documents(self, model: Model) -> None:
        inputs, segments = self.tokens(), self.segments()
        before = _logits(model, inputs, segments)
        for row, numbers in enumerate(segments[:2]):  # the last row is one document
            for number in range(int(numbers.max()) + 1):
                inside = numbers == number
                changed = inputs.clone()
                changed[row, inside] = (changed[row, inside] + 1) % self.vocab_size
                after = _logits(model, changed, segments)
                message = (
                    f"a change in document {number} of a row changes the logits of another; attend and carry within `segments`"
                )
                self.compare(after[row, ~inside], before[row, ~inside], message)

    def check_one_segment(self) -> None:
        """Rows of one document have the same logits with `segments` and without."""
        model, inputs = self.stirred(), self.tokens()
        found = _logits(model, inputs, torch.zeros_like(inputs))
        self.compare(found, _logits(model, inputs), "segments of all zeros must give the same logits as None")

    def check_gradients(self) -> None:
        """Every parameter gets a gradient, without segments and with them, at the latest in the third step."""
        for segments in (None, self.segments()):
            model = self.fresh()
            reached: set[str] = set()
            for _ in _training(model, self.tokens(), self.tokens(1), segments, steps=3):
                named = model.named_parameters()
                reached |= {name for name, value in named if value.grad is not None and bool(value.grad.any())}
            missing = [name for name, _ in model.named_parameters() if name not in reached]
            how = "without segments" if segments is None else "with segments"
            message = f"{', '.join(missing)}: no gradient {how}; use each parameter in forward or logits, or make it a buffer"
            require(not missing, message)

    def check_learns(self) -> None:
        """A short pattern, repeated, is learned: 30 steps of AdamW (or of counting) lower the loss."""
        model = self.fresh()
        pattern = torch.arange(4).repeat(self.context_length)[: self.context_length + 1].expand(BATCH, -1)
        inputs, targets = pattern[:, :-1].contiguous(), pattern[:, 1:].contiguous()
        start = _loss(model, inputs, targets).item()
        for _ in _training(model, inputs, targets, None, steps=30):
            pass
        end = _loss(model.eval(), inputs, targets).item()
        require(end < 0.9 * start, f"30 steps on a pattern of four tokens move the loss from {start:.2f} to {end:.2f} only")

    def check_saves_and_loads(self) -> None:
        """All that was learned is in `state_dict`, under one name each, and survives safetensors."""
        model, inputs = self.stirred(), self.tokens()
        saved = model.state_dict()
        for name, tensor in saved.items():
            twins = [
                other for other in saved if other < name and saved[other].data_ptr() == tensor.data_ptr() and tensor.numel()
            ]
            advice = "tie weights by using one parameter in two places, not by giving it two names"
            require(not twins, f"state_dict holds one tensor as {name} and {', '.join(twins)}; {advice}")
            require(tensor.is_contiguous(), f"{name} is not contiguous in memory; store it so")
        other = self.fresh(seed=1)
        other.load_state_dict(safetensors.torch.load(safetensors.torch.save(saved)))
        message = "after saving and loading the logits differ; keep all that is learned in parameters or persistent buffers"
        self.compare(_logits(other, inputs), _logits(model, inputs), message)

    def check_roles(self) -> None:
        """`roles` gives each parameter one of the roles, under the name that `named_parameters` gives it."""
        model = self.fresh()
        roles, names = model.roles(), {name for name, _ in model.named_parameters()}
        require(set(roles) == names, f"roles must name every parameter; the two lists differ in {sorted(set(roles) ^ names)}")
        wrong = {name: role for name, role in roles.items() if role not in get_args(Role)}
        require(not wrong, f"{wrong}: a role is one of {', '.join(get_args(Role))}")

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

    def check_lower_precision(self) -> None:
        """Under bf16 autocast, as on GPUs, logits are finite and near those of fp32, also step by step."""
        model, inputs = self.stirred(), self.tokens()
        expected = _logits(model, inputs)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = [_logits(model, inputs).float()]
            if model.causal:
                found.append(_logits_in_pieces(model, inputs, [self.context_length - 1, 1]).float())
        scale = max(1.0, float(expected.abs().max()))
        for logits in found:
            near = bool(logits.isfinite().all()) and float((logits - expected).abs().mean()) < 0.05 * scale
            require(near, "under bf16 autocast the logits are far from those of fp32; keep sums, norms and angles in fp32")


def _logits(model: Model, inputs: Tensor, segments: Tensor | None = None) -> Tensor:
    """Return the logits of a copy, so that a model that keeps something between calls fails the check for that and no other."""
    return _logits_of_itself(copy.deepcopy(model), inputs, segments)


@torch.no_grad()
def _logits_of_itself(model: Model, inputs: Tensor, segments: Tensor | None = None) -> Tensor:
    torch.manual_seed(0)  # the same dropout in each call, if there is any
    return model.logits(model(inputs, None, segments).features)


@torch.no_grad()
def _logits_in_pieces(model: Model, inputs: Tensor, lengths: Sequence[int]) -> Tensor:
    model = copy.deepcopy(model)
    state = model.initial_state(len(inputs), inputs.shape[1])
    found = []
    for piece in inputs.split(list(lengths), dim=1):
        output = model(piece, state)
        state = output.state
        require(state is not None, "forward with a state must return the state after its tokens, found None")
        found.append(model.logits(output.features))
    return torch.cat(found, dim=1)


def _loss(model: Model, inputs: Tensor, targets: Tensor, segments: Tensor | None = None) -> Tensor:
    output = model(inputs, None, segments)
    loss = F.cross_entropy(model.logits(output.features).flatten(0, 1), targets.flatten())
    for auxiliary in output.losses.values():
        loss = loss + auxiliary
    return loss


def _training(model: Model, inputs: Tensor, targets: Tensor, segments: Tensor | None, steps: int) -> Iterator[None]:
    """Train on one batch; yield after each step, when the gradients still stand."""
    model.train()
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=0.01) if parameters else None
    for _ in range(steps):
        if optimizer is None:
            model.learn_by_counting(inputs, targets, segments)
        else:
            optimizer.zero_grad()
            _loss(model, inputs, targets, segments).backward()
            optimizer.step()
        yield


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
