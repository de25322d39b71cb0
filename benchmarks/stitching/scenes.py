"""Scenes whose truth is known down to the grain, for judging how a generated picture is put back into a plate.

An ellipse of cloth stands or moves in front of a photograph (or a procedural wall where the photograph is not there)
and casts a soft shadow; it is the scene of image.md 3.1 with other cameras, light and places. All numbers of a scene
are in pixels of a frame 1920 wide and shrink or grow with it. A scene gives any frame by itself, the same every time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from void_server import scenes as sets
from void_server.curves import srgb_decode
from void_server.scenes import FIRST_FRAME

Picture = NDArray[np.float32]
"""(height, width, 3), scene-linear."""
Matte = NDArray[np.float32]
"""(height, width), 0..1."""

PHOTO = Path("shared", "data", "photo", "tahoe-gps.jpg")
"""Beside the repository; a forest against the sky, 2048x1536."""
GRAIN = (2e-5, 1.5e-4)
"""Variance of the grain is GRAIN[0] + GRAIN[1] * light (image.md 3.1)."""
GRAIN_SOFTNESS = 0.6
"""Gaussian sigma of the grain in pixels."""
GRAIN_STREAM, OTHER_GRAIN = 2, 5
"""Which random numbers are the grain of plate and truth, and which another grain."""
SHADOW_DEPTH = 0.55
"""Share of light that the shadow takes away."""
SHADOW_EDGE = 0.02
"""Shadow above this counts as affected."""
DOT_SPACE = 22
"""Pixels, whatever the size of the frame, that a dot of three has to itself on each side."""
LAMP_RADIUS = 16.0
"""Gaussian sigma of a practical light; its core is flat at the peak."""


def _photo() -> Path:
    return Path(__file__).resolve().parents[3] / PHOTO


def has_photo() -> bool:
    """Whether the photograph is where it should be."""
    return _photo().exists()


@dataclass(frozen=True)
class SceneFrame:
    """One frame, all light scene-linear."""

    number: int
    plate: Picture
    truth: Picture
    """The set without object and shadow, with the very grain of this frame."""
    clean: Picture
    """The same without grain."""
    regrained: Picture
    """The same with grain of its own, as strong: what even a perfect result differs by."""
    object_matte: Matte
    affected_matte: Matte


@dataclass(frozen=True)
class Scene:
    """A shot of `count` frames of (height, width) `size`; equal fields give equal frames."""

    name: str
    size: tuple[int, int] = (720, 1280)
    count: int = 5
    seed: int = 7
    background: Literal["photo", "wall", "dots"] = "photo"
    """A photograph, a wall of the seed, or small hard dots on a soft one, the same for every seed."""
    light: float = 1.0
    """Factor on the whole set."""
    camera: Literal["locked", "pan", "handheld"] = "pan"
    pan: float = 2.5
    """Pixels a frame of the pan."""
    centre: tuple[float, float] = (760, 640)
    radii: tuple[float, float] = (120, 208)
    """Half axes of the object; 0 makes the matte cover the whole frame."""
    step: tuple[float, float] = (14, 0)
    """How far the object moves a frame."""
    shadow: bool = True
    grain: float = 1.0
    """Factor on the deviation of the grain."""
    lamp: float = 0.0
    """Peak of practical lights that straddle the edge of the object; 0 for none."""
    falls: bool = False
    """True where a ball beside the object falls once the object is gone: an area that must change."""
    judged: bool = True
    """False where nothing around the hole says how it should be, so that no method can do better than another."""

    @property
    def unit(self) -> float:
        """Pixels of this frame to one at 1920 wide."""
        return self.size[1] / 1920

    @property
    def numbers(self) -> tuple[int, ...]:
        return tuple(range(FIRST_FRAME, FIRST_FRAME + self.count))

    @property
    def peak(self) -> float:
        """The brightest the set gets."""
        return max(self.lamp, 1.0)

    def frame(self, number: int) -> SceneFrame:
        """One frame by its number."""
        index = number - FIRST_FRAME
        clean = self._set(index)
        matte, shadow = self._object(index), self._shadow(index)
        affected = np.clip(50 * shadow, 0, 1)  # as an artist would draw it: all of the shadow, softly ended
        lit = clean
        if self.falls:
            held, fallen = self._ball(0), self._ball(index)
            lit = _over(clean, held)
            clean = _over(clean, fallen)
            affected = np.maximum(affected, self._fall_area())
        lit = lit * (1 - np.float32(SHADOW_DEPTH) * shadow)[..., None]
        plate = lit * (1 - matte)[..., None] + self._cloth * matte[..., None]
        # The same draws for plate and truth: outside the mattes the two agree to the bit.
        draws = self._grain(index) * np.float32(self.grain)
        other = _grained(clean, self._grain(index, OTHER_GRAIN) * np.float32(self.grain))
        return SceneFrame(number, _grained(plate, draws), _grained(clean, draws), clean, other, matte, affected)

    def revealed(self) -> float:
        """The share of the object's pixels whose background another frame shows, the camera taken out."""
        frames = [self._object(index) > 0 for index in range(self.count)]
        shifts = [round(self._shift(index)[0] - self._shift(0)[0]) for index in range(self.count)]
        seen = covered = 0
        for hole, shift in zip(frames, shifts, strict=True):
            hidden = hole.copy()
            for other, moved in zip(frames, shifts, strict=True):
                # World column x + shift; what left the frame of the other is not seen there either.
                there = np.ones_like(hole)
                by = shift - moved
                source = other[:, max(0, by) : other.shape[1] + min(0, by)]
                there[:, max(0, -by) : max(0, -by) + source.shape[1]] = source
                hidden &= there
            covered, seen = covered + int(hole.sum()), seen + int(hole.sum() - hidden.sum())
        return seen / max(1, covered)

    # -- the set -------------------------------------------------------------------------------------------------

    @cached_property
    def _world(self) -> Picture:
        picture = cv2.imread(str(_photo())) if self.background == "photo" and has_photo() else None
        if picture is not None:
            light = srgb_decode(np.asarray(picture[..., ::-1], np.float32) / 255)
        elif self.background == "dots":
            light = _dotted(self._world_size)
        else:
            size = round(self.size[0] * 1.4), round(self.size[1] * 1.3)
            light = np.minimum(sets.Scene("static", size, 1, self.seed).frame(FIRST_FRAME).truth, 1)
        world = (light * self.light).astype(np.float32)
        return self._with_lamps(world) if self.lamp else world

    def _with_lamps(self, world: Picture) -> Picture:
        x0, y0 = self._shift(0)
        y, x = np.mgrid[0 : world.shape[0], 0 : world.shape[1]].astype(np.float32)
        for across, down in ((-1.0, -0.1), (1.12, -0.45)):
            lamp_x = x0 + (self.centre[0] + across * self.radii[0]) * self.unit
            lamp_y = y0 + (self.centre[1] + down * self.radii[1]) * self.unit
            glow = np.exp(-((x - lamp_x) ** 2 + (y - lamp_y) ** 2) / (2 * (LAMP_RADIUS * self.unit) ** 2))
            world = world + (self.lamp * np.minimum(1.6 * glow, 1))[..., None] * np.array([1, 0.8, 0.55], np.float32)
        return np.asarray(np.minimum(world, self.lamp), np.float32)

    def _shift(self, index: int) -> tuple[float, float]:
        """Where the frame's top left lies in the world."""
        room_x, room_y = self._room
        # A smaller frame looks at the same place of the set: the shadow lies on the ground, not on the sky.
        x = min(20.0 + (1 - self.unit) * self.centre[0], room_x)
        y = min(150.0 + (1 - self.unit) * self.centre[1], room_y)
        if self.camera == "pan":
            x += self.pan * self.unit * index
        elif self.camera == "handheld":
            x += 40 + 9 * math.sin(0.9 * index) * self.unit
            y += 5 * math.sin(1.3 * index + 1) * self.unit
        return x, y

    @property
    def _room(self) -> tuple[float, float]:
        return self._world_size[1] - self.size[1] - 1.0, self._world_size[0] - self.size[0] - 1.0

    @cached_property
    def _world_size(self) -> tuple[int, int]:
        return (1536, 2048) if self.background == "photo" else (round(self.size[0] * 1.4), round(self.size[1] * 1.3))

    def _set(self, index: int) -> Picture:
        x, y = self._shift(index)
        angle = 0.006 * math.sin(0.7 * index) if self.camera == "handheld" else 0.0
        cos, sin = math.cos(angle), math.sin(angle)
        middle_x, middle_y = self.size[1] / 2, self.size[0] / 2
        motion = np.array(
            [
                [cos, -sin, x + middle_x - cos * middle_x + sin * middle_y],
                [sin, cos, y + middle_y - sin * middle_x - cos * middle_y],
            ]
        )
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        size = self.size[1], self.size[0]
        return np.asarray(
            cv2.warpAffine(self._world, motion, size, flags=flags, borderMode=cv2.BORDER_REPLICATE), np.float32
        )

    # -- what stands in it ---------------------------------------------------------------------------------------

    @cached_property
    def _cloth(self) -> Picture:
        noise = np.random.default_rng((self.seed, 1)).standard_normal((*self.size, 3), np.float32)
        texture = np.asarray(cv2.GaussianBlur(noise, (0, 0), 3.0)) * 2 + np.float32(0.3)
        return np.asarray(np.clip(texture, 0.02, 1.5) * np.array([0.5, 0.2, 0.12], np.float32) * self.light, np.float32)

    def place(self, index: int) -> tuple[float, float]:
        """Centre (x, y) of the object, in pixels of this frame."""
        x, y = self.centre[0] + self.step[0] * index, self.centre[1] + self.step[1] * index
        return x * self.unit, y * self.unit

    def _object(self, index: int) -> Matte:
        if not self.radii[0]:
            return np.ones(self.size, np.float32)
        distance = self._distance(self.place(index), self.radii)
        return _ramped(1 - distance, 40)

    def _shadow(self, index: int) -> Matte:
        if not self.shadow:
            return np.zeros(self.size, np.float32)
        x, y = self.place(index)
        wide, high = self.radii[0] * 2.2, self.radii[1] * 0.27
        distance = self._distance((x + 0.6 * self.radii[0] * self.unit, y + self.radii[1] * self.unit), (wide, high))
        return np.asarray(np.clip((1 - distance) * 3, 0, 1), np.float32)

    def _ball(self, index: int) -> Matte:
        """Held beside the object on the first frame, lower by the square of time on each after."""
        x, y = self.place(0)
        fallen = 12.0 * index * index * self.unit
        centre = x + 1.5 * self.radii[0] * self.unit, min(y - 60 * self.unit + fallen, y + 200 * self.unit)
        return _ramped(1 - self._distance(centre, (60, 60)), 20)

    def _fall_area(self) -> Matte:
        area = np.zeros(self.size, np.float32)
        x, y = self.place(0)
        left, right = (round(x + (1.5 * self.radii[0] + side) * self.unit) for side in (-90, 90))
        top, bottom = round(y - 150 * self.unit), round(y + 290 * self.unit)
        area[max(0, top) : bottom, left:right] = 1
        return area

    def _distance(self, centre: tuple[float, float], radii: tuple[float, float]) -> Matte:
        y, x = np.mgrid[0 : self.size[0], 0 : self.size[1]].astype(np.float32)
        across, down = (x - centre[0]) / (radii[0] * self.unit), (y - centre[1]) / (radii[1] * self.unit)
        return np.asarray(np.hypot(across, down), np.float32)

    def _grain(self, index: int, stream: int = GRAIN_STREAM) -> Picture:
        draws = np.random.default_rng((self.seed, stream, index)).standard_normal((*self.size, 3), np.float32)
        soft = np.asarray(cv2.GaussianBlur(draws, (0, 0), GRAIN_SOFTNESS), np.float32)
        return np.asarray(soft / soft.std(), np.float32)


