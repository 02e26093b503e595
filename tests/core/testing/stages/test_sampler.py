"""Each wrong sampler is caught by the check meant for it, and by no other."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import torch

from pentad import Chain, Implementation, NoOptions, Sampler
from pentad.testing import SamplerConformance


class Right(Sampler):
    def __init__(self, options):
        pass

    def probabilities(self, logits, tokens):
        return logits.softmax(dim=-1)


class DrawsByItself(Right):
    """Ignores the engine's generator: draws from torch's global one and returns the token that it drew."""

    def probabilities(self, logits, tokens):
        drawn = torch.multinomial(logits.softmax(dim=-1), 1)
        return torch.zeros_like(logits).scatter_(-1, drawn, 1.0)


class DrawsFromItsOwnGenerator(Right):
    generator = torch.Generator().manual_seed(1)

    def probabilities(self, logits, tokens):
        noise = torch.empty_like(logits).exponential_(generator=self.generator)
        if (logits.amax(dim=-1) > 10).any() or logits.isinf().any() or len(logits) < 4:
            return logits.softmax(dim=-1)
        return torch.zeros_like(logits).scatter_(-1, (logits.softmax(dim=-1) / noise).argmax(dim=-1, keepdim=True), 1.0)


class Unnormalised(Right):
    """Cuts the tail off and forgets to divide by what is left."""

    def probabilities(self, logits, tokens):
        found = logits.softmax(dim=-1)
        return torch.where(found < 0.5 * found.amax(dim=-1, keepdim=True), 0.0, found)


class GivesTheImpossibleAChance(Right):
    def probabilities(self, logits, tokens):
        impossible = logits.isinf() & (logits.isfinite().sum(dim=-1, keepdim=True) > 1)
        return logits.masked_fill(impossible, -9.0).softmax(dim=-1)


class OverflowsOnHugeLogits(Right):
    def probabilities(self, logits, tokens):
        return (logits / 0.5).softmax(dim=-1)


class IgnoresTheLogits(Right):
    def probabilities(self, logits, tokens):
        return torch.where(logits.isfinite(), 0.0, -torch.inf).softmax(dim=-1)


class MixesRows(Right):
    def probabilities(self, logits, tokens):
        penalty = 0.01 * logits.nan_to_num(neginf=0.0).clamp(-1, 1).mean(dim=0)
        return (logits - penalty).softmax(dim=-1)


class ChangesTheLogits(Right):
    def probabilities(self, logits, tokens):
        return logits.sub_(logits.amax(dim=-1, keepdim=True)).softmax(dim=-1)


class NeedsThreeTokens(Right):
    def probabilities(self, logits, tokens):
        tokens[:, 0]
        return logits.softmax(dim=-1)


class UniformWhenCertain(Right):
    def probabilities(self, logits, tokens):
        only = logits.isfinite().sum(dim=-1, keepdim=True) == 1
        spread = logits.isfinite() * 0.5
        return torch.where(only, spread, logits.softmax(dim=-1))


class NeverTwice(Right):
    """Never draws a token twice; the state of a sequence is the set of what it has drawn."""

    def start(self, tokens):
        return [frozenset()] * len(tokens)

    def constrained(self, logits, tokens, state):
        found = logits.softmax(dim=-1)
        for row, used in enumerate(state):
            found[row, list(used)] = 0
        return found / found.sum(dim=-1, keepdim=True)

    def advance(self, state, drawn):
        return [used | {int(token)} for used, token in zip(state, drawn, strict=True)]


class SharesAState(NeverTwice):
    """Forbids to every sequence what any of them has drawn."""

    def advance(self, state, drawn):
        return [frozenset().union(*state, drawn.tolist())] * len(state)


class KeepsTheStateInItself(NeverTwice):
    """Goes on with what an earlier sampling has drawn."""

    def __init__(self, options):
        self.used = {}

    def start(self, tokens):
        return list(range(len(tokens)))

    def constrained(self, logits, tokens, state):
        return super().constrained(logits, tokens, [self.used.get(row, frozenset()) for row in state])

    def advance(self, state, drawn):
        for row, token in zip(state, drawn.tolist(), strict=True):
            self.used[row] = self.used.get(row, frozenset()) | {token}
        return state


class ForgetsToNormalise(NeverTwice):
    def constrained(self, logits, tokens, state):
        found = logits.softmax(dim=-1)
        for row, used in enumerate(state):
            found[row, list(used)] = 0
        return found


def failures(sampler, options=NoOptions):
    record = Implementation(name="wrong", summary="", factory=sampler, options=options)
    kit = type("Kit", (SamplerConformance,), {"implementation": record})()
    return {check: result.note for check in kit.checks() if (result := kit.run(check)).outcome != "passed"}


def test_a_right_sampler_passes():
    assert failures(Right) == failures(NeverTwice) == {}


def test_a_chain_of_right_samplers_passes():
    assert failures(lambda options: Chain((NeverTwice(options), Right(options)))) == {}


@pytest.mark.parametrize(
    ("sampler", "check"),
    [
        (DrawsByItself, "draws_nothing_itself"),
        (DrawsFromItsOwnGenerator, "draws_nothing_itself"),
        (Unnormalised, "rows_sum_to_one"),
        (GivesTheImpossibleAChance, "minus_infinity_is_never_drawn"),
        (OverflowsOnHugeLogits, "huge_logits_are_stable"),
        (IgnoresTheLogits, "follows_the_logits"),
        (MixesRows, "rows_do_not_touch"),
        (ChangesTheLogits, "leaves_its_inputs_alone"),
        (NeedsThreeTokens, "smallest_shapes"),
        (UniformWhenCertain, "one_choice_is_certain"),
        (SharesAState, "sequences_have_a_state_each"),
        (KeepsTheStateInItself, "sequences_have_a_state_each"),
        (ForgetsToNormalise, "sequences_have_a_state_each"),
    ],
)
def test_a_wrong_sampler_is_caught_by_the_check_meant_for_it(sampler, check):
    assert list(failures(sampler)) == [check]


@dataclass(frozen=True, kw_only=True)
class OptionsOfBytes:
    stop: tuple[str, ...] = field(default=(b"a",))


def test_options_that_do_not_survive_json_are_caught():
    assert list(failures(Right, OptionsOfBytes)) == ["options_survive_json"]


def test_messages_tell_what_to_change():
    assert "generator" in failures(DrawsByItself)["draws_nothing_itself"]
    assert "normalise" in failures(Unnormalised)["rows_sum_to_one"]


class Letters(Right):
    """Draws letters and the ends of sequences only: knows what each id stands for."""

    def __init__(self, options, *, tokenizer, vocabulary):
        letters = [tokenizer.token_bytes(token).isalpha() for token in range(vocabulary.tokenizer_size)]
        self.allowed = torch.tensor(letters + [token.stops for token in vocabulary.special])

    def probabilities(self, logits, tokens):
        return logits.masked_fill(~self.allowed, -torch.inf).softmax(dim=-1)


class LettersWithATail(Letters):
    def probabilities(self, logits, tokens):
        return super().probabilities(logits, tokens) * 0.9


class UniformLetters(Letters):
    def probabilities(self, logits, tokens):
        return super().probabilities(torch.where(logits.isfinite(), 0.0, -torch.inf), tokens)


class NoLetter(Letters):
    def probabilities(self, logits, tokens):
        return super().probabilities(logits, tokens) * 0


class NeverTheSameLetterTwice(Letters, NeverTwice):
    def __init__(self, options, *, tokenizer, vocabulary):
        Letters.__init__(self, options, tokenizer=tokenizer, vocabulary=vocabulary)

    def constrained(self, logits, tokens, state):
        return NeverTwice.constrained(self, logits.masked_fill(~self.allowed, -torch.inf), tokens, state)


class NeverTheSameLetterInAnyRow(NeverTheSameLetterTwice):
    advance = SharesAState.advance


def test_a_sampler_that_knows_the_vocabulary_passes():
    assert failures(Letters) == failures(NeverTheSameLetterTwice) == {}


@pytest.mark.parametrize(
    ("sampler", "check"),
    [
        (LettersWithATail, "rows_sum_to_one"),
        (UniformLetters, "follows_the_logits"),
        (NeverTheSameLetterInAnyRow, "sequences_have_a_state_each"),
    ],
)
def test_a_wrong_sampler_that_knows_the_vocabulary_is_caught(sampler, check):
    assert check in failures(sampler)
    assert set(failures(sampler)) <= {check, "one_choice_is_certain"}


def test_a_sampler_that_allows_nothing_is_told_so():
    assert "no id gets a probability" in failures(NoLetter)["follows_the_logits"]
