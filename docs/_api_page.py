"""`docs/api.md`: every hook, record, contract and public name, read from the source without importing it."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from _implementations import Implementations
from _markdown import NOTICE, docstring, table

import pentad
import pentad.tools
import pentad_cli.charts
import pentad_cli.tools
from pentad.registry.kinds import KINDS

_Function = ast.FunctionDef | ast.AsyncFunctionDef

_CHAPTERS: dict[str, tuple[str, ...]] = {
    "Records": ("config.stages", "registry.records"),
    "Options": ("config.options", "config.presets"),
    "Tokenizer": ("contracts.tokenizer",),
    "Example builder": (
        *("contracts.builder", "contracts.records", "contracts.batch", "contracts.vocabulary"),
        *("data.examples.shuffling", "data.examples.packing"),
    ),
    "Model": ("contracts.model",),
    "Optimizer": ("contracts.optimizer",),
    "Objective": ("contracts.objective",),
    "Sampler": ("contracts.sampler",),
    "Session": ("contracts.session",),
    "Evaluator": ("contracts.evaluator",),
    "Reward": ("contracts.reward",),
    "Adapter": ("contracts.adapter",),
    "Sizes": ("contracts.situation",),
    "Format": ("contracts.format",),
    "Corpora, readers and commands": (),
    "Running": (
        *("config.recipe", "pipeline", "train.finder", "runs.saved_run", "runs.exchange"),
        *("contracts.observer", "contracts.executor"),
    ),
    "Stages one by one": ("registry.making", "train.trainer"),
    "What is installed": ("registry.catalogue", "system.files"),
    "Errors": ("system.errors",),
}
"""Title to the modules that it describes."""

_BESIDE = {"contracts.observer": ("Preparation", "Plan", "Step", "Evaluation", "Sample", "Saved")}
"""Names that are no part of `pentad.__all__` and that its names speak of, by module."""

_CONFORMANCE: dict[str, tuple[tuple[str, str], ...]] = {
    "Tokenizer": (("stages/tokenizer", "TokenizerConformance"),),
    "Example builder": (
        ("stages/builder", "ExampleBuilderConformance"),
        ("stages/policy", "PolicyBuilderConformance"),
    ),
    "Model": (("stages/model", "ModelConformance"),),
    "Optimizer": (("stages/optimizer", "OptimizerConformance"),),
    "Objective": (("stages/objective", "ObjectiveConformance"),),
    "Sampler": (("stages/sampler", "SamplerConformance"),),
    "Session": (("stages/decoder", "DecoderConformance"),),
    "Evaluator": (("beside/evaluator", "EvaluatorConformance"),),
    "Reward": (("beside/reward", "RewardConformance"),),
    "Running": (
        ("beside/observer", "ObserverConformance"),
        ("beside/executor", "ExecutorConformance"),
    ),
    "Corpora, readers and commands": (
        ("beside/corpus", "CorpusConformance"),
        ("beside/reader", "ReaderConformance"),
        ("beside/command", "CommandConformance"),
    ),
}
"""Chapter to the classes of the kit that check its contracts: file and name."""

_WIDTH = 110

_INTRODUCTION = """# Python and plugin reference

`pentad` is the public surface: what this page lists keeps its meaning within a version 0.x, and a change of a hook or a
contract that a plugin would notice raises the hook API version.

Hook API version: **{version}**. A plugin module may say `pentad_api = {version}`; one that asks for more than the installed
core speaks is listed by `engine plugins` as not loaded, with the reason.

What is marked `@abstractmethod` must be written by who subclasses; everything else has the default that its description
tells. A `@property` may as well be a plain attribute of the class.

