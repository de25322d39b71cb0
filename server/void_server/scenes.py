"""Synthetic shots whose truth is known: a textured figure crosses a procedural set under a moving camera.

They need no data files, so the demo, the tests and the benchmark see the same pictures everywhere. A scene
gives any frame by itself, the same one every time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from void_plugin.errors import RequestError
from void_server.engines import AFFECTED, KEEP, OVERLAP, REMOVE, Arrays, Frames, Mask, Picture, Shelf
from void_server.tiles import Box, box_of, whole_blocks

Matte = NDArray[np.float32]
"""(height, width), 0..1."""
Labels = NDArray[np.uint8]
Homography = NDArray[np.float64]

Camera = Literal["static", "pan", "handheld", "dolly", "parallax"]
CAMERAS: tuple[Camera, ...] = get_args(Camera)

FIRST_FRAME = 1001
"""Where shots begin in the trade."""

WORLD_WIDTH, WORLD_HEIGHT = 1.8, 1.4
"""Size of the set in frame widths and heights; every camera stays inside it."""

SHUTTER = 0.5
"""Share of a frame the shutter is open: 180 degrees."""

SHUTTER_SAMPLES = 9
"""Positions of the figure averaged into its motion blur."""

GRAIN, GRAIN_FLOOR = 0.006, 0.0015
"""Linear light: deviation is GRAIN * sqrt(light) + GRAIN_FLOOR, as a camera at a medium exposure index."""

SHADOW_DEPTH = 0.55
"""Share of light the cast shadow takes away."""


@dataclass(frozen=True)
class SceneFrame:
    """One frame of a scene, all in scene-linear light."""

    number: int
    plate: Picture
    object_matte: Matte
    """Soft alpha of the figure, motion blur included."""
    affected_matte: Matte
    """How much of the shadow lies on each pixel."""
    truth: Picture
    """The set without figure and shadow, free of grain."""
    grainy_truth: Picture
    """The truth with the very grain of the plate."""


@dataclass(frozen=True)
class Scene:
    """A shot of `count` frames at (height, width) `size`; equal fields give equal frames."""

    camera: Camera
    size: tuple[int, int] = (270, 480)
    count: int = 24
    seed: int = 1

    @property
    def numbers(self) -> tuple[int, ...]:
        return tuple(range(FIRST_FRAME, FIRST_FRAME + self.count))

    def frame(self, number: int) -> SceneFrame:
        """One frame by its number; raises IndexError outside the shot."""
        index = number - FIRST_FRAME
        if not 0 <= index < self.count:
            raise IndexError(f"frame {number} is not in {self.numbers[0]}-{self.numbers[-1]}")
        truth = self._set(index)
        colour, alpha = self._figure(index)
        shadow = self._shadow(alpha)
        lit = truth * (1.0 - np.float32(SHADOW_DEPTH) * shadow)[..., None]
        plate = lit * (1.0 - alpha)[..., None] + colour
        # Grain hangs on the light of each picture; the same draws make plate and truth agree outside the mattes.
        draws = np.random.default_rng((self.seed, index)).standard_normal(truth.shape, np.float32)
        return SceneFrame(number, plate + _grain(plate, draws), alpha, shadow, truth, truth + _grain(truth, draws))

    # -- the set -------------------------------------------------------------------------------------------

    @cached_property
    def _far(self) -> Picture:
        return _wall(self.size, self.seed)

    @cached_property
    def _near(self) -> Picture:
        return _ground(self.size, self.seed + 1)

    def _set(self, index: int) -> Picture:
        height, width = self.size
        far = _look(self._far, self._camera(index, 1.0), self.size)
        if self.camera != "parallax":
            return far
        # The near layer passes three times as fast and ends in a ragged edge of its own.
        motion = self._camera(index, 3.0)
        near = _look(self._near, motion, self.size)
        place = motion[0, 2] + np.arange(width)
        edge = height * (0.64 + 0.035 * np.sin(place / (0.09 * width)) + 0.012 * np.sin(place / (0.021 * width)))
        cover = np.clip(np.arange(height)[:, None] - edge[None] + 0.5, 0, 1).astype(np.float32)[..., None]
        return np.asarray(far * (1 - cover) + near * cover, np.float32)

    def _camera(self, index: int, speed: float) -> Homography:
        """Frame pixels to pixels of the set."""
        height, width = self.size
        u = index / max(1, self.count - 1)
        # Room around the frame on each side of the set.
        left, top = 0.5 * (WORLD_WIDTH - 1) * width, 0.5 * (WORLD_HEIGHT - 1) * height
        shift, angle, zoom = np.array([left, top]), 0.0, 1.0
        if self.camera == "pan":
            shift += np.array([(0.5 - u) * 0.5 * width, 0.01 * height * math.sin(5 * u)])
        elif self.camera == "parallax":
            shift += np.array([(u - 0.5) * 0.09 * speed * width, 0.0])
        elif self.camera == "handheld":
            shift += np.array([0.03 * width * math.sin(index * 0.7), 0.03 * height * math.sin(index * 0.9 + 1)])
            shift[0] += (0.5 - u) * 0.1 * width
            angle, zoom = 0.02 * math.sin(index * 0.5), 1 + 0.04 * math.sin(index * 0.35)
        centre = np.array([0.5 * width, 0.5 * height])
        turn = zoom * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        motion = np.eye(3)
        motion[:2, :2], motion[:2, 2] = turn, centre - turn @ centre + shift
        if self.camera == "dolly":
            corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
            # The floor spreads as the camera nears it: the lower corners move outwards, the upper ones inwards.
            spread = np.array([[-1, -0.4], [1, -0.4], [1.6, 0.8], [-1.6, 0.8]]) * np.array([width, height])
            seen = corners + np.array([left, top]) - (u - 0.5) * 0.09 * spread
            motion = np.asarray(cv2.getPerspectiveTransform(corners, seen.astype(np.float32)), np.float64)
        return motion

    # -- the figure ----------------------------------------------------------------------------------------

    @cached_property
    def _cutout(self) -> tuple[Picture, Matte]:
        height, width = self.size
        return _figure(max(24, round(0.46 * height)), max(12, round(0.13 * width)), self.seed + 2)

    def _place(self, moment: float) -> tuple[float, float]:
        """Top left of the figure at a moment counted in frames."""
        height, width = self.size
        u = moment / max(1, self.count - 1)
        return width * (0.02 + 0.82 * u), height * (0.34 + 0.012 * math.sin(moment * 0.8))

    def _figure(self, index: int) -> tuple[Picture, Matte]:
        """Premultiplied colour and alpha, averaged over the open shutter."""
        colour, alpha = self._cutout
        picture = np.zeros((*self.size, 3), np.float32)
        matte = np.zeros(self.size, np.float32)
        for sample in range(SHUTTER_SAMPLES):
            x, y = self._place(index + SHUTTER * (sample / (SHUTTER_SAMPLES - 1) - 0.5))
            shift = np.array([[1, 0, x], [0, 1, y]], np.float64)
            size = self.size[1], self.size[0]
            picture += cv2.warpAffine(colour * alpha[..., None], shift, size, flags=cv2.INTER_LINEAR)
            matte += cv2.warpAffine(alpha, shift, size, flags=cv2.INTER_LINEAR)
        share = np.float32(1 / SHUTTER_SAMPLES)
        return picture * share, matte * share

    def _shadow(self, alpha: Matte) -> Matte:
        """The figure laid down to the right of its feet, soft."""
        height, width = self.size
        rows = np.flatnonzero(alpha.max(axis=1) > 0.5)
        if not len(rows):
            return np.zeros_like(alpha)
        feet = float(rows[-1])
        lean = np.array([[1.0, -0.55, 0.55 * feet], [0.0, 0.28, 0.72 * feet]])
        laid = np.asarray(cv2.warpAffine(alpha, lean, (width, height), flags=cv2.INTER_LINEAR), np.float32)
        soft = np.asarray(cv2.GaussianBlur(laid, (0, 0), max(0.7, 0.004 * width)), np.float32)
        # A shadow fainter than 1/200 is below the grain, and its matte would reach across the frame.
        return np.where(soft > 0.005, soft, 0).astype(np.float32)


def quadmask(object_matte: Matte, affected_matte: Matte | None = None, grow: int = 0, threshold: float = 0.0) -> Labels:
    """Labels of soft mattes: every pixel above the threshold, grown by a number of pixels."""

    def grown(matte: Matte) -> Mask:
        mask = (matte > threshold).astype(np.uint8)
        if grow:
            disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * grow + 1, 2 * grow + 1))
            mask = np.asarray(cv2.dilate(mask, disc), np.uint8)
        return mask > 0

    labels = np.full(object_matte.shape, KEEP, np.uint8)
    inside = grown(object_matte)
    if affected_matte is not None:
        affected = grown(affected_matte)
        labels[affected] = AFFECTED
        labels[inside & affected] = OVERLAP
        labels[inside & ~affected] = REMOVE
    else:
        labels[inside] = REMOVE
    return labels


class MemoryFrames(Frames):
    """Frames held in memory, with the labels given ready.

    `fills` are the labels the engine replaces (`Engine.fills`); `excluded` marks pixels never to be sampled;
    `enlargement` is that of a plate which the frames stand for.
    """

    def __init__(
        self,
        plates: Sequence[Picture],
        labels: Sequence[Labels],
        numbers: Sequence[int] | None = None,
        fills: Sequence[int] = (REMOVE, OVERLAP),
        excluded: Mapping[int, Mask] | None = None,
        clean_plates: Mapping[int, Picture] | None = None,
        enlargement: float = 1.0,
    ) -> None:
        self.numbers = tuple(numbers) if numbers is not None else tuple(range(FIRST_FRAME, FIRST_FRAME + len(plates)))
        height, width = plates[0].shape[:2]
        self.size = height, width
        self.enlargement = enlargement
        self.analysis: Mapping[str, NDArray[Any]] = {}
        self._clean = dict(clean_plates or {})
        self._plates: dict[int, Picture] = {}
        self._labels = dict(zip(self.numbers, labels, strict=True))
        self._usable: dict[int, Mask] = {}
        self._fills = tuple(fills)
        self._holes: dict[int, Box | None] = {}
        marked = np.zeros(256, np.uint8)
        marked[list(fills)] = 1
        for number, plate in zip(self.numbers, plates, strict=True):
            # One sum tells whether every number is finite; only where it is not is each looked at.
            whole = bool(np.isfinite(plate.sum()))
            clean = plate if whole else np.nan_to_num(plate, nan=0.0, posinf=65504.0, neginf=0.0)
            self._plates[number] = _read_only(clean)
            usable = self._labels[number] == KEEP
            if not whole:
                usable &= np.isfinite(plate).all(axis=-1)
            if excluded is not None and number in excluded:
                usable &= ~excluded[number]
            self._usable[number] = _read_only(usable)
            self._holes[number] = box_of(
                np.asarray(cv2.LUT(np.ascontiguousarray(self._labels[number]), marked)).view(np.bool_)
            )

    def plate(self, frame: int, box: Box) -> Picture:
        return self._plates[frame][box.rows, box.columns]

    def labels(self, frame: int, box: Box) -> Labels:
        return self._labels[frame][box.rows, box.columns]

    def usable(self, frame: int, box: Box) -> Mask:
        return self._usable[frame][box.rows, box.columns]

    def hole(self, frame: int) -> Box | None:
        return self._holes[frame]

    def clean_plate(self, frame: int, box: Box) -> Picture | None:
        picture = self._clean.get(frame)
        return None if picture is None else picture[box.rows, box.columns]

    def enlarged(self, factor: int) -> MemoryFrames:
        if factor > self.enlargement:
            raise ValueError(f"there is no plate with {factor} times the pixels of {self.size}")
        size = self.size[1] * factor, self.size[0] * factor
        plates = [
            np.asarray(cv2.resize(self._plates[frame], size, interpolation=cv2.INTER_CUBIC), np.float32)
            for frame in self.numbers
        ]
        labels = [np.repeat(np.repeat(self._labels[frame], factor, 0), factor, 1) for frame in self.numbers]
        return MemoryFrames(plates, labels, self.numbers, self._fills, enlargement=self.enlargement / factor)

    def reduced(self, frame: int, factor: int) -> tuple[Picture, Mask]:
        plate, usable = self._plates[frame], self._usable[frame]
        if factor == 1:
            return plate, usable
        height, width = self.size
        rows, columns = -(-height // factor), -(-width // factor)
        # Repeating the last row and column into the last blocks keeps their mean inside the picture.
        bottom, right = rows * factor - height, columns * factor - width
        wide = cv2.copyMakeBorder(plate, 0, bottom, 0, right, cv2.BORDER_REPLICATE) if bottom or right else plate
        picture = np.asarray(cv2.resize(wide, (columns, rows), interpolation=cv2.INTER_AREA), np.float32)
        mask = np.pad(usable, ((0, bottom), (0, right)), mode="edge") if bottom or right else usable
        return picture, whole_blocks(mask, factor)


class MemoryShelf(Shelf):
    """A shelf in memory, for a single solve."""

    def __init__(self, before: Arrays | None = None) -> None:
        """`before` is what the unit that this one follows has left."""
        self.saved: Arrays | None = None
        self.left: Arrays = {}
        self._before = before

    def checkpoint(self) -> Arrays | None:
        return self.saved

    def save_checkpoint(self, arrays: Arrays) -> None:
        self.saved = {name: array.copy() for name, array in arrays.items()}

    def left_before(self) -> Arrays:
        if self._before is None:
            raise RequestError("The unit before has left nothing; solve it first.", "request.plan")
        return self._before

    def leave(self, arrays: Arrays) -> None:
        self.left = dict(arrays)


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    # Engines must not change what they are shown; a view leaves the caller's own array as it is.
    view = array.view()
    view.flags.writeable = False
    return view


def _look(world: Picture, camera: Homography, size: tuple[int, int]) -> Picture:
    height, width = size
    picture = cv2.warpPerspective(
        world, camera, (width, height), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REFLECT_101
    )
    return np.maximum(np.asarray(picture, np.float32), 0)


def _grain(picture: Picture, draws: Picture) -> Picture:
    deviation = np.float32(GRAIN) * np.sqrt(np.maximum(picture, 0)) + np.float32(GRAIN_FLOOR)
    return np.asarray(draws * deviation, np.float32)


def _clouds(size: tuple[int, int], cells: Sequence[int], slope: float, random: np.random.Generator) -> Matte:
    """Noise of mean 0.5 with one octave per cell size (pixels), each weighted by cell ** slope."""
    height, width = size
    total, weight = np.zeros(size, np.float32), 0.0
    for cell in cells:
        coarse = random.random((max(2, height // cell + 2), max(2, width // cell + 2)), np.float32)
        total += cell**slope * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        weight += cell**slope
    return total / np.float32(weight)


def _octaves(size: tuple[int, int]) -> list[int]:
    # Down to three pixels: finer detail would alias under the camera instead of moving with it.
    return [cell for cell in (3, 6, 12, 24, 48, 96, 192, 384) if cell < size[1]]


def _wall(size: tuple[int, int], seed: int) -> Picture:
    """A brick wall with windows, stains and lamps well above 1."""
    random = np.random.default_rng((seed, 10))
    width, height = round(size[1] * WORLD_WIDTH), round(size[0] * WORLD_HEIGHT)
    unit = size[1] / 480.0
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    course = np.floor(y / (9 * unit))
    joint = np.minimum(np.abs((y / (9 * unit)) % 1 - 0.5), 0.5)
    along = (x / (22 * unit) + 0.5 * (course % 2)) % 1
    brick = np.clip((0.46 - joint) * 14, 0, 1) * np.clip((0.48 - np.abs(along - 0.5)) * 20, 0, 1)
    column = np.floor(x / (22 * unit) + 0.5 * (course % 2))
    shade = 0.7 + 0.6 * random.random(4096, np.float32)[(course * 131 + column * 17).astype(int) % 4096]
    stain = _clouds((height, width), _octaves(size), 0.7, random)
    tone = (0.05 + 0.22 * brick * shade) * (0.35 + 1.3 * stain)
    picture = tone[..., None] * np.array([1.0, 0.72, 0.55], np.float32)
    for _ in range(26):
        # Windows: dark glass in a light frame.
        w, h = (int(v * unit) for v in random.integers((24, 30), (60, 70)))
        left, top = int(random.integers(0, max(1, width - w))), int(random.integers(0, max(1, height - h)))
        rim = max(1, int(2 * unit))
        picture[top : top + h, left : left + w] = 0.5 * (0.6 + 0.6 * stain[top : top + h, left : left + w, None])
        pane = picture[top + rim : top + h - rim, left + rim : left + w - rim]
        glass = stain[top + rim : top + h - rim, left + rim : left + w - rim, None] ** 2
        pane[:] = (0.02 + 0.12 * glass) * np.array([0.6, 0.8, 1.0], np.float32)
    for _ in range(14):
        lamp_x, lamp_y = random.random() * width, random.random() * height
        radius = (2 + 4 * random.random()) * unit
        glow = np.exp(-((x - lamp_x) ** 2 + (y - lamp_y) ** 2) / (2 * radius**2))
        picture += (6 + 14 * random.random()) * glow[..., None] * np.array([1.0, 0.85, 0.6], np.float32)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.7), np.float32)


def _ground(size: tuple[int, int], seed: int) -> Picture:
    """Gravel and grass: fine texture at every scale."""
    random = np.random.default_rng((seed, 11))
    width, height = round(size[1] * WORLD_WIDTH), round(size[0] * WORLD_HEIGHT)
    rough = _clouds((height, width), _octaves(size), 0.35, random)
    patch = _clouds((height, width), [cell for cell in _octaves(size) if cell > 20] or [20], 0.5, random)
    tone = np.clip(0.02 + 0.5 * (rough - 0.25), 0.01, None)
    green, brown = np.array([0.5, 0.8, 0.3], np.float32), np.array([0.9, 0.7, 0.5], np.float32)
    mix = np.clip(4 * (patch - 0.4), 0, 1)[..., None]
    return np.asarray(cv2.GaussianBlur(tone[..., None] * (green * mix + brown * (1 - mix)), (0, 0), 0.7), np.float32)


def _figure(height: int, width: int, seed: int) -> tuple[Picture, Matte]:
    """A standing figure, roughly, in patterned cloth."""
    random = np.random.default_rng((seed, 12))
    alpha = np.zeros((height, width), np.float32)

    def disc(x: float, y: float, wide: float, high: float) -> None:
        centre, axes = (int(x * width), int(y * height)), (int(wide * width), int(high * height))
        cv2.ellipse(alpha, centre, axes, 0, 0, 360, (1.0,), -1, cv2.LINE_AA)

    disc(0.5, 0.13, 0.2, 0.1)
    disc(0.5, 0.42, 0.36, 0.22)
    disc(0.36, 0.76, 0.11, 0.22)
    disc(0.64, 0.76, 0.11, 0.22)
    alpha = np.asarray(cv2.GaussianBlur(alpha, (0, 0), max(0.8, 0.006 * width)), np.float32)
    cloth = _clouds((height, width), [cell for cell in (4, 16, 48) if cell < width], 0.4, random)
    colour = np.dstack([cloth * 0.35, cloth * 0.3, 0.1 + cloth * 0.8]).astype(np.float32)
    return colour, alpha
