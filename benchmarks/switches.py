"""What switching something on costs: checkpoints at every epoch, and diagnostics from inside the compiled loop.

Both cost more at the beginning of a training than later.
"""

from benchmarks.bench import Bench, say
from benchmarks.report import Result
from benchmarks.throughput import fastest, in_turn
from benchmarks.workloads import Workload

_EVERY_EPOCH = {"callbacks__model_checkpoint__save_best_only": False}
_NEVER = {"callbacks__model_checkpoint__enabled": False}


def measure_checkpoints(bench: Bench) -> list[Result]:
    """Return how fast a run is that saves every epoch, against the same run without checkpoints.

    Of digits only for information: no disk takes 250 checkpoints a second, and no one wants them.
    """
    return [_checkpoints(bench, bench.large, 0.97), _checkpoints(bench, bench.digits, None)]


def _checkpoints(bench: Bench, work: Workload, bar: float | None) -> Result:
    say(f"checkpoints at every epoch of {work.name}")
    pairs = in_turn(bench, [work.preset(**_EVERY_EPOCH), work.preset(**_NEVER)], bare="", in_one_go=True)
    ratios = tuple(saving / plain for saving, plain in pairs)
    seconds = len(work.splits.train) / max(plain for _, plain in pairs)
    note = f"an epoch without takes {seconds:.3g} s"
    return Result(f"training {work.name}, each epoch saved", "without checkpoints", bar, True, ratios, note=note)


def measure_diagnostics(bench: Bench) -> list[Result]:
    """Return how fast a run with diagnostics is, against the bare loop and against the same run without."""
    return [result for work in (bench.digits, bench.large) for result in _diagnostics(bench, work)]


def _diagnostics(bench: Bench, work: Workload) -> list[Result]:
    say(f"diagnostics of {work.name}")
    speeds = in_turn(bench, [work.preset(training__diagnostics=on) for on in (True, False)], in_one_go=True)
    what = f"training {work.name}, diagnostics on"
    against_bare = tuple(on / bare for on, _, bare in speeds)
    against_off = tuple(on / off for on, off, _ in speeds)
    return [
        Result(what, "bare JAX loop", 0.95, True, against_bare, note=fastest(speeds)),
        Result(what, "the same, off", 0.98, True, against_off),
    ]
