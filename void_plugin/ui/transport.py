"""The row below the viewer: frame slider, frame number, and the buttons that play."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSlider, QSpinBox, QToolButton, QWidget

from void_plugin.frames import FrameRange
from void_plugin.ui.viewer import Viewer

_BUTTONS = (
    ("first", "|◀", "First frame (Home)"),
    ("backward", "◀", "Play backwards (J)"),
    ("stop", "■", "Stop (K)"),
    ("forward", "▶", "Play (L)"),
    ("last", "▶|", "Last frame (End)"),
)


class Transport(QWidget):
    """Moves a viewer through its shot."""

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._frames = FrameRange(1, 1)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName("Frame slider")
        self.number = QSpinBox()
        self.number.setAccessibleName("Frame number")
        self.number.setKeyboardTracking(False)
        self.range = QLabel("no frames")
        self.rate = QLabel("")
        self.rate.setAccessibleName("Frames a second while playing")
        row = QHBoxLayout(self)
        row.setContentsMargins(4, 2, 4, 2)
        actions = {
            "first": lambda: viewer.set_frame(self._frames.first),
            "backward": viewer.playback.backward,
            "stop": viewer.playback.stop,
            "forward": viewer.playback.forward,
            "last": lambda: viewer.set_frame(self._frames.last),
        }
        for name, sign, tip in _BUTTONS:
            button = QToolButton()
            button.setText(sign)
            button.setToolTip(tip)
            button.setAccessibleName(tip)
            button.clicked.connect(actions[name])
            row.addWidget(button)
        row.addWidget(self.slider, 1)
        row.addWidget(self.number)
        row.addWidget(self.range)
        row.addWidget(self.rate)
        self.slider.valueChanged.connect(viewer.set_frame)
        self.number.valueChanged.connect(viewer.set_frame)
        viewer.frame_changed.connect(self._moved)
        viewer.playback.changed.connect(self._played)
        self.set_frames(self._frames, 24.0)

    def set_frames(self, frames: FrameRange, fps: float) -> None:
        """Offer another range."""
        self._frames = frames
        for widget in (self.slider, self.number):
            widget.blockSignals(True)
            widget.setRange(frames.first, frames.last)
            widget.setValue(self._viewer.frame)
            widget.blockSignals(False)
        self.range.setText(f"{frames}  {fps:g} fps")

    def _moved(self, frame: int) -> None:
        for widget in (self.slider, self.number):
            widget.blockSignals(True)
            widget.setValue(frame)
            widget.blockSignals(False)
        speed = self._viewer.playback.measured
        self.rate.setText(f"{speed:.0f} fps" if speed else "")

    def _played(self, speed: float) -> None:
        if not speed:
            self.rate.setText("")
