"""Measure: `python -m benchmarks [SUBJECT]... [--quick] [--torch-python PATH]`. Never a test.

The figures go into `RESULTS.md`, unless `--quick`, whose settings are for working on the measurements.
"""

import argparse
import tempfile
from pathlib import Path

from benchmarks import (
    keys,
    overheads,
    paint,
    population,
    report,
    scaling,
    streaming,
    switches,
    terminal,
    throughput,
    whole_run,
)
from benchmarks.bench import Bench

SUBJECTS = {
    "throughput": throughput.measure,
    "large": throughput.measure_large,
    "networks": throughput.measure_networks,
    "population": population.measure,
    "scaling": scaling.measure,
    "streaming": streaming.measure,
    "checkpoints": switches.measure_checkpoints,
    "diagnostics": switches.measure_diagnostics,
    "whole_run": whole_run.measure,
    "paint": paint.measure,
    "terminal": terminal.measure,
    "keys": keys.measure,
    "overheads": overheads.measure,
}
_RESULTS = Path(__file__).with_name("RESULTS.md")


def main() -> None:
    """Measure the subjects asked for and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure nn-tui against its references.")
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT", help=f"{', '.join(SUBJECTS)}; default all")
    parser.add_argument("--quick", action="store_true", help="short runs, noisy figures; writes no file")
    parser.add_argument("--torch-python", default="", metavar="PATH", help="a Python that has PyTorch")
    options = parser.parse_args()
    if unknown := set(options.subjects) - SUBJECTS.keys():
        parser.error(f"there is no subject {', '.join(sorted(unknown))}; there are {', '.join(SUBJECTS)}")
    chosen = options.subjects or list(SUBJECTS)
    with tempfile.TemporaryDirectory(prefix="nn-tui-bench-") as folder:
        bench = _bench(Path(folder), quick=options.quick, torch_python=options.torch_python)
        results = [result for subject in chosen for result in SUBJECTS[subject](bench)]
        device = bench.device
    print(report.table([result.row() for result in results]))
    if not options.quick:
        report.write(results, _RESULTS, device, _settings(bench))
        print(f"written to {_RESULTS}")


def _bench(folder: Path, *, quick: bool, torch_python: str) -> Bench:
    if quick:
        return Bench(folder, 2, 400, 10, 3, 1000, 60, torch_python)
    return Bench(folder, 5, 2000, 200, 31, 5000, 250, torch_python)


def _settings(bench: Bench) -> str:
    return (
        f"{bench.repetitions} pairs of each; digits: {bench.epochs} epochs a training at full speed, "
        f"{bench.slow_epochs} in Keras, in PyTorch and of other networks, {bench.terminal_epochs} where bytes are "
        f"counted; 60,000 x 784: {bench.large_epochs}, of which the first is not measured"
    )


if __name__ == "__main__":
    main()
