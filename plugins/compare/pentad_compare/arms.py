"""Arms: the ways that are compared, made from comma lists.

A list on a stage (`--model gpt,rnn`) or on an option (`--model.n-layer 4,6`) is an axis; the arms are the product of all axes.
An option applies to the implementations that have it, and not to one that has its own value behind its name (`gpt,n-layer=2`).
Samplers do not change training, so they make no arms of their own: an
arm trains once and has a list of samplers.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pentad import STAGES, Catalogue, Choice, Recipe, UsageError
from pentad.tools import TABLES, OptionSpec, describe, did_you_mean, given, parse, resolve, written_tables
from pentad_cli.tools import Tables, lay_over

TRAINED: tuple[str, ...] = tuple(stage for stage in STAGES if stage != "sampler")
"""The stages that decide what is trained."""

SHARED = ("training.steps", "training.budget", "training.seed", "machine.threads")
"""Options that could change the result of an arm, but are the same for every arm, so that the comparison is fair."""


@dataclass(frozen=True, kw_only=True)
class NamedSampler:
    """A sampler with the options that tell it from the others."""

    label: str
    choice: Choice


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One of the ways that are compared.

    Args:
        label: what tells it from the others.
        settings: `model` or `model.n_layer` to the value, for what varies.
        recipe: every choice, without the sizes that were left open, which each arm chooses for itself under the same budget;
            its seed, data and budget are the comparison's.
        samplers: whose texts are compared; the first is the recipe's.
    """

    label: str
    settings: Mapping[str, str]
    recipe: Recipe
    samplers: Sequence[NamedSampler]


@dataclass(frozen=True, kw_only=True)
class Axis:
    """An option with its values as the user wrote them: `Axis(table="model", name="n_layer", values=("4", "6"))`."""

    table: str
    name: str
    values: tuple[str, ...]

    @property
    def key(self) -> str:
        """The name in settings."""
        return f"{self.table}.{self.name}"

    @property
    def flag(self) -> str:
        """The name as users type it."""
        return f"--{self.key.replace('_', '-')}"


class Setting(NamedTuple):
    """One value of an axis, as the user wrote it and in the option's type."""

    axis: Axis
    text: str
    value: Any


def product(tables: Tables, names: Mapping[str, Sequence[Choice]], axes: Sequence[Axis], catalogue: Catalogue) -> list[Arm]:
    """Make the arms.

    Args:
        tables: the recipe below all lists.
        names: stage to the implementations to choose from, each with its own options.
        axes: options and their values.
        catalogue: what is installed.

    Raises:
        UsageError: a name or an option is unknown, a value is none of the option's, or no chosen implementation has it.
    """
    _refuse_unknown(names, axes, catalogue)
    arms: list[Arm] = []
    for combination in itertools.product(*(names[stage] for stage in TRAINED)):
        choices = dict(zip(TRAINED, combination, strict=True))
        chosen = lay_over(tables, {stage: {"name": one.name, **one.options} for stage, one in choices.items()}, catalogue)
        for settings in _settings(choices, axes, catalogue):
            layer: dict[str, dict[str, Any]] = {}
            for setting in settings:
                layer.setdefault(setting.axis.table, {})[setting.axis.name] = setting.value
            below = lay_over(chosen, layer, catalogue)
            samplers = _samplers(below, names["sampler"], axes, catalogue)
            recipe = checked(_with_sampler(below, samplers[0].choice), catalogue)
            listed = [stage for stage in TRAINED if len(names[stage]) > 1]
            varied = {key: text for stage in listed for key, text in settings_of(stage, choices[stage]).items()}
            varied |= {setting.axis.key: setting.text for setting in settings if len(setting.axis.values) > 1}
            label = label_of(varied) or recipe.choice("model").name
            arms.append(Arm(label=label, settings=varied, recipe=recipe, samplers=samplers))
    return arms


def arm_of(label: str, tables: Tables, samplers: Sequence[NamedSampler], catalogue: Catalogue) -> Arm:
    """Make the arm of a recipe file; `samplers` are the comparison's.

    Raises:
        UsageError: the recipe is wrong.
    """
    recipe = checked(_with_sampler(tables, samplers[0].choice), catalogue)
    return Arm(label=label, settings={"recipe": label}, recipe=recipe, samplers=samplers)


def checked(recipe: Recipe, catalogue: Catalogue) -> Recipe:
    """Return a recipe with every option spelled out but the sizes that were left open.

    Raises:
        UsageError: as for `resolve`.
    """
    return Recipe.from_dict(written_tables(resolve(recipe, catalogue)))


def _with_sampler(tables: Tables, choice: Choice) -> Recipe:
    return Recipe.from_dict({**tables, "sampler": {"name": choice.name, **choice.options}})


