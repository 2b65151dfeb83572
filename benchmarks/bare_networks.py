"""Other networks for the bare loop: a CNN and a small Transformer for 8x8 pictures, as one writes them for these alone.

On the CPU a convolution inside of a loop is 3 to 30 times as slow as a product of matrices with the same result (see
docs/performance.md). Who writes the fastest plain loop finds that out, so that the CNN here is given the product.
"""

from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.bare_loop import MLP, N_CLASSES, Network, Parameters, dense

SIDE = 8
FILTERS = (32, 64)
KERNEL = 3
HIDDEN = 64
WIDTH, HEADS, DEPTH = 32, 4, 2


def init_cnn(key: jax.Array, n_features: int) -> Parameters:  # noqa: ARG001
    """Return two convolutions, as matrices of what a filter sees, and two dense layers."""
    keys = jax.random.split(key, 4)
    seen = (KERNEL**2, KERNEL**2 * FILTERS[0])
    flat = (SIDE // 4) ** 2 * FILTERS[1]
    sizes = [(seen[0], FILTERS[0]), (seen[1], FILTERS[1]), (flat, HIDDEN), (HIDDEN, N_CLASSES)]
    return [dense(key, *size) for key, size in zip(keys, sizes, strict=True)]


def forward_cnn(parameters: Parameters, x: jax.Array) -> jax.Array:
    """Return the logits, shape [examples, classes]."""
    *convolutions, hidden, last = parameters
    x = x.reshape(-1, SIDE, SIDE, 1)
    for layer in convolutions:
        x = pooled(jax.nn.relu(apply(layer, patches(x))))
    return apply(last, jax.nn.relu(apply(hidden, x.reshape(len(x), -1))))


def patches(x: jax.Array) -> jax.Array:
    """Return what a filter sees at each place, with zeros beyond the rim."""
    rows, columns = x.shape[1:3]
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    places = [(row, column) for row in range(KERNEL) for column in range(KERNEL)]
    return jnp.concatenate([padded[:, r : r + rows, c : c + columns] for r, c in places], axis=-1)


def pooled(x: jax.Array) -> jax.Array:
    """Return the largest of each two by two places."""
    n, rows, columns, filters = x.shape
    return x.reshape(n, rows // 2, 2, columns // 2, 2, filters).max((2, 4))


def apply(layer: tuple[jax.Array, jax.Array], x: jax.Array) -> jax.Array:
    """Return the weighted sums, over all places in one axis: over several, the gradient takes a quarter more time."""
    weight, bias = layer
    return (x.reshape(-1, x.shape[-1]) @ weight + bias).reshape(*x.shape[:-1], -1)


def init_transformer(key: jax.Array, n_features: int) -> Parameters:  # noqa: ARG001
    """Return what makes vectors of the rows and their places, the blocks, a last norm and the outputs."""
    first, second, third, *keys = jax.random.split(key, 3 + DEPTH)
    embedding = dense(first, SIDE, WIDTH)[0], 0.02 * jax.random.normal(second, (SIDE, WIDTH))
    return embedding, [init_block(key) for key in keys], norm(), dense(third, WIDTH, N_CLASSES)


def init_block(key: jax.Array) -> Any:
    """Return a norm, attention into and out of, a norm, and two dense layers."""
    into, out_of, up, down = jax.random.split(key, 4)
    attention = norm(), dense(into, WIDTH, 3 * WIDTH), dense(out_of, WIDTH, WIDTH)
    return *attention, norm(), dense(up, WIDTH, 4 * WIDTH), dense(down, 4 * WIDTH, WIDTH)


def norm() -> tuple[jax.Array, jax.Array]:
    """Return scale and offset of a norm."""
    return jnp.ones(WIDTH), jnp.zeros(WIDTH)


def forward_transformer(parameters: Parameters, x: jax.Array) -> jax.Array:
    """Return the logits, shape [examples, classes]; a picture goes in row by row."""
    (weight, position), blocks, last_norm, last = parameters
    x = x.reshape(-1, SIDE, SIDE) @ weight + position
    for attention_norm, into, out_of, dense_norm, up, down in blocks:
        x = x + apply(out_of, attended(apply(into, normed(attention_norm, x))))
        x = x + apply(down, jax.nn.gelu(apply(up, normed(dense_norm, x))))
    return apply(last, normed(last_norm, x).mean(1))


def attended(x: jax.Array) -> jax.Array:
    """Return what each row takes from all rows, head by head."""
    of_heads = (*x.shape[:2], HEADS, WIDTH // HEADS)
    query, key, value = (part.reshape(of_heads) for part in jnp.split(x, 3, axis=-1))
    return jax.nn.dot_product_attention(query, key, value).reshape(*x.shape[:2], WIDTH)


def normed(scale: tuple[jax.Array, jax.Array], x: jax.Array) -> jax.Array:
    """Return the units at zero mean and unit variance, then scaled."""
    centred = (x - x.mean(-1, keepdims=True)) * jax.lax.rsqrt(x.var(-1, keepdims=True) + 1e-5)
    return centred * scale[0] + scale[1]


NETWORKS = {
    "mlp": MLP,
    "cnn": Network(init_cnn, forward_cnn),
    "transformer": Network(init_transformer, forward_transformer),
}
