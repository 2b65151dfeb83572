"""Restoring: the arrays of checkpoints become the state of a population again, leaf by leaf, or are refused."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from trainer import placement, program
from trainer.checkpoints import Arrays
from trainer.problems import RunError
from trainer.shape import Shape
from trainer.state import State, named_arrays


def require_fit(shape: Shape, checkpoints: Sequence[Arrays], *, whole: bool) -> None:
    """Refuse checkpoints of another structure, before anything is compiled.

    Args:
        shape: what is compiled in.
        checkpoints: of each member.
        whole: whether they must hold the whole of a state, and nothing else.

    Raises:
        RunError: the first array that does not fit.
    """
    outlines = program.outlines_of(shape)
    for arrays in checkpoints:
        if problem := _refused(arrays, outlines, whole=whole):
            raise RunError(f"the checkpoint does not fit the run's config: {problem}.")


def restored(shape: Shape, state: State, checkpoints: Sequence[Arrays], step: int) -> State:
    """Return the state with what the checkpoints hold, which fits; what one of them lacks stays as it is.

    Args:
        shape: what is compiled in.
        state: of all members, as a training begins.
        checkpoints: of each member; those that stay idle copy the last.
        step: updates done.
    """
    rows = [*checkpoints, *[checkpoints[-1]] * (shape.members - len(checkpoints))]
    own = state._replace(step=())  # type: ignore[arg-type]
    found = [
        np.stack([arrays.get(name, begun) for arrays, begun in zip(rows, np.asarray(leaf), strict=True)])
        for name, leaf in named_arrays(own).items()
    ]
    tree: Any = jax.tree.unflatten(jax.tree.structure(own), found)
    whole_state: State = tree._replace(step=np.int32(step))
    # A copy, since the device may write to what it is given.
    placed: State = jax.device_put(whole_state, placement.of_state(shape), may_alias=False)
    return placed


def misfit(arrays: Arrays, outlines: Mapping[str, Any]) -> str:
    """Return what to say of the first array that is missing or has another shape or type than is needed; else "".

    Args:
        arrays: of one member.
        outlines: what has a shape and a type, by the same names.
    """
    for name, needed in outlines.items():
        got = arrays.get(name)
        if got is None or (got.shape, got.dtype) != (tuple(needed.shape), needed.dtype):
            has = "is missing in the checkpoint" if got is None else f"is {_words(got)} in the checkpoint"
            return f"{name} {has}, this config needs {_words(needed)}"
    return ""


def _refused(arrays: Arrays, outlines: Mapping[str, Any], *, whole: bool) -> str:
    if not whole:
        return misfit(arrays, {name: leaf for name, leaf in outlines.items() if name in arrays})
    unknown = next((name for name in arrays if name not in outlines and name != "step"), None)
    return misfit(arrays, outlines) or (f"{unknown} is in the checkpoint, this config has none" if unknown else "")


def _words(array: Any) -> str:
    return f"{array.dtype} {list(array.shape)}"
