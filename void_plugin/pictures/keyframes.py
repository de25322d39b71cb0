"""A matte for every frame from a rough box or scribble on a few of them, without any trained weights.

GrabCut cuts the object out of each key frame. Optical flow (OpenCV's DIS) carries these mattes over the frames
between, from both sides, where they are blended by their distance in time and cut once more along their edge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from void_plugin.errors import Cancelled, RequestError
from void_plugin.pictures.cutting import SURROUNDINGS, Key, Matte, Picture, cut_out, refined, within

WORK_SIDE = 320
"""Pixels that the longer side of the largest key is made smaller to: edges are found as well, and much sooner."""
SLACK = 0.35
"""How far beyond two keys, as a share of their sides, the object may go between them."""
AGREES, AGREES_SHARE = 1.5, 0.05
"""Pixels, and share of the way, by which flow there and back may differ."""
ALIKE_ENOUGH = 0.85
"""Share of an object's colours that it keeps between keys, unless it was lost."""
UNSURE = 0.05
"""Weight of what is not sure against what is."""

Field = NDArray[np.float32]
"""(height, width, 2): a place or a way in x and y for each pixel."""
Carried = tuple[Matte, Matte]
"""A matte, and how sure each pixel of it is."""


def mattes_between(
    plate: Callable[[int], Picture],
    keys: Mapping[int, Key],
    frames: Sequence[int],
    progress: Callable[[float], None] = lambda share: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[int, Matte]]:
    """A matte (0..1, the size of the plate) for each of `frames`, in order.

    `plate` gives a frame, and the keys are drawn in its pixels. Frames before the first key and after the last one are
    carried from it alone. Raises Cancelled, or RequestError where there is no key.
    """
    if not keys:
        raise RequestError("There is no key frame; draw a box or a line on the object on at least one frame.")
    done = 0
    for begin, end in _spans(sorted(keys), frames):
        inside = [frame for frame in frames if (begin is None or frame >= begin) and (end is None or frame < end)]
        stretch = _Stretch(plate, keys, begin, end, cancelled)
        carried = stretch.carried(inside)
        for frame in inside:
            if frame in keys:
                matte = stretch.cut(frame)
            else:
                matte = stretch.between(frame, _blend(carried, begin, end, frame))
            yield frame, stretch.enlarged(matte)
            done += 1
            progress(done / len(frames))


