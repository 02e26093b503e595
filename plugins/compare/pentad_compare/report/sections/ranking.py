"""The ranking of each group of arms: drawn, in words and in tables; and what failed."""

from __future__ import annotations

import functools

from pentad_cli.charts import Figure, Look, figure
from pentad_cli.tools import count, duration, plural, quantity, short, size
from pentad_compare.records import ArmResult, Comparison, Difference, Group
from pentad_compare.report.charts.ranking import UNKNOWN, VERDICTS, draw_differences, draw_scores
from pentad_compare.report.numbers import bits, difference, digits, mean
from pentad_compare.report.sections.parts import Block, Cell, Section, Table, all_looks, group_title


def ranking(comparison: Comparison) -> Section | None:
    """Return the section, or None where nothing was trained."""
    if not comparison.arms:
        return None
    blocks = [_block(comparison, group, index) for index, group in enumerate(comparison.groups)]
    failed = _failures(comparison)
    title = "Ranking" if any(group.differences for group in comparison.groups) else "Scores"
    return Section("ranking", title, blocks=[*blocks, *([failed] if failed else [])])


def _block(comparison: Comparison, group: Group, index: int) -> Block:
    arms = [comparison.arm(label) for label in group.arms]
    done = [arm for arm in arms if arm.done]
    known, decimals = all_looks(comparison), digits(comparison)
    tables = [table(comparison, group, arms, known) for table in (_quality, _size)] if done else []
    words = [group.reason] if group.reason else []
    return Block(group_title(comparison, group), words, figures=_figures(group, done, known, decimals, index), tables=tables)


def _figures(group: Group, arms: list[ArmResult], known: dict[str, Look], decimals: int, index: int) -> list[Figure]:
    metric = group.metric
    if metric is None:
        return []
    figures = []
    scored = [(known[arm.label], arm) for arm in arms if arm.mean is not None]
    if len(scored) > 1:
        title = f"{scored[0][0].label} scores best"
        words = f"Held-out {metric.title}. Upright lines: means; dots: single seeds."
        figures.append(figure(f"scores-{index}", title, words, lambda width: draw_scores(width, scored, metric, decimals)))
    compared = [(known[one.arm], one) for one in group.differences if one.mean is not None]
    if compared:
        title = f"Difference to {group.baseline}"
        words = "Dots: mean difference, seed by seed; lines: its interval. Only a line that misses zero shows a difference."
        draw = functools.partial(draw_differences, rows=compared, metric=metric, decimals=decimals)
        figures.append(figure(f"differences-{index}", title, words, draw))
    return figures


def _quality(comparison: Comparison, group: Group, arms: list[ArmResult], known: dict[str, Look]) -> Table:
    """Return the table of scores."""
    differences = {one.arm: one for one in group.differences}
    decimals = digits(comparison)
    title = group.metric.title.capitalize() if group.metric else "Score"
    columns = ["Arm", title, "Each seed", "Difference to the baseline" if differences else "Other scores", "Seeds"]
    rows = []
    for arm in arms:
        more = _difference(group, arm, differences.get(arm.label), decimals) if differences else _other_scores(arm)
        seeds = Cell(arm.seeds_done)
        rows.append([Cell(arm.label, look=known[arm.label]), _score(arm, decimals), _seeds(arm, decimals), more, seeds])
    return Table("Scores on held-out text", columns, rows)


def _score(arm: ArmResult, decimals: int) -> Cell:
    if arm.mean is None:
        return Cell("failed", css="bad") if _failed(arm) else Cell("–", "no evaluator fits")
    return Cell(bits(arm.mean, decimals), f"± {bits(arm.spread, decimals)}" if arm.spread is not None else "one seed")


def _seeds(arm: ArmResult, decimals: int) -> Cell:
    scores = ["failed" if seed.failure else bits(seed.score, decimals) for seed in arm.seeds]
    return Cell("  ".join(scores), css="figures")


def _difference(group: Group, arm: ArmResult, one: Difference | None, decimals: int) -> Cell:
    if arm.label == group.baseline:
        return Cell("baseline")
    if one is None or one.mean is None:
        return Cell("–")
    word, css = VERDICTS.get(one.verdict, UNKNOWN)
    return Cell(difference(one, decimals), f"{word}, {plural(one.n_seeds, 'common seed')}", css)


def _other_scores(arm: ArmResult) -> Cell:
    """Return the means of the scores that do not rank the arm."""
    primary = arm.metric.name if arm.metric else ""
    names = dict.fromkeys(name for seed in arm.seeds for name in seed.scores if name != primary)
    means = {name: mean([seed.scores[name] for seed in arm.seeds if name in seed.scores]) for name in names}
    return Cell(", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in means.items()) or "–")


def _size(comparison: Comparison, group: Group, arms: list[ArmResult], known: dict[str, Look]) -> Table:
    """Return the table of sizes and costs: means over the seeds, and the highest peak of memory."""
    columns = ["Arm", "Parameters", "Vocabulary", "Speed", "Compute", "Peak memory", "Training time", "Steps"]
    return Table("Size and cost of a run", columns, [_costs(arm, known[arm.label]) for arm in arms if arm.done])


def _costs(arm: ArmResult, look: Look) -> list[Cell]:
    runs = arm.done
    peak = max((run.peak_memory_bytes for run in runs), default=0)
    flops = mean([run.flops for run in runs])
    embedding, rest = short(arm.n_embedding), short(arm.n_parameters - arm.n_embedding)
    return [
        Cell(arm.label, look=look),
        Cell(short(arm.n_parameters), f"embedding {embedding}, rest {rest}"),
        Cell(count(arm.vocab_size), f"{arm.bytes_per_token:.2f} bytes per token"),
        Cell(
            f"{short(mean([run.tokens_per_second for run in runs]))} tokens/s",
            f"{size(mean([run.bytes_per_second for run in runs]))}/s",
        ),
        Cell(
            quantity(flops, "FLOP") if flops else "–",
            f"{quantity(arm.flops_per_step, 'FLOP')} a step" if arm.flops_per_step else "",
        ),
        Cell(size(peak) if peak else "–"),
        Cell(
            duration(mean([run.training_seconds for run in runs])),
            f"{duration(mean([run.wall_seconds for run in runs]))} in all",
        ),
        Cell(count(mean([run.steps for run in runs])), f"{size(mean([run.bytes for run in runs]))} read"),
    ]


def _failed(arm: ArmResult) -> bool:
    return bool(arm.failure) or not arm.done


def _failures(comparison: Comparison) -> Block | None:
    """Return what failed, with its cause."""
    known = all_looks(comparison)
    rows = [
        [Cell(arm.label, look=known[arm.label]), Cell(seeds), Cell(cause, css="long")]
        for arm in comparison.arms
        for cause, seeds in _causes(arm).items()
    ]
    return Block(tables=[Table("Failed", ["Arm", "Seeds", "Cause"], rows)]) if rows else None


def _causes(arm: ArmResult) -> dict[str, str]:
    """Return every cause with the seeds that failed by it."""
    causes: dict[str, list[str]] = {}
    for seed in arm.seeds:
        if seed.failure:
            causes.setdefault(seed.failure, []).append(str(seed.seed))
    if arm.failure and not causes:
        return {arm.failure: "all"}
    return {cause: ", ".join(seeds) for cause, seeds in causes.items()}
