"""Open runs: the last few stay open, each again when it has a newer checkpoint."""

from __future__ import annotations

import dataclasses
import os
import warnings

from pentad import Choice, Decoder, Sampler, SavedRun, make, open_run
from pentad_studio.server.studio import Studio

PLAIN = "-"
"""The sampler that is none: the model's own distribution."""


def open_model(studio: Studio, name: str) -> SavedRun:
    """Return a run, with a session of its own for whoever asks; the model itself is shared.

    Raises:
        UsageError: there is no run of that name.
        EngineError: it is damaged, has no checkpoint yet, or a plugin is missing.
    """
    path = studio.run_path(name)
    try:
        written = os.stat(path / "checkpoints").st_mtime_ns
    except OSError:
        written = 0

    def load() -> SavedRun:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of older checkpoints and other versions: the page shows the step
            return open_run(path, catalogue=studio.catalogue)

    return dataclasses.replace(studio.models.get((name, written), load))


def sampler_of(studio: Studio, run: SavedRun, name: str, options: dict[str, str]) -> Sampler | Decoder | None:
    """Return a sampler or a decoder for a run.

    Args:
        studio, run: what is installed, and what draws.
        name: of a sampler or a chain of them; empty for the run's own, `-` for none.
        options: of the sampler.

    Raises:
        UsageError: the name or an option is unknown, or out of bounds.
    """
    if name == PLAIN:
        return None
    choice = Choice(name, **options) if name else run.recipe.sampler
    method: Sampler | Decoder = make(
        "sampler", choice, catalogue=studio.catalogue, tokenizer=run.tokenizer, vocabulary=run.vocabulary
    )
    return method
