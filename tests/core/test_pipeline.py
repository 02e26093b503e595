"""The pipeline through its doors: run, resume, plan, open_run, with real processes that are stopped and killed."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import traceback
import types

import pytest
import torch

from pentad import (
    Catalogue,
    Choice,
    EngineError,
    Implementation,
    RunObserver,
    hookimpl,
    open_run,
    plan,
    resume,
    run,
)
from pentad.runs.newest import list_checkpoints
from pentad.system.errors import Interrupted
from pentad.system.machine import compiler_for
from pentad.testing import raises_code

GPT = Choice("gpt", n_layer=1, n_head=2, n_embd=8, dropout=0.2, ngram_order=0)
RNN = Choice("rnn", n_layer=2, n_embd=8, cell="gru", dropout=0.2)


pytestmark = pytest.mark.usefixtures("cache")
"""What every test here makes of its text stays in the cache of the session."""


def at_step(step, action):
    """Return an observer that acts when a step is done."""

    class Acts(RunObserver):
        def on_step(self, event):
            if event.step == step:
                action()

    return Acts()


def stop_at(step, number=signal.SIGTERM):
    return at_step(step, lambda: os.kill(os.getpid(), number))


def forked(work):
    """Run work in a process of its own; return how it ended (an exit code, or minus the signal)."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except Interrupted:
            code = 130
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def lines(path, name="metrics.jsonl"):
    found = [json.loads(line) for line in (path / name).read_text().splitlines()]
    for line in found:
        line.pop("timing", None)
    return found


def weights(path):
    newest = path / "checkpoints" / f"step-{list_checkpoints(path)[0]}"
    return {name: (newest / name).read_bytes() for name in ("model.safetensors", "optimizer.safetensors")}


def assert_same_run(left, right):
    assert list_checkpoints(left)[0] == list_checkpoints(right)[0]
    assert weights(left) == weights(right)
    for name in ("metrics.jsonl", "samples.jsonl"):
        assert lines(left, name) == lines(right, name)


def offering_model(name, make):
    """Return what is installed and a model more, made of its vocabulary alone."""

    @hookimpl
    def engine_models():
        factory = lambda options, vocab_size, context_length: make(vocab_size)  # noqa: E731
        return [Implementation(name=name, summary="", factory=factory)]

    catalogue = Catalogue()
    catalogue._load("acme", "1", lambda: types.SimpleNamespace(engine_models=engine_models))
    return catalogue


# --- the run as a whole


def test_a_run_from_text_to_samples(text, tmp_path, tiny_recipe):
    heard = []

    class Listener(RunObserver):
        def __getattribute__(self, name):
            if not name.startswith("on_"):
                return super().__getattribute__(name)
            return lambda event: heard.append((name, event))

    result = run(tiny_recipe(text), out=tmp_path / "run", observers=[Listener()])
    names = [name for name, _ in heard]
    assert names.count("on_step") == 8 and names[-1] == "on_end" and heard[-1][1] is result
    assert names.index("on_start") < names.index("on_step") and {"on_preparation", "on_checkpoint"} < set(names)
    assert [event.step for name, event in heard if name == "on_evaluation"] == [3, 5, 8]  # from 0.3, 0.6, 0.9 of 8 steps
    assert result.step == 8 and result.tokens == 8 * 8 * 16 and len(result.samples) == 2
    assert 5 < result.bits_per_byte < 9
    steps = [line for line in lines(tmp_path / "run") if line["kind"] == "step"]
    assert [line["step"] for line in steps] == [1, 3, 6, 8]
    saved = open_run(tmp_path / "run")
    assert [sample.text for sample in saved.generate("1 c", max_tokens=8, samples=2)] == [each.text for each in result.samples]
    assert saved.evaluate().bits_per_byte == pytest.approx(result.bits_per_byte, rel=1e-6)
    assert 0 <= text.stat().st_size - saved.evaluate([str(text)]).n_bytes <= 2 * 60  # the lines between documents
    with raises_code("context-too-long"):
        saved.evaluate(context_length=99)


