"""The clock of the viewer: which frame is due, forwards and backwards, at the shot's rate and multiples of it."""

from PySide6.QtCore import QElapsedTimer, QObject, Qt, QTimer, Signal

from void_plugin.frames import FrameRange

FASTEST = 8
"""Largest multiple of the shot's rate that pressing J or L again leads to."""


class Playback(QObject):
    """Counts frames while it plays; it goes on from the first after the last."""

    due = Signal(int)
    """The frame that is to be shown now."""
    changed = Signal(float)
    """The speed as a multiple of the shot's rate, backwards below 0; 0 where it rests."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._frames, self._fps = FrameRange(1, 1), 24.0
        self._speed = 0.0
        self._frame = 1
        self._clock = QElapsedTimer()
        self._timer = QTimer(self, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self._shown: list[float] = []

    @property
    def speed(self) -> float:
        """Multiple of the shot's rate, backwards below 0; 0 where it rests."""
        return self._speed

    @property
    def measured(self) -> float:
        """Frames a second that were shown of late; 0 where nothing plays."""
        if self._speed == 0 or len(self._shown) < 2:
            return 0.0
        span = self._shown[-1] - self._shown[0]
        return (len(self._shown) - 1) * 1000 / span if span > 0 else 0.0

    def set_shot(self, frames: FrameRange, fps: float) -> None:
        """Play another range; stops."""
        self.stop()
        self._frames, self._fps = frames, fps if fps > 0 else 24.0

    def forward(self) -> None:
        """L: play, and faster each time."""
        self._play(min(FASTEST, self._speed * 2) if self._speed > 0 else 1.0)

    def backward(self) -> None:
        """J: play backwards, and faster each time."""
        self._play(max(-FASTEST, self._speed * 2) if self._speed < 0 else -1.0)

    def stop(self) -> None:
        """K: rest."""
        self._timer.stop()
        if self._speed:
            self._speed = 0.0
            self.changed.emit(0.0)

    def toggle(self) -> None:
        """Space: play or rest."""
        if self._speed:
            self.stop()
        else:
            self._play(1.0)

    def at(self, frame: int) -> None:
        """Say which frame is shown; the next one counts from here."""
        self._frame = frame

    def took(self) -> None:
        """The frame that was due is on the screen."""
        self._shown = [*self._shown[-24:], float(self._clock.elapsed())]

    def ahead(self, count: int) -> list[int]:
        """The frames that will be due next, in order."""
        step = 1 if self._speed >= 0 else -1
        return [
            self._wrapped(self._frame + step * number) for number in range(1, min(count, len(self._frames) - 1) + 1)
        ]

    def _play(self, speed: float) -> None:
        self._speed = speed
        self._shown = []
        self._clock.restart()
        self._timer.start(max(1, round(1000 / (self._fps * min(abs(speed), 1.0)))))
        self.changed.emit(speed)

    def _tick(self) -> None:
        step = round(self._speed) or (1 if self._speed > 0 else -1)
        self.due.emit(self._wrapped(self._frame + step))

    def _wrapped(self, frame: int) -> int:
        return self._frames.first + (frame - self._frames.first) % len(self._frames)
