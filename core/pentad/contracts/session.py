"""The session contract: a model, its machine and its vocabulary, ready for inference; and the decoders that drive one.

What generates or judges (decoders, evaluators, on-policy builders, commands) drives a session, and never the model itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from pentad.contracts.model import Model
    from pentad.contracts.objective import Net
    from pentad.contracts.sampler import Sampler
    from pentad.contracts.tokenizer import Tokenizer
    from pentad.contracts.vocabulary import Vocabulary


@dataclass(frozen=True, kw_only=True)
class Limits:
    """When a generation ends.

    Args:
        max_tokens: maximum new tokens of each sequence.
        samples: how many sequences.
        seed: decides every draw.
        alternatives: how many of the likeliest tokens each event lists.
        logprobs: whether each event has the log-probability of its token.
        min_tokens: new tokens before which no sequence may end by a token; at most `max_tokens`.
        ignore_end: whether a token that would end a sequence is never drawn, so that each gets `max_tokens`.
        stop: texts that end a sequence as soon as they are written; they are no part of what it wrote.
    """

    max_tokens: int = 120
    samples: int = 1
    seed: int = 0
    alternatives: int = 0
    logprobs: bool = False
    min_tokens: int = 0
    ignore_end: bool = False
    stop: Sequence[str] = field(default=())


@dataclass(frozen=True, kw_only=True)
class TokenEvent:
    """One new token of one sequence.

    Args:
        sequence: its number, from 0.
        token: the id.
        text: the text that it completes; empty in the middle of a character and for a special token. What may be the
            beginning of a stop text comes with a later token.
        logprob: its log-probability in nats under the model, before the sampler changed it; NaN where nobody asked.
        alternatives: the likeliest ids with their log-probabilities under the model, likeliest first.
        ended: why the sequence ends here: `stop` (the token, which is not part of the text, ends it), `text` (one of
            `Limits.stop` was written), `length`, `filled` (every mask is), or empty.
        position: the place in the prompt of the mask that the token fills; None for a token behind the prompt.
    """

    sequence: int
    token: int
    text: str
    logprob: float
    alternatives: Sequence[tuple[int, float]] = field(default=())
    ended: str = ""
    position: int | None = None


@dataclass(frozen=True, kw_only=True)
class TextScore:
    """The negative log-likelihood of a text: `nats` in all, over `n_tokens` tokens of a text of `n_bytes` bytes.

    `lost_bytes` of them cannot be had back from the tokens, and no nats stand for these. `standard_error` is that of the
    bits per byte, from how much the stretches of the text differ; 0 where the text was not looked at in stretches.
    """

    nats: float
    n_tokens: int
    n_bytes: int
    lost_bytes: int = 0
    standard_error: float = 0.0


class Session(ABC):
    """A model for inference, and the sequences that it is reading.

    A session holds B sequences of one length. `prefill` starts them, `extend` puts a token behind each and `read` several,
    `select` keeps, drops or repeats rows, `truncate` forgets the newest tokens. Where a model's state cannot do that, it is
    built again: slower, and the same to rounding.
    """

    model: Model
    tokenizer: Tokenizer
    vocabulary: Vocabulary
    net: Net
    """The door to the model for scores of many rows at once."""

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Where the tensors are."""

    @property
    @abstractmethod
    def tokens(self) -> Tensor:
        """The sequences so far (B, T) int64, the prompt included."""

    @property
    @abstractmethod
    def context_length(self) -> int | None:
        """Tokens that the model can look back on, or None without such a bound."""

    @abstractmethod
    def prefill(self, tokens: Tensor) -> Tensor:
        """Forget everything, read tokens (B, T), and return the logits (B, V) of what comes next in float32."""

    @abstractmethod
    def extend(self, tokens: Tensor) -> Tensor:
        """Read one more token (B,) in each sequence, and return the logits (B, V) of what comes next in float32."""

    @abstractmethod
    def read(self, tokens: Tensor) -> Tensor:
        """Read tokens (B, N) in each sequence at once, and return the logits (B, N, V) of what comes behind each in float32.

        The same as `extend` for one after the other, to rounding; in one pass where `room` holds them.
        """

    @property
    @abstractmethod
    def room(self) -> int | None:
        """Tokens that can be read before the context is full and its older half is forgotten; None for any number."""

    @property
    @abstractmethod
    def features(self) -> Tensor:
        """The features (B, N, D) of the tokens that the newest call has read, the last of them that of the newest token.

        Where the state had to be built again, they are those of all tokens that are still looked back on.
        """

    @abstractmethod
    def fork(self) -> Session:
        """Return a session of the same model that has read nothing: for a second text of another length beside this one."""

    @abstractmethod
    def select(self, rows: Tensor) -> None:
        """Go on with these rows (R,) of the sequences, in this order; a row may come twice."""

    @abstractmethod
    def truncate(self, length: int) -> None:
        """Forget all but the first `length` tokens of each sequence; at least one stays."""

    @abstractmethod
    def prompt(self, text: str) -> Tensor:
        """Return the ids (T,) of a prompt: the end of text that opens a document, then the plain text's own."""

    @abstractmethod
    def score(self, text: str, prompt: str = "") -> TextScore:
        """Return the negative log-likelihood of a text behind a prompt, each of its bytes once."""

    @abstractmethod
    def score_tokens(self, tokens: Tensor, first: int = 1) -> Tensor:
        """Return the log-probabilities (T - first,) in nats of the ids (T,) from `first` on, each given those before it."""

    @abstractmethod
    def generate(
        self, prompt: str | Tensor, method: Sampler | Decoder | None = None, limits: Limits | None = None
    ) -> Iterator[TokenEvent]:
        """Yield token events; close the iterator to stop. A text prompt never becomes a special token; ids (T,) may be any.

        A causal model goes on from the prompt. A bidirectional one fills in the masks of a prompt of ids, that of which
        it is surest first.

        Raises:
            UsageError: the prompt is no valid Unicode, or the model cannot generate.
            EngineError: the sampler returns no distribution.
        """


class Decoder(ABC):
    """A way of decoding that drives the session itself: beam search, contrastive search, speculative drafts.

    Promises, each checked by the conformance kit: as many sequences as asked for end, none is longer than `max_tokens`, the
    same seed gives the same events, and no id is drawn that the vocabulary does not allow. Core looks for `Limits.stop` itself.
    """

    @abstractmethod
    def decode(self, session: Session, prompt: Tensor, limits: Limits) -> Iterator[TokenEvent]:
        """Yield the events of `limits.samples` sequences behind a prompt (T,), in any order of sequences."""
