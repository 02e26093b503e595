"""The page Inside and its part."""

from __future__ import annotations

import json

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from pentad_studio.inside.looking import Look, look_into
from pentad_studio.server.forms import read_form, text_of
from pentad_studio.server.pages import fragment, page
from pentad_studio.server.streams import limiter
from pentad_studio.server.studio import SEED, Studio, studio_of
from pentad_studio.sources.models import open_model


async def inside_page(request: Request) -> Response:
    """Show the page; `?run=NAME` chooses a run."""
    studio = studio_of(request)
    runs = await anyio.to_thread.run_sync(studio.run_names)
    asked = request.query_params.get("run", "")
    run = asked if asked in runs else runs[0] if runs else ""
    return page("inside", runs=runs[:500], run=run, text=SEED, folder=str(studio.runs))


async def inside_part(request: Request) -> Response:
    """Show what the model shows of itself while it reads the text."""
    studio, form = studio_of(request), await read_form(request)
    name, text = form.get("run", ""), text_of(form, "text", 20_000)
    look = await anyio.to_thread.run_sync(_look, studio, name, text, limiter=limiter())
    maps = json.dumps(
        {"maps": look.maps, "gates": look.gates, "tokens": ["".join(part[0] for part in one) for one in look.tokens]}
    )
    return fragment("inside_look.html", look=look, maps=maps, shade=shade)


def _look(studio: Studio, name: str, text: str) -> Look:
    return look_into(open_model(studio, name), text)


def shade(probability: float) -> str:
    """Return the class of a probability, as the page Generation colours it."""
    return f"p{sum(probability >= edge for edge in (0.005, 0.03, 0.1, 0.4, 0.8))}"
