"""The short form of `torture.kill_loop`: a handful of kills of one run."""

from pathlib import Path

from torture.kill_loop import kill_loop


def test_a_run_that_is_killed_again_and_again_is_what_nobody_killed(tmp_path: Path) -> None:
    for figure in kill_loop(tmp_path, short=True):
        assert figure.kept, figure
