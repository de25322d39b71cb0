"""One source frame laid over a target: resampled once, with residual flow where a homography is not enough."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from void_server.engines import Frames, Mask, Picture
from void_server.engines.recover.flow import residual_flow
from void_server.engines.recover.motion import Bytes, Homography, Track, moved
from void_server.engines.recover.pixels import put
from void_server.engines.recover.planes import Layers
from void_server.engines.recover.pyramid import Floats, enlarge
from void_server.engines.recover.shot import Shot
from void_server.engines.recover.tone import encode
from void_server.tiles import Box, box_of

BORDER = 5
"""Plate pixels around a crop for the reach of the widest kernel (four) and rounding."""


@dataclass(frozen=True)
class Sample:
    """A source as seen from a target, on the pixels of a box."""

    position: int
    colour: Picture
    """Encoded."""
    seen: Mask
    """Where the source really shows the place."""
    error: Floats
    """Levels of 255 by which the source misses the surroundings, continued into the hole; (1, 1) if constant."""


NO_ERROR = np.zeros((1, 1), np.float32)


def proxy_box(shot: Shot, box: Box) -> Box:
    """The proxy pixels that cover a box of plate pixels."""
    rows, columns = shot.proxy_size
    factor = shot.factor
    return Box(box.x0 // factor, box.y0 // factor, min(columns, -(-box.x1 // factor)), min(rows, -(-box.y1 // factor)))


def sample(shot: Shot, frames: Frames, target: int, source: int, track: Track, layers: Layers | None,
           chosen: Bytes | None, box: Box, context: Box, sharp: bool) -> Sample:  # fmt: skip
    """The source on a box of the target; flow is judged on the wider proxy box `context`.

    `sharp` keeps more of the source's grain, at twice the cost of resampling.
    """
    if layers is not None and chosen is not None and source in layers.motions:
        return _sample_layers(shot, frames, source, layers, chosen, box, sharp)
    if track.still:
        whole = frames.plate(shot.numbers[source], box)
        return Sample(source, encode(whole, shot.knee), frames.usable(shot.numbers[source], box), NO_ERROR)
    flow, error = residual_flow(shot, target, source, track.homography, context)
    if flow is None:
        colour, seen = _warp(shot, frames, source, track.homography, box, sharp)
    else:
        colour, seen = _warp_along(shot, frames, source, track.homography, flow, box, context, sharp)
    return Sample(source, colour, seen, _onto_plate(shot, error, box, context))


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
        there, shown = _warp(shot, frames, source, motion, place, sharp)
        covered = _onto_plate(shot, layers.hidden[source][plane].astype(np.float32), place, layers.box) > 0.5
        inside = here[part.rows, part.columns]
        put(colour[part.rows, part.columns], there, inside)
        seen[part.rows, part.columns] |= inside & shown & ~covered
    return Sample(source, colour, seen, NO_ERROR)


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


def _source_crop(shot: Shot, x0: float, y0: float, x1: float, y1: float) -> Box:
    height, width = shot.size
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


def _warp(shot: Shot, frames: Frames, source: int, homography: Homography, box: Box, sharp: bool,
          clean: bool = False) -> tuple[Picture, Mask]:  # fmt: skip
    plate = shot.to_plate(homography)
    corners = np.array([[[box.x0, box.y0]], [[box.x1, box.y0]], [[box.x1, box.y1]], [[box.x0, box.y1]]], np.float32)
    reach = moved(corners, plate)[:, 0]
    crop = _source_crop(shot, *(float(v) for v in (*reach.min(axis=0), *reach.max(axis=0))))
    colour, clear = _crop(shot, frames, source, crop, clean)
    picture, kinds = lay(colour, clear, crop, plate, box, sharp)
    return picture, kinds > 0


def lay(colour: Picture, kinds: Bytes, crop: Box, plate: Homography, box: Box,
        sharp: bool = False) -> tuple[Picture, Bytes]:  # fmt: skip
    """A crop of a source on a box of the target, by a motion in plate pixels from target to source.

    `kinds` go along to the nearest pixel; 0 outside the crop.
    """
    into = np.array([[1, 0, -crop.x0], [0, 1, -crop.y0], [0, 0, 1.0]])
    place = into @ plate @ np.array([[1, 0, box.x0], [0, 1, box.y0], [0, 0, 1.0]])
    size = box.width, box.height
    picture = cv2.warpPerspective(
        colour, place, size, flags=_kernel(sharp) | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    laid = cv2.warpPerspective(kinds, place, size, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)
    return np.asarray(picture, np.float32), np.asarray(laid, np.uint8)


def _kernel(sharp: bool) -> int:
    # Lanczos keeps a quarter more of the finest grain than cubic; a mean has no use for it.
    return cv2.INTER_LANCZOS4 if sharp else cv2.INTER_CUBIC


def sample_clean_plate(shot: Shot, frames: Frames, source: int, track: Track, box: Box) -> Sample:
    """An artist's clean plate of another frame, on a box of the target."""
    colour, seen = _warp(shot, frames, source, track.homography, box, sharp=True, clean=True)
    return Sample(source, colour, seen, NO_ERROR)


def _warp_along(
    shot: Shot, frames: Frames, source: int, homography: Homography, flow: Floats, box: Box, context: Box,
    sharp: bool,
) -> tuple[Picture, Mask]:  # fmt: skip
    x, y = np.meshgrid(
        np.arange(context.x0, context.x1, dtype=np.float32), np.arange(context.y0, context.y1, dtype=np.float32)
    )
    grid = np.dstack([x, y])
    place = moved((grid + flow).reshape(-1, 1, 2), homography).reshape(grid.shape)
    # Displacements rather than places are enlarged: beyond the last proxy centre they continue flat.
    maps = shot.factor * _onto_plate(shot, place - grid, box, context)
    maps[..., 0] += np.arange(box.x0, box.x1, dtype=np.float32)
    maps[..., 1] += np.arange(box.y0, box.y1, dtype=np.float32)[:, None]
    crop = _source_crop(
        shot, float(maps[..., 0].min()), float(maps[..., 1].min()), float(maps[..., 0].max()), float(maps[..., 1].max())
    )
    colour, clear = _crop(shot, frames, source, crop)
    maps -= np.array([crop.x0, crop.y0], np.float32)
    picture = cv2.remap(colour, maps, None, _kernel(sharp), borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
    seen = cv2.remap(clear, maps, None, cv2.INTER_NEAREST)  # type: ignore[call-overload]
    return np.asarray(picture, np.float32), np.asarray(seen) > 0
