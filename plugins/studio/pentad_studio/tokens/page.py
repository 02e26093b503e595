"""The page Tokens and its parts."""

from __future__ import annotations

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from pentad import Tokenizer
from pentad_studio.server.forms import Form, number_of, read_form, text_of
from pentad_studio.server.pages import fragment, page
from pentad_studio.server.studio import SEED, Studio, studio_of
from pentad_studio.sources.fields import given_options
from pentad_studio.sources.tokenizers import ASKING, NAMED, PUBLISHED, RUN, TRAINED, TokenizerChoice, open_tokenizer, sort_of
from pentad_studio.tokens.merges import longest_word, ranks_of, steps_of
from pentad_studio.tokens.pieces import cut_text, shown_parts
from pentad_studio.tokens.ways import ways_of

COLUMNS = 4
"""Tokenizers side by side at most."""


async def tokens_page(request: Request) -> Response:
    """Show the page, with the seed sentence."""
    studio = studio_of(request)
    choices = await anyio.to_thread.run_sync(tokenizer_groups, studio)
    return page(
        "tokens", text=SEED, groups=choices, columns=list(range(COLUMNS)), chosen=_first(choices), corpora=studio.corpora()
    )


async def tokens_part(request: Request) -> Response:
    """Show a column: how its tokenizer cuts the text, and how it puts the word together."""
    studio, form = studio_of(request), await read_form(request)
    column = number_of(form, "column", 0, 0, COLUMNS - 1)
    tokenizer = await open_tokenizer(request, studio, choice_of(form, f"-{column}"))
    text = text_of(form, "text")
    return await anyio.to_thread.run_sync(_column, studio, tokenizer, form, text)


def choice_of(form: Form, suffix: str = "") -> TokenizerChoice:
    """Return the tokenizer that a form names in its fields `tokenizer`, `option.…` and `data` with a suffix."""
    options = given_options(form, f"option{suffix}")
    return TokenizerChoice.of(form.get(f"tokenizer{suffix}", ""), options, form.get(f"data{suffix}", ""))


def tokenizer_groups(studio: Studio) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return what a select of tokenizers offers: the title of each group, and value and name of what is in it."""
    names = [offer.name for offer in studio.catalogue.offers("tokenizer")]
    sorts = {name: sort_of(studio, name) for name in names}
    titles = {PUBLISHED: "Published", TRAINED: "Trained on a text", ASKING: "From a file"}
    groups = [
        *((title, [(f"{NAMED}:{name}", name) for name in names if sorts[name] == sort]) for sort, title in titles.items()),
        ("A run's own", [(f"{RUN}:{name}", name) for name in studio.run_names()[:200]]),
    ]
    return [(title, found) for title, found in groups if found]


def _first(groups: list[tuple[str, list[tuple[str, str]]]]) -> list[str]:
    """Return what the columns begin with: GPT-2's vocabulary, and a run's own or else bytes."""
    values = [value for _, found in groups for value, _ in found]
    own = [value for value in values if value.startswith(f"{RUN}:")]
    wanted = [f"{NAMED}:gpt2", *own[:1], f"{NAMED}:bpe", f"{NAMED}:byte"]
    known = [value for value in wanted if value in values] or values
    return [*known[:2], *[""] * COLUMNS][:COLUMNS]


def _column(studio: Studio, tokenizer: Tokenizer, form: Form, text: str) -> Response:
    cut = cut_text(tokenizer, text, special=form.get("special") == "on")
    word = form.get("word", "").strip("\n") or longest_word(text)
    key = ("ranks", id(tokenizer))
    ranks = studio.tokenizers.get(key, lambda: (tokenizer, ranks_of(tokenizer)))[1]  # kept with it, so the id stays its own
    ways = ways_of(tokenizer, word) if word else []
    steps = steps_of(tokenizer, word, ranks) if word and not ways else None
    shown = [([shown_parts(piece) for piece in step.pieces], step.merged, step.id, len(step.pieces)) for step in steps or ()]
    own = [shown_parts(tokenizer.token_bytes(int(token))) for token in tokenizer.encode(word)] if word else []
    return fragment("tokens_column.html", cut=cut, word=word, steps=shown, own=own, ways=ways)
