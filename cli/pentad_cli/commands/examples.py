"""`engine examples`: the training examples that a builder makes of a text."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from pentad.config.options import parse
from pentad.system.errors import UsageError
from pentad_cli.arguments.command import json_option, read_text
from pentad_cli.arguments.stage_command import Request, StageCommand
from pentad_cli.commands.drawing import Names, facts, lines
from pentad_cli.terminal.output import paint, say, say_json
from pentad_cli.terminal.text import plural

if TYPE_CHECKING:
    from pentad.contracts.batch import Batch, Tokens
    from pentad.contracts.builder import ExampleBuilder
    from pentad.contracts.tokenizer import Tokenizer
    from pentad.data.pieces import Piece

MOST_CHARACTERS = 1 << 20
"""Of --data, which may be long, the examples of its start are shown."""


def _examples(text: str | None, limit: int, as_json: bool) -> None:
    request: Request = click.get_current_context().obj
    pieces = _pieces(request, text, limit)
    from pentad_cli.arguments.tokenizing import tokenizer_for

    tokenizer = tokenizer_for(request)
    builder, tokens = _tokens(request, tokenizer, pieces)
    batch, total = _build(request.offers["builder"].name, builder, tokens, limit)
    names = Names(tokenizer, builder)
    if as_json:
        say_json({"count": total, "examples": [facts(batch, row, names) for row in range(len(batch.inputs))]})
        return
    for row in range(len(batch.inputs)):
        for line in lines(batch, row, names, limit):
            say(line)
    if total > len(batch.inputs):
        say(paint(f"… and {plural(total - len(batch.inputs), 'more example')}: --limit {total} shows all", "dim"))


def _pieces(request: Request, text: str | None, limit: int) -> list[Piece]:
    """Return the text of the argument or of stdin; where there is neither, the first documents of --data."""
    from pentad.data.pieces import cut

    sources = request.tables.get("data", {}).get("sources")
    if text is not None or not sources:
        return list(cut([read_text(text, "engine examples")]))
    piped = "" if sys.stdin.isatty() else read_text("-", "engine examples")
    return list(cut([piped])) if piped else _first_documents(request, limit)


def _first_documents(request: Request, limit: int) -> list[Piece]:
    from pentad.config.tables import DataOptions
    from pentad.data.corpus import open_corpus

    data = parse(DataOptions, request.tables["data"], "data")
    pieces: list[Piece] = []
    characters = documents = 0
    for piece in open_corpus(data.sources, request.catalogue, data).pieces():
        pieces.append(piece)
        characters += len(piece.text)
        documents += piece.ends_document
        if documents >= limit or characters >= MOST_CHARACTERS:
            pieces[-1] = piece._replace(ends_document=True)
            break
    return pieces


def _tokens(request: Request, tokenizer: Tokenizer, pieces: list[Piece]) -> tuple[ExampleBuilder, Tokens]:
    """Return the builder and the text as it renders it; without --context-length an example may hold a whole document."""
    import numpy as np

    from pentad.data.rendering import Rendering, encode_all

    offer = request.offers["builder"]
    options = parse(offer.options, request.options("builder"), "builder")

    def make(context_length: int) -> ExampleBuilder:
        builder: ExampleBuilder = offer.make(
            options,
            context_length=context_length,
            vocab_size=tokenizer.vocab_size,
            end_of_text=tokenizer.end_of_text,
            tokenizer=tokenizer,
            catalogue=request.catalogue,
        )
        return builder

    given = request.tables.get("training", {}).get("context_length")
    # How long the documents are shows once the builder has rendered them.
    builder = make(given or max(1, sum(len(piece.text) for piece in pieces)))
    tokens = encode_all(pieces, tokenizer, Rendering.of(builder), seed=0)
    longest = int(np.diff(tokens.starts).max(initial=1))
    return (builder if given else make(builder.positions(longest))), tokens


def _build(name: str, builder: ExampleBuilder, tokens: Tokens, limit: int) -> tuple[Batch, int]:
    import numpy as np

    total = builder.count(tokens)
    if not total:
        raise UsageError(
            f"The text must give the builder {name} at least one example; it has {plural(len(tokens), 'token')}.",
            "Give a longer text, or lower --context-length.",
            code="text-too-short",
        )
    return builder.build(tokens, np.arange(min(total, limit), dtype=np.int64), None), total


examples = StageCommand(
    "examples",
    callback=_examples,
    stages=("tokenizer", "builder"),
    tables=("data", "training.context_length"),
    short_help="Show the training examples of a text.",
    help="""Show the examples that a builder makes of a text, in the order of the text.

    An example with one target is shown as textbooks draw it, [1212, 318, 502] -> 3047; one with many as what is read and
    what is learned, in all and at each position. Where the model is bidirectional, all that it sees is shown: where it reads
    a mask in [brackets], the text behind the mask stands in [brackets] below. Without --context-length an example may hold a
    whole document. Without TEXT, the first documents of --data are shown as the builder renders them.

    \b
      engine examples --builder prefix --tokenizer gpt2 "This is me training"
      engine examples --builder next-token "This is me training"
      engine examples --builder masked "To be, or not to be, that is it"
    """,
    params=[
        click.Argument(["text"], required=False, metavar="[TEXT|-]"),
        click.Option(
            ["--limit"],
            type=click.IntRange(min=1),
            default=20,
            show_default=True,
            metavar="N",
            help="Maximum number of examples, and of positions of each, to show.",
        ),
        json_option(),
    ],
)