A step-by-step introduction is the [plugin tutorial](plugin-tutorial.md); what a plugin may offer, and what its factories are
given, is in [Plugins](plugins.md); the options of every shipped implementation are in the [command reference](cli.md)."""


@dataclass(frozen=True)
class Name:
    """One documented thing: its name, the lines that declare it, its docstring, and its members if it is a class."""

    name: str
    declaration: str
    text: str
    node: ast.stmt


class Module:
    """A source file, parsed."""

    def __init__(self, path: Path) -> None:
        self.tree = ast.parse(path.read_text(encoding="utf-8"))
        self.text = ast.get_docstring(self.tree) or ""
        self.names = {found.name: found for found in _names(self.tree.body)}


def api_page(root: Path) -> str:
    """Return the page."""
    core = root / "core" / "pentad"
    paths = sorted(path for path in core.rglob("*.py") if path.name != "__init__.py" and "testing" not in path.parts)
    modules = {".".join(path.relative_to(core).with_suffix("").parts): Module(path) for path in paths}
    parts = [NOTICE, _INTRODUCTION.format(version=pentad.HOOK_API_VERSION), _hooks(modules["registry.hookspecs"])]
    left, implementations = set(pentad.__all__), Implementations(root)
    for title, stems in _CHAPTERS.items():
        parts += [f"## {title}", implementations.of(title)]
        for stem in stems:
            names = [name for name in modules[stem].names if name in left]
            left -= set(names)
            parts += [docstring(modules[stem].text)] if title in _CONFORMANCE and stem.startswith("contracts.") else []
            parts += [_section(modules[stem].names[name], f"pentad.{name}") for name in names]
            beside = _BESIDE.get(stem, ())
            parts += [_section(modules[stem].names[name], f"pentad.{stem}.{name}") for name in beside]
        parts += [_checks(core / "testing", *place) for place in _CONFORMANCE.get(title, ())]
    left -= {"hookimpl"}
    if left:
        raise SystemExit(f"docs/_api_page.py: no chapter holds {', '.join(sorted(left))}")
    parts.append("## For commands and executors\n\n" + docstring(modules["tools"].text))
    for stem, names in pentad.tools.PLACES.items():
        parts += [_section(modules[stem].names[name], f"pentad.tools.{name}") for name in names if name in modules[stem].names]
    parts.append(_of_the_command_line(root / "cli" / "pentad_cli"))
    parts.append(_kit(core / "testing"))
    return "\n\n".join(part for part in parts if part) + "\n"


def _of_the_command_line(folder: Path) -> str:
    """Return the chapter of what plugins' commands take from the command line."""
    parts = ["## For commands of plugins", docstring(Module(folder / "tools.py").text)]
    parts += _taken_from(folder, pentad_cli.tools)
    parts += ["## Charts", docstring(Module(folder / "charts" / "__init__.py").text)]
    parts += _taken_from(folder, pentad_cli.charts)
    return "\n\n".join(parts)


def _taken_from(folder: Path, door: ModuleType) -> list[str]:
    """Return the sections of the names that a door hands out."""
    parts = []
    for stem, names in door.PLACES.items():
        module = Module(folder / f"{stem.replace('.', '/')}.py")
        found = {name: found for found in module.names.values() for name in found.name.split(", ")}
        parts += [_section(found[name], f"{door.__name__}.{name}") for name in names if name in found]
    return parts


def _hooks(module: Module) -> str:
    kinds = {hook: (kind, record) for kind, (hook, record, *_) in KINDS.items()}
    sentence, _, code = module.text.partition("\n\n")
    parts = ["## Hooks", sentence, f"```python\n{code}\n```", "### pentad.hookimpl"]
    parts.append(
        "Marks a hook's implementation, as above. A module becomes a plugin by an entry point of the group "
        "`pentad`, or for one command by `--plugin FILE`. It must import neither torch nor numpy: what it returns names the "
        "code as `module:attribute`, and that is imported when somebody chooses it."
    )
    for found in module.names.values():
        if found.name in kinds:
            kind, record = kinds[found.name]
            takes = ", ".join(f"`{argument}`" for argument in _arguments(found.node)) or "no arguments"
            parts += [
                f"### {found.name}",
                docstring(found.text),
                f"Takes {takes} and returns a sequence of [`{record.__name__}`](#pentad{record.__name__.lower()}). "
                f"{_contract(kind)}",
            ]
    return "\n\n".join(parts)


