"""Which epoch of a run is its best: one rule for the engine, the run store and the screens."""

from collections.abc import Container

from trainer.callbacks import Direction, metric_direction
from trainer.config import Config


def judge(config: Config | None, metrics: Container[str]) -> tuple[str, Direction]:
    """Return the metric that the best epoch of such a run goes by, and which way it improves.

    It is what the run's callbacks watch, EarlyStopping before ModelCheckpoint; where there is no such metric among
    `metrics`, or no config to read, the validation loss or, without validation, the loss.
    """
    if config is not None:
        callbacks = config.callbacks
        section = callbacks.early_stopping if callbacks.early_stopping.enabled else callbacks.model_checkpoint
        direction = metric_direction(section.monitor) if section.mode == "auto" else section.mode
        if section.monitor in metrics and direction is not None:
            return section.monitor, direction
    return "val_loss" if "val_loss" in metrics else "loss", "min"
