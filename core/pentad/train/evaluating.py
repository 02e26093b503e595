"""Evaluations on the way of a training: how much of the held-out text each scores, and what memory one takes."""

from __future__ import annotations

import contextlib
import dataclasses

from pentad.inference.scoring import TOKENS_AT_ONCE, judge
from pentad.system.machine import peak_memory
from pentad.train.job import Job

MOST_TOKENS = 100_000
"""Tokens of the held-out text that are scored on the way, at the most; the end scores all of it."""

LEAST_TOKENS = 2_048
"""Tokens that are scored on the way however short the training is: fewer would say too little."""

SHARE = 0.025
"""What all evaluations on the way may take of the training's time. Samples come to it, and 0.05 is promised for both."""

COST = 0.6
"""What scoring a token takes of the time in which one is learnt: a third by the operations, more by measuring."""

TRIAL_SECONDS = 2.0
"""Where the first texts of an evaluation would take longer, they are not tried."""


class _EnoughError(BaseException):
    """Ends a trial; no `except Exception` of an evaluator may keep it."""


def tokens_on_the_way(job: Job) -> int:
    """Return how many tokens each evaluation on the way scores.

    It goes by the tokens that the training reads and not by a clock, so that a training of so many steps gives the same scores
    whenever it is done. That the plan of a training by time hangs on the machine makes no difference: so does its end.
    """
    learnt = job.planned_steps * job.training.batch_size * job.training.context_length
    allowed = SHARE * learnt * job.resolved.recipe.evaluation.evaluate_every / COST
    return int(min(MOST_TOKENS, max(LEAST_TOKENS, allowed)))


def memory_with_evaluation(job: Job) -> int:
    """Return the bytes that the process needs for training and for an evaluation, whose first texts are scored for it.

    An evaluation may read more texts at once than a step, and keep other things.
    """
    held_out = job.held_out(MOST_TOKENS)
    if job.evaluator is None or held_out is None or job.world.size > 1 or job.machine.device.type != "cpu":
        return job.cost.memory_bytes
    per_token = job.cost.seconds_per_step / (job.training.batch_size * job.training.context_length)
    if COST * per_token * min(TOKENS_AT_ONCE, len(held_out.tokens)) > TRIAL_SECONDS:
        return job.cost.memory_bytes

    def stop(share: float) -> None:
        if share > 0:
            raise _EnoughError

    held_out = dataclasses.replace(held_out, progress=stop)
    was_training = job.model.training
    with contextlib.suppress(_EnoughError, Exception):  # what fails here fails in the run, which says why
        judge(job.session(), job.evaluator, held_out)
    job.model.train(was_training)
    return max(job.cost.memory_bytes, peak_memory())
