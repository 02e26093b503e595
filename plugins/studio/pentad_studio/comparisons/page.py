"""The list of comparisons, and their reports as they are: each stays one file that asks for nothing."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from pentad import EngineError, UsageError
from pentad.tools import is_stamped, open_plain, read_json
from pentad_studio.server.pages import page
from pentad_studio.server.studio import Studio, folders_with, studio_of

REPORT, RECORD = "report.html", "comparison.json"

MOST = 500
"""Comparisons that are listed."""

_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
"""What a report may do, whoever wrote it: show itself. It gets no script, no network and no way to the studio."""

_MOST_BYTES = 64 << 20


@dataclass(frozen=True)
class Listed:
    """A comparison in the list.

    Args:
        name: of its folder.
        arms: label and mean score of each arm, the best first; no score where none was found.
        metric: what the scores are.
        seeds, budget, created: how often and how long each arm was trained, and when, in words.
        problem: why it cannot be read or trusted; empty where it can.
    """

    name: str
    arms: list[tuple[str, float | None]]
    metric: str = ""
    seeds: str = ""
    budget: str = ""
    created: str = ""
    problem: str = ""


async def comparisons_page(request: Request) -> Response:
    """Show the list."""
    studio = studio_of(request)
    listed = await anyio.to_thread.run_sync(_listed, studio)
    return page("comparisons", listed=listed, folder=str(studio.comparisons))


async def comparison_page(request: Request) -> Response:
    """Show a report within the studio; `?name=…` says which."""
    studio, name = studio_of(request), request.query_params.get("name", "")
    _require(studio, name)
    return page("comparison", within="comparisons", name=name)


async def comparison_report(request: Request) -> Response:
    """Return a report as it is."""
    studio, name = studio_of(request), request.query_params.get("name", "")
    _require(studio, name)
    text = await anyio.to_thread.run_sync(_read, studio, name)
    return HTMLResponse(text, headers={"content-security-policy": _POLICY})


def _require(studio: Studio, name: str) -> None:
    if name not in folders_with(studio.comparisons, REPORT):
        raise UsageError(
            f"No comparison {name!r} is in {studio.comparisons}.", "Choose one of the list.", code="unknown-comparison"
        )


def _read(studio: Studio, name: str) -> str:
    return _bytes_of(studio, name).decode("utf-8", errors="replace")


def _bytes_of(studio: Studio, name: str) -> bytes:
    path = studio.comparisons / name / REPORT
    with open_plain(path, "rb") as file:
        data: bytes = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise EngineError(
            f"{path} may have at most {_MOST_BYTES:,} bytes.", "Open it in the browser itself.", code="report-too-long"
        )
    return data


def _listed(studio: Studio) -> list[Listed]:
    names = folders_with(studio.comparisons, REPORT)[:MOST]
    return [_one(studio, name) for name in names]


def _one(studio: Studio, name: str) -> Listed:
    path = studio.comparisons / name / RECORD
    try:
        mark = os.stat(path).st_mtime_ns, os.stat(path.with_name(REPORT)).st_mtime_ns
        return studio.records.get(("comparison", name, mark), lambda: _read_facts(studio, name))
    except (EngineError, OSError) as error:
        return Listed(name, [], problem=getattr(error, "message", "") or str(error))


def _read_facts(studio: Studio, name: str) -> Listed:
    record = read_json(studio.comparisons / name / RECORD)
    facts = facts_of(name, record)
    if not is_stamped(record):
        return dataclasses.replace(facts, problem=f"{RECORD} was changed after it was written.")
    if record.get("report") != hashlib.sha256(_bytes_of(studio, name)).hexdigest():
        return dataclasses.replace(facts, problem=f"{REPORT} was changed after it was written.")
    return facts


def facts_of(name: str, record: Mapping[str, Any]) -> Listed:
    """Return what is listed of a comparison, as far as its record says it."""
    arms = [arm for arm in _list(record.get("arms")) if isinstance(arm, dict) and isinstance(arm.get("label"), str)]
    found = [(str(arm["label"]), _number(arm.get("mean"))) for arm in arms]
    metric: Mapping[str, Any] = next((arm["metric"] for arm in arms if isinstance(arm.get("metric"), dict)), {})
    higher = metric.get("lower_is_better") is False
    scored = sorted((arm for arm in found if arm[1] is not None), key=lambda arm: arm[1] or 0.0, reverse=higher)
    return Listed(
        name,
        [*scored, *(arm for arm in found if arm[1] is None)],
        metric=str(metric.get("name", "")).replace("_", " "),
        seeds=str(len(_list(record.get("seeds")))),
        budget=str(record.get("budget", "")),
        created=str(record.get("created", ""))[:10],
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _number(value: Any) -> float | None:
    known = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if known else None
