"""One call of `engine compare`, from its arguments to the files and the table."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from pentad import STAGES, EngineError, UsageError
from pentad.tools import Interrupted, locked, refuse_links
from pentad_cli.tools import say_json
from pentad_compare.arms import limits
from pentad_compare.from_args import missed_by_plans, name_of, refuse_shared_clock, study_of, tuning_of
from pentad_compare.measures.figures import TokenizerFigures
from pentad_compare.records import ArmResult, Candidate, Comparison
from pentad_compare.request import CompareArgs
from pentad_compare.running import Progress, Runner
from pentad_compare.study import Study, null_tests
from pentad_compare.summary import machine_of, save, sizes_chosen, summarize
from pentad_compare.terminal.screen import Screen, plan_json
from pentad_compare.tuning import Tuning, tune


def run_comparison(args: CompareArgs) -> None:
    """Train and compare.

    Raises:
        UsageError: the arms, the baseline, the budget or the text do not fit.
        EngineError: an arm failed with every seed, after all the others and the report are done.
        Interrupted: by Ctrl-C; what is finished stays.
    """
    study = study_of(args)
    tuning = tuning_of(args, study)
    executor = args.executor()
    study = dataclasses.replace(study, threads=executor.threads, jobs=executor.concurrency)
    refuse_shared_clock(study, tuning, executor)
    tries = tuning.tries(study) if tuning else 0
    with _session(args, study, tries) as screen:
        runner = Runner(executor=executor, watcher=screen, progress=screen.progress, folder=study.folder)
        screen.intro(study.budget, study, tries)
        for note in (*null_tests(study.arms), *limits(args.request.names, args.request.axes, args.request.catalogue)):
            screen.on_note(note)
        runner.plan(study)
        screen.plan(study, executor.concurrency, tries)
        for note in (*sizes_chosen(study), *missed_by_plans(study)):
            screen.on_note(note)
        if args.dry_run:
            _end_dry_run(args, screen, "This was a dry run: nothing was trained.", plan_json(study, screen.progress))
            return
        comparison = _train(study, tuning, runner)
        screen.result(comparison)
        _save(args, comparison, study, screen)
    refuse_failed(comparison.arms)


def _train(study: Study, tuning: Tuning | None, runner: Runner) -> Comparison:
    candidates: Mapping[str, Sequence[Candidate]] = {}
    if tuning is not None:
        study, candidates = tune(study, tuning, runner)
        runner.plan(study)  # of the tuned arms: all seeds of one get the same sizes
    runner.train(study)
    if study.prompts:
        runner.write_texts(study)
    return summarize(study, runner.progress, candidates)


def compare_tokenizers(args: CompareArgs) -> None:
    """Compare tokenizers without training a model.

    Raises:
        UsageError: something other than tokenizers varies, or the text is missing.
        EngineError: a tokenizer could not be measured, after the others and the report are done.
    """
    _refuse_other_lists(args)
    study = study_of(args)
    names = [arm.recipe.choice("tokenizer").name for arm in study.arms]
    if len(names) == 1:
        arms = [dataclasses.replace(study.arms[0], label=names[0])]
        study = dataclasses.replace(study, arms=arms, baseline=names[0], name=args.name or name_of(arms, args))
    with _session(args, study) as screen:
        if args.dry_run:
            labels = [arm.label for arm in study.arms]
            words = f"This was a dry run: it would train and measure {'; '.join(labels)}."
            _end_dry_run(args, screen, words, {"name": study.name, "tokenizers": labels})
            return
        runner = Runner(executor=args.executor(), watcher=screen, progress=screen.progress, folder=study.folder)
        figures = runner.measure_tokenizers(study)
        comparison = dataclasses.replace(
            summarize(study, screen.progress, {}),
            tokenizers=figures,
            machine=machine_of(()),
            arms=(),
            groups=(),
            notes=(),
            human=None,
            human_texts=(),
        )
        screen.tokenizers(figures)
        _save(args, comparison, study, screen)
    refuse_failed(figures)


def _refuse_other_lists(args: CompareArgs) -> None:
    request = args.request
    others: list[str] = [stage for stage in STAGES[1:] if len(request.names[stage]) > 1]
    others += [axis.key for axis in request.axes if axis.table != "tokenizer" and len(axis.values) > 1]
    others += ["arm"] * bool(args.arm) + ["tune"] * bool(args.tune)
    if others:
        raise UsageError(
            f"--no-train compares tokenizers alone; found --{others[0]}.",
            "Leave one of the two out.",
            code="options-conflict",
        )


def _end_dry_run(args: CompareArgs, screen: Screen, words: str, plan: Mapping[str, Any]) -> None:
    if args.as_json:
        say_json(plan)
    else:
        screen.say(words)


def _save(args: CompareArgs, comparison: Comparison, study: Study, screen: Screen) -> None:
    """Write the files and say where; the screen has shown the result already, so that a full disk takes the files alone."""
    save(comparison, study.report, args.figures)
    screen.files(study.report, args.figures)
    if args.as_json:
        say_json(comparison)


def refuse_failed(results: Sequence[ArmResult] | Sequence[TokenizerFigures]) -> None:
    """End with an error where an arm has no result at all, so that a script notices.

    Raises:
        EngineError: one or more failed.
    """
    failed = [result for result in results if result.failure]
    hint = "The report shows every cause."
    if len(failed) == len(results):
        raise EngineError(f"Every run failed. {failed[0].label}: {failed[0].failure}", hint, code="all-failed")
    if failed:
        labels = "; ".join(result.label for result in failed)
        raise EngineError(f"Every run of {labels} failed. {failed[0].failure}", hint, code="arm-failed")


@contextlib.contextmanager
def _session(args: CompareArgs, study: Study, tries: int = 0) -> Iterator[Screen]:
    """Hold the folder, show the progress, and turn Ctrl-C into the command that resumes."""
    screen = Screen(sys.stderr if args.as_json else sys.stdout)
    refuse_links(study.report.absolute(), within=study.folder.absolute())
    with lock_folder(study.folder), interruptible(study, tries, screen.progress), contextlib.closing(screen):
        yield screen


@contextlib.contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Keep a second comparison out of the folder.

    Raises:
        EngineError: one is running there, or it cannot be written.
    """
    with contextlib.ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            held.enter_context(locked(folder / ".lock", wait=False))
        except BlockingIOError:
            raise EngineError(
                f"{folder} is in use by another comparison.", "Wait for it, or use another --out.", code="folder-in-use"
            ) from None
        except OSError as error:
            raise EngineError(
                f"{folder} must be writable; found: {error.strerror}.", "Use another --out.", code="not-writable"
            ) from error
        yield


@contextlib.contextmanager
def interruptible(study: Study, tries: int, progress: Progress) -> Iterator[None]:
    """Turn Ctrl-C and SIGTERM into the message that says what is finished and how to resume.

    Raises:
        Interrupted: instead of KeyboardInterrupt.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the rest takes no time
        total = len(study.arms) * len(study.seeds) + tries
        raise Interrupted(
            f"Stopped; {len(progress.trained)} of {total} runs are finished, and the current one is saved.",
            f"To resume: {study.command}",
        ) from None
    finally:
        signal.signal(signal.SIGTERM, before)
