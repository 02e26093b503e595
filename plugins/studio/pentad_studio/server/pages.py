"""How a page is made: a template, what it shows, and the frame around it. All that is no markup is escaped, here alone."""

from __future__ import annotations

import functools
import json
from collections.abc import Awaitable, Callable
from typing import Any

import jinja2
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from pentad import EngineError
from pentad_cli.tools import count, duration, plural, short, size, visible
from pentad_studio.server.markup import parts_markup

_NAVIGATION = (
    ("tokens", "Tokens", "How a text is cut"),
    ("examples", "Examples", "What is learned from it"),
    ("training", "Training", "Runs, as they learn"),
    ("generation", "Generation", "What a model writes"),
    ("chat", "Chat", "What a model answers"),
    ("inside", "Inside", "What happens in it"),
    ("trace", "Trace", "Where a text comes from"),
    ("comparisons", "Comparisons", "Which way is better"),
)
"""Address, name and a few words of every page."""

Handler = Callable[[Request], Awaitable[Response]]


@functools.cache
def environment() -> jinja2.Environment:
    """Return the environment of the templates: every value that is not markup is made visible, then escaped."""
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("pentad_studio"),
        autoescape=True,
        finalize=_shown,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.globals.update(navigation=_NAVIGATION, pieces=parts_markup)
    templates.filters.update(count=count, duration=duration, plural=plural, short=short, bytes=size)
    return templates


def _shown(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def page(name: str, /, *, within: str = "", **shown: Any) -> HTMLResponse:
    """Return a whole page.

    Args:
        name: of the template, which is that of the page's address too.
        within: the page of the navigation that it belongs to, where it is none itself.
        shown: what the template names.
    """
    return HTMLResponse(html(f"{name}.html", page=within or name, **shown))


def fragment(template: str, /, **shown: Any) -> HTMLResponse:
    """Return a part of a page, which the page's script puts in its place."""
    return HTMLResponse(html(template, **shown))


def html(template: str, /, **shown: Any) -> str:
    """Return what a template makes, for a stream."""
    return environment().get_template(template).render(**shown)


async def failed(request: Request, error: Exception) -> Response:
    """Answer with what went wrong, as a page or, where the page's script asks, as what it shows."""
    assert isinstance(error, EngineError)
    record = {"message": error.message, "hint": error.hint, "code": error.code}
    if request.headers.get("x-studio") == "part":
        # In ASCII: the name of a file may hold bytes that are no UTF-8.
        return Response(json.dumps(record), 400, media_type="application/json")
    text = environment().get_template("failed.html").render(page="", error=record)
    return HTMLResponse(text, 400)
