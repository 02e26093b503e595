"""What an implementation is told when it is asked which sizes fit, and what it answers.

    def advise(options, situation):
        width = 128 if situation.tokens_for(3e6) > 1e6 else 64
        return Advice(values={"width": width}, reason=f"width {width}: {situation.in_words}")

An `Implementation` names the function as `advise="my_plugin.sizing:advise"`. Core asks before the run, and takes of the answer
what the user left open; an option that the user gave always holds.

Models of layers and width share a rule, `size_model`: the largest size of a ladder is taken whose tokens are many enough for
its parameters, and whose parameters are few enough for the text. Parameters are counted as they compute: those of the blocks
and of the head; the embedding is a look-up. The constants were measured with the model gpt; a model of another kind gives its
own `tokens_per_parameter`. Where, and where the rule extrapolates, stands in docs/sizing.md.

    def advise(options, situation):
        sizes = [dataclasses.replace(options, n_layer=n_layer, n_embd=n_embd) for n_layer, n_embd in LADDER]
        return size_model(options, situation, sizes, cost, fields=("n_layer", "n_embd"))

Optimizers whose steps are like Adam's share a rule for the learning rate, `size_learning_rate`. Small models and short
trainings stand a higher rate. Of a training from scratch the rate falls with the cube root of the model's parameters times the
steps until it meets the default, as was measured with AdamW from 5e6 to 2e8 (benchmarks/LOG.md). DeepSeek-AI (DeepSeek LLM,
2024) let it fall with the arithmetic of the training too, by a smaller power, while the examples of a step grow with it. Above
a million parameters it falls further with their number, as Kaplan et al. (Scaling Laws for Neural Language Models, 2020,
equation D.1) have it for Adam: 0.003239 - 0.0001395 ln N. That part is not fitted to trainings of this engine.

    def advise(options, situation):
        return size_learning_rate(options, situation)
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

TOKENS_PER_PARAMETER = 1.6
"""Training tokens, repeated ones counted each time, that a parameter wants: with fewer a smaller model learns more."""

TOKENS_WHERE_TIME_IS_FREE = 0.5
"""The same where the budget is an amount of text: from so many tokens a larger model learns more, and takes its time for it."""

ENOUGH_PASSES = 8.0
"""Passes over the text that are enough for any size: a small text is better read less often by a larger model."""

PARAMETERS_PER_TOKEN = 7.0
"""Parameters that a token of the text can feed, however long the training: larger models memorise sooner than they learn."""

DROPOUT = ((5.0, 0.0), (8.0, 0.1), (12.0, 0.2), (float("inf"), 0.3))
"""Passes over the text up to which features are dropped at this rate."""

MOST_DROPPED_OF_SMALL_TEXT = 0.2
"""The highest rate for a text of fewer than `SMALL_TEXT` tokens, for which no higher one was measured."""

MOST_PASSES = 20.0
"""Passes after which a model of the largest size that the text feeds learns nothing that the held-out text has."""

SMALL_TEXT = 50_000
"""Tokens of a text from which on that holds. A smaller one is passed more often, or the model has hardly begun to learn."""

LONGEST = 3600.0
"""Seconds that a training may take by its size where the budget is an amount of text and not a time."""

DEFAULT_HOLDS = 3e9
"""Parameters times steps from which on the default rate holds."""

MOST = 8.0
"""Times the default at the most: the smallest model and the shortest training that were measured, 5e6."""

FEWEST = 200.0
"""Steps of the shortest trainings that were measured; of fewer the default holds."""

SMALL, LARGE = 1e6, 1e9
"""Parameters from which on the rate falls with the size, and from which on it no longer does: the law ends near 1e10."""


@dataclass(frozen=True, kw_only=True)
class Situation:
    """The text, the budget and the machine, as far as they are known when an implementation is asked.

    The same situation must get the same answer. A tokenizer is asked before there are tokens, a model when they are counted.

    Args:
        train_bytes: UTF-8 bytes of the training text.
        n_train_tokens: its tokens; None before the tokenizer is trained.
        vocab_size: ids that the model must know; None likewise.
        tokens: how many tokens the budget trains on; None where the budget is time or arithmetic, or is not known yet. An
            optimizer is asked when a step was timed, and always told: those of the steps that the plan says.
        flops: floating-point operations that the budget buys, for time at the rate that was measured; None where it is an
            amount of text.
        seconds: training time, where that is the budget.
        flops_per_second: what a training like this one reaches on this machine, as far as it is known; 0 where nothing was
            measured.
        free_memory: bytes that the training may take; 0 where that is unknown.
        device: type of the device: cpu, cuda, mps.
        context_length: tokens per example. A model is asked for its size as if a step had the fewest examples, so that what a
            large step costs does not make it smaller; see `as_trained`.
        batch_size: examples per step.
        trained_context_length: tokens per example in the training itself, where `context_length` is another; None elsewhere.
        n_parameters: trainable parameters of the model, embedding and head left out; None before it is chosen, which an
            optimizer is asked after, or where it cannot be made without memory for it.
        max_tokens: training tokens after which the training ends whatever the budget buys; None where nothing ends it, and
            before the model is chosen.
        starts_from_run: whether it starts from the weights of another run.
        open: names of the implementation's options that the user left open.
    """

    train_bytes: int
    n_train_tokens: int | None = None
    vocab_size: int | None = None
    tokens: float | None = None
    flops: float | None = None
    seconds: float | None = None
    flops_per_second: float = 0.0
    free_memory: float = 0.0
    device: str = "cpu"
    context_length: int = 128
    batch_size: int = 8
    trained_context_length: int | None = None
    n_parameters: int | None = None
    max_tokens: float | None = None
    starts_from_run: bool = False
    open: frozenset[str] = frozenset()

    @property
    def as_trained(self) -> Situation:
        """The same with the examples of the training itself, by which it is reckoned how often the text is read."""
        length = self.trained_context_length or self.context_length
        return dataclasses.replace(self, context_length=length, trained_context_length=None)

    @property
    def bytes_per_token(self) -> float | None:
        """Mean bytes of a token of the training text; None before the tokenizer is trained."""
        return self.train_bytes / self.n_train_tokens if self.n_train_tokens else None

    def tokens_for(self, flops_per_token: float) -> float:
        """Return how many tokens are trained on, where each costs so many operations, forward and backward; 0 if unknown."""
        if self.tokens is not None:
            return self.tokens
        return (self.flops or 0.0) / flops_per_token

    def seconds_for(self, flops_per_token: float) -> float:
        """Return about how long the training takes, where each token costs so many operations; 0 if unknown."""
        if not self.flops_per_second:
            return 0.0
        return self.tokens_for(flops_per_token) * flops_per_token / self.flops_per_second

    @property
    def n_steps(self) -> float:
        """About how many steps the training will have; 0 if unknown. Arithmetic counts as if the model had three blocks."""
        if not self.n_parameters and self.tokens is None:
            return 0.0
        width = math.sqrt((self.n_parameters or 1) / 36)
        flops_per_token = 6 * width * (36 * width + (self.vocab_size or 0) + 6 * self.context_length)
        most = math.inf if self.max_tokens is None else self.max_tokens
        return min(self.tokens_for(flops_per_token), most) / (self.batch_size * self.context_length)

    @property
    def subword_vocab_size(self) -> int:
        """How many ids a tokenizer that learns pieces of words does well with: by the text, or by what the budget reads of it.

        512 below 100 kB, 1,024 up to 10 MB, and twice as many with every tenfold, up to 16,384: in a small model the score for
        each id is most of the arithmetic. Measured with `bpe` (benchmarks/LOG.md).
        """
        n_bytes = max(1.0, min(self.train_bytes, self._readable_bytes))
        return 512 if n_bytes < 1e5 else min(16_384, 1024 * 2 ** max(0, math.floor(math.log10(n_bytes / 1e6))))

    @property
    def _readable_bytes(self) -> float:
        """About how many bytes a model of a fitting size reads: F operations buy sqrt(F / 3) tokens, 2 for a parameter."""
        if self.tokens is not None:
            return 3 * self.tokens
        return 3 * math.sqrt(self.flops / 3) if self.flops else math.inf

    @property
    def in_words(self) -> str:
        """The text and the budget in a few words: `1.0 MB of text, 9e12 FLOPs in 150 s`."""
        text = f"{_amount(self.train_bytes)} of text"
        if self.tokens is not None:
            return f"{text}, {_power(self.tokens)} tokens to read"
        if self.flops is None:
            return text
        flops = f"{_power(self.flops)} FLOPs"
        return f"{text}, {flops}" if self.seconds is None else f"{text}, about {flops} in {self.seconds:g} s"


def _amount(n_bytes: int) -> str:
    for least, scale, unit in ((0.95e9, 1e9, "GB"), (0.95e6, 1e6, "MB"), (1e3, 1e3, "kB")):
        if n_bytes >= least:
            amount = n_bytes / scale
            return f"{amount:.1f} {unit}" if amount < 9.95 else f"{amount:,.0f} {unit}"
    return f"{n_bytes} B"


def _power(number: float) -> str:
    """Spell a large number as `9e12`."""
    digits, _, exponent = f"{number:.0e}".partition("e")
    return f"{digits}e{int(exponent)}"


@dataclass(frozen=True, kw_only=True)
class Advice:
    """What an implementation says of its options.

    Args:
        values: option to value; those that the user gave are skipped.
        reason: the choice and why, in a few words, for the plan: `3 layers x 128: 1.0 MB of text, 9e12 FLOPs in 150 s`.
        max_tokens: training tokens from which on more would not help with this text, as a model of these sizes memorises it;
            a budget of time or arithmetic ends there. None for no limit.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    max_tokens: float | None = None


