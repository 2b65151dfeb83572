"""Programs: the maths of `step`, compiled ahead of time for one structure and kept for the next run of the same.

They are kept in memory, and by `executables` for the next process.
Compiling ahead means that its seconds, the FLOPs and the memory are known before the first update, and that a changed
number can never set off another compile.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import jax
import numpy as np
from jax.sharding import Sharding

from trainer import horizons, memory, numbers, placement, step
from trainer.advance import make_advance
from trainer.class_weights import weights_of
from trainer.data.fold import View
from trainer.data.splits import Part, Splits
from trainer.executables import Executable, executable
from trainer.fold_rows import fold_rows
from trainer.preparation import Prepared
from trainer.shape import Shape
from trainer.state import AXES, Blocks, Data, Own, Parameters, State, blocks, named_arrays, with_axis

_KEPT = 8


@dataclass(frozen=True, slots=True)
class Compilation:
    """What it took to have one function, and what XLA says about it, None where it says nothing; as in `Compiled`."""

    what: str
    seconds: float
    flops: float | None
    memory_bytes: int | None
    from_cache: bool


@dataclass(frozen=True, slots=True)
class Program:
    """The compiled functions of one structure.

    Attributes:
        memory_bytes: what training takes of each device at most; None where XLA does not say.
        looks: compiled when first wanted, since no update waits for them; by the shapes of what they look at.
    """

    init: Executable
    advance: Executable
    evaluate: Executable | None
    compilations: tuple[Compilation, ...]
    memory_bytes: int | None
    looks: dict[tuple[Any, ...], Executable] = field(default_factory=dict)

    @property
    def compile_seconds(self) -> float:
        """Return what compiling took, maybe in an earlier process."""
        return sum(it.facts.seconds for it in (self.init, self.advance, self.evaluate) if it)


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
        lower = partial(_lowered, function, parameters, member, vector, examples, moment)
        program.looks[key] = executable(_key(shape, "look", key), shape.devices, lower)
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
        advance = _Functions(other, data, test).advance()
        return _memory(program.init, advance, program.evaluate, _beside(other, data, test))

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


def without_examples(data: Data) -> Data:
    """Return what `evaluate` is given of the data: others are measured, and those that stream may not be there."""
    return data._replace(x=(), y=(), validation=())  # type: ignore[arg-type]


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
    functions = _Functions(shape, data, test)
    done: list[Compilation] = []

    def told(what: str, have: Callable[[], Executable]) -> Executable:
        began = time.perf_counter()
        found = have()
        seconds, facts = time.perf_counter() - began, found.facts
        size = facts.sizes.all if facts.sizes else None
        done.append(Compilation(what, seconds, facts.flops, size, found.from_cache))
        return found

    init, advance = told("init", functions.init), told("advance", functions.advance)
    evaluate = told("evaluate", functions.evaluate) if test is not None else None
    needed = _memory(init, advance, evaluate, _beside(shape, data, test))
    return Program(init, advance, evaluate, tuple(done), needed)


class _Functions:
    """The functions of a program, each traced only if it must be compiled; arguments as for `compiled`."""

    def __init__(self, shape: Shape, data: Data, test: Blocks | None) -> None:
        self._shape, self._data, self._test = shape, data, test
        self._whole, self._each = placement.whole(shape), placement.by_member(shape)
        self._state = placement.of_state(shape)
        self._init = _placed(shape, _make_init(shape), (self._each, self._each), self._state)

    def init(self) -> Executable:
        return self._had("init", lambda: self._init.lower(*_begins(self._shape)))

    def advance(self) -> Executable:
        return self._had("advance", self._lower_advance)

    def evaluate(self) -> Executable:
        return self._had("evaluate", self._lower_evaluate)

    def _had(self, what: str, lower: Callable[[], Any]) -> Executable:
        key = _key(self._shape, what, _shapes(self._data), _shapes(self._test))
        return executable(key, self._shape.devices, lower)

    def _lower_advance(self) -> Any:
        shape, state, each = self._shape, self._state, self._each
        places = (state, each, placement.of_data(shape), each, each), (state, each)
        function = _placed(shape, make_advance(shape), *places, donate_argnums=0)
        orders, told = jax.ShapeDtypeStruct((shape.members, 2), np.int32), horizons.unbound(shape.members)
        return _lowered(function, self._states, _vectors(shape, shape.members), self._data, orders, told)

    def _lower_evaluate(self) -> Any:
        shape, whole = self._shape, self._whole
        places = (self._each, whole, whole, placement.of_data(shape), whole), whole
        function = _placed(shape, step.make_evaluate(shape), *places)
        member = jax.ShapeDtypeStruct((), np.int32)
        data = without_examples(self._data)
        return _lowered(function, self._states.parameters, member, _vectors(shape), data, self._test)

    @property
    def _states(self) -> State:
        """Return what `init` returns, by shape and type; JAX has traced it once."""
        return self._init.eval_shape(*_begins(self._shape))


def _key(shape: Shape, *more: Any) -> tuple[Any, ...] | None:
    """Return what one of the functions depends on; None where a person's own code says what it does."""
    return None if shape.config.model.permission else (shape.key, *more)


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
    """Return the function to compile; where several devices train, with the places of what goes in and comes out.

    Arguments that it does not use stay arguments: by the text of two functions one must see which of theirs they use.
    """
    if shape.devices > 1:
        options |= {"in_shardings": inputs, "out_shardings": outputs}
    return jax.jit(function, keep_unused=True, **options)


def _beside(shape: Shape, data: Data, test: Blocks | None) -> Any:
    """Return what lies on the devices and is no argument of `advance`: the test examples, and the next buffer."""
    return test, ((data.x, data.y) if shape.buffer else ())


def _memory(init: Executable, advance: Executable, evaluate: Executable | None, beside: Any) -> int | None:
    """Return the bytes that training takes of each device at most: all that lies there, and what a call adds.

    `beside` lies there and is no argument of the call.
    """
    first, call, last = init.facts.sizes, advance.facts.sizes, evaluate and evaluate.facts.sizes
    if not first or not call:
        return None
    lies_there = call.arguments + sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(beside))
    calls = [call.results - call.shared + call.between, first.between]
    if last:
        calls.append(last.results + last.between)
    return int(lies_there + max(calls))


def _lowered(function: Any, *arguments: Any) -> Any:
    """Return the function lowered for arguments like these; where they lie now does not matter."""
    return function.lower(*jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), arguments))


def _shapes(tree: Any) -> tuple[Any, ...]:
    leaves, structure = jax.tree.flatten(tree)
    return (str(structure), *((leaf.shape, str(leaf.dtype)) for leaf in leaves))
