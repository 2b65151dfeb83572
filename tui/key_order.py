"""Keys that are obeyed in the order in which they were pressed, however fast they come.

Textual hands a key to the widget in focus and, where that has no use for it, on from parent to parent; its binding acts
at the end of that way. A letter pressed right after it acts at once in the widget, and so before it: backspace and 5,
sent by a slow line in one go, would put in the 5 and take it away again.
"""

from textual import events
from textual.widget import Widget


async def obeyed(control: Widget, event: events.Key) -> bool:
    """Obey a key at once if the control in focus or what contains it binds it; say whether that was done.

    What the screen and the app bind comes later, as ever. If True is returned, nobody else gets the key.
    """
    focused = control.screen.focused
    if focused is None or control not in focused.ancestors_with_self:
        # The focus went on while the key was on its way here.
        _take(event)
        (focused or control.screen).post_message(events.Key(event.key, event.character))
        return True
    if event.is_printable and event.key != "space":
        return False
    for node, bindings in control.screen._modal_binding_chain:
        if node in (control.screen, control.app):
            break
        for binding in bindings.key_to_bindings.get(event.key, ()):
            if await control.app.run_action(binding.action, node):
                _take(event)
                return True
    return False


def _take(event: events.Key) -> None:
    event.stop()
    event.prevent_default()
