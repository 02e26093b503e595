"""The page Trace and its part."""

from __future__ import annotations

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from pentad_studio.server.elsewhere import work_elsewhere
from pentad_studio.server.forms import number_of, read_form, text_of
from pentad_studio.server.pages import fragment, page
from pentad_studio.server.studio import Studio, studio_of
from pentad_studio.trace.index import Index, is_built, open_index
from pentad_studio.trace.search import LEAST, trace


async def trace_page(request: Request) -> Response:
    """Show the page; `?run=NAME` chooses a run."""
    studio = studio_of(request)
    runs = await anyio.to_thread.run_sync(studio.run_names)
    asked = request.query_params.get("run", "")
    run = asked if asked in runs else runs[0] if runs else ""
    return page("trace", runs=runs[:500], run=run, least=LEAST, folder=str(studio.runs))


async def trace_part(request: Request) -> Response:
    """Show where a text stands; the training text is indexed first, in a process that ends when the browser has gone."""
    studio, form = studio_of(request), await read_form(request)
    name, text = form.get("run", ""), text_of(form, "text", 20_000)
    least = number_of(form, "least", LEAST, 1, 1000)
    path = studio.run_path(name)
    if not await anyio.to_thread.run_sync(is_built, path):
        await work_elsewhere(request, "pentad_studio.trace.build", {"run": str(path)})
    found = await anyio.to_thread.run_sync(lambda: trace(index_of(studio, name), text, least))
    return fragment("trace_found.html", found=found, run=name)


def index_of(studio: Studio, name: str) -> Index:
    """Return the index of a run that is listed, which stays open."""
    path = studio.run_path(name)
    mark = (path / "engine.json").stat().st_mtime_ns
    return studio.records.get(("index", name, mark), lambda: open_index(path, studio.catalogue))
