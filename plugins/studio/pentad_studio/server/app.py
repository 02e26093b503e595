"""The application: every address, and what answers to it."""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from pentad import EngineError
from pentad_cli.charts import chart_style, dark_style
from pentad_studio.chat.page import chat_about, chat_page, chat_stream
from pentad_studio.comparisons.page import comparison_page, comparison_report, comparisons_page
from pentad_studio.examples.page import examples_page, examples_part
from pentad_studio.generation.page import generation_page, generation_stream
from pentad_studio.inside.page import inside_page, inside_part
from pentad_studio.server.guard import Guard
from pentad_studio.server.pages import failed
from pentad_studio.server.studio import Studio
from pentad_studio.sources.page import options_part
from pentad_studio.text.page import text_duplicates, text_page, text_part, text_scores
from pentad_studio.tokens.page import tokens_page, tokens_part
from pentad_studio.trace.page import trace_page, trace_part
from pentad_studio.training.page import training_list, training_page, training_stream
from pentad_studio.training.start_page import run_resume, run_stop, start_command, start_page, start_plan, start_run, started


def make_app(studio: Studio, token: str, port: int) -> ASGIApp:
    """Return the application of a studio.

    Args:
        studio: what it shows.
        token: the secret, the first part of every path.
        port: on which it will listen.
    """
    static = StaticFiles(directory=Path(__file__).parents[1] / "static")
    app = Starlette(
        routes=[
            Route("/", _home),
            Route("/alive", _alive),
            Route("/static/charts.css", _charts),
            Mount("/static", static),
            Route("/options", options_part),
            Route("/tokens", tokens_page),
            Route("/tokens-part", tokens_part, methods=["POST"]),
            Route("/examples", examples_page),
            Route("/examples-part", examples_part, methods=["POST"]),
            Route("/training", training_page),
            Route("/training-list", training_list, methods=["POST"]),
            Route("/training-stream", training_stream),
            Route("/start", start_page),
            Route("/start-command", start_command, methods=["POST"]),
            Route("/start-plan", start_plan, methods=["POST"]),
            Route("/start-run", start_run, methods=["POST"]),
            Route("/started", started),
            Route("/run-stop", run_stop, methods=["POST"]),
            Route("/run-resume", run_resume, methods=["POST"]),
            Route("/trace", trace_page),
            Route("/trace-part", trace_part, methods=["POST"]),
            Route("/chat", chat_page),
            Route("/chat-about", chat_about, methods=["POST"]),
            Route("/chat-stream", chat_stream, methods=["POST"]),
            Route("/text", text_page),
            Route("/text-part", text_part, methods=["POST"]),
            Route("/text-scores", text_scores, methods=["POST"]),
            Route("/text-duplicates", text_duplicates, methods=["POST"]),
            Route("/inside", inside_page),
            Route("/inside-part", inside_part, methods=["POST"]),
            Route("/comparisons", comparisons_page),
            Route("/comparison", comparison_page),
            Route("/comparison-report", comparison_report),
            Route("/generation", generation_page),
            Route("/generation-stream", generation_stream, methods=["POST"]),
        ],
        exception_handlers={EngineError: failed},
    )
    app.state.studio = studio
    return Guard(app, token, port)


async def _home(request: Request) -> Response:
    return RedirectResponse("tokens")


async def _alive(request: Request) -> Response:
    return PlainTextResponse("alive")


async def _charts(request: Request) -> Response:
    return Response(chart_style() + dark_style(), media_type="text/css")
