"""Reads past the system's cache against ordinary ones, from any place into any place."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.data.direct import BLOCK, Direct, direct

pytestmark = pytest.mark.skipif(not hasattr(os, "O_DIRECT"), reason="this system has no such reads")

CONTENT = np.random.default_rng(0).integers(0, 256, (1 << 21) + 12_345, np.uint8)
EDGES = st.sampled_from([0, 1, 63, 128, BLOCK - 1, BLOCK, BLOCK + 1, 1 << 20, (1 << 20) + 1, len(CONTENT) - 1])
PLACES = EDGES | st.integers(0, len(CONTENT))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("direct") / "content"
    path.write_bytes(CONTENT.tobytes())
    return path


def opened(path: Path) -> int:
    return os.open(path, os.O_RDONLY)


@given(PLACES, PLACES, st.integers(0, BLOCK), st.booleans())
def test_any_bytes_arrive_anywhere(file: Path, place: int, length: int, start: int, alike: bool) -> None:
    descriptor = opened(file)
    try:
        memory = np.full(length + 3 * BLOCK, 7, np.uint8)
        start = (place - memory.ctypes.data) % BLOCK if alike else start
        has_all = Direct(descriptor).read_into(place, memory[start : start + length].data)
        assert has_all == (place + length <= len(CONTENT))
        if has_all:
            np.testing.assert_array_equal(memory[start : start + length], CONTENT[place : place + length])
        assert (memory[:start] == 7).all()
        assert (memory[start + length :] == 7).all()
    finally:
        os.close(descriptor)


def test_what_cannot_be_read_so_is_left_as_it_was(file: Path) -> None:
    reading, writing = os.pipe()
    assert direct(reading) is None
    os.write(writing, b"x")
    assert os.read(reading, 1) == b"x"
    os.close(reading)
    os.close(writing)
    descriptor = opened(file)
    os.close(descriptor)
    assert direct(descriptor) is None
