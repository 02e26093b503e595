"""`engine examples`: see what is learned from a text."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from pentad.config.options import parse
from pentad.system.errors import UsageError
from pentad_cli.command import json_option, read_text
from pentad_cli.output import cells, is_terminal, paint, say, say_json, terminal_width
from pentad_cli.stage_command import Request, StageCommand
from pentad_cli.text import plural, visible_bytes

if TYPE_CHECKING:
    from pentad.contracts.batch import Batch
    from pentad.contracts.tokenizer import Tokenizer


def _examples(text: str | None, limit: int, as_json: bool) -> None:
    request: Request = click.get_current_context().obj
    text = read_text(text, "engine examples")
    from pentad_cli.tokenizing import tokenizer_for

    tokenizer = tokenizer_for(request)
    batch, total = _build(request, tokenizer, text, limit)
    names = _Names(tokenizer)
    if as_json:
        say_json({"count": total, "examples": [_facts(batch, row, names) for row in range(len(batch.inputs))]})
        return
    for row in range(len(batch.inputs)):
        for line in _lines(batch, row, names, limit):
            say(line)
    if total > len(batch.inputs):
        say(paint(f"… and {plural(total - len(batch.inputs), 'more example')}: --limit {total} shows all", "dim"))


def _build(request: Request, tokenizer: Tokenizer, text: str, limit: int) -> tuple[Batch, int]:
    import numpy as np

    end = np.array([tokenizer.end_of_text], dtype=np.uint32)
    tokens = np.concatenate([end, tokenizer.encode(text), end]) if text else end
    offer = request.offers["builder"]
    builder = offer.make(
        parse(offer.options, request.options("builder"), "builder"),
        context_length=request.tables.get("training", {}).get("context_length") or max(1, len(tokens) - 1),
        vocab_size=tokenizer.vocab_size,
        end_of_text=tokenizer.end_of_text,
    )
    total = builder.count(tokens)
    if not total:
        raise UsageError(
            f"The text must give the builder {offer.name} at least one example; it has {plural(len(tokens), 'token')}.",
            "Give a longer text, or lower --context-length.",
            code="text-too-short",
        )
    return builder.build(tokens, np.arange(min(total, limit), dtype=np.int64), None), total


class _Names:
    """Tokens as people read them."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._special = {number: word for word, number in tokenizer.special_tokens.items()}

    def of(self, token: int) -> str:
        """Return a token's spelling; a builder's own token (a mask) has none but its number."""
        if token >= self._tokenizer.vocab_size:
            return f"<{token}>"
        return self._special.get(token) or visible_bytes(self._tokenizer.token_bytes(token))

    def join(self, tokens: list[int]) -> str:
        """Return the text of tokens; characters that are cut in two between them are whole again."""
        pieces, plain = [], b""
        for token in tokens:
            if token in self._special or token >= self._tokenizer.vocab_size:
                pieces += [visible_bytes(plain), self.of(token)]
                plain = b""
            else:
                plain += self._tokenizer.token_bytes(token)
        return "".join([*pieces, visible_bytes(plain)])

    @property
    def end_of_text(self) -> int:
        """The id that separates documents."""
        return self._tokenizer.end_of_text


def _row(batch: Batch, row: int) -> Batch:
    from pentad.contracts.batch import Batch as Rows

    part = slice(row, row + 1)
    segments = None if batch.segments is None else batch.segments[part]
    return Rows(inputs=batch.inputs[part], targets=batch.targets[part], segments=segments)


def _lines(batch: Batch, row: int, names: _Names, limit: int) -> Iterator[str]:
    from pentad.contracts.batch import IGNORED, pairs

    learned = int((batch.targets[row] != IGNORED).sum())
    if learned == 1:
        context, target = next(pairs(_row(batch, row), names.end_of_text))
        yield _arrow(context, target, names)
        return
    positions = list(zip(batch.inputs[row].tolist(), batch.targets[row].tolist(), strict=True))
    if row:
        yield ""
    yield paint(f"example {row + 1}: reads {plural(len(positions), 'token')}, learns {plural(learned, 'target')}", "dim")
    shown = positions[:limit]
    width = max(len(str(token)) for pair in shown for token in pair)
    room = max(cells(names.of(token)) for token, _ in shown)
    for token, target in shown:
        piece = names.of(token)
        left = f"{token:>{width}} {piece}{' ' * (room - cells(piece))}"
        yield (
            f"{left}  ->  {target:>{width}} {paint(names.of(target), 'green')}" if target != IGNORED else f"{left}   ·".rstrip()
        )
    if len(positions) > len(shown):
        yield paint(f"… and {plural(len(positions) - len(shown), 'more position')}: --limit {len(positions)} shows all", "dim")


def _arrow(context: list[int], target: int, names: _Names) -> str:
    """Return `[1212, 318, 502, 3047] -> 257   This is me training ->  a`; in a terminal, shortened to one line."""
    ids, text = [str(token) for token in context], names.join(context)
    if is_terminal(sys.stdout):
        room = max(24, terminal_width() - 34)
        while cells(f"[{', '.join(ids)}] -> {target}") > room and len(ids) > 2:
            ids = ["…", *ids[2:]]
        while cells(text) > 28 - cells(names.of(target)) and len(text) > 8:
            text = "…" + text[2:]
        left = f"[{', '.join(ids)}] -> {target}"
        return f"{left}{' ' * (room + 4 - cells(left))}{text}{paint(names.of(target), 'bold green')}"
    return f"[{', '.join(ids)}] -> {target}    {text} ->{names.of(target)}"


def _facts(batch: Batch, row: int, names: _Names) -> dict[str, Any]:
    from pentad.contracts.batch import IGNORED, pairs

    inputs, targets = batch.inputs[row].tolist(), batch.targets[row].tolist()
    facts = {
        "inputs": inputs,
        "targets": [None if target == IGNORED else target for target in targets],
        "segments": None if batch.segments is None else batch.segments[row].tolist(),
    }
    if sum(target != IGNORED for target in targets) == 1:
        context, target = next(pairs(_row(batch, row), names.end_of_text))
        facts |= {"context": context, "target": target, "text": names.join(context), "next": names.of(target)}
    return facts


examples = StageCommand(
    "examples",
    callback=_examples,
    stages=("tokenizer", "builder"),
    tables=("data", "training.context_length"),
    short_help="Show what is learned from a text.",
    help="""Show the examples that a builder makes of a text, in the order of the text.

    An example with one target is shown as textbooks draw it, [1212, 318, 502] -> 3047; one with many as what is read and
    what is learned at each position. Without --context-length an example may hold the whole text.

    \b
      engine examples --builder prefix --tokenizer gpt2 "This is me training"
      engine examples --builder next-token "This is me training" """,
    params=[
        click.Argument(["text"], required=False, metavar="[TEXT|-]"),
        click.Option(
            ["--limit"],
            type=click.IntRange(min=1),
            default=20,
            show_default=True,
            metavar="N",
            help="Most examples, and most positions of each, to show.",
        ),
        json_option(),
    ],
)
