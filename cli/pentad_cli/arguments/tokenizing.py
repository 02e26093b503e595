"""A tokenizer to look through: of a run, with a fixed vocabulary, or trained on the text that a run would train it on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pentad.config.options import given, parse, to_dict
from pentad.registry.catalogue import Catalogue
from pentad_cli.arguments.stage_command import Request

if TYPE_CHECKING:
    from pentad.contracts.tokenizer import Tokenizer


class _Needed(Exception):
    """Raised where a tokenizer asks for the first text to train on."""


def tokenizer_for(request: Request) -> Tokenizer:
    """Return the chosen tokenizer, ready to use.

    Raises:
        UsageError: the text of --data cannot give the vocabulary, or cannot be read.
    """
    offer = request.offers["tokenizer"]
    options = parse(offer.options, request.options("tokenizer"), "tokenizer")
    return _fixed(offer.make(options)) or _trained(request)


def tokenizer_of_run(folder: Path, catalogue: Catalogue) -> Tokenizer:
    """Return the tokenizer of a saved run; its model is not opened.

    Raises:
        EngineError: there is no run, its tokenizer is damaged, or what made it is missing.
    """
    from pentad.runs.folder import RunDirectory

    return RunDirectory.open(folder).tokenizer(catalogue)


def _fixed(tokenizer: Tokenizer) -> Tokenizer | None:
    """Return the tokenizer if its vocabulary is fixed: then `train` reads no text, and no corpus needs to be there."""
    asked = False

    def texts() -> Iterator[str]:
        nonlocal asked
        asked = True
        raise _Needed
        yield ""

    try:
        tokenizer.train(texts())
    except Exception:
        if not asked:
            raise
    return None if asked else tokenizer


def _trained(request: Request) -> Tokenizer:
    from pentad.config.tables import DataOptions
    from pentad.data.fitting import fitted_tokenizer
    from pentad.data.preparation import open_data
    from pentad.system.cache import cache_directory

    split = open_data(parse(DataOptions, request.tables["data"], "data"), request.catalogue)
    offer = request.offers["tokenizer"]
    options = parse(offer.options, request.options("tokenizer"), "tokenizer")
    left_open = frozenset(to_dict(options)) - given(options)
    return fitted_tokenizer(offer, options, left_open, split, cache_directory()).tokenizer
