"""The page Training: the list, the chart, and the stream that keeps them up to date."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from pentad import EngineError
from pentad_cli.charts import looks
from pentad_studio.server.forms import number_of, read_form
from pentad_studio.server.pages import fragment, html, page
from pentad_studio.server.streams import encode
from pentad_studio.server.studio import Studio, studio_of
from pentad_studio.training.cards import card_of, groups_of
from pentad_studio.training.curves import MEASURES, OVERS, curves, line_of

MOST_CHOSEN = 12
"""Runs in one chart."""

ROWS = 60
"""Runs in the list before more are asked for."""

MOST_ROWS = 2000
"""Runs in the list at most."""

EVERY = 1.0
"""Seconds between two looks at the files."""


async def training_page(request: Request) -> Response:
    """Show the page; `?runs=NAME&runs=…` chooses runs, the newest one where none is chosen."""
    studio = studio_of(request)
    names = await anyio.to_thread.run_sync(studio.run_names)
    chosen = [name for name in request.query_params.getlist("runs") if name in names][:MOST_CHOSEN] or names[:1]
    shown = await anyio.to_thread.run_sync(_list, studio, names, "", ROWS, chosen)
    return page("training", chosen=chosen, measures=MEASURES, overs=OVERS, folder=str(studio.runs), **shown)


async def training_list(request: Request) -> Response:
    """Show the list, filtered."""
    studio, form = studio_of(request), await read_form(request)
    names = await anyio.to_thread.run_sync(studio.run_names)
    rows = number_of(form, "rows", ROWS, 1, 1_000_000)
    chosen = form.get("chosen", "").split("/")
    shown = await anyio.to_thread.run_sync(_list, studio, names, form.get("filter", ""), min(rows, MOST_ROWS), chosen)
    return fragment("training_list.html", **shown)


def _list(studio: Studio, names: Sequence[str], words: str, rows: int, chosen: Sequence[str]) -> dict[str, Any]:
    wanted = words.lower().split()
    found = [name for name in names if all(word in name.lower() for word in wanted)]
    listed = studio.listing.of([studio.runs / name for name in found[:rows]])
    return {"runs": listed, "more": len(found) - len(listed), "total": len(names), "checked": set(chosen)}


async def training_stream(request: Request) -> Response:
    """Stream the chart, the cards and the samples of the chosen runs, each anew whenever it has changed."""
    studio, asked = studio_of(request), request.query_params
    names = asked.getlist("runs")[:MOST_CHOSEN]
    events = _live(studio, names, asked.get("measure", ""), asked.get("over", ""))
    return StreamingResponse(events, media_type="text/event-stream")


async def _live(studio: Studio, names: Sequence[str], measure: str, over: str) -> AsyncIterator[str]:
    seen: Any = None
    sent: dict[str, str] = {}
    quiet = 0
    while True:
        try:
            mark, parts = await anyio.to_thread.run_sync(_parts, studio, names, measure, over, seen)
        except EngineError as error:
            yield encode("failed", {"message": error.message, "hint": error.hint, "code": error.code})
            return
        for name, text in parts.items():
            if sent.get(name) != text:
                sent[name] = text
                yield encode(name, {"html": text})
                quiet = 0
        quiet += 1
        if quiet % 15 == 0:  # a word now and then, by which the browser and the server notice that the other has gone
            yield ": still here\n\n"
        seen = mark
        await anyio.sleep(EVERY)


def _parts(studio: Studio, names: Sequence[str], measure: str, over: str, seen: Any) -> tuple[Any, Mapping[str, str]]:
    """Return a mark of what the files say, and what is shown of it; nothing where it is the mark that was seen."""
    known = set(studio.run_names())
    names = [name for name in names if name in known]
    followed = {name: studio.followed(name) for name in names}
    listed = studio.listing.of([studio.runs / name for name in names])
    mark = (
        tuple(one.refresh() for one in followed.values()),
        tuple(listed),
        tuple(studio.jobs.is_running(name) for name in names),
    )
    if mark == seen:
        return mark, {}
    figures = {name: one.figures for name, one in followed.items()}
    groups = groups_of(studio, names)
    known_looks = looks([label for label, _ in groups])
    chosen = next((one for one in MEASURES if one.name == measure), MEASURES[0])
    column = over if over in dict(OVERS) else OVERS[0][0]
    lines = [line_of(known_looks[label], [figures[name] for name in members], chosen.name, column) for label, members in groups]
    drawn = curves([line for line in lines if line], chosen, column, f"curve-{chosen.name}")
    cards = [(card_of(studio, one, figures[one.name]), _look(groups, known_looks, one.name)) for one in listed]
    samples = [(name, list(reversed(figures[name].samples))) for name in names if figures[name].samples]
    return mark, {
        "chart": html("training_chart.html", figure=drawn, measure=chosen),
        "cards": html("training_cards.html", cards=cards),
        "samples": html("training_samples.html", samples=samples, several=len(names) > 1),
    }


def _look(groups: Sequence[tuple[str, Sequence[str]]], known: Mapping[str, Any], name: str) -> Any:
    return next(known[label] for label, members in groups if name in members)
