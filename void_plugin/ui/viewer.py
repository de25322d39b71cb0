"""The viewer: one frame of a shot, or two with a wipe between them, with zoom, pan and the value below the pointer.

It shows what the decoder made and never reads a file. While a picture is on its way the last one stays.
"""

from dataclasses import replace

from PySide6.QtCore import QPointF, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QWidget

from void_plugin.pictures.asks import Look, Wish
from void_plugin.ui.decoderclient import DecoderClient, Picture
from void_plugin.ui.geometry import Camera
from void_plugin.ui.playback import Playback
from void_plugin.ui.shotpictures import ShotPictures
from void_plugin.ui.viewerdrawing import Layer, draw, missing_text, say
from void_plugin.ui.viewerkeys import DESCRIPTION, act

AHEAD = 12
"""Frames asked for ahead of the one that plays."""
_PROBE_MS = 40
_GRAB = 8
"""Screen pixels beside the wipe line where it can be taken hold of."""


class Viewer(QWidget):
    """Shows a shot; keys are those of a compositor's viewer."""

    frame_changed = Signal(int)
    readout = Signal(str)
    """What lies below the pointer, in words and floats."""
    complained = Signal(str)
    """Why a frame cannot be shown."""
    kind_changed = Signal(str)
    wipe_changed = Signal(str)
    look_changed = Signal()
    stroke_began = Signal(float, float, object)
    """x, y in plate pixels and the mouse button, while painting is on."""
    stroke_moved = Signal(float, float)
    stroke_ended = Signal()

    def __init__(self, decoder: DecoderClient, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._decoder = decoder
        self._shot: ShotPictures | None = None
        self._frame = 1
        self._kind, self._against, self._wipe = "plate", "", 0.5
        self._look = Look()
        self._camera = Camera()
        self._latest: dict[str, tuple[Wish, Picture]] = {}
        self._wanted: dict[str, Wish] = {}
        self._complaint = ""
        self._paint: Layer | None = None
        self._painting = False
        self._grabbed = ""
        self._last = QPointF()
        self._pointer: tuple[int, int] | None = None
        self.playback = Playback(self)
        self.playback.due.connect(self._due)
        self._probing = QTimer(self, singleShot=True, interval=_PROBE_MS)
        self._probing.timeout.connect(self._probe)
        self._ticket = 0
        decoder.shown.connect(self._shown)
        decoder.failed.connect(self._failed)
        decoder.probed.connect(self._probed)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(320, 180)
        self.setAccessibleName("Viewer")
        self.setAccessibleDescription(DESCRIPTION)

    # -- what is shown ---------------------------------------------------------------------------------------

    @property
    def frame(self) -> int:
        """The frame that is shown."""
        return self._frame

    @property
    def decoder(self) -> DecoderClient:
        """Where its pictures come from."""
        return self._decoder

    @property
    def kind(self) -> str:
        """What is shown of it: one of the kinds of `shotpictures`."""
        return self._kind

    @property
    def against(self) -> str:
        """What is shown right of the wipe line; empty where there is none."""
        return self._against

    @property
    def camera(self) -> Camera:
        """How the plate lies in the window."""
        return self._camera

    @property
    def look(self) -> Look:
        """How colour is shown."""
        return self._look

    @property
    def shot(self) -> ShotPictures | None:
        """The shot that is shown; None where there is none."""
        return self._shot

    @property
    def complaint(self) -> str:
        """Why nothing, or not all, can be shown of this frame; empty where all is."""
        missing = [
            kind for kind, wish in self._wanted.items() if self._has(kind, wish) and self._latest[kind][1].missing
        ]
        return self._complaint or (missing_text(missing[0], self._frame) if missing else "")

    def is_settled(self) -> bool:
        """True once what is wanted is what is shown."""
        return all(self._has(kind, wish) for kind, wish in self._wanted.items())

    def _has(self, kind: str, wish: Wish) -> bool:
        return kind in self._latest and self._latest[kind][0] == wish

    def set_shot(self, shot: ShotPictures | None) -> None:
        """Show another shot, or the same with other files; the frame and the view stay where they can."""
        self._shot = shot
        self._complaint = ""
        self._latest.clear()
        if shot is not None:
            self._frame = min(max(self._frame, shot.frames.first), shot.frames.last)
            self.playback.set_shot(shot.frames, shot.fps)
            self.playback.at(self._frame)
            if not shot.has(self._kind):
                self._kind = next(iter(shot.sources), "plate")
                self.kind_changed.emit(self._kind)
        self._refresh()

    def set_frame(self, frame: int) -> None:
        """Go to a frame, the nearest one that the shot has."""
        if self._shot is None:
            return
        frame = min(max(frame, self._shot.frames.first), self._shot.frames.last)
        if frame == self._frame:
            return
        self._frame = frame
        self._complaint = ""
        self.playback.at(frame)
        self.frame_changed.emit(frame)
        self._refresh()

    def set_kind(self, kind: str) -> None:
        """Show another kind, such as the result."""
        if self._shot is None or not self._shot.has(kind) or kind == self._kind:
            return
        self._kind = kind
        self._complaint = ""
        self.kind_changed.emit(kind)
        self._refresh()

    def set_wipe(self, against: str, position: float | None = None) -> None:
        """Show another kind right of a line; empty for none. The position is a share of the plate's width."""
        against = against if self._shot is not None and self._shot.has(against) else ""
        if against != self._against:
            self._against = against
            self.wipe_changed.emit(against)
        if position is not None:
            self._wipe = min(1.0, max(0.0, position))
        self._refresh()

    def set_look(self, look: Look) -> None:
        """Show colour in another way."""
        if look == self._look:
            return
        self._look = look
        self.look_changed.emit()
        self._refresh()

    def set_paint(self, layer: Layer | None) -> None:
        """Lay something over the picture; None for nothing."""
        self._paint = layer
        self.update()

    def set_painting(self, on: bool) -> None:
        """Let the left button paint and no longer do anything else."""
        self._painting = on
        self.setCursor(Qt.CursorShape.CrossCursor if on else Qt.CursorShape.ArrowCursor)

    def fit(self) -> None:
        """Show all of the plate."""
        self._look_from(replace(self._camera, zoom=0.0, centre=(0.5, 0.5)))

    def zoom(self, factor: float, at: QPointF | None = None) -> None:
        """Zoom around a place, or around the middle."""
        place = at or QPointF(self.width() / 2, self.height() / 2)
        ratio = self.devicePixelRatioF()
        self._look_from(self._camera.zoomed(factor, place.x() * ratio, place.y() * ratio))

    # -- pictures --------------------------------------------------------------------------------------------

    def _refresh(self) -> None:
        """Ask for what is to be seen now."""
        self._wanted = {}
        if self._shot is not None:
            for kind in self._kinds():
                wish = self._wish(kind, self._frame, draft=bool(self.playback.speed))
                self._wanted[kind] = wish
                kept = self._decoder.kept(wish)
                if kept is not None:
                    self._take(kind, wish, kept)
            following = [
                self._wish(kind, frame, True)
                for frame in (self.playback.ahead(AHEAD) if self.playback.speed else ())
                for kind in self._kinds()
            ]
            self._decoder.want([*self._wanted.values(), *following])
        self.update()

    def _kinds(self) -> list[str]:
        if self._shot is None or not self._shot.has(self._kind):
            return []
        return [self._kind, self._against] if self._against and self._against != self._kind else [self._kind]

    def _wish(self, kind: str, frame: int, draft: bool) -> Wish:
        assert self._shot is not None
        camera = self._camera
        return self._shot.wish(kind, frame, camera.picture_size(), self._look, camera.region(), draft)

    def _shown(self, wish: Wish, picture: Picture) -> None:
        for kind, wanted in self._wanted.items():
            if wanted == wish:
                self._take(kind, wish, picture)

    def _take(self, kind: str, wish: Wish, picture: Picture) -> None:
        self._latest[kind] = (wish, picture)
        if not picture.missing and (picture.full, picture.pixel_aspect) != (
            self._camera.full,
            self._camera.pixel_aspect,
        ):
            first = not all(self._camera.full)
            self._camera = replace(self._camera, full=picture.full, pixel_aspect=picture.pixel_aspect)
            if not first or self._camera.picture_size() != wish.size:
                self._refresh()  # now that the size is known, at the right one
                return
        if self.playback.speed:
            self.playback.took()
        self._complaint = ""
        self.update()

    def _failed(self, wish: Wish, text: str) -> None:
        if wish in self._wanted.values():
            self._complaint = text
            self.complained.emit(text)
            self.update()

    def _due(self, frame: int) -> None:
        """Playing goes on once the frame that is due is there, so that none is skipped."""
        if self.is_settled() or self._complaint:
            self.set_frame(frame)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        kinds = self._kinds()
        if self._shot is None:
            self._complaint = "Open a request to see its plate"
        halves = [self._latest[kind] for kind in kinds if kind in self._latest]
        draw(painter, self, self._camera, halves, self._split() if len(kinds) == 2 else None, self._paint, self._frame)
        if self.complaint:
            say(painter, self.rect(), self.complaint)
        painter.end()

    def _split(self) -> float:
        """x of the wipe line on the screen, in device pixels."""
        return self._camera.to_screen(self._wipe * self._camera.full[1], 0)[0]

    # -- the hand --------------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._last = event.position()
        x, y = self._plate(event.position())
        near = abs(event.position().x() * self.devicePixelRatioF() - self._split()) < _GRAB * self.devicePixelRatioF()
        if self._painting and event.button() != Qt.MouseButton.MiddleButton:
            self._grabbed = "paint"
            self.stroke_began.emit(x, y, event.button())
        elif event.button() == Qt.MouseButton.LeftButton and self._against and near:
            self._grabbed = "wipe"
        else:
            self._grabbed = "pan"

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        x, y = self._plate(event.position())
        moved = (event.position() - self._last) * self.devicePixelRatioF()
        self._last = event.position()
        if self._grabbed == "paint":
            self.stroke_moved.emit(x, y)
        elif self._grabbed == "wipe" and self._camera.full[1]:
            self.set_wipe(self._against, x / self._camera.full[1])
        elif self._grabbed == "pan":
            self._look_from(self._camera.panned(moved.x(), moved.y()))
        self._pointer = (int(x // 1), int(y // 1))
        if not self._probing.isActive():
            self._probing.start()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        grabbed, self._grabbed = self._grabbed, ""
        if grabbed == "paint":
            self.stroke_ended.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        self.zoom(2.0 ** (event.angleDelta().y() / 480), event.position())

    def resizeEvent(self, event: QResizeEvent) -> None:
        ratio = self.devicePixelRatioF()
        size = (max(1, round(self.height() * ratio)), max(1, round(self.width() * ratio)))
        self._look_from(replace(self._camera, screen=size))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not act(self, event):
            super().keyPressEvent(event)

    def step(self, count: int) -> None:
        """Rest, and go some frames on or back."""
        self.playback.stop()
        self.set_frame(self._frame + count)

    def expose(self, stops: float) -> None:
        """Show it brighter or darker."""
        self.set_look(replace(self._look, exposure=self._look.exposure + stops))

    def toggle_wipe(self) -> None:
        """Compare the plate with the result and anything else with the plate, or no longer."""
        other = "result" if self._kind == "plate" else "plate"
        self.set_wipe("" if self._against else other)

    def move_wipe(self, share: float) -> None:
        """Move the wipe line by a share of the plate's width, to the right above 0."""
        self.set_wipe(self._against, self._wipe + share)

    def go_to_end(self, last: bool) -> None:
        """Go to the first or the last frame."""
        if self._shot is not None:
            self.set_frame(self._shot.frames.last if last else self._shot.frames.first)

    def _look_from(self, camera: Camera) -> None:
        if camera != self._camera:
            self._camera = camera
            self._refresh()

    def _plate(self, place: QPointF) -> tuple[float, float]:
        ratio = self.devicePixelRatioF()
        return self._camera.to_plate(place.x() * ratio, place.y() * ratio)

    # -- the value below the pointer -------------------------------------------------------------------------

    def _probe(self) -> None:
        if self._shot is None or self._pointer is None or not self._shot.has(self._kind):
            return
        self._ticket = self._decoder.probe(self._shot.sources[self._kind].pattern, self._frame, *self._pointer)

    def _probed(self, ticket: int, values: dict[str, float]) -> None:
        if ticket != self._ticket or self._pointer is None:
            return
        numbers = "  ".join(f"{name} {value:.5g}" for name, value in values.items()) or "outside"
        self.readout.emit(f"x {self._pointer[0]}  y {self._pointer[1]}   {numbers}")
