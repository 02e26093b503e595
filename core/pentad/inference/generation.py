"""Generation: one token at a time from a state.

Every sequence draws from a generator of its own, seeded by (seed, index of the sequence), so that a text does not depend on
what is generated beside it. When a model's context is full, the state is built again from the newer half of it.
"""

from __future__ import annotations

import codecs
import time
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pentad.contracts.model import Model
from pentad.contracts.observer import Sample
from pentad.contracts.sampler import Sampler
from pentad.contracts.tokenizer import TokenIds, Tokenizer
from pentad.system.errors import EngineError
from pentad.system.machine import Machine

OnToken = Callable[[int, str], None]
"""Called with the number of the sequence and the text that its newest token completes."""


def generate_tokens(
    model: Model,
    machine: Machine,
    sampler: Sampler,
    prompt: Sequence[int] | TokenIds,
    *,
    n_allowed: int,
    end_of_text: int,
    max_tokens: int,
    samples: int = 1,
    seed: int = 0,
    on_token: Callable[[int, int], None] | None = None,
) -> list[list[int]]:
    """Go on from a prompt.

    Args:
        model: on the machine's device.
        machine: where to compute.
        sampler: turns logits into probabilities.
        prompt: ids, at least one.
        n_allowed: ids from here on (a builder's mask, padding) are never drawn.
        end_of_text: ends a sequence, and is not part of it.
        max_tokens: most tokens of each sequence.
        samples: how many sequences.
        seed: decides every draw.
        on_token: called with the number of the sequence and its newest token.

    Returns:
        The ids of each sequence, the prompt left out.
    """
    model.eval()
    generators = [np.random.Generator(np.random.Philox(key=_key(seed, index))) for index in range(samples)]
    first = torch.tensor(np.asarray(prompt, dtype=np.int64), device=machine.device)
    tokens = first.repeat(samples, 1)  # (B, T)
    sequences: list[list[int]] = [[] for _ in range(samples)]
    alive = [True] * samples
    with torch.inference_mode():
        window = _Window(model, machine, tokens, max_tokens)
        for _ in range(max_tokens):
            logits = window.next_logits()  # (B, V)
            logits[:, n_allowed:] = float("-inf")
            probabilities = sampler.probabilities(logits, window.tokens)
            _check_distribution(probabilities, logits, n_allowed)
            drawn = _draw(probabilities, generators)
            window.append(drawn)
            for index, token in enumerate(drawn.tolist()):
                alive[index] = alive[index] and token != end_of_text
                if alive[index]:
                    sequences[index].append(token)
                    if on_token is not None:
                        on_token(index, token)
            if not any(alive):
                break
    return sequences


def _key(seed: int, index: int) -> npt.NDArray[np.uint64]:
    return np.array([seed % 2**64, index], dtype=np.uint64)  # a list of them would pass through floats


