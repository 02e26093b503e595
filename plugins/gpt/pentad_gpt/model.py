"""A decoder-only transformer: embeddings, blocks of attention and MLP, a head.

The defaults are a modern small model: rotary positions, RMSNorm before each part and on queries and keys, SwiGLU, untied
head, output matrices that start at zero, bounded logits. GPT-2 is one setting of the options.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pentad import EngineError, Inspection, Model, Output, Role, UsageError, Vocabulary
from pentad.tools import dropout
from pentad_gpt.attention import Setting, attention_mask
from pentad_gpt.block import Block, Residuals
from pentad_gpt.cache import Cache, LayerCache
from pentad_gpt.decoding import Decoder
from pentad_gpt.embedding import NgramHash, PreviousTokens, positions_of
from pentad_gpt.kernels import rms_norm, rotary_table, softcap
from pentad_gpt.layers import Norm, epsilon
from pentad_gpt.options import GPTOptions
from pentad_gpt.products import INT8_FROM, int8_is_there
from pentad_ngram.counted import beside_counts

SHORT = 256
"""Rows of so many tokens were faster by products in bf16 on every CPU where both were measured (benchmarks/LOG.md)."""


class GPT(Model):
    """The transformer.

    Args:
        options: its shape.
        vocab_size: number of ids.
        context_length: the most tokens in one row.
    """

    attention = frozenset({"causal", "bidirectional"})
    rotation: Tensor
    attention_kernel = ""
    int8_decoder: Decoder | None = None

    def __init__(self, options: GPTOptions, vocab_size: int, context_length: int) -> None:
        super().__init__()
        self.options = options
        self.vocab_size = vocab_size
        self.context_length: int = context_length
        padded = math.ceil(vocab_size / options.pad_vocab_to) * options.pad_vocab_to
        self.embedding = nn.Embedding(padded, options.n_embd)
        self.positions = nn.Embedding(context_length, options.n_embd) if options.position == "learned" else None
        self.previous = PreviousTokens(options.previous_tokens, options.n_embd) if options.previous_tokens else None
        self.bigrams = NgramHash(2, options.bigram_hash, options.n_embd) if options.bigram_hash else None
        self.trigrams = NgramHash(3, options.trigram_hash, options.n_embd) if options.trigram_hash else None
        self.layers = nn.ModuleList(Block(options, layer, padded) for layer in range(options.n_layer))
        self.residuals = Residuals(options)
        self.norm = Norm(options)
        self.head = None if options.tie_embeddings else nn.Linear(options.n_embd, padded, bias=False)
        if options.position == "rotary":
            table = rotary_table(context_length, options.head_width, options.rope_base)
            self.register_buffer("rotation", table, persistent=False)
        self._initialise()

    @torch.no_grad()
    def _initialise(self) -> None:
        """Draw all parameters from normal distributions.

        Matrices: standard deviation `init_std`, or 1/sqrt(inputs) (LeCun et al., 1998). Output matrices of the blocks: zero
        (Zhang et al., Fixup, 2019), or scaled by 1/sqrt(2 n_layer) so that the sum over blocks keeps its size (GPT-2, 2019).
        Embeddings and head: 0.02, as GPT-2. Gates, factors and the tables of n-grams: zero, so that gates start half
        open (those of values at 1), and tokens before and n-grams as nothing.
        """
        options = self.options
        for name, parameter in self.named_parameters():
            if parameter.ndim < 2:
                continue  # gains start at one, biases at zero
            std = options.init_std or 1 / math.sqrt(parameter.shape[-1])
            if name.startswith(("embedding.", "positions.", "head.")):
                std = 0.02
            elif name.startswith(("previous.", "bigrams.", "trigrams.")) or name.endswith("gate.weight"):
                std = 0
            elif name.endswith("projection.weight"):
                std *= 0 if options.zero_init_projections else 1 / math.sqrt(2 * options.n_layer)
            parameter.normal_(0.0, std) if std else parameter.zero_()
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                parameter.zero_()

    def forward(self, inputs: Tensor, state: Cache | None = None, segments: Tensor | None = None) -> Output:
        """Return features (B, T, D) of inputs (B, T), and the cache after them.

        Raises:
            EngineError: more tokens than `context_length`, or than the state was made for.
        """
        start = state.length if state is not None else 0
        self._check_length(inputs, start, state)
        x = self._embed(inputs, state, segments)
        balance: list[Tensor] = []
        if state is not None and inputs.shape[1] == 1 and self._can_decode(x):
            x = self._decode(x, inputs, state)
        else:
            setting = self._setting(inputs, start, segments)
            x = self._through_blocks(x, setting, state)
            balance = setting.balance
        if state is not None:
            state.read(inputs)
        losses = {"expert-balance": self.options.expert_balance * torch.stack(balance).mean()} if balance else {}
        return Output(self.norm(x), state, losses)

    def _through_blocks(
        self, x: Tensor, setting: Setting, state: Cache | None, passed: list[tuple[Tensor, Tensor]] | None = None
    ) -> Tensor:
        """Return x (B, T, D) after the blocks; where a list is given, put what enters and leaves each block into it."""
        joints, first = self.residuals(), x
        kept: list[Tensor] = []
        for layer, block in enumerate(self.layers):
            entering = joints.enter(layer, x, first, kept)
            x = block(entering, setting, None if state is None else state.layers[layer])
            if joints.keeps(layer):
                kept.append(x)
            if passed is not None:
                passed.append((entering, x))
        return x

    def blocks(self) -> Sequence[nn.Module]:
        """Return the blocks."""
        return tuple(self.layers)

    def kernels(self) -> Mapping[str, Sequence[str]]:
        """Return the ways to compute attention over a row; unless chosen, `_attends_by_products` says which."""
        return {"attention": ("torch", "products")}

    def use_kernels(self, chosen: Mapping[str, str]) -> None:
        """Compute in these ways."""
        self.attention_kernel = chosen.get("attention", "")

    def generation_weights(self) -> Sequence[str]:
        """Return int8, unless experts take the long way or nothing is generated."""
        return ("int8",) if self.causal and not self.options.n_expert else ()

    @torch.no_grad()
    def use_generation_weights(self, name: str | None) -> None:
        """Round the large matrices of the blocks; embeddings, head, norms and gates stay.

        Raises:
            UsageError: this build of torch cannot multiply so, or no matrix is so large that it would be faster.
        """
        self.int8_decoder = None
        if name is None:
            return
        if not int8_is_there():
            raise UsageError(
                "int8 weights need a build of torch with FBGEMM, which those for x86 processors have; this one has none.",
                "Leave out the weights.",
                code="weights-unsupported",
            )
        decoder = self._arranged(int8=True)
        if not decoder.rounds:
            raise UsageError(
                f"int8 weights are faster from matrices of {INT8_FROM:,} numbers on; this model has none so large.",
                "Leave out the weights: it writes faster as it is.",
                code="weights-not-faster",
            )
        self.int8_decoder = decoder

    def inspect(self, inputs: Tensor) -> Inspection:
        """Return the attention of each layer and head, and the features after each layer as the head reads them."""
        self._check_length(inputs[None], 0, None)
        x = self._embed(inputs[None], None, None)
        setting = self._setting(inputs[None], 0, None)
        attention, streams = {}, {"embedding": self.norm(x)[0]}
        passed: list[tuple[Tensor, Tensor]] = []
        self._through_blocks(x, setting, None, passed)
        for number, (entering, leaving) in enumerate(passed, 1):
            block = cast(Block, self.layers[number - 1])
            attention[f"layer {number}"] = block.attention.weights(block.attention_norm(entering), setting)[0]  # (H, T, T)
            streams[f"layer {number}"] = self.norm(leaving)[0]  # (T, D)
        return Inspection(attention=attention, streams=streams)

    def upgrade_state(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Rename the blocks of checkpoints made before 0.2, which called them `blocks`."""
        return {"layers." + name[7:] if name.startswith("blocks.") else name: tensor for name, tensor in tensors.items()}

    def token_parameters(self) -> frozenset[str]:
        """Return the embeddings, of values too, and the head where it is not tied; all may be padded beyond the vocabulary."""
        ends = ("embedding.weight", "head.weight")  # "value_embedding.weight" of a block too
        return frozenset(name for name, _ in self.named_parameters() if name.endswith(ends))

    def roles(self) -> dict[str, Role]:
        """Return the usual roles; the routers of experts are "vector", and the experts' matrices "experts"."""
        return {name: self._role(name, role) for name, role in super().roles().items()}

    @staticmethod
    def _role(name: str, role: Role) -> Role:
        if ".router." in name:
            return "vector"
        return "experts" if role == "matrix" and (".experts." in name or ".shared." in name) else role

    def logits(self, features: Tensor) -> Tensor:
        """Return logits (…, V) of features (…, D)."""
        weight = self.embedding.weight if self.head is None else self.head.weight
        cap = self.options.logit_softcap
        logits = F.linear(features / cap if cap else features, weight)[..., : self.vocab_size]
        return softcap(logits.float(), cap) if cap else logits

    def initial_state(self, batch_size: int, max_length: int) -> Cache:
        """Return an empty cache, for the weights as they are now.

        Raises:
            EngineError: `max_length` is beyond the context, or the model is bidirectional.
        """
        if not self.causal:
            raise EngineError(
                "A model that is bidirectional cannot go on from a state: each new token would change all features before it.",
                "Generate with a model trained by a causal builder (--builder next-token).",
                code="state-not-causal",
            )
        if max_length > self.context_length:
            raise EngineError(*_too_long(self.context_length, max_length), code="sequence-too-long")
        ids = None
        if any(part is not None for part in (self.previous, self.bigrams, self.trigrams)):
            ids = self.embedding.weight.new_zeros((batch_size, max_length), dtype=torch.int64)
        return Cache(max_length, [LayerCache(max_length) for _ in self.layers], ids=ids)

    def _check_length(self, inputs: Tensor, start: int, state: Cache | None) -> None:
        most = self.context_length if state is None else state.max_length
        if start + inputs.shape[1] > most:
            raise EngineError(*_too_long(most, start + inputs.shape[1]), code="sequence-too-long")

    def _embed(self, inputs: Tensor, state: Cache | None, segments: Tensor | None) -> Tensor:
        x: Tensor = self.embedding(inputs)  # (B, T, D)
        if self.previous is not None:
            newest = None if state is None else state.newest(self.previous.reach)
            x = self.previous(x, None if newest is None else self.embedding(newest), segments)
        for ngrams in (self.bigrams, self.trigrams):
            if ngrams is not None:
                x = x + ngrams(inputs, None if state is None else state.newest(ngrams.order - 1), segments)
        if self.positions is not None:
            start = 0 if state is None else state.length
            x = x + self.positions(positions_of(inputs.shape[1], start, segments, inputs.device))
        if self.options.embedding_norm:
            x = rms_norm(x, epsilon(self.options))
        return dropout(x, self.options.dropout, self.training)

    def _can_decode(self, x: Tensor) -> bool:
        """Whether the short way for one token a row is open: it is written for what is fast on a CPU, and no gradient."""
        plain = x.dtype == torch.float32 and x.device.type == "cpu" and not torch.is_autocast_enabled("cpu")
        return plain and not torch.is_grad_enabled() and not self.training and not self.options.n_expert

    def _decode(self, x: Tensor, inputs: Tensor, state: Cache) -> Tensor:
        if state.decoder is None:
            state.decoder = self.int8_decoder or self._arranged()
        return state.decoder(x[:, 0], inputs[:, 0], state.length, state.layers)[:, None]  # (B, 1, D)

    def _arranged(self, *, int8: bool = False) -> Decoder:
        blocks = cast(Iterable[Block], self.layers)
        rotation = self.rotation if self.options.position == "rotary" else None
        return Decoder(blocks, self.residuals.fixed(), rotation, int8=int8)

    def _setting(self, inputs: Tensor, start: int, segments: Tensor | None) -> Setting:
        length = inputs.shape[1]
        mask = attention_mask(length, start, self.causal, segments, inputs.device)
        rotation = self.rotation[start : start + length, None] if self.options.position == "rotary" else None
        causal = self.causal and mask is None and length > 1
        products = not start and self._attends_by_products(inputs)
        bias = None if mask is None or not products else torch.where(mask, 0.0, -torch.inf)
        return Setting(rotation, mask, causal, start, products=products, bias=bias, inputs=inputs)

    def _attends_by_products(self, inputs: Tensor) -> bool:
        """Say whether attention over whole rows (B, T) is by products: as chosen, or as was faster wherever it was measured."""
        if self.attention_kernel or inputs.device.type != "cpu":
            return self.attention_kernel == "products"
        drops = self.training and self.options.dropout > 0  # of which torch's kernel draws each element by itself
        return drops or (inputs.shape[1] <= SHORT and _autocasts_to_bf16())


def make(options: GPTOptions, vocab_size: int, context_length: int, vocabulary: Vocabulary | None = None) -> Model:
    """Return the transformer, beside counts of n-grams where the options have them."""
    gpt = GPT(options, vocab_size, context_length)
    return beside_counts(gpt, options.ngram_order, options.ngram_weight, vocabulary)


def _autocasts_to_bf16() -> bool:
    return torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16


def _too_long(most: int, found: int) -> tuple[str, str]:
    message = f"The model was made for at most {most} tokens in a row, found {found}."
    return message, "Give it fewer tokens, or train with a longer --context-length."
