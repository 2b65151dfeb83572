"""Torture: `python -m torture [SUBJECT]... [--short]`. Minutes to hours; a short form of each subject is a test.

Each subject is a function from the folder for its files and whether it is to be short to its figures. In full, they are
written into `docs/reliability.md`, each subject's as soon as it is through.
"""

import argparse
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

from torture import report
from torture.faults import faults
from torture.figure import Figure
from torture.fuzz import fuzz
from torture.hang_up import hang_up
from torture.hostile import hostile
from torture.kill_loop import kill_loop
from torture.soak import soak
from torture.ssh import ssh
from torture.stall import stall
from torture.torn import torn
from torture.two_screens import two_screens

SUBJECTS: dict[str, Callable[[Path, bool], list[Figure]]] = {
    "kill": kill_loop,
    "hang-up": hang_up,
    "ssh": ssh,
    "stall": stall,
    "two-screens": two_screens,
    "faults": faults,
    "torn": torn,
    "hostile": hostile,
    "fuzz": fuzz,
    "soak": soak,
}


def main() -> None:
    """Torture as asked, print the figures, and fail if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m torture", description="Put the promises of nn-tui to the test.")
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT", help=f"{', '.join(SUBJECTS)}; default all")
    parser.add_argument("--short", action="store_true", help="seconds instead of minutes; writes no file")
    options = parser.parse_args()
    if unknown := set(options.subjects) - SUBJECTS.keys():
        parser.error(f"there is no subject {', '.join(sorted(unknown))}; there are {', '.join(SUBJECTS)}")
    chosen = options.subjects or list(SUBJECTS)
    figures: list[Figure] = []
    broken_off = False
    for subject in chosen:
        try:
            with tempfile.TemporaryDirectory(prefix="nn-tui-torture-") as folder:
                found = SUBJECTS[subject](Path(folder), options.short)
        except Exception:  # noqa: BLE001 an hour of another subject is not to be lost with this one
            traceback.print_exc()
            broken_off = True
            continue
        figures += found
        if not options.short:
            report.write(found)
    print(report.table([report.row(figure) for figure in figures]))
    sys.exit(broken_off or not all(figure.kept for figure in figures))


if __name__ == "__main__":
    main()
