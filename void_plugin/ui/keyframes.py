"""The part of the touch-up page that makes mattes from a few key frames: what is drawn on them, and the work itself."""

from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

TOOLS = (
    ("box", "Bo&x", "Drag a box around the object on this frame"),
    ("inside", "&Line on it", "Draw a line on the object; the right button draws one beside it"),
    ("outside", "Line besi&de it", "Draw a line on what is not the object"),
)


class KeyframesBox(QGroupBox):
    """Draws keys and asks for mattes."""

    tool_chosen = Signal(str)
    """box, inside or outside."""
    keys_changed = Signal()
    make_asked = Signal()
    cancel_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Matte from keyframes", parent)
        self.keys: dict[int, dict[str, Any]] = {}
        self.tools = QButtonGroup(self)
        row = QHBoxLayout()
        self.buttons: dict[str, QPushButton] = {}
        for name, text, tip in TOOLS:
            button = QPushButton(text)
            button.setCheckable(True)
            button.setToolTip(tip)
            button.setAutoDefault(False)
            button.clicked.connect(lambda _=False, name=name: self.tool_chosen.emit(name))
            self.buttons[name] = button
            row.addWidget(button)
        help_text = QLabel(
            "Draw a box around the object, or lines on and beside it, on about one frame in twelve. Several may be "
            "drawn on one frame: glass and other mixed objects want both."
        )
        help_text.setWordWrap(True)
        self.list = QLabel()
        self.list.setWordWrap(True)
        self.list.setAccessibleName("Key frames")
        self.clear = _button("Remove ke&y", "Forget what is drawn on this frame")
        self.make = _button(
            "&Make matte", "Make a matte for every frame of the shot, in place of the one that is painted"
        )
        self.stop = _button("&Cancel", "End the work; nothing is changed then")
        self.progress = QProgressBar(maximum=100)
        self.progress.setAccessibleName("Progress of the matte")
        self.progress.hide()
        self.stop.hide()
        last = QHBoxLayout()
        for button in (self.clear, self.make, self.stop):
            last.addWidget(button)
        last.addStretch(1)
        column = QVBoxLayout(self)
        column.addWidget(help_text)
        column.addLayout(row)
        column.addWidget(self.list)
        column.addLayout(last)
        column.addWidget(self.progress)
        self._anchor = (0.0, 0.0)
        self.make.clicked.connect(lambda _=False: self.make_asked.emit())
        self.stop.clicked.connect(lambda _=False: self.cancel_asked.emit())
        self.set_keys({})

    def set_keys(self, keys: dict[int, dict[str, Any]]) -> None:
        """Show the keys of another shot."""
        self.keys = keys
        self._refresh()

    def forget(self, frame: int) -> None:
        """Forget what is drawn on a frame."""
        self.keys.pop(frame, None)
        self._refresh()

    def begin(self, frame: int, kind: str, x: float, y: float, width: float) -> None:
        """Begin a box or a line."""
        drawn = self.keys.setdefault(frame, {"box": None, "inside": [], "outside": [], "width": width})
        drawn["width"] = width
        self._anchor = x, y
        if kind != "box":
            drawn[kind].append([(x, y)])
        self._refresh()

    def to(self, frame: int, kind: str, x: float, y: float) -> None:
        """Go on with it."""
        drawn = self.keys.get(frame)
        if drawn is None:
            return
        if kind == "box":
            before = self._anchor
            drawn["box"] = (min(before[0], x), min(before[1], y), max(before[0], x), max(before[1], y))
        else:
            drawn[kind][-1].append((x, y))

    def end(self, frame: int) -> None:
        """End it; a key with nothing on the object is none."""
        drawn = self.keys.get(frame)
        if drawn is not None and not (drawn["box"] or drawn["inside"] or drawn["outside"]):
            del self.keys[frame]
        self._refresh()

    def set_progress(self, share: float | None) -> None:
        """Show how far the work is; None once it has ended."""
        self.progress.setVisible(share is not None)
        self.stop.setVisible(share is not None)
        self.make.setVisible(share is None)
        self.progress.setValue(round(100 * (share or 0.0)))

    def _refresh(self) -> None:
        frames = ", ".join(str(frame) for frame in sorted(self.keys)) or "none yet"
        self.list.setText(f"Key frames: {frames}")
        self.make.setEnabled(bool(self.keys))
        self.keys_changed.emit()


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setAutoDefault(False)
    return button
