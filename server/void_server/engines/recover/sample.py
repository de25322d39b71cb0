"""One source laid over a target, with residual flow where a homography is not enough.

All of it is resampled well enough to be compared or averaged. Pixels that are taken as they are, with their grain, are
resampled from the source once more, with the kernel that keeps it and takes seven times as long.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from void_server.engines import Frames, Mask, Picture
from void_server.engines.recover.flow import residual_flow
from void_server.engines.recover.motion import Bytes, Homography, Track, moved
from void_server.engines.recover.pixels import put
from void_server.engines.recover.planes import Layers
from void_server.engines.recover.pyramid import Floats, enlarge
from void_server.engines.recover.shot import INVENTED, KeyFill, Shot
from void_server.engines.recover.tone import encode
from void_server.tiles import Box, box_of

BORDER = 5
"""Plate pixels around a crop for the reach of the widest kernel (four) and rounding."""

ROW = 1024
"""Pixels that are asked for one by one go to OpenCV in rows of so many: it takes no longer ones than 32766."""

Picked = NDArray[np.int64]
"""Flat indices of pixels in a box."""


@dataclass(frozen=True)
class Light:
    """What is done to a sample's light to match it."""

    gains: Floats
    """(3,): factors in linear light."""
    field: Floats
    """Encoded, in cells that are enlarged to the box; added after that."""


@dataclass(frozen=True)
class Sample:
    """A source as seen from a target, on the pixels of a box."""

    position: int
    colour: Picture
    """Encoded; with `finely` its finest grain is weaker than the source's."""
    seen: Mask
    """Where the source really shows the place."""
    error: Floats
    """Levels of 255 by which the source misses the surroundings, continued into the hole; (1, 1) if constant."""
    finely: Callable[[Picked], Floats] | None = None
    """Gives some pixels with their grain, (n, 3), encoded, in the light of the source; None where `colour` has it."""
    light: Light | None = None
    """What has been done to the light of `colour`; None for nothing."""


NO_ERROR = np.zeros((1, 1), np.float32)