class _Stretch:
    """The frames from one key to the next, cut to where the object can be and made smaller."""

    def __init__(
        self,
        plate: Callable[[int], Picture],
        keys: Mapping[int, Key],
        begin: int | None,
        end: int | None,
        cancelled: Callable[[], bool],
    ) -> None:
        self._plate, self._keys, self._cancelled = plate, keys, cancelled
        self._marks = [mark for mark in (begin, end) if mark is not None]
        boxes = [keys[mark].limits() for mark in self._marks]
        side = max(max(box[2] - box[0], box[3] - box[1]) for box in boxes)
        self._scale = min(1.0, WORK_SIDE / max(1.0, side))
        first = plate(self._marks[0])
        self._full = first.shape[0], first.shape[1]
        whole = (
            min(box[0] for box in boxes), min(box[1] for box in boxes),
            max(box[2] for box in boxes), max(box[3] for box in boxes),
        )  # fmt: skip
        # Room for what GrabCut learns of the background, and for where the object goes on its way.
        room = side * (SURROUNDINGS + SLACK if len(boxes) == 2 else 2 * (SURROUNDINGS + SLACK))
        grown = whole[0] - room, whole[1] - room, whole[2] + room, whole[3] + room
        self._part = within(grown, 0.0, *self._full)
        self._small = {self._marks[0]: self._shrunk(first)}
        self._mattes: dict[int, Matte] = {}
        self._flows: dict[tuple[int, int], Field] = {}

    def picture(self, frame: int) -> Picture:
        """The part of a frame that is looked at. Raises Cancelled."""
        if self._cancelled():
            raise Cancelled
        if frame not in self._small:
            self._small[frame] = self._shrunk(self._plate(frame))
        return self._small[frame]

    def cut(self, mark: int) -> Matte:
        """The object of a key frame."""
        if mark not in self._mattes:
            key = self._keys[mark].moved(-self._part[0], -self._part[1]).scaled(self._scale)
            self._mattes[mark] = cut_out(self.picture(mark), key)
        return self._mattes[mark]

    def carried(self, inside: Sequence[int]) -> dict[tuple[int, int], Carried]:
        """The mattes of the keys on the frames between, by key and frame."""
        found: dict[tuple[int, int], Carried] = {}
        for key in self._marks:
            guess = self._speed(key)
            before, places, sure = key, None, None
            for frame in inside if key <= inside[0] else reversed(inside):
                if frame == key:
                    continue
                flow = self._flow(frame, before, guess)
                back = self._flow(before, frame, -guess)
                places, sure = _followed(flow, places), _surely(flow, back, sure)
                matte = _sampled(self.cut(key), places, outside=cv2.BORDER_CONSTANT)
                found[key, frame] = np.asarray(matte, np.float32), sure
                on_it = flow[(matte > 0.5) & (sure > 0.5)]
                if len(on_it):
                    guess = (guess + np.median(on_it, 0)) / 2
                before = frame
        return found

    def _flow(self, now: int, before: int, guess: Field) -> Field:
        if (now, before) not in self._flows:
            self._flows[now, before] = _flow(self.picture(now), self.picture(before), guess)
        return self._flows[now, before]

    def _speed(self, key: int) -> Field:
        """About how far the object goes in a frame, seen from a key: as if it went straight to the other one."""
        if len(self._marks) < 2:
            return np.zeros(2, np.float32)
        first, last = (_middle(self.cut(mark)) for mark in self._marks)
        step = (first - last) / (self._marks[1] - self._marks[0])
        return np.asarray(step if key == self._marks[0] else -step, np.float32)

    def between(self, frame: int, carried: Matte) -> Matte:
        """The matte of a frame from the one that was carried there.

        Flow loses objects without texture on ground that has some. Where what it found has other colours than the
        keys, their mattes moved straight towards each other are tried as well, and the more alike is taken.
        """
        picture = self.picture(frame)
        found = refined(picture, carried)
        alike = self._alike(picture, found)
        if alike < ALIKE_ENOUGH and len(self._marks) == 2:
            other = refined(picture, self._straight(frame))
            if self._alike(picture, other) > alike:
                return other
        return found

    def _straight(self, frame: int) -> Matte:
        height, width = self.picture(frame).shape[:2]
        total = np.zeros((height, width), np.float32)
        for mark in self._marks:
            way = abs(frame - mark)
            by = self._speed(mark) * -way
            shift = np.array([[1, 0, by[0]], [0, 1, by[1]]], np.float64)
            moved = cv2.warpAffine(self.cut(mark), shift, (width, height), flags=cv2.INTER_LINEAR)
            total += np.asarray(moved, np.float32) * np.float32(1 - way / (self._marks[1] - self._marks[0]))
        return total

    def _alike(self, picture: Picture, matte: Matte) -> float:
        """How much the colours, and how many there are of each, are those of the object on its keys, 0 to 1."""
        mine = _colours(picture, matte)
        keys = [_colours(self.picture(mark), self.cut(mark)) for mark in self._marks]
        return max(float(np.minimum(mine, key).sum() / max(1, mine.sum(), key.sum())) for key in keys)

    def enlarged(self, matte: Matte) -> Matte:
        """A matte of the part as one of the whole plate."""
        x0, y0, x1, y1 = self._part
        whole = np.zeros(self._full, np.float32)
        whole[y0:y1, x0:x1] = cv2.resize(matte, (x1 - x0, y1 - y0), interpolation=cv2.INTER_CUBIC).clip(0, 1)
        return whole

    def _shrunk(self, picture: Picture) -> Picture:
        x0, y0, x1, y1 = self._part
        size = max(1, round((x1 - x0) * self._scale)), max(1, round((y1 - y0) * self._scale))
        part = np.ascontiguousarray(picture[y0:y1, x0:x1])
        return np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)


