"""Options of the transformer; imports no torch, so that listing them is free."""

from __future__ import annotations

from dataclasses import dataclass

from pentad import option, presets
from pentad_gpt.presets import PRESETS
from pentad_ngram.beside import order_option, weight_option


@presets(PRESETS)
@dataclass(frozen=True, kw_only=True)
class GPTOptions:
    """The shape of the transformer.

    Raises:
        ValueError: options that do not fit together.
    """

    preset: str | None = option(
        None,
        "A named architecture, which fills what is left open here; sizes are still chosen. None means pentad's own defaults.",
        choices=tuple(PRESETS),
    )
    n_layer: int = option(3, "Number of blocks.", ge=1)
    n_head: int = option(2, "Attention heads per block; divides n_embd, unless n_head_width is given.", ge=1)
    n_kv_head: int | None = option(
        None, "Heads of keys and values, fewer than n_head for grouped-query attention; none means n_head.", ge=1
    )
    n_embd: int = option(128, "Width of the features that run through the blocks.", ge=1)
    n_head_width: int | None = option(
        None, "Features of one head; none means n_embd / n_head, and another number widens attention inside, as in Qwen3.", ge=1
    )
    n_hidden: int | None = option(
        None, "Width inside each MLP; none means 4 n_embd, or 8/3 n_embd for swiglu, which has one matrix more.", ge=1
    )
    n_expert: int = option(0, "MLPs per block, of which each token goes through a few; 0 for one that all go through.", ge=0)
    n_expert_active: int = option(2, "MLPs that each token goes through, where there are experts.", ge=1)
    n_expert_shared: int = option(
        0, "MLPs beside the experts that every token goes through (DeepSeekMoE), where there are experts.", ge=0
    )
    expert_balance: float = option(0.01, "Factor of the loss that keeps experts equally used.", ge=0, inherited=False)
    position: str = option(
        "rotary",
        "How the order of tokens is known: rotated queries and keys, a learned vector per position, or not at all.",
        choices=("rotary", "learned", "none"),
    )
    rope_base: float = option(10_000.0, "Longest wavelength of rotary positions, in tokens over 2 pi.", gt=1)
    qk_norm: bool = option(True, "Normalise queries and keys to length sqrt(head width), which keeps attention logits bounded.")
    qk_norm_gain: bool = option(False, "Learn a gain per channel of a head in the norm of queries and keys, as Qwen3.")
    head_gate: bool = option(
        False, "Scale what each head found by a sigmoid of the token that looks (gated attention; Qiu et al., 2025)."
    )
    head_gate_channels: int | None = option(
        None, "Features of the token that its gates read, the first so many (modded-nanogpt has 12); none means all.", ge=1
    )
    value_embeddings: bool = option(
        False,
        "Add an embedding of the token to the values of attention, through a learned gate per head, in every second block and "
        "the last (nanochat, 2026; after ResFormer, 2024).",
    )
    previous_tokens: int = option(
        2,
        "Add to each token's embedding those of so many tokens before it, each feature by a learned factor (the smear of "
        "modded-nanogpt, 2025); 0 for none.",
        ge=0,
    )
    bigram_hash: int = option(
        0,
        "Rows of a table of pairs: a hash of the token and the one before it picks a row, which is added to the embedding "
        "(modded-nanogpt, 2026); 0 for none.",
        ge=0,
    )
    trigram_hash: int = option(
        0, "The same by a hash of the token and the two before it (as in Engram; Cheng et al., 2026); 0 for none.", ge=0
    )
    ngram_order: int = order_option()
    ngram_weight: float = weight_option()
    residual_scalars: bool = option(
        False,
        "Learn two factors per block: of the features that enter it, and of the first embedding, which is added to them "
        "(modded-nanogpt, 2024; nanochat, 2025).",
    )
    residual_x0: float = option(0.0, "Where the factor of the first embedding starts; nanochat has 0.1.", inherited=False)
    unet: bool = option(
        False,
        "Add what leaves the first half of the blocks to what enters the second, the outermost to the outermost, by learned "
        "weights (U-Net; modded-nanogpt, 2024).",
    )
    norm: str = option("rmsnorm", "Normalisation before attention, MLP and head.", choices=("rmsnorm", "layernorm"))
    norm_gain: bool = option(False, "Learn a gain per channel in each norm.")
    norm_eps: float | None = option(
        None, "Added to the mean square or variance in every norm; none means 1e-6 for rmsnorm, 1e-5 for layernorm.", gt=0
    )
    embedding_norm: bool = option(True, "Normalise the embeddings before the first block.")
    activation: str = option(
        "swiglu",
        "Non-linearity of the MLPs: squared ReLU (So et al., 2021), GELU (Hendrycks and Gimpel, 2016), SiLU (Elfwing et al., "
        "2017), ReLU, SwiGLU (Shazeer, 2020).",
        choices=("relu2", "gelu", "gelu-tanh", "silu", "relu", "swiglu"),
    )
    bias: bool = option(False, "Add biases in the matrices and in layernorm.")
    tie_embeddings: bool = option(False, "Use the token embedding as the output head too.")
    dropout: float = option(
        0.0,
        "Share of features dropped in training (Srivastava et al., 2014): embeddings, attention, block outputs.",
        ge=0,
        lt=1,
        inherited=False,
    )
    logit_softcap: float = option(15.0, "Bound logits smoothly to this size by tanh; 0 leaves them as they are.", ge=0)
    zero_init_projections: bool = option(
        True, "Start each block's output matrices at zero, so that each block starts as nothing."
    )
    init_std: float | None = option(
        None,
        "Standard deviation of the matrices at the start; none means 1/sqrt(their inputs), which keeps features' size.",
        gt=0,
    )
    pad_vocab_to: int = option(
        1, "Pad the vocabulary's matrices to a multiple of this, for speed on GPUs; padded ids are no part of the logits.", ge=1
    )

    def __post_init__(self) -> None:
        """Refuse what does not fit together."""
        if self.n_head_width is None and self.n_embd % self.n_head:
            raise ValueError(f"n_embd must be a multiple of n_head, found {self.n_embd} and {self.n_head}")
        if self.qk_norm_gain and not self.qk_norm:
            raise ValueError("qk_norm_gain needs qk_norm")
        if self.head_gate_channels is not None and (not self.head_gate or self.head_gate_channels > self.n_embd):
            raise ValueError(f"head_gate_channels needs head_gate, and at most n_embd = {self.n_embd} of them")
        if self.residual_x0 and not self.residual_scalars:
            raise ValueError("residual_x0 needs residual_scalars")
        if self.unet and self.n_layer < 2:
            raise ValueError(f"unet needs two blocks or more, found {self.n_layer}")
        if self.n_head % self.kv_heads:
            raise ValueError(f"n_head must be a multiple of n_kv_head, found {self.n_head} and {self.kv_heads}")
        if self.position == "rotary" and self.head_width % 2:
            raise ValueError(f"rotary positions need an even head width, found {self.head_width}")
        if self.norm == "layernorm" and self.bias and not self.norm_gain:
            raise ValueError("layernorm has a bias only with a gain: set norm_gain, or bias to false")

    @property
    def kv_heads(self) -> int:
        """Heads of keys and values."""
        return self.n_kv_head or self.n_head

    @property
    def head_width(self) -> int:
        """Features of one head."""
        return self.n_head_width or self.n_embd // self.n_head

    @property
    def gate_channels(self) -> int:
        """Features that the gates of the heads read."""
        return self.head_gate_channels or self.n_embd

    @property
    def value_gate_channels(self) -> int:
        """Features that the gates of the value embeddings read: 32, as nanochat has it."""
        return min(32, self.n_embd)

    def has_value_embedding(self, layer: int) -> bool:
        """Whether a block, counted from 0, has an embedding for its values: every second one, and the last."""
        return self.value_embeddings and (self.n_layer - 1 - layer) % 2 == 0

    @property
    def hidden(self) -> int:
        """Width inside each MLP; for swiglu the nearest multiple of 8 to 8/3 n_embd (Shazeer, 2020)."""
        if self.n_hidden is not None:
            return self.n_hidden
        return max(8, round(self.n_embd / 3) * 8) if self.activation == "swiglu" else 4 * self.n_embd
