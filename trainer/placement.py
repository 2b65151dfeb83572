"""What lies where when several devices train: of a run alone, each batch is split; of a population, the members.

Parameters of a run alone and the examples are whole on each device. What the devices must tell each other, such as the
sum of their gradients, the compiler finds by itself.
"""

from functools import cache
from typing import TYPE_CHECKING, Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec, Sharding, SingleDeviceSharding

from trainer.state import AXES, DATA_AXES, Data, State

if TYPE_CHECKING:
    from jaxtyping import Array, Float, Int

    from trainer.shape import Shape

_DEVICES: Final = "devices"


def spread(runs: int, devices: int) -> tuple[int, int]:
    """Return how many members to train and on how many devices, so that all devices have equally many.

    Args:
        runs: that train together.
        devices: there are at most.

    Returns:
        The members, with some that stay idle where the runs do not divide, and the devices that then have work.
    """
    if runs == 1:
        return 1, devices
    on_each = -(-runs // devices)
    used = -(-runs // on_each)
    return on_each * used, used


def whole(shape: "Shape") -> Sharding:
    """Return the place of what every device has all of."""
    return _sharding(shape.devices)


def by_member(shape: "Shape") -> Sharding:
    """Return the place of arrays with the members as their first axis."""
    return _sharding(shape.devices, *([_DEVICES] if shape.members > 1 else []))


def of_state(shape: "Shape") -> Any:
    """Return the place of each field of the members' state."""
    return State(*(whole(shape) if axis is None else by_member(shape) for axis in AXES))  # type: ignore[arg-type]


def of_data(shape: "Shape") -> Any:
    """Return the place of each field of the examples."""
    return Data(*(whole(shape) if axis is None else by_member(shape) for axis in DATA_AXES))  # type: ignore[arg-type]


def settled(shape: "Shape", state: State, data: Data, test: Any) -> tuple[State, Data, Any]:
    """Return a state, its data and what else its members share, moved from other devices to those of the shape."""
    return (
        jax.device_put(state, of_state(shape)), jax.device_put(data, of_data(shape)), jax.device_put(test, whole(shape))
    )  # fmt: skip


def split(shape: "Shape", batch: "Float[Array, 'batch features']") -> "Float[Array, 'batch features']":
    """Have a batch of a run alone split over the devices; a size that does not divide is as right."""
    if shape.devices == 1 or shape.members > 1:
        return batch
    return lax.with_sharding_constraint(batch, _sharding(shape.devices, _DEVICES))


def member(shape: "Shape", tree: Any, index: "Int[Array, '']") -> Any:
    """Return a member's arrays in a tree that has the members as its first axis, inside the trace."""
    if shape.devices == 1 or shape.members == 1:
        return jax.tree.map(lambda leaf: lax.dynamic_index_in_dim(leaf, index, keepdims=False), tree)

    # Taken by index, the arrays of all members would first be copied to every device.
    def taken(leaf: "Array") -> "Array":
        is_meant = jnp.arange(len(leaf)).reshape(-1, *[1] * (leaf.ndim - 1)) == index
        return jnp.where(is_meant, leaf, 0).sum(axis=0).astype(leaf.dtype)

    return jax.tree.map(taken, tree)


def _sharding(devices: int, *axes: str) -> Sharding:
    if devices == 1:
        return SingleDeviceSharding(jax.local_devices()[0])
    return NamedSharding(_mesh(devices), PartitionSpec(*axes))


@cache
def _mesh(devices: int) -> Mesh:
    return Mesh(np.array(jax.local_devices()[:devices]), (_DEVICES,))
