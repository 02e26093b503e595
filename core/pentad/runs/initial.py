"""The model with which a training begins: new, or with weights of another run, kept in the folder of this one and adapted."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from pentad.contracts.adapter import ModelAdapter
from pentad.contracts.builder import ExampleBuilder
from pentad.contracts.model import Model
from pentad.contracts.vocabulary import Vocabulary
from pentad.registry.resolving import Resolved
from pentad.runs.checkpoint import MODEL, differing, put_tensors, unshared
from pentad.runs.folder import START
from pentad.system.errors import EngineError, UsageError
from pentad.system.files import hold_whole, write_whole
from pentad.system.machine import Machine


def make_model(resolved: Resolved, vocabulary: Vocabulary, builder: ExampleBuilder, machine: Machine) -> Model:
    """Return the recipe's model with the initial parameters of its seed, on the machine's device.

    Raises:
        UsageError: the builder needs an attention, or heads for further tokens, that the model cannot have.
    """
    training = resolved.recipe.training
    torch.manual_seed(training.seed)
    length = training.context_length + prepended(resolved, vocabulary)
    model: Model = resolved.offers["model"].make(
        resolved.options["model"], vocab_size=vocabulary.size, context_length=length, vocabulary=vocabulary
    )
    if builder.attention not in model.attention:
        raise UsageError(
            f"The builder {resolved.offers['builder'].name} needs {builder.attention} attention; "
            f"the model {resolved.offers['model'].name} can do: {', '.join(sorted(model.attention))}.",
            _advice(builder, started=resolved.recipe.start.run is not None),
            code="attention-mismatch",
        )
    model.causal = builder.attention == "causal"
    if builder.tokens_ahead:
        model.predict_ahead(builder.tokens_ahead)
    return model.to(machine.device)


def _advice(builder: ExampleBuilder, *, started: bool) -> str:
    # A model that the run starts from comes along, and cannot be chosen.
    fitting = "Choose a --builder that hides tokens" if builder.attention == "causal" else "Choose another --builder"
    return f"{fitting}." if started else f"{fitting} (engine plugins lists them), or another --model."


def save_initial(tensors: Mapping[str, Tensor], folder: Path) -> None:
    """Write the weights as `folder`, which is whole or absent.

    Raises:
        OSError, SafetensorError: the disk is full or not writable.
    """
    write_whole(folder, lambda place: save_file(unshared(tensors), place / MODEL))


def restore_initial(run: Path, model: Model) -> bool:
    """Put the weights into a run's model; say whether there are any.

    Raises:
        EngineError: they are damaged or do not fit.
    """
    folder = run / START
    if not folder.is_dir():
        return False
    try:
        with hold_whole(folder) as files:
            tensors = model.upgrade_state(load_file(files.path(MODEL)))
    except (SafetensorError, OSError) as error:
        raise EngineError(f"{folder / MODEL} is damaged: {error}", "Use a copy of the run.", code="file-damaged") from None
    if differing(model, tensors):
        raise EngineError(
            f"{folder} does not fit the model of its recipe.", "Use a copy of the run.", code="checkpoint-mismatch"
        )
    put_tensors(model, tensors)
    return True


def frozen_copy(model: Model) -> Model:
    """Return a copy of a model that learns no more and drops nothing."""
    replica = copy.deepcopy(model).to(next(model.parameters()).device)  # tells cuDNN's layers to put their weights in one piece
    return replica.eval().requires_grad_(False)


def prepended(resolved: Resolved, vocabulary: Vocabulary) -> int:
    """Return how many positions the recipe's adapter puts before each document; 0 where it names none."""
    offer = resolved.offers.get("adapter")
    if offer is None:
        return 0
    adapter: ModelAdapter = offer.make(resolved.options["adapter"], vocabulary=vocabulary)
    return adapter.prepended


def adapt(model: Model, resolved: Resolved, vocabulary: Vocabulary) -> ModelAdapter | None:
    """Change a model as the recipe's adapter says; None where it names none.

    Raises:
        UsageError: the adapter leaves nothing to learn.
    """
    offer = resolved.offers.get("adapter")
    if offer is None:
        return None
    adapter: ModelAdapter = offer.make(resolved.options["adapter"], vocabulary=vocabulary)
    device = next(model.parameters()).device
    torch.manual_seed(resolved.recipe.training.seed)
    model.cpu()  # what an adapter makes, it makes there, from the same random numbers for every device
    adapter.apply(model)
    model.to(device)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise UsageError(
            f"The adapter {offer.name} must leave something to learn; found every parameter frozen.",
            "Change its options, or use another --adapter.",
            code="nothing-to-learn",
        )
    return adapter


def frozen_by(model: Model, adapter: ModelAdapter | None) -> frozenset[str]:
    """Name the parameters that a checkpoint need not hold: those that an adapter froze stand with the initial weights."""
    if adapter is None:
        return frozenset()
    return frozenset(name for name, parameter in model.named_parameters() if not parameter.requires_grad)