def test_a_plan_trains_nothing(text, tmp_path, tiny_recipe):
    found = plan(tiny_recipe(text), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    assert (found.steps, found.tokens_per_step, found.device, found.precision, found.vocab_size) == (8, 128, "cpu", "fp32", 257)
    assert sum(found.parameters.values()) == sum(each.numel() for each in model_of(text, tmp_path, tiny_recipe).parameters())
    assert found.train_bytes + found.held_out_bytes <= text.stat().st_size
    assert any("held out" in warning for warning in found.warnings)


def model_of(text, tmp_path, tiny_recipe):
    run(tiny_recipe(text, steps=1), out=tmp_path / "model")
    return open_run(tmp_path / "model").model


def test_a_raising_observer_does_not_end_the_run(text, tmp_path, tiny_recipe):
    def fail():
        raise RuntimeError("no network")

    with pytest.warns(UserWarning, match="Acts raised in on_step and is left out"):
        assert run(tiny_recipe(text, steps=3), out=tmp_path / "run", observers=[at_step(1, fail)]).step == 3


def test_a_time_budget_ends_in_time_with_its_schedule_run_down(text, tmp_path, tiny_recipe):
    rates = []

    class Rates(RunObserver):
        def on_step(self, event):
            rates.append((event.progress, event.learning_rate))

    optimizer = Choice("adamw", schedule="linear", final_lr_ratio=0.0)
    result = run(
        tiny_recipe(
            text,
            optimizer=optimizer,
            training={"steps": None, "budget": "1.5s"},
            evaluation={"evaluate_every": 0},
            generation={"sample_every": 0},
        ),
        out=tmp_path / "run",
        observers=[Rates()],
    )
    assert 1.5 <= result.seconds < 6 and result.step > 10
    assert rates[-1][0] == 1 and rates[-1][1] < 0.15
    assert all(first[0] <= second[0] for first, second in itertools.pairwise(rates))


@pytest.mark.parametrize(("budget", "steps"), [("1KB", 8), ("1b", 1)])
def test_a_budget_of_text(text, tmp_path, tiny_recipe, budget, steps):
    found = plan(tiny_recipe(text, training={"steps": None, "budget": budget}))
    assert abs(found.steps - steps) <= 1


def test_the_folder_must_be_free(text, tmp_path, tiny_recipe):
    (tmp_path / "notes.txt").write_text("x")
    with raises_code("folder-taken"):
        run(tiny_recipe(text), out=tmp_path)


# --- stopped and gone on with


@pytest.mark.parametrize(
    ("model", "optimizer", "builder", "precision"),
    [
        (GPT, "adamw", "next-token", "fp32"),
        (GPT, "adamw", "next-token", "bf16"),
        (RNN, "muon", "next-token", "fp32"),
        (GPT, "muon", "prefix", "fp32"),
    ],
)
def test_resume_is_exact(text, tmp_path, tiny_recipe, model, optimizer, builder, precision):
    """A pass over the text is about 10 steps: stopped before and after it ends, twice, and killed."""
    machine = {"precision": precision}
    choice = tiny_recipe(text, steps=24, model=model, optimizer=optimizer, builder=builder, machine=machine)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert forked(lambda: run(choice, out=whole)) == 0
    saving = tiny_recipe(
        text,
        steps=24,
        model=model,
        optimizer=optimizer,
        builder=builder,
        machine=machine,
        reporting={"checkpoint_seconds": 1e-9},
    )
    assert forked(lambda: run(choice, out=cut, observers=[stop_at(5, signal.SIGINT)])) == 130
    assert list_checkpoints(cut) == [6]  # the step in which it was asked is finished, and the next one hears of it
    assert forked(lambda: resume(cut, observers=[stop_at(11)])) == 130
    assert forked(lambda: resume(cut, observers=[stop_at(17, signal.SIGKILL)])) == -signal.SIGKILL
    assert len(lines(cut)) > len([line for line in lines(cut) if line["step"] <= 12])  # ahead of its last checkpoint
    with (cut / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "step", "st')
    assert forked(lambda: resume(cut)) == 0
    assert_same_run(whole, cut)
    assert forked(lambda: run(saving, out=tmp_path / "saving", observers=[stop_at(20, signal.SIGKILL)])) == -signal.SIGKILL
    assert forked(lambda: resume(tmp_path / "saving")) == 0
    assert_same_run(whole, tmp_path / "saving")


@pytest.mark.skipif(compiler_for(torch.device("cpu")) is None, reason="torch.compile needs a C++ compiler")
def test_a_compiled_run_is_resumed_exactly(text, tmp_path, tiny_recipe, fakes, monkeypatch):
    """The model is of two matrices, as g++ takes seconds for each kernel; its dropout draws within the compiled code."""
    import torch._dynamo.utils

    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path / "cache"))
    catalogue = offering_model("tiny", lambda vocab_size: fakes.Tiny(vocab_size, dropout=0.2))
    choice = tiny_recipe(text, steps=6, model="tiny", machine={"compile": "on"})
    run(choice, out=tmp_path / "whole", catalogue=catalogue)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0
    assert list((tmp_path / "cache" / "compiled").rglob("*.so")), "where torch looks by itself, others could have written"
    with raises_code("interrupted"):
        run(choice, out=tmp_path / "cut", catalogue=catalogue, observers=[stop_at(2)])
    torch._dynamo.reset()
    resume(tmp_path / "cut", catalogue=catalogue)
    assert_same_run(tmp_path / "whole", tmp_path / "cut")
    assert json.loads((tmp_path / "cut" / "engine.json").read_text())["compiled"] is True


