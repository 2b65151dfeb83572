"""Programs: the maths of `step`, compiled ahead of time for one structure and kept for the next run of the same.

Compiling ahead means that its seconds, the FLOPs and the memory are known before the first update, and that a changed
number can never set off another compile.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Sharding

from trainer import horizons, memory, numbers, placement, step
from trainer.advance import make_advance
from trainer.class_weights import weights_of
from trainer.data.fold import View
from trainer.data.splits import Part, Splits
from trainer.fold_rows import fold_rows
from trainer.preparation import Prepared
from trainer.shape import Shape
from trainer.state import AXES, Blocks, Data, Own, Parameters, State, blocks, named_arrays, with_axis

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
        memory_bytes: what training takes of each device at most; None where XLA does not say.
        looks: compiled when first wanted, since no update waits for them; by the shapes of what they look at.
    """

    init: Any
    advance: Any
    evaluate: Any
    compilations: tuple[Compilation, ...]
    memory_bytes: int | None
    looks: dict[tuple[Any, ...], Any] = field(default_factory=dict)


class _Built(NamedTuple):
    """A compiled function, and XLA's account of its memory or None: it is asked once, which takes a while."""

    function: Any
    memory: Any

    @classmethod
    def of(cls, function: Any) -> "_Built":
        return cls(function, function.memory_analysis())


_programs: OrderedDict[tuple[Any, ...], Program] = OrderedDict()
_under_way: dict[tuple[Any, ...], Future[Program]] = {}
_lock = threading.Lock()


def compiled(shape: Shape, data: Data, test: Blocks | None) -> tuple[Program, tuple[Compilation, ...]]:
    """Return the program of the structure, and what was compiled for it now: nothing, if it was kept.

    Who asks while another thread compiles it waits for that one.

    Args:
        shape: what is compiled in.
        data: the training and validation examples, on the device or not; only shapes and types count.
        test: the test examples, or None.

    Raises:
        RunError: training needs more memory than a device has.
    """
    key = (shape.key, _shapes(data), _shapes(test))
    with _lock:
        if key in _programs:
            _programs.move_to_end(key)
            return _programs[key], ()
        other, ours = _under_way.get(key), Future[Program]()
        _under_way.setdefault(key, ours)
    if other is not None:
        return (found := other.result()), found.compilations
    try:
        program = _compile(shape, data, test)
        memory.require(shape.config.training.batch_size, shape.devices, need(shape, data, test, program))
    except BaseException as error:
        ours.set_exception(error)
        raise
    else:
        ours.set_result(program)
        with _lock:
            _programs[key] = program
            while len(_programs) > _KEPT:
                _programs.popitem(last=False)
        return program, program.compilations
    finally:
        with _lock:
            del _under_way[key]
        del ours  # as in `abandoning`


def known(shape: Shape) -> Program | None:
    """Return the program that is kept for a structure and data of these counts; None where nothing was compiled."""
    with _lock:
        return next((program for key, program in reversed(_programs.items()) if key[0] == shape.key), None)


def look(program: Program, shape: Shape, parameters: Parameters, vector: Any, examples: Blocks) -> Any:
    """Return `look.make_look`'s function, compiled for this program; of the arguments only the shapes count."""
    from trainer.look import make_look

    key = _shapes(examples)
    if key not in program.looks:
        member, moment = jax.ShapeDtypeStruct((), np.int32), jax.ShapeDtypeStruct((2,), np.uint32)
        whole, each = placement.whole(shape), placement.by_member(shape)
        function = _placed(shape, make_look(shape), (each, whole, whole, whole, whole), whole)
        program.looks[key] = _compiled_for(function, parameters, member, vector, examples, moment)
    return program.looks[key]


