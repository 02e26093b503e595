"""What tells an arm's runs from any others'."""

from __future__ import annotations

import dataclasses

import pytest

from pentad import Catalogue, TaskExecutor
from pentad.config.recipe import Choice
from pentad.data.corpus import open_corpus
from pentad.data.split import split_corpus
from pentad.testing import raises_code
from pentad_cli.arguments.layers import default_tables
from pentad_compare.arms import arm_of, product
from pentad_compare.from_args import refuse_shared_clock
from pentad_compare.results import place_of, write_result
from pentad_compare.study import Study, run_recipe, slug


@pytest.fixture
def study(place, tmp_path):
    catalogue = Catalogue()
    tables = default_tables()
    names = {stage: (Choice(tables[stage]["name"]),) for stage in ("tokenizer", "builder", "model", "optimizer", "sampler")}
    split = split_corpus(open_corpus([str(place / "text.txt")], catalogue), 0.1)
    return Study(
        arms=product(tables, names, (), catalogue),
        seeds=[0, 1],
        folder=tmp_path,
        name="x",
        split=split,
        catalogue=catalogue,
        plugins=(),
        prompts=2,
        text_bytes=60,
        threads=None,
        jobs=1,
        baseline="gpt",
        confidence=0.95,
        detect=0.01,
        command="engine compare",
    )


def with_training(recipe, **changes):
    return recipe.replace(training=dataclasses.replace(recipe.training, **changes))


def test_a_key_changes_with_all_that_decides_a_result(study):
    recipe = study.arms[0].recipe
    changed = [
        with_training(recipe, batch_size=3),
        with_training(recipe, budget="3MB"),
        dataclasses.replace(recipe, model=Choice("gpt", **{**recipe.choice("model").options, "n_layer": 9})),
        dataclasses.replace(recipe, data=dataclasses.replace(recipe.data, validation=0.1)),
        recipe.replace(machine={"precision": "bf16"}),
        recipe.replace(evaluation={"evaluate_every": 0.3}),  # other points of the curve
    ]
    keys = [study.key(recipe), *(study.key(each) for each in changed), study.key(recipe, 1)]
    other = split_corpus(study.split.train, 0.1)
    keys.append(dataclasses.replace(study, split=other).key(recipe))
    assert len(set(keys)) == len(keys)


def test_a_key_does_not_change_with_what_decides_nothing(study):
    recipe = with_training(study.arms[0].recipe, budget="3MB")
    same = [
        with_training(recipe, seed=7),
        recipe.replace(sampler="greedy"),
        recipe.replace(machine={"threads": 1}),
        recipe.replace(reporting={"log_every": 3, "checkpoint_seconds": 1.0, "keep_checkpoints": 9}),
        recipe.replace(generation={"prompt": "a", "max_tokens": 3, "samples": 2, "sample_every": 0.5}),
    ]
    assert {study.key(each) for each in same} == {study.key(recipe)}


def test_a_budget_of_time_is_one_machines(study, monkeypatch):
    recipe = study.arms[0].recipe
    timed, counted = with_training(recipe, budget="60s"), with_training(recipe, budget="3MB")
    before = study.key(timed), study.key(counted)
    monkeypatch.setattr("pentad_compare.study.processor", lambda: "another processor")
    assert study.key(timed) != before[0]
    assert study.key(counted) == before[1]


def test_a_budget_of_time_is_one_number_of_threads(study):
    timed, counted = (with_training(study.arms[0].recipe, budget=budget) for budget in ("60s", "3MB"))
    one, two = dataclasses.replace(study, threads=1), dataclasses.replace(study, threads=2)
    assert one.key(timed) != two.key(timed) and one.key(counted) == two.key(counted)
    assert one.key(timed) == two.key(timed.replace(machine={"threads": 1}))


def test_a_key_changes_with_the_code(study, monkeypatch):
    keys = {study.key(study.arms[0].recipe)}
    offer = study.catalogue.find("optimizer", study.arms[0].recipe.choice("optimizer").name)
    for change in ({"version": "0.1.1"}, {"distribution": "acme"}):
        monkeypatch.setattr(study.catalogue, "find", lambda kind, name, change=change: dataclasses.replace(offer, **change))
        keys.add(study.key(study.arms[0].recipe))
    monkeypatch.undo()
    monkeypatch.setattr("pentad.__version__", "99")
    keys.add(study.key(study.arms[0].recipe))
    monkeypatch.undo()
    monkeypatch.setattr("importlib.metadata.version", lambda name: "99")
    keys.add(study.key(study.arms[0].recipe))
    assert len(keys) == 5


