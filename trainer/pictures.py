"""From what the model makes of examples to pictures of it: confusion, worst examples, true against predicted, plane.

Pure and on the host: `trainer.look` asks the model, `trainer.looking` says when.
"""

import time
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainer.picture_file import (
    COLUMNS,
    MOST_CLASSES,
    MOST_CONFUSED,
    MOST_FEATURES,
    MOST_NAMES,
    MOST_OUTPUTS,
    MOST_POINTS,
    MOST_WORST,
    ROWS,
    Boundary,
    Confused,
    Example,
    Feature,
    Pictures,
    Scatter,
)
from trainer.subject import Plane, Subject, some
from trainer.thumbnails import thinned_shape, thumbnail

_SHOWN_ON_PLANE = 300


class Seen(NamedTuple):
    """What the model makes of examples, on the host.

    Attributes:
        losses: shape [examples].
        predicted: class; or the outputs as trained on, shape [examples, outputs], at most `MOST_OUTPUTS` of them.
        true_shares: probability given to the true class, shape [examples]; None for numbers.
        shares: likewise, to the predicted one.
    """

    losses: NDArray[np.float32]
    predicted: NDArray[Any]
    true_shares: NDArray[np.float32] | None
    shares: NDArray[np.float32] | None

    def part(self, rows: Any) -> "Seen":
        """Return what it makes of some of them."""
        return Seen(self.losses[rows], self.predicted[rows], _of(self.true_shares, rows), _of(self.shares, rows))


def pictures_of(subject: Subject, seen: Seen, epoch: int, step: int) -> Pictures:
    """Return the pictures.

    Args:
        subject: what was looked at.
        seen: what the model makes of `subject.asked`.
        epoch: whose weights, from 0.
        step: updates behind them.
    """
    splits, n = subject.splits, len(subject.rows)
    on_examples = seen.part(slice(n))
    classifies = splits.task == "classification"
    true = subject.part.y[subject.rows]
    return Pictures(
        time=time.time(),
        epoch=epoch,
        step=step,
        split=subject.split,
        examples=n,
        of=subject.size,
        task=splits.task,
        target_names=list(splits.target_names) if splits.n_outputs <= MOST_NAMES else [],
        worst=_worst(subject, true, on_examples),
        image_shape=thinned_shape(splits.image_shape),
        boundary=_boundary(subject, subject.plane, seen.part(slice(n, None))) if subject.plane else None,
        **(_confusion(true, on_examples.predicted, splits.n_outputs) if classifies else {}),
        scatter=[] if classifies else _scatter(subject, true, on_examples.predicted),
    )


def _confusion(true: NDArray[Any], predicted: NDArray[Any], n_classes: int) -> dict[str, Any]:
    kinds, counts = np.unique(true.astype(np.int64) * n_classes + predicted, return_counts=True)
    true_of, predicted_of = np.divmod(kinds, n_classes)
    wrong = np.flatnonzero(true_of != predicted_of)
    most = wrong[np.argsort(-counts[wrong], kind="stable")][:MOST_CONFUSED]
    told: dict[str, Any] = {
        "right": int(counts[true_of == predicted_of].sum()),
        "confused": [
            Confused(true=int(true_of[i]), predicted=int(predicted_of[i]), count=int(counts[i])) for i in most
        ],
    }
    if n_classes <= MOST_CLASSES:
        matrix = np.zeros((n_classes, n_classes), np.int64)
        matrix[true_of, predicted_of] = counts
        told["confusion"] = matrix.tolist()
    return told


def _worst(subject: Subject, true: NDArray[Any], seen: Seen) -> list[Example]:
    """Return the examples of the greatest loss; one that is no number is worse than any."""
    badness = np.where(np.isnan(seen.losses), np.inf, seen.losses)
    count = min(MOST_WORST, len(badness))
    found = np.argpartition(-badness, count - 1)[:count]
    return [_example(subject, int(row), true, seen) for row in found[np.lexsort((found, -badness[found]))]]


