"""The files of GPT-2 (Radford et al., 2019) as the library transformers writes and reads them.

engine export runs/mine --format gpt2-files --out mine
engine import mine --format gpt2-files --out runs/again

It takes runs of the model gpt with GPT-2's options, and leaves the tokenizer's own files beside the weights.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from pentad import Choice, Imported, ModelFormat, NoOptions, Trained, UsageError

_GPT2: dict[str, object] = {
    "position": "learned",
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
    "residual_x0": 0.0,
    "unet": False,
    "n_head_width": None,
    "norm": "layernorm",
    "norm_gain": True,
    "embedding_norm": False,
    "activation": "gelu-tanh",
    "bias": True,
    "tie_embeddings": True,
    "logit_softcap": 0.0,
    "n_expert": 0,
    "pad_vocab_to": 1,
}
"""What makes the model gpt GPT-2."""

_EPSILON = 1e-5
"""Of its norms, where none is given."""

_NAMES = {
    "attention_norm": "ln_1",
    "attention.projection": "attn.c_proj",
    "mlp_norm": "ln_2",
    "mlp.up": "mlp.c_fc",
    "mlp.projection": "mlp.c_proj",
}
_PROJECTED = ("query", "key", "value")


class GPT2Files(ModelFormat):
    """config.json and model.safetensors, where matrices stand the other way round: (in, out)."""

    def __init__(self, options: NoOptions) -> None:
        del options

    def supports(self, trained: Trained) -> str:
        """Say which option is not GPT-2's, or that the model is another one."""
        model = trained.model_choice.name.rpartition(":")[2]
        if model != "gpt":
            return f"it holds the model gpt alone; found {model}."
        options = trained.model_choice.options
        odd = [f"{name} = {options.get(name)}" for name, value in _GPT2.items() if options.get(name) != value]
        odd += ["n_kv_head"] if options.get("n_kv_head") not in (None, options.get("n_head")) else []
        return f"it holds GPT-2's architecture alone (--model.preset gpt2); found {', '.join(odd)}." if odd else ""

    def write(self, trained: Trained, folder: Path) -> None:
        """Write the two files, and the tokenizer's."""
        options = trained.model_choice.options
        config = {
            "model_type": "gpt2",
            "architectures": ["GPT2LMHeadModel"],
            "vocab_size": trained.vocabulary.size,
            "n_positions": trained.context_length,
            "n_embd": options["n_embd"],
            "n_layer": options["n_layer"],
            "n_head": options["n_head"],
            "n_inner": options["n_hidden"],
            "activation_function": "gelu_new",
            "layer_norm_epsilon": options["norm_eps"] or _EPSILON,
            "bos_token_id": trained.vocabulary.end_of_text,
            "eos_token_id": trained.vocabulary.end_of_text,
            "pentad_tokenizer": {"name": trained.tokenizer_choice.name, **trained.tokenizer_choice.options},
        }
        (folder / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
        tensors = _to_gpt2(trained.model.state_dict(), int(options["n_layer"]))
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        (folder / "tokenizer").mkdir()
        trained.tokenizer.save(folder / "tokenizer")

    def read(self, path: Path) -> Imported:
        """Read what `write` wrote.

        Raises:
            UsageError: it is no such folder.
        """
        try:
            config = json.loads((path / "config.json").read_text(encoding="utf-8"))
            tokenizer = dict(config["pentad_tokenizer"])
            shape = {name: config[name] for name in ("n_embd", "n_layer", "n_head")}
            epsilon = float(config.get("layer_norm_epsilon", _EPSILON))
            tensors = _from_gpt2(load_file(path / "model.safetensors"), int(config["n_layer"]))
        except (OSError, ValueError, KeyError) as error:
            raise UsageError(
                f"{path} must hold GPT-2's config.json and model.safetensors, with a tokenizer of pentad; found: {error}.",
                "engine export --format gpt2-files writes them.",
                code="format-unreadable",
            ) from None
        return Imported(
            tokenizer=Choice(str(tokenizer.pop("name")), **tokenizer),
            tokenizer_folder=path / "tokenizer",
            model=Choice("gpt", preset="gpt2", **_GPT2, **shape, n_hidden=config["n_inner"], norm_eps=epsilon),
            tensors=tensors,
            context_length=int(config["n_positions"]),
        )


def _to_gpt2(own: Mapping[str, Tensor], n_layer: int) -> dict[str, Tensor]:
    found = {
        "transformer.wte.weight": own["embedding.weight"],
        "transformer.wpe.weight": own["positions.weight"],
        "transformer.ln_f.weight": own["norm.weight"],
        "transformer.ln_f.bias": own["norm.bias"],
    }
    for layer in range(n_layer):
        here, there = f"layers.{layer}", f"transformer.h.{layer}"
        for kind in ("weight", "bias"):
            joined = torch.cat([own[f"{here}.attention.{name}.{kind}"] for name in _PROJECTED])
            found[f"{there}.attn.c_attn.{kind}"] = _turned(joined)
            for name, other in _NAMES.items():
                found[f"{there}.{other}.{kind}"] = _turned(own[f"{here}.{name}.{kind}"])
    return {name: tensor.contiguous() for name, tensor in found.items()}


def _from_gpt2(theirs: Mapping[str, Tensor], n_layer: int) -> dict[str, Tensor]:
    found = {
        "embedding.weight": theirs["transformer.wte.weight"],
        "positions.weight": theirs["transformer.wpe.weight"],
        "norm.weight": theirs["transformer.ln_f.weight"],
        "norm.bias": theirs["transformer.ln_f.bias"],
    }
    for layer in range(n_layer):
        here, there = f"layers.{layer}", f"transformer.h.{layer}"
        for kind in ("weight", "bias"):
            parts: Any = _turned(theirs[f"{there}.attn.c_attn.{kind}"]).chunk(3)
            found.update({f"{here}.attention.{name}.{kind}": part for name, part in zip(_PROJECTED, parts, strict=True)})
            for name, other in _NAMES.items():
                found[f"{here}.{name}.{kind}"] = _turned(theirs[f"{there}.{other}.{kind}"])
    return {name: tensor.contiguous() for name, tensor in found.items()}


def _turned(tensor: Tensor) -> Tensor:
    """Return a matrix the other way round; a vector as it is."""
    return tensor.t() if tensor.ndim == 2 else tensor
