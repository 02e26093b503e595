"""The contract of samplers, as checks."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pentad.contracts.sampler import Sampler
from pentad.testing.conformance import Conformance, require

_NEVER = -math.inf


class SamplerConformance(Conformance):
    """Checks of a sampler."""

    kind = "sampler"

    def sampler(self) -> Sampler:
        """Make the sampler under test."""
        made: Sampler = self.factory()(self.parsed_options())
        return made

    def check_rows_sum_to_one(self) -> None:
        """Probabilities of a row are not negative and sum to 1."""
        for vocab_size in (2, 7, 300):
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
        logits = _logits(3, 20)
        logits[:, ::2] = _NEVER
        found = self._probabilities(logits)
        require(not found.isnan().any(), "logits of minus infinity give NaN")
        require(bool((found[:, ::2] == 0).all()), "a token with a logit of minus infinity gets a probability; keep it at 0")

    def check_one_choice_is_certain(self) -> None:
        """When one token is possible it has probability 1."""
        logits = torch.full((2, 9), _NEVER)
        logits[0, 4], logits[1, 8] = -3.0, 1e4
        found = self._probabilities(logits)
        certain = bool(torch.isclose(found[0, 4], torch.tensor(1.0)) and torch.isclose(found[1, 8], torch.tensor(1.0)))
        require(
            certain, f"the only token that is possible must have probability 1, found {found[0, 4]:.3g} and {found[1, 8]:.3g}"
        )

    def check_huge_logits_are_stable(self) -> None:
        """Logits near the ends of float32 give probabilities and no NaN."""
        found = self._probabilities(
            torch.tensor([[3e38, -3e38, 0.0, 1.0], [3e38, 3e38, 3e38, 3e38], [-3e38, -3e38, -3e38, -3e38]])
        )
        finite = bool(found.isfinite().all())
        require(finite, "logits of +-3e38 give NaN or infinity; take off the maximum before dividing or exponentiating")

    def check_follows_the_logits(self) -> None:
        """A token that is far likelier than all others stays the likeliest."""
        logits = _logits(8, 30)
        best = torch.arange(8) * 3
        logits[torch.arange(8), best] = 40.0
        found = self._probabilities(logits).argmax(dim=-1)
        require(bool((found == best).all()), "a token 30 nats above all others is not the likeliest; use the logits")

    def check_draws_nothing_itself(self) -> None:
        """The same logits give the same probabilities; core draws, with a generator of its own for each sequence."""
        sampler, logits, tokens = self.sampler(), _logits(4, 50), _tokens(4, 50)
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
        logits, tokens = _logits(3, 20), _tokens(3, 20)
        given = logits.clone(), tokens.clone()
        _called(self.sampler(), *given)
        require(torch.equal(given[0], logits), "the sampler changes the logits in place; work on a copy")
        require(torch.equal(given[1], tokens), "the sampler changes the tokens in place; work on a copy")

    def check_rows_do_not_touch(self) -> None:
        """A row's probabilities do not depend on the other rows."""
        logits = _logits(3, 40)
        other = logits.clone()
        other[1] = _logits(3, 40, seed=7)[2] * 5
        first, second = self._probabilities(logits), self._probabilities(other)
        same = torch.allclose(first[[0, 2]], second[[0, 2]], atol=1e-6)
        require(same, "another row 1 changes rows 0 and 2; work along the last dimension")

    def check_sequences_have_a_state_each(self) -> None:
        """What a sequence's state allows depends on that sequence alone, and two samplings do not touch each other."""
        torch.manual_seed(0)
        generator = torch.Generator().manual_seed(6)
        prompts, drawn = _tokens(3, 20), torch.randint(20, (5, 3), generator=generator)
        logits = torch.stack([_logits(3, 20, seed=10 + step) for step in range(5)])  # (S, B, V)
        sampler = self.sampler()
        if sampler.start(prompts) is None:
            return
        together = _drawn_in_turn(sampler, prompts, drawn, logits)
        message = "a sequence has other probabilities alone than beside others; return one state per sequence from start"
        for row in range(3):
            one = slice(row, row + 1)
            alone = _drawn_in_turn(sampler, prompts[one], drawn[:, one], logits[:, one])
            require(torch.allclose(together[:, one], alone, atol=1e-6), message)
        sums = together.sum(dim=-1)
        require(torch.allclose(sums, torch.ones_like(sums), atol=1e-4), "after tokens were drawn, rows do not sum to 1")

    def check_smallest_shapes(self) -> None:
        """One sequence, two tokens, and a first token without any before it."""
        tokens = torch.zeros(1, 0, dtype=torch.int64)
        found = self._probabilities(torch.tensor([[0.5, -0.5]]), tokens)
        require(found.shape == (1, 2), f"logits (1, 2) must give (1, 2), found {tuple(found.shape)}")
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
