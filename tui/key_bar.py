"""The keys at the bottom of a screen, each of which can be clicked.

Not Textual's Footer: that makes all its widgets anew whenever the focus moves, which takes longer than a person takes
for the next key, and they stay in memory.
"""

from typing import NamedTuple

from textual import events
from textual.content import Content
from textual.dom import DOMNode
from textual.screen import Screen

from tui.lines import Lines

_GAP = 2


class _Key(NamedTuple):
    """A key as it is shown.

    Attributes:
        name: as Textual calls it.
        words: what stands on the bar: the key and what it does.
        tooltip: more about it.
        is_everywhere: whether it works on every screen.
    """

    name: str
    words: Content
    tooltip: str
    is_everywhere: bool


class KeyBar(Lines):
    """One line of the keys that work now. Where it is too short, those that work on every screen stay."""

    ALLOW_SELECT = False

    DEFAULT_CSS = """
    KeyBar { dock: bottom; height: 1; color: $footer-foreground; background: $footer-background; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._lines = [Content("")]  # always one: else the first keys would have the screen laid out again
        self._keys: list[_Key] = []

    def on_mount(self) -> None:
        """Follow what the focus and the state of the screen make of the keys."""
        self.screen.bindings_updated_signal.subscribe(self, self._show)

    def on_resize(self) -> None:
        """Show as many as fit."""
        super().on_resize()
        self._show(self.screen)

    def on_click(self, event: events.Click) -> None:
        """Press the key that was clicked."""
        if key := self._key_at(event.x):
            self.app.simulate_key(key.name)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Tell about the key under the pointer."""
        key = self._key_at(event.x)
        self.tooltip = key.tooltip if key else None

    def _show(self, screen: Screen[object]) -> None:
        if screen is not self.screen or not self.size.width:
            return
        keys: dict[tuple[DOMNode, str], _Key] = {}  # by whose action they are: it may have several
        for node, binding, is_on, tooltip in screen.active_bindings.values():
            if binding.show and (node, binding.action) not in keys:
                words = _words(self.app.get_key_display(binding), binding.description, is_on=is_on)
                keys[node, binding.action] = _Key(binding.key, words, tooltip or binding.description, node is self.app)
        self._keys = _fitting(list(keys.values()), self.size.width)
        self.show_lines([Content(" " * _GAP).join(key.words for key in self._keys)])

    def _key_at(self, column: int) -> _Key | None:
        for key in self._keys:
            if column < key.words.cell_length:
                return key
            column -= key.words.cell_length + _GAP
            if column < 0:
                return None
        return None


def _words(key: str, does: str, *, is_on: bool) -> Content:
    if not is_on:
        return Content.styled(f"{key} {does}", "dim")
    return Content.assemble((key, "bold $footer-key-foreground"), f" {does}")


def _fitting(keys: list[_Key], width: int) -> list[_Key]:
    """Leave out what does not fit, from the end, and first what works on this screen alone."""
    kept = list(keys)
    while kept and sum(key.words.cell_length + _GAP for key in kept) - _GAP > width:
        own = [key for key in kept if not key.is_everywhere]
        kept.remove(own[-1] if own else kept[0])
    return kept
