from pathlib import Path

from torture.faults import faults


def test_a_training_outlives_a_disk_that_refuses(tmp_path: Path) -> None:
    for figure in faults(tmp_path, short=True):
        assert figure.kept, figure
