"""Runs to other projects' files and back: what `engine export` and `engine import` do.

from pentad import export_run, import_model

export_run("runs/mine", "gpt2", "mine-for-others")
import_model("theirs", "gpt2", "runs/theirs", recipe)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from pentad.config.options import parse
from pentad.config.recipe import Choice, Recipe
from pentad.contracts.format import Imported, ModelFormat, Trained
from pentad.contracts.vocabulary import Vocabulary
from pentad.data.preparation import make_builder
from pentad.registry.catalogue import Catalogue
from pentad.registry.resolving import Resolved, resolve
from pentad.runs.checkpoint import TrainingState, differing, put_tensors
from pentad.runs.folder import RunDirectory, refuse_used
from pentad.runs.initial import make_model
from pentad.runs.saved_run import open_run
from pentad.runs.saving import save_checkpoint
from pentad.system.cache import folder_fingerprint
from pentad.system.errors import EngineError, UsageError, is_out_of_memory, one_line
from pentad.system.files import write_whole
from pentad.system.machine import pick_machine
from pentad.system.opening import refuse_links


def export_run(run: Path | str, format: Choice | str, out: Path | str, *, catalogue: Catalogue | None = None) -> Path:
    """Write a run's model as another project reads it.

    Args:
        run: the run's folder.
        format: which files to write.
        out: a new folder.
        catalogue: what is installed; None to look.

    Raises:
        UsageError: the folder is taken, or the format cannot hold this model.
        EngineError: as for `open_run`; an adapter cannot be merged; the disk is full.
    """
    catalogue, out = catalogue or Catalogue(), Path(out)
    refuse_used(out)
    made = _format(format, catalogue)
    saved = open_run(run, catalogue=catalogue, device="cpu")
    if saved.adapter is not None:
        saved.adapter.merge(saved.model)
    saved.model.predict_ahead(0)  # no format knows heads for further tokens
    trained = Trained(
        tokenizer=saved.tokenizer,
        tokenizer_choice=saved.recipe.tokenizer,
        vocabulary=saved.vocabulary,
        model=saved.model.float(),
        model_choice=saved.recipe.model,
        context_length=saved.recipe.training.context_length,
    )
    reason = made.supports(trained)
    if reason:
        raise UsageError(
            f"{run} cannot be written in this format: {reason}",
            "engine plugins lists the other formats.",
            code="format-unsupported",
        )
    try:
        if out.is_dir():
            out.rmdir()
        write_whole(out, lambda folder: made.write(trained, folder))
    except OSError as error:
        raise EngineError(
            f"{out} must be writable; found: {error.strerror or error}.",
            "Make room, or use another --out.",
            code="not-writable",
        ) from error
    return out


def import_model(
    path: Path | str, format: Choice | str, out: Path | str, recipe: Recipe, *, catalogue: Catalogue | None = None
) -> Path:
    """Make a run of another project's model files.

    Args:
        path: where the files are.
        format: which files they are.
        out: a new folder for the run.
        recipe: of which the run takes builder, optimizer and sampler; tokenizer and model are those that the files hold.
        catalogue: what is installed; None to look.

    Raises:
        UsageError: the folder is taken, there are no such files or damaged ones, or what computes the model is not installed.
        EngineError: the files do not fit the model that they describe; the disk is full.
    """
    catalogue, path, out = catalogue or Catalogue(), Path(path), Path(out)
    refuse_used(out)
    if path.is_dir():
        refuse_links(path)
    imported = _read(_format(format, catalogue), path)
    training = {"steps": 1, "context_length": imported.context_length}
    recipe = recipe.replace(tokenizer=imported.tokenizer, model=imported.model, data=(), training=training, start=None)
    resolved = resolve(recipe, catalogue)
    with RunDirectory.create(out, resolved, imported.tokenizer_folder, _facts(imported, path)) as run:
        _save(run, resolved, catalogue, imported)
    return out


def _read(format: ModelFormat, path: Path) -> Imported:
    """Read a stranger's files; whatever a format raises over what they hold is said of the files."""
    try:
        return format.read(path)
    except _OVER_CONTENT as error:
        if is_out_of_memory(error):
            raise
        raise UsageError(
            f"{path} must hold whole files of this format; found: {one_line(error)}.",
            "Use a copy of the files; if they are whole, report it to the author of the format with what --debug shows.",
            code="format-unreadable",
        ) from error


_OVER_CONTENT = (SafetensorError, OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError)


def _format(choice: Choice | str, catalogue: Catalogue) -> ModelFormat:
    choice = Choice(choice) if isinstance(choice, str) else choice
    offer = catalogue.find("format", choice.name)
    made: ModelFormat = offer.make(parse(offer.options, choice.options, "format"))
    return made


def _save(run: RunDirectory, resolved: Resolved, catalogue: Catalogue, imported: Imported) -> None:
    tokenizer = run.load_tokenizer(resolved.offers["tokenizer"], resolved.options["tokenizer"])
    builder = make_builder(resolved, tokenizer, catalogue)
    vocabulary = Vocabulary.of(tokenizer, builder.special_tokens)
    model = make_model(resolved, vocabulary, builder, pick_machine("cpu", "fp32", None))
    tensors = dict(imported.tensors)
    odd = differing(model, tensors)
    if odd:
        raise EngineError(
            f"What was imported must fit the model {imported.model.name}; {odd[0]} differs (of {len(odd)}).",
            "Report it to the author of the format.",
            code="format-mismatch",
        )
    put_tensors(model, tensors)
    state = TrainingState(step=0, seconds=0.0, tokens=0, steps=1, tokenizer=run.fact(str, "tokenizer"))
    save_checkpoint(run.path, state, model, None, 1)


def _facts(imported: Imported, path: Path) -> dict[str, Any]:
    """Return what engine.json says of a run that was trained elsewhere: it has no text of its own, and cost nothing here."""
    fingerprint = folder_fingerprint(imported.tokenizer_folder)
    return {
        "imported": str(path),
        "data": {"fingerprint": "", "rule": "none", "train_bytes": 0, "held_out_bytes": 0, "duplicates": 0},
        "tokenizer": fingerprint,
        "tokenizer_files": fingerprint,
        "device": "cpu",
        "precision": "fp32",
        "threads": 1,
        "processes": 1,
        "compiled": False,
        "estimate": {"flops_per_step": 0.0, "seconds_per_step": 0.0, "memory_bytes": 0},
    }
