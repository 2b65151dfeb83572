"""Before a run exists: read the data, check that config and data fit. What fails here has created nothing."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trainer import augmentation, callbacks, class_weights, losses, memory
from trainer.config import Config
from trainer.data.loading import load
from trainer.data.splits import Splits, Summary
from trainer.further_metrics import asked
from trainer.problems import ConfigError, Problem
from trainer.task import Task
from trainer.validation import members as kinds_of

_SEEDS = 1 << 32
_BYTES = 4
_COPIES = 6
"""Parameters, their gradients, two moments of an optimizer, the best weights, and room for a copy."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A config and its data, which fit."""

    config: Config
    splits: Splits

    @property
    def n_parameters(self) -> int:
        """Return how many numbers the model has."""
        return self.config.model.network(self.splits.summary.inputs, self.splits.n_outputs).n_parameters


def members(prepared: Prepared) -> list[Prepared]:
    """Return the runs that a config asks for, itself the first: with one seed after the other, or one fold each."""
    config, made = prepared.config, [prepared]
    for number, splits in enumerate(prepared.splits.folds[1:], start=2):
        made.append(Prepared(config.changed({"data.fold": number}), splits))
    for number in range(1, config.training.replicas):
        changes = {"training.seed": (config.training.seed + number) % _SEEDS, "training.replicas": 1}
        made.append(Prepared(config.changed(changes), prepared.splits))
    return made


def prepare(config: Config, base: Path | None = None) -> Prepared:
    """Read the data and check everything that can be known before JAX is loaded; a network of one's own needs it.

    Args:
        config: what to train.
        base: folder that a relative `data.path` starts from; None for the working folder.

    Raises:
        ConfigError: everything that is wrong.
    """
    problems: list[Problem] = []
    try:
        callbacks.build(config.callbacks)
    except ConfigError as error:
        problems.extend(error.problems)
    try:
        splits = load(config.data, base)
    except ConfigError as error:
        raise ConfigError([*problems, *error.problems]) from None
    prepared = Prepared(_settled(_anchored(config.renewed(), base), splits), splits)
    problems.extend(misfits(prepared.config, splits.summary))
    problems = problems or [*_targets_too_low(config, splits)]
    if problems:
        raise ConfigError(problems)
    return prepared


def _anchored(config: Config, base: Path | None) -> Config:
    """Return the config with absolute data paths: a run's own config must work from any folder."""
    given = {name: getattr(config.data, name) for name in config.data.PATHS}
    whole = {
        f"data.{name}": str(((base or Path.cwd()) / Path(path).expanduser()).absolute())
        for name, path in given.items()
        if path
    }
    return config.changed(whole) if whole else config


def _settled(config: Config, splits: Splits) -> Config:
    """Return the config with what this machine decided: elsewhere the run must have its examples in the same order."""
    if getattr(config.data, "stream", "") != "auto":
        return config
    return config.changed({"data.stream": "always" if splits.stream else "never"})


def misfits(config: Config, data: Summary, copies: int = 0) -> Iterator[Problem]:
    """Yield what of a config does not fit its data, or this machine.

    Args:
        config: any.
        data: counts of its examples.
        copies: networks that train side by side; 0 for as many as the config asks for.
    """
    size = config.training.batch_size
    if size > data.n_train:
        yield Problem(f"must be at most the {data.n_train} training examples, got {size}.", "training.batch_size")
    else:
        yield from _never_stepping(config, data)
    if config.data.trains_all_folds and (replicas := config.training.replicas) > 1:
        yield Problem(f"must be 1 with data.k_fold, whose folds are the runs, got {replicas}.", "training.replicas")
    yield from _unfit_loss(config, data)
    if problem := class_weights.misfit(config.loss.class_weight, data.classes):
        yield problem
    yield from _unfit_metrics(config, data)
    yield from augmentation.misfits(config.augmentation, data.inputs, config.loss)
    if problem := config.model.misfit(data.inputs, data.n_outputs):
        yield problem
    else:
        yield from _too_large(config, data, copies or config.n_runs)


def _never_stepping(config: Config, data: Summary) -> Iterator[Problem]:
    """Yield that the training ends before as many gradients are there as make a step."""
    needed = config.optimizer.gradient_accumulation_steps
    updates = config.training.epochs * config.training.steps_per_epoch(data.n_train)
    if needed > updates:
        message = f"must be at most the {updates} batches of the whole training, or no weight moves, got {needed}."
        yield Problem(message, "optimizer.gradient_accumulation_steps")


def _too_large(config: Config, data: Summary, copies: int) -> Iterator[Problem]:
    n_parameters = copies * config.model.network(data.inputs, data.n_outputs).n_parameters
    needed, free = n_parameters * _BYTES * _COPIES, memory.installed()
    if free is not None and needed > free:
        of_all = f" of {copies} networks" if copies > 1 else ""
        message = (
            f"must fit into memory: {n_parameters:,} parameters{of_all} need about {needed / 2**30:,.1f} GiB to "
            f"train, this machine has {free / 2**30:,.1f} GiB. Use fewer neurons."
        )
        yield Problem(message, "model.hidden" if "hidden" in type(config.model).model_fields else "model.kind")


def _unfit_loss(config: Config, data: Summary) -> Iterator[Problem]:
    loss = losses.resolve(config.loss, data.task)
    if data.task not in loss.tasks:
        yield Problem(f'must fit {data.task}, got "{config.loss.kind}". Use {_fitting(data.task)}.', "loss.kind")
    elif loss.least_target is not None and config.data.scales_target:
        message = f'must be false for loss.kind = "{config.loss.kind}", whose targets keep their own units, got true.'
        yield Problem(message, "data.standardize_target")


def _unfit_metrics(config: Config, data: Summary) -> Iterator[Problem]:
    for field, _, metric in asked(config.metrics):
        if data.task not in metric.tasks:
            yield Problem(f"must be false for {data.task}, got true.", f"metrics.{field}")
    k = config.metrics.k
    if config.metrics.top_k and data.task != "regression" and k >= data.n_outputs:
        yield Problem(f"must be less than the {data.n_outputs} classes for metrics.top_k, got {k}.", "metrics.k")


def _targets_too_low(config: Config, splits: Splits) -> Iterator[Problem]:
    """Yield that the loss is not defined for some of the targets, which are held in their own units."""
    least = losses.resolve(config.loss, splits.task).least_target
    if least is None:
        return
    lowest = splits.least_target
    if lowest < least:
        needed = f'"{config.loss.kind}" needs targets of at least {least:g}'
        yield Problem(f"must fit the data: {needed}, got {lowest:g}. Use {_fitting(splits.task, lowest)}.", "loss.kind")


def _fitting(task: Task, lowest_target: float = math.inf) -> str:
    """Return the losses that there are for a task and its targets."""
    fitting = [
        kind
        for kind, loss in kinds_of(Config.model_fields["loss"]).items()
        if issubclass(loss, losses.Loss)
        and task in loss.tasks
        and (loss.least_target is None or loss.least_target <= lowest_target)
    ]
    return f"{', '.join(fitting[:-1])} or {fitting[-1]}"
