"""A model for inference: sequences that are read token by token, texts that are scored, tokens that are drawn.

Every sequence draws from a generator of its own, seeded by (seed, index of the sequence), so that a text does not depend on
what is generated beside it. When a model's context is full, the state is built again from the newer half of it.
"""

from __future__ import annotations

import codecs
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pentad.contracts.batch import IGNORED
from pentad.contracts.model import Model, Output, offers
from pentad.contracts.sampler import Sampler
from pentad.contracts.session import Decoder, Limits, Session, TextScore, TokenEvent
from pentad.contracts.tokenizer import Tokenizer, count_lost_bytes
from pentad.contracts.vocabulary import Vocabulary
from pentad.inference.drawing import check_distribution, draw, generator_of
from pentad.inference.ending import until_text
from pentad.inference.filling import fill, mask_of
from pentad.inference.net import ModelNet
from pentad.registry.failures import wrong_return
from pentad.system.errors import UsageError
from pentad.system.machine import Machine


class ModelSession(Session):
    """A model on a machine, with its tokenizer and vocabulary.

    Args:
        model: on the machine's device; it is put into evaluation mode.
        machine: where to compute.
        tokenizer: of the run.
        vocabulary: every id that the model knows.
    """

    def __init__(self, model: Model, machine: Machine, tokenizer: Tokenizer, vocabulary: Vocabulary) -> None:
        self.model = model.eval()
        self.machine, self.tokenizer, self.vocabulary = machine, tokenizer, vocabulary
        self.net = ModelNet(model, machine, vocabulary=vocabulary)
        self._all = torch.empty(1, 0, dtype=torch.int64, device=machine.device)  # (B, room)
        self._length = 0  # tokens so far
        self._state: Any = None
        self._first = 0  # the place of the first token that the state has read
        self._read = 0  # the place behind the last one
        self._room = 0  # tokens for which the state was made
        self._features: Tensor | None = None  # (B, N, D) of the tokens that were read last

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.machine.device

    @property
    def tokens(self) -> Tensor:
        """The sequences so far (B, T)."""
        return self._all[:, : self._length]

    @property
    def context_length(self) -> int | None:
        """Tokens that the model can look back on, or None."""
        return self.model.context_length

    @torch.inference_mode()
    def prefill(self, tokens: Tensor, room: int = 0) -> Tensor:
        """Read tokens (B, T), and return the logits (B, V) of what comes next; `room` is how many will follow, if known."""
        self._open(tokens, room)
        return self._next_logits()

    def _open(self, tokens: Tensor, room: int) -> None:
        """Start with tokens (B, T), which are read with the next logits."""
        batch_size, length = tokens.shape
        self._all = torch.empty(batch_size, length + max(room, 16), dtype=torch.int64, device=self.device)
        self._all[:, :length] = tokens
        self._length = length
        self._restart(length if self.context_length is None else min(length, self.context_length))

    @torch.inference_mode()
    def extend(self, tokens: Tensor) -> Tensor:
        """Read one more token (B,) in each sequence, and return the logits (B, V) of what comes next."""
        self._append(tokens[:, None])
        return self._next_logits()

    @torch.inference_mode()
    def read(self, tokens: Tensor) -> Tensor:
        """Read tokens (B, N) in each sequence, and return the logits (B, N, V) of what comes behind each."""
        if self.room is not None and tokens.shape[1] > self.room:
            return torch.stack([self.extend(column) for column in tokens.T], dim=1)
        self._append(tokens)
        with self.machine.autocast():
            logits: Tensor = self.model.logits(self._read_on()[:, -tokens.shape[1] :])
        return logits.float()

    def _append(self, tokens: Tensor) -> None:
        """Put tokens (B, N) behind the sequences, which are read with the next logits."""
        end = self._length + tokens.shape[1]
        if end > self._all.shape[1]:
            more = torch.empty(len(self._all), end, dtype=torch.int64, device=self.device)
            self._all = torch.cat([self._all, more], dim=1)
        self._all[:, self._length : end] = tokens
        self._length = end
        limit = self.context_length
        if limit is not None and end - self._first > limit:
            self._restart(max(1, limit // 2))
        elif end - self._first > self._room:
            self._restart(end - self._first)

    @property
    def room(self) -> int | None:
        """Tokens that can be read before the context is full."""
        limit = self.context_length
        return None if limit is None else limit - (self._length - self._first)

    @property
    def features(self) -> Tensor:
        """The features (B, N, D) of the tokens that were read last."""
        assert self._features is not None, "nothing was read"
        return self._features

    def fork(self) -> ModelSession:
        """Return a session of the same model that has read nothing."""
        return ModelSession(self.model, self.machine, self.tokenizer, self.vocabulary)

    @torch.inference_mode()
    def select(self, rows: Tensor) -> None:
        """Go on with these rows (R,)."""
        self._all = self._all[rows]
        if offers(self._state, "select"):
            self._state = self._state.select(rows)
        else:
            self._restart(self._length - self._first)

    @torch.inference_mode()
    def truncate(self, length: int) -> None:
        """Forget all but the first `length` tokens."""
        self._length = length
        if length > self._first and length < self._read and offers(self._state, "truncate"):
            self._state = self._state.truncate(length - self._first)
            self._read = length
        elif length < self._read:
            limit = self.context_length
            self._restart(length if limit is None else min(length, limit))

    def prompt(self, text: str) -> Tensor:
        """Return the ids (T,) of a prompt, an end of text in front."""
        ids = np.concatenate([[self.tokenizer.end_of_text], self.tokenizer.encode(text)])
        return torch.from_numpy(ids.astype(np.int64)).to(self.device)

    def score(self, text: str, prompt: str = "") -> TextScore:
        """Return the negative log-likelihood of a text behind a prompt.

        The two are encoded apart, as they were when the prompt was continued: no token lies across the border.
        """
        rest = self.tokenizer.encode(text)
        before = self.prompt(prompt)
        ids = torch.cat([before, torch.from_numpy(rest.astype(np.int64)).to(self.device)])
        nats = -float(self.score_tokens(ids, len(before)).double().sum()) if len(rest) else 0.0
        lost = count_lost_bytes(self.tokenizer, text, rest)
        return TextScore(nats=nats, n_tokens=len(rest), n_bytes=len(text.encode()), lost_bytes=lost)

    @torch.inference_mode()
    def score_tokens(self, tokens: Tensor, first: int = 1) -> Tensor:
        """Return the log-probabilities (T - first,) of the ids (T,) from `first` on.

        Where the ids are longer than the model's context, it moves on by half of its length at a time: a token sees at least
        the half before it.

        Raises:
            UsageError: the model is bidirectional, so it gives no probability of a text.
        """
        self._require_causal("A text has a probability only under")
        found = []
        for begin, start, end in windows(first, len(tokens), self.context_length):
            inputs, targets = tokens[None, begin : end - 1], tokens[None, begin + 1 : end].clone()
            targets[:, : start - begin - 1] = IGNORED
            found.append(self.net.logprobs(self.net(inputs).features, targets)[0, start - begin - 1 :])
        return torch.cat(found) if found else torch.empty(0, device=self.device)

    def generate(
        self, prompt: str | Tensor, method: Sampler | Decoder | None = None, limits: Limits | None = None
    ) -> Iterator[TokenEvent]:
        """Yield token events; close the iterator to stop."""
        limits = limits or Limits()
        ids = self.prompt(prompt) if isinstance(prompt, str) else prompt.to(self.device)
        if not self.model.causal and mask_of(self.vocabulary) is not None and not isinstance(method, Decoder):
            yield from fill(self, ids, method, limits)
            return
        self._require_causal("Generation needs")
        events = method.decode(self, ids, limits) if isinstance(method, Decoder) else self._draw(ids, method, limits)
        yield from until_text(events, limits.stop, limits.samples) if limits.stop else events

    def _require_causal(self, what: str) -> None:
        if not self.model.causal:
            fills = mask_of(self.vocabulary) is not None
            raise UsageError(
                f"{what} a causal model; this one is bidirectional.",
                "Use another --sampler, which fills in masks." if fills else "Train with another --builder.",
                code="not-causal",
            )

    @torch.inference_mode()
    def _start(self, ids: Tensor, limits: Limits) -> Tensor:
        """Read the prompt: once for all samples where the state can be repeated."""
        self._open(ids[None], limits.max_tokens)
        if limits.samples > 1 and not offers(self._state, "select"):
            return self.prefill(ids.repeat(limits.samples, 1), limits.max_tokens)
        logits = self._next_logits()
        if limits.samples > 1:
            self.select(torch.zeros(limits.samples, dtype=torch.int64, device=self.device))
        return logits.repeat(limits.samples, 1)

    def _draw(self, ids: Tensor, sampler: Sampler | None, limits: Limits) -> Iterator[TokenEvent]:
        generators = [generator_of(limits.seed, index) for index in range(limits.samples)]
        decoders = [codecs.getincrementaldecoder("utf-8")("replace") for _ in range(limits.samples)]
        drawable = self.vocabulary.drawable
        banned = None if drawable.all() else torch.from_numpy(~drawable).to(self.device)
        stops = self.vocabulary.stops
        endless = _without(drawable, stops, self.device)
        required = limits.max_tokens if limits.ignore_end else limits.min_tokens
        alive = [True] * limits.samples
        logits = self._start(ids, limits)  # (B, V)
        state = sampler.start(self.tokens) if sampler is not None else None
        drawn: Tensor | None = None
        for number in range(limits.max_tokens):
            with torch.inference_mode():  # entered once a token, so `extend`, which enters it too, is not called
                if drawn is not None:
                    self._append(drawn[:, None])
                    logits = self._next_logits()
                scores = logits.log_softmax(dim=-1) if limits.alternatives or limits.logprobs else None
                forbidden = endless if number < required else banned
                if forbidden is not None:
                    logits.masked_fill_(forbidden, float("-inf"))
                probabilities = logits.softmax(dim=-1) if sampler is None else sampler.constrained(logits, self.tokens, state)
                check_distribution(probabilities, logits, forbidden)
                drawn = draw(probabilities, generators)
                state = sampler.advance(state, drawn) if sampler is not None else None
            last = number + 1 == limits.max_tokens
            for index, token in enumerate(drawn.tolist()):
                if alive[index]:
                    alive[index] = token not in stops
                    yield self._event(index, token, decoders[index], stops, last, scores, limits)
            if last or not any(alive):
                return

    def _event(
        self,
        index: int,
        token: int,
        decoder: Any,
        stops: frozenset[int],
        last: bool,
        scores: Tensor | None,
        limits: Limits,
    ) -> TokenEvent:
        ended = "stop" if token in stops else "length" if last else ""
        raw = self.tokenizer.token_bytes(token) if token < self.vocabulary.tokenizer_size and token not in stops else b""
        alternatives: tuple[tuple[int, float], ...] = ()
        if scores is not None and limits.alternatives:
            best = scores[index].topk(min(limits.alternatives, scores.shape[1]))
            alternatives = tuple(zip(best.indices.tolist(), best.values.tolist(), strict=True))
        return TokenEvent(
            sequence=index,
            token=token,
            text=decoder.decode(raw, final=bool(ended)),  # at the end also a character that was cut off in its middle
            logprob=math.nan if scores is None else float(scores[index, token]),
            alternatives=alternatives,
            ended=ended,
        )

    def _restart(self, keep: int) -> None:
        """Build the state anew for the last `keep` tokens; they are read with the next logits."""
        limit = self.context_length
        self._room = self._all.shape[1] if limit is None else min(limit, self._all.shape[1])
        with self.machine.autocast():
            self._state = self.model.initial_state(len(self._all), self._room)
        self._first = self._read = self._length - keep

    def _next_logits(self) -> Tensor:
        """Read the tokens that the state has not seen, and return the logits (B, V) of the next one in float32."""
        with self.machine.autocast():
            logits: Tensor = self.model.logits(self._read_on()[:, -1])
        return logits.float()

    def _read_on(self) -> Tensor:
        """Read the tokens that the state has not seen, and return their features (B, N, D)."""
        inputs = self._all[:, self._read : self._length]
        output = self.model(inputs, self._state)
        if not isinstance(output, Output):
            raise wrong_return(self.model, "forward", "a pentad.Output(features, state, losses)", output)
        self._state, self._features = output.state, output.features
        self._read = self._length
        return output.features


def _without(drawable: npt.NDArray[np.bool_], stops: frozenset[int], device: torch.device) -> Tensor:
    """Return which ids (V,) must not be drawn where no sequence may end."""
    allowed = drawable.copy()
    allowed[list(stops)] = False
    return torch.from_numpy(~allowed).to(device)


def windows(first: int, length: int, context: int | None) -> Iterator[tuple[int, int, int]]:
    """Yield (begin, first, end): read the ids from `begin` to before `end - 1`, score those from `first` to before `end`.

    Args:
        first: the first id to score, at least 1.
        length: ids in all.
        context: ids that the model reads at once at most; None for any number.
    """
    while first < length:
        room = context or length
        begin = 0 if length - 1 <= room else max(0, first - 1 - room // 2)
        end = min(length, begin + room + 1)
        yield begin, first, end
        first = end
