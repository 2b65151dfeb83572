"""The short forms of what is tortured with terminals."""

from pathlib import Path

from torture.hang_up import hang_up
from torture.stall import stall
from torture.two_screens import two_screens


def test_a_training_outlives_its_terminal_with_a_signal_and_without(tmp_path: Path):
    for figure in hang_up(tmp_path, short=True):
        assert figure.kept, figure


def test_a_terminal_that_is_not_read_holds_up_no_training_and_answers_when_it_is(tmp_path: Path):
    for figure in stall(tmp_path, short=True):
        assert figure.kept, figure


def test_two_screens_on_one_run_both_show_it_and_both_steer_it(tmp_path: Path):
    for figure in two_screens(tmp_path, short=True):
        assert figure.kept, figure
