"""What tests of screens share: opening the app, reading what it shows, waiting for something to be shown."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from textual.app import App
from textual.events import Key
from textual.pilot import Pilot

from trainer.config import Config
from tui.app import NnTui

_DEADLINE_SECONDS, _GLANCE_SECONDS = 60.0, 0.02
_CHARACTERS = {"full_stop": ".", "minus": "-"}


@asynccontextmanager
async def running(
    config: Config, size: tuple[int, int] = (120, 40), compared: Sequence[Path] = (), base: Path | None = None
) -> AsyncIterator[Pilot[None]]:
    """Open the app as `launch` does, and wait for its training at the end as `launch` does."""
    app = NnTui(lambda: config, base, Path(os.environ["NN_TUI_RUNS"]), compared)
    app.animation_level = "none"
    try:
        with _waiting_for_the_screen():
            async with app.run_test(size=size, notifications=True) as pilot:
                await until(pilot, lambda: compared or app.train_screen.is_ready)
                await pilot.pause()
                yield pilot
    finally:
        app.train_screen.host.cancel()
        await asyncio.to_thread(app.train_screen.host.wait)


@asynccontextmanager
async def following(directory: Path, size: tuple[int, int] = (160, 45)) -> AsyncIterator[Pilot[None]]:
    """Open the app and bring a run of some folder onto the panels."""
    app = NnTui(Config, None, directory.parent)
    app.animation_level = "none"
    with _waiting_for_the_screen():
        async with app.run_test(size=size) as pilot:
            await until(pilot, lambda: app.train_screen.is_ready)
            app.train_screen.show_run(directory)
            await pilot.pause()
            yield pilot


def send(app: App[Any], *keys: str) -> None:
    """Have keys come before the first of them was handled."""
    for key in keys:
        app.post_message(Key(key, _CHARACTERS.get(key, key if len(key) == 1 else None)))


def text_of(app: App[Any]) -> str:
    """Return what the screen shows."""
    return "\n".join("".join(part.text for part in strip) for strip in app.screen._compositor.render_strips())


def shown(pilot: Pilot[Any]) -> str:
    """Return what the screen shows."""
    return text_of(pilot.app)


def part(pilot: Pilot[Any], selector: str) -> str:
    """Return what the screen shows where the widget is."""
    region = pilot.app.screen.query_one(selector).region
    return "\n".join(line[region.x : region.right] for line in shown(pilot).splitlines()[region.y : region.bottom])


async def until(pilot: Pilot[Any], condition: Callable[[], Any]) -> None:
    """Wait until the condition holds; it may go on for long on a busy machine."""
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain; the screen shows\n{shown(pilot)}")
        await pilot.pause(0.05)  # reading the screen is no small work


async def until_shown(pilot: Pilot[Any], *words: str) -> None:
    """Wait until the screen shows all these words."""
    await until(pilot, lambda: all(word in shown(pilot) for word in words))


@contextmanager
def _waiting_for_the_screen() -> Iterator[None]:
    with patch("textual.pilot.wait_for_idle", _wait), patch("textual.app.wait_for_idle", _wait):
        yield


async def _wait(min_sleep: float = 0.0, max_sleep: float = 0.5) -> None:
    """Wait until the thread that answers keys rests; Pilot waits for all threads, which never rest in a training."""
    began, is_busy = time.monotonic(), True
    while is_busy and time.monotonic() < began + max_sleep:
        spent = time.thread_time()
        await asyncio.sleep(_GLANCE_SECONDS)
        is_busy = time.thread_time() - spent > _GLANCE_SECONDS / 20 or time.monotonic() < began + min_sleep
