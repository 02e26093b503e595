"""What was probably meant: by a word of elsewhere, an option of another implementation, a name of another stage, a file."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from pentad.config.options import describe
from pentad.config.stages import STAGES
from pentad.config.tables import TABLES
from pentad.registry.catalogue import Catalogue
from pentad.registry.chains import SIGN
from pentad.system.errors import EngineError, UsageError, did_you_mean
from pentad_cli.arguments.synonyms import COMMANDS, NAMES, OPTIONS
from pentad_cli.terminal.started import shell_word

if TYPE_CHECKING:
    import click


def command_hint(word: str, known: Sequence[str]) -> str:
    """Return what to type for an unknown command."""
    if meant := _command_meant(word.lower(), known):
        return meant
    if Path(word).exists():
        return f"To train on it: engine run --data {shell_word(word)}"
    nearest = _nearest(word.lower(), [*known, *COMMANDS])
    elsewhere = "" if nearest in known else _command_meant(nearest, known)
    return elsewhere or did_you_mean(word, known) or "engine --help lists the commands."


def _command_meant(word: str, known: Sequence[str]) -> str:
    names = (name for name in COMMANDS.get(word, ()) if name.startswith("--") or name.split()[0] in known)
    name = next(names, "")
    return f"Use engine {name}." if name else ""


def _nearest(word: str, words: Iterable[str]) -> str:
    """Return the word itself if it is one of those, else the one that it is a typo of, else nothing."""
    words = list(words)
    found = get_close_matches(word, words, n=1, cutoff=0.8)
    return word if word in words else found[0] if found else ""


def name_hint(stage: str, name: str, catalogue: Catalogue) -> str:
    """Return what to type for a name that no implementation of a stage has; empty where nothing better is known."""
    installed = {offer.name for offer in catalogue.offers(stage)}
    listed = f"Installed: {', '.join(sorted(installed)) or 'none'}."
    word = name.lower().replace("_", "-")
    for suggestion in NAMES.get(stage, {}).get(word, ()):
        if suggestion.split()[0] in installed:
            return f"Use --{stage} {suggestion}. {listed}"
    if word in installed:
        return f"Use --{stage} {word}."
    if "," in name and (hint := _of_a_list(stage, name.split(","), installed, catalogue)):
        return hint
    for other in STAGES:
        if other != stage and name in {offer.name for offer in catalogue.offers(other)}:
            return f"{name} is {_a(other)}: --{other} {name}. {listed}"
    return ""


def _of_a_list(stage: str, names: Sequence[str], installed: Collection[str], catalogue: Catalogue) -> str:
    """Say what is meant by a name with options behind it, or by several names; nothing where it is neither."""
    if not set(names[:1]) <= set(installed):
        return ""
    if "=" in names[1]:
        option = names[1].partition("=")[0].replace("_", "-")
        chain = f"; in a chain --{stage}.{names[0]}.{option} VALUE" if stage == "sampler" else ""
        return f"An option is a flag of its own: --{stage}.{option} VALUE{chain}."
    compares = set(names) <= set(installed) and any(offer.name == "compare" for offer in catalogue.offers("command"))
    return f"To compare several: engine compare --{stage} {','.join(names)}" if compares else ""


def with_name_hint(error: UsageError, stage: str, name: str, catalogue: Catalogue) -> UsageError:
    """Return the error of an unknown name with a better hint, where there is one."""
    if error.code != "unknown-name":
        return error
    installed = {offer.name for offer in catalogue.offers(stage)}
    unknown = (part for part in name.split(SIGN) if part not in installed)  # of a chain one part is to blame
    hint = next(filter(None, (name_hint(stage, part, catalogue) for part in unknown)), "")
    return UsageError(error.message, hint, code="unknown-name") if hint else error


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def option_hint(flag: str, known: Sequence[str], stages: Iterable[str], catalogue: Catalogue | None) -> str:
    """Return what to type for an unknown option; empty where nothing is near.

    Args:
        flag: as it was typed, `--learning-rate`.
        known: the flags that the command has.
        stages: the stages whose implementation it lets the user choose.
        catalogue: what is installed, or None where the command does not look.
    """
    word = flag.lstrip("-").lower().replace("_", "-")
    for target in OPTIONS.get(word, ()):
        words = f"--{target}".split()
        if all(part in known or not part.startswith("--") or words[0] == "--sampler" for part in words) and words[0] in known:
            return f"Use {' '.join(words)}."
    ends = [known_flag for known_flag in known if "." in known_flag and _behind(known_flag) == word.rpartition(".")[2]]
    ends = ends if word.count(".") <= 1 else []
    same = [known_flag for known_flag in ends if "." not in word or known_flag.startswith(f"--{word.partition('.')[0]}.")]
    if same:
        return f"Did you mean {' or '.join(same)}?"
    if ends and word.partition(".")[0] in STAGES:
        return f"Did you mean {' or '.join(ends)}?"
    another = _of_another(word, list(stages), catalogue) if catalogue else ""
    return another or _of_another_command(word) or _near(flag, known) or _near_elsewhere(word, known, stages, catalogue)


def _behind(flag: str) -> str:
    return flag.rpartition(".")[2]


def _of_another(word: str, stages: list[str], catalogue: Catalogue) -> str:
    """Say whose option it is, or which implementation or stage is called like it."""
    stage, dot, option = word.rpartition(".")
    for each in [stage] if dot and stage in STAGES else stages if not dot else []:
        owners = []
        for offer in catalogue.offers(each):
            with contextlib.suppress(EngineError):  # a broken one has no options to name
                owners += [offer.name] if option in {spec.flag for spec in describe(offer.options)} else []
        if owners and each in stages:
            return (
                f"{option} is an option of the {each} {' and '.join(owners)}: use --{each} {owners[0]} --{each}.{option} VALUE."
            )
        if owners:
            return f"It belongs to the {each}, which engine run chooses."
    for each in stages:
        if word in {offer.name for offer in catalogue.offers(each)}:
            return f"Use --{each} {word}."
        if hint := name_hint(each, word, catalogue) if word in NAMES.get(each, {}) else "":
            return hint
    return ""


def _near(flag: str, known: Sequence[str]) -> str:
    table = f"{flag.partition('.')[0]}."
    own = {_behind(word): word for word in known if word.startswith(table)} if "." in flag else {}
    if own:  # what stands before the dot is right, and would make any two options look alike
        near = _nearest_of(_behind(flag), own)
        return near or f"{table[:-1]} has: {', '.join(sorted(own))}."
    near = did_you_mean(flag, known)
    if near:
        return near
    # `--n-layr` is meant as `--model.n-layer`: compare with what stands behind the dot.
    return _nearest_of(flag.lstrip("-"), {_behind(word): word for word in known if "." in word})


def _nearest_of(option: str, flags: Mapping[str, str]) -> str:
    """Ask for the flag whose option is near; flags by what stands behind their dot."""
    meant = did_you_mean(option, flags).removeprefix("Did you mean ").removesuffix("?")
    return f"Did you mean {flags[meant]}?" if meant else ""


def _near_elsewhere(word: str, known: Sequence[str], stages: Iterable[str], catalogue: Catalogue | None) -> str:
    """Say what is meant by a word of elsewhere that was mistyped."""
    meant = _nearest(word, OPTIONS)
    return option_hint(f"--{meant}", known, stages, catalogue) if meant and meant != word else ""


def _of_another_command(word: str) -> str:
    if word in STAGES:
        return f"A run keeps its {word}; engine run --{word} NAME chooses one."
    if any(word == spec.flag for options in TABLES.values() for spec in describe(options)):
        return f"--{word} is an option of engine run."
    return ""


def extra_argument_hint(command: str, words: str, context: click.Context, catalogue: Catalogue | None) -> str:
    """Return what to type for an argument that the command does not take: a file for --data, a name for its stage."""
    known = {flag for param in context.command.get_params(context) for flag in param.opts}
    if "--data" in known and Path(words).exists():
        return f"Use {command} --data {shell_word(words)}"
    for stage in STAGES if catalogue else ():
        assert catalogue is not None
        if f"--{stage}" in known and words in {offer.name for offer in catalogue.offers(stage)}:
            return f"Use {command} --{stage} {words}"
    return ""