def _spans(marks: Sequence[int], frames: Sequence[int]) -> Iterator[tuple[int | None, int | None]]:
    """Stretches of frames from a key to the one after it; None where there is none on that side."""
    if frames[0] < marks[0]:
        yield None, marks[0]
    yield from pairwise(marks)
    yield marks[-1], None


def _flow(now: Picture, before: Picture, guess: Field) -> Field:
    """Where each pixel of `now` lies on the frame before, relative to itself.

    The frame before is moved by a guess first, because flow finds short ways best; only the object counts.
    """
    height, width = now.shape[:2]
    by = np.rint(guess)
    shift = np.array([[1, 0, by[0]], [0, 1, by[1]]], np.float64)
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(before, shift, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    begin: Any = None
    flow = dis.calc(cv2.cvtColor(now, cv2.COLOR_BGR2GRAY), cv2.cvtColor(moved, cv2.COLOR_BGR2GRAY), begin)
    return np.asarray(flow + by, np.float32)


def _followed(flow: Field, places: Field | None) -> Field:
    """Where each pixel lies on the key frame, given where those of the frame before do."""
    height, width = flow.shape[:2]
    grid = np.stack(np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)), -1)
    there = grid + flow
    if places is None:
        return there
    return np.asarray(_sampled(places, there), np.float32)


def _surely(flow: Field, back: Field, before: Field | None) -> Field:
    """How sure it is, 0 or 1, that a pixel shows what it is said to come from: the way there and back must agree.

    What an object has just uncovered would otherwise be taken for the object that was there.
    """
    height, width = flow.shape[:2]
    grid = np.stack(np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)), -1)
    there = grid + flow
    returned = _sampled(back, there)
    apart = np.linalg.norm(flow + returned, axis=-1)
    sure = (apart < AGREES + AGREES_SHARE * np.linalg.norm(flow, axis=-1)).astype(np.float32)
    if before is not None:
        sure *= _sampled(before, there, cv2.INTER_NEAREST)
    return np.asarray(sure, np.float32)


def _sampled(values: Any, there: Field, how: int = cv2.INTER_LINEAR, outside: int = cv2.BORDER_REPLICATE) -> Any:
    """Values at other places."""
    none: Any = None  # the map's second half, which is in the first
    return cv2.remap(values, there, none, how, borderMode=outside)


def _colours(picture: Picture, matte: Matte) -> NDArray[np.float32]:
    """How often each of 512 colours is in a matte."""
    mask = (matte > 0.5).astype(np.uint8)
    return np.asarray(cv2.calcHist([picture], [0, 1, 2], mask, [8, 8, 8], [0, 256] * 3), np.float32)


def _middle(matte: Matte) -> Field:
    """x, y of the middle of a matte."""
    down, across = np.nonzero(matte > 0.5)
    return np.array([across.mean(), down.mean()] if len(down) else [0, 0], np.float32)


def _blend(carried: Mapping[tuple[int, int], Carried], begin: int | None, end: int | None, frame: int) -> Matte:
    """Both mattes of a frame, that of the nearer key and that which is surer for more."""
    total: Any = np.float32(1e-6)
    weights: Any = np.float32(1e-6)
    for key, other in ((begin, end), (end, begin)):
        if key is None:
            continue
        matte, sure = carried[key, frame]
        near = 1.0 if other is None else abs(frame - other) / abs(key - other)
        weight = np.float32(near) * (sure + np.float32(UNSURE))
        # From one side alone, what is not sure is rather no object, which has been somewhere else before.
        total, weights = total + weight * (matte * sure if other is None else matte), weights + weight
    return np.asarray(total / weights, np.float32)
