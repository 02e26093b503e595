"""The page Text, its part, and the stream of scores."""

from __future__ import annotations

from collections.abc import Iterator

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from pentad import UsageError
from pentad.tools import RunDirectory
from pentad_studio.server.elsewhere import work_elsewhere
from pentad_studio.server.forms import Form, number_of, read_form, text_of
from pentad_studio.server.pages import fragment, html, page
from pentad_studio.server.streams import Event, stream
from pentad_studio.server.studio import Studio, studio_of
from pentad_studio.sources.models import open_model
from pentad_studio.text.browsing import ROWS, hits, rows, sheet
from pentad_studio.text.held_out import HeldOutText, is_kept, open_held_out
from pentad_studio.text.repeats import is_compared, open_duplicates
from pentad_studio.text.scoring import Scored, chosen, documents_of, rank, score
from pentad_studio.trace.index import MOST_BYTES, Documents, is_built, split_of
from pentad_studio.trace.page import index_of

_FIELDS = ("part", "find", "first", "document", "at")


async def text_page(request: Request) -> Response:
    """Show the page; `?run=NAME` chooses a run, `document=` and `at=` a place in its text."""
    studio, asked = studio_of(request), request.query_params
    runs = await anyio.to_thread.run_sync(studio.run_names)
    run = asked.get("run", "")
    chosen_run = run if run in runs else runs[0] if runs else ""
    fields = {name: asked.get(name, "")[:1000] for name in _FIELDS}
    return page("text", within="trace", runs=runs[:500], run=chosen_run, folder=str(studio.runs), **fields)


async def text_part(request: Request) -> Response:
    """Show documents, one of them, or where a passage stands; the texts are read first, in a process of its own."""
    studio, form = studio_of(request), await read_form(request)
    path = studio.run_path(form.get("run", ""))
    if not await anyio.to_thread.run_sync(lambda: is_built(path) and is_kept(path)):
        await work_elsewhere(request, "pentad_studio.text.prepare", {"run": str(path)})
    return await anyio.to_thread.run_sync(_part, studio, form)


async def text_duplicates(request: Request) -> Response:
    """Show what stands more than once; it is looked for first, in a process that ends when the browser has gone."""
    studio, form = studio_of(request), await read_form(request)
    name = form.get("run", "")
    path = studio.run_path(name)
    if not await anyio.to_thread.run_sync(is_compared, path):
        await work_elsewhere(request, "pentad_studio.text.prepare", {"run": str(path), "duplicates": True})
    found = await anyio.to_thread.run_sync(open_duplicates, path, studio.catalogue)
    return fragment("text_duplicates.html", found=found, run=name)


def _part(studio: Studio, form: Form) -> Response:
    name, held_out = form.get("run", ""), form.get("part") == "held-out"
    kept = _held_out(studio, name)
    text: Documents = kept.documents if held_out else index_of(studio, name)
    wanted = text_of(form, "find", 1000)
    shown = {"run": name, "held_out": held_out, "cut": kept.cut, "rows_at_once": ROWS, "n_documents": len(text.documents)}
    if form.get("document", "").strip():
        number = number_of(form, "document", 1, 1, max(len(text.documents), 1))
        at = number_of(form, "at", 0, 0, MOST_BYTES)
        if not len(text.documents):
            raise UsageError("This text has no documents.", "Choose the other one.", code="text-empty")
        return fragment("text_sheet.html", sheet=sheet(text, number, at), length=len(wanted), **shown)
    first = number_of(form, "first", 1, 1, MOST_BYTES)
    if wanted:
        return fragment("text_hits.html", hits=hits(text, wanted, first), **shown)
    return fragment("text_rows.html", rows=rows(text, first), first=first, **shown)


async def text_scores(request: Request) -> Response:
    """Stream how far the scoring of the held-out text is, and then what came out."""
    studio, form = studio_of(request), await read_form(request)
    return stream(_scores(studio, form.get("run", "")))


def _scores(studio: Studio, name: str) -> Iterator[Event]:
    """Score, or show what an earlier question found; all of it in the thread that the stream runs in."""
    run = open_model(studio, name)
    key = ("scores", name, run.step, (run.path / "engine.json").stat().st_mtime_ns)
    if not studio.records.has(key):
        yield "progress", {"what": "Reading the text", "done": 0.0}
        split = split_of(RunDirectory.open(run.path), studio.catalogue)
        if not split.held_out.n_documents:
            raise UsageError("This run held no text out.", "Choose another run.", code="nothing-held-out")
        documents = _held_out(studio, name).documents
        numbers = chosen(documents.sizes)
        found: list[Scored] = []
        for at, (number, pieces) in enumerate(documents_of(split, numbers)):
            yield "progress", {"what": f"Document {at + 1:,} of {len(numbers):,}", "done": at / len(numbers)}
            for passage, done in score(run, number, pieces):
                found.append(passage)
                yield "progress", {"what": f"Document {at + 1:,} of {len(numbers):,}", "done": (at + done) / len(numbers)}
        ranking = rank(found)
    ranking = studio.records.get(key, lambda: ranking)
    total = len(_held_out(studio, name).documents.documents)
    yield "done", {"html": html("text_scores.html", ranking=ranking, total=total, run=name, shade=shade)}


def shade(probability: float | None) -> str:
    """Return the class of a probability, as the page Generation colours it: six steps."""
    return "" if probability is None else f"p{sum(probability >= edge for edge in (0.005, 0.03, 0.1, 0.4, 0.8))}"


def _held_out(studio: Studio, name: str) -> HeldOutText:
    path = studio.run_path(name)
    mark = (path / "engine.json").stat().st_mtime_ns
    return studio.records.get(("held-out", name, mark), lambda: open_held_out(path, studio.catalogue))
