"""A new plugin distribution, written from templates: it installs, passes its tests and is listed as it is.

The templates are files in `templates/`: `common` for all, and one folder for each kind; `${name}` and the like are filled in.
In place of a kind's folder, the code of an implementation that is installed may be taken (`copying`).
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import keyword
import re
import sys
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

import pentad
from pentad.config.stages import STAGE_SPECS
from pentad.registry.catalogue import Catalogue
from pentad.registry.offers import Offer
from pentad.system.errors import UsageError
from pentad_cli.authoring.copying import Copied, suffix_or_name

_DEPENDENCIES: dict[str, tuple[str, ...]] = {
    **{name: spec.dependencies for name, spec in STAGE_SPECS.items()},
    "evaluator": ("numpy>=1.26", "torch>=2.11"),
    "format": ("numpy>=1.26", "torch>=2.11"),
    "command": ("click>=8.1",),
}
"""What an implementation imports beside the core, by kind; nothing unless it is named."""

_UPGRADE = """ When a later version of yours reads the options of an earlier one otherwise, name a function in
`Implementation(upgrade=…)`, so that old runs stay readable."""

_ORIGIN = """

It started as a copy of {name} of {distribution} {version}, whose licence holds for what was copied."""


def write_distribution(name: str, kind: str, folder: Path, catalogue: Catalogue, like: Offer[Any] | None = None) -> list[Path]:
    """Write a distribution that offers one thing of a kind.

    Args:
        name: of the distribution and of what it offers: `my-sampler`.
        kind: one of the five stages, or what else plugins offer: `observer`.
        folder: where it goes; new or empty.
        catalogue: what is installed, whose names are taken.
        like: the implementation whose code it starts from; None for a small one that is written to be read.

    Returns:
        The files, in the order in which an author reads them.

    Raises:
        UsageError: the name cannot be that of a distribution or is taken, there is something in the folder, or the code of
            `like` cannot be taken.
    """
    check_name(name, kind, catalogue)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(
            f"--out expects a new or empty folder, found something at {folder}.",
            "Choose another --out DIR.",
            code="folder-taken",
        )
    files = {folder / place: content for place, content in rendered(name, kind, like).items()}
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(files)


def with_article(kind: str) -> str:
    """Return the kind as a sentence says it: `an optimizer`."""
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def use_of(name: str, kind: str) -> str:
    """Return a command that uses what a new distribution offers."""
    if kind in STAGE_SPECS:
        return f"engine run --{kind} {name} --steps 100"
    return {
        "observer": f"engine run --observe {name} --steps 100",
        "corpus": f"engine run --data {name}:{name} --steps 100",  # its folder beside it has the bare name
        "reader": f"engine run --data table{suffix_of(name)} --steps 100",
        "evaluator": f"engine evaluate RUN --with {name}",
        "adapter": f"engine run --start RUN --adapter {name} --steps 100",
        "reward": f"engine run --start RUN --builder grpo --builder.reward {name} --data FILE --steps 100",
        "format": f"engine export RUN --format {name} --out DIR",
        "executor": f"engine compare --executor {name} --model gpt,rnn --steps 100",
        "command": f"engine {name} RUN",
    }[kind]


def suffix_of(name: str) -> str:
    """Return the end of the names of the files that a new reader reads: `.mytable` for `my-table`."""
    return f".{name.replace('-', '')}"


def check_name(name: str, kind: str, catalogue: Catalogue) -> None:
    """Refuse a name that gives no importable package, or one that exists.

    Raises:
        UsageError: as said.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise UsageError(
            f"NAME expects lower-case letters and digits, in words joined by dashes; found {name!r}.",
            "For example my-sampler.",
            code="name-format",
        )
    other = f"Choose another name, for example my-{name}."
    if keyword.iskeyword(_module(name)) or _class(name) in pentad.__all__:
        raise UsageError(f"{name} is a word of Python or of pentad itself.", other, code="name-taken")
    own = suffix_of(name) if kind == "reader" else name
    taken = [offer for offer in catalogue.offers(kind) if offer.name == own]
    if taken:
        raise UsageError(
            f"The {kind} {own} of {taken[0].distribution} {taken[0].version} is installed already.", other, code="name-taken"
        )
    if _is_module(_module(name)) or _is_distribution(name):
        raise UsageError(
            f"A package named {_module(name)} is installed already, so {name} would hide it.", other, code="name-taken"
        )


