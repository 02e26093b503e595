"""The contract of a model, as checks.

from pentad.testing import ModelConformance

class TestMine(ModelConformance):
    name = "mine"
    options = {"width": 16}  # small, so that checks take milliseconds
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import get_args

import safetensors.torch
import torch
from torch import Tensor
from torch.nn import functional as F

from pentad.contracts.model import Inspection, Model, Role
from pentad.runs.checkpoint import Checkpoint, TrainingState
from pentad.testing.conformance import require
from pentad.testing.stages.model_shapes import ShapeChecks
from pentad.testing.stages.model_states import StateChecks
from pentad.testing.stages.model_subject import BATCH, logits_in_pieces, logits_of


class ModelConformance(StateChecks, ShapeChecks):
    """Checks of a model, on tiny inputs, on the CPU, in fp32.

    Most checks run on a model whose parameters have been perturbed by noise (or, without parameters, that has counted a random
    text): at the start many models compute nothing yet, and faults would not show.

    Attributes:
        vocab_size, context_length: what the factory is called with.
        tolerance: how far two ways to the same logits may be apart; fp32 sums in another order differ by about 1e-6.
    """

    def check_finite_at_start(self) -> None:
        """Logits of a fresh model are finite."""
        require(bool(logits_of(self.fresh(), self.tokens()).isfinite().all()), "logits at the start hold NaN or infinity")

    def check_starts_near_uniform(self) -> None:
        """A fresh model knows nothing: its loss is near log V."""
        loss, uniform = loss_of(self.fresh(), self.tokens(), self.tokens(1)).item(), math.log(self.vocab_size)
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

    def check_losses(self) -> None:
        """Auxiliary losses are finite single numbers with a gradient, and there are none in evaluation."""
        model = self.perturbed()
        require(not model(self.tokens()).losses, "in evaluation `losses` must be empty")
        for name, loss in model.train()(self.tokens()).losses.items():
            require(loss.shape == (), f"the loss {name} must be one number, found shape {tuple(loss.shape)}")
            require(bool(loss.isfinite()), f"the loss {name} is {loss.item()}")
            require(loss.requires_grad, f"the loss {name} has no gradient; do not detach it")

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
        start = loss_of(model, inputs, targets).item()
        for _ in _training(model, inputs, targets, None, steps=30):
            pass
        end = loss_of(model.eval(), inputs, targets).item()
        require(end < 0.9 * start, f"30 steps on a pattern of four tokens move the loss from {start:.2f} to {end:.2f} only")

    def check_saves_and_loads(self) -> None:
        """All that was learned is in `state_dict`, under one name each, and survives safetensors."""
        model, inputs = self.perturbed(), self.tokens()
        saved = model.state_dict()
        for name, tensor in saved.items():
            twins = [
                other for other in saved if other < name and saved[other].data_ptr() == tensor.data_ptr() and tensor.numel()
            ]
            advice = "tie weights by using one parameter in two places, not by giving it two names"
            require(not twins, f"state_dict holds one tensor as {name} and {', '.join(twins)}; {advice}")
            require(tensor.is_contiguous(), f"{name} is not contiguous in memory; store it so")
        other = self.fresh(seed=1)
        _save_and_restore(saved, other)
        message = "after saving and loading the logits differ; keep all that is learned in parameters or persistent buffers"
        self.compare(logits_of(other, inputs), logits_of(model, inputs), message)

    def check_roles(self) -> None:
        """`roles` gives each parameter one of the roles, under the name that `named_parameters` gives it."""
        model = self.fresh()
        roles, names = model.roles(), {name for name, _ in model.named_parameters()}
        require(set(roles) == names, f"roles must name every parameter; the two lists differ in {sorted(set(roles) ^ names)}")
        wrong = {name: role for name, role in roles.items() if role not in get_args(Role)}
        require(not wrong, f"{wrong}: a role is one of {', '.join(get_args(Role))}")

    def check_kernels(self) -> None:
        """Each way to compute that `kernels` names gives the logits of the first, also with segments."""
        model, inputs = self.perturbed(), self.tokens()
        usual = {name: ways[0] for name, ways in model.kernels().items()}
        for segments in (None, self.segments()):
            expected = logits_of(model, inputs, segments)
            for name, ways in model.kernels().items():
                for way in ways[1:]:
                    model.use_kernels({**usual, name: way})
                    message = f"with the kernel {name} = {way} the logits differ from those with {ways[0]}"
                    self.compare(logits_of(model, inputs, segments), expected, message)
            model.use_kernels(usual)

    def check_inspects_what_it_computes(self) -> None:
        """What `inspect` shows is what `forward` computes: the last stream is its features, attention and gates are shares."""
        model, row = self.perturbed().eval(), self.tokens()[0]
        with torch.no_grad():
            shown = model.inspect(row)
        require(isinstance(shown, Inspection), f"inspect must return a pentad.Inspection, found {type(shown).__name__}")
        if shown.streams:
            *_, last = shown.streams.values()
            message = "the last of the streams that inspect shows must be the features that forward returns"
            self.compare(model.logits(last)[None], logits_of(model, row[None]), message)
        for name, weights in shown.attention.items():
            square = weights.ndim == 3 and weights.shape[1:] == (len(row), len(row))
            require(square, f"the attention of {name} must be (heads, T, T), found {tuple(weights.shape)}")
            whole = torch.allclose(weights.sum(-1), torch.ones(weights.shape[:2]), atol=1e-4)
            require(whole and bool((weights >= 0).all()), f"the attention of {name} must be shares that sum to 1 in each row")
            ahead = model.causal and bool(weights.triu(1).any())
            require(not ahead, f"the attention of {name} looks ahead, and the model is causal")
        for name, gate in shown.gates.items():
            found = gate.ndim == 2 and len(gate) == len(row) and bool(((gate >= 0) & (gate <= 1)).all())
            require(found, f"the gate {name} must be (T, units) from 0 to 1")

    def check_lower_precision(self) -> None:
        """Under bf16 autocast, as on GPUs, logits are finite and near those of fp32, also step by step."""
        model, inputs = self.perturbed(), self.tokens()
        expected = logits_of(model, inputs)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = [logits_of(model, inputs).float()]
            if model.causal:
                found.append(logits_in_pieces(model, inputs, [self.context_length - 1, 1]).float())
        scale = max(1.0, float(expected.abs().max()))
        for logits in found:
            near = bool(logits.isfinite().all()) and float((logits - expected).abs().mean()) < 0.05 * scale
            require(near, "under bf16 autocast the logits are far from those of fp32; keep sums, norms and angles in fp32")


def _save_and_restore(saved: Mapping[str, Tensor], model: Model) -> None:
    """Take a model through a checkpoint, where buffers may have grown."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        safetensors.torch.save_file(dict(saved), folder / "model.safetensors")
        state = TrainingState(step=0, seconds=0.0, tokens=0, steps=None, tokenizer="")
        Checkpoint(folder, state, {}, ()).restore_model(model)


def loss_of(model: Model, inputs: Tensor, targets: Tensor, segments: Tensor | None = None) -> Tensor:
    """Return the mean cross-entropy () in nats, auxiliary losses added."""
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
            loss_of(model, inputs, targets, segments).backward()
            optimizer.step()
        yield
