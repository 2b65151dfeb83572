"""Categories by their numbers, for a table to look them up in: those that training lacks, and scaling beside them."""

from dataclasses import replace

import numpy as np

from trainer.data.missing import listed
from trainer.data.scaling import Scaling, fit
from trainer.data.section import UNSEEN, Standardize, Table
from trainer.data.split import Rows


def unseen_apart(table: Table, train: Rows) -> Table:
    """Return the table with 0, for `UNSEEN`, in place of every category that no training example has, and a warning."""
    columns = np.flatnonzero([bool(words) for words in table.categories])
    if not columns.size:
        return table
    x, found = table.x.copy(), []
    for column in columns:
        unseen = ~np.isin(x[:, column], x[train, column])
        x[unseen, column] = 0
        # Those that were 0 before, and those that are now.
        if not x[:, column].all():
            found.append(table.feature_names[column])
    if not found:
        return table
    warning = f"words that no training example has are as one, '{UNSEEN}', in {listed(found)}"
    return replace(table, x=x, warnings=(*table.warnings, warning))


def fit_numbers(table: Table, train: Rows, kind: Standardize) -> Scaling:
    """Return the scaling of the features as `fit` does; numbers of categories are left as they are."""
    raw = table.x[train]
    if not table.categories:
        return fit(raw, kind)
    scaling = fit(raw, "none")
    numbers = np.flatnonzero([not words for words in table.categories])
    if numbers.size:
        of_numbers = fit(raw[:, numbers], kind)
        scaling.offset[numbers], scaling.scale[numbers] = of_numbers.offset, of_numbers.scale
        scaling.constant[numbers] = of_numbers.constant
    return scaling
