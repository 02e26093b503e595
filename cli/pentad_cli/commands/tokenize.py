"""`engine tokenize`: see how a tokenizer cuts a text."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pentad.system.errors import UsageError
from pentad_cli.arguments.command import Folder, json_option, read_text
from pentad_cli.arguments.stage_command import Request, StageCommand
from pentad_cli.terminal.output import has_colour, paint, say, say_json
from pentad_cli.terminal.text import count, plural, visible_bytes

if TYPE_CHECKING:
    from pentad.contracts.tokenizer import Tokenizer

_BACKGROUNDS = ("48;5;24", "48;5;54")
"""Two dark backgrounds of the 256-colour palette on which white text reads well."""


def _tokenize(text: str | None, run: Path | None, special: bool, as_json: bool) -> None:
    context = click.get_current_context()
    request: Request = context.obj
    if run and "tokenizer" in request.named:
        raise UsageError(
            "The tokenizer is that of --run or of --tokenizer, found both.", "Use one of them.", code="options-conflict"
        )
    text = read_text(text, "engine tokenize")
    from pentad_cli.arguments.tokenizing import tokenizer_for, tokenizer_of_run

    tokenizer = tokenizer_of_run(run, request.catalogue) if run else tokenizer_for(request)
    ids = [int(token) for token in (tokenizer.encode_with_special(text) if special else tokenizer.encode(text))]
    name = f"that of {run}" if run else request.offers["tokenizer"].name
    if as_json:
        say_json(_facts(tokenizer, name, text, ids))
        return
    if ids:
        say(" ".join(map(str, ids)))
        say(_coloured(tokenizer, ids) if has_colour(sys.stdout) else "|".join(_piece(tokenizer, token) for token in ids))
    say(paint(_summary(tokenizer, text, ids), "dim"))


def _piece(tokenizer: Tokenizer, token: int) -> str:
    """Return a token as one word on one line; a special one by its spelling."""
    spellings = {number: word for word, number in tokenizer.special_tokens.items()}
    return spellings.get(token) or visible_bytes(tokenizer.token_bytes(token))


def _coloured(tokenizer: Tokenizer, ids: list[int]) -> str:
    pieces = []
    for number, token in enumerate(ids):
        background = _BACKGROUNDS[number % 2]
        # A newline is spelled and also obeyed: the spelling shows the token, the break keeps the text's shape.
        shown = _piece(tokenizer, token)
        newlines = tokenizer.token_bytes(token).count(b"\n")
        pieces.append(f"\x1b[97;{background}m{shown}\x1b[0m" + ("\n" if newlines else ""))
    return "".join(pieces).removesuffix("\n")


def _summary(tokenizer: Tokenizer, text: str, ids: list[int]) -> str:
    n_bytes = len(text.encode("utf-8", errors="replace"))
    rate = f", {n_bytes / len(ids):.2f} bytes per token" if ids else ""
    used = f"{count(len(set(ids)))} of {count(tokenizer.vocab_size)} ids used"
    return f"{plural(len(ids), 'token')} for {plural(n_bytes, 'byte')}{rate}; {used}"


def _facts(tokenizer: Tokenizer, name: str, text: str, ids: list[int]) -> dict[str, object]:
    n_bytes = len(text.encode("utf-8", errors="replace"))
    return {
        "tokenizer": name,
        "vocab_size": tokenizer.vocab_size,
        "ids": ids,
        "pieces": [_piece(tokenizer, token) for token in ids],
        "n_tokens": len(ids),
        "n_bytes": n_bytes,
        "bytes_per_token": n_bytes / len(ids) if ids else None,
    }


tokenize = StageCommand(
    "tokenize",
    callback=_tokenize,
    stages=("tokenizer",),
    tables=("data",),
    short_help="Show how a tokenizer cuts a text.",
    help="""Show how a tokenizer cuts a text into tokens: the ids, then the pieces.

    A tokenizer that is trained is trained on the training part of --data, as a run does, and kept for the next time.

    \b
      engine tokenize --tokenizer gpt2 "This is me"
      engine tokenize --tokenizer bpe --data my.txt "This is me"
      cat my.txt | engine tokenize --run runs/NAME --json""",
    params=[
        click.Argument(["text"], required=False, metavar="[TEXT|-]"),
        click.Option(["--run"], type=Folder(), metavar="RUN", help="Take the tokenizer of this run."),
        click.Option(["--special"], is_flag=True, help="Let spellings of special tokens in the text mean them."),
        json_option(),
    ],
)
