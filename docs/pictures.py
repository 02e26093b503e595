"""Draw the pictures of the pages.

python docs/pictures.py           draws them from docs/pictures/data.json, which real runs wrote
python docs/pictures.py --run     does these runs first (4 minutes on two cores), and takes the picture of the terminal
python docs/pictures.py --sizes sizes.jsonl passes.jsonl
                                  takes over what two calls of benchmarks.sizing found, the second one of a small text

Only the terminal needs a library, and rich is that of the command line; the rest is written as SVG by hand.
"""

from __future__ import annotations

import io
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from pentad.system.chart import Line, Picture, line_chart

FOLDER = Path(__file__).with_name("pictures")
DATA = FOLDER / "data.json"

SENTENCE = "This is me training a large language model, to learn the phrase large language model\n"
CELL, MARGIN = 26, 96


def pictures(data: dict[str, Any]) -> dict[str, Picture]:
    """Return each picture that is drawn from data, by the name of its file."""
    both = [
        Line(name="training loss", points=data["overfitting"]["step"]),
        Line(name="held-out loss", points=data["overfitting"]["evaluation"], marked=True),
    ]
    return {
        "loss.svg": line_chart([Line(name="training loss", points=data["loss"]["step"])], "step", "loss, nats per token"),
        "overfitting.svg": line_chart(both, "step", "loss, nats per token"),
        "calibration.svg": calibration_picture(data["calibration"]),
        "attention.svg": attention_picture(data["attention"]["tokens"], data["attention"]["weights"]),
        "sizes.svg": line_chart(_lines(data["sizes"]), "log10 of the operations spent", "held-out bits per byte"),
        "passes.svg": line_chart(_lines(data["passes"]), "passes over the text", "held-out bits per byte"),
    }


def _lines(curves: dict[str, list[tuple[float, float]]]) -> list[Line]:
    return [Line(name=name, points=points, marked=True) for name, points in curves.items()]


def sizes_of(lines: list[dict[str, Any]]) -> dict[str, list[tuple[float, float]]]:
    """Return the scores of whole runs over the operations that each was given, for each size."""
    found: dict[str, list[tuple[float, float]]] = {}
    for line in sorted(lines, key=lambda line: (sum(line["parameters"].values()), line["flops"])):
        point = (round(math.log10(line["flops"]), 3), round(line["bits_per_byte"], 3))
        found.setdefault(line["size"].split(",")[0].replace("x", " layers x "), []).append(point)
    return found


def passes_of(lines: list[dict[str, Any]]) -> dict[str, list[tuple[float, float]]]:
    """Return the curve of each run over the passes done, by its dropout."""
    return {
        f"dropout {line['size'].partition('dropout=')[2] or 0}": [
            (round(line["passes"] * (number + 1) / len(line["curve"]), 2), score) for number, score in enumerate(line["curve"])
        ]
        for line in lines
    }


def calibration_picture(scores: dict[str, dict[str, float]]) -> Picture:
    """Draw how often tokens came true over their mean probability, for each text of docs/hallucination.md."""
    lines = [Line(name="calibrated", points=[(0.0, 0.0), (1.0, 1.0)])]
    for name, found in scores.items():
        bins = [key.removesuffix("_share") for key in found if key.endswith("_share")]
        points = [(found[f"{one}_confidence"], found[f"{one}_accuracy"]) for one in bins]
        lines.append(Line(name=name, points=points, marked=True))
    return line_chart(lines, "probability of the likeliest token", "share that came true")


