"""Examples as textbooks draw them: what is read, what is learned from it, and where a token is hidden what stands behind it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pentad_cli.terminal.output import cells, fold, is_terminal, paint, terminal_width
from pentad_cli.terminal.text import plural, visible_bytes

if TYPE_CHECKING:
    from pentad.contracts.batch import Batch
    from pentad.contracts.builder import ExampleBuilder
    from pentad.contracts.tokenizer import Tokenizer


class Names:
    """Tokens as people read them."""

    def __init__(self, tokenizer: Tokenizer, builder: ExampleBuilder) -> None:
        from pentad.contracts.vocabulary import Vocabulary

        self.bidirectional = builder.attention == "bidirectional"
        self._tokenizer = tokenizer
        self._vocabulary = Vocabulary.of(tokenizer, builder.special_tokens)
        self._special = {number: word for word, number in tokenizer.special_tokens.items()}

    def of(self, token: int) -> str:
        """Return a token's spelling."""
        if token >= self._vocabulary.size:  # a builder's fault, which is shown rather than hidden
            return f"<{token}>"
        return self._vocabulary.spelling(token) or self._special.get(token) or visible_bytes(self._tokenizer.token_bytes(token))

    def hiding(self, token: int, target: int) -> str:
        """Say how a target is hidden from a bidirectional model, by the token that it reads there."""
        if token == target:
            return "shown as it is"
        return "hidden" if token >= self._tokenizer.vocab_size else "replaced"

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


def lines(batch: Batch, row: int, names: Names, limit: int) -> Iterator[str]:
    """Yield the lines of an example: one where it has one target, else a picture and what is learned at each position."""
    from pentad.contracts.batch import IGNORED, pairs

    learned = int((batch.targets[row] != IGNORED).sum())
    if learned == 1:
        if names.bidirectional:
            yield _masked_arrow(*_surroundings(batch, row, names), names)
        else:
            yield _arrow(*next(pairs(_row(batch, row), names.end_of_text)), names)
        return
    if row:
        yield ""
    length = _length(batch, row, names)
    where = " where they stand" if names.bidirectional else ""
    padding = batch.inputs.shape[1] - length
    filled = f", {plural(padding, 'position')} of padding" if padding else ""
    yield paint(f"example {row + 1}: reads {plural(length, 'token')}, learns {plural(learned, 'target')}{where}{filled}", "dim")
    reads, learns = pictures(batch, row, names)
    other = _beside(batch)
    titles = [("reads", reads), ("learns", learns), *([("against", pictures(other, row, names)[1])] if other else [])]
    for title, text in titles:
        folded = fold(text, terminal_width() - 9) if is_terminal(sys.stdout) else [text]
        yield f"{title:<7}  {folded[0]}"
        yield from (f"{'':<7}  {line}" for line in folded[1:])
    yield from _table(batch, row, names, length, limit)


def _table(batch: Batch, row: int, names: Names, length: int, limit: int) -> Iterator[str]:
    """Yield a line for each position: what is read there, and what is learned."""
    from pentad.contracts.batch import IGNORED

    inputs, targets = batch.inputs[row, :length].tolist(), batch.targets[row, :length].tolist()
    ahead = _ahead(batch, row)
    segments = [0] * length if batch.segments is None else batch.segments[row, :length].tolist()
    shown = min(limit, length)
    width = max(len(str(token)) for token in (*inputs[:shown], *targets[:shown]) if token != IGNORED)
    room = max(cells(names.of(token)) for token in inputs[:shown])
    wide = max((cells(names.of(token)) for token in targets[:shown] if token != IGNORED), default=0)
    for place in range(shown):
        token, target, piece = inputs[place], targets[place], names.of(inputs[place])
        if place and segments[place] != segments[place - 1]:
            yield paint("another document, which sees nothing of those above:", "dim")
        left = f"{token:>{width}} {piece}{' ' * (room - cells(piece))}"
        if target == IGNORED:
            yield f"{left}   ·".rstrip()
            continue
        learned = names.of(target)
        how = f"{' ' * (wide - cells(learned))}   {paint(names.hiding(token, target), 'dim')}" if names.bidirectional else ""
        then = "".join(f" {names.of(token)}" for token in ahead[place]) if ahead else ""
        further = f"{' ' * (wide - cells(learned))}  {paint(f'then{then}', 'dim')}" if then else ""
        yield f"{left}  ->  {target:>{width}} {paint(learned, 'green')}{how}{further}"
    if length > shown:
        yield paint(f"… and {plural(length - shown, 'more position')}: --limit {length} shows all", "dim")


def _ahead(batch: Batch, row: int) -> list[list[int]]:
    """Return the tokens beyond the next that each position of a row learns too; empty where the batch has none."""
    from pentad.contracts.batch import IGNORED

    further = batch.extra.get("ahead")
    return [] if further is None else [[token for token in tokens if token != IGNORED] for tokens in further[row].tolist()]


