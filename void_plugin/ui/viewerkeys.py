"""The keys of a viewer, those of a compositor's."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent

if TYPE_CHECKING:
    from void_plugin.ui.viewer import Viewer

DESCRIPTION = (
    "Shows one frame. J, K and L play, space plays or stops, the arrows step (with Shift by ten), Home and End go "
    "to the ends, F fits, plus and minus zoom, 1 shows pixel for pixel, W wipes, comma and period move its "
    "line, the brackets expose."
)
"""What a screen reader says of it, and the tooltip."""


def act(viewer: "Viewer", event: QKeyEvent) -> bool:
    """Do what a key stands for; False where it stands for nothing."""
    shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
    far = 10 if shift else 1
    stops = 0.25 if shift else 1.0
    actions: dict[Qt.Key, Callable[[], object]] = {
        Qt.Key.Key_J: viewer.playback.backward,
        Qt.Key.Key_K: viewer.playback.stop,
        Qt.Key.Key_L: viewer.playback.forward,
        Qt.Key.Key_Space: viewer.playback.toggle,
        Qt.Key.Key_Left: lambda: viewer.step(-far),
        Qt.Key.Key_Right: lambda: viewer.step(far),
        Qt.Key.Key_Home: lambda: viewer.go_to_end(False),
        Qt.Key.Key_End: lambda: viewer.go_to_end(True),
        Qt.Key.Key_F: viewer.fit,
        Qt.Key.Key_Plus: lambda: viewer.zoom(2.0),
        Qt.Key.Key_Equal: lambda: viewer.zoom(2.0),
        Qt.Key.Key_Minus: lambda: viewer.zoom(0.5),
        Qt.Key.Key_1: lambda: viewer.zoom(1 / viewer.camera.scale[1]),
        Qt.Key.Key_W: viewer.toggle_wipe,
        Qt.Key.Key_Comma: lambda: viewer.move_wipe(-0.05),
        Qt.Key.Key_Period: lambda: viewer.move_wipe(0.05),
        Qt.Key.Key_BracketRight: lambda: viewer.expose(stops),
        Qt.Key.Key_BraceRight: lambda: viewer.expose(stops),
        Qt.Key.Key_BracketLeft: lambda: viewer.expose(-stops),
        Qt.Key.Key_BraceLeft: lambda: viewer.expose(-stops),
    }
    pressed = event.key()
    action = next((action for key, action in actions.items() if key.value == pressed), None)
    if action is None:
        return False
    action()
    return True
