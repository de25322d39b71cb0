"""The window's end of the painter process: sends what the hand does, and gets pictures of the mattes."""

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QObject, QPoint, Signal
from PySide6.QtGui import QImage, QPainter

from void_plugin.ui.helperprocess import HelperProcess

SLOTS = 2


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
    restored = Signal(str, bool, list)
    """A shot that an earlier painter has painted on, whether its steps are here again, and the frames they painted."""
    died = Signal()
    """The process has ended; a new one knows no shot yet."""

    def __init__(self, unsaved: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.unsaved = unsaved
        """A folder of this user's own, for what is painted and not saved."""
        self.image = QImage()
        self.seen: tuple[int, int, int, int] = (0, 0, 0, 0)
        """The part of the plate that `image` shows."""
        self.frame = 0
        """The frame that `image` shows."""
        self._look: tuple[Any, ...] = ()
        self._number = self._ticket = 0
        self._is_open = self._answered = False
        self._helper = HelperProcess("void_plugin.pictures.painter", SLOTS, self)
        self._helper.heard.connect(self._heard)
        self._helper.died.connect(self._died)
        self._send = self._helper.send

    # -- what is seen ----------------------------------------------------------------------------------------

    def open_shot(self, shot: str, facts: Mapping[str, Any], again: bool = False) -> None:
        """Paint on a shot; what was painted on it before is still there, also (`again`) after a painter has died."""
        self._is_open = True
        self.image, self._look = QImage(), ()
        self._send({**facts, "say": "open", "shot": shot, "unsaved": self.unsaved, "again": again})

    def look(self, frame: int, seen: tuple[int, int, int, int], size: tuple[int, int], opacity: float) -> None:
        """Show the mattes of a frame within `seen`, as a picture of `size` (height, width)."""
        if not self._is_open or (frame, seen, size, opacity) == self._look:
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

    @property
    def process_id(self) -> int | None:
        """The painter's process; None where none runs."""
        return self._helper.process_id

    def close(self, discard: bool) -> None:
        """End the painter and give its memory back; what is not saved is kept, unless it is to be discarded."""
        if self._helper.process_id is not None:
            self._send({"say": "leave", "discard": discard})
        self._helper.close()

    # -- what the painter says -------------------------------------------------------------------------------

    def _heard(self, message: Mapping[str, Any]) -> None:
        self._answered = True
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
        elif what == "restored":
            self.restored.emit(str(message["shot"]), bool(message["whole"]), list(message["frames"]))
        elif what == "failed":
            self.failed.emit(str(message["text"]))
        if ticket and what in ("saved", "made", "failed", "cancelled"):
            self.ended.emit(ticket)

    def _take(self, message: Mapping[str, Any]) -> None:
        """Lay a part into the picture."""
        if message["look"] == self._number and self._look:
            frame, seen, (height, width), _ = self._look
            x0, y0, x1, y1 = message["part"]
            kind = QImage.Format.Format_ARGB32_Premultiplied
            with self._helper.picture(message["slot"], y1 - y0, x1 - x0, kind) as part:
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
            self.frame, self.seen = frame, seen
        self._send({"say": "taken", "slot": message["slot"]})
        self.painted.emit()

    def _died(self, code: int) -> None:
        """Say so; whoever paints opens the shots again, save where it would only die again."""
        alive, self._answered, self._is_open = self._answered, False, False
        self.image, self._look = QImage(), ()
        again = "it is started again" if alive else "it does not start; close the panel and open it again"
        self.failed.emit(f"The process that holds painted mattes ended (code {code}); {again}.")
        for ticket in range(1, self._ticket + 1):
            self.ended.emit(ticket)
        if alive:
            self.died.emit()
        self.painted.emit()
