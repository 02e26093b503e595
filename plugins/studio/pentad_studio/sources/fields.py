"""Options as fields of a form: one for each option of an implementation, empty where its default holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pentad import Catalogue
from pentad.tools import OptionSpec, describe


@dataclass(frozen=True)
class Field:
    """A field of a form.

    Args:
        name: in the form: `model.n_layer`.
        label, help: what it is called, and a sentence.
        kind: `number`, `text` or `choice`.
        placeholder: what holds where the field is empty.
        choices: the words of a choice; empty for its default stands before them.
        value: what is written in it.
    """

    name: str
    label: str
    help: str
    kind: str
    placeholder: str
    choices: tuple[str, ...] = ()
    value: str = ""


def fields_of(catalogue: Catalogue, kind: str, name: str, prefix: str, values: Mapping[str, str]) -> list[Field]:
    """Return the fields of an implementation's options.

    Args:
        catalogue: what is installed.
        kind, name: the implementation.
        prefix: of the fields' names.
        values: of the form so far.

    Raises:
        UsageError: nothing has that name.
    """
    offer = catalogue.find(kind, name)
    return [field_of(spec, prefix, values) for spec in describe(offer.options)]


def field_of(spec: OptionSpec, prefix: str, values: Mapping[str, str]) -> Field:
    """Return the field of an option."""
    name = f"{prefix}.{spec.name}"
    choices = spec.choices or (("true", "false") if spec.type is bool else ())
    kind = "choice" if choices else "number" if spec.type in (int, float) and not spec.optional else "text"
    default = "none" if spec.default is None else spec.default
    default = str(default).lower() if isinstance(default, bool) else default
    shown = ", ".join(default) if isinstance(default, tuple) else str(default)
    facts = f" {spec.type_name}, {spec.bounds}." if spec.bounds else ""
    return Field(name, spec.flag, f"{spec.help}{facts}", kind, shown, tuple(choices), values.get(name, ""))


def given_options(form: Mapping[str, str], prefix: str) -> dict[str, str]:
    """Return the options that a form gives under a prefix; empty fields give none."""
    start = f"{prefix}."
    return {name.removeprefix(start): value for name, value in form.items() if name.startswith(start) and value.strip()}
