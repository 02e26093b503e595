"""The page that starts a run, and the buttons that stop and resume one."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pentad_studio.server.forms import read_form
from pentad_studio.server.pages import fragment, page
from pentad_studio.server.studio import studio_of
from pentad_studio.training.planning import plan_of
from pentad_studio.training.starting import arguments_of, command_of, further_fields, name_of, stage_choices


async def start_page(request: Request) -> Response:
    """Show the form."""
    studio = studio_of(request)
    runs = await anyio.to_thread.run_sync(studio.run_names)
    return page(
        "start",
        within="training",
        stages=stage_choices(studio),
        further=further_fields(),
        corpora=studio.corpora(),
        starts=[str(studio.runs / name) for name in runs[:200]],
        folder=str(studio.runs),
    )


async def start_command(request: Request) -> Response:
    """Show the command that the form means."""
    form = await read_form(request)
    out = str(studio_of(request).runs / form["name"].strip()) if form.get("name", "").strip() else ""
    return fragment("start_command.html", command=command_of(arguments_of(form), out))


async def start_plan(request: Request) -> Response:
    """Show the plan of the run."""
    form = await read_form(request)
    plan: dict[str, Any] = await plan_of(request, arguments_of(form))
    seconds = plan["seconds_per_step"]
    return fragment("start_plan.html", plan=plan, seconds=None if seconds is None else seconds * plan["steps"])


async def start_run(request: Request) -> Response:
    """Start the run, and say where it can be seen."""
    studio, form = studio_of(request), await read_form(request)
    arguments, name = arguments_of(form), name_of(studio, form)
    studio.jobs.start(name, ["run", *arguments, f"--out={studio.runs / name}"])
    return JSONResponse({"name": name, "address": f"training?runs={quote(name)}"})


async def started(request: Request) -> Response:
    """Say of a run that was started whether it is there yet, and what it said where it failed."""
    studio, name = studio_of(request), request.query_params.get("name", "")
    job = studio.jobs.get(name)
    there = await anyio.to_thread.run_sync((studio.runs / name / "engine.json").is_file) if job else False
    words = job.last_words() if job else ""
    return JSONResponse({"there": there, "running": bool(job and job.running), "words": words})


async def run_stop(request: Request) -> Response:
    """Stop a run that the studio trains."""
    studio, form = studio_of(request), await read_form(request)
    studio.jobs.stop(form.get("name", ""))
    return JSONResponse({"stopping": True})


async def run_resume(request: Request) -> Response:
    """Resume a run; with `steps`, to a new end."""
    studio, form = studio_of(request), await read_form(request)
    path = studio.run_path(form.get("name", ""))
    steps = form.get("steps", "").strip()
    studio.jobs.start(path.name, ["resume", str(path), *([f"--steps={steps}"] if steps.isdecimal() else [])])
    return JSONResponse({"resumed": True})
