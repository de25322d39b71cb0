"""What counts as affected where no affected matte is given: shapes made from the object matte (image.md 7).

They are loose on purpose. VOID knows what is affected only by whole cells of its grid, 48 pixels at 672x384, so a shape
has to touch the right cells and no more. Lengths follow the height of the object matte, because the ROI that image.md
measures by is itself made from what is affected; it is at least `ROI_CONTEXT` times as high as the object.

`contact`, `shadow` and `reflection` look at one frame. `drop` and `path` say where things will move, which a model must
know on every frame: they are one shape a shot, made from the boxes of the object matte on all of its frames.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from void_plugin.errors import RequestError
from void_plugin.request import RemovalRequest
from void_server.footage import EMPTY_MATTE, Matte, cropped
from void_server.quadmask import OBJECT_THRESHOLD, distances_in
from void_server.tiles import ROI_CONTEXT, Box, box_of

DYNAMIC = ("drop", "path")
"""Presets with one shape for the whole shot."""
FOOT = 0.15
"""Share of the object's height, from its lowest edge, that stands on something (image.md 7)."""
CONTACT_GROW = 0.04 * ROI_CONTEXT
"""Width of the ring around the object, in object heights: 4 % of the height of the smallest ROI (image.md 7)."""
CONTACT_LEAST = 0.008
"""The same in plate widths where the object is small: 15 pixels at 1920, 4 % of the 384 rows no ROI is lower than."""
CONTACT_SPREAD = 0.08
"""How far the ground around the foot is affected, down and to both sides, in object heights (image.md 7)."""
SHADOW_LENGTH = 0.6
"""Length of a shadow in object heights (image.md 7)."""
SHADOW_BOTH = 30.0
"""Degrees to both sides where the user names no angle (image.md 7)."""
SHADOW_OPENING = 10.0
"""Degrees to both sides of the angle that the user names, which is judged by eye."""
REFLECTED = 0.5
"""Share of the object that is mirrored; farther from the edge a reflection has faded (image.md 7)."""
DROP_WIDENING = 0.25
"""How much wider than the object the column is in which something falls (image.md 7)."""
MOST_POINTS = 1000
"""Points of a path; a path drawn by hand has a few."""
FARTHEST = 100_000.0
"""Largest coordinate of a point: beyond any plate, and small enough for whole numbers of 32 bits."""

_POINT = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)),([-+]?(?:\d+\.?\d*|\.\d+))\Z", re.ASCII)
Point = tuple[float, float]


@dataclass(frozen=True)
class Preset:
    """The shape that a request chose, with what the user says about it."""

    name: str = "none"
    angle: float = 0.0
    path: tuple[Point, ...] = ()
    """EXR coordinates."""

    @classmethod
    def of(cls, request: RemovalRequest) -> Preset:
        """What the request's settings say; `none` where it brings an affected matte or a quadmask, which always win.

        Raises RequestError where the preset is `path` and there is no usable path.
        """
        settings = request.settings
        if settings.affected_preset == "none" or request.affected_matte or request.quadmask:
            return cls()
        path = points(settings.affected_path) if settings.affected_preset == "path" else ()
        return cls(settings.affected_preset, settings.affected_angle, path)

    @property
    def is_dynamic(self) -> bool:
        """True where one shape, made from the whole shot, counts on every frame."""
        return self.name in DYNAMIC

    def of_frame(self, remove: Matte, canvas: Box) -> Matte:
        """The affected matte of one frame by its object matte: 0 or 1, nothing outside the canvas."""
        found = _core(remove) if self.name in ("contact", "shadow", "reflection") else None
        if found is None:
            return EMPTY_MATTE
        core, box = found
        if self.name == "contact":
            return contact(core, box, canvas)
        if self.name == "shadow":
            return shadow(core, box, self.angle, canvas)
        return reflection(core, box, canvas)

    def of_shot(self, boxes: Sequence[Box], canvas: Box) -> Matte:
        """The affected matte of every frame by the boxes of the object over the shot: 0 or 1, as above."""
        if not boxes or not self.is_dynamic:
            return EMPTY_MATTE
        return drop(boxes, canvas) if self.name == "drop" else swept(boxes, self.path, canvas)


