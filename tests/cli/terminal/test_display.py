"""What a person sees, with made-up events: no training needed."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import pytest

from pentad.config.recipe import Recipe
from pentad.contracts.observer import Evaluation, Plan, Preparation, RunResult, Sample, Step
from pentad.registry.catalogue import Catalogue
from pentad_cli.arguments.layers import default_tables
from pentad_cli.terminal.display import PlainDisplay, result_lines, sample_lines, step_words
from pentad_cli.terminal.live import LiveDisplay
from pentad_cli.terminal.plan import plan_lines
from pentad_cli.training import display_for


class Terminal(io.StringIO):
    encoding = "utf-8"  # type: ignore[assignment]

    def isatty(self) -> bool:
        return True


def plan(**changes: object) -> Plan:
    facts: dict[str, object] = {
        "folder": Path("runs/a\x1bb"),
        "recipe": Recipe.from_dict(default_tables()),
        "parameters": {"embedding": 1_048_576, "matrix": 3_145_728, "head": 1_048_576, "vector": 0},
        "vocab_size": 4096,
        "train_tokens": 80_295,
        "train_bytes": 336_104,
        "held_out_bytes": 37_706,
        "documents": 49,
        "tokens_per_step": 4096,
        "steps": 1200,
        "epochs": 61.2,
        "flops_per_step": 1.03e11,
        "seconds_per_step": 0.125,
        "memory_bytes": 921_000_000,
        "device": "cpu",
        "precision": "fp32",
        "compiled": False,
        "threads": 2,
        "warnings": ["The text is read 61 times;\x1b expect the model to memorise it."],
        **changes,
    }
    return Plan(**facts)  # type: ignore[arg-type]


def step(number: int, of: int = 100, loss: float = 3.0) -> Step:
    return Step(
        step=number,
        progress=number / of,
        loss=loss,
        learning_rate=1.0,
        grad_norm=1.0,
        tokens=number * 4096,
        seconds=number * 0.1,
        tokens_per_second=40_960.0,
        remaining=(of - number) * 0.1,
    )


SCORE = Evaluation(
    step=50,
    evaluator="bits-per-byte",
    scores={"bits_per_byte": 2.345, "loss": 2.9},
    primary="bits_per_byte",
    n_bytes=1000,
    n_tokens=400,
    context_length=128,
    seconds=0.1,
)
SAMPLE = Sample(step=50, index=0, prompt="The ", text="cat\x1b[2J sat\n" + "on " * 60, tokens=[1, 2], tokens_per_second=90.0)
RESULT = RunResult(folder=Path("runs/it's"), step=100, seconds=151.0, tokens=409_600, evaluation=SCORE, samples=[SAMPLE])


@pytest.fixture(autouse=True)
def eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


def test_the_plan_says_everything_in_eighty_columns() -> None:
    text = "\n".join(plan_lines(plan(), io.StringIO()))
    assert all(len(line) <= 80 for line in text.split("\n"))
    for words in (
        "shakespeare: 336 kB in 49 documents, 37.7 kB held out",
        "bpe: 4,096 ids, 80,295 tokens, 4.19 bytes per token",
        "next-token: 8 × 128 tokens a step",
        "gpt: 5.24M parameters (embedding 1.05M, matrix 3.15M, head 1.05M)",
        "about 1,200 steps, 61 passes over the text, 2 min 30 s",
        "cpu, fp32, 2 threads, 921 MB of memory in all, 103 GFLOP a step",
        "runs/a\\x1bb",
        "! The text is read 61 times;\\x1b expect the model to memorise it.",
    ):
        assert words in text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"parameters": {}}, "gpt: no parameters"),
        ({"held_out_bytes": 0}, "nothing held out"),
        ({"epochs": 0.023}, "0.023 of a pass"),
        ({"epochs": 1.25}, "1.2 passes"),
        ({"resumed_step": 300}, "resumed at step 300 of about 1,200 steps"),
        ({"seconds_per_step": None}, "61 passes over the text\n"),
        ({"compiled": True}, "compiled"),
        ({"compiled": True, "compiling_seconds": 35.0}, "compiled in 35 s"),
        ({"compiled": True, "compiling_seconds": 35.0, "only_planned": True}, "compiled in about 35 s"),
        ({"train_tokens": 0}, "bytes per token"),
    ],
)
def test_plans_of_other_kinds(changes: dict[str, object], words: str) -> None:
    text = "\n".join(plan_lines(plan(**changes), io.StringIO()))
    assert words in f"{text}\n".replace("\n              ", " ")


def test_how_far_the_run_is() -> None:
    by_clock = plan()
    assert step_words(step(50), by_clock) == " 50%  step 50/~100"
    assert step_words(step(100), by_clock) == "100%  step 100"
    assert step_words(step(50), None) == " 50%  step 50"
    tables = default_tables() | {"training": {"steps": 100, "budget": "none"}}
    assert step_words(step(50), plan(recipe=Recipe.from_dict(tables), steps=100)) == " 50%  step 50/100"


def play(display: PlainDisplay | LiveDisplay, steps: int = 100) -> None:
    with display:
        display.on_preparation(Preparation(what="Reading the text"))
        display.on_preparation(Preparation(what="Tokenizing the training text", done=0.5))
        display.on_start(plan())
        for number in range(1, steps + 1):
            display.on_step(step(number, loss=8 / number + 2))
            if number == steps // 2:
                display.on_evaluation(SCORE)
                display.on_sample(SAMPLE)
        display.on_end(RESULT)
    display.show_result(RESULT, Catalogue())


def test_what_is_measured_again_is_said_once() -> None:
    stream = io.StringIO()
    display = PlainDisplay(stream)
    for what in ("Measuring", "Choosing", "Measuring", "Choosing", "Measuring"):
        display.on_preparation(Preparation(what=what))
    assert stream.getvalue().splitlines() == ["Measuring …", "Choosing …"]


def test_a_filled_in_text_stands_below_what_was_read() -> None:
    sample = Sample(
        step=5, index=0, prompt="", text="To be or not", masked="To <mask> or not", tokens=[1], tokens_per_second=1.0
    )
    assert sample_lines(sample, io.StringIO()) == [
        *("  read at step 5", "  | To <mask> or not", "  filled in at step 5", "  | To be or not", "")
    ]
    gap = Sample(step=5, index=0, prompt="To ", text="be", suffix=" or not", tokens=[1], tokens_per_second=1.0)
    assert sample_lines(gap, io.StringIO())[1] == "  | To be or not"


def test_the_plan_says_what_a_builder_says_of_its_examples() -> None:
    text = "\n".join(plan_lines(plan(examples="3.1% padding"), io.StringIO()))
    assert "tokens a step; 3.1% padding" in text


def test_plain_lines_are_few_and_plain() -> None:
    stream = io.StringIO()
    play(PlainDisplay(stream))
    text = stream.getvalue()
    assert "\x1b" not in text
    assert text.count("  step ") < 10
    assert "Reading the text …" in text
    assert "held-out 2.345 bits per byte" in text
    assert "The cat\\x1b[2J sat" in text
    assert "2.345 bits per byte on the held-out text" in text


def test_the_live_region_holds_bar_figures_and_curve() -> None:
    stream = Terminal()
    play(LiveDisplay(stream))
    text = stream.getvalue()
    for words in ("━", "┤", "◆", "step", "loss 2.080", "41.0k tokens/s", "held-out 2.345 bits/byte"):
        assert words in text
    assert "\x1b[2J" not in text
    assert "\\x1b[2J" in text
    assert text.endswith("\n")


def test_a_terminal_without_colours_or_unicode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    stream.encoding = "ascii"  # type: ignore[assignment]
    play(LiveDisplay(stream))
    text = stream.getvalue()
    assert "#" in text
    assert "━" not in text
    assert "◆" not in text
    assert "\x1b[32m" not in text


def test_the_display_suits_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(display_for(io.StringIO()), PlainDisplay)
    assert isinstance(display_for(Terminal()), LiveDisplay)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(display_for(Terminal()), PlainDisplay)


def test_what_is_not_used_of_a_budget_is_said() -> None:
    tables = default_tables()
    tables["training"] = {"budget": "4h", "max_epochs": 20.0}
    words = " ".join("\n".join(plan_lines(plan(recipe=Recipe.from_dict(tables), epochs=20.0), io.StringIO())).split())
    assert "1,200 steps, 20 passes over the text; of 4 h 00 min, about 2 min 30 s are used" in words
    assert "after 20 passes more would not help" in words
    tables["training"] |= {"budget": "2e15flops"}
    by_arithmetic = " ".join(plan_lines(plan(recipe=Recipe.from_dict(tables), epochs=20.0), io.StringIO()))
    assert "more would" in by_arithmetic and "are used" not in by_arithmetic
    tables["training"] |= {"max_epochs": 90.0}
    assert "more would" not in " ".join(plan_lines(plan(recipe=Recipe.from_dict(tables)), io.StringIO()))


def test_lines_say_once_that_the_score_gets_worse() -> None:
    stream = io.StringIO()
    display = PlainDisplay(stream)
    display.show_plan(plan())
    for number, bits in enumerate((2.5, 2.4, 2.3, 2.2, 2.4, 2.5, 2.6), 1):
        display.on_step(step(10 * number, 100, 5.0 - number / 2))
        display.on_evaluation(dataclasses.replace(SCORE, step=10 * number, scores={"bits_per_byte": bits, "loss": 3.0}))
    text = " ".join(stream.getvalue().split())
    assert text.count("Overfitting") == 1 and "step 40 (2.200) and is 2.500 now" in text
    assert "Ctrl-C" in text and "--steps 40" in text


def test_the_end_says_how_sure_its_score_is() -> None:
    assert "±" not in "\n".join(result_lines(RESULT, io.StringIO()))
    judged = dataclasses.replace(SCORE, scores={**SCORE.scores, "standard_error": 0.0244})
    assert "± 0.024 bits per byte" in "\n".join(result_lines(dataclasses.replace(RESULT, evaluation=judged), io.StringIO()))
