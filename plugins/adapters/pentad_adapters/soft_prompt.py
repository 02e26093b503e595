"""Prompt tuning (Lester et al., 2021): vectors in front of every document are learned, and the model stays.

- The vectors stand where the embeddings of so many further tokens would, before the first token of a document: the model is
  made for as many more positions (`ModelAdapter.prepended`), and its features there are dropped.
- They start as embeddings of ids of the text, drawn at random, which the paper finds better than noise. So the adapted model
  does not begin as the model: it begins as the model behind a few random words.
- Documents that share a row are read in rows of their own, each behind the vectors; a state reads the vectors once.
- The rows of special tokens are learned too, for the reason that `pentad_adapters.lora` gives.

The model is asked for nothing beyond its contract but to embed its inputs (B, T) by one `nn.Embedding`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pentad import EngineError, Model, ModelAdapter, Output, UsageError, Vocabulary
from pentad_adapters.lora import learn_special_rows
from pentad_adapters.options import SoftPromptOptions
from pentad_adapters.unpacking import unpacked


class SoftPrompt(ModelAdapter):
    """Learns vectors in front of the text, and freezes the model."""

    def __init__(self, options: SoftPromptOptions, *, vocabulary: Vocabulary | None = None) -> None:
        self.options, self.vocabulary = options, vocabulary
        self.prepended = options.length

    def apply(self, model: Model) -> None:
        """Freeze the model, and put the vectors before what it reads.

        Raises:
            UsageError: the model embeds its tokens by no `nn.Embedding`.
        """
        embedding = _embedding_of(model)
        special = model.token_parameters()
        model.requires_grad_(False)
        text = self.vocabulary.tokenizer_size if self.vocabulary is not None else model.vocab_size
        drawn = torch.randint(text, (self.options.length,)).to(embedding.weight.device)
        vectors = Vectors(embedding.weight[drawn].detach().clone())
        model.add_module("soft_prompt", vectors)
        embedding.register_forward_hook(vectors.put_in_front)
        model.__class__ = type(f"Prompted{type(model).__name__}", (Prompted, type(model)), {})
        if self.options.special_tokens:
            learn_special_rows(model, special, self.vocabulary)

    def merge(self, model: Model) -> None:
        """Refuse.

        Raises:
            EngineError: vectors in front of the text are no part of any matrix.
        """
        raise EngineError(
            "A soft prompt cannot be merged into the model: its vectors stand in front of the text.",
            "Use the run as it is, or --adapter lora, which can be merged.",
            code="not-mergeable",
        )


def _embedding_of(model: Model) -> nn.Embedding:
    """Return the embedding of a model's ids.

    Raises:
        UsageError: there is none, or there are several.
    """
    found = [module for module in model.modules() if isinstance(module, nn.Embedding)]
    found = [module for module in found if module.num_embeddings >= model.vocab_size] if len(found) > 1 else found
    if len(found) != 1:
        raise UsageError(
            f"A soft prompt needs a model with one nn.Embedding of its {model.vocab_size} ids; found {len(found)}.",
            "Use another --adapter, or another --model.",
            code="no-embedding",
        )
    return found[0]


class Vectors(nn.Embedding):
    """The vectors (length, D); an `nn.Embedding`, so that optimizers treat them as one."""

    in_front = False
    """Whether the inputs that are embedded now have as many positions in front."""

    def __init__(self, start: Tensor) -> None:
        super().__init__(start.shape[0], start.shape[1], _weight=start)

    def put_in_front(self, embedding: nn.Module, arguments: tuple[Tensor, ...], embedded: Tensor) -> Tensor | None:
        """Return embedded inputs (B, T, D) with the vectors in place of the first ones: a hook of the model's embedding."""
        del embedding, arguments
        if not self.in_front:
            return None
        vectors = self.weight.to(embedded.dtype).expand(len(embedded), -1, -1)
        return torch.cat([vectors, embedded[:, self.num_embeddings :]], dim=1)


class Prompted(Model):
    """A model that reads behind vectors: comes before the class of the model that is adapted."""

    soft_prompt: Vectors
    _inside = False  # whether the model's own code runs, which knows of as many positions more

    @property
    def context_length(self) -> int | None:  # type: ignore[override]
        """The tokens of the text that it can take: it was made for those and the vectors."""
        made_for: int | None = self.__dict__.get("context_length") or super().context_length
        return made_for if made_for is None or self._inside else made_for - self.soft_prompt.num_embeddings

    def forward(self, inputs: Tensor, state: Any = None, segments: Tensor | None = None) -> Output:
        """Return the features (B, T, D) of inputs (B, T), read behind the vectors, and the state after them."""
        if state is not None:
            return self._onward(inputs, state)
        limit = self.context_length
        if limit is not None and inputs.shape[1] > limit:
            raise EngineError(
                f"The model reads at most {limit} tokens behind its soft prompt, found {inputs.shape[1]}.",
                "Give it fewer tokens, or train with a longer --context-length.",
                code="sequence-too-long",
            )
        if segments is None:
            return self._behind(inputs)
        rows, apart, places = unpacked(inputs, segments, causal=self.causal)
        found = self._behind(rows, segments=apart)
        return Output(found.features.flatten(0, 1)[places], None, found.losses)

    def initial_state(self, batch_size: int, max_length: int) -> PromptedState:
        """Return a state that has room for the vectors too."""
        length = self.soft_prompt.num_embeddings
        with self._as_made():
            inner = super().initial_state(batch_size, max_length + length)  # type: ignore[safe-super]
        return PromptedState(inner, length, fresh=True)

    def _onward(self, inputs: Tensor, state: PromptedState) -> Output:
        """Read on from a state; the first time behind the vectors."""
        if state.fresh:
            found = self._behind(inputs, state.inner)
        else:
            with self._as_made():
                found = super().forward(inputs, state.inner)  # type: ignore[safe-super]
        return Output(found.features, PromptedState(found.state, self.soft_prompt.num_embeddings), found.losses)

    def _behind(self, inputs: Tensor, state: Any = None, segments: Tensor | None = None) -> Output:
        """Read inputs (B, T) with the vectors in front, whose features are dropped."""
        length = self.soft_prompt.num_embeddings
        padded = F.pad(inputs, (length, 0))
        apart = None if segments is None else F.pad(segments, (length, 0))  # the vectors belong to the document
        with self._as_made(in_front=True):
            found = super().forward(padded, state, apart)  # type: ignore[safe-super]
        return Output(found.features[:, length:], found.state, found.losses)

    @contextlib.contextmanager
    def _as_made(self, *, in_front: bool = False) -> Iterator[None]:
        """Let the model's own code run: it sees the context that it was made for."""
        self._inside, self.soft_prompt.in_front = True, in_front
        try:
            yield
        finally:
            self._inside = self.soft_prompt.in_front = False


class PromptedState:
    """The state of the model behind the vectors, which it has read unless it is fresh; offers what the model's own does."""

    def __init__(self, inner: Any, length: int, *, fresh: bool = False) -> None:
        self.inner, self.fresh = inner, fresh
        self._length = length

    def __getattr__(self, name: str) -> Any:
        """Offer `select` and `truncate` where the model's state does."""
        inner: Any = self.__dict__.get("inner")
        if name == "select" and callable(getattr(inner, name, None)) and not isinstance(inner, Tensor):
            return lambda rows: PromptedState(inner.select(rows), self._length, fresh=self.fresh)
        if name == "truncate" and callable(getattr(inner, name, None)) and not isinstance(inner, Tensor):
            return lambda length: PromptedState(inner.truncate(length + self._length), self._length)
        raise AttributeError(name)