@dataclass(frozen=True, kw_only=True)
class ModelCost:
    """What a size costs.

    Args:
        parameters: those that each token goes through: of the blocks and of the head.
        flops_per_token: operations of a token in training, forward and backward.
        memory: bytes that a training takes, about.
    """

    parameters: float
    flops_per_token: float
    memory: float


def size_model(
    options: Any,
    situation: Situation,
    sizes: Sequence[Any],
    cost: Callable[[Any, Situation], ModelCost],
    fields: Sequence[str] = ("n_layer", "n_embd", "n_head"),
    *,
    tokens_per_parameter: float = TOKENS_PER_PARAMETER,
) -> Advice | None:
    """Return the largest size that fits, as far as its fields are open, and dropout by the passes over the text.

    Args:
        options: as they are; `dropout` is sized too where they have it.
        situation: the text, the budget and the machine.
        sizes: options of every size, from small to large, with what the user gave in place of the ladder's own.
        cost: what a size costs.
        fields: names of the options that make a size, layers first, then width.
        tokens_per_parameter: training tokens that a parameter of this kind of model wants where the budget is time or
            arithmetic; gpt's unless measured.
    """
    if not sizes or (situation.tokens is None and not situation.flops):
        return None
    chosen = next((size for size in reversed(sizes) if _fits(cost(size, situation), situation, tokens_per_parameter)), sizes[0])
    tokens = situation.tokens_for(cost(chosen, situation.as_trained).flops_per_token)
    text = situation.n_train_tokens or tokens
    most = MOST_PASSES * text * max(1.0, math.sqrt(SMALL_TEXT / text))
    passes = min(tokens, most) / text
    values = {name: getattr(chosen, name) for name in fields if name in situation.open}
    words = f"{getattr(chosen, fields[0])} layers x {getattr(chosen, fields[1])}" if values else ""
    if "dropout" in situation.open and "dropout" in {field.name for field in dataclasses.fields(options)}:
        dropout = next(rate for limit, rate in DROPOUT if passes <= limit)
        dropout = dropout if text >= SMALL_TEXT else min(dropout, MOST_DROPPED_OF_SMALL_TEXT)
        values["dropout"] = dropout
        words = ", ".join(filter(None, [words, f"dropout {dropout:g} for {passes:.1f} passes" if dropout else ""]))
    return Advice(values=values, reason=f"{words}: {situation.in_words}" if words else "", max_tokens=most)


