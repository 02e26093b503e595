"""The plan of a run as a compact table: what is read, learned and computed, and what it will cost."""

from __future__ import annotations

import sys
from typing import TextIO

from pentad.contracts.observer import Plan, StartedFrom
from pentad_cli.terminal.output import paint, terminal_width, wrap
from pentad_cli.terminal.text import count, duration, plural, quantity, short, size, visible, visible_line


def plan_lines(plan: Plan, stream: TextIO = sys.stdout) -> list[str]:
    """Return the plan's lines, styled for the stream."""
    rows = [
        *([("start", _start(plan.start))] if plan.start else []),
        ("text", _text(plan)),
        ("tokenizer", _tokenizer(plan)),
        ("examples", _examples(plan)),
        ("model", _model(plan) + _reason(plan, "model")),
        ("optimizer", plan.recipe.choice("optimizer").name + _reason(plan, "optimizer")),
        ("training", _training(plan)),
        ("computing", _computing(plan)),
    ]
    if plan.folder:
        rows.append(("run", visible_line(str(plan.folder))))
    lines = []
    room = terminal_width() - 14
    for name, words in rows:
        first, *more = wrap(visible(words), room)
        lines.append(f"  {paint(f'{name:<10}', 'cyan', stream)}  {first}")
        lines += [" " * 14 + line for line in more]
    for warning in plan.warnings:
        first, *more = wrap(visible_line(warning), terminal_width() - 4)
        lines.append(f"  {paint('! ' + first, 'yellow', stream)}")
        lines += [f"    {paint(line, 'yellow', stream)}" for line in more]
    return lines


def _start(start: StartedFrom) -> str:
    words = f"{visible_line(str(start.folder))}, step {count(start.step)}"
    if start.new_tokens:
        words += f"; new tokens: {', '.join(start.new_tokens)}"
    changes = [f"{name} {_value(there)} -> {_value(here)}" for name, (there, here) in start.changed.items()]
    return f"{words}; changed: {', '.join(changes)}" if changes else words


def _value(value: object) -> str:
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _text(plan: Plan) -> str:
    data = plan.recipe.data
    sources = ", ".join(data.sources[:3]) + (f" and {len(data.sources) - 3} more" if len(data.sources) > 3 else "")
    kept = f"{size(plan.held_out_bytes)} held out" if plan.held_out_bytes else "nothing held out"
    return f"{visible_line(sources)}: {size(plan.train_bytes)} in {plural(plan.documents, 'document')}, {kept}"


def _tokenizer(plan: Plan) -> str:
    rate = plan.train_bytes / max(plan.train_tokens, 1)
    name = plan.recipe.choice("tokenizer").name
    return f"{name}: {count(plan.vocab_size)} ids, {count(plan.train_tokens)} tokens, {rate:.2f} bytes per token"


def _examples(plan: Plan) -> str:
    training = plan.recipe.training
    text = f"{plan.recipe.choice('builder').name}: {training.batch_size} × {training.context_length} tokens a step"
    text += f" in {training.gradient_accumulation} micro-batches" if training.gradient_accumulation > 1 else ""
    return f"{text}; {plan.examples}" if plan.examples else text


def _model(plan: Plan) -> str:
    total = sum(plan.parameters.values())
    parts = ", ".join(f"{role} {short(number)}" for role, number in plan.parameters.items() if number)
    choice = plan.recipe.choice("model")
    name = f"{choice.name}, preset {choice.options['preset']}" if choice.options.get("preset") else choice.name
    return f"{name}: {short(total)} parameters ({parts})" if total else f"{name}: no parameters"


def _reason(plan: Plan, stage: str) -> str:
    """Return why a stage has its sizes; where the tokenizer has its own is plain to see."""
    return f"; {plan.sizing[stage]}" if plan.sizing.get(stage) else ""


def _training(plan: Plan) -> str:
    by_clock = plan.recipe.budget().unit == "seconds"
    about = "about " if by_clock else ""
    text = f"{about}{plural(plan.steps, 'step')}, {_passes(plan.epochs)} over the text"
    if plan.resumed_step:
        text = f"resumed at step {count(plan.resumed_step)} of {text}"
    if _ends_early(plan) and by_clock and plan.seconds is not None:
        used = f"of {duration(plan.recipe.budget().amount)}, about {duration(plan.seconds)} are used"
        return f"{text}; {used}: after {_passes(plan.epochs)} more would not help"
    if plan.seconds is not None:
        text += f", {'' if by_clock else 'about '}{duration(plan.seconds)}"
    return text + (f"; after {_passes(plan.epochs)} more would not help" if _ends_early(plan) else "")


def _ends_early(plan: Plan) -> bool:
    """Say whether the training ends before its budget, since it has read the text often enough."""
    most = plan.recipe.training.max_epochs
    return most is not None and plan.epochs >= 0.99 * most


def _passes(epochs: float) -> str:
    if epochs < 0.95:
        return f"{epochs:.2g} of a pass"
    return f"{epochs:.1f} passes" if epochs < 9.95 else f"{count(epochs)} passes"


def _computing(plan: Plan) -> str:
    whose = "of memory in all" if plan.device == "cpu" else "of the device's memory"
    words = [plan.device, plan.precision, plural(plan.threads, "thread"), f"{size(plan.memory_bytes)} {whose}"]
    words.append(f"{quantity(plan.flops_per_step, 'FLOP')} a step")
    took = f" in {'about ' if plan.only_planned else ''}{duration(plan.compiling_seconds)}" if plan.compiling_seconds else ""
    words += [f"compiled{took}"] if plan.compiled else []
    return ", ".join([*words, plan.kernels] if plan.kernels else words)
