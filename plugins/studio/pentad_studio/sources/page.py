"""The part of a form that depends on what was chosen: its options."""

from __future__ import annotations

import re

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from pentad import UsageError
from pentad_cli.tools import default_tables
from pentad_studio.server.pages import fragment
from pentad_studio.server.studio import studio_of
from pentad_studio.sources.fields import fields_of
from pentad_studio.sources.models import PLAIN
from pentad_studio.sources.tokenizers import RUN, TRAINED, sort_of

KINDS = ("tokenizer", "builder", "model", "optimizer", "sampler")


async def options_part(request: Request) -> Response:
    """Show the options of what a select chooses; of a tokenizer that is trained, also the text to train it on."""
    asked = request.query_params
    kind, name, prefix = (asked.get(key, "") for key in ("kind", "name", "prefix"))
    if kind not in KINDS or not re.fullmatch(r"[a-z0-9_.-]{1,40}", prefix):
        raise UsageError("Options are asked for by the kind of a stage.", "Use the page's own form.", code="form-unreadable")
    studio = studio_of(request)
    data = None
    if kind == "tokenizer":
        source, _, rest = name.rpartition(":")
        if source == RUN or not rest:
            return fragment("options.html", fields=[], data=None, default_data="")
        name = rest
        wanted = asked.get("data", "")
        if wanted and await anyio.to_thread.run_sync(sort_of, studio, name) == TRAINED:
            data = wanted if re.fullmatch(r"[a-z0-9_.-]{1,40}", wanted) else None
    fields = fields_of(studio.catalogue, kind, name, prefix, {}) if name not in ("", PLAIN) else []
    return fragment("options.html", fields=fields, data=data, default_data=", ".join(default_tables()["data"]["sources"]))