def proxy_box(shot: Shot, box: Box) -> Box:
    """The proxy pixels that cover a box of plate pixels."""
    rows, columns = shot.proxy_size
    factor = shot.factor
    return Box(box.x0 // factor, box.y0 // factor, min(columns, -(-box.x1 // factor)), min(rows, -(-box.y1 // factor)))


def sample(shot: Shot, frames: Frames, target: int, source: int, track: Track, layers: Layers | None,
           chosen: Bytes | None, box: Box, context: Box, sharp: bool) -> Sample:  # fmt: skip
    """The source on a box of the target; flow is judged on the wider proxy box `context`.

    `sharp` promises the pixels that are taken with all of the grain that resampling can keep.
    """
    if layers is not None and chosen is not None and source in layers.motions:
        return _sample_layers(shot, frames, source, layers, chosen, box, sharp)
    if track.still:
        whole = frames.plate(shot.numbers[source], box)
        return Sample(source, encode(whole, shot.knee), frames.usable(shot.numbers[source], box), NO_ERROR)
    flow, error = residual_flow(shot, target, source, track.homography, context)
    if flow is None:
        colour, seen = _warp(shot, frames, source, track.homography, box)

        def places(picked: Picked) -> NDArray[np.float64]:
            return _led(shot, track.homography, box, picked)
    else:
        maps = _along(shot, track.homography, flow, box, context)
        colour, seen = _remapped(shot, frames, source, maps)

        def places(picked: Picked) -> NDArray[np.float64]:
            return maps.reshape(-1, 2).take(picked, axis=0).astype(np.float64)

    def finely(picked: Picked) -> Floats:
        return _finest(shot, frames, source, places(picked))

    return Sample(source, colour, seen, _onto_plate(shot, error, box, context), finely if sharp else None)


def _sample_layers(
    shot: Shot, frames: Frames, source: int, layers: Layers, chosen: Bytes, box: Box, sharp: bool
) -> Sample:  # fmt: skip
    colour = np.zeros((*box.size, 3), np.float32)
    seen = np.zeros(box.size, bool)
    for plane, motion in enumerate(layers.motions[source]):
        here = chosen == plane
        part = box_of(here)
        if motion is None or part is None:
            continue
        place = part.moved(box.x0, box.y0)
        there, shown = _warp(shot, frames, source, motion, place)
        covered = _onto_plate(shot, layers.hidden[source][plane].astype(np.float32), place, layers.box) > 0.5
        inside = here[part.rows, part.columns]
        put(colour[part.rows, part.columns], there, inside)
        seen[part.rows, part.columns] |= inside & shown & ~covered

    def finely(picked: Picked) -> Floats:
        found = np.zeros((len(picked), 3), np.float32)
        plane_of = chosen.ravel().take(picked)
        for plane, motion in enumerate(layers.motions[source]):
            mine = np.flatnonzero(plane_of == plane)
            if motion is not None and mine.size:
                found[mine] = _finest(shot, frames, source, _led(shot, motion, box, picked[mine]))
        return found

    return Sample(source, colour, seen, NO_ERROR, finely if sharp else None)


def choose_planes(shot: Shot, layers: Layers, box: Box) -> Bytes:
    """The plane of each plate pixel; interpolated scores put the border between proxy pixels."""
    best = _onto_plate(shot, layers.scores[0], box, layers.box).copy()
    chosen = np.zeros(box.size, np.uint8)
    for plane in range(1, layers.count):
        score = _onto_plate(shot, layers.scores[plane], box, layers.box)
        chosen[score < best] = plane
        np.minimum(best, score, out=best)
    return chosen


def _onto_plate(shot: Shot, field: Floats, box: Box, context: Box) -> Floats:
    """A map on proxy pixels, interpolated onto the plate pixels of a box."""
    if field.shape == (1, 1):
        return field
    factor = shot.factor
    # Only what lies under the box is enlarged, and a proxy pixel more for the interpolation at its rim.
    near = proxy_box(shot, box).grown(1).within(context) or context
    part = near.moved(-context.x0, -context.y0)
    wide = enlarge(field[part.rows, part.columns], (near.height * factor, near.width * factor))
    top, left = box.y0 - near.y0 * factor, box.x0 - near.x0 * factor
    return wide[top : top + box.height, left : left + box.width]


def _source_crop(shot: Shot, places: NDArray[np.floating[Any]]) -> Box:
    """What of a source's plate is looked at for some places, (…, 2) as x and y."""
    height, width = shot.size
    x, y = places[..., 0], places[..., 1]
    x0, y0, x1, y1 = float(x.min()), float(y.min()), float(x.max()), float(y.max())
    # A box wholly outside the source still needs one pixel to read; nothing of it will count as seen.
    left, top = int(np.clip(np.floor(x0) - BORDER, 0, width - 1)), int(np.clip(np.floor(y0) - BORDER, 0, height - 1))
    right = int(np.clip(np.ceil(x1) + BORDER + 1, left + 1, width))
    bottom = int(np.clip(np.ceil(y1) + BORDER + 1, top + 1, height))
    return Box(left, top, right, bottom)


def _crop(shot: Shot, frames: Frames, source: int, crop: Box, clean: bool = False) -> tuple[Picture, Bytes]:
    number = shot.numbers[source]
    if clean:
        picture = frames.clean_plate(number, crop)
        if picture is not None:
            return encode(picture, shot.knee), np.ones(crop.size, np.uint8)
    # One pixel inwards: the strong taps of the kernel must not reach the object.
    clear = cv2.erode(frames.usable(number, crop).astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=(1,))
    return encode(frames.plate(number, crop), shot.knee), np.asarray(clear, np.uint8)


def _warp(shot: Shot, frames: Frames, source: int, homography: Homography, box: Box,
          clean: bool = False) -> tuple[Picture, Mask]:  # fmt: skip
    plate = shot.to_plate(homography)
    corners = np.array([[[box.x0, box.y0]], [[box.x1, box.y0]], [[box.x1, box.y1]], [[box.x0, box.y1]]], np.float32)
    crop = _source_crop(shot, moved(corners, plate))
    colour, clear = _crop(shot, frames, source, crop, clean)
    picture, kinds = _lay(colour, clear, crop, plate, box)
    return picture, kinds > 0


def _lay(colour: Picture, kinds: Bytes, crop: Box, plate: Homography, box: Box) -> tuple[Picture, Bytes]:
    """A crop of a source on a box of the target, by a motion in plate pixels from target to source.

    `kinds` go along to the nearest pixel; 0 outside the crop.
    """
    into = np.array([[1, 0, -crop.x0], [0, 1, -crop.y0], [0, 0, 1.0]])
    place = into @ plate @ np.array([[1, 0, box.x0], [0, 1, box.y0], [0, 0, 1.0]])
    size = box.width, box.height
    picture = cv2.warpPerspective(
        colour, place, size, flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    laid = cv2.warpPerspective(kinds, place, size, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)
    return np.asarray(picture, np.float32), np.asarray(laid, np.uint8)


def sample_clean_plate(shot: Shot, frames: Frames, source: int, track: Track, box: Box) -> Sample:
    """An artist's clean plate of another frame, on a box of the target."""
    colour, seen = _warp(shot, frames, source, track.homography, box, clean=True)

    def finely(picked: Picked) -> Floats:
        return _finest(shot, frames, source, _led(shot, track.homography, box, picked), clean=True)

    return Sample(source, colour, seen, NO_ERROR, finely)


def sample_key(shot: Shot, key: KeyFill, track: Track, box: Box) -> tuple[Sample, Mask]:
    """What was invented in a key frame, and the plate around it, on a box of the target; and where it is invented."""
    colour, kinds = _lay(key.pixels, key.kinds, key.box, shot.to_plate(track.homography), box)

    def finely(picked: Picked) -> Floats:
        return _at(key.pixels, key.box, _led(shot, track.homography, box, picked))

    return Sample(key.position, colour, kinds > 0, NO_ERROR, finely), kinds == INVENTED


def _along(shot: Shot, homography: Homography, flow: Floats, box: Box, context: Box) -> Floats:
    """Where each pixel of a box lies in the plate of the source, (height, width, 2) as x and y."""
    x, y = np.meshgrid(
        np.arange(context.x0, context.x1, dtype=np.float32), np.arange(context.y0, context.y1, dtype=np.float32)
    )
    grid = np.dstack([x, y])
    place = moved((grid + flow).reshape(-1, 1, 2), homography).reshape(grid.shape)
    # Displacements rather than places are enlarged: beyond the last proxy centre they continue flat.
    maps = shot.factor * _onto_plate(shot, place - grid, box, context)
    maps[..., 0] += np.arange(box.x0, box.x1, dtype=np.float32)
    maps[..., 1] += np.arange(box.y0, box.y1, dtype=np.float32)[:, None]
    return maps


def _remapped(shot: Shot, frames: Frames, source: int, maps: Floats) -> tuple[Picture, Mask]:
    crop = _source_crop(shot, maps)
    colour, clear = _crop(shot, frames, source, crop)
    here = maps - np.array([crop.x0, crop.y0], np.float32)
    picture = cv2.remap(colour, here, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
    seen = cv2.remap(clear, here, None, cv2.INTER_NEAREST)  # type: ignore[call-overload]
    return np.asarray(picture, np.float32), np.asarray(seen) > 0


def _led(shot: Shot, homography: Homography, box: Box, picked: Picked) -> NDArray[np.float64]:
    """Where some pixels of a box lie in the plate of the source, (n, 2) as x and y."""
    y, x = np.divmod(picked, box.width)
    points = np.stack([x + box.x0, y + box.y0], axis=-1).astype(np.float64)
    return np.asarray(cv2.perspectiveTransform(points[:, None], shot.to_plate(homography))[:, 0], np.float64)


def _finest(shot: Shot, frames: Frames, source: int, places: NDArray[np.float64], clean: bool = False) -> Floats:
    """The source, or its clean plate, at some places."""
    crop = _source_crop(shot, places)
    return _at(_crop(shot, frames, source, crop, clean)[0], crop, places)


def _at(colour: Picture, crop: Box, places: NDArray[np.float64]) -> Floats:
    """A crop at some places, (n, 3): Lanczos keeps a quarter more of the finest grain than the cubic kernel."""
    here = np.zeros((-(-len(places) // ROW) * ROW, 2), np.float32)
    here[: len(places)] = places - (crop.x0, crop.y0)
    maps = here.reshape(-1, ROW, 2)
    found = cv2.remap(colour, maps, None, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
    return np.asarray(found, np.float32).reshape(-1, 3)[: len(places)]