def _options(stage: str, name: str, catalogue: Catalogue) -> dict[str, OptionSpec]:
    return {spec.name: spec for spec in describe(catalogue.find(stage, name).options)}


def _refuse_unknown(names: Mapping[str, Sequence[Choice]], axes: Sequence[Axis], catalogue: Catalogue) -> None:
    for axis in axes:
        if axis.table not in STAGES:
            continue
        known = {key for choice in names[axis.table] for key in _options(axis.table, choice.name, catalogue)}
        if axis.name not in known:
            chosen = list(dict.fromkeys(choice.name for choice in names[axis.table]))
            raise UsageError(
                f"{axis.flag} is not an option of {', '.join(chosen)}.",
                did_you_mean(axis.name, known) or f"engine plugins show {chosen[0]} lists the options.",
                code="unknown-option",
            )


def limits(names: Mapping[str, Sequence[Choice]], axes: Sequence[Axis], catalogue: Catalogue) -> Iterator[str]:
    """Yield a note for each flag that does not apply to every implementation that is compared."""
    for axis in axes:
        listed = dict.fromkeys(choice.name for choice in names.get(axis.table, ()))
        having = [name for name in listed if axis.name in _options(axis.table, name, catalogue)]
        others = [name for name in listed if name not in having]
        if others:
            yield f"{axis.flag} applies to {', '.join(having)} only: {', '.join(others)} has no such option."


def _settings(chosen: Mapping[str, Choice], axes: Sequence[Axis], catalogue: Catalogue) -> Iterator[tuple[Setting, ...]]:
    """Yield the combinations of the options that apply to these implementations."""
    choices = []
    for axis in axes:
        if axis.table in chosen and axis.name in chosen[axis.table].options:
            continue
        if axis.table in chosen:
            spec = _options(axis.table, chosen[axis.table].name, catalogue).get(axis.name)
        elif axis.table in TABLES:
            spec = next(spec for spec in describe(TABLES[axis.table]) if spec.name == axis.name)
        else:
            continue
        if spec is not None:
            values = [Setting(axis, text, spec.convert(text, axis.flag)) for text in reversed(axis.values)]
            choices.append([*{repr(setting.value): setting for setting in values}.values()][::-1])  # 1e-3 and 0.001 are one
    yield from itertools.product(*choices)


def _samplers(tables: Tables, choices: Sequence[Choice], axes: Sequence[Axis], catalogue: Catalogue) -> list[NamedSampler]:
    """Return the product of the samplers and of the lists on their options."""
    samplers: list[NamedSampler] = []
    for choice in choices:
        name = choice.name
        parsed = parse(catalogue.find("sampler", name).options, choice.options, "sampler")
        own = {option: getattr(parsed, option) for option in given(parsed)}
        known = _options("sampler", name, catalogue)
        mine = [axis for axis in axes if axis.table == "sampler" and axis.name in known and axis.name not in own]
        below = lay_over(tables, {"sampler": {"name": name, **own}}, catalogue)["sampler"]
        for values in itertools.product(*(axis.values for axis in mine)):
            options = {key: value for key, value in below.items() if key != "name"}
            for axis, value in zip(mine, values, strict=True):
                options[axis.name] = known[axis.name].convert(value, axis.flag)
            varied = {axis.key: value for axis, value in zip(mine, values, strict=True) if len(axis.values) > 1}
            label = label_of({**settings_of("sampler", choice), **varied})
            samplers.append(NamedSampler(label=label, choice=Choice(name, **options)))
    return samplers


def settings_of(stage: str, choice: Choice) -> dict[str, str]:
    """Return the settings of an implementation that is listed with options of its own: `model` and `model.cell`."""
    return {stage: choice.name, **{f"{stage}.{name}": str(value) for name, value in choice.options.items()}}


def label_of(settings: Mapping[str, str]) -> str:
    """Name an arm by what varies; nothing where nothing does."""
    short = [key.partition(".")[2] for key in settings]
    words = []
    for key, value in settings.items():
        name = key.partition(".")[2]
        words.append(value if not name else f"{name if short.count(name) == 1 else key} {value}")
    return ", ".join(words)


def distinct(arms: Sequence[Arm]) -> list[Arm]:
    """Number arms of the same label, so that every label names one arm."""
    seen: dict[str, int] = {}
    numbered = []
    for arm in arms:
        seen[arm.label] = seen.get(arm.label, 0) + 1
        label = arm.label if seen[arm.label] == 1 else f"{arm.label} ({seen[arm.label]})"
        numbered.append(dataclasses.replace(arm, label=label))
    return numbered
