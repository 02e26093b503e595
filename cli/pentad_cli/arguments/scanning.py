"""A first look at the words of a command line, before it is known which flags there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def look(args: Sequence[str], with_value: Sequence[str]) -> Mapping[str, list[str]]:
    """Find the flags that take a value, without judging the others.

    Args:
        args: the command line.
        with_value: flags whose value is the next argument, however that looks.
    """
    found: dict[str, list[str]] = {}
    position = 0
    while position < len(args) and args[position] != "--":
        flag, equals, value = args[position].partition("=")
        position += 1
        if flag not in with_value:
            continue
        if not equals and position < len(args):
            value, equals, position = args[position], "=", position + 1
        if equals:
            found.setdefault(flag, []).append(value)
    return found


def positional(args: Sequence[str], with_value: Sequence[str]) -> str | None:
    """Return the first argument that is no flag and no flag's value; a stage's flag (`--sampler.k`) takes a value."""
    position = 0
    while position < len(args):
        flag = args[position]
        position += 1
        if flag == "--":
            return args[position] if position < len(args) else None
        if not flag.startswith("-"):
            return flag
        # A stage's flag may be a switch, whose value is left out before another flag.
        of_stage = flag.startswith("--") and "." in flag and "=" not in flag
        position += flag in with_value or (of_stage and not "".join(args[position : position + 1]).startswith("-"))
    return None
