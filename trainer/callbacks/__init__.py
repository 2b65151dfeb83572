"""Callbacks: watch the metrics of each epoch and say what to do. Pure host code on floats; JAX is never imported.

Their order is the program's, not the person's: a cut is decided before a stop, a stop before a save. TensorBoard
comes last; it opens files and returns no actions, so the engine makes it itself.
"""

from collections.abc import Callable

from pydantic import Field

from trainer.callbacks.actions import (
    UNBOUNDED,
    Action,
    Callback,
    Direction,
    EpochEnd,
    Progress,
    ReduceLearningRate,
    Renewal,
    Save,
    State,
    Stop,
    Warn,
)
from trainer.callbacks.early_stopping import EarlyStopping, EarlyStoppingSection
from trainer.callbacks.model_checkpoint import ModelCheckpoint, ModelCheckpointSection
from trainer.callbacks.monitor import METRIC_DIRECTIONS, is_better, metric_direction
from trainer.callbacks.playing import play, renew, tell_learning_rate
from trainer.callbacks.reduce_lr_on_plateau import ReduceLROnPlateau, ReduceLROnPlateauSection
from trainer.callbacks.tensorboard import TensorBoard, TensorBoardSection
from trainer.callbacks.terminate_on_nan import TerminateOnNaNSection
from trainer.fields import Section
from trainer.problems import ConfigError, Problem

__all__ = [
    "METRIC_DIRECTIONS",
    "UNBOUNDED",
    "Action",
    "Callback",
    "Callbacks",
    "Direction",
    "EarlyStopping",
    "EarlyStoppingSection",
    "EpochEnd",
    "ModelCheckpoint",
    "ModelCheckpointSection",
    "Progress",
    "ReduceLROnPlateau",
    "ReduceLROnPlateauSection",
    "ReduceLearningRate",
    "Renewal",
    "Save",
    "State",
    "Stop",
    "TensorBoard",
    "TensorBoardSection",
    "TerminateOnNaNSection",
    "Warn",
    "build",
    "is_better",
    "metric_direction",
    "play",
    "renew",
    "tell_learning_rate",
]


class Callbacks(Section):
    """`callbacks`: one table each, in the order in which they run."""

    reduce_lr_on_plateau: ReduceLROnPlateauSection = Field(
        default_factory=ReduceLROnPlateauSection, description="Cut the learning rate when a metric stands still."
    )
    early_stopping: EarlyStoppingSection = Field(
        default_factory=EarlyStoppingSection, description="Stop when a metric stands still."
    )
    model_checkpoint: ModelCheckpointSection = Field(
        default_factory=ModelCheckpointSection, description="Write checkpoints."
    )
    tensorboard: TensorBoardSection = Field(
        default_factory=TensorBoardSection, description="Write event files for TensorBoard."
    )
    terminate_on_nan: TerminateOnNaNSection = Field(
        default_factory=TerminateOnNaNSection, description="End a run that diverged."
    )


def build(section: Callbacks) -> tuple[Callback, ...]:
    """Return the enabled monitoring callbacks in their fixed order.

    Raises:
        ConfigError: a mode is "auto" and which end of its metric is better is not known; all such modes at once.
    """
    makers: tuple[tuple[bool, Callable[[], Callback]], ...] = (
        (section.reduce_lr_on_plateau.enabled, lambda: ReduceLROnPlateau(section.reduce_lr_on_plateau)),
        (section.early_stopping.enabled, lambda: EarlyStopping(section.early_stopping)),
        (section.model_checkpoint.enabled, lambda: ModelCheckpoint(section.model_checkpoint)),
    )
    built: list[Callback] = []
    problems: list[Problem] = []
    for make in (make for enabled, make in makers if enabled):
        try:
            built.append(make())
        except ConfigError as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigError(problems)
    return tuple(built)
