"""Forking: a new run that goes on from a checkpoint of another one, with other hyperparameters.

What the run takes over becomes its own first checkpoint, from which it begins as any run does that is resumed. So it
needs its parent no longer, and the parent, live or past, is only read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer import callbacks, checkpoints, devices
from trainer.checkpoints import Arrays, Manifest, Seen
from trainer.config import Config
from trainer.devices import versions
from trainer.events import HyperparameterSet, LearningRateReduced
from trainer.past import FORKED, Past
from trainer.preparation import Prepared
from trainer.problems import ConfigError, Problem, RunError
from trainer.run import Run
from trainer.run_directory import RunDirectory
from trainer.runs import read
from trainer.schema import RATE, value_at
from trainer.status import Parent
from trainer.text import clean, quoted
from trainer.training import Runs, start_replicas

_COURSE = ("training.seed", "training.batch_size", "training.drop_remainder")
"""What the place within an epoch means something for."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What a fork begins from.

    Attributes:
        run: with all its records.
        manifest: of its checkpoint.
        config: the run's, as it was at the checkpoint.
    """

    run: Run
    manifest: Manifest
    config: Config

    @property
    def path(self) -> Path:
        """Return where the arrays are."""
        return checkpoints.arrays_of(self.run.directory / "checkpoints", self.manifest)

    @property
    def epochs(self) -> int:
        """Return the epochs done."""
        return self.manifest.step // self.run.steps_per_epoch

    @property
    def parent(self) -> Parent:
        """Return what the fork tells of it."""
        return Parent(run=self.run.id, checkpoint=self.manifest.id, step=self.manifest.step, epoch=self.epochs)


def origin(directory: Path, at: str = "last") -> Origin:
    """Return what a fork of a run begins from.

    Args:
        directory: the run's folder.
        at: "last", "best", the updates done at a checkpoint, or its id.

    Raises:
        RunError: there is no such checkpoint, and which there are; or the run is damaged.
    """
    run = read(directory)
    if run.damage or run.config is None:
        raise RunError(f"{clean(run.id)} cannot be forked: {run.damage}")
    good = checkpoints.available(directory / "checkpoints").good
    found = next((it for it in good if at in (it.kind, it.id, str(it.step))), None)
    if found is None:
        there = ", ".join(f"{it.kind} ({it.step})" for it in good) or "none"
        raise RunError(f"{clean(run.id)} has no checkpoint {quoted(at)}. There are, with their updates: {there}")
    return Origin(run, found, _config_at(run, run.config, found))


def fork(prepared: Prepared, begin: Origin, store: Path) -> Runs:
    """Make the folders of the runs that a config asks for, each with what fits of the checkpoint.

    Args:
        prepared: config and data of the fork.
        begin: what it begins from.
        store: folder of runs.

    Raises:
        RunError: the weights do not fit, or the disk refused.
        ConfigError: it would have nothing to train.
    """
    if prepared.config.training.epochs <= begin.epochs:
        got = prepared.config.training.epochs
        raise ConfigError(
            Problem(
                f"must be more than the {begin.epochs} epochs done at the checkpoint, got {got}.", "training.epochs"
            )
        )
    arrays, _ = checkpoints.load(begin.path)
    taken = _taken(prepared, begin, arrays)
    made = start_replicas(prepared, store, parent=begin.parent)
    try:
        for one, directory in made:
            directory.past = _first_checkpoint(one, directory, taken)
    except OSError as error:
        for _, directory in made:
            directory.discard()
        raise RunError(f"the fork cannot be kept in {clean(str(store))}: {error.strerror or error}") from error
    return made


@dataclass(frozen=True, slots=True)
class _Taken:
    """What a fork takes over: arrays, the updates and epochs done, and what it could not take."""

    arrays: Arrays
    step: int
    epoch: int
    warnings: list[str]


def _taken(prepared: Prepared, begin: Origin, arrays: Arrays) -> _Taken:
    devices.prepare_jax()
    from trainer.program import outlines_of
    from trainer.restoring import misfit
    from trainer.shape import shape_of

    shape = shape_of([prepared])
    outlines = outlines_of(shape)
    weights = _under(outlines, "parameters")
    if problem := misfit(arrays, weights):
        raise RunError(f"{clean(begin.parent.words)} does not fit: {problem}.")
    kept, warnings = {name: arrays[name] for name in weights}, []
    optimizer = _under(outlines, "optimizer")
    if problem := _other_state(prepared.config, begin.config) or misfit(arrays, optimizer):
        warnings.append(f"the optimizer begins anew, as its state does not fit: {problem}.")
    else:
        kept |= {name: arrays[name] for name in optimizer}
    for field in ("average", "evaluated"):
        kept |= {name: arrays.get(name, arrays[_beside(name)]) for name in _under(outlines, field)}
    step = begin.epochs * shape.steps_per_epoch
    course = {name: leaf for field in ("order", "sums", "grad_norms") for name, leaf in _under(outlines, field).items()}
    if _is_on_course(prepared, begin) and not misfit(arrays, course):
        kept |= {name: arrays[name] for name in course}
        step = begin.manifest.step
    return _Taken(kept, step, begin.epochs, warnings)


def _first_checkpoint(prepared: Prepared, directory: RunDirectory, taken: _Taken) -> Past:
    """Write what the fork takes over as its own; return what it goes on from."""
    manifest = Manifest(
        kind="last", epoch=taken.epoch, step=taken.step, time=directory.run.status.created, reason=FORKED,
        versions=versions(), callbacks=_callbacks(prepared.config, taken),
    )  # fmt: skip
    seen = Seen()
    path = checkpoints.save(directory.path / "checkpoints", taken.arrays, manifest, seen=seen)
    written = seen.manifests[path]
    return Past(manifest=written, arrays=taken.arrays, good=[written], warnings=taken.warnings)


def _callbacks(config: Config, taken: _Taken) -> dict[str, dict[str, Any]]:
    """Return the memory of callbacks that have seen nothing yet, but know which epoch it is."""
    states: dict[str, dict[str, Any]] = {}
    watching = callbacks.build(config.callbacks)
    callbacks.tell_learning_rate(watching, config.optimizer.learning_rate)
    for callback in watching:
        here = {"next_epoch": taken.epoch, "saved_step": taken.step}
        states[callback.name] = {name: here.get(name, value) for name, value in callback.state().items()}
    return states


def _config_at(run: Run, config: Config, manifest: Manifest) -> Config:
    """Return a run's config with the changes made until a checkpoint, for a run of its own."""
    changes: dict[str, Any] = {"training.replicas": 1}
    if config.data.trains_all_folds:
        changes["data.fold"] = 1
    for event in run.happenings:
        if event.step > manifest.step:
            continue
        if isinstance(event, HyperparameterSet):
            changes[event.key] = event.to
        elif isinstance(event, LearningRateReduced):
            changes[RATE] = event.to
    return config.changed(changes)


def _is_on_course(prepared: Prepared, begin: Origin) -> bool:
    """Return whether the fork trains on the same batches, so that it can begin within an epoch."""
    same = all(value_at(prepared.config, key) == value_at(begin.config, key) for key in _COURSE)
    return same and prepared.splits.fingerprint == begin.run.status.data_fingerprint


def _other_state(config: Config, before: Config) -> str:
    """Return what to say of the first setting that lets the state of the optimizer mean something else; else ""."""
    for name in config.optimizer.STATE:
        needed, got = getattr(config.optimizer, name), getattr(before.optimizer, name)
        if needed != got:
            return f"optimizer.{name} is {got} in the checkpoint, this config needs {needed}"
    return ""


def _under(outlines: Mapping[str, Any], field: str) -> dict[str, Any]:
    return {name: leaf for name, leaf in outlines.items() if name.partition(".")[0] == field}


def _beside(name: str) -> str:
    return f"parameters.{name.partition('.')[2]}"
