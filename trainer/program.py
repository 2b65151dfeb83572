"""Programs: the maths of `step`, compiled ahead of time for one structure and kept for the next run of the same.

Compiling ahead means that its seconds, the FLOPs and the memory are known before the first update, and that a changed
number can never set off another compile.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from trainer import horizons, numbers, step
from trainer.advance import make_advance
from trainer.data.splits import Part, Splits
from trainer.shape import Shape
from trainer.state import AXES, Blocks, Data, Parameters, State, blocks, with_axis

_KEPT = 8


@dataclass(frozen=True, slots=True)
class Compilation:
    """What compiling one function cost, and what XLA says about it; None where it says nothing."""

    what: str
    seconds: float
    flops: float | None
    memory_bytes: int | None


@dataclass(frozen=True, slots=True)
class Program:
    """The compiled functions of one structure.

    Attributes:
        looks: compiled when first wanted, since no update waits for them; by the shapes of what they look at.
    """

    init: Any
    advance: Any
    evaluate: Any
    compilations: tuple[Compilation, ...]
    looks: dict[tuple[Any, ...], Any] = field(default_factory=dict)


_programs: OrderedDict[tuple[Any, ...], Program] = OrderedDict()
_lock = threading.Lock()


def compiled(shape: Shape, data: Data, test: Blocks | None) -> tuple[Program, tuple[Compilation, ...]]:
    """Return the program of the structure, and what was compiled for it now: nothing, if it was kept.

    Args:
        shape: what is compiled in.
        data: the training and validation examples, on the device or not; only shapes and types count.
        test: the test examples, or None.
    """
    key = (shape.key, _shapes(data), _shapes(test))
    with _lock:
        if key in _programs:
            _programs.move_to_end(key)
            return _programs[key], ()
    program = _compile(shape, data, test)
    with _lock:
        _programs[key] = program
        while len(_programs) > _KEPT:
            _programs.popitem(last=False)
    return program, program.compilations


def known(shape: Shape) -> Program | None:
    """Return the program that is kept for a structure and data of these counts; None where nothing was compiled."""
    with _lock:
        return next((program for key, program in reversed(_programs.items()) if key[0] == shape.key), None)


def look(program: Program, shape: Shape, parameters: Parameters, vector: Any, examples: Blocks) -> Any:
    """Return `look.make_look`'s function, compiled for this program; of the arguments only the shapes count."""
    from trainer.look import make_look

    key = _shapes(examples)
    if key not in program.looks:
        member = jax.ShapeDtypeStruct((), np.int32)
        function = jax.jit(make_look(shape))
        program.looks[key] = function.lower(parameters, member, vector, examples).compile()
    return program.looks[key]


def place(splits: Splits) -> Data:
    """Return the examples on the device that trains."""
    x: Any = splits.train.x
    y: Any = splits.train.y
    scale: Any = splits.y_scale
    # The targets are held as trained on, so that their mean is about zero where they are standardized.
    mean: Any = y.mean(axis=0, dtype=np.float32) if splits.task == "regression" else np.zeros(1, np.float32)
    return jax.device_put(Data(x, y, place_blocks(splits.validation), scale, mean))


def place_blocks(part: Part) -> Blocks:
    """Return examples to evaluate on, on the device that trains."""
    return jax.device_put(blocks(part.x, part.y))


def _compile(shape: Shape, data: Data, test: Blocks | None) -> Program:
    members = shape.members
    seeds = jax.ShapeDtypeStruct((members,), np.uint32)
    vector = jax.ShapeDtypeStruct((len(numbers.names(shape.config)),), np.float32)
    vectors = jax.ShapeDtypeStruct((members, *vector.shape), np.float32)
    orders = jax.ShapeDtypeStruct((members, 2), np.int32)
    told = horizons.unbound(members)
    done: list[Compilation] = []
    init_function = _init_of_members(shape)
    states: State = jax.eval_shape(init_function, seeds, vectors)
    init = _timed(done, "init", jax.jit(init_function), seeds, vectors)
    advance_function = jax.jit(make_advance(shape), donate_argnums=0)
    advance = _timed(done, "advance", advance_function, states, vectors, data, orders, told)
    evaluate = None
    if test is not None:
        member = jax.ShapeDtypeStruct((), np.int32)
        evaluate_function = jax.jit(step.make_evaluate(shape))
        evaluate = _timed(done, "evaluate", evaluate_function, states.parameters, member, vector, data, test)
    return Program(init, advance, evaluate, tuple(done))


def _init_of_members(shape: Shape) -> Callable[..., State]:
    init = step.make_init(shape)
    if shape.members > 1:
        return jax.vmap(init, out_axes=AXES)
    # As in `advance`: a single member has no axis; its random numbers take half as long to trace.
    return lambda seeds, vectors: with_axis(init(seeds[0], vectors[0]))


def _timed(done: list[Compilation], what: str, function: Any, *arguments: Any) -> Any:
    started = time.perf_counter()
    program = function.lower(*arguments).compile()
    seconds = time.perf_counter() - started
    cost, memory = program.cost_analysis() or {}, program.memory_analysis()
    done.append(Compilation(what, seconds, cost.get("flops"), _bytes(memory)))
    return program


def _bytes(memory: Any) -> int | None:
    if memory is None:
        return None
    sizes = memory.argument_size_in_bytes + memory.output_size_in_bytes + memory.temp_size_in_bytes
    return int(sizes - memory.alias_size_in_bytes)


def _shapes(tree: Any) -> tuple[Any, ...]:
    return tuple((leaf.shape, str(leaf.dtype)) for leaf in jax.tree.leaves(tree))
