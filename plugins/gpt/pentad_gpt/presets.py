"""Architectures that have a name, as values of gpt's options; imports no torch. Layers, heads and width are left to the sizing.

- `gpt2`: Radford et al., Language Models are Unsupervised Multitask Learners, 2019.
- `llama`: Touvron et al., LLaMA: Open and Efficient Foundation Language Models, 2023, with Llama 2's epsilon. Llama 3 is
  `rope_base=500000` and `n_kv_head=8`.
- `qwen3`: Qwen Team, Qwen3 Technical Report, 2025; its sizes up to 4B, which tie the embeddings.
- `nanochat`: Karpathy, nanochat, 2025, as transformers' NanoChatForCausalLM has it.
- `modern`: what pentad takes by itself, under a name that stays if the defaults move: nanochat's, but SwiGLU and two
  tokens before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_LLAMA: Mapping[str, Any] = {
    "position": "rotary",
    "rope_base": 10_000.0,
    "qk_norm": False,
    "qk_norm_gain": False,
    "head_gate": False,
    "head_gate_channels": None,
    "value_embeddings": False,
    "previous_tokens": 0,
    "bigram_hash": 0,
    "trigram_hash": 0,
    "residual_scalars": False,
    "ngram_order": 0,
    "ngram_weight": 0.5,
    "residual_x0": 0.0,
    "unet": False,
    "norm": "rmsnorm",
    "norm_gain": True,
    "norm_eps": 1e-5,
    "embedding_norm": False,
    "activation": "swiglu",
    "bias": False,
    "tie_embeddings": False,
    "logit_softcap": 0.0,
    "zero_init_projections": False,
    "init_std": 0.02,
}

_NANOCHAT: Mapping[str, Any] = {
    **_LLAMA,
    "qk_norm": True,
    "norm_gain": False,
    "norm_eps": 1e-6,
    "embedding_norm": True,
    "activation": "relu2",
    "logit_softcap": 15.0,
    "zero_init_projections": True,
    "init_std": None,
}

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "gpt2": {
        **_LLAMA,
        "position": "learned",
        "norm": "layernorm",
        "activation": "gelu-tanh",
        "bias": True,
        "tie_embeddings": True,
    },
    "llama": _LLAMA,
    "qwen3": {
        **_LLAMA,
        "rope_base": 1_000_000.0,
        "qk_norm": True,
        "qk_norm_gain": True,
        "norm_eps": 1e-6,
        "tie_embeddings": True,
    },
    "nanochat": _NANOCHAT,
    "modern": {**_NANOCHAT, "previous_tokens": 2, "activation": "swiglu"},
}
"""Name to option to value."""
