"""The page Generation, and the stream of what is written."""

from __future__ import annotations

from collections.abc import Iterator

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from pentad import UsageError
from pentad_studio.generation.writing import Wish, write
from pentad_studio.server.forms import Form, number_of, read_form, text_of
from pentad_studio.server.pages import page
from pentad_studio.server.streams import Event, stream
from pentad_studio.server.studio import SEED, Studio, studio_of
from pentad_studio.sources.fields import given_options
from pentad_studio.sources.models import open_model, sampler_of

COLUMNS = 2
"""Writers side by side."""

MOST_TOKENS = 4000


async def generation_page(request: Request) -> Response:
    """Show the page; `?run=NAME` chooses a run."""
    studio = studio_of(request)
    runs = await anyio.to_thread.run_sync(studio.run_names)
    asked = request.query_params.get("run", "")
    return page(
        "generation",
        runs=runs[:500],
        run=asked if asked in runs else runs[0] if runs else "",
        prompt=request.query_params.get("prompt", SEED)[:10_000],
        samplers=[(offer.name, offer.record.summary) for offer in studio.catalogue.offers("sampler")],
        columns=list(range(COLUMNS)),
        folder=str(studio.runs),
    )


async def generation_stream(request: Request) -> Response:
    """Stream what one column's model writes."""
    studio, form = studio_of(request), await read_form(request)
    column = number_of(form, "column", 0, 0, COLUMNS - 1)
    wish = Wish(
        prompt=text_of(form, "prompt", 100_000),
        kept=_ids(form.get("kept", "")),
        max_tokens=number_of(form, "max_tokens", 80, 0, MOST_TOKENS),
        seed=number_of(form, "seed", 0, 0, 2**63 - 1),
    )
    return stream(_written(studio, form, column, wish))


def _written(studio: Studio, form: Form, column: int, wish: Wish) -> Iterator[Event]:
    """Open the model and write, all of it in the thread that the stream runs in."""
    run = open_model(studio, form.get(f"run-{column}", ""))
    name = form.get(f"sampler-{column}", "").strip()
    method = sampler_of(studio, run, name, given_options(form, f"sampler-{column}"))
    yield from write(run, method, wish)


def _ids(words: str) -> list[int]:
    """Read ids with commas between them.

    Raises:
        UsageError: it is something else.
    """
    try:
        return [int(word) for word in words.split(",") if word]
    except ValueError:
        raise UsageError("What was kept is a list of ids.", "Use the page's own form.", code="form-unreadable") from None
