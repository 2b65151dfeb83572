"""What of the driver needs no app; the rest is seen on real terminals."""

import os
import pty
from collections.abc import Iterator

import pytest

from tui.terminal_driver import _own_descriptor


@pytest.fixture
def terminal() -> Iterator[int]:
    leader, follower = pty.openpty()
    yield follower
    os.close(leader)
    os.close(follower)


def test_the_apps_descriptor_does_not_block_and_the_shells_does_as_before(terminal: int):
    is_own, descriptor = _own_descriptor(terminal)
    assert is_own
    assert descriptor != terminal
    assert os.ttyname(descriptor) == os.ttyname(terminal)
    assert (os.get_blocking(descriptor), os.get_blocking(terminal)) == (False, True)
    os.close(descriptor)


def test_where_the_terminal_cannot_be_opened_anew_the_one_that_was_given_serves():
    reader, writer = os.pipe()
    assert _own_descriptor(reader) == (False, reader)
    os.close(reader)
    os.close(writer)
