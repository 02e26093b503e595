"""Proves the contract of objectives with a reference (`Objective.needs_reference`): direct preference optimisation.

engine run --plugin examples/contracts/dpo.py --start runs/base --builder dpo --data pairs.jsonl

Each line of the file is a record, {"prompt": "…", "chosen": "…", "rejected": "…"}. The loss is -log sigmoid of beta times
how much more the model prefers the chosen answer than the reference does (Rafailov et al., 2023). It begins at ln 2, since the
model then is the reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from pentad import (
    IGNORED,
    Batch,
    Document,
    ExampleBuilder,
    Implementation,
    Loss,
    Net,
    Objective,
    Record,
    Span,
    TensorBatch,
    Tokens,
    UsageError,
    hookimpl,
    option,
    shuffled,
)


@dataclass(frozen=True, kw_only=True)
class DPOOptions:
    """How far the model may move away from the reference."""

    beta: float = option(0.1, "Weight of the reference: a larger one keeps the model closer to it.", gt=0)


class Preference(Objective):
    """The loss of pairs; a batch holds all chosen answers in `inputs` and `targets`, the rejected ones in `extra`."""

    dropout = False  # the two passes must differ by the weights alone
    needs_reference = True
    name = "preference"

    def __init__(self, beta: float) -> None:
        self.beta = beta

    def loss(self, net: Net, batch: TensorBatch) -> Loss:
        """Return the loss summed over the pairs, how often the chosen answer wins, and by how much (in nats)."""
        assert net.reference is not None
        chosen = self._gain(net, net.reference, batch.inputs, batch.targets)  # (B,)
        rejected = self._gain(net, net.reference, batch.extra["inputs"], batch.extra["targets"])
        margin = self.beta * (chosen - rejected)
        metrics = {"preference-accuracy": (margin > 0).float().sum(), "preference-margin": margin.detach().sum()}
        return Loss(total=-F.logsigmoid(margin).sum(), count=len(margin), metrics=metrics)

    def _gain(self, net: Net, reference: Net, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return how much likelier each answer (B,) is than under the reference, in nats."""
        with torch.no_grad():
            before = reference.logprobs(reference(inputs).features, targets).sum(dim=1)
        return net.logprobs(net(inputs).features, targets).sum(dim=1) - before


class Pairs(ExampleBuilder):
    """A pair is two documents of one record, the chosen answer first; each is a row, padded."""

    evaluators = ()

    def __init__(self, options: DPOOptions, *, context_length: int, vocab_size: int, end_of_text: int) -> None:
        del vocab_size
        self.options, self.context_length, self.end_of_text = options, context_length, end_of_text

    def render(self, record: Record) -> Iterator[Document]:
        """Yield the prompt with the chosen answer, and with the rejected one.

        Raises:
            UsageError: the record is no pair.
        """
        keys = ("prompt", "chosen", "rejected")
        if not isinstance(record, Mapping) or not all(isinstance(record.get(key), str) for key in keys):
            raise UsageError(
                "The builder dpo learns from records with prompt, chosen and rejected; found one without.",
                'Each line of a .jsonl file holds one object, {"prompt": …, "chosen": …, "rejected": …}.',
                code="record-keys",
            )
        for key in ("chosen", "rejected"):
            yield Document((Span(record["prompt"], learn=False), Span(record[key])))

    def count(self, tokens: Tokens) -> int:
        """Return the number of pairs."""
        return max(0, len(tokens.starts) - 1) // 2

    def build(self, tokens: Tokens, indices: npt.NDArray[np.int64], seed: int | None) -> Batch:
        """Return the chosen answers (B, T), and in `extra` the rejected ones."""
        _, pairs = shuffled(indices, self.count(tokens), seed)
        inputs, targets = self._rows(tokens, 2 * pairs)
        other, others = self._rows(tokens, 2 * pairs + 1)
        return Batch(inputs=inputs, targets=targets, extra={"inputs": other, "targets": others})

    def _rows(self, tokens: Tokens, documents: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        first, last = tokens.starts[documents][:, None], tokens.starts[documents + 1][:, None] - 1
        at = first + np.arange(self.context_length)  # (B, T)
        inside, ids = at < last, np.asarray(tokens.ids)
        at = np.minimum(at, last - 1)
        learned = inside if tokens.learn is None else inside & np.asarray(tokens.learn)[at + 1]
        inputs = np.where(inside, ids[at].astype(np.int64), self.end_of_text)
        return inputs, np.where(learned, ids[at + 1].astype(np.int64), IGNORED)

    def objective(self) -> Preference:
        """Return the loss of pairs."""
        return Preference(self.options.beta)


@hookimpl
def engine_example_builders() -> Sequence[Implementation]:
    """Offer the builder with its objective."""
    return [
        Implementation(name="dpo", summary="Pairs of answers; the better one is preferred.", factory=Pairs, options=DPOOptions)
    ]
