from pathlib import Path

from torture.hostile import hostile


def test_no_text_of_a_stranger_reaches_a_terminal_as_it_is(tmp_path: Path) -> None:
    for figure in hostile(tmp_path, short=True):
        assert figure.kept, figure
