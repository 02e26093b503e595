"""The contract of decoders, as checks on a session whose model is a table of what follows what.

from pentad.testing import DecoderConformance

class TestBeam(DecoderConformance):
    name = "beam"
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from pentad.contracts.sampler import Sampler
from pentad.contracts.session import Decoder, Limits, TokenEvent
from pentad.contracts.vocabulary import SpecialToken
from pentad.inference.session import ModelSession
from pentad.testing.conformance import Conformance, require
from pentad.testing.subjects import Bytes, Table, random_table, session_of

_SPECIAL = (SpecialToken(name="hidden"), SpecialToken(name="turn", drawable=True, stops=True))
_SIZE = Bytes.vocab_size + len(_SPECIAL)
_HIDDEN = Bytes.vocab_size
_PROMPT = "7 eels "


class DecoderConformance(Conformance):
    """Checks of a sampler that is a `Decoder`, which drives the session itself.

    Attributes:
        max_tokens: new tokens of a sequence in the checks.
    """

    kind = "sampler"
    max_tokens: ClassVar[int] = 9

    def decoder(self) -> Decoder:
        """Make the decoder under test."""
        session = _session()
        made = self.make(tokenizer=session.tokenizer, vocabulary=session.vocabulary)
        other = "; test it with SamplerConformance" if isinstance(made, Sampler) else ""
        require(isinstance(made, Decoder), f"the factory must return a Decoder, found a {type(made).__name__}{other}")
        return made  # type: ignore[no-any-return]

    def limits(self, samples: int = 2, seed: int = 1, **more: int | bool) -> Limits:
        """Return what is asked for."""
        return Limits(max_tokens=self.max_tokens, samples=samples, seed=seed, **more)  # type: ignore[arg-type]

    def sequences(self, session: ModelSession, limits: Limits, decoder: Decoder | None = None) -> list[list[TokenEvent]]:
        """Return the events of each sequence, in their order."""
        made = self.decoder() if decoder is None else decoder
        events = list(made.decode(session, session.prompt(_PROMPT), limits))
        wrong = {event.sequence for event in events} - set(range(limits.samples))
        require(not wrong, f"sequences are numbered from 0 to {limits.samples - 1}, found {sorted(wrong)}")
        return [[event for event in events if event.sequence == index] for index in range(limits.samples)]

    def check_every_sequence_ends(self) -> None:
        """As many sequences as were asked for come to an end, each once, and nothing follows it."""
        for samples in (1, 2, 5):
            for number, events in enumerate(self.sequences(_session(), self.limits(samples))):
                require(bool(events), f"{samples} sequences were asked for, but number {number} has no event")
                ends = [index for index, event in enumerate(events) if event.ended]
                require(
                    ends == [len(events) - 1],
                    f"sequence {number} must end with its last event and nowhere else; of {len(events)} those at {ends} end it",
                )

    def check_ends_say_why(self) -> None:
        """A sequence ends with `stop` at a token that stops, and with `length` at any other."""
        session = _session()
        for events in self.sequences(session, self.limits(5)):
            for event in events:
                stops = event.token in session.vocabulary.stops
                if event.ended or stops:
                    expected = "stop" if stops else "length"
                    require(
                        event.ended == expected,
                        f"the token {event.token} ends its sequence with {event.ended!r}; expected {expected!r}, as "
                        f"vocabulary.stops {'has' if stops else 'lacks'} it",
                    )

    def check_none_is_too_long(self) -> None:
        """No sequence has more tokens than `max_tokens`."""
        for most in (1, 4, self.max_tokens):
            for events in self.sequences(_session(), Limits(max_tokens=most, samples=2, seed=1)):
                require(len(events) <= most, f"max_tokens is {most}, but a sequence has {len(events)} tokens")

    def check_same_seed_same_events(self) -> None:
        """The same seed gives the same events, whatever torch's global generator is at."""
        found = []
        for number in range(3):
            torch.manual_seed(number)
            found.append(_comparable(self.sequences(_session(), self.limits())))
        require(
            found[0] == found[1] == found[2],
            "the same seed gives other sequences the second time; draw from a generator made of limits.seed alone",
        )

    def check_ids_are_allowed(self) -> None:
        """No id is drawn that the vocabulary does not allow, however likely the model takes it for."""
        table = random_table(_SIZE)
        table[:, _HIDDEN] = 30.0
        for events in self.sequences(session_of(Table(table), _SPECIAL), self.limits(3)):
            wrong = [event.token for event in events if event.token == _HIDDEN or not 0 <= event.token < _SIZE]
            require(not wrong, f"the id {wrong[:1]} is drawn; draw only where session.vocabulary.drawable is True")

    def check_text_is_that_of_the_tokens(self) -> None:
        """The texts of a sequence's events, joined, are what its tokens decode to; a special token has none."""
        session = _session()
        for events in self.sequences(session, self.limits(5)):
            plain = [event.token for event in events if event.token < session.vocabulary.tokenizer_size and not _stops(event)]
            expected, found = session.tokenizer.decode(plain), "".join(event.text for event in events)
            require(
                found == expected,
                f"the events of a sequence say {found!a}, its tokens {expected!a}; decode their bytes one after the other, "
                "and what is left at the end",
            )

    def check_logprobs_are_the_models(self) -> None:
        """Where `logprobs` asks for it, an event's log-probability is the model's, before anything changed it."""
        session = _session()
        for events in filter(None, self.sequences(session, self.limits(3, logprobs=True))):
            expected = _logprobs(session, events)
            for event, row in zip(events, expected, strict=True):
                right = float(row[event.token])
                require(
                    math.isclose(event.logprob, right, abs_tol=1e-3),
                    f"the log-probability of token {event.token} is {event.logprob:.4f}, the model's {right:.4f}; "
                    "take logits.log_softmax(-1) before masking or scaling",
                )

    def check_alternatives_are_the_likeliest(self) -> None:
        """Where `alternatives` asks for it, an event lists the model's likeliest ids, likeliest first; otherwise none."""
        session = _session()
        for events in filter(None, self.sequences(session, self.limits(2, alternatives=3))):
            for event, row in zip(events, _logprobs(session, events), strict=True):
                best = row.topk(3)
                found = [token for token, _ in event.alternatives]
                require(
                    found == best.indices.tolist(),
                    f"the alternatives are {found}; the model's likeliest 3 ids are {best.indices.tolist()}",
                )
                near = torch.tensor([logprob for _, logprob in event.alternatives])
                require(
                    torch.allclose(near, best.values, atol=1e-3), "alternatives must have the model's own log-probabilities"
                )
        none = [event for events in self.sequences(_session(), self.limits(2)) for event in events if event.alternatives]
        require(not none, "events list alternatives though limits.alternatives is 0")

    def check_goes_on_after_being_stopped(self) -> None:
        """Whoever closes the iterator in the middle gets the same sequences from the same decoder and session afterwards."""
        session, decoder = _session(), self.decoder()
        stopped = iter(decoder.decode(session, session.prompt(_PROMPT), self.limits()))
        next(stopped)
        close = getattr(stopped, "close", None)
        if close is not None:
            close()
        torch.manual_seed(0)  # so that only the check for it fails where a decoder draws from torch's global generator
        again = _comparable(self.sequences(session, self.limits(), decoder))
        torch.manual_seed(0)
        fresh = _comparable(self.sequences(_session(), self.limits()))
        require(again == fresh, "after an earlier iterator was closed the sequences are others; start each decode from nothing")

    def check_goes_beyond_the_context(self) -> None:
        """A prompt that is longer than the model's context is no error: the session moves the context on."""
        session = session_of(Table(random_table(_SIZE), context_length=6), _SPECIAL)
        require(any(self.sequences(session, self.limits())), "nothing is decoded behind a prompt longer than the context")


def _session() -> ModelSession:
    """Return a session in which sequences end now and then."""
    table = random_table(_SIZE)
    table[:, [Bytes.vocab_size - 1, _SIZE - 1]] += 2.0  # the two ids that stop
    return session_of(Table(table), _SPECIAL)


def _stops(event: TokenEvent) -> bool:
    return event.ended == "stop"


def _comparable(sequences: Sequence[Sequence[TokenEvent]]) -> list[list[tuple[int, str, str]]]:
    return [[(event.token, event.text, event.ended) for event in events] for events in sequences]


def _logprobs(session: ModelSession, events: Sequence[TokenEvent]) -> Tensor:
    """Return the model's log-probabilities (T, V) of what each event may draw."""
    ids = torch.cat([session.prompt(_PROMPT), torch.tensor([event.token for event in events])])
    with torch.no_grad():
        logits = session.model.logits(session.model(ids[None, :-1]).features)[0].float()
    return logits[-len(events) :].log_softmax(dim=-1)
