"""Each wrong decoder is caught by the check meant for it, and by no other."""

from __future__ import annotations

import codecs
import dataclasses

import pytest
import torch

from pentad import Decoder, Implementation, Limits, Sampler, TokenEvent
from pentad.testing import DecoderConformance, SamplerConformance


class Right(Decoder):
    """Draws from the model's own distribution, one sequence after the other; every other decoder breaks one promise."""

    def __init__(self, options):
        pass

    def decode(self, session, prompt, limits):
        for sequence in range(limits.samples):
            yield from self.sequence(session, prompt, limits, sequence)

    def generator(self, limits, sequence):
        return torch.Generator().manual_seed(1000 * limits.seed + sequence)

    def sequence(self, session, prompt, limits, number):
        generator = self.generator(limits, number)
        text = codecs.getincrementaldecoder("utf-8")("replace")
        allowed = torch.from_numpy(session.vocabulary.drawable)
        logits = session.prefill(prompt[None])
        for drawn in range(1, limits.max_tokens + 1):
            logprobs = logits[0].log_softmax(dim=-1)
            token = int(logits[0].masked_fill(~allowed, -torch.inf).softmax(dim=-1).multinomial(1, generator=generator))
            ended = "stop" if token in session.vocabulary.stops else "length" if drawn == limits.max_tokens else ""
            plain = token < session.vocabulary.tokenizer_size and ended != "stop"
            best = logprobs.topk(limits.alternatives) if limits.alternatives else None
            yield TokenEvent(
                sequence=number,
                token=token,
                text=text.decode(session.tokenizer.token_bytes(token) if plain else b"", final=bool(ended)),
                logprob=float(logprobs[token]) if limits.logprobs else float("nan"),
                alternatives=tuple(zip(best.indices.tolist(), best.values.tolist(), strict=True)) if best else (),
                ended=ended,
            )
            if ended:
                return
            logits = session.extend(torch.tensor([token]))


class Changed(Right):
    """Changes the events of a right decoder."""

    def decode(self, session, prompt, limits):
        for event in super().decode(session, prompt, limits):
            yield self.changed(event, session, limits)


class OneSequenceOnly(Right):
    def decode(self, session, prompt, limits):
        yield from self.sequence(session, prompt, limits, 0)


class NeverSaysThatItEnds(Changed):
    def changed(self, event, session, limits):
        return dataclasses.replace(event, ended=event.ended if event.ended == "stop" else "")


class CallsEveryEndLength(Changed):
    def changed(self, event, session, limits):
        text = event.text if event.ended != "stop" else ""
        return dataclasses.replace(event, text=text, ended="length" if event.ended else "")


class OneTokenTooMany(Right):
    def decode(self, session, prompt, limits):
        longer = Limits(**{**vars(limits), "max_tokens": limits.max_tokens + 1})
        yield from super().decode(session, prompt, longer)


class DrawsFromTheGlobalGenerator(Right):
    def generator(self, limits, sequence):
        return None


class DrawsAnything(Right):
    def sequence(self, session, prompt, limits, number):
        everything = dataclasses.replace(
            session.vocabulary,
            special=tuple(dataclasses.replace(token, drawable=True) for token in session.vocabulary.special),
        )
        known, session.vocabulary = session.vocabulary, everything
        try:
            yield from super().sequence(session, prompt, limits, number)
        finally:
            session.vocabulary = known


class DecodesEachTokenAlone(Changed):
    def changed(self, event, session, limits):
        plain = event.ended != "stop" and event.token < session.vocabulary.tokenizer_size
        return dataclasses.replace(event, text=session.tokenizer.decode([event.token]) if plain else "")


class GivesTheLogprobOfWhatIsLeft(Changed):
    def changed(self, event, session, limits):
        return dataclasses.replace(event, logprob=event.logprob / 2)


class ListsTheLikeliestLast(Changed):
    def changed(self, event, session, limits):
        return dataclasses.replace(event, alternatives=event.alternatives[::-1])


class GoesOnWhereItWasStopped(Right):
    def __init__(self, options):
        self.begun = 0

    def decode(self, session, prompt, limits):
        self.begun += 1
        more = Limits(**{**vars(limits), "seed": limits.seed + self.begun - 1})
        yield from super().decode(session, prompt, more)


class ReadsBehindTheSession(Right):
    """Asks the model itself for the whole sequence."""

    def sequence(self, session, prompt, limits, number):
        session.model(prompt[None])
        yield from super().sequence(session, prompt, limits, number)


def kit_of(decoder, base=DecoderConformance):
    record = Implementation(name="wrong", summary="", factory=decoder)
    return type("Kit", (base,), {"implementation": record})


def failures(decoder):
    kit = kit_of(decoder)()
    return {check: result.note for check in kit.checks() if (result := kit.run(check)).outcome != "passed"}


def test_a_right_decoder_passes():
    assert failures(Right) == {}


@pytest.mark.parametrize(
    ("decoder", "check"),
    [
        (OneSequenceOnly, "every_sequence_ends"),
        (NeverSaysThatItEnds, "every_sequence_ends"),
        (CallsEveryEndLength, "ends_say_why"),
        (OneTokenTooMany, "none_is_too_long"),
        (DrawsFromTheGlobalGenerator, "same_seed_same_events"),
        (DrawsAnything, "ids_are_allowed"),
        (DecodesEachTokenAlone, "text_is_that_of_the_tokens"),
        (GivesTheLogprobOfWhatIsLeft, "logprobs_are_the_models"),
        (ListsTheLikeliestLast, "alternatives_are_the_likeliest"),
        (GoesOnWhereItWasStopped, "goes_on_after_being_stopped"),
        (ReadsBehindTheSession, "goes_beyond_the_context"),
    ],
)
def test_a_wrong_decoder_is_caught_by_the_check_meant_for_it(decoder, check):
    found = failures(decoder)
    assert list(found) == [check], found


class Draws(Sampler):
    def __init__(self, options):
        pass

    def probabilities(self, logits, tokens):
        return logits.softmax(dim=-1)


def test_the_factory_decides_which_contract_is_checked():
    (kit,) = kit_of(Right, SamplerConformance).kits()
    assert issubclass(kit, DecoderConformance) and kit.implementation.factory is Right
    assert kit_of(Draws, SamplerConformance).kits()[0].__mro__[1] is SamplerConformance


def test_the_wrong_class_names_the_right_one():
    assert "test it with SamplerConformance" in kit_of(Draws)().run("none_is_too_long").note
    assert "test it with DecoderConformance" in kit_of(Right, SamplerConformance)().run("rows_sum_to_one").note
