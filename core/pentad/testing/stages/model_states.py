"""The contract of a model's state, as checks: however tokens are read, the logits are the same."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from pentad.contracts.model import offers
from pentad.testing.stages.model_subject import BATCH, ModelSubject, logits_in_pieces, logits_of


class StateChecks(ModelSubject):
    """Checks of what a causal model does from a state."""

    def check_step_by_step(self) -> None:
        """One token at a time from a state gives the same logits as all at once."""
        self._compare_steps([1] * self.context_length, "one token at a time")

    def check_prefill_then_step(self) -> None:
        """A prompt at once, then one token at a time, gives the same logits as all at once."""
        prompt = self.context_length // 2
        self._compare_steps([prompt] + [1] * (self.context_length - prompt), f"{prompt} tokens at once, then one at a time,")

    def check_prefill_in_chunks(self) -> None:
        """A prompt in several pieces gives the same logits as all at once."""
        third = self.context_length // 3
        self._compare_steps([third, third, self.context_length - 2 * third], "several tokens at a time, in pieces,")

    def _compare_steps(self, lengths: Sequence[int], how: str) -> None:
        model, inputs = self.perturbed(), self.tokens()
        if not model.causal:
            return
        found = logits_in_pieces(model, inputs, lengths)
        message = (
            f"{how} from a state must give the same logits as all at once; look at positions, masks and what the state keeps"
        )
        self.compare(found, logits_of(model, inputs), message)

    def check_state_selects(self) -> None:
        """Where the state offers `select`, rows picked from it, also twice, go on as if they had been read so."""
        model, inputs = self.perturbed(), self.tokens()
        half, rows = self.context_length // 2, torch.tensor([2, 0, 2, 1])
        if not model.causal or not offers(model.initial_state(BATCH, self.context_length), "select"):
            return
        with torch.no_grad():
            for lengths in ([half], [half - 1, 1]):
                state = model.initial_state(BATCH, self.context_length)
                for piece in inputs[:, :half].split(lengths, dim=1):
                    state = model(piece, state).state
                state = state.select(rows)
                others = self.tokens(2, len(rows))[:, half:]  # a row that comes twice goes on in two ways
                pieces = []
                for piece in others.split(1, dim=1):
                    output = model(piece, state)
                    state = output.state
                    pieces.append(model.logits(output.features))
                found = torch.cat(pieces, dim=1)
                expected = logits_of(model, torch.cat((inputs[rows, :half], others), dim=1))[:, half:]
                self.compare(
                    found, expected, "after state.select(rows) the logits must be those of these rows, each on its own"
                )

    def check_state_truncates(self) -> None:
        """Where the state offers `truncate`, it forgets the newest tokens as if they had never been read."""
        model, inputs = self.perturbed(), self.tokens()
        half = self.context_length // 2
        if not model.causal or not offers(model.initial_state(BATCH, self.context_length), "truncate"):
            return
        with torch.no_grad():
            state = model(self.tokens()[:, :half], model.initial_state(BATCH, self.context_length)).state
            state = model(self.tokens(4)[:, half:-1], state).state.truncate(half)
            found = model.logits(model(inputs[:, half:], state).features)
        self.compare(
            found, logits_of(model, inputs)[:, half:], "after state.truncate(n) the state must be that of the first n tokens"
        )

    def check_states_are_apart(self) -> None:
        """A state made later starts empty, and two states do not touch each other."""
        model, inputs, other = self.perturbed(), self.tokens(), self.tokens(1)
        if not model.causal:
            return
        half = self.context_length // 2
        expected, expected_other = logits_of(model, inputs), logits_of(model, other)
        first = model.initial_state(BATCH, self.context_length)
        first = model(inputs[:, :half], first).state
        second = model.initial_state(BATCH, self.context_length)
        features = model(other[:, :half], second).features
        message = "a new state must start empty; make it in initial_state and keep nothing of it in the model"
        self.compare(model.logits(features), expected_other[:, :half], message)
        features = model(inputs[:, half:], first).features
        message = "a state must not change when another one is used; keep it in what initial_state returns, not in the model"
        self.compare(model.logits(features), expected[:, half:], message)
