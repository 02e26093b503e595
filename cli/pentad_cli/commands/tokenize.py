"""`engine tokenize`: see how a tokenizer cuts a text, or how several do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from pentad.system.errors import UsageError
from pentad_cli.arguments.command import Folder, json_option, read_text
from pentad_cli.arguments.layers import lay_over
from pentad_cli.arguments.scanning import look
from pentad_cli.arguments.stage_command import Request, StageCommand
from pentad_cli.terminal.output import say_json
from pentad_cli.terminal.tokens import Cut, show_one, show_side_by_side

_FLAG = "--tokenizer"
_SEVERAL = "pentad_cli.tokenize.several"
"""Where a call's context keeps what each of several tokenizers asks for."""


class TokenizeCommand(StageCommand):
    """Knows lists: `--tokenizer bpe,byte`. An option is for each that has it."""

    def look(self, ctx: click.Context, args: Sequence[str]) -> Request:
        """Find out which tokenizers are meant; the first brings the flags of the others along."""
        listed = look(args, self.flags_with_value()).get(_FLAG, [""])[-1]
        names = [name.strip() for name in listed.split(",") if name.strip()]
        if "," not in listed or not names:
            return super().look(ctx, args)
        requests = [super(TokenizeCommand, self).look(ctx, _with_name(args, name)) for name in dict.fromkeys(names)]
        ctx.meta[_SEVERAL] = requests
        every = {param.name: param for request in reversed(requests) for param in request.params}
        return replace(requests[0], params=list(every.values()), named=())  # whose options --help would call the first's

    def invoke(self, ctx: click.Context) -> Any:
        """Give each tokenizer the options that it has, then call the command."""
        several: Sequence[Request] = ctx.meta.get(_SEVERAL, ())
        for request in several:
            for param in request.params:
                value = ctx.params[param.name or ""]
                if value not in (None, ()):
                    flags = {param.table: {param.spec.name: param.checked(value)}}
                    request.tables = lay_over(request.tables, flags, request.catalogue)
        if several:
            for param in ctx.obj.params:
                ctx.params.pop(param.name)
            ctx.obj.params = []
        return super().invoke(ctx)


def _with_name(args: Sequence[str], name: str) -> list[str]:
    """Return the arguments with one tokenizer in place of the list."""
    changed: list[str] = []
    for place, word in enumerate(args):
        if word == "--":
            return [*changed, *args[place:]]
        if changed and args[place - 1] == _FLAG:
            changed.append(name)
        else:
            changed.append(f"{_FLAG}={name}" if word.startswith(f"{_FLAG}=") else word)
    return changed


def _tokenize(text: str | None, run: Path | None, special: bool, ids: bool, as_json: bool) -> None:
    context = click.get_current_context()
    request: Request = context.obj
    if run and ("tokenizer" in request.named or _SEVERAL in context.meta):
        raise UsageError(
            "The tokenizer is that of --run or of --tokenizer, found both.", "Use one of them.", code="options-conflict"
        )
    text = read_text(text, "engine tokenize")
    from pentad_cli.arguments.tokenizing import tokenizer_for, tokenizer_of_run

    if several := context.meta.get(_SEVERAL):
        cuts = [_cut(one.offers["tokenizer"].name, tokenizer_for(one), text, special) for one in several]
        if as_json:
            say_json([cut.facts() for cut in cuts])
        else:
            show_side_by_side(cuts, ids)
        return
    tokenizer = tokenizer_of_run(run, request.catalogue) if run else tokenizer_for(request)
    cut = _cut(f"that of {run}" if run else request.offers["tokenizer"].name, tokenizer, text, special)
    if as_json:
        say_json(cut.facts())
    else:
        show_one(cut)


def _cut(name: str, tokenizer: Any, text: str, special: bool) -> Cut:
    ids = tokenizer.encode_with_special(text) if special else tokenizer.encode(text)
    return Cut(name=name, tokenizer=tokenizer, text=text, ids=[int(token) for token in ids])


tokenize = TokenizeCommand(
    "tokenize",
    callback=_tokenize,
    stages=("tokenizer",),
    tables=("data",),
    short_help="Show how tokenizers cut a text.",
    help="""Show how a tokenizer cuts a text into tokens: the ids, then the pieces. Several stand side by side.

    A tokenizer that is trained is trained on the training part of --data, as a run does, and kept for the next time.

    \b
      engine tokenize --tokenizer gpt2 "This is me"
      engine tokenize --tokenizer bpe --data my.txt "This is me"
      engine tokenize --tokenizer bpe,char,byte --ids "This is me"
      cat my.txt | engine tokenize --run runs/NAME --json""",
    params=[
        click.Argument(["text"], required=False, metavar="[TEXT|-]"),
        click.Option(["--run"], type=Folder(), metavar="RUN", help="Take the tokenizer of this run."),
        click.Option(["--special"], is_flag=True, help="Let spellings of special tokens in the text mean them."),
        click.Option(["--ids"], is_flag=True, help="Of several tokenizers, show the ids too, as of one."),
        json_option(),
    ],
)