def ignored(request: RemovalRequest) -> str:
    """Says that the request's preset does nothing; empty where it does, or where none was chosen."""
    name = request.settings.affected_preset
    given = "a quadmask" if request.quadmask else "an affected matte" if request.affected_matte else ""
    if name == "none" or not given:
        return ""
    return f"The affected preset {name} is ignored, because the request brings {given}; leave one of them out."


def points(text: str) -> tuple[Point, ...]:
    """The points of `x,y x,y ...`. Raises RequestError saying what is wrong with them."""
    found: list[Point] = []
    for word in text.split():
        match = _POINT.match(word)
        place = (float(match.group(1)), float(match.group(2))) if match else (math.inf, math.inf)
        if max(map(abs, place)) > FARTHEST:
            raise RequestError(
                f"The affected_path has the point {word[:40]!r}; write points as x,y in plate pixels, y down, with a "
                "space between them, for example '960,400 1010,700'."
            )
        found.append(place)
    if not found:
        raise RequestError(
            "The affected preset path needs an affected_path that says where things will move; give points in plate "
            "pixels, for example '960,400 1010,700'."
        )
    if len(found) > MOST_POINTS:
        raise RequestError(f"The affected_path has {len(found)} points; use at most {MOST_POINTS}.")
    return tuple(found)


def object_box(remove: Matte) -> Box | None:
    """The box of what counts as the object in one frame, in EXR coordinates; None where there is nothing."""
    found = _core(remove)
    return None if found is None else found[1]


# -- shapes of one frame -------------------------------------------------------------------------------------------


def contact(core: NDArray[np.bool_], box: Box, canvas: Box) -> Matte:
    """A ring around the object, and the ground around its foot.

    The object itself is left out: what lies deep inside it is removed and not affected, as in training masks, and a
    large object would be refused as affected all over.
    """
    grow = max(CONTACT_GROW * box.height, CONTACT_LEAST * canvas.width, 1.0)
    spread = max(1, round(CONTACT_SPREAD * box.height))
    whole = box.grown(max(math.ceil(grow), spread)).within(canvas)
    if whole is None:
        return EMPTY_MATTE
    around = box.joined(whole)
    outside = np.ones(around.size, np.uint8)
    inner = box.moved(-around.x0, -around.y0)
    outside[inner.rows, inner.columns] = ~core
    near = distances_in(outside) <= grow
    foot = _foot(core, box)
    ground = Box(foot.x0 - spread, foot.y0, foot.x1 + spread, foot.y1 + spread).within(around)
    if ground is not None:
        ground = ground.moved(-around.x0, -around.y0)
        near[ground.rows, ground.columns] = True
    near &= outside > 0
    area = whole.moved(-around.x0, -around.y0)
    return cropped(whole, near[area.rows, area.columns].astype(np.float32))


def shadow(core: NDArray[np.bool_], box: Box, angle: float, canvas: Box) -> Matte:
    """A wedge from where the object stands, to both sides of `angle`, in degrees from straight down.

    Above 0 it leans to the right of the picture; exactly 0 leans to both sides.
    """
    leans = (angle - SHADOW_OPENING, angle + SHADOW_OPENING) if angle else (-SHADOW_BOTH, SHADOW_BOTH)
    foot, length = _foot(core, box), SHADOW_LENGTH * box.height
    moves = [(math.sin(math.radians(lean)) * length, math.cos(math.radians(lean)) * length) for lean in leans]
    return _hulls([[corner for dx, dy in [(0.0, 0.0), *moves] for corner in _corners(foot, dx, dy)]], canvas)


def reflection(core: NDArray[np.bool_], box: Box, canvas: Box) -> Matte:
    """The lower half of the object, mirrored about its lowest edge."""
    height = max(1, round(REFLECTED * box.height))
    mirrored = core[: -height - 1 : -1]
    return _clipped(Box(box.x0, box.y1, box.x1, box.y1 + height), mirrored.astype(np.float32), canvas)


# -- shapes of a shot ----------------------------------------------------------------------------------------------