def need(shape: Shape, data: Data, test: Blocks | None, program: Program | None = None) -> memory.Need:
    """Return the function from a batch size to the bytes that training takes of each device, which compiles for it.

    Arguments as for `compiled`; with the program of this structure where it is there already.
    """
    own = shape.config.training.batch_size

    def needed(batch_size: int) -> int | None:
        nonlocal program
        program = program or _compile(shape, data, test)
        if batch_size == own:
            return program.memory_bytes
        config = shape.config.changed({"training.batch_size": batch_size})
        other = replace(shape, config=config, buffer=shape.buffer // batch_size * batch_size)
        advance = _compile_advance([], other, data, jax.eval_shape(_make_init(other), *_begins(other)))
        evaluate = program.evaluate and _Built.of(program.evaluate)
        return _memory(_Built.of(program.init), advance, evaluate, _beside(other, data, test))

    return needed


def own(shape: Shape, runs: Sequence[Prepared]) -> Own:
    """Return what each of the runs that train together has of its own, still on the host."""
    each = [_own(shape, it) for it in runs]
    return jax.tree.map(lambda *arrays: np.stack(arrays), *each, *each[-1:] * (shape.members - len(each)))


def _own(shape: Shape, run: Prepared) -> Own:
    asked, labels = run.config.loss.class_weight, run.splits.train_labels
    weights = weights_of(asked, [*labels.values()]) if shape.weighs_classes else ()
    return Own(weights, fold_rows(run.splits) if shape.most_train else ())


def examples(splits: Splits, own: Own = Own(), buffer: int = 0) -> Data:  # noqa: B008 a tuple never changes
    """Return the examples as they train, still on the host.

    Args:
        splits: all of them.
        own: what each member has of its own.
        buffer: as in `Shape`; of those that stream there are shapes and types alone.
    """
    if splits.fold:
        held: Any = splits.fold.pool
        return Data(held.x, held.y, (), (), (), (), own)
    x: Any = splits.train.x
    y: Any = splits.train.y
    scale: Any = splits.y_scale
    offset: Any = splits.y_offset
    x_scaling: Any = ()
    mean: Any = splits.target_mean
    if stream := splits.stream:
        x, y = (jax.ShapeDtypeStruct((buffer, *shape), dtype) for shape, dtype in stream.outlines)
        if not (stream.is_scaled_here or stream.x_scaling.changes_nothing):
            x_scaling = splits.x_offset, splits.x_scale
    return Data(x, y, blocks(splits.validation.x, splits.validation.y), scale, offset, mean, own, x_scaling)


def held_test(splits: Splits) -> Part | View:
    """Return the test examples as members share them."""
    return splits.fold.test if splits.fold else splits.test


def place(splits: Splits, sharding: Any = None, own: Own = Own()) -> Data:  # noqa: B008
    """Return the examples on the devices that train, as `placement.of_data` says; None for the first one."""
    return jax.device_put(examples(splits, own), sharding)


def place_blocks(part: Part | View, sharding: Sharding | None = None) -> Blocks:
    """Return examples to evaluate on, on the devices that train, as `placement.whole` says; None for the first one."""
    return jax.device_put(blocks(part.x, part.y), sharding)


def _compile(shape: Shape, data: Data, test: Blocks | None) -> Program:
    done: list[Compilation] = []
    whole, each = placement.whole(shape), placement.by_member(shape)
    init_function = _make_init(shape)
    states: State = jax.eval_shape(init_function, *_begins(shape))
    placed_init = _placed(shape, init_function, (each, each), placement.of_state(shape))
    init = _timed(done, "init", placed_init, *_begins(shape))
    advance = _compile_advance(done, shape, data, states)
    evaluate = None
    if test is not None:
        member, vector = jax.ShapeDtypeStruct((), np.int32), _vectors(shape)
        evaluate_function = _placed(
            shape, step.make_evaluate(shape), (each, whole, whole, placement.of_data(shape), whole), whole
        )
        evaluate = _timed(done, "evaluate", evaluate_function, states.parameters, member, vector, data, test)
    needed = _memory(init, advance, evaluate, _beside(shape, data, test))
    return Program(init.function, advance.function, evaluate and evaluate.function, tuple(done), needed)


def _compile_advance(done: list[Compilation], shape: Shape, data: Data, states: State) -> _Built:
    each, state = placement.by_member(shape), placement.of_state(shape)
    places = (state, each, placement.of_data(shape), each, each), (state, each)
    function = _placed(shape, make_advance(shape), *places, donate_argnums=0)
    orders, told = jax.ShapeDtypeStruct((shape.members, 2), np.int32), horizons.unbound(shape.members)
    return _timed(done, "advance", function, states, _vectors(shape, shape.members), data, orders, told)


def outlines_of(shape: Shape) -> dict[str, jax.ShapeDtypeStruct]:
    """Return shape and type of each array of a member's state, by the names that a checkpoint has for them."""
    states: State = jax.eval_shape(_make_init(shape), *_begins(shape))
    members = named_arrays(states._replace(step=()))  # type: ignore[arg-type]
    return {name: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype) for name, leaf in members.items()}


