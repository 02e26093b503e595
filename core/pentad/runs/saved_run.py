"""A run that is on the disk, ready to generate and to be scored."""

from __future__ import annotations

import dataclasses
import functools
import math
import warnings
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from pentad.config.options import split_options
from pentad.config.recipe import Choice, Recipe
from pentad.contracts.adapter import ModelAdapter
from pentad.contracts.builder import ExampleBuilder
from pentad.contracts.evaluator import Evaluated, HeldOut
from pentad.contracts.model import Model
from pentad.contracts.observer import Evaluation, Preparation, RunObserver, Sample
from pentad.contracts.session import Limits, TokenEvent
from pentad.contracts.tokenizer import Tokenizer
from pentad.contracts.vocabulary import Vocabulary
from pentad.data.corpus import open_corpus
from pentad.data.preparation import make_builder, open_split, read_by, rendering_of
from pentad.data.rendering import PLAIN
from pentad.data.shards import tokenize_split
from pentad.data.split import Part, Split, split_corpus
from pentad.inference.filling import mask_of, masked_prompt, trimmed
from pentad.inference.generation import OnToken, generate, make_sampler
from pentad.inference.rounding import round_weights
from pentad.inference.scoring import Offered, find_evaluator, judge
from pentad.inference.session import ModelSession
from pentad.registry.catalogue import Catalogue
from pentad.registry.maker import Maker
from pentad.registry.resolving import Resolved
from pentad.runs.checkpoint import Checkpoint
from pentad.runs.folder import RunDirectory
from pentad.runs.initial import adapt, frozen_by, make_model, restore_initial
from pentad.runs.newest import newest_checkpoint
from pentad.system.cache import cache_directory
from pentad.system.errors import EngineError, UsageError, to_resume
from pentad.system.machine import Machine, pick_machine


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class SavedRun:
    """A trained model with all that belongs to it.

    Args:
        path: the run's folder.
        recipe: every choice.
        step: training steps behind the model.
        tokenizer, builder, model: as trained.
        machine: where the model is.
        adapter: what changed the model, or None.
    """

    path: Path
    recipe: Recipe
    step: int
    tokenizer: Tokenizer
    builder: ExampleBuilder
    model: Model
    machine: Machine
    resolved: Resolved
    catalogue: Catalogue
    adapter: ModelAdapter | None = None

    def __repr__(self) -> str:
        """Say which model it is and where."""
        parameters = sum(parameter.numel() for parameter in self.model.parameters())
        return f"<SavedRun: {self.recipe.model.name} with {parameters:,} parameters, step {self.step:,}, {self.path}>"

    def generate(
        self,
        prompt: str = "",
        *,
        max_tokens: int = 120,
        samples: int = 1,
        sampler: Choice | str | None = None,
        seed: int = 0,
        limits: Limits | None = None,
        on_token: OnToken | None = None,
        on_event: Callable[[TokenEvent], None] | None = None,
    ) -> list[Sample]:
        """Go on from a text.

        Args:
            prompt: plain text; empty for the start of a document.
            max_tokens: most tokens of each text.
            samples: how many texts.
            sampler: another one than the recipe's.
            seed: decides every draw.
            limits: in place of the three, where more is to be said.
            on_token: called with the number of the text and the piece that its newest token completes.
            on_event: called with each token; `limits` says whether its log-probability is wanted.

        Raises:
            UsageError: the sampler or its options are unknown, or the model cannot generate.
        """
        choice = Choice(sampler) if isinstance(sampler, str) else sampler
        method = make_sampler(self.resolved, self.catalogue, choice, self.tokenizer, self.vocabulary)
        limits = limits or Limits(max_tokens=max_tokens, samples=samples, seed=seed)
        ids = None
        if not self.builder.writes_on:
            ids, prompt = self.gap_prompt([prompt, ""]), trimmed(self.tokenizer, [prompt, ""])[0]
        return generate(self.session, method, prompt, limits, ids=ids, step=self.step, on_token=on_token, on_event=on_event)

    def fill(
        self,
        parts: Sequence[str],
        *,
        max_tokens: int = 120,
        samples: int = 1,
        sampler: Choice | str | None = None,
        seed: int = 0,
        limits: Limits | None = None,
        on_event: Callable[[TokenEvent], None] | None = None,
    ) -> list[Sample]:
        """Fill in what stands between the parts of a text.

        A bidirectional model writes one token between each two parts, where it is surest first; a causal one whose builder
        teaches to fill gaps writes what fits between two parts.

        Args:
            parts: plain text, at least two.
            max_tokens: most tokens of a gap.
            samples, sampler, seed, limits, on_event: as for `generate`.

        Raises:
            UsageError: the run has not learned to fill such gaps; the text is too long for it.
        """
        choice = Choice(sampler) if isinstance(sampler, str) else sampler
        method = make_sampler(self.resolved, self.catalogue, choice, self.tokenizer, self.vocabulary)
        limits = limits or Limits(max_tokens=max_tokens, samples=samples, seed=seed)
        ids, words = self.gap_prompt(parts), trimmed(self.tokenizer, parts) if self.model.causal else ["", ""]
        return generate(self.session, method, words[0], limits, ids=ids, suffix=words[-1], step=self.step, on_event=on_event)

    def gap_prompt(self, parts: Sequence[str]) -> torch.Tensor:
        """Return the ids (T,) with which `stream` fills in what stands between the parts of a text.

        Raises:
            UsageError: the run has not learned to fill such gaps.
        """
        if not self.model.causal and mask_of(self.vocabulary) is not None:
            return torch.from_numpy(masked_prompt(self.tokenizer, self.vocabulary, parts))
        found = None
        if self.model.causal and len(parts) == 2:
            before, after = (self.tokenizer.encode(part).astype(np.int64) for part in trimmed(self.tokenizer, parts))
            found = self.builder.gap_prompt(before, after)
        if found is None:
            name = self.recipe.choice("builder").name
            number = f" of {len(parts) - 1} gaps" if self.fills == "gap" else ""
            raise UsageError(
                f"{self.path} cannot fill in a text{number}: its builder {name} does not teach it.",
                "Train with a --builder that hides tokens, or one that teaches to fill gaps (engine plugins lists them).",
                code="cannot-fill",
            )
        return torch.from_numpy(found)

    @property
    def fills(self) -> str:
        """What the model can fill in: `masks` of one token each, one `gap` of any length, or nothing."""
        if not self.model.causal:
            return "masks" if mask_of(self.vocabulary) is not None else ""
        nothing = np.zeros(0, dtype=np.int64)
        return "" if self.builder.gap_prompt(nothing, nothing) is None else "gap"

    def stream(
        self, prompt: str | torch.Tensor = "", *, sampler: Choice | str | None = None, limits: Limits | None = None
    ) -> Iterator[TokenEvent]:
        """Continue a text, or ids (T,), token by token; close the iterator to stop.

        Raises:
            UsageError: as for `generate`.
        """
        choice = Choice(sampler) if isinstance(sampler, str) else sampler
        method = make_sampler(self.resolved, self.catalogue, choice, self.tokenizer, self.vocabulary)
        if isinstance(prompt, str) and not self.builder.writes_on:
            prompt = self.gap_prompt([prompt, ""])
        return self.session.generate(prompt, method, limits)

    @functools.cached_property
    def session(self) -> ModelSession:
        """The model, open for inference."""
        return ModelSession(self.model, self.machine, self.tokenizer, self.vocabulary)

    @property
    def vocabulary(self) -> Vocabulary:
        """Every id that the model knows."""
        return Vocabulary.of(self.tokenizer, self.builder.special_tokens)

    def evaluate(
        self,
        data: Sequence[str] | None = None,
        *,
        context_length: int | None = None,
        evaluator: str | None = None,
        plain_text: bool = False,
        builder: str | None = None,
        observer: RunObserver | None = None,
    ) -> Evaluation:
        """Score the run's own held-out text, or another text.

        Args:
            data: files, folders, globs or corpora; None for the held-out text of the run.
            context_length: tokens that the model may look back on; None for the run's own.
            evaluator: who judges, `accuracy,best=5` with options; None for the first that fits what the run was taught.
            plain_text: score the text as it is, whatever the run's builder makes of records: what a model that learned
                conversations still knows of plain text.
            builder: who reads the text, with options, in place of the run's own; its special tokens must be those of the run.
            observer: told how far it is.

        Raises:
            UsageError: no evaluator supports the run; the special tokens of the builder are not the run's; there is no text to
                score, or the context is longer than the model's.
            EngineError: the run's text has changed since it was trained, or the score is not finite.
        """
        observer = observer or RunObserver()
        length = self._context_to_score(context_length)
        if builder is not None:
            resolved, reader = read_by(builder, self.resolved, self.builder, self.tokenizer, self.catalogue)
            reading = dataclasses.replace(self, resolved=resolved, builder=reader)
            return reading.evaluate(data, context_length=length, evaluator=evaluator, plain_text=plain_text, observer=observer)
        offered = self._evaluator(evaluator, plain_text)
        part = self._part_to_score(data, observer)
        score = judge(self.session, offered, self._tokenized(part, length, plain_text, observer), step=self.step)
        if not math.isfinite(score.score):
            raise EngineError(
                f"The score of {self.path} must be finite; found {score.score} ({score.primary}): the training diverged, or "
                "the model holds a token of the text for impossible.",
                f"Use an earlier checkpoint, or train with a lower learning rate: {to_resume(self.path)} --optimizer.lr X",
                code="score-not-finite",
            )
        return score

    def _context_to_score(self, asked: int | None) -> int:
        length = asked or self.recipe.training.context_length
        if self.model.context_length is not None and length > self.model.context_length:
            raise UsageError(
                f"--context-length must be at most the model's {self.model.context_length}; found {length}.",
                "Lower it, or train with a longer context.",
                code="context-too-long",
            )
        return length

    def _part_to_score(self, data: Sequence[str] | None, observer: RunObserver) -> Part:
        """Return the text that is named, or else what the run held out, which must be there as it was."""
        if data:
            return split_corpus(open_corpus(data, self.catalogue, self.recipe.data), 0.0).train
        split = self._own_text(observer)
        if RunDirectory(self.path).fact(str, "data", "fingerprint") != split.fingerprint:
            raise EngineError(
                f"The text of {self.path} has changed since it was trained: its held-out part is not the same.",
                "Name the text to score with --data.",
                code="text-changed",
            )
        if not split.held_out.n_bytes:
            raise UsageError("This run held no text out.", "Name a text to score with --data.", code="nothing-held-out")
        return split.held_out

    def _tokenized(self, part: Part, length: int, plain_text: bool, observer: RunObserver) -> HeldOut:
        """Return a text as an evaluator takes it, its tokens from the cache where they are there."""

        def tell(what: str, done: float) -> None:
            observer.on_preparation(Preparation(what=what, done=done))

        # The fingerprint that training used, so that its shard of the held-out text is found in the cache.
        shard = tokenize_split(
            part,
            self.tokenizer,
            RunDirectory(self.path).fact(str, "tokenizer"),
            cache_directory(),
            lambda done, total: tell("Tokenizing the text", done / max(total, 1)),
            PLAIN if plain_text else rendering_of(self.resolved, self.builder),
        )
        return HeldOut(
            tokens=shard.tokens,
            n_bytes=shard.n_bytes,
            context_length=length,
            lost_bytes=shard.lost_bytes,
            builder=None if plain_text else self.builder,
            progress=functools.partial(tell, "Scoring the text"),
        )

    def _evaluator(self, name: str | None, plain_text: bool) -> Offered:
        evaluated = Evaluated(tokenizer=self.tokenizer, builder=self.builder, model=self.model)
        fitting = () if plain_text else self.builder.evaluators
        names = fitting if name is None else (name,)
        if name is not None:
            self.catalogue.find("evaluator", split_options(name)[0])
        offered, reasons = find_evaluator(names, evaluated, self.catalogue)
        if offered is None:
            raise UsageError(
                f"{self.path} cannot be scored: {' '.join(reasons) or 'its builder names no evaluator.'}",
                "engine plugins lists evaluators; --with NAME uses another one.",
                code="no-evaluator",
            )
        return offered

    def _own_text(self, observer: RunObserver) -> Split:
        try:
            return open_split(self.resolved, self.catalogue, observer)
        except UsageError as error:
            raise UsageError(
                f"{error.message} {self.path / 'recipe.toml'} names it under [data].",
                "Put the text there, correct the recipe, or name the text to score with --data.",
                code="run-text-missing",
            ) from None


