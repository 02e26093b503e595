"""Tokenizers to look through: of a run, with a published vocabulary, or trained on a text as a run would train it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio.to_thread
from starlette.requests import Request

from pentad import Catalogue, Choice, EngineError, Recipe, Tokenizer, UsageError, make
from pentad.tools import RunDirectory, prepare_tokenizer, resolve
from pentad_studio.server.elsewhere import work_elsewhere
from pentad_studio.server.studio import Studio

RUN, NAMED = "run", "named"


@dataclass(frozen=True, kw_only=True)
class TokenizerChoice:
    """Which tokenizer is meant.

    Args:
        kind: `run` for a run's own, `named` for one that is installed.
        name: of the run, or of what is installed.
        options: of what is installed, by name.
        data: the text to train on, where it is to be trained.
    """

    kind: str
    name: str
    options: Mapping[str, str] = field(default_factory=dict)
    data: str = ""

    @classmethod
    def of(cls, word: str, options: Mapping[str, str], data: str) -> TokenizerChoice:
        """Read what a form's select says: `run:NAME` or `named:NAME`.

        Raises:
            UsageError: it says something else.
        """
        kind, _, name = word.partition(":")
        if kind not in (RUN, NAMED) or not name:
            raise UsageError(f"No tokenizer is called {word!r}.", "Choose one of the list.", code="unknown-tokenizer")
        return cls(kind=kind, name=name, options=dict(options) if kind == NAMED else {}, data=data.strip())

    @property
    def key(self) -> tuple[Any, ...]:
        """What tells it from any other."""
        return (self.kind, self.name, tuple(sorted(self.options.items())), self.data)

    def said(self) -> dict[str, Any]:
        """Return it as JSON can say it."""
        return {"kind": self.kind, "name": self.name, "options": dict(self.options), "data": self.data}

    def recipe(self) -> Recipe:
        """Return a recipe that trains it.

        Raises:
            UsageError: an option is unknown or out of bounds.
        """
        choice = Choice(self.name, **self.options)
        return Recipe(tokenizer=choice, data=[self.data] if self.data else None, training={"steps": 1})


class _Needed(Exception):
    """Raised where a tokenizer asks for the first text to train on."""


def published(tokenizer: Tokenizer) -> bool:
    """Say whether a vocabulary is fixed: then `train` reads no text, and has done all that there is to do."""
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
    return not asked


PUBLISHED, TRAINED, ASKING = "published", "trained", "asking"


def sort_of(studio: Studio, name: str) -> str:
    """Say of a tokenizer that is installed whether its vocabulary is published, trained, or comes with its options.

    The last cannot be made without these: they name a file.
    """

    def found() -> str:
        try:
            return PUBLISHED if published(make("tokenizer", name, catalogue=studio.catalogue)) else TRAINED
        except EngineError:
            return ASKING

    return studio.sorts.get(name, found)


async def open_tokenizer(request: Request, studio: Studio, choice: TokenizerChoice) -> Tokenizer:
    """Return a tokenizer, trained first where it needs to be: in a process that ends when the browser asks no more.

    Raises:
        UsageError: there is none of that name, an option does not fit, or the text cannot give the vocabulary.
        EngineError: the run is damaged.
    """
    is_new = choice.kind == NAMED and not studio.tokenizers.has(choice.key)
    if is_new and await anyio.to_thread.run_sync(sort_of, studio, choice.name) == TRAINED:
        resolve(choice.recipe(), studio.catalogue)  # says what is wrong before a process is started
        await work_elsewhere(request, "pentad_studio.sources.prepare", choice.said())
    return await anyio.to_thread.run_sync(load_tokenizer, studio, choice)


def load_tokenizer(studio: Studio, choice: TokenizerChoice) -> Tokenizer:
    """Return a tokenizer in this process; one that is trained comes from the cache, if it is there."""

    def load() -> Tokenizer:
        if choice.kind == RUN:
            return RunDirectory.open(studio.run_path(choice.name)).tokenizer(studio.catalogue)
        if sort_of(studio, choice.name) != TRAINED:
            tokenizer: Tokenizer = make("tokenizer", Choice(choice.name, **choice.options), catalogue=studio.catalogue)
            if published(tokenizer):
                return tokenizer
        return trained(choice, studio.catalogue)

    return studio.tokenizers.get(choice.key, load)


def trained(choice: TokenizerChoice, catalogue: Catalogue) -> Tokenizer:
    """Return a tokenizer that was trained as a run would train it, or is now.

    Raises:
        UsageError: as for `pentad.tools.prepare_tokenizer`.
    """
    tokenizer, *_ = prepare_tokenizer(resolve(choice.recipe(), catalogue), catalogue)
    return tokenizer