class Somewhere(TaskExecutor):
    """Runs nothing; says what it has."""

    concurrency, cores, shares_devices, threads = 1, None, True, 1

    def __init__(self, jobs, cores):
        self.concurrency, self.cores = jobs, cores

    def run_tasks(self, tasks):
        yield from ()


@pytest.mark.parametrize(
    ("jobs", "cores", "threads", "device", "gpu", "apart"),
    [
        (1, 2, None, "auto", False, True),
        (3, 4, 1, "auto", False, True),
        (4, 4, 1, "auto", False, False),  # no core is left for the rest of the system
        (3, 7, 2, "cpu", False, True),
        (3, 6, 2, "cpu", False, False),
        (3, None, 1, "cpu", False, False),  # it is not known where they run
        (3, 4, 1, "cpu", True, True),
        (3, 4, 1, "auto", True, False),  # one GPU for all
    ],
)
def test_a_budget_of_time_needs_a_core_for_each_thread(study, monkeypatch, jobs, cores, threads, device, gpu, apart):
    monkeypatch.setattr("torch.accelerator.is_available", lambda: gpu)
    timed = with_training(study.arms[0].recipe.replace(machine={"device": device}), steps=None, budget="10s")
    study = dataclasses.replace(study, arms=[dataclasses.replace(study.arms[0], recipe=timed)], threads=threads)
    executor = Somewhere(jobs, cores)
    if apart:
        refuse_shared_clock(study, None, executor)
        return
    with raises_code("budget-shared") as caught:
        refuse_shared_clock(study, None, executor)
    assert ("--threads" in caught.value.hint) == bool(((cores or 0) - 1) // jobs)


def test_runs_in_company_are_others_where_time_is_the_budget(study):
    timed = with_training(study.arms[0].recipe, steps=None, budget="10s")
    busy = dataclasses.replace(study, jobs=3)
    assert study.key(timed) != busy.key(timed)
    counted = with_training(timed, steps=10, budget=None)
    assert study.key(counted) == busy.key(counted)


def test_arms_of_one_recipe_lie_apart(study):
    replica = arm_of("replica", study.arms[0].recipe.to_dict(), study.arms[0].samplers, study.catalogue)
    both = dataclasses.replace(study, arms=[*study.arms, replica])
    folders = [both.arm_folder(arm) for arm in both.arms]
    assert folders[0] == study.arm_folder(study.arms[0])
    assert folders[0] != folders[1]


def test_a_run_gets_its_seed_and_the_share_of_threads(study):
    recipe = run_recipe(study.arms[0].recipe, 5, 2)
    assert (recipe.training.seed, recipe.machine.threads, recipe.generation.sample_every) == (5, 2, 0.0)
    asked = study.arms[0].recipe.replace(machine={"threads": 1})
    assert run_recipe(asked, 5, 2).machine.threads == 1


@pytest.mark.parametrize(
    ("label", "name"), [("gpt, n_layer 4", "gpt-n-layer-4"), ("../../etc", "etc"), ("数", "arm"), ("x" * 99, "x" * 60)]
)
def test_labels_become_harmless_names(label, name):
    assert slug(label) == name


def test_all_seeds_of_an_arm_have_the_sizes_of_its_plan(study):
    tables = default_tables()
    tables["model"] = {"name": "gpt", "n_layer": 5}
    names = {stage: (Choice(tables[stage]["name"]),) for stage in ("tokenizer", "builder", "model", "optimizer", "sampler")}
    (arm,) = product(tables, names, (), study.catalogue)
    assert set(arm.recipe.model.options) == {"n_layer"}, "what can be sized is left open"
    study = dataclasses.replace(study, arms=[arm])
    key = study.key(arm.recipe)
    assert study.sized(arm) == arm.recipe
    planned = study.argument(arm.recipe)["recipe"]
    planned["model"] = {"name": "gpt", "n_layer": 9, "n_embd": 96, "n_head": 2}
    planned["training"] = {**planned["training"], "context_length": 64, "seed": 99}
    path = study.arm_folder(arm) / "plan" / "plan.json"
    write_result(path, {"recipe": planned}, place_of(path.parent))
    sized = study.sized(arm)
    assert (sized.model.options["n_layer"], sized.model.options["n_embd"]) == (5, 96), "given options win"
    assert (sized.training.context_length, sized.training.seed) == (64, arm.recipe.training.seed)
    assert study.key(arm.recipe) == key
    recipes = [study.train_task(arm, seed).argument["recipe"] for seed in (0, 1)]
    assert {recipe["model"]["n_embd"] for recipe in recipes} == {96}
    assert [recipe["training"]["seed"] for recipe in recipes] == [0, 1]
