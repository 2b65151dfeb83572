from pathlib import Path

from torture.torn import torn


def test_what_is_whole_of_a_file_that_was_cut_off_is_read(tmp_path: Path) -> None:
    for figure in torn(tmp_path, short=True):
        assert figure.kept, figure
