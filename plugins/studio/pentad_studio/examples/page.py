"""The page Examples and its parts."""

from __future__ import annotations

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from pentad import Tokenizer
from pentad_studio.examples.making import STARTERS, make_examples, starter_for
from pentad_studio.examples.rows import counted, rows_of
from pentad_studio.server.forms import Form, number_of, read_form, text_of
from pentad_studio.server.pages import fragment, page
from pentad_studio.server.studio import Studio, studio_of
from pentad_studio.sources.fields import given_options
from pentad_studio.sources.tokenizers import NAMED, open_tokenizer
from pentad_studio.tokens.page import choice_of, tokenizer_groups

MOST = 40
"""Examples that are shown at once."""


async def examples_page(request: Request) -> Response:
    """Show the page, with the seed sentence."""
    studio = studio_of(request)
    groups = await anyio.to_thread.run_sync(tokenizer_groups, studio)
    builders = await anyio.to_thread.run_sync(_builders, studio)
    names = [name for name, _, _ in builders]
    return page(
        "examples",
        text=STARTERS["A sentence"],
        groups=groups,
        tokenizer=f"{NAMED}:gpt2",
        builders=builders,
        builder="prefix" if "prefix" in names else names[0] if names else "",
        starters=STARTERS,
        corpora=studio.corpora(),
    )


async def examples_part(request: Request) -> Response:
    """Show the examples of a text."""
    studio, form = studio_of(request), await read_form(request)
    tokenizer = await open_tokenizer(request, studio, choice_of(form))
    text = text_of(form, "text", 20_000)
    return await anyio.to_thread.run_sync(_examples, studio, tokenizer, form, text)


def _builders(studio: Studio) -> list[tuple[str, str, str]]:
    """Return name, summary and a text to begin with of each builder."""

    def found() -> list[tuple[str, str, str]]:
        offers = studio.catalogue.offers("builder")
        return [(offer.name, offer.record.summary, starter_for(studio.catalogue, offer.name)) for offer in offers]

    return studio.tokenizers.get(("starters",), found)


def _examples(studio: Studio, tokenizer: Tokenizer, form: Form, text: str) -> Response:
    length = number_of(form, "context_length", 0, 0, 4096) or None
    name = form.get("builder", "")
    made = make_examples(studio.catalogue, tokenizer, name, given_options(form, "builder"), text, length, MOST)
    rows = rows_of(made, tokenizer)
    positions, learned = counted(rows)
    both = made.builder.attention == "bidirectional"
    return fragment(
        "examples_rows.html",
        rows=rows,
        made=made,
        both=both,
        positions=positions,
        learned=learned,
        length=made.batch.inputs.shape[1],
        extra={name: array.shape[1:] for name, array in made.batch.extra.items() if name not in ("inputs", "targets")},
        end=tokenizer.end_of_text,
    )
