"""Screens that render only the widgets that a change touches.

Textual renders all widgets whose container a change touches, each row of the form for the one in focus: 17 ms of
processor time a frame here, of which 3 are left. What is overridden is private to Textual, and the same in 8.0 to 8.2;
`tests/test_sparing.py` compares pictures, and fails where a later one differs.
"""

from collections.abc import Iterable
from typing import Any

from textual._compositor import Compositor
from textual.geometry import Region
from textual.strip import Strip


class _SparingCompositor(Compositor):
    """Renders a widget only where it overlaps one of the regions that are to be painted."""

    def __init__(self) -> None:
        super().__init__()
        self._to_paint: tuple[Region, ...] = ()

    def render_partial_update(self) -> Any:
        self._to_paint = tuple(self._dirty_regions)
        try:
            return super().render_partial_update()
        finally:
            self._to_paint = ()

    def _get_renders(self, crop: Region | None = None) -> Iterable[tuple[Region, Region, list[Strip]]]:
        if not self._to_paint:
            yield from super()._get_renders(crop)
            return
        for widget, (region, clip) in self.visible_widgets.items():
            seen = region.intersection(clip)
            if seen and any(seen.overlaps(part) for part in self._to_paint):
                yield region, clip, widget.render_lines(seen.translate(-region.offset))


class Sparing:
    """A base of screens, before `Screen` or `ModalScreen`."""

    _compositor: Compositor

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._compositor = _SparingCompositor()
