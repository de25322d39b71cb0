"""The window's end of the painter process: sends what the hand does, and gets pictures of the mattes."""

import contextlib
import mmap
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QObject, QPoint, Qt, Signal
from PySide6.QtGui import QImage, QPainter

from void_plugin.lineprotocol import line_of, messages

SLOTS = 2
SLOT_BYTES = 3840 * 2160 * 4
"""Memory of one picture on its way: a window of 4K."""


class PainterClient(QObject):
    """What is painted, as pictures of the part that is seen; all methods are for the thread of the window."""

    painted = Signal()
    """The picture has changed."""
    state_changed = Signal(object)
    """What can be undone and done again, and which frames are painted, as the painter says it."""
    progressed = Signal(int, float)
    """(ticket, share done) of saving or of making mattes."""
    saved = Signal(object)
    """The answer to `save`: `shot`, `folder`, `patterns` by label, and what is `missing`."""
    made = Signal(int, int)
    """(ticket, how many frames) of mattes that were made from key frames."""
    ended = Signal(int)
    """The ticket of work that has come to any end."""
    failed = Signal(str)
    """Why something did not work, as a sentence."""
    _heard = Signal(object, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.image = QImage()
        self.seen: tuple[int, int, int, int] = (0, 0, 0, 0)
        """The part of the plate that `image` shows."""
        self.frame = 0
        """The frame that `image` shows."""
        self._look: tuple[Any, ...] = ()
        self._number = self._ticket = 0
        self._open: Mapping[str, Any] | None = None
        self._opened: dict[str, Mapping[str, Any]] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False
        handle, self._path = tempfile.mkstemp(prefix="void-mattes-")
        with os.fdopen(handle, "r+b") as stream:
            stream.truncate(SLOTS * SLOT_BYTES)
            self._memory = mmap.mmap(stream.fileno(), 0)
        self._heard.connect(self._answered, Qt.ConnectionType.QueuedConnection)

    # -- what is seen ----------------------------------------------------------------------------------------

    def open_shot(self, shot: str, facts: Mapping[str, Any], anew: bool = False) -> None:
        """Paint on a shot; what was painted on it before is still there, unless it is opened `anew`."""
        self._open = {"say": "open", "shot": shot, **facts}
        self._opened[shot] = self._open
        self.image, self._look = QImage(), ()
        self._send({**self._open, "anew": anew})

    def look(self, frame: int, seen: tuple[int, int, int, int], size: tuple[int, int], opacity: float) -> None:
        """Show the mattes of a frame within `seen`, as a picture of `size` (height, width)."""
        if self._open is None or (frame, seen, size, opacity) == self._look:
            return
        self._look = frame, seen, size, opacity
        self._number += 1
        self._send({"say": "look", "look": self._number, "frame": frame, "seen": seen, "size": size,
                    "opacity": opacity})  # fmt: skip

    # -- what the hand does ----------------------------------------------------------------------------------

    def begin(
        self, frame: int, label: str, at: tuple[float, float], radius: float, hardness: float, erase: bool
    ) -> None:
        """Set the brush down."""
        self._send({"say": "begin", "frame": frame, "label": label, "x": at[0], "y": at[1], "radius": radius,
                    "hardness": hardness, "erase": erase})  # fmt: skip

    def to(self, x: float, y: float) -> None:
        """Move the brush on."""
        self._send({"say": "to", "points": [[x, y]]})

    def end(self) -> None:
        """Lift the brush."""
        self._send({"say": "end"})

    def undo(self) -> None:
        """Take the last step back."""
        self._send({"say": "undo"})

    def redo(self) -> None:
        """Take the last undone step again."""
        self._send({"say": "redo"})

    def copy(self, origin: int, frame: int, label: str) -> None:
        """Take the matte of another frame."""
        self._send({"say": "copy", "origin": origin, "frame": frame, "label": label})

    def save(self, shot: str) -> int:
        """Write the mattes of a shot as a new version; returns the ticket."""
        self._ticket += 1
        self._send({"say": "save", "ticket": self._ticket, "shot": shot})
        return self._ticket

    def keyframes(self, shot: str, label: str, keys: Mapping[int, Mapping[str, Any]]) -> int:
        """Make mattes for all frames of a shot; returns the ticket."""
        self._ticket += 1
        self._send({"say": "keyframes", "ticket": self._ticket, "shot": shot, "label": label,
                    "keys": {str(frame): dict(drawn) for frame, drawn in keys.items()}})  # fmt: skip
        return self._ticket

    def cancel(self, ticket: int) -> None:
        """End saving, or making mattes."""
        self._send({"say": "cancel", "ticket": ticket})

    def close(self) -> None:
        """End the painter and give its memory back."""
        self._closed = True
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            with contextlib.suppress(OSError):
                process.stdin.close()
            try:
                process.wait(2)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._memory.close()
        if os.path.exists(self._path):
            os.unlink(self._path)

    # -- the process -----------------------------------------------------------------------------------------

    def _send(self, message: Mapping[str, Any]) -> None:
        process = self._process or self._start()
        assert process.stdin is not None
        try:
            process.stdin.write(line_of(dict(message)))
            process.stdin.flush()
        except OSError:
            return  # it has died; the end of its answers says so

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "void_plugin.pictures.painter", self._path, str(SLOT_BYTES)]
        hidden = getattr(subprocess, "CREATE_NO_WINDOW", 0)
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, creationflags=hidden)
        self._process = process
        threading.Thread(target=self._listen, args=(process,), daemon=True).start()
        return process

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        """In a thread of its own: what the painter says, until it ends."""
        assert process.stdout is not None
        with process.stdout as stream:
            for message in messages(stream, lambda text: print(text, file=sys.stderr)):
                self._post(process, message)
        process.wait()
        self._post(process, None)

    def _post(self, process: subprocess.Popen[bytes], message: object) -> None:
        try:
            self._heard.emit(process, message)
        except RuntimeError:  # the window is gone, and this object with it
            return

    def _answered(self, process: subprocess.Popen[bytes], message: Mapping[str, Any] | None) -> None:
        if self._closed or process is not self._process:
            return
        if message is None:
            self._died(process)
            return
        what, ticket = message["say"], int(message.get("ticket", 0))
        if what == "shown":
            self._take(message)
        elif what == "state":
            self.state_changed.emit(message)
        elif what == "progress":
            self.progressed.emit(ticket, float(message["share"]))
        elif what == "saved":
            self.saved.emit(message)
        elif what == "made":
            self.made.emit(ticket, int(message["frames"]))
        elif what == "failed":
            self.failed.emit(str(message["text"]))
        if ticket and what in ("saved", "made", "failed", "cancelled"):
            self.ended.emit(ticket)

    def _take(self, message: Mapping[str, Any]) -> None:
        """Lay a part into the picture."""
        if message["look"] == self._number and self._look:
            frame, seen, (height, width), _ = self._look
            x0, y0, x1, y1 = message["part"]
            begin = message["slot"] * SLOT_BYTES
            view = memoryview(self._memory)[begin : begin + (y1 - y0) * (x1 - x0) * 4]
            kind = QImage.Format.Format_ARGB32_Premultiplied
            part = QImage(view, x1 - x0, y1 - y0, (x1 - x0) * 4, kind)
            if (x0, y0, x1, y1) == (0, 0, width, height):
                self.image = part.copy()
            else:
                if self.image.size().toTuple() != (width, height) or (frame, seen) != (self.frame, self.seen):
                    self.image = QImage(width, height, kind)
                    self.image.fill(0)
                painter = QPainter(self.image)
                painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
                painter.drawImage(QPoint(x0, y0), part)
                painter.end()
            del part
            view.release()
            self.frame, self.seen = frame, seen
        self._send({"say": "taken", "slot": message["slot"]})
        self.painted.emit()

    def _died(self, process: subprocess.Popen[bytes]) -> None:
        """Start again with the same shot; what was not saved is lost, and that is said."""
        self._process = None
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            process.stdin.close()
        opened, self._open = self._open, None
        self.image, self._look = QImage(), ()
        self.failed.emit(
            f"The process that holds painted mattes ended (code {process.returncode}); strokes since the last save are "
            "lost."
        )
        for ticket in range(1, self._ticket + 1):
            self.ended.emit(ticket)
        if opened is not None:
            self.open_shot(opened["shot"], {key: opened[key] for key in opened if key not in ("say", "shot")})
        self.painted.emit()
