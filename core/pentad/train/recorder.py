"""metrics.jsonl and samples.jsonl, written by an observer of the run, as a plugin could."""

from __future__ import annotations

from pentad.contracts.observer import Evaluation, RateScaled, RunObserver, RunResult, Sample, Step
from pentad.runs.folder import RunDirectory


class Recorder(RunObserver):
    """Writes every logged step, every score and every text into the run's folder.

    Args:
        run: the folder.
        log_every: steps between lines in metrics.jsonl; the first and the last step have one in any case.
        seconds, tokens: of training before, in a run that is resumed.
    """

    def __init__(self, run: RunDirectory, log_every: int, *, seconds: float = 0.0, tokens: int = 0) -> None:
        self.run, self.log_every = run, log_every
        self._seconds, self._tokens = seconds, tokens  # of training so far

    def on_step(self, event: Step) -> None:
        """Add a line to metrics.jsonl."""
        self._seconds, self._tokens = event.seconds, event.tokens
        if event.progress < 1 and event.step != 1 and event.step % self.log_every:
            return
        line = {key: getattr(event, key) for key in ("step", "loss", "learning_rate", "grad_norm", "tokens")}
        more = {"metrics": dict(event.metrics)} if event.metrics else {}
        timing = {"seconds": event.seconds, "tokens_per_second": event.tokens_per_second}
        self.run.append("metrics.jsonl", {"kind": "step", **line, **more, "timing": timing})

    def on_evaluation(self, event: Evaluation) -> None:
        """Add a line to metrics.jsonl."""
        keys = ("evaluator", "primary", "lower_is_better", "n_bytes", "n_tokens", "context_length")
        judged = {key: getattr(event, key) for key in keys}
        timing = {"seconds": event.seconds, "training_seconds": self._seconds}
        line = {"kind": "evaluation", "final": event.final, "step": event.step, **event.scores, **judged}
        self.run.append("metrics.jsonl", {**line, "tokens": self._tokens, "timing": timing})

    def on_sample(self, event: Sample) -> None:
        """Add a line to samples.jsonl."""
        line = {key: getattr(event, key) for key in ("step", "final", "index", "prompt", "text")}
        line |= {key: value for key in ("suffix", "masked") if (value := getattr(event, key))}
        self.run.append("samples.jsonl", line)

    def on_rate_scaled(self, event: RateScaled) -> None:
        """Add a line to metrics.jsonl."""
        scaled = {"from": event.before, "to": event.after}
        self.run.append("metrics.jsonl", {"kind": "change", "step": event.step, "lr_scale": scaled, "reason": event.reason})

    def on_end(self, event: RunResult) -> None:
        """Say that the run is complete, and seal what it wrote."""
        self.run.append("metrics.jsonl", {"kind": "end", "final": True, "step": event.step, "stop_reason": event.stop_reason})
        self.run.seal(event.step, event.stop_reason)