def _contract(kind: str) -> str:
    """Return where the contract of a kind stands."""
    chapter = {"builder": "Example builder"}.get(kind, kind.capitalize())
    return f"The factory's contract: [{chapter}](#{chapter.lower().replace(' ', '-')})." if chapter in _CHAPTERS else ""


def _section(found: Name, title: str) -> str:
    parts = [f"### {title}", f"```python\n{found.declaration}\n```", docstring(found.text)]
    if isinstance(found.node, ast.ClassDef):
        members = [_member(member) for member in _members(found.node)]
        parts.append("\n".join(["Members:\n", *members]).rstrip() if members else "")
    return "\n\n".join(part for part in parts if part)


def _member(found: Name) -> str:
    summary = docstring(found.text)
    inner = "\n".join(f"  {line}".rstrip() for line in summary.splitlines())
    return f"- `{' '.join(found.declaration.split())}`\n\n{inner}\n" if inner else f"- `{found.declaration}`\n"


def _is_dataclass(node: ast.ClassDef) -> bool:
    """Whether a class is one by its decorator, or by what it inherits (`pentad.system.frozen`), as the hooks' records are."""
    by_decorator = any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list)
    return by_decorator or bool({"Frozen", "HookRecord", "OptionsRecord"} & {ast.unparse(base) for base in node.bases})


def _members(node: ast.ClassDef) -> Iterator[Name]:
    dataclass_fields = _is_dataclass(node)
    for found in _names(node.body):
        # A dataclass's fields stand in its declaration and in its Args.
        if not found.name.startswith("_") and not (dataclass_fields and isinstance(found.node, ast.AnnAssign)):
            yield found


def _names(body: Sequence[ast.stmt]) -> Iterator[Name]:
    for number, node in enumerate(body):
        following = body[number + 1] if number + 1 < len(body) else None
        if isinstance(node, _Function):
            yield Name(node.name, _function(node), ast.get_docstring(node) or "", node)
        elif isinstance(node, ast.ClassDef):
            yield Name(node.name, _class(node), ast.get_docstring(node) or "", node)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            if isinstance(target, ast.Name):
                yield Name(target.id, ast.unparse(node), _string(following), node)


def _string(node: ast.stmt | None) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return inspect.cleandoc(node.value.value)
    return ""


def _function(node: _Function) -> str:
    decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    if "property" in decorators:
        mark = "@abstractmethod " if "abstractmethod" in decorators else ""
        return f"{mark}@property {node.name}{returns.replace(' -> ', ': ')}"
    marks = "".join(f"@{word} " for word in decorators if word in ("abstractmethod", "classmethod", "staticmethod"))
    return _wrapped(f"{marks}def {node.name}(", _arguments(node), f"){returns}")


def _wrapped(head: str, arguments: Sequence[str], tail: str) -> str:
    line = f"{head}{', '.join(arguments)}{tail}"
    return line if len(line) <= _WIDTH else "\n".join([head, *(f"    {argument}," for argument in arguments), tail])


def _arguments(node: Any) -> list[str]:
    """Return the arguments as they are written, `self` and `cls` left out."""
    given: ast.arguments = node.args
    positional = [*given.posonlyargs, *given.args]
    defaults = [None] * (len(positional) - len(given.defaults)) + list(given.defaults)
    words = [_argument(argument, default) for argument, default in zip(positional, defaults, strict=True)]
    if given.posonlyargs:
        words.insert(len(given.posonlyargs), "/")
    if given.vararg or given.kwonlyargs:
        words.append("*" + (_argument(given.vararg, None) if given.vararg else ""))
    words += [_argument(argument, default) for argument, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)]
    if given.kwarg:
        words.append("**" + _argument(given.kwarg, None))
    words = words[1:] if words and words[0] in ("self", "cls") else words
    return words[1:] if words[:1] == ["/"] else words