def _fits(cost: ModelCost, situation: Situation, tokens_per_parameter: float) -> bool:
    """Say whether the budget and the text are large enough for a size, and the memory."""
    price, tokens, text = cost.flops_per_token, situation.tokens_for(cost.flops_per_token), situation.n_train_tokens
    wanted = tokens_per_parameter if situation.tokens is None else TOKENS_WHERE_TIME_IS_FREE
    if tokens < wanted * cost.parameters and not (text and tokens >= ENOUGH_PASSES * text):
        return False
    if text and cost.parameters > PARAMETERS_PER_TOKEN * text:
        return False
    if situation.seconds is None and situation.flops is None and situation.seconds_for(price) > LONGEST:
        return False
    return not situation.free_memory or cost.memory <= 0.8 * situation.free_memory


def size_learning_rate(
    options: Any,
    situation: Situation,
    *,
    most: float = MOST,
    falls_with_size: bool = True,
) -> Advice | None:
    """Return a value for `options.lr`, or None where it is given or its default fits.

    A run that starts from another gets nothing for being short: its weights are not to be moved that far.

    Args:
        options: with the default rate `lr`.
        situation: the model and the length of the training.
        most: times the default at the most; 8 unless given.
        falls_with_size: whether models of more than a million parameters want less, as with Adam; not where the updates are
            scaled by the parameters themselves.
    """
    count = situation.n_parameters
    if not count or "lr" not in situation.open:
        return None
    steps = 0.0 if situation.starts_from_run else situation.n_steps
    raised = min(most, max(1.0, (DEFAULT_HOLDS / (count * steps)) ** (1 / 3))) if steps >= FEWEST else 1.0
    lowered = kaplan(min(count, LARGE)) / kaplan(SMALL) if falls_with_size and count > SMALL else 1.0
    if raised == lowered == 1.0:
        return None
    lr = float(f"{options.lr * raised * lowered:.1e}")
    length = f", some {float(f'{steps:.1g}'):,.0f} steps" if raised > 1 else ""
    return Advice(values={"lr": lr}, reason=f"learning rate {lr:g} for {_millions(count)}M parameters{length}")


def kaplan(n_parameters: float) -> float:
    """Return Adam's best rate for a model of so many parameters, embedding and head left out."""
    return 0.003239 - 0.0001395 * math.log(n_parameters)


def _millions(count: int) -> str:
    return f"{count / 1e6:.0f}" if count >= 9.5e5 else f"{float(f'{count / 1e6:.1g}'):g}"
