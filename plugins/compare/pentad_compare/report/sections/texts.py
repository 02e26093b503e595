"""Generated texts: figures of them beside those of human text, and the texts themselves side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pentad_cli.tools import size
from pentad_compare.records import Comparison, SamplerFigures, Text, TextFigures
from pentad_compare.report.charts.canvas import Figure, figure
from pentad_compare.report.charts.panels import Panel, draw_panels
from pentad_compare.report.look import Look
from pentad_compare.report.numbers import percent
from pentad_compare.report.sections.parts import Block, Cell, Section, Table, all_looks

HUMAN = "human text"

_FIGURES: tuple[tuple[str, Callable[[TextFigures], float | None], bool], ...] = (
    ("Repetition", lambda found: found.repetition, True),
    ("Different pairs of words (distinct-2)", lambda found: found.distinct_2, True),
    ("Bits per byte under the model", lambda found: found.bits_per_byte, False),
    ("Verbatim from the training text", lambda found: found.verbatim, True),
)


@dataclass(frozen=True)
class Writer:
    """Who wrote texts: an arm with a sampler, or humans."""

    label: str
    look: Look | None
    texts: Sequence[str]


def _writers(comparison: Comparison) -> list[tuple[Look, SamplerFigures]]:
    """Return every arm with every sampler; the sampler is the name where there is one arm, the arm where one sampler."""
    found = [(arm.label, each) for arm in comparison.arms for each in arm.samplers]
    arms, samplers = {label for label, _ in found}, {each.sampler for _, each in found}
    if len(samplers) < 2:
        known = all_looks(comparison)
        return [(known[label], each) for label, each in found]
    names = [each.sampler if len(arms) < 2 else f"{label}, {each.sampler}" for label, each in found]
    return [(Look(name, index), each) for index, (name, (_, each)) in enumerate(zip(names, found, strict=True))]


def figures(comparison: Comparison) -> Section | None:
    """Return the section of figures, or None where no texts were measured."""
    writers = [(look, each) for look, each in _writers(comparison) if each.figures.n_texts]
    if not writers:
        return None
    passages = [(look, each.figures.longest_text) for look, each in writers if each.figures.longest_text]
    extra = {"passages": passages}
    block = Block(figures=[_panels(comparison, writers)], tables=[_table(comparison, writers)])
    words = "What tells generated text from human text. Nearer to the human figure is better, not lower or higher."
    return Section("samplers", "Generated text in figures", words if comparison.human else "", [block], "passages.html", extra)


def _panels(comparison: Comparison, writers: list[tuple[Look, SamplerFigures]]) -> Figure:
    made = []
    for title, read, share in _FIGURES:
        values = [read(each.figures) for _, each in writers]
        seeds = [[value for found in each.by_seed.values() if (value := read(found)) is not None] for _, each in writers]
        human = read(comparison.human) if comparison.human else None
        if any(value is not None for value in values):
            made.append(Panel(title, values, seeds, human, share))
    words = "Marks: all texts; dots: single seeds." + (" Dashed line: held-out human text." if comparison.human else "")
    known = [look for look, _ in writers]
    title = "How generated text differs from human text" if comparison.human else "Generated text"
    return figure("texts", title, words, lambda width: draw_panels(width, known, made))


def _table(comparison: Comparison, writers: list[tuple[Look, SamplerFigures]]) -> Table:
    columns = ["Text", "Repetition", "Distinct 1-, 2-, 3-grams", "Bits per byte", "Verbatim", "Longest verbatim", "Texts"]
    rows = [[Cell(HUMAN), *_cells(comparison.human)]] if comparison.human else []
    rows += [[Cell(look.label, look=look), *_cells(each.figures)] for look, each in writers]
    return Table("Figures of generated text", columns, rows)


def _cells(found: TextFigures) -> list[Cell]:
    return [
        Cell(percent(found.repetition)),
        Cell(" / ".join(percent(each) for each in (found.distinct_1, found.distinct_2, found.distinct_3))),
        Cell("–" if found.bits_per_byte is None else f"{found.bits_per_byte:.3f}"),
        Cell(percent(found.verbatim), f"passages from {found.verbatim_bytes} bytes" if found.verbatim is not None else ""),
        Cell("–" if found.longest_verbatim is None else size(found.longest_verbatim)),
        Cell(str(found.n_texts)),
    ]


def texts(comparison: Comparison) -> Section | None:
    """Return the section of texts, or None where there are none."""
    writers = _writers(comparison)
    prompts = list(dict.fromkeys(text.prompt for _, each in writers for text in each.texts))
    if not prompts:
        return None
    found = [(prompt, _beside(comparison, writers, prompt)) for prompt in prompts]
    words = "The same prompts for all; each text goes on from its prompt."
    return Section("texts", "Samples side by side", words, template="texts.html", extra={"prompts": found})


def _beside(comparison: Comparison, writers: list[tuple[Look, SamplerFigures]], prompt: str) -> list[Writer]:
    """Return who wrote what after a prompt, humans first."""
    human = Writer(HUMAN, None, _after(comparison.human_texts, prompt))
    made = [human, *(Writer(look.label, look, _after(each.texts, prompt)) for look, each in writers)]
    return [each for each in made if each.texts]


def _after(found: Sequence[Text], prompt: str) -> list[str]:
    return [text.text for text in found if text.prompt == prompt]