class _Window:
    """The tokens so far, and a model's state that follows them."""

    def __init__(self, model: Model, machine: Machine, tokens: Tensor, max_tokens: int) -> None:
        self.model, self.machine = model, machine
        batch_size, length = tokens.shape
        self._all = torch.empty(batch_size, length + max_tokens, dtype=torch.int64, device=tokens.device)
        self._all[:, :length] = tokens
        self._length = length
        self._restart(length if model.context_length is None else min(length, model.context_length))

    @property
    def tokens(self) -> Tensor:
        """The sequences so far (B, T), the prompt included."""
        return self._all[:, : self._length]

    def _restart(self, keep: int) -> None:
        """Build the state anew from the last `keep` tokens."""
        limit = self.model.context_length
        room = self._all.shape[1] if limit is None else min(limit, self._all.shape[1])
        with self.machine.autocast():
            self._state = self.model.initial_state(len(self._all), room)
        self._unread = keep
        self._used = 0

    def next_logits(self) -> Tensor:
        """Read the tokens that the state has not seen, and return the logits (B, V) of the next one in float32."""
        limit = self.model.context_length
        if limit is not None and self._used + self._unread > limit:
            self._restart(max(1, limit // 2))
        inputs = self._all[:, self._length - self._unread : self._length]
        with self.machine.autocast():
            features, self._state = self.model(inputs, self._state)
            logits = self.model.logits(features[:, -1])
        self._used += self._unread
        self._unread = 0
        return logits.float()

    def append(self, tokens: Tensor) -> None:
        """Put the newest token (B,) of each sequence behind it."""
        self._all[:, self._length] = tokens
        self._length += 1
        self._unread += 1


def _check_distribution(probabilities: object, logits: Tensor, n_allowed: int) -> None:
    """Make sure that each row is a distribution over the allowed ids.

    Raises:
        EngineError: it is not; says what was found.
    """
    found = ""
    if not isinstance(probabilities, Tensor):
        found = type(probabilities).__name__
    elif probabilities.shape != logits.shape or not probabilities.is_floating_point():
        found = f"{probabilities.dtype} of shape {tuple(probabilities.shape)} for {tuple(logits.shape)}"
    else:
        total = probabilities.sum(dim=-1)
        facts = [total.amin(), total.amax(), probabilities.amin()]
        if n_allowed < probabilities.shape[1]:
            facts.append(probabilities[:, n_allowed:].amax())
        lowest, highest, least, *forbidden = torch.stack(facts).tolist()  # one wait for the device
        if lowest > 0.99 and highest < 1.01 and least >= 0 and not any(forbidden):  # NaN fails each of them
            return
        found = f"sums from {lowest:.3g} to {highest:.3g}, the smallest {least:.3g}"
        found += ", and some on ids that must not be drawn" if any(forbidden) else ""
    raise EngineError(
        f"The sampler must return a distribution over the ids in each row; found {found}.",
        "Use another --sampler; the model may also have diverged (engine evaluate tells).",
        code="not-a-distribution",
    )


def _draw(probabilities: Tensor, generators: list[np.random.Generator]) -> Tensor:
    """Draw one id per row (B,) by inverting the cumulated probabilities (B, V), in double precision."""
    if probabilities.device.type == "mps":
        probabilities = probabilities.cpu()  # mps has no double precision
    cumulated = probabilities.double().cumsum(dim=-1)
    total = cumulated[:, -1:]
    uniform = torch.tensor([generator.random() for generator in generators], dtype=torch.float64, device=cumulated.device)
    # The first id whose cumulated probability exceeds the draw: ids with probability 0 never do. Kept below the total, since
    # rounding could lift the draw to it, which no id exceeds.
    wanted = torch.minimum(uniform[:, None] * total, torch.nextafter(total, torch.zeros_like(total)))
    return torch.searchsorted(cumulated, wanted, right=True).flatten()


def generate(
    model: Model,
    machine: Machine,
    tokenizer: Tokenizer,
    sampler: Sampler,
    prompt: str,
    *,
    max_tokens: int,
    samples: int = 1,
    seed: int = 0,
    step: int = 0,
    on_token: OnToken | None = None,
) -> list[Sample]:
    """Go on from a text. The prompt is plain text: no spelling in it becomes a special token.

    Raises:
        UsageError: the prompt is no valid Unicode.
        EngineError: the sampler returns no distribution.
    """
    began = time.perf_counter()
    ids = np.concatenate([[tokenizer.end_of_text], tokenizer.encode(prompt)])
    decoders = [codecs.getincrementaldecoder("utf-8")("replace") for _ in range(samples)]

    def tell(index: int, token: int) -> None:
        if on_token is not None:
            on_token(index, decoders[index].decode(tokenizer.token_bytes(token)))

    sequences = generate_tokens(
        model,
        machine,
        sampler,
        ids,
        n_allowed=tokenizer.vocab_size,
        end_of_text=tokenizer.end_of_text,
        max_tokens=max_tokens,
        samples=samples,
        seed=seed,
        on_token=tell if on_token is not None else None,
    )
    if on_token is not None:
        for index, decoder in enumerate(decoders):
            if rest := decoder.decode(b"", final=True):
                on_token(index, rest)  # a character that was cut off in its middle
    rate = sum(map(len, sequences)) / max(time.perf_counter() - began, 1e-9)
    return [
        Sample(step=step, index=index, prompt=prompt, text=tokenizer.decode(tokens), tokens=tokens, tokens_per_second=rate)
        for index, tokens in enumerate(sequences)
    ]