def drop(boxes: Sequence[Box], canvas: Box) -> Matte:
    """The columns under the object, from where it stands to the bottom of the picture."""
    columns: list[Box] = []
    for box in boxes:
        wider = round(DROP_WIDENING / 2 * box.width)
        top = box.y1 - _foot_rows(box.height)
        column = Box(box.x0 - wider, top, box.x1 + wider, max(canvas.y1, box.y1)).within(canvas)
        if column is not None:
            columns.append(column)
    return _painted(columns)


def swept(boxes: Sequence[Box], path: Sequence[Point], canvas: Box) -> Matte:
    """What the object's box, as wide and as high as it ever gets, passes when its middle follows the path."""
    wide, high = max(box.width for box in boxes), max(box.height for box in boxes)
    places = [_around(x, y, wide, high) for x, y in path]
    hulls = [
        [*_corners(first, 0.0, 0.0), *_corners(second, 0.0, 0.0)]
        for first, second in zip(places, places[1:] or places, strict=False)
    ]
    return _hulls(hulls, canvas)


# -- what the shapes are made from ---------------------------------------------------------------------------------


def _core(remove: Matte) -> tuple[NDArray[np.bool_], Box] | None:
    """The object as a model is told it, and the smallest box around it."""
    if remove.box is None:
        return None
    mask = remove.values > OBJECT_THRESHOLD
    box = box_of(mask, (remove.box.x0, remove.box.y0))
    if box is None:
        return None
    area = box.moved(-remove.box.x0, -remove.box.y0)
    return mask[area.rows, area.columns], box


def _foot_rows(height: int) -> int:
    return max(1, round(FOOT * height))


def _foot(core: NDArray[np.bool_], box: Box) -> Box:
    """The box around the lowest part of the object."""
    rows = _foot_rows(box.height)
    columns = np.flatnonzero(core[-rows:].any(axis=0))
    return Box(box.x0 + int(columns[0]), box.y1 - rows, box.x0 + int(columns[-1]) + 1, box.y1)


def _around(x: float, y: float, wide: int, high: int) -> Box:
    x0, y0 = math.floor(x - wide / 2), math.floor(y - high / 2)
    return Box(x0, y0, x0 + wide, y0 + high)


def _corners(box: Box, dx: float, dy: float) -> list[Point]:
    """The corner pixels of a box that has moved."""
    return [(x + dx, y + dy) for x in (box.x0, box.x1 - 1) for y in (box.y0, box.y1 - 1)]


def _hulls(groups: Sequence[Sequence[Point]], canvas: Box) -> Matte:
    """The convex hulls of some groups of pixels, painted."""
    # Half a pixel goes up wherever the picture lies: rint would take the even one, and sums are not exact.
    hulls = [cv2.convexHull(np.floor(np.array(group) + (0.5 + 1e-6)).astype(np.int32)) for group in groups]
    corners = np.concatenate(hulls).reshape(-1, 2)
    (x0, y0), (x1, y1) = corners.min(axis=0), corners.max(axis=0)
    whole = Box(int(x0), int(y0), int(x1) + 1, int(y1) + 1).within(canvas)
    if whole is None:
        return EMPTY_MATTE
    painted = np.zeros(whole.size, np.uint8)
    for hull in hulls:
        cv2.fillConvexPoly(painted, hull - np.array([whole.x0, whole.y0], np.int32), 1)
    return cropped(whole, painted.astype(np.float32))


def _painted(boxes: Sequence[Box]) -> Matte:
    if not boxes:
        return EMPTY_MATTE
    whole = boxes[0]
    for box in boxes[1:]:
        whole = whole.joined(box)
    painted = np.zeros(whole.size, np.float32)
    for box in boxes:
        area = box.moved(-whole.x0, -whole.y0)
        painted[area.rows, area.columns] = 1
    return Matte(whole, painted)


def _clipped(box: Box, values: NDArray[np.float32], canvas: Box) -> Matte:
    inside = box.within(canvas)
    if inside is None:
        return EMPTY_MATTE
    area = inside.moved(-box.x0, -box.y0)
    return cropped(inside, values[area.rows, area.columns])
