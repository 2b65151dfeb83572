"""The way out to a terminal, on a pipe: like a terminal, it takes some kilobytes and then nothing until it is read."""

import asyncio
import os
from collections.abc import Iterator

import pytest

from tui.outlet import Outlet

FRAMES = 200
LENGTH = 4 << 10


class Line:
    """A pipe that does not block, and what became of it."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)
        os.set_blocking(self.writer, False)
        self.painted = self.lost = 0
        self.outlet = Outlet(self.writer, self._paint, self._lose)

    def send(self, text: str) -> None:
        self.outlet.write(text)
        self.outlet.flush()

    def read(self) -> str:
        data = b""
        while True:
            try:
                new = os.read(self.reader, 1 << 16)
            except BlockingIOError:
                return data.decode()
            if not new:
                return data.decode()
            data += new

    def _paint(self) -> None:
        self.painted += 1

    def _lose(self) -> None:
        self.lost += 1


@pytest.fixture
async def line() -> Iterator[Line]:  # type: ignore[misc]
    line = Line()
    yield line
    line.outlet.close()
    for descriptor in (line.reader, line.writer):
        os.close(descriptor)


async def until_painted(line: Line) -> str:
    """Read until all is written."""
    text = ""
    while not line.painted:
        text += line.read()
        await asyncio.sleep(0)
    return text + line.read()


def frame(number: int) -> str:
    return f"<{number:03}{'.' * LENGTH}>"


async def test_frames_go_out_at_once_and_in_order(line: Line):
    for number in range(3):
        line.send(frame(number))
    assert line.read() == "".join(map(frame, range(3)))
    assert (line.painted, line.lost) == (0, 0)


async def test_what_is_written_without_a_flush_goes_out_when_the_loop_comes_round(line: Line):
    line.outlet.write("bell")
    assert line.read() == ""
    await asyncio.sleep(0)
    assert line.read() == "bell"


async def test_a_line_that_stands_makes_nobody_wait_loses_whole_frames_only_and_is_painted_anew(line: Line):
    for number in range(FRAMES):
        line.send(frame(number))
    text = await until_painted(line)
    arrived = len(text) // len(frame(0))
    assert 0 < arrived < FRAMES
    assert text == "".join(map(frame, range(arrived)))
    assert (line.painted, line.lost) == (1, 0)
    line.send("after")
    assert line.read() == "after"


async def test_a_line_that_is_only_slow_loses_nothing(line: Line):
    numbers = iter(range(FRAMES))
    text = ""
    for _ in range(FRAMES // 4):
        for _ in range(4):
            line.send(frame(next(numbers)))
        text += line.read()
        await asyncio.sleep(0)
    text += line.read()
    assert text == "".join(map(frame, range(FRAMES)))
    assert line.painted == 0


async def test_the_last_words_come_right_after_the_frame_that_was_begun(line: Line):
    for number in range(FRAMES):
        line.send(frame(number))
    line.outlet.finish_picture()
    line.send("goodbye")
    text = ""
    while not text.endswith("goodbye"):
        text += line.read()
        await asyncio.sleep(0)
    frames = text.removesuffix("goodbye")
    assert len(frames) % len(frame(0)) == 0


async def test_a_terminal_that_is_gone_is_told_once_and_takes_everything(line: Line):
    os.close(line.reader)
    for number in range(FRAMES):
        line.send(frame(number))
    line.outlet.give_up()
    assert (line.lost, line.outlet.is_gone) == (1, True)
    line.reader = os.open(os.devnull, os.O_RDONLY)