def test_killed_before_the_first_checkpoint_it_starts_anew(text, tmp_path, tiny_recipe):
    assert forked(lambda: run(tiny_recipe(text), out=tmp_path / "whole")) == 0
    assert forked(lambda: run(tiny_recipe(text), out=tmp_path / "cut", observers=[stop_at(3, signal.SIGKILL)])) == -9
    with raises_code("checkpoint-missing") as caught:
        open_run(tmp_path / "cut")
    assert "engine resume" in caught.value.hint
    assert forked(lambda: resume(tmp_path / "cut")) == 0
    assert_same_run(tmp_path / "whole", tmp_path / "cut")


def test_killed_between_the_score_and_the_texts(text, tmp_path, tiny_recipe):
    class Dies(RunObserver):
        def on_evaluation(self, event):
            if event.step == 8:
                os.kill(os.getpid(), signal.SIGKILL)

    assert forked(lambda: run(tiny_recipe(text), out=tmp_path / "whole")) == 0
    assert forked(lambda: run(tiny_recipe(text), out=tmp_path / "cut", observers=[Dies()])) == -9
    assert forked(lambda: resume(tmp_path / "cut")) == 0
    assert_same_run(tmp_path / "whole", tmp_path / "cut")


def test_resume_in_a_python_of_its_own(text, tmp_path, tiny_recipe):
    """The same with nothing shared: a fresh interpreter for each part, the door as users know it."""
    code = textwrap.dedent("""
        import os, signal, sys
        from pentad import RunObserver, resume
        class Stop(RunObserver):
            def on_step(self, event):
                if event.step == 7:
                    os.kill(os.getpid(), signal.SIGTERM)
        try:
            resume(sys.argv[1], observers=[Stop()])
        except Exception as error:
            print(type(error).__name__, error)
    """)
    assert forked(lambda: run(tiny_recipe(text, steps=12), out=tmp_path / "whole")) == 0
    assert forked(lambda: run(tiny_recipe(text, steps=12), out=tmp_path / "cut", observers=[stop_at(3)])) == 130
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "cut")], capture_output=True, text=True)
    assert done.stdout.startswith("Interrupted Stopped at step 8;"), done.stderr
    assert forked(lambda: resume(tmp_path / "cut")) == 0
    assert_same_run(tmp_path / "whole", tmp_path / "cut")


def test_a_finished_run_is_refused_and_may_go_further(text, tmp_path, tiny_recipe):
    run(tiny_recipe(text, steps=4), out=tmp_path / "run")
    with raises_code("run-done") as caught:
        resume(tmp_path / "run")
    assert caught.value.hint == f"To go further: engine resume {tmp_path / 'run'} --steps 8"
    assert resume(tmp_path / "run", steps=6).step == 6
    assert [line["step"] for line in lines(tmp_path / "run") if line["kind"] == "end"] == [4, 6]
    assert open_run(tmp_path / "run").recipe.training.steps == 6


