"""Tokenizers beside each other, without any model."""

from __future__ import annotations

from pentad_cli.tools import count, size
from pentad_compare.records import Comparison, TokenizerFigures
from pentad_compare.report.charts.bars import draw_bars
from pentad_compare.report.charts.canvas import Figure, figure
from pentad_compare.report.charts.panels import Lengths, draw_lengths
from pentad_compare.report.look import Look
from pentad_compare.report.numbers import percent
from pentad_compare.report.sections.parts import Block, Cell, Section, Table, all_looks

_MOST_LENGTHS = 16


def tokenizers(comparison: Comparison) -> Section | None:
    """Return the section, or None where no tokenizers were compared alone."""
    if not comparison.tokenizers:
        return None
    known = all_looks(comparison)
    done = [each for each in comparison.tokenizers if not each.failure]
    tables = [_table(comparison, known)]
    longest = [(known[each.label], each.longest) for each in done if each.longest]
    block = Block(figures=[*_compression(done, known), *_lengths(done, known)], tables=tables)
    return Section("tokenizers", "Tokenizers", _WORDS, [block], "tokens.html", {"longest": longest})


_WORDS = (
    "More bytes per token is not better by itself: a larger vocabulary makes a larger and slower model. "
    "Only bits per byte after training tells which tokenizer serves a model best."
)


def _compression(done: list[TokenizerFigures], known: dict[str, Look]) -> list[Figure]:
    values = sorted(((known[each.label], each.bytes_per_token) for each in done), key=lambda pair: -pair[1])
    if not values:
        return []
    title = f"{values[0][0].label} packs the most text into a token"
    return [
        figure(
            "compression", title, "Bytes of held-out text per token.", lambda width: draw_bars(width, values, "bytes per token")
        )
    ]


def _lengths(done: list[TokenizerFigures], known: dict[str, Look]) -> list[Figure]:
    found = [_shares(each, known[each.label]) for each in done if sum(each.lengths.values())]
    if not found:
        return []
    words = "Share of the tokens in held-out text by their length in bytes, in one scale; a bar with a gap is cut."
    return [figure("lengths", "How long the tokens are", words, lambda width: draw_lengths(width, found))]


def _shares(found: TokenizerFigures, look: Look) -> Lengths:
    shares = [0.0] * _MOST_LENGTHS
    total = sum(found.lengths.values())
    for length, tokens in found.lengths.items():
        shares[min(max(int(length), 1), _MOST_LENGTHS) - 1] += tokens / total
    return Lengths(look, shares, found.bytes_per_token)


def _table(comparison: Comparison, known: dict[str, Look]) -> Table:
    columns = ["Tokenizer", "Bytes per token", "Tokens per word", "Vocabulary", "Evenness", "Encoding", "Round trips"]
    return Table("Tokenizers on held-out text", columns, [_row(each, known[each.label]) for each in comparison.tokenizers])


def _row(found: TokenizerFigures, look: Look) -> list[Cell]:
    if found.failure:
        return [Cell(found.label, look=look), Cell("failed", found.failure, "bad long"), *[Cell("–")] * 5]
    lost = found.round_trip_failures
    return [
        Cell(found.label, look=look),
        Cell(f"{found.bytes_per_token:.3f}", f"{count(found.n_tokens)} tokens"),
        Cell(f"{found.tokens_per_word:.2f}"),
        Cell(count(found.vocab_size), f"{percent(found.used)} used"),
        Cell(f"{found.renyi_efficiency:.2f}", "Rényi efficiency"),
        Cell(f"{size(found.encode_bytes_per_second)}/s", "on one thread"),
        Cell(f"{count(lost)} lost" if lost else "exact", css="bad" if lost else ""),
    ]
