"""What the curves tell: losses, learning rate and gradient norm, epoch by epoch."""

import itertools
import math
import statistics

from trainer.insights.story import LONG_STEP, Seen, Story
from trainer.models import Custom

_PATIENCE = 5
"""Epochs that a rule waits before it believes what it sees."""

_PARTED = 10
"""Epochs without a better validation loss before curves count as parted; noise makes many a shorter pause."""

_STANDS = 15
"""Epochs over which a loss must not have fallen to count as standing."""

_WINDOW, _LEAPS, _LEAP = 10, 3, 0.25
"""A loss is wild that in so many epochs, so many times, has risen by this share from one epoch to the next."""

_POOR_ACCURACY, _POOR_R2 = 0.8, 0.5
"""Below these, on the very examples trained on, a network does not fit them."""

_SHORT_STEP = 1e-4
"""Length of a step, as a share of the weights, below which it is shorter than usual."""

_WINDOWS = {_PATIENCE: 0.01, 10: 0.1}
"""After so many epochs at a rate, by less than which share of itself a loss has moved that hardly moves."""


def constant_start(story: Story) -> Seen | None:
    """Weights that start equal stay equal within a layer, and with zeros no gradient passes at all."""
    model = story.config.model
    initializer = None if isinstance(model, Custom) else model.initializer
    if initializer not in ("zeros", "ones") or model.is_linear or not _still(story, 3, 0.05):
        return None
    first, last = story.first["loss"], story.last["loss"]
    return Seen(
        f'model.initializer = "{initializer}" cannot learn: all neurons of a layer start equal, get the same '
        f"gradient and stay equal (loss {first:.4g} -> {last:.4g}). Use glorot_uniform.",
        {"initializer": initializer, "first_loss": first, "last_loss": last},
    )


def overfitting(story: Story) -> Seen | None:
    """Validation has risen for some epochs from its best while training still falls."""
    if story.best is None or story.count - 1 - story.best.epoch < _PARTED:
        return None
    best, now, since = story.best.metrics, story.last, story.first_epoch + story.best.epoch
    lowest = best["val_loss"]
    has_risen = all(story.rise(lowest, value) > 0.1 for value in story.recent("val_loss", _PATIENCE))
    falls = story.rise(best["loss"], now["loss"]) < -0.02 and story.rise(now["loss"], now["val_loss"]) > 0.3
    if not has_risen or not falls:
        return None
    share = f"{now['val_loss'] / lowest - 1:.0%} " if lowest and story.ends_at_zero else ""
    return Seen(
        f"overfitting since epoch {since + 1}: val_loss rose {share}from {lowest:.4g} "
        f"while loss fell to {now['loss']:.4g}. Stop there, or try dropout, l2 or more data.",
        {"best_epoch": since, "best_val_loss": lowest, "val_loss": now["val_loss"], "loss": now["loss"]},
    )


def underfitting(story: Story) -> Seen | None:
    """The loss stands, and the network does not even fit the examples that it is trained on."""
    now = story.last
    if not _stands(story) or not _is_poor(story):
        return None
    if story.rise(now["loss"], now.get("val_loss", now["loss"])) > 0.3:
        return None
    name = "accuracy" if "accuracy" in now else "r2"
    return Seen(
        f"underfitting: the loss stands at {now['loss']:.4g} with a training {name} of {now[name]:.3g}. Try more "
        "neurons or layers, another activation, less regularization, or inputs that tell more.",
        {"loss": now["loss"], name: now[name], "epochs": _STANDS},
    )


def plateau(story: Story) -> Seen | None:
    """The loss bounces about a level that it has not left for long."""
    if not _stands(story) or _is_poor(story):
        return None
    recent = story.recent_losses(_STANDS)
    if not _bounces(story, recent):
        return None
    return Seen(
        f"plateau: for {_STANDS} epochs the loss has moved between {min(recent):.4g} and {max(recent):.4g} without "
        f"falling. Try a learning rate three times lower{story.advised(1 / 3)}, or let reduce_lr_on_plateau cut it.",
        {"lowest": min(recent), "highest": max(recent), "epochs": _STANDS, "learning_rate": story.rate},
    )


def _bounces(story: Story, recent: list[float]) -> bool:
    """Return whether a loss that stands bounces, and has some way to go."""
    has_way = not story.ends_at_zero or min(recent) > 0.1 * story.first["loss"]
    return story.rise(min(recent), max(recent)) > 0.05 and has_way


def learning_rate_too_low(story: Story) -> Seen | None:
    """The loss has hardly moved since the start, by short steps, with weights that could learn.

    A fork may begin where there is nothing left to learn, and while the rate rises nobody knows what it will do.
    """
    if story.first_epoch or _fits(story) or not _hardly_moves(story):
        return None
    first, now = story.first["loss"], story.last["loss"]
    ratios = [layer.update_ratio for layer in story.insides[-1].values()] if story.insides else []
    if ratios and not max(ratios) < _SHORT_STEP:
        return None
    step = f"; a step is at most {max(ratios):.2g} of the weights" if ratios else ""
    return Seen(
        f"learning rate too low: the loss has hardly moved in {story.count} epochs ({first:.4g} -> "
        f"{now:.4g}{step}). Try one ten times as high{story.advised(10)}.",
        {
            "first_loss": first,
            "loss": now,
            "learning_rate": story.rate,
            **({"update_ratio": max(ratios)} if ratios else {}),
        },
    )


