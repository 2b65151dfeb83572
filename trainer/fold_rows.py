"""A fold as the device has it: which of the shared examples are a member's, and how it sees them."""

from typing import Any

import numpy as np

from trainer.data.splits import Splits
from trainer.state import FoldRows, blocks


def fold_rows(splits: Splits) -> FoldRows:
    """Return the rows of a fold, of the same shapes for all folds; still on the host."""
    fold = splits.fold
    assert fold is not None
    validation: Any = blocks(fold.validation.astype(np.int32), fold.validation, fold.most_validation)
    scale: Any = splits.y_scale
    offset: Any = splits.y_offset
    mean: Any = splits.target_mean
    return FoldRows(
        train=_filled_up(fold.train, fold.most_train),
        n_train=np.int32(len(fold.train)),  # type: ignore[arg-type]
        validation=np.where(validation.weights > 0, validation.x, fold.validation[0]).astype(np.int32),
        weights=validation.weights,
        x=fold.x or (),
        y=fold.y or (),
        fill=() if fold.fill is None else fold.fill,
        target_scale=scale,
        target_offset=offset,
        target_mean=mean,
    )


def _filled_up(rows: Any, length: int) -> Any:
    return np.append(rows, np.repeat(rows[:1], length - len(rows))).astype(np.int32)