def attention_picture(tokens: list[str], weights: list[list[float]]) -> Picture:
    """Draw a matrix of attention weights (T, T): a row is who looks, a column is what is looked at, darker is more."""
    side = MARGIN + CELL * len(tokens) + 8
    parts = []
    for row, (token, line) in enumerate(zip(tokens, weights, strict=True)):
        y = MARGIN + CELL * row
        parts.append(f'<text x="{MARGIN - 6}" y="{y + 17}" text-anchor="end">{escape(token)}</text>')
        x = MARGIN + CELL * row + 17
        parts.append(f'<text x="{x}" y="{MARGIN - 6}" transform="rotate(-90 {x} {MARGIN - 6})">{escape(token)}</text>')
        for column, weight in enumerate(line[: row + 1]):
            place = f'x="{MARGIN + CELL * column}" y="{y}" width="{CELL - 1}" height="{CELL - 1}"'
            parts.append(f'<rect {place} fill="#2563a8" fill-opacity="{weight:.2f}" stroke="#cccccc" stroke-width="0.5"/>')
    body = "\n".join(parts)
    return Picture(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" width="{side}" height="{side}" '
        f'font-family="sans-serif" font-size="12" fill="#333333">\n<rect width="{side}" height="{side}" fill="#ffffff"/>\n'
        f"{body}\n</svg>\n"
    )


def sentence_recipe(folder: Path) -> Any:
    """Return the recipe of step 3 of docs/learn.md, every step of it logged."""
    from pentad import Choice, Recipe

    text = folder / "sentence.txt"
    text.write_text(SENTENCE, encoding="utf-8")
    return Recipe(
        data={"sources": [str(text)], "held_out": 0},
        tokenizer="gpt2",
        builder="prefix",
        model=Choice("gpt", n_layer=1, n_embd=64, ngram_order=0),
        sampler="greedy",
        training={"steps": 80, "context_length": 18, "batch_size": 18},
        generation={"sample_every": 0},
        reporting={"log_every": 1},
    )


def overfitting_recipe() -> Any:
    """Return a run that sees a small text 14 times, without dropout and without counts, which would know much of it at once."""
    from pentad import Choice, Recipe

    return Recipe(
        data={"sources": ["python-docs"], "held_out": 0.6},
        tokenizer=Choice("bpe", vocab_size=512),
        model=Choice("gpt", n_layer=2, n_embd=96, n_head=4, dropout=0.0, ngram_order=0),
        training={"steps": 900, "context_length": 64, "batch_size": 16},
        machine={"precision": "fp32"},
        evaluation={"evaluate_every": 0.05},
        generation={"sample_every": 0},
    )


def calibration_scores(folder: Path) -> dict[str, dict[str, float]]:
    """Train runs/base of docs/hallucination.md, and judge it on its held-out text and on animals that it has never met."""
    from pentad import Choice, Recipe, open_run, run

    subprocess.run([sys.executable, FOLDER.parents[1] / "examples" / "talks.py", folder / "data"], check=True)
    recipe = Recipe(
        data=folder / "data" / "plain.txt",
        tokenizer="byte",
        model=Choice("gpt", n_layer=3, n_embd=96, n_head=3),
        training={"steps": 300, "batch_size": 16, "context_length": 64},
        machine={"device": "cpu", "threads": 1, "precision": "fp32", "compile": "off"},
        evaluation={"evaluate_every": 0},
        generation={"sample_every": 0},
    )
    saved = open_run(run(recipe, out=folder / "base", observers=()).folder, device="cpu")
    texts = {"the 16 animals": None, "16 others": [str(folder / "data" / "strangers.txt")]}
    scores = {name: saved.evaluate(text, evaluator="calibration").scores for name, text in texts.items()}
    return {name: {key: round(value, 4) for key, value in found.items()} for name, found in scores.items()}


def curves(metrics: list[dict[str, Any]]) -> dict[str, list[tuple[int, float]]]:
    """Return step and loss of the training and of the held-out text."""
    return {
        kind: [(line["step"], round(line["loss"], 3)) for line in metrics if line["kind"] == kind]
        for kind in ("step", "evaluation")
    }