def _newest_of(path: Path, strict: bool) -> Checkpoint:
    newest = newest_checkpoint(path, to_train=False)
    if newest.checkpoint is None:
        raise EngineError(f"{path} must have a checkpoint; found none yet.", to_resume(path), code="checkpoint-missing")
    if newest.problems:
        used = f"the checkpoint of step {newest.checkpoint.state.step}"
        if strict:
            raise EngineError(
                f"The newest checkpoint of {path} must be whole; found: {newest.problems[0]} The newest whole one is {used}.",
                "Use a copy of the run; without --strict the older one is used.",
                code="newest-checkpoint-damaged",
            )
        warnings.warn(f"{' '.join(newest.problems)} Using {used} instead.", stacklevel=3)
    return newest.checkpoint


def _machine_for(run: RunDirectory, resolved: Resolved, device: str) -> Machine:
    """Return the machine to use a run on, in fp32 where the run was trained so because that was measured to be faster."""
    wanted, facts = resolved.recipe.machine, run.facts()
    machine = pick_machine(device, wanted.precision, wanted.threads)
    if wanted.precision == "auto" and (facts.get("device"), facts.get("precision")) == (machine.device.type, "fp32"):
        return dataclasses.replace(machine, precision="fp32")
    return machine


def load_tokenizer(run: RunDirectory, resolved: Resolved) -> Tokenizer:
    """Return the run's own tokenizer; errors as for `RunDirectory.load_tokenizer`."""
    return run.load_tokenizer(resolved.offers["tokenizer"], resolved.options["tokenizer"])