def _argument(argument: ast.arg, default: ast.expr | None) -> str:
    annotation = f": {ast.unparse(argument.annotation)}" if argument.annotation else ""
    equals = " = " if annotation else "="
    return f"{argument.arg}{annotation}" + (f"{equals}{ast.unparse(default)}" if default else "")


def _class(node: ast.ClassDef) -> str:
    bases = [base for base in map(ast.unparse, node.bases) if base != "ABC"]
    head = f"class {node.name}" + (f"({', '.join(bases)})" if bases else "")
    own = {found.name: found for found in _names(node.body)}
    if _is_dataclass(node):
        fields = [f"    {_field(found.node)}" for found in own.values() if isinstance(found.node, ast.AnnAssign)]
        return "\n".join([f"{head}:  # a frozen dataclass, its fields by keyword", *fields])
    if "__init__" in own:
        return _wrapped(f"class {node.name}(", _arguments(own["__init__"].node), ")")
    return head


def _field(node: ast.AnnAssign) -> str:
    """Return a field as it is given to the class: a `field(default=…)` and an `option(…)` show their default only."""
    text = f"{ast.unparse(node.target)}: {ast.unparse(node.annotation)}"
    value = node.value
    if isinstance(value, ast.Call) and ast.unparse(value.func) in ("field", "option"):
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in value.keywords}
        first = ast.unparse(value.args[0]) if value.args else None
        factory = f"{given['default_factory']}()" if "default_factory" in given else None
        default = given.get("default") or factory or first
        return f"{text} = {default}"
    return f"{text} = {ast.unparse(value)}" if value else text


def _checks(testing: Path, stem: str, name: str) -> str:
    """Return the promises that a conformance class checks, one sentence each."""
    base = _all_checks(Module(testing / "conformance.py").names["Conformance"])
    shared = [] if name == "CommandConformance" else base
    rows = [*shared, *_own_checks(testing, testing / f"{stem}.py", name)]
    return f"What `pentad.testing.{name}` checks:\n\n" + table(("check", "promise"), rows)


def _own_checks(testing: Path, path: Path, name: str) -> list[tuple[str, str]]:
    """Return the checks of a class and of those that it inherits from, but for the base of all."""
    module = Module(path)
    node = module.names[name].node
    assert isinstance(node, ast.ClassDef)
    places = {
        alias.name: testing.parent / f"{source.module.removeprefix('pentad.').replace('.', '/')}.py"
        for source in module.tree.body
        if isinstance(source, ast.ImportFrom) and source.module and source.module.startswith("pentad.testing.")
        for alias in source.names
    }
    bases = [ast.unparse(base) for base in reversed(node.bases)]
    above = [row for base in bases if base != "Conformance" for row in _own_checks(testing, places[base], base)]
    return [*above, *_all_checks(module.names[name])]


def _all_checks(found: Name) -> list[tuple[str, str]]:
    assert isinstance(found.node, ast.ClassDef)
    checks = [name for name in _names(found.node.body) if name.name.startswith("check_")]
    return [(f"`{check.name.removeprefix('check_')}`", check.text) for check in checks]


def _kit(testing: Path) -> str:
    import pentad.testing

    package = Module(testing / "__init__.py")
    shown = Module(testing / "conformance.py").names | Module(testing / "raising.py").names
    parts = ["## Conformance kit", docstring(package.text)]
    for name in pentad.testing.__all__:
        if name in shown:
            parts.append(_section(shown[name], f"pentad.testing.{name}"))
    stages = [f"`pentad.testing.{name}`" for name in pentad.testing.__all__ if name not in shown]
    parts.append(f"One class for each contract: {', '.join(stages)}. Their checks stand with the contract, above.")
    return "\n\n".join(parts)
