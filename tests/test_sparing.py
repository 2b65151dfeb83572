"""What changes on a screen is all that is painted, and what stands there then is what painting it all would give."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pyte
import pytest
from screens import running, until_shown
from textual._compositor import CompositorUpdate, LayoutUpdate
from textual.app import App
from textual.widget import Widget

import presets

SIZE = (120, 40)


class Painted:
    """Every update of an app, painted on a terminal."""

    def __init__(self, display: Callable[..., None]) -> None:
        self._display = display
        self._screen = pyte.Screen(*SIZE)
        self._stream = pyte.Stream(self._screen)
        self.whole = self.parts = 0

    def paint(self, app: App[Any], screen: Any, update: Any) -> None:
        if isinstance(update, CompositorUpdate):
            self._stream.feed(update.render_segments(app.console))
            self.whole += isinstance(update, LayoutUpdate)
            self.parts += not isinstance(update, LayoutUpdate)
        self._display(app, screen, update)

    def cells(self) -> list[Any]:
        return _cells(self._screen)


def _cells(screen: pyte.Screen) -> list[Any]:
    # Colours count; what else a terminal remembers of a cell does not.
    return [
        (row, column, (cell := screen.buffer[row][column]).data, cell.fg, cell.bg, cell.bold, cell.reverse)
        for row in range(SIZE[1])
        for column in range(SIZE[0])
    ]


def painted_whole(app: App[Any]) -> list[Any]:
    screen = pyte.Screen(*SIZE)
    update = app.screen._compositor.render_full_update()
    pyte.Stream(screen).feed(update.render_segments(app.console))
    return _cells(screen)


@pytest.fixture
def painted(monkeypatch: pytest.MonkeyPatch) -> Painted:
    painted = Painted(App._display)
    monkeypatch.setattr(App, "_display", lambda app, screen, update: painted.paint(app, screen, update))
    return painted


KEYS = (
    *["down"] * 9, "5", "backspace", "up", "up", "space", "right", "ctrl+o", "down", "escape", "f1", "escape", "escape",
    "2", "3", "4", "1", "t", "x", "y", "f3", "pagedown", "down", "end", "home",
)  # fmt: skip


async def test_after_each_key_the_screen_is_what_painting_all_of_it_gives(painted: Painted):
    async with running(presets.load("digits-mlp"), SIZE) as pilot:
        await until_shown(pilot, "learning_rate")
        for key in KEYS:
            await pilot.press(key)
            await pilot.pause()
            assert painted.cells() == painted_whole(pilot.app), f"after {key}"
    assert painted.parts > len(KEYS) / 2


async def test_a_move_of_the_focus_renders_the_widgets_concerned_and_no_others(monkeypatch: pytest.MonkeyPatch):
    rendered: Counter[Widget] = Counter()
    render = Widget.render_lines

    def counted(self: Widget, crop: Any) -> Any:
        rendered[self] += 1
        return render(self, crop)

    async with running(presets.load("digits-mlp"), SIZE) as pilot:
        await until_shown(pilot, "learning_rate")
        await pilot.press("down", "down")
        await pilot.pause()
        monkeypatch.setattr(Widget, "render_lines", counted)
        await pilot.press("down")
        await pilot.pause()
        all_of_them = len(pilot.app.screen._compositor.visible_widgets)
    assert 0 < len(rendered) < all_of_them / 3
