"""All callbacks of a run together: as the trainer has them watch it, and as a screen plays them again from records."""

from collections.abc import Iterable

from trainer.callbacks.actions import Action, Callback, EpochEnd
from trainer.callbacks.early_stopping import EarlyStopping
from trainer.callbacks.reduce_lr_on_plateau import ReduceLROnPlateau


def play(callbacks: Iterable[Callback], end: EpochEnd) -> tuple[Action, ...]:
    """Have each take note of an epoch; return what to do, in order."""
    return tuple(action for callback in callbacks for action in callback.on_epoch_end(end))


def tell_learning_rate(callbacks: Iterable[Callback], rate: float) -> None:
    """Tell the base rate before the first epoch, and one that a person sets, to those that reckon with it."""
    for callback in callbacks:
        if isinstance(callback, ReduceLROnPlateau):
            callback.on_learning_rate_set(rate)


def renew(callbacks: Iterable[Callback]) -> None:
    """Give early stopping all its patience back: somebody wants the run to go on."""
    for callback in callbacks:
        if isinstance(callback, EarlyStopping):
            callback.renew()
