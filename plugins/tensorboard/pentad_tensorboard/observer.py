"""Writes TensorBoard's event files with the writer that torch ships; no tensorflow is needed.

A resumed run continues in the same folder: points after the step that it resumes from are removed.
"""

from __future__ import annotations

from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from pentad import Evaluation, Plan, RunObserver, RunResult, Sample, Saved, Step
from pentad_tensorboard.options import TensorBoardOptions


class TensorBoard(RunObserver):
    """A run in TensorBoard.

    Args:
        options: what is written, and where.
    """

    def __init__(self, options: TensorBoardOptions) -> None:
        self.options = options
        self._writer: SummaryWriter | None = None

    def on_start(self, event: Plan) -> None:
        """Open the event file, and write the recipe."""
        if self.options.folder is None and event.folder is None:
            return  # a plan has no run to write into
        folder = Path(self.options.folder) if self.options.folder else Path(event.folder or "", "tensorboard")
        purge = event.resumed_step + 1 if event.resumed_step else None
        self._writer = SummaryWriter(str(folder), purge_step=purge)
        self._text("recipe", event.recipe.to_toml(), event.resumed_step)

    def on_step(self, event: Step) -> None:
        """Write a point of each training curve."""
        if event.step == 1 or event.step % self.options.every == 0:
            self._scalar("training/loss", event.loss, event.step)
            self._scalar("training/learning rate factor", event.learning_rate, event.step)
            self._scalar("training/gradient norm", event.grad_norm, event.step)
            self._scalar("training/tokens per second", event.tokens_per_second, event.step)

    def on_evaluation(self, event: Evaluation) -> None:
        """Write every score on the held-out text by its name: which ones there are is the evaluator's choice."""
        for name, score in event.scores.items():
            self._scalar(f"held-out/{name.replace('_', ' ')}", score, event.step)

    def on_sample(self, event: Sample) -> None:
        """Write a text."""
        self._text(f"samples/{event.index}", event.prompt + event.text, event.step)

    def on_checkpoint(self, event: Saved) -> None:
        """Flush the file: an interrupted run saves a checkpoint last."""
        if self._writer:
            self._writer.flush()

    def on_end(self, event: RunResult) -> None:
        """Close the file."""
        if self._writer:
            self._writer.close()

    def _scalar(self, name: str, value: float, step: int) -> None:
        if self._writer:
            self._writer.add_scalar(name, value, step)

    def _text(self, name: str, text: str, step: int) -> None:
        """Write a text; indented, so that TensorBoard shows it verbatim and not as Markdown."""
        if self._writer:
            indented = "".join(f"    {line}\n" for line in text.split("\n"))
            self._writer.add_text(name, indented, step)