def rendered(name: str, kind: str, like: Offer[Any] | None = None) -> dict[str, str | bytes]:
    """Return the place of each file in the distribution, and its content."""
    module = _module(name)
    copied = Copied(like, module) if like else None
    dependencies = copied.dependencies() if copied else ["pentad-core>=0.1,<0.2", *_DEPENDENCIES.get(kind, ())]
    words = {
        "name": name,
        "module": module,
        "class_name": _class(name),
        "factory_name": module if module != kind else f"make_{module}",
        "stage": kind,
        "Stage_words": with_article(kind).capitalize(),
        "suffix": suffix_of(name),
        "use": use_of(name, kind),
        "upgrade": _UPGRADE if kind in STAGE_SPECS else "",
        "dependencies": ", ".join(f'"{dependency}"' for dependency in dependencies),
        "file": copied.main if copied else f"{kind}.py",
        "origin": "",
    }
    own = {f"{kind}/plugin.py": "plugin.py", f"{kind}/{kind}.py": f"{kind}.py"}
    places = {
        "README.md": "common/README.md",
        "pyproject.toml": "common/pyproject.toml",
        **({} if copied else {f"{module}/{place}": source for source, place in own.items()}),
        **({} if copied else {f"tests/test_{module}.py": f"{kind}/test.py"}),
        f"{module}/__init__.py": "common/init.py",
        f"{module}/py.typed": "common/py.typed",
        ".gitignore": "common/gitignore",
    }
    if like:
        words["origin"] = _ORIGIN.format(name=like.name, distribution=like.distribution, version=like.version)
    files: dict[str, str | bytes] = {place: Template(_template(source)).substitute(words) for place, source in places.items()}
    if like and copied:
        taken = copied.files(suffix_or_name(like, name, suffix_of(name)))
        files |= {f"{module}/{place}": content for place, content in taken.items()}
        files[f"tests/test_{module}.py"] = _contract_test(name, like)
    return files


def _contract_test(name: str, like: Offer[Any]) -> str:
    """Return the tests of a copy: the contract, or the contracts where it keeps several."""
    from pentad_cli.authoring.checks import kits_of

    kits = [(_of_the_kit(kit), dict(kit.options)) for kit in kits_of(like, {})]
    own = suffix_or_name(like, name, suffix_of(name))
    lines = ['"""The contract, one test for each check."""', "", "from __future__ import annotations", ""]
    lines.append(f"from pentad.testing import {', '.join(sorted(kit for kit, _ in kits))}")
    for kit, options in kits:
        title = '    """A check that cannot hold goes into `expected_failures` with its reason."""'
        lines += ["", "", f"class Test{kit.removesuffix('Conformance')}({kit}):", title, "", f'    name = "{own}"']
        lines += [f"    options = {json.dumps(options)}"] if options else []
    return "\n".join([*lines, ""])


def _of_the_kit(kit: type) -> str:
    """Return the name of the class of `pentad.testing` that a class derives from, or is."""
    return next(base.__name__ for base in kit.__mro__ if base.__module__.startswith("pentad.testing"))


def _template(source: str) -> str:
    return resources.files("pentad_cli.authoring").joinpath("templates", f"{source}.template").read_text(encoding="utf-8")


def _module(name: str) -> str:
    return name.replace("-", "_")


def _class(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("-"))


def _is_module(module: str) -> bool:
    return module in sys.stdlib_module_names or importlib.util.find_spec(module) is not None


def _is_distribution(name: str) -> bool:
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
