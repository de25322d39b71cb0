"""Where a plate lies in a viewer: zoom, pan, and which part of it is seen. Pure numbers."""

from dataclasses import dataclass, replace

SMALLEST, LARGEST = 1 / 16, 64.0
"""Zoom in screen pixels a plate pixel."""


@dataclass(frozen=True)
class Camera:
    """How a viewer looks at a plate of `full` (height, width) from a window of `screen` (height, width) pixels."""

    full: tuple[int, int] = (0, 0)
    screen: tuple[int, int] = (1, 1)
    pixel_aspect: float = 1.0
    zoom: float = 0.0
    """Screen pixels a plate pixel, counted in height; 0 fits the plate into the window."""
    centre: tuple[float, float] = (0.5, 0.5)
    """x, y of the plate that lies in the middle, as shares of its width and height."""

    @property
    def scale(self) -> tuple[float, float]:
        """Screen pixels a plate pixel, in x and y."""
        if self.zoom > 0:
            return self.zoom * self.pixel_aspect, self.zoom
        height, width = max(1, self.full[0]), max(1, self.full[1])
        fit = min(self.screen[0] / height, self.screen[1] / (width * self.pixel_aspect))
        return fit * self.pixel_aspect, fit

    @property
    def origin(self) -> tuple[float, float]:
        """x, y on the screen of the plate's upper left corner."""
        across, down = self.scale
        x, y = self.centre if self.zoom > 0 else (0.5, 0.5)
        return self.screen[1] / 2 - x * self.full[1] * across, self.screen[0] / 2 - y * self.full[0] * down

    def to_plate(self, x: float, y: float) -> tuple[float, float]:
        """A place on the screen in plate pixels."""
        (left, top), (across, down) = self.origin, self.scale
        return (x - left) / across, (y - top) / down

    def to_screen(self, x: float, y: float) -> tuple[float, float]:
        """A place of the plate on the screen."""
        (left, top), (across, down) = self.origin, self.scale
        return left + x * across, top + y * down

    def region(self) -> tuple[int, int, int, int] | None:
        """The part of the plate that is seen, in whole pixels; None where that is all of it."""
        if self.zoom <= 0 or not all(self.full):
            return None
        x0, y0 = self.to_plate(0, 0)
        x1, y1 = self.to_plate(self.screen[1], self.screen[0])
        seen = (
            max(0, int(x0)), max(0, int(y0)),
            min(self.full[1], int(x1) + 1), min(self.full[0], int(y1) + 1),
        )  # fmt: skip
        if seen == (0, 0, self.full[1], self.full[0]):
            return None
        return seen if seen[0] < seen[2] and seen[1] < seen[3] else None

    def picture_size(self) -> tuple[int, int]:
        """The (height, width) that a picture of the part seen needs at most."""
        across, down = self.scale
        if self.zoom <= 0:
            height, width = self.full if all(self.full) else self.screen
            size = (round(height * down), round(width * across)) if all(self.full) else (height, width)
            return max(1, size[0]), max(1, size[1])
        x0, y0, x1, y1 = self.region() or (0, 0, self.full[1], self.full[0])
        return max(1, round((y1 - y0) * min(1.0, down))), max(1, round((x1 - x0) * min(1.0, across)))

    def zoomed(self, factor: float, x: float, y: float) -> "Camera":
        """Zoomed by a factor around a place on the screen, which stays where it is."""
        current = self.scale[1]
        zoom = min(LARGEST, max(SMALLEST, current * factor))
        plate_x, plate_y = self.to_plate(x, y)
        moved = replace(self, zoom=zoom)
        across, down = moved.scale
        centre = (
            (plate_x + (self.screen[1] / 2 - x) / across) / max(1, self.full[1]),
            (plate_y + (self.screen[0] / 2 - y) / down) / max(1, self.full[0]),
        )
        return replace(moved, centre=centre)

    def panned(self, right: float, down: float) -> "Camera":
        """Moved by some screen pixels; a plate that is fitted stays."""
        if self.zoom <= 0:
            return self
        scale = self.scale
        x = self.centre[0] - right / scale[0] / max(1, self.full[1])
        y = self.centre[1] - down / scale[1] / max(1, self.full[0])
        return replace(self, centre=(min(1.0, max(0.0, x)), min(1.0, max(0.0, y))))