def _example(subject: Subject, row: int, true: NDArray[Any], seen: Seen) -> Example:
    told: dict[str, Any]
    if seen.shares is not None and seen.true_shares is not None:
        told = {"true": int(true[row]), "predicted": int(seen.predicted[row])}
        told |= {"true_share": _short(seen.true_shares[row]), "predicted_share": _short(seen.shares[row])}
    else:
        told = {
            "true": _listed(_in_own_units(subject, true[row])),
            "predicted": _listed(_in_own_units(subject, seen.predicted[row])),
        }
    (x,) = subject.part.rows(subject.rows[row : row + 1]).x
    shown = {"image": _image(subject, x)} if subject.splits.image_shape else {"features": _unusual(subject, x)}
    return Example(index=subject.place(row), loss=_short(seen.losses[row]), **told, **shown)


def _image(subject: Subject, x: NDArray[np.float32]) -> list[int]:
    """Return the pixels as `Example.image` has them."""
    splits = subject.splits
    assert splits.image_shape is not None
    raw = x.astype(np.float64) * splits.x_scale + splits.x_offset
    return thumbnail(raw, splits.image_shape, subject.darkest, subject.brightest)


def _unusual(subject: Subject, x: NDArray[np.float32]) -> list[Feature]:
    """Return the features that are furthest from their mean, in standard deviations; a category as one of 0 and 1."""
    splits = subject.splits
    deviations = (x - subject.mean) / np.where(subject.deviation > 0, subject.deviation, 1.0)
    raw = x.astype(np.float64) * splits.x_scale + splits.x_offset
    told = dict(enumerate(zip(splits.feature_names, raw, strict=True)))
    for i, rarity in subject.rarity.items():
        number = int(x[i])
        deviations[i] = rarity[number]
        told[i] = f"{splits.feature_names[i]}={splits.categories[i][number]}", 1.0
    furthest = np.argsort(-abs(deviations), kind="stable")[:MOST_FEATURES]
    return [
        Feature(name=told[i][0], value=_short(told[i][1]), deviation=round(float(deviations[i]), 2)) for i in furthest
    ]


def _scatter(subject: Subject, true: NDArray[Any], predicted: NDArray[Any]) -> list[Scatter]:
    rows = some(len(true), MOST_POINTS)
    columns = zip(_in_own_units(subject, true[rows]).T, _in_own_units(subject, predicted[rows]).T, strict=True)
    return [Scatter(true=_listed(ours), predicted=_listed(its)) for ours, its in columns]


def _boundary(subject: Subject, plane: Plane, seen: Seen) -> Boundary:
    splits = subject.splits
    low, high = (_listed(end * splits.x_scale + splits.x_offset, digits=9) for end in (plane.low, plane.high))
    rows = some(len(splits.train), _SHOWN_ON_PLANE)
    points = splits.train.rows(rows)
    across, up = (points.x.astype(np.float64) * splits.x_scale + splits.x_offset).T
    told: dict[str, Any]
    if seen.shares is not None:
        targets: Any = points.y.tolist()
        # What is no number is no confidence either.
        percents = np.nan_to_num(seen.shares * 100).round().clip(0, 100).astype(int)
        told = {"classes": seen.predicted.tolist(), "percents": percents.tolist()}
    else:
        targets = _listed(_in_own_units(subject, points.y)[:, 0])
        told = {"values": _listed(_in_own_units(subject, seen.predicted)[:, 0], digits=4)}
    return Boundary(
        names=(splits.feature_names[0], splits.feature_names[1]),
        x=(low[0], high[0]),
        y=(low[1], high[1]),
        columns=COLUMNS,
        rows=ROWS,
        point_x=_listed(across, digits=5),
        point_y=_listed(up, digits=5),
        point_targets=targets,
        **told,
    )


def _of(column: NDArray[np.float32] | None, rows: Any) -> NDArray[np.float32] | None:
    return None if column is None else column[rows]


def _in_own_units(subject: Subject, outputs: NDArray[Any]) -> NDArray[np.float64]:
    """Return outputs, shape [..., outputs], in the units of the target, at most `MOST_OUTPUTS` of them."""
    splits = subject.splits
    shown: NDArray[np.float64] = outputs.astype(np.float64)[..., :MOST_OUTPUTS]
    return shown * splits.y_scale[:MOST_OUTPUTS] + splits.y_offset[:MOST_OUTPUTS]


def _listed(values: Iterable[Any], digits: int = 6) -> list[float]:
    return [_short(value, digits) for value in values]


def _short(value: Any, digits: int = 6) -> float:
    """Return the number with so many digits: the file is for eyes."""
    return float(f"{value:.{digits}g}")