def _dotted(size: tuple[int, int]) -> Picture:
    """What a filter can tell from grain and yet hardly get close to: hard dots, on light that changes slowly."""
    random = np.random.default_rng(1)
    cells = random.random((size[0] // DOT_SPACE + 1, size[1] // DOT_SPACE + 1, 3), np.float32)
    light = 0.3 + 0.25 * cv2.resize(cells, size[::-1], interpolation=cv2.INTER_CUBIC)
    for y, x in random.integers(0, size, (size[0] * size[1] // DOT_SPACE**2, 2)):
        light[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2] *= 1.8
    return np.asarray(light, np.float32)


def _ramped(depth: Matte, slope: float) -> Matte:
    """An antialiased edge where a depth crosses 0."""
    return np.asarray(np.clip(depth * slope + 0.5, 0, 1), np.float32)


def _grained(light: Picture, draws: Picture) -> Picture:
    deviation = np.sqrt(np.float32(GRAIN[0]) + np.float32(GRAIN[1]) * np.maximum(light, 0))
    return np.asarray(light + draws * deviation, np.float32)


def _over(light: Picture, alpha: Matte) -> Picture:
    return np.asarray(
        light * (1 - alpha)[..., None] + np.array([0.7, 0.6, 0.1], np.float32) * alpha[..., None], np.float32
    )


REVEALED: Mapping[str, Any] = {"count": 12, "radii": (200, 300), "shadow": False, "grain": 0.5}
"""Where real pixels are to win by 6 dB that much must be possible. What is never seen stays the stand-in's: with 80 %
seen and nothing else wrong at all 7 dB would be the most, and with the full grain the mean of the frames that show a
pixel is hardly 6 dB better than the stand-in. Here 93 % is seen, and 8 dB are there to be had."""

SCENES: tuple[Scene, ...] = (
    Scene("pan", (1080, 1920), 6, radii=(150, 260)),
    Scene("locked", camera="locked", centre=(1100, 620), step=(9, 2)),
    Scene("handheld", camera="handheld", centre=(640, 600), step=(-11, 3)),
    Scene("wall", background="wall", camera="handheld", centre=(980, 560)),
    Scene("hdr", lamp=40.0, centre=(900, 600), step=(4, 0)),
    Scene("dark", light=0.05, grain=0.25, camera="locked"),
    Scene("edge", centre=(40, 600), step=(6, 0)),
    Scene("full", radii=(0, 0), shadow=False, judged=False),
    Scene("never", camera="locked", step=(0, 0)),
    Scene("revealed", camera="locked", centre=(700, 600), step=(31.8, 0), **REVEALED),
    Scene("revealed_pan", pan=31.8, centre=(960, 600), step=(0, 0), **REVEALED),
    Scene("falls", camera="locked", centre=(900, 560), step=(-60, 0), shadow=False, falls=True),
)
"""By default 1280x720 and five frames; `pan` is the scene of image.md 3.1 at its own size."""
HYBRID = ("never", "revealed", "revealed_pan", "falls")
"""Scenes that say where real pixels of other frames help and where they must not be taken."""


def scene(name: str, seed: int = 7, size: tuple[int, int] | None = None, count: int = 0) -> Scene:
    """A scene by name, at another seed, size or number of frames. Raises KeyError for a name that is none."""
    found = {item.name: item for item in SCENES}[name]
    return replace(found, seed=seed, size=size or found.size, count=count or found.count)
