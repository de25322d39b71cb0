"""How a viewer is drawn: pictures where the camera puts them, a wipe line, and what is wrong in words."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen
from PySide6.QtWidgets import QWidget

from void_plugin.pictures.asks import Wish
from void_plugin.ui.decoderclient import Picture
from void_plugin.ui.geometry import Camera
from void_plugin.ui.shotpictures import KINDS

BACKGROUND, WORDS, LINE = QColor(24, 24, 24), QColor(230, 180, 80), QColor(255, 255, 255)


class Layer(ABC):
    """What lies over the picture, such as painted mattes."""

    @abstractmethod
    def draw(self, painter: QPainter, camera: Camera, frame: int) -> None:
        """Draw it; the painter counts device pixels, as the camera does."""


def draw(
    painter: QPainter,
    widget: QWidget,
    camera: Camera,
    halves: Sequence[tuple[Wish, Picture]],
    split: float | None,
    paint: Layer | None,
    frame: int,
) -> None:
    """Draw one kind, or two left and right of `split` (x on the screen in device pixels), and the paint over them."""
    painter.fillRect(widget.rect(), BACKGROUND)
    ratio = widget.devicePixelRatioF()
    painter.scale(1 / ratio, 1 / ratio)
    whole = QRectF(0, 0, widget.width() * ratio, widget.height() * ratio)
    for number, (wish, picture) in enumerate(halves):
        if picture.missing:
            continue
        if split is not None:
            seen = QRectF(whole)
            if number == 0:
                seen.setRight(split)
            else:
                seen.setLeft(split)
            painter.setClipRect(seen)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, camera.scale[1] < 1)
        painter.drawImage(place(camera, wish.region), picture.image)
    painter.setClipping(False)
    if paint is not None:
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
        paint.draw(painter, camera, frame)
    if split is not None:
        painter.setPen(QPen(LINE, max(1.0, ratio)))
        painter.drawLine(QPointF(split, 0), QPointF(split, whole.height()))
    painter.resetTransform()


def place(camera: Camera, region: tuple[int, int, int, int] | None) -> QRectF:
    """Where a part of the plate, or all of it, lies on the screen, in device pixels."""
    x0, y0, x1, y1 = region or (0, 0, camera.full[1], camera.full[0])
    left, top = camera.to_screen(x0, y0)
    right, bottom = camera.to_screen(x1, y1)
    return QRectF(left, top, right - left, bottom - top)


def missing_text(kind: str, frame: int) -> str:
    """What is said where a frame has no file."""
    return f"Frame {frame} of the {KINDS[kind].lower()} is missing"


def say(painter: QPainter, where: QRect, text: str) -> None:
    """Write a sentence into the middle."""
    painter.setPen(WORDS)
    flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
    painter.drawText(where.adjusted(16, 16, -16, -16), int(flags.value), text)
