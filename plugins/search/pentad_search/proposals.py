"""What proposes tokens for speculative decoding: a smaller run, or the text itself."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from pentad import SavedRun, Session, UsageError, open_run
from pentad_search.drawing import Draws
from pentad_search.events import Bans

_LONGEST = 3
"""Tokens at the end of the text that are looked for earlier in it, at most."""


class Proposer(ABC):
    """Proposes what may follow a text."""

    @abstractmethod
    def propose(self, tokens: Tensor, number: int, done: int, draws: Draws, bans: Bans) -> tuple[list[int], list[Tensor]]:
        """Return tokens that may follow, at most so many, each with the distribution (V,) from which it was drawn.

        Args:
            tokens: (T,) the text so far.
            number: how many tokens to propose at most.
            done: how many tokens of the text were generated.
            draws: draws the tokens.
            bans: what must not be drawn.
        """


class DraftModel(Proposer):
    """A session of a smaller model. It keeps what it has read of the text, as far as the text stays the same."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._read: list[int] = []

    def propose(self, tokens: Tensor, number: int, done: int, draws: Draws, bans: Bans) -> tuple[list[int], list[Tensor]]:
        """Draw tokens from the draft model."""
        ahead, drawn, distributions = draws.ahead(), list[int](), list[Tensor]()
        logits = self._catch_up(tokens)
        while True:
            found = ahead.probabilities(bans.apply(logits, done + len(drawn)), tokens)
            token = ahead.draw(found)
            ahead.advance(token)
            drawn.append(token)
            distributions.append(found)
            if len(drawn) == number:
                return drawn, distributions
            tokens = torch.cat([tokens, torch.tensor([token], device=tokens.device)])
            logits = self.session.extend(tokens[-1:])[0]
            self._read.append(token)

    def _catch_up(self, tokens: Tensor) -> Tensor:
        """Read what it has not read of a text (T,), and return the logits (V,) of the next token."""
        wanted = tokens.tolist()
        same = next((place for place, pair in enumerate(zip(self._read, wanted, strict=False)) if pair[0] != pair[1]), None)
        same = min(len(self._read), len(wanted)) if same is None else same
        same = min(same, len(wanted) - 1)  # the newest is read again where all is known, for its logits
        if same < 1:
            logits = self.session.prefill(tokens[None])[0]
        else:
            self.session.truncate(same)
            logits = self.session.read(tokens[None, same:])[0, -1]
        self._read = wanted
        return logits


class Lookup(Proposer):
    """What followed the newest tokens where they last stood in the text: Saxena, Prompt Lookup Decoding, 2023."""

    def __init__(self, vocab_size: int) -> None:
        self._size = vocab_size

    def propose(self, tokens: Tensor, number: int, done: int, draws: Draws, bans: Bans) -> tuple[list[int], list[Tensor]]:
        """Return the tokens from the text, each for certain; none where the newest token is new."""
        del done, draws, bans
        text = tokens.tolist()
        for length in range(min(_LONGEST, len(text) - 1), 0, -1):
            newest = text[-length:]
            for place in range(len(text) - length - 1, -1, -1):
                if text[place : place + length] == newest:
                    found = text[place + length : place + length + number]
                    return found, [self._certain(token) for token in found]
        return [], []

    def _certain(self, token: int) -> Tensor:
        return torch.nn.functional.one_hot(torch.tensor(token), self._size).double()


def open_draft(path: str, session: Session) -> Session:
    """Return the session of a draft run.

    Raises:
        UsageError: it does not write the same tokens.
        EngineError: it cannot be opened.
    """
    run: SavedRun = open_run(path, device=session.device.type)
    ours, theirs = session.vocabulary, run.vocabulary
    same = (ours.tokenizer_size, ours.end_of_text, ours.special) == (theirs.tokenizer_size, theirs.end_of_text, theirs.special)
    if not same or any(
        session.tokenizer.token_bytes(token) != run.tokenizer.token_bytes(token) for token in range(ours.tokenizer_size)
    ):
        raise UsageError(
            f"--sampler.draft must be a run with the same tokens; {path} has other ones.",
            "Train it with --start RUN or on the same text with the same tokenizer.",
            code="draft-mismatch",
        )
    return run.session
