"""The wheels alone are a working engine: what is built, what is in it, what pip makes of it."""

from __future__ import annotations

import json
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PROJECTS = sorted(path.parent for place in ("core", "cli", "plugins/*") for path in ROOT.glob(f"{place}/pyproject.toml"))


def wheel_of(wheels: Path, distribution: str) -> zipfile.ZipFile:
    (path,) = wheels.glob(f"{distribution.replace('-', '_')}-[0-9]*.whl")
    return zipfile.ZipFile(path)


def described(project: Path) -> dict[str, Any]:
    return tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)
def test_a_wheel_holds_every_file_of_its_package(project: Path, wheels: Path) -> None:
    name = described(project)["name"]
    package = "pentad" if name == "pentad-core" else name.replace("-", "_")
    sources = {path.relative_to(project).as_posix() for path in (project / package).rglob("*") if path.is_file()}
    sources = {path for path in sources if "__pycache__" not in path}
    with wheel_of(wheels, name) as wheel:
        held = {path for path in wheel.namelist() if ".dist-info/" not in path}
        (metadata,) = [path for path in wheel.namelist() if path.endswith(".dist-info/METADATA")]
        about = wheel.read(metadata).decode()
    assert held == sources
    assert f"{package}/py.typed" in held
    assert "License-Expression: Apache-2.0" in about


def test_package_data_is_in_the_wheels(wheels: Path) -> None:
    with wheel_of(wheels, "pentad-cli") as wheel:
        assert {"pentad_cli/arguments/default.toml", "pentad_cli/authoring/templates/common/README.md.template"} <= set(
            wheel.namelist()
        )
    with wheel_of(wheels, "pentad-gpt2") as wheel:
        assert {"pentad_gpt2/vocab.bpe.xz", "pentad_gpt2/LICENSE-vocabulary"} <= set(wheel.namelist())


def test_the_bundle_names_every_part() -> None:
    project = described(ROOT)
    wanted = {requirement.partition(">")[0] for requirement in project["dependencies"]}
    extra = {
        requirement.partition(">")[0]
        for name, requirements in project["optional-dependencies"].items()
        if name != "dev"
        for requirement in requirements
    }
    assert wanted | extra == {described(project)["name"] for project in PROJECTS}


def test_the_wheels_alone_are_an_engine(installation: Any) -> None:
    (installation.folder / "text.txt").write_text("".join(f"Line {n} of {n * n}.\n" for n in range(400)))
    installation.pip("install", "pentad")
    listed = json.loads(installation.engine("plugins", "--json").stdout)
    assert listed["problems"] == []
    assert {"bpe", "gpt2", "gpt", "rnn", "muon", "greedy"} <= {offer["name"] for offer in listed["offers"]}

    size = (
        "--model.n-layer",
        "1",
        "--model.n-embd",
        "16",
        "--model.n-head",
        "2",
        "--context-length",
        "16",
        "--batch-size",
        "4",
    )
    done = installation.engine("run", "--data", "text.txt", "--tokenizer", "gpt2", "--steps", "2", *size, "--out", "run")
    assert done.returncode == 0, done.stderr
    assert installation.engine("generate", "run", "--max-tokens", "4").returncode == 0

    # Everything in use comes from the wheels, and nothing from this checkout.
    done = installation.python("-c", "import pentad, pentad_gpt2 as gpt2; print(pentad.__file__, gpt2.__file__)")
    assert str(ROOT) not in done.stdout

    assert installation.engine("plugins", "new", "my-sampler", "--stage", "sampler").returncode == 0
    assert (installation.folder / "my-sampler" / "my_sampler" / "sampler.py").is_file()