def attention_of(run: Path) -> dict[str, Any]:
    """Return the attention weights of a model of one layer over the sentence, the mean of its heads."""
    import torch
    from torch.nn import functional as F

    from pentad import open_run

    seen = []
    kernel = F.scaled_dot_product_attention

    def noting(queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, **rest: Any) -> torch.Tensor:
        scores = queries @ keys.transpose(-2, -1) / queries.shape[-1] ** 0.5  # (B, H, T, T)
        later = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
        seen.append(scores.masked_fill(later, float("-inf")).softmax(-1))
        return kernel(queries, keys, values, **rest)

    saved = open_run(run, device="cpu")
    ids = saved.tokenizer.encode(SENTENCE.strip())
    F.scaled_dot_product_attention = noting  # type: ignore[assignment]
    try:
        with torch.no_grad():
            saved.model(torch.from_numpy(ids.astype("int64"))[None])
    finally:
        F.scaled_dot_product_attention = kernel
    weights = seen[0][0].mean(0)
    tokens = [saved.tokenizer.decode([int(token)]).strip() for token in ids]
    return {"tokens": tokens, "weights": [[round(float(weight), 3) for weight in row] for row in weights]}


def terminal_picture() -> str:
    """Train a small model under the live display, and return the plan and the region in the middle of it as SVG."""
    from rich.console import Console
    from rich.text import Text

    from pentad import Choice, Recipe, Step, StopTraining, run
    from pentad_cli.terminal.live import LiveDisplay

    class Snapshot(LiveDisplay):
        """Keeps what it writes, and how the region looked at two thirds of the run."""

        lines: list[str]
        region: Any = None

        def write(self, line: str = "") -> None:
            if self.region is None:
                self.lines.append(line)

        def on_step(self, event: Step) -> StopTraining | None:
            super().on_step(event)
            if self.region is None and event.progress > 0.66:
                self.region = self.render()
                return StopTraining(reason="the picture is taken")
            return None

    display = Snapshot(Screen())
    display.lines = []
    with tempfile.TemporaryDirectory() as folder, display:
        recipe = Recipe(
            model=Choice("gpt", n_layer=1, n_embd=64, n_head=2),
            training={"steps": 200},
            evaluation={"evaluate_every": 0.2},
            generation={"sample_every": 0},
            machine={"precision": "fp32"},
        )
        run(recipe, out=Path(folder, "small"), observers=[display])
    console = Console(record=True, width=100, file=io.StringIO(), highlight=False, markup=False, emoji=False)
    console.print(Text("$ engine run --model.n-layer 1 --model.n-embd 64 --model.n-head 2 --steps 200 --out small", "bold"))
    for line in display.lines:
        console.print(Text.from_ansi(line.replace(str(display.plan and display.plan.folder), "small")))
    console.print(display.region)
    return console.export_svg(title="engine run", unique_id="pentad")


class Screen(io.StringIO):
    """A terminal that nobody looks at."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        """Say so."""
        return True


def measure() -> dict[str, Any]:
    """Do the runs and return what the pictures show."""
    from pentad import run

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sentence = run(sentence_recipe(folder), out=folder / "sentence", observers=())
        overfitted = run(overfitting_recipe(), out=folder / "overfitted", observers=())
        return {
            "loss": curves(sentence.metrics),
            "attention": attention_of(sentence.folder),
            "overfitting": curves(overfitted.metrics),
            "calibration": calibration_scores(folder),
        }


def main() -> None:
    """Do what the arguments say."""
    data = json.loads(DATA.read_text(encoding="utf-8"))
    if sys.argv[1:2] == ["--sizes"]:
        sizes, passes = ([json.loads(line) for line in Path(name).read_text().splitlines()] for name in sys.argv[2:4])
        DATA.write_text(json.dumps({**data, "sizes": sizes_of(sizes), "passes": passes_of(passes)}) + "\n", encoding="utf-8")
    if "--run" in sys.argv[1:]:
        DATA.write_text(json.dumps({**data, **measure()}) + "\n", encoding="utf-8")
        (FOLDER / "terminal.svg").write_text(terminal_picture(), encoding="utf-8")
    for name, picture in pictures(json.loads(DATA.read_text(encoding="utf-8"))).items():
        picture.save(FOLDER / name)


if __name__ == "__main__":
    main()
