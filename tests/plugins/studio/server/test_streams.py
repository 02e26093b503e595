"""Streams: events as they come, the last one an error where there is one, and nothing goes on when nobody listens."""

from __future__ import annotations

import threading
import time

import anyio
import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from pentad import UsageError
from pentad_studio.server.streams import encode, stream


def app_of(events):
    async def answer(request):
        return stream(events)

    return Starlette(routes=[Route("/", answer)])


def test_events_come_in_their_order():
    events = (("token", {"number": number}) for number in range(3))
    assert TestClient(app_of(events)).get("/").text == "".join(encode("token", {"number": number}) for number in range(3))


def test_what_a_stream_says_cannot_end_its_event_early():
    assert encode("token", {"text": "a\n\nevent: x\u2028"}).count("\n") == 3


@pytest.mark.parametrize(("error", "code"), [(UsageError("No.", code="mistake"), "mistake"), (ValueError("no"), "fault")])
def test_an_error_is_the_last_event(error, code):
    def events():
        yield "token", {}
        raise error

    text = TestClient(app_of(events())).get("/").text
    assert text.startswith("event: token") and text.count("event:") == 2
    assert f'"code": "{code}"' in text


def test_whoever_leaves_ends_the_work():
    closed = threading.Event()
    counted = 0

    def events():
        nonlocal counted
        try:
            while True:
                counted += 1
                yield "token", {}
        finally:
            closed.set()

    async def ask():
        left = anyio.Event()

        async def receive():
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(message):
            if message["type"] == "http.response.body" and counted > 5:
                left.set()

        scope = {
            "type": "http",
            "method": "GET",
            "path": "/",
            "headers": [],
            "query_string": b"",
            "asgi": {"spec_version": "2.0"},
        }
        with anyio.fail_after(20):
            await app_of(events())(scope, receive, send)

    anyio.run(ask)
    assert closed.wait(5)
    before = counted
    time.sleep(0.05)
    assert counted == before