def restore_model(
    run: RunDirectory, resolved: Resolved, checkpoint: Checkpoint, model: Model, left_out: Set[str] = frozenset()
) -> None:
    """Put a checkpoint's parameters and buffers into the run's model, which has those that are `left_out` already.

    Raises:
        EngineError: they do not fit; says so when another version of the plugin made them.
    """
    try:
        checkpoint.restore_model(model, left_out)
    except EngineError as error:
        maker = Maker(version=run.fact(str, "stages", "model", "version"), offer=resolved.offers["model"])
        if not maker.changed:
            raise
        raise EngineError(f"{error.message} {maker}.", f"pip install {maker.install}", code="checkpoint-mismatch") from None


def open_run(
    path: str | Path,
    *,
    catalogue: Catalogue | None = None,
    device: str = "auto",
    strict: bool = False,
    adapted: bool = True,
    weights: str | None = None,
) -> SavedRun:
    """Open a run's newest checkpoint; where that is damaged, the one before it, with a warning.

    Args:
        path: the run's folder.
        catalogue: what is installed; None to look.
        device: auto, cpu, cuda or mps; it need not be the one that trained it. The precision is the recipe's.
        strict: refuse an older checkpoint in the place of a damaged one.
        adapted: with the run's adapter, where it has one; False for the model as it was before.
        weights: what the weights are rounded to for generation, `int8`, which is faster for larger models on a CPU and changes
            texts; the rest is then computed in fp32. None for the weights as trained.

    Raises:
        UsageError: there is no run at the path, no adapter to leave out, or the weights cannot be rounded so, or for no gain.
        EngineError: the run is damaged, newer than this version, has no checkpoint yet, or needs a plugin that is missing; the
            rounded weights are too far from those as trained.
    """
    path = Path(path)
    catalogue = catalogue or Catalogue()
    run = RunDirectory.open(path)
    resolved = run.resolve(catalogue)
    checkpoint = _newest_of(path, strict)
    tokenizer = load_tokenizer(run, resolved)
    machine = _machine_for(run, resolved, device)
    if weights is not None:
        machine = dataclasses.replace(machine, precision="fp32")
    builder = make_builder(resolved, tokenizer, catalogue)
    vocabulary = Vocabulary.of(tokenizer, builder.special_tokens)
    model = make_model(resolved, vocabulary, builder, machine)
    if "adapter" in resolved.offers:
        restore_initial(path, model)
    elif not adapted:
        raise UsageError(f"{path} has no adapter to leave out.", "Leave out --without-adapter.", code="adapter-missing")
    adapter = adapt(model, resolved, vocabulary) if adapted else None
    if adapted:
        restore_model(run, resolved, checkpoint, model, frozen_by(model, adapter))
    saved = SavedRun(
        path=path,
        recipe=resolved.recipe,
        step=checkpoint.state.step,
        tokenizer=tokenizer,
        builder=builder,
        model=model.eval(),
        machine=machine,
        resolved=resolved,
        catalogue=catalogue,
        adapter=adapter,
    )
    if weights is not None:
        round_weights(saved.session, weights)
    return saved
