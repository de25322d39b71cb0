"""The detail stage: a result at twice its size, tile by tile a little way back into noise and out again.

Each tile is of the size that VOID knows, and at every step overlapping ones agree on their mean, so that texture runs
on from tile to tile. What is where was settled by the passes, which saw the whole picture; whatever a sixteenth of
the resolution can show is put back to that afterwards (image.md 3.3).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from void_server.engines import Picture
from void_server.engines.void.options import DETAIL_FACTOR
from void_server.engines.void.pipeline import Clip
from void_server.engines.void.seen import Pictures
from void_server.engines.void.tiling import latent_box, tile_weights

LOW_BAND = 16
"""The low band is what a picture of a 16th of the size can show (image.md 3.3)."""


def enlarged(picture: Picture) -> Picture:
    """A picture in 0..1 at twice its size, bicubic."""
    height, width = picture.shape[:2]
    size = width * DETAIL_FACTOR, height * DETAIL_FACTOR
    return np.clip(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC), 0, 1)


def noised(clean: torch.Tensor, noise: torch.Tensor, scheduler: Any, step: int) -> torch.Tensor:
    """Clean latents made as noisy as those before a step, counted from 0; the scheduler's steps are set."""
    found: torch.Tensor = scheduler.add_noise(clean, noise, scheduler.timesteps[step : step + 1])
    return found


def decoded(clip: Clip, latents: torch.Tensor, result: Pictures, each: Callable[[int, int], None]) -> Pictures:
    """Frames (T, 2H, 2W, 3) in 0..1 of the latents of a clip with tiles, over a result (T, H, W, 3) of the passes.

    Tiles are decoded alone and mixed; those in which nothing was run show the result. `each` is called with the
    pieces decoded so far and their number.
    """
    many, active = len(clip.tiles), clip.active
    order = [box for index, box in enumerate(clip.tiles) if any(active[index::many])]
    height, width = (side * DETAIL_FACTOR for side in result.shape[1:3])
    pictures = np.zeros((len(result), height, width, 3), np.float32)
    shares = np.zeros((2, height, width, 1), np.float32)
    for index, box in enumerate(order):
        weight, here = tile_weights(box.size)[..., None], latent_box(box)
        tile = clip.decode(latents[..., here.rows, here.columns], partial(_piece, each, index, len(order)))
        pictures[:, box.rows, box.columns] += tile[: len(result)].numpy() * weight
        shares[0, box.rows, box.columns] += weight
    for box in clip.tiles:
        shares[1, box.rows, box.columns] += tile_weights(box.size)[..., None]
    made, whole = shares
    for picture, coarse in zip(pictures, result, strict=True):
        base = enlarged(coarse)
        picture[:] = np.clip(with_low_band((picture + base * (whole - made)) / whole, base), 0, 1)
    return pictures


def with_low_band(picture: Picture, other: Picture) -> Picture:
    """A picture with its low band replaced by another's; sides are even."""
    return picture + low_band(other - picture)


def low_band(picture: Picture) -> Picture:
    """The low band of a picture with even sides: its cosines below a 16th of the highest frequency, and no others.

    A projection, so that the low band of what `with_low_band` gives is exactly the other's; cosines, so that the
    picture does not go on from its left edge at its right.
    """
    return np.stack([_low_band(picture[..., channel]) for channel in range(picture.shape[-1])], axis=-1)


def _low_band(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    waves = cv2.dct(np.ascontiguousarray(plane, np.float32))
    height, width = (-(-side // LOW_BAND) for side in plane.shape)
    waves[height:], waves[:, width:] = 0, 0
    return np.asarray(cv2.idct(waves), np.float32)


def _piece(each: Callable[[int, int], None], tile: int, tiles: int, done: int, count: int) -> None:
    each(tile * count + done, tiles * count)
