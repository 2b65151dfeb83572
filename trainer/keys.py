"""Random numbers: each is a function of a seed, what it is for, and the epoch or update it is for.

No key is carried along, so the state after update k does not depend on how the updates were grouped into calls.
"""

from typing import Final

import jax
from jaxtyping import Array, Int, PRNGKeyArray, UInt32

WEIGHTS: Final = 0
ORDER: Final = 1
DROPOUT: Final = 2
SAMPLES: Final = 3
AUGMENTATION: Final = 4
"""Purposes; the numbers are part of the meaning of a seed."""


def key(seed: UInt32[Array, ""], purpose: int, index: Int[Array, ""]) -> PRNGKeyArray:
    """Return the key of a purpose at an epoch or update."""
    return jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), purpose), index)
