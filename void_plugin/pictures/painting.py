"""What is painted on the mattes of a shot: strokes, copies and whole mattes, each of which can be undone bit for bit.

It begins with the mattes of the request, which are read when a frame is first touched.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from void_plugin.errors import RequestError
from void_plugin.pictures.brush import Brush, Point
from void_plugin.pictures.planes import Box, Place, Plane, Values, box_of, frozen, places

LABELS = ("remove", "affected")
"""What can be painted."""
HISTORY_BYTES = 512 << 20
"""How much memory steps that can be undone may take; older ones are forgotten."""
KEPT_FILES = 6
"""How many mattes of files are kept as they were read: both labels of a frame and those beside it."""

Sheet = tuple[int, str]
"""Frame and label."""
Read = Callable[[int, str], Values | None]
"""The matte of a file, (height, width) in its own type; None where there is no file."""


@dataclass(frozen=True)
class Step:
    """What one step has changed: the mattes before and after it."""

    name: str
    before: Mapping[Sheet, Plane | None]
    """None where the file had not been looked at."""
    after: Mapping[Sheet, Plane]

    @property
    def bytes(self) -> int:
        """Memory that forgetting it would free."""
        return sum(plane.new_bytes(self.before[sheet]) + 512 for sheet, plane in self.after.items())


@dataclass
class _Stroke:
    sheet: Sheet
    brush: Brush
    erase: bool
    begun: Plane
    last: Point
    below: Values | None
    tiles: dict[Place, Values] = field(default_factory=dict)
    """Tiles under work; those can be written to."""


class Painting:
    """The painted mattes of one shot; not safe to use from more than one thread at a time."""

    def __init__(self, size: tuple[int, int], read: Read, history_bytes: int = HISTORY_BYTES) -> None:
        """`size` is (height, width) of the plate's display window; `read` may raise FrameError."""
        self.size = size
        self._read, self._most = read, history_bytes
        self._planes: dict[Sheet, Plane] = {}
        self._begun: dict[Sheet, Plane] = {}
        self._files: OrderedDict[Sheet, Values | None] = OrderedDict()
        self._done: list[Step] = []
        self._undone: list[Step] = []
        self._stroke: _Stroke | None = None
        self._watch: Callable[[str, Step], None] = lambda what, step: None

    def watch(self, watch: Callable[[str, Step], None]) -> None:
        """Let somebody hear `step`, `undo` or `redo` and the step, of each from now on, once it is done."""
        self._watch = watch

    # -- what there is ---------------------------------------------------------------------------------------

    @property
    def can_undo(self) -> str:
        """Name of the step that would be undone; empty where there is none."""
        return self._done[-1].name if self._done else ""

    @property
    def can_redo(self) -> str:
        """Name of the step that would be done again; empty where there is none."""
        return self._undone[-1].name if self._undone else ""

    def touched(self) -> dict[Sheet, Plane]:
        """The mattes that are not just those of the files."""
        return {sheet: plane for sheet, plane in self._planes.items() if plane is not self._begun.get(sheet)}

    def held(self, sheet: Sheet) -> Plane | None:
        """A matte as it was before any stroke under way; None where nothing has looked at it yet."""
        return self._planes.get(sheet)

    def tile(self, frame: int, label: str, place: Place) -> Values:
        """One tile of a matte as it now is, also in the middle of a stroke; not to be written to."""
        stroke = self._stroke
        if stroke is not None and stroke.sheet == (frame, label) and place in stroke.tiles:
            return stroke.tiles[place]
        plane = self._plane((frame, label))
        return plane.tile(place, self._file((frame, label)) if plane.over_file else None)

    def matte(self, frame: int, label: str) -> Values:
        """A whole matte as it now is, in the type of its file. Raises FrameError."""
        plane = self._plane((frame, label))
        whole = plane.pixels(self._file((frame, label)) if plane.over_file else None)
        if self._stroke is not None and self._stroke.sheet == (frame, label):
            for place, tile in self._stroke.tiles.items():
                x0, y0, x1, y1 = box_of(place, self.size)
                whole[y0:y1, x0:x1] = tile
        return whole

    # -- strokes ---------------------------------------------------------------------------------------------

    def begin(self, frame: int, label: str, at: Point, brush: Brush, erase: bool = False) -> Box:
        """Set the brush down; returns the pixels that have changed. Raises FrameError where the file is broken."""
        if label not in LABELS:
            raise RequestError(f"There is no label {label!r} to paint; it is one of {', '.join(LABELS)}.")
        self.end()
        sheet = (frame, label)
        plane = self._plane(sheet)
        below = self._file(sheet) if plane.over_file else None
        self._stroke = _Stroke(sheet, brush.limited(), erase, plane, at, below)
        return self._draw(at)

    def to(self, at: Point) -> Box:
        """Move the brush on; returns the pixels that may have changed."""
        return self._draw(at) if self._stroke is not None else (0, 0, 0, 0)

    def end(self) -> bool:
        """Lift the brush, which makes a step of the stroke; False where nothing has changed."""
        stroke, self._stroke = self._stroke, None
        if stroke is None:
            return False
        plane = stroke.begun
        changed = {
            place: frozen(tile)
            for place, tile in stroke.tiles.items()
            if not np.array_equal(tile, plane.tile(place, stroke.below), equal_nan=True)
        }
        if not changed:
            return False
        name = "Erase" if stroke.erase else "Paint"
        self._commit(name, {stroke.sheet: plane.with_tiles(changed)})
        return True

    def _draw(self, at: Point) -> Box:
        stroke = self._stroke
        assert stroke is not None
        begin, stroke.last = stroke.last, at
        box = stroke.brush.reach(begin, at)
        for place in places(box, self.size):
            here = box_of(place, self.size)
            mark = stroke.brush.mark(begin, at, here)
            if not mark.any():
                continue
            tile = stroke.tiles.get(place)
            if tile is None:
                tile = np.array(stroke.begun.tile(place, stroke.below))
                stroke.tiles[place] = tile
            if stroke.erase:
                np.minimum(tile, (1 - mark).astype(tile.dtype), out=tile)
            else:
                np.maximum(tile, mark.astype(tile.dtype), out=tile)
        height, width = self.size
        return max(0, box[0]), max(0, box[1]), min(width, box[2]), min(height, box[3])

    # -- whole mattes ----------------------------------------------------------------------------------------

    def copy(self, origin: int, frame: int, label: str) -> bool:
        """Take the matte of another frame; False where it is the same. Raises FrameError."""
        self.end()
        pixels = self.matte(origin, label)
        if np.array_equal(pixels, self.matte(frame, label), equal_nan=True):
            return False
        self._commit("Copy", {(frame, label): Plane.of_pixels(pixels)})
        return True

    def replace(self, name: str, mattes: Mapping[Sheet, Plane]) -> None:
        """Take whole mattes in place of what there is, as one step."""
        self.end()
        if mattes:
            self._commit(name, mattes)

    # -- steps -----------------------------------------------------------------------------------------------

    def undo(self) -> frozenset[int]:
        """Take the last step back; returns the frames that have changed."""
        self.end()
        if not self._done:
            return frozenset()
        step = self._done.pop()
        for sheet, plane in step.before.items():
            if plane is None:
                del self._planes[sheet]
            else:
                self._planes[sheet] = plane
        self._undone.append(step)
        self._watch("undo", step)
        return frozenset(frame for frame, _ in step.before)

    def redo(self) -> frozenset[int]:
        """Take the last undone step again; returns the frames that have changed."""
        self.end()
        if not self._undone:
            return frozenset()
        step = self._undone.pop()
        self._planes.update(step.after)
        self._done.append(step)
        self._watch("redo", step)
        return frozenset(frame for frame, _ in step.after)

    def _commit(self, name: str, after: Mapping[Sheet, Plane]) -> None:
        step = Step(name, {sheet: self._planes.get(sheet) for sheet in after}, dict(after))
        self._planes.update(after)
        self._done.append(step)
        self._undone.clear()
        held = sum(known.bytes for known in self._done)
        while held > self._most and len(self._done) > 1:
            held -= self._done.pop(0).bytes
        self._watch("step", step)

    # -- files -----------------------------------------------------------------------------------------------

    def _plane(self, sheet: Sheet) -> Plane:
        found = self._planes.get(sheet)
        if found is None:
            below = self._file(sheet)
            kind = "float16" if below is None else str(below.dtype)
            found = self._begun[sheet] = Plane(self.size, kind, over_file=below is not None)
            self._planes[sheet] = found
        return found

    def _file(self, sheet: Sheet) -> Values | None:
        if sheet in self._files:
            self._files.move_to_end(sheet)
            return self._files[sheet]
        pixels = self._read(*sheet)
        self._files[sheet] = pixels
        while len(self._files) > KEPT_FILES:
            self._files.popitem(last=False)
        return pixels
