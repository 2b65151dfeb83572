"""What a device with room to spare makes of it: layers in half the bits, and many replicas in one program."""

from benchmarks.bench import Bench, say
from benchmarks.report import Result
from benchmarks.throughput import in_turn

_WIDE, _WIDER = 1024, 8192
"""Units of both hidden layers, and examples of a batch; the wider ones are for GPUs."""

_EPOCHS = 20
_CPU_EPOCHS = 3
_REPLICAS, _REPLICA_EPOCHS = (8, 64, 256), 30


def measure(bench: Bench) -> list[Result]:
    """Return the results."""
    return [*_precisions(bench), *_replicas(bench)]


def _precisions(bench: Bench) -> list[Result]:
    on_cpu = bench.device.startswith("cpu")
    return [_precision(bench, width, _CPU_EPOCHS if on_cpu else _EPOCHS) for width in (_WIDE, _WIDER)[: 2 - on_cpu]]


def _precision(bench: Bench, width: int, epochs: int) -> Result:
    what = f"training 60,000 x 784, two layers of {width:,}, bfloat16"
    say(what)
    wide = {"model__hidden": [width, width], "training__batch_size": width}
    presets = [bench.large.preset(epochs, training__precision=bits, **wide) for bits in ("bfloat16", "float32")]
    pairs = in_turn(bench, presets, bare="")
    note = f"float32 {max(whole for _, whole in pairs):,.0f} examples/s"
    return Result(what, "the same, float32", None, True, tuple(half / whole for half, whole in pairs), note=note)


def _replicas(bench: Bench) -> list[Result]:
    say("replicas of digits")
    presets = [bench.digits.preset(_REPLICA_EPOCHS, training__replicas=count) for count in (*_REPLICAS, 1)]
    speeds = in_turn(bench, presets, bare="")
    note = f"one run {max(alone for *_, alone in speeds):,.0f} examples/s"
    return [
        Result(
            f"training digits, {count} replicas at once", "one run", None, True,
            tuple(each[place] / each[-1] for each in speeds), note=note,
        )
        for place, count in enumerate(_REPLICAS)
    ]  # fmt: skip
