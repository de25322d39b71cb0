"""What is drawn over the viewer's picture while painting: the mattes, the grid, key frames and the brush."""

from collections.abc import Callable, Mapping
from typing import Any

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from void_plugin.ui.geometry import Camera
from void_plugin.ui.painterclient import PainterClient
from void_plugin.ui.viewerdrawing import Layer, place

Box = tuple[int, int, int, int]
GRID = (8, 14)
"""Rows and columns of the grid that VOID was trained with: cells of 48 pixels on its raster of 384x672."""
GRID_COLOUR = QColor(255, 255, 255, 120)
INSIDE, OUTSIDE = QColor(90, 220, 255), QColor(255, 150, 40)
"""Colours of what is drawn on the object and beside it."""


class PaintLayer(Layer):
    """Draws, and asks the painter for the part that is seen now."""

    def __init__(self, client: PainterClient) -> None:
        self._client = client
        self.opacity = 0.5
        self.mattes_shown = True
        self.grid: Box | None = None
        """The part of the plate that the grid covers; None shows none."""
        self.keys: Callable[[int], Mapping[str, Any] | None] = lambda frame: None
        """What is drawn on a frame to make mattes from."""
        self.brush: tuple[float, float, float] | None = None
        """x, y and radius of the brush on the plate; None while the pointer is elsewhere."""

    def draw(self, painter: QPainter, camera: Camera, frame: int) -> None:
        """Draw it over what is there."""
        if not all(camera.full):
            return
        if self.mattes_shown:
            self._draw_mattes(painter, camera, frame)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if self.grid is not None:
            self._draw_grid(painter, camera, self.grid)
        drawn = self.keys(frame)
        if drawn is not None:
            self._draw_key(painter, camera, drawn)
        if self.brush is not None:
            self._draw_brush(painter, camera, *self.brush)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def _draw_mattes(self, painter: QPainter, camera: Camera, frame: int) -> None:
        client = self._client
        seen = camera.region() or (0, 0, camera.full[1], camera.full[0])
        client.look(frame, seen, camera.picture_size(), self.opacity)
        if not client.image.isNull() and client.frame == frame:
            painter.drawImage(place(camera, client.seen), client.image)

    def _draw_grid(self, painter: QPainter, camera: Camera, box: Box) -> None:
        painter.setPen(QPen(GRID_COLOUR, 1))
        rows, columns = GRID if (box[2] - box[0]) >= (box[3] - box[1]) else GRID[::-1]
        for row in range(rows + 1):
            y = box[1] + (box[3] - box[1]) * row / rows
            painter.drawLine(QPointF(*camera.to_screen(box[0], y)), QPointF(*camera.to_screen(box[2], y)))
        for column in range(columns + 1):
            x = box[0] + (box[2] - box[0]) * column / columns
            painter.drawLine(QPointF(*camera.to_screen(x, box[1])), QPointF(*camera.to_screen(x, box[3])))

    def _draw_key(self, painter: QPainter, camera: Camera, drawn: Mapping[str, Any]) -> None:
        if drawn.get("box"):
            x0, y0, x1, y1 = drawn["box"]
            left, top = camera.to_screen(x0, y0)
            right, bottom = camera.to_screen(x1, y1)
            painter.setPen(QPen(INSIDE, 2, Qt.PenStyle.DashLine))
            painter.drawRect(QRectF(left, top, right - left, bottom - top))
        for lines, colour in ((drawn.get("inside", ()), INSIDE), (drawn.get("outside", ()), OUTSIDE)):
            width = max(2.0, drawn["width"] * camera.scale[1])
            painter.setPen(QPen(colour, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
            for line in lines:
                painter.drawPolyline(QPolygonF([QPointF(*camera.to_screen(x, y)) for x, y in line]))

    def _draw_brush(self, painter: QPainter, camera: Camera, x: float, y: float, radius: float) -> None:
        middle = QPointF(*camera.to_screen(x, y))
        across, down = radius * camera.scale[0], radius * camera.scale[1]
        for colour, width in ((QColor(0, 0, 0), 3), (QColor(255, 255, 255), 1)):
            painter.setPen(QPen(colour, width))
            painter.drawEllipse(middle, across, down)