def test_a_second_process_in_the_same_run_is_refused(text, tmp_path, tiny_recipe):
    seen = []

    def second():
        before = (tmp_path / "run/metrics.jsonl").read_bytes()
        try:
            resume(tmp_path / "run")
        except EngineError as error:
            seen.append(error.code)
        assert (tmp_path / "run/metrics.jsonl").read_bytes() == before

    run(tiny_recipe(text, steps=4), out=tmp_path / "run", observers=[at_step(3, second)])
    assert seen == ["folder-in-use"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda path: path.write_text(path.read_text() + "One more.\n"), "text-changed"),
        (lambda path: path.unlink(), "data-not-found"),
    ],
)
def test_a_text_that_changed_is_refused(text, tmp_path, tiny_recipe, change, code):
    with raises_code("interrupted"):
        run(tiny_recipe(text), out=tmp_path / "run", observers=[stop_at(2)])
    change(text)
    with raises_code(code):
        resume(tmp_path / "run")
    if text.exists():
        with raises_code("text-changed") as caught:
            open_run(tmp_path / "run").evaluate()
        assert "--data" in caught.value.hint


def test_a_damaged_newest_checkpoint_is_passed_over(text, tmp_path, tiny_recipe):
    said = []

    class Listener(RunObserver):
        def on_preparation(self, event):
            said.append(event.what)

    assert forked(lambda: run(tiny_recipe(text, steps=12), out=tmp_path / "whole")) == 0
    choice = tiny_recipe(text, steps=12, reporting={"checkpoint_seconds": 1e-9})
    assert forked(lambda: run(choice, out=tmp_path / "cut", observers=[stop_at(6, signal.SIGKILL)])) == -9
    assert list_checkpoints(tmp_path / "cut") == [5, 4, 3]
    path = tmp_path / "cut/checkpoints/step-5/model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    resume(tmp_path / "cut", observers=[Listener()])
    assert any("Skipping a checkpoint" in what and "step-5" in what for what in said)
    assert_same_run(tmp_path / "whole", tmp_path / "cut")


def test_not_a_number_ends_the_run_and_the_checkpoint_stands(text, tmp_path, tiny_recipe):
    optimizer = Choice("adamw", lr=1e30, warmup_ratio=0.0)
    found = tiny_recipe(text, model=Choice("rnn", n_layer=1, n_embd=8), optimizer=optimizer, training={"grad_clip": 0.0})
    with raises_code("diverged"):
        run(found, out=tmp_path / "run")


def test_a_last_step_that_diverges_gives_no_score(text, tmp_path, tiny_recipe):
    optimizer = Choice("adamw", lr=1e38, warmup_ratio=0.0, schedule="constant", weight_decay=0.0)
    with raises_code("diverged"):
        run(tiny_recipe(text, steps=1, optimizer=optimizer, training={"grad_clip": 0.0}), out=tmp_path / "run")
    assert '"kind": "evaluation"' not in (tmp_path / "run/metrics.jsonl").read_text()


def test_what_is_not_counted_has_no_budget_of_arithmetic(text, tmp_path, tiny_recipe, fakes):
    with raises_code("arithmetic-unknown"):
        plan(
            tiny_recipe(text, model="bigram", steps=None, training={"budget": "1e9flops"}),
            catalogue=offering_model("bigram", fakes.Counting),
        )


def test_a_counted_model_goes_through_the_whole_pipeline(text, tmp_path, tiny_recipe, fakes):
    """No parameters, no optimizer: trained, saved, resumed, scored, sampled."""
    catalogue = offering_model("bigram", fakes.Counting)
    found = tiny_recipe(text, steps=12, model="bigram")
    whole = run(found, out=tmp_path / "whole", catalogue=catalogue)
    with raises_code("interrupted"):
        run(found, out=tmp_path / "cut", catalogue=catalogue, observers=[stop_at(4)])
    resume(tmp_path / "cut", catalogue=catalogue)
    assert_same_run(tmp_path / "whole", tmp_path / "cut")
    assert whole.bits_per_byte < 4.5  # against 8 of knowing nothing
    assert open_run(tmp_path / "cut", catalogue=catalogue).generate("1 c", max_tokens=8)[0].text == whole.samples[0].text


def test_from_a_thread_without_signals(text, tmp_path, tiny_recipe):
    results = []
    thread = threading.Thread(target=lambda: results.append(run(tiny_recipe(text, steps=2), out=tmp_path / "run")))
    thread.start()
    thread.join()
    assert results[0].step == 2


def test_the_clock_counts_training_alone(text, tmp_path, tiny_recipe):
    class Slow(RunObserver):
        def on_step(self, event):
            time.sleep(0.3)

    assert run(tiny_recipe(text, steps=3), out=tmp_path / "run", observers=[Slow()]).seconds < 0.9
