"""The page Chat, what it says of a run, and the stream of an answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from pentad import Choice, EngineError, Vocabulary, make
from pentad.tools import can_converse
from pentad_studio.chat.answering import Question, answer, read_history
from pentad_studio.server.forms import Form, number_of, read_form, text_of
from pentad_studio.server.pages import fragment, page
from pentad_studio.server.streams import Event, stream
from pentad_studio.server.studio import Studio, studio_of
from pentad_studio.sources.fields import given_options
from pentad_studio.sources.models import open_model

MOST_TOKENS = 4000


async def chat_page(request: Request) -> Response:
    """Show the page; `?run=NAME` chooses a run."""
    studio = studio_of(request)
    runs = await anyio.to_thread.run_sync(studio.run_names)
    asked = request.query_params.get("run", "")
    return page(
        "chat",
        runs=runs[:500],
        run=asked if asked in runs else await anyio.to_thread.run_sync(_first, studio, runs[:500]),
        samplers=[(offer.name, offer.record.summary) for offer in studio.catalogue.offers("sampler")],
        folder=str(studio.runs),
    )


def _first(studio: Studio, runs: Sequence[str]) -> str:
    """Return the newest run that has learned conversations, as its builder tells; the newest of all where none has."""
    for summary in studio.listing.of([studio.runs / name for name in runs]):
        if summary.builder and _teaches(studio, summary.builder):
            return summary.name
    return runs[0] if runs else ""


def _teaches(studio: Studio, builder: str) -> bool:
    """Say whether a builder has the tokens of turns."""

    def found() -> bool:
        try:
            tokenizer = make("tokenizer", "byte", catalogue=studio.catalogue)
            made = make(
                "builder",
                builder,
                catalogue=studio.catalogue,
                context_length=8,
                vocab_size=tokenizer.vocab_size,
                end_of_text=tokenizer.end_of_text,
                tokenizer=tokenizer,
            )
            untrained: Any = SimpleNamespace(vocabulary=Vocabulary.of(tokenizer, made.special_tokens))
            return can_converse(untrained)
        except EngineError:
            return False

    return studio.sorts.get(("teaches", builder), found)


async def chat_about(request: Request) -> Response:
    """Say of a run whether it has learned conversations, and how much it reads."""
    studio, form = studio_of(request), await read_form(request)
    run = await anyio.to_thread.run_sync(open_model, studio, form.get("run", ""))
    return fragment(
        "chat_about.html",
        converses=can_converse(run),
        model=run.recipe.model.name,
        step=run.step,
        context=run.session.context_length,
    )


async def chat_stream(request: Request) -> Response:
    """Stream an answer."""
    studio, form = studio_of(request), await read_form(request)
    name = form.get("sampler", "").strip()
    question = Question(
        text=text_of(form, "question", 50_000),
        system=text_of(form, "system", 50_000),
        history=read_history(form.get("history", "")),
        max_tokens=number_of(form, "max_tokens", 256, 1, MOST_TOKENS),
        seed=number_of(form, "seed", 0, 0, 2**63 - 10_000),
        sampler=Choice(name, **given_options(form, "sampler")) if name else None,
    )
    return stream(_answered(studio, form, question))


def _answered(studio: Studio, form: Form, question: Question) -> Iterator[Event]:
    """Open the model and answer, all of it in the thread that the stream runs in."""
    yield from answer(open_model(studio, form.get("run", "")), question)