def _beside(batch: Batch) -> Batch | None:
    """Return the rows with which an objective compares a batch's own, as that of preferences does, or None."""
    from pentad.contracts.batch import Batch as Rows

    inputs, targets = batch.extra.get("inputs"), batch.extra.get("targets")
    return None if inputs is None or targets is None else Rows(inputs=inputs, targets=targets)


def _length(batch: Batch, row: int, names: Names) -> int:
    """Return the positions of a row without its padding: ends of text behind its documents, from which nothing is learned."""
    import numpy as np

    from pentad.contracts.batch import IGNORED

    whole = int(batch.inputs.shape[1])
    if batch.segments is None:
        filling = (batch.inputs[row] == names.end_of_text) & (batch.targets[row] == IGNORED)
        behind = 0 if names.bidirectional else int(np.argmin(filling[::-1]))  # a bidirectional model would see the padding
        return whole - behind
    first = int(np.searchsorted(batch.segments[row], batch.segments[row, -1]))
    empty = (batch.targets[row, first:] == IGNORED).all() and (batch.inputs[row, first:] == names.end_of_text).all()
    return first if empty and first else whole


def pictures(batch: Batch, row: int, names: Names) -> tuple[str, str]:
    """Return what a row reads and what it learns, as text.

    Where the model is bidirectional, the two are the text as it is shown and as it is, what is learned in [brackets]; else the
    row, and what follows at each of its positions, with … for what is not learned.
    """
    from pentad.contracts.batch import IGNORED

    length = _length(batch, row, names)
    inputs, targets = batch.inputs[row, :length].tolist(), batch.targets[row, :length].tolist()
    reads, learns = "", ""
    start = 0
    for place in range(1, length + 1):
        if place < length and (targets[place] == IGNORED) == (targets[start] == IGNORED):
            continue
        part, learned = inputs[start:place], targets[start:place]
        if targets[start] == IGNORED:
            reads, learns = reads + names.join(part), learns + (names.join(part) if names.bidirectional else "…")
        elif names.bidirectional:
            reads, learns = f"{reads}[{names.join(part)}]", f"{learns}[{names.join(learned)}]"
        else:
            reads, learns = reads + names.join(part), learns + names.join(learned)
        start = place
    return reads, learns


def _arrow(context: list[int], target: int, names: Names) -> str:
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


def _surroundings(batch: Batch, row: int, names: Names) -> tuple[list[int], int, int]:
    """Return all that a bidirectional model sees around a row's one target, the target's place in it, and the target.

    Left out are the end-of-text that opens the document, and what fills the row behind the one that ends it.
    """
    import numpy as np

    from pentad.contracts.batch import IGNORED

    column = int(np.flatnonzero(batch.targets[row] != IGNORED)[0])
    segments = np.zeros_like(batch.inputs[row]) if batch.segments is None else batch.segments[row]
    first, end = np.searchsorted(segments, segments[column]), np.searchsorted(segments, segments[column], side="right")
    inputs = batch.inputs[row].tolist()
    first += int(first < column and inputs[first] == names.end_of_text)
    while end - 2 > column and inputs[end - 2] == inputs[end - 1] == names.end_of_text:
        end -= 1
    return inputs[first:end], column - int(first), int(batch.targets[row, column])


def _masked_arrow(context: list[int], place: int, target: int, names: Names) -> str:
    """Return `[1212, 50257, 502] -> 318    This[<|mask|>] me -> is`; in a terminal, shortened around the brackets."""
    before, after, most = list(range(place)), list(range(place + 1, len(context))), terminal_width()
    while True:
        dots = ["…"] * (len(before) < place), ["…"] * (place + 1 + len(after) < len(context))
        left, right = [context[column] for column in before], [context[column] for column in after]
        ids = [*dots[0], *map(str, [*left, context[place], *right]), *dots[1]]
        shown = f"{''.join(dots[0])}{names.join(left)}[{names.of(context[place])}]{names.join(right)}{''.join(dots[1])}"
        line = f"[{', '.join(ids)}] -> {target}    {shown} ->{names.of(target)}"
        if not is_terminal(sys.stdout) or cells(line) <= most or not (before or after):
            return line
        if len(before) >= len(after):
            before = before[1:]
        else:
            after = after[:-1]


def facts(batch: Batch, row: int, names: Names) -> dict[str, Any]:
    """Return an example as values for --json."""
    from pentad.contracts.batch import IGNORED, pairs

    inputs, targets = batch.inputs[row].tolist(), batch.targets[row].tolist()
    found: dict[str, Any] = {
        "inputs": inputs,
        "targets": [None if target == IGNORED else target for target in targets],
        "segments": None if batch.segments is None else batch.segments[row].tolist(),
    }
    found["reads"], found["learns"] = pictures(batch, row, names)
    if ahead := _ahead(batch, row):
        found["ahead"] = ahead
    if sum(target != IGNORED for target in targets) == 1:
        if names.bidirectional:
            context, found["position"], target = _surroundings(batch, row, names)
        else:
            context, target = next(pairs(_row(batch, row), names.end_of_text))
        found |= {"context": context, "target": target, "text": names.join(context), "next": names.of(target)}
    return found