def learning_rate_too_high(story: Story) -> Seen | None:
    """The loss jumps up again and again, or steps are long and lead nowhere."""
    best, now = story.lowest[-1], story.last["loss"]
    if best is None or story.count - best.epoch <= 3 or not now < math.inf:
        return None
    if not story.rise(best.metrics["loss"], now) > 0.1:
        return None
    layer, ratio = _longest_step(story)
    if not _is_wild(story) and not ratio > LONG_STEP:
        return None
    step = f" and a step is {ratio:.0%} as long as the weights of {layer}" if ratio > LONG_STEP else ""
    lowest, epoch = best.metrics["loss"], story.first_epoch + best.epoch
    return Seen(
        f"learning rate too high: the loss jumps up and down{step}; now {now:.4g}, it was {lowest:.4g} at epoch "
        f"{epoch + 1}. Try one ten times lower{story.advised(0.1)}.",
        {"loss": now, "best_loss": lowest, "best_epoch": epoch, "update_ratio": ratio, "learning_rate": story.rate},
    )


def _is_wild(story: Story) -> bool:
    losses = story.recent("loss", _WINDOW)
    leaps = sum(story.rise(before, after) > _LEAP for before, after in itertools.pairwise(losses))
    bottom = 0.0 if story.ends_at_zero else story.lowest_loss
    return leaps >= _LEAPS and statistics.median(losses) - bottom > 0.2 * (story.first["loss"] - bottom)


def _longest_step(story: Story) -> tuple[str, float]:
    """Return the layer whose steps are the longest for its weights, and how long they all were, lately."""
    recent = story.recent_insides
    if not recent:
        return "", 0.0
    layer = max(recent[-1], key=lambda name: recent[-1][name].update_ratio)
    return layer, min(inside[layer].update_ratio for inside in recent)


def exploding_gradients(story: Story) -> Seen | None:
    """Gradients have grown tenfold since the start, and the loss with them."""
    if story.count < 3:
        return None
    first = story.first
    norms = [first.get("grad_norm", math.nan), *story.recent("grad_norm", 2)]
    grown = all(norm > 10 * norms[0] for norm in norms[1:]) and all(
        loss > first["loss"] for loss in story.recent("loss", 2)
    )
    if not grown or not all(map(math.isfinite, norms)):
        return None
    return Seen(
        f"gradients explode: their norm rose from {norms[0]:.3g} to {norms[-1]:.3g} and the loss from "
        f"{first['loss']:.4g} to {story.last['loss']:.4g}. Try a learning rate ten times lower"
        f"{story.advised(0.1)}, or optimizer.global_clipnorm = 1.",
        {"first_grad_norm": norms[0], "grad_norm": norms[-1], "loss": story.last["loss"], "learning_rate": story.rate},
    )


def _still(story: Story, epochs: int, share: float) -> bool:
    """Say whether exactly this many epochs are over and the loss moved by less than a share of itself."""
    losses = story.recent_losses(epochs)
    return story.count == epochs and bool(losses) and max(losses) - min(losses) < share * abs(losses[0])


def _hardly_moves(story: Story) -> bool:
    """Say whether the loss is about what it was at first, some epochs after the rate last rose, and so to the end.

    What moves more than noise must fall in each epoch and no slower than before: what slows down has come to its level.
    """
    losses = story.recent_losses(story.steady) if story.steady in _WINDOWS else []
    first = story.first["loss"]
    if not losses or not max(first, *losses) - min(first, *losses) < _WINDOWS[story.steady] * abs(first):
        return False
    falls = [before - after for before, after in itertools.pairwise(losses)]
    if sum(falls) / len(falls) * story.config.training.epochs > 0.5 * abs(first):
        return False
    half = len(falls) // 2
    return story.steady == _PATIENCE or (min(falls) > 0 and sum(falls[-half:]) > 0.5 * sum(falls[:half]))


def _stands(story: Story) -> bool:
    """Say whether the loss has found no lower level, by a percent, in the last epochs."""
    before = story.lowest[-_STANDS - 1] if len(story.lowest) > _STANDS else None
    if before is None:
        return False
    recent = story.recent_losses(_STANDS)
    return bool(recent) and story.rise(before.metrics["loss"], min(recent)) > -0.01


def _is_poor(story: Story) -> bool:
    now = story.last
    # Of a text nobody knows how much of it can be predicted at all.
    if story.config.data.source == "text":
        return False
    return now.get("accuracy", 1.0) < _POOR_ACCURACY or now.get("r2", 1.0) < _POOR_R2


def _fits(story: Story) -> bool:
    """Say whether the network is known to fit the examples that it is trained on."""
    return story.last.get("accuracy", 0.0) >= _POOR_ACCURACY or story.last.get("r2", 0.0) >= _POOR_R2
