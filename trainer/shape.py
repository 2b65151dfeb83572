"""What is compiled in for a config and its data: the structure of a training, beside its structural hyperparameters."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

from trainer import callbacks, devices, metrics, numbers, placement
from trainer.callbacks import Callback, Direction, EarlyStopping, ModelCheckpoint
from trainer.config import Config
from trainer.data.splits import Summary
from trainer.judging import judge
from trainer.models import Inputs, Network
from trainer.preparation import Prepared
from trainer.task import Task


@dataclass(frozen=True)
class Watch:
    """Which epoch's weights to keep: those of the best value of a metric.

    Attributes:
        metric: its name in the rows.
        direction: which way it improves.
        first_epoch: epochs before this one do not count.
        threshold: value that the first best must beat, or None.
    """

    metric: str
    direction: Direction
    first_epoch: int = 0
    threshold: float | None = None

    @property
    def is_of_average(self) -> bool:
        """Return whether the metric tells of the running mean of the weights."""
        return self.metric.startswith("ema_")


@dataclass(frozen=True)
class Shape:
    """What is compiled in, beside the structural hyperparameters of `config`.

    Attributes:
        members: of the population, those included that stay idle so that all devices have equally many.
        devices: that train.
        weighs_classes: whether an example counts as much as its class says.
        most_train: of folds, the most that train in any; `n_train` are the fewest, `n_validation` the most. 0 without.
        buffer: examples on the device at a time, whole batches of them, where they stream; 0 where all lie there.
    """

    config: Config
    task: Task
    inputs: Inputs
    n_outputs: int
    n_train: int
    n_validation: int
    watches: tuple[Watch, ...] = ()
    members: int = 1
    devices: int = 1
    weighs_classes: bool = False
    most_train: int = 0
    buffer: int = 0

    @property
    def key(self) -> tuple[Any, ...]:
        """Return what tells one compiled program from another."""
        rest = (getattr(self, field.name) for field in fields(self) if field.name != "config")
        return (numbers.structure(self.config), *rest)

    def network(self, config: Config) -> Network:
        """Return the network of a config of this structure, whose numbers may be traced."""
        return config.model.network(self.inputs, self.n_outputs)

    @property
    def steps_per_epoch(self) -> int:
        """Return the updates of an epoch."""
        return self.config.training.steps_per_epoch(self.n_train)

    @property
    def steps_per_buffer(self) -> int:
        """Return the updates on one buffer; those of an epoch where all examples lie on the device."""
        return self.buffer // self.config.training.batch_size if self.buffer else self.steps_per_epoch

    @property
    def buffers_per_epoch(self) -> int:
        """Return how many buffers an epoch takes."""
        return -(-self.steps_per_epoch // self.steps_per_buffer)

    @property
    def has_partial_batch(self) -> bool:
        """Return whether the last batch of an epoch is smaller than the others."""
        return self.steps_per_epoch * self.config.training.batch_size > self.n_train

    @cached_property
    def layer_names(self) -> tuple[str, ...]:
        """Return the names of the layers that are looked into; none without diagnostics."""
        return self.network(self.config).layer_names if self.config.training.diagnostics else ()

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Return the names of the metrics of some examples."""
        return metrics.names(self.task, self.config.metrics)

    @property
    def row_names(self) -> tuple[str, ...]:
        """Return the names of the metrics of an epoch, in the order of a row."""
        validation = [f"val_{name}" for name in self.metric_names] if self.n_validation else []
        averaged = [f"ema_{name}" for name in validation] if self.config.optimizer.use_ema else []
        return (*self.metric_names, *validation, *averaged, "learning_rate", "grad_norm")

    @property
    def step_names(self) -> tuple[str, ...]:
        """Return the names of the metrics of an update."""
        return (*self.metric_names[:2], "grad_norm")


def shape_of(runs: Sequence[Prepared]) -> Shape:
    """Return what is compiled in for runs that train together.

    Raises:
        ValueError: they are not of one structure, or not of one data set.
        ConfigError: they want more devices than there are.
    """
    config, splits = runs[0].config, runs[0].splits
    for other in runs[1:]:
        if other.splits.shared_fingerprint != splits.shared_fingerprint:
            raise ValueError(f"runs that train together need the same data; that of {other.config.name!r} differs.")
        if numbers.structure(other.config) != numbers.structure(config):
            raise ValueError(f"runs that train together need one structure; that of {other.config.name!r} differs.")
    return _shape([run.config for run in runs], splits.summary)


def shape_planned(config: Config, data: Summary) -> Shape:
    """Return what is compiled in for a run and its replicas; the data need not be read again for that.

    Raises:
        ConfigError: it wants more devices than there are.
    """
    return _shape([config] * config.n_runs, data)


def _shape(configs: Sequence[Config], data: Summary) -> Shape:
    plain = Shape(configs[0], data.task, data.inputs, data.n_outputs, data.n_train, data.n_validation)
    watches = [watch for config in configs for watch in _watches(config, plain.row_names)]
    members, used = placement.spread(len(configs), devices.count(configs[0].training.devices))
    return replace(
        plain,
        watches=tuple(dict.fromkeys(watches)),
        members=members,
        devices=used,
        most_train=_most_train(configs[0].data.folds, data),
        weighs_classes=any(config.loss.class_weight != "none" for config in configs),
        buffer=_whole_batches(data.buffer, plain),
    )


def _whole_batches(buffer: int, plain: Shape) -> int:
    """Return how many of a buffer's examples make whole batches, of an epoch at most; 0 without a buffer."""
    size = plain.config.training.batch_size
    return min(max(1, buffer // size), plain.steps_per_epoch) * size if buffer else 0


def _most_train(k_fold: int, data: Summary) -> int:
    """Return the most examples that train in any fold; 0 without folds."""
    if not k_fold:
        return 0
    n_examples = data.n_train + data.n_validation
    return n_examples - n_examples // k_fold


def _watches(config: Config, row_names: Sequence[str]) -> list[Watch]:
    wanted = [watch_of(callback) for callback in callbacks.build(config.callbacks)]
    found = [watch for watch in wanted if watch is not None and watch.metric in row_names]
    return found or [Watch(*judge(config, row_names))]


def watch_of(callback: Callback) -> Watch | None:
    """Return which weights a callback needs kept, or None."""
    match callback:
        case EarlyStopping(section=section) if section.restore_best_weights:
            return Watch(section.monitor, callback.monitor.direction, section.start_from_epoch)
        case ModelCheckpoint(section=section) if not section.save_freq:
            return Watch(section.monitor, callback.monitor.direction, 0, section.initial_value_threshold)
        case _:
            return None
