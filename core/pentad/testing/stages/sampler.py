"""The contract of samplers, as checks.

A sampler that names `tokenizer` or `vocabulary` is given those of a model of bytes, and then the checks use logits over its
whole vocabulary. Such a sampler may forbid ids altogether (a grammar does), so what the checks make likely, or leave as the
only choice, is taken from the ids that it allows.
"""

from __future__ import annotations

import inspect
import math

import torch
from torch import Tensor

from pentad.contracts.sampler import Sampler
from pentad.contracts.session import Decoder
from pentad.contracts.vocabulary import SpecialToken, Vocabulary
from pentad.testing.conformance import Conformance, require
from pentad.testing.stages.decoder import DecoderConformance
from pentad.testing.subjects import Bytes

_NEVER = -math.inf
_VOCABULARY = Vocabulary.of(Bytes(), (SpecialToken(name="turn", drawable=True, stops=True),))


class SamplerConformance(Conformance):
    """Checks of a sampler that returns probabilities; `DecoderConformance` has those of one that drives the session."""

    kind = "sampler"

    @classmethod
    def kits(cls) -> list[type[Conformance]]:
        """Return this class, or that of decoders where the factory returns one."""
        try:
            made = cls().make(tokenizer=Bytes(), vocabulary=_VOCABULARY)
        except Exception:
            return [cls]
        return [cls.kit_of(DecoderConformance)] if isinstance(made, Decoder) else [cls]

    def sampler(self) -> Sampler:
        """Make the sampler under test."""
        made = self.make(tokenizer=Bytes(), vocabulary=_VOCABULARY)
        other = "; test it with DecoderConformance" if isinstance(made, Decoder) else ""
        require(isinstance(made, Sampler), f"the factory must return a Sampler, found a {type(made).__name__}{other}")
        return made  # type: ignore[no-any-return]

    def sizes(self, *usual: int) -> tuple[int, ...]:
        """Return the numbers of ids to test with: the usual ones, or the vocabulary's where the sampler knows it."""
        return (_VOCABULARY.size,) if self._knows_the_vocabulary() else usual

    def allowed(self, vocab_size: int) -> Tensor:
        """Return the ids (N,) that the sampler can give a probability to, were the model sure of them."""
        if not self._knows_the_vocabulary():
            return torch.arange(vocab_size)
        sure = torch.eye(vocab_size) * 40.0
        found = torch.nonzero(self._probabilities(sure).diagonal() > 0)[:, 0]
        require(len(found) > 0, "no id gets a probability, however likely the model takes it for")
        return found

    def _knows_the_vocabulary(self) -> bool:
        try:
            parameters = inspect.signature(self.factory()).parameters
        except (TypeError, ValueError):
            return False
        return bool({"tokenizer", "vocabulary"} & set(parameters))

    def check_rows_sum_to_one(self) -> None:
        """Probabilities of a row are not negative and sum to 1."""
        for vocab_size in self.sizes(2, 7, 300):
            for scale in (0.0, 1.0, 10.0):  # at 0 all logits are equal
                found = self._probabilities(scale * _logits(3, vocab_size))
                require(
                    found.shape == (3, vocab_size),
                    f"logits (3, {vocab_size}) must give (3, {vocab_size}), found {tuple(found.shape)}",
                )
                require(bool((found >= 0).all()), "a probability is negative or NaN")
                sums = found.sum(dim=-1)
                require(
                    torch.allclose(sums, torch.ones(3), atol=1e-4), f"rows must sum to 1, found {sums.tolist()}; normalise them"
                )

    def check_minus_infinity_is_never_drawn(self) -> None:
        """A token whose logit is minus infinity keeps probability 0."""
        (size,) = self.sizes(20)
        logits, banned = _logits(3, size), self.allowed(size)[::2]
        if len(self.allowed(size)) < 2:
            return
        logits[:, banned] = _NEVER
        found = self._probabilities(logits)
        require(not found.isnan().any(), "logits of minus infinity give NaN")
        require(bool((found[:, banned] == 0).all()), "a token with a logit of minus infinity gets a probability; keep it at 0")

    def check_one_choice_is_certain(self) -> None:
        """When one token is possible it has probability 1."""
        (size,) = self.sizes(9)
        allowed = self.allowed(size)
        first, second = int(allowed[len(allowed) // 2]), int(allowed[-1])
        logits = torch.full((2, size), _NEVER)
        logits[0, first], logits[1, second] = -3.0, 1e4
        found = self._probabilities(logits)
        chances = found[0, first], found[1, second]
        certain = all(bool(torch.isclose(chance, torch.tensor(1.0))) for chance in chances)
        require(
            certain, f"the only token that is possible must have probability 1, found {chances[0]:.3g} and {chances[1]:.3g}"
        )

    def check_huge_logits_are_stable(self) -> None:
        """Logits near the ends of float32 give probabilities and no NaN."""
        (size,) = self.sizes(4)
        rows = torch.tensor([[3e38, -3e38, 0.0, 1.0], [3e38, 3e38, 3e38, 3e38], [-3e38, -3e38, -3e38, -3e38]])
        found = self._probabilities(rows.repeat(1, -(-size // 4))[:, :size])
        finite = bool(found.isfinite().all())
        require(finite, "logits of +-3e38 give NaN or infinity; take off the maximum before dividing or exponentiating")

    def check_follows_the_logits(self) -> None:
        """A token that is far likelier than all others stays the likeliest."""
        (size,) = self.sizes(30)
        logits, allowed = _logits(8, size), self.allowed(size)
        best = allowed[torch.arange(8) * 3 % len(allowed)]
        logits[torch.arange(8), best] = 40.0
        found = self._probabilities(logits).argmax(dim=-1)
        require(bool((found == best).all()), "a token 30 nats above all others is not the likeliest; use the logits")

    def check_draws_nothing_itself(self) -> None:
        """The same logits give the same probabilities; core draws, with a generator of its own for each sequence."""
        (size,) = self.sizes(50)
        sampler, logits, tokens = self.sampler(), _logits(4, size), _tokens(4, size)
        torch.manual_seed(1)
        before = torch.get_rng_state()
        first = _called(sampler, logits.clone(), tokens.clone()).clone()
        require(
            torch.equal(torch.get_rng_state(), before),
            "the sampler draws from torch's global generator; return probabilities and leave drawing to the engine",
        )
        for _ in range(10):
            again = _called(sampler, logits.clone(), tokens.clone())
            require(
                torch.equal(again, first), "the same logits give other probabilities; return them and draw nothing yourself"
            )

    def check_leaves_its_inputs_alone(self) -> None:
        """Logits and tokens are not changed."""
        (size,) = self.sizes(20)
        logits, tokens = _logits(3, size), _tokens(3, size)
        given = logits.clone(), tokens.clone()
        _called(self.sampler(), *given)
        require(torch.equal(given[0], logits), "the sampler changes the logits in place; work on a copy")
        require(torch.equal(given[1], tokens), "the sampler changes the tokens in place; work on a copy")

    def check_rows_do_not_touch(self) -> None:
        """A row's probabilities do not depend on the other rows."""
        (size,) = self.sizes(40)
        logits = _logits(3, size)
        other = logits.clone()
        other[1] = _logits(3, size, seed=7)[2] * 5
        first, second = self._probabilities(logits), self._probabilities(other)
        same = torch.allclose(first[[0, 2]], second[[0, 2]], atol=1e-6)
        require(same, "another row 1 changes rows 0 and 2; work along the last dimension")

    def check_sequences_have_a_state_each(self) -> None:
        """What a sequence's state allows depends on that sequence alone, and two samplings do not touch each other."""
        torch.manual_seed(0)
        (size,) = self.sizes(20)
        prompts, sampler = _tokens(3, size), self.sampler()
        if sampler.start(prompts) is None:
            return
        logits = torch.stack([_logits(3, size, seed=10 + step) for step in range(5)])  # (S, B, V)
        drawn = self._drawn(sampler, prompts, logits)  # (S, B)
        together = _drawn_in_turn(sampler, prompts, drawn, logits)
        message = "a sequence has other probabilities alone than beside others; return one state per sequence from start"
        for row in range(3):
            one = slice(row, row + 1)
            alone = _drawn_in_turn(sampler, prompts[one], drawn[:, one], logits[:, one])
            require(torch.allclose(together[:, one], alone, atol=1e-6), message)
        sums = together.sum(dim=-1)
        require(torch.allclose(sums, torch.ones_like(sums), atol=1e-4), "after tokens were drawn, rows do not sum to 1")

    def _drawn(self, sampler: Sampler, prompts: Tensor, logits: Tensor) -> Tensor:
        """Return ids (S, B) to go on with: any, or for a sampler that knows the vocabulary such as it allows in turn."""
        generator = torch.Generator().manual_seed(6)
        if not self._knows_the_vocabulary():
            return torch.randint(logits.shape[-1], logits.shape[:2], generator=generator)
        tokens, state, drawn = prompts, sampler.start(prompts), []
        for step in logits:
            column = sampler.constrained(step.clone(), tokens, state).multinomial(1, generator=generator)[:, 0]
            state = sampler.advance(state, column)
            tokens = torch.cat((tokens, column[:, None]), dim=1)
            drawn.append(column)
        return torch.stack(drawn)

    def check_smallest_shapes(self) -> None:
        """One sequence, two tokens, and a first token without any before it."""
        tokens = torch.zeros(1, 0, dtype=torch.int64)
        (size,) = self.sizes(2)
        found = self._probabilities(torch.tensor([[0.5, -0.5]]).repeat(1, size)[:, :size], tokens)
        require(found.shape == (1, size), f"logits (1, {size}) must give (1, {size}), found {tuple(found.shape)}")
        require(bool(found.isfinite().all()), "a vocabulary of two gives NaN or infinity")

    def _probabilities(self, logits: Tensor, tokens: Tensor | None = None) -> Tensor:
        """Call a fresh sampler; seeded, so that only the check for it fails when a sampler draws by itself."""
        torch.manual_seed(0)
        given = _tokens(*logits.shape) if tokens is None else tokens
        return _called(self.sampler(), logits.clone(), given)


def _called(sampler: Sampler, logits: Tensor, tokens: Tensor) -> Tensor:
    """Call a sampler as the engine does for the first token."""
    return sampler.constrained(logits, tokens, sampler.start(tokens))


def _drawn_in_turn(sampler: Sampler, prompts: Tensor, drawn: Tensor, logits: Tensor) -> Tensor:
    """Return the probabilities (S, B, V) of steps in which core draws given tokens (S, B) behind prompts (B, T)."""
    tokens, state, found = prompts, sampler.start(prompts), []
    for number, column in enumerate(drawn):
        found.append(sampler.constrained(logits[number].clone(), tokens, state).clone())
        state = sampler.advance(state, column)
        tokens = torch.cat((tokens, column[:, None]), dim=1)
    return torch.stack(found)


def _logits(rows: int, vocab_size: int, seed: int = 3) -> Tensor:
    return torch.randn(rows, vocab_size, generator=torch.Generator().manual_seed(seed))


def _tokens(rows: int, vocab_size: int) -> Tensor:
    return torch.randint(vocab_size, (rows, 5), generator=torch.Generator().manual_seed(4))