def _make_init(shape: Shape) -> Any:
    """Return the function from the members' seeds and numbers to their state."""
    init = step.make_init(shape)
    if shape.members > 1:
        return jax.vmap(init, out_axes=AXES)
    # As in `advance`: a single member has no axis; its random numbers take half as long to trace.
    return lambda seeds, vectors: with_axis(init(seeds[0], vectors[0]))


def _begins(shape: Shape) -> tuple[jax.ShapeDtypeStruct, jax.ShapeDtypeStruct]:
    """Return what a training begins with: seeds and numbers, by shape and type."""
    return jax.ShapeDtypeStruct((shape.members,), np.uint32), _vectors(shape, shape.members)


def _vectors(shape: Shape, *members: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct((*members, len(numbers.names(shape.config))), np.float32)


def _placed(shape: Shape, function: Any, inputs: Any, outputs: Any, **options: Any) -> Any:
    """Return the function to compile; where several devices train, with the places of what goes in and comes out."""
    if shape.devices > 1:
        options |= {"in_shardings": inputs, "out_shardings": outputs}
    return jax.jit(function, **options)


def _beside(shape: Shape, data: Data, test: Blocks | None) -> Any:
    """Return what lies on the devices and is no argument of `advance`: the test examples, and the next buffer."""
    return test, ((data.x, data.y) if shape.buffer else ())


def _memory(init: _Built, advance: _Built, evaluate: _Built | None, beside: Any) -> int | None:
    """Return the bytes that training takes of each device at most: all that lies there, and what a call adds.

    `beside` lies there and is no argument of the call.
    """
    if not init.memory or not advance.memory:
        return None
    call = advance.memory
    lies_there = call.argument_size_in_bytes + sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(beside))
    calls = [call.output_size_in_bytes - call.alias_size_in_bytes + call.temp_size_in_bytes]
    calls.append(init.memory.temp_size_in_bytes)
    if evaluate and evaluate.memory:
        calls.append(evaluate.memory.output_size_in_bytes + evaluate.memory.temp_size_in_bytes)
    return int(lies_there + max(calls))


def _compiled_for(function: Any, *arguments: Any) -> Any:
    """Return the function compiled for arguments like these; where they lie now does not matter."""
    outlines = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), arguments)
    return function.lower(*outlines).compile()


def _timed(done: list[Compilation], what: str, function: Any, *arguments: Any) -> _Built:
    started = time.perf_counter()
    built = _Built.of(_compiled_for(function, *arguments))
    seconds = time.perf_counter() - started
    cost = built.function.cost_analysis() or {}
    done.append(Compilation(what, seconds, cost.get("flops"), _bytes(built.memory)))
    return built


def _bytes(memory: Any) -> int | None:
    if memory is None:
        return None
    sizes = memory.argument_size_in_bytes + memory.output_size_in_bytes + memory.temp_size_in_bytes
    return int(sizes - memory.alias_size_in_bytes)


def _shapes(tree: Any) -> tuple[Any, ...]:
    return tuple((leaf.shape, str(leaf.dtype)) for leaf in jax.tree.leaves(tree))
