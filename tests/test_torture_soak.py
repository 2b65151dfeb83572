from pathlib import Path

from torture.soak import soak


def test_an_app_that_trains_holds_what_it_held(tmp_path: Path) -> None:
    for figure in soak(tmp_path, short=True):
        assert figure.kept, figure
