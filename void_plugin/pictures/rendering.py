"""A `Show` made into bytes: the right channels, at the right size, through the display."""

import numpy as np
from numpy.typing import NDArray

from void_plugin.errors import FrameError
from void_plugin.frames import ImageSequence
from void_plugin.pictures.asks import Probe, Wish
from void_plugin.pictures.display import Bytes, Display
from void_plugin.pictures.reading import Absent, Frame, Pixels, fitted
from void_plugin.pictures.shelf import Shelf

DIFFERENCE_GAIN = 8.0
"""How much a difference is brightened, so that one of a code can be seen."""


class Renderer:
    """Makes pictures of frames; safe to use from many threads."""

    def __init__(self, display: Display, shelf: Shelf) -> None:
        self._display, self._shelf = display, shelf

    def render(self, ask: Wish) -> tuple[Bytes, Frame]:
        """The bytes (height, width, 4) of an ask, and the frame they come from.

        Raises Absent where there is no such file, FrameError where one cannot be read.
        """
        frame = self._shelf.frame(ask.pattern, ask.frame)
        try:
            return self._bytes(ask, frame), frame
        except FrameError as error:
            raise self._named(error, ask.pattern, ask.frame) from error

    def views(self) -> list[str]:
        """The views of the display, the default one first. Raises RequestError where OCIO has none."""
        return self._display.views()

    def probe(self, ask: Probe) -> dict[str, float]:
        """The values of a pixel by channel name; empty outside the display window."""
        frame = self._shelf.frame(ask.pattern, ask.frame)
        height, width = frame.size
        if not (0 <= ask.x < width and 0 <= ask.y < height):
            return {}
        values = frame.pixels[ask.y, ask.x]
        scale = 255.0 if frame.pixels.dtype == np.uint8 else 1.0
        return {name: float(value) / scale for name, value in zip(frame.names, values, strict=True)}

    def _bytes(self, ask: Wish, frame: Frame) -> Bytes:
        if ask.role == "data":
            return _grey(self._part(ask, frame.layer(ask.channels, True)))
        if ask.role == "plain" or frame.pixels.dtype == np.uint8:
            return _plain(self._part(ask, frame.layer(ask.channels, False)))
        if ask.role == "difference":
            return self._difference(ask, frame)
        pixels = self._part(ask, frame.layer(ask.channels, False))
        space = self._display.space_of(ask.look.colour, frame.tag)
        if ask.role == "merged":
            plate = self._shelf.frame(ask.other, ask.frame)
            space = self._display.space_of(ask.look.colour, plate.tag)
            if "A" in frame.names:
                below = self._part(ask, plate.layer((), False)).astype(np.float32)
                alpha = self._part(ask, frame.layer(("A",), True)).astype(np.float32)
                pixels = np.where(alpha > 0, pixels + below * (1 - alpha), below)
        return self._display.shown(_half(pixels), space, ask.look)

    def _difference(self, ask: Wish, frame: Frame) -> Bytes:
        """Brightened absolute difference, equal is black."""
        mine = self._part(ask, frame.layer((), False)).astype(np.float32)
        try:
            other = self._shelf.frame(ask.other, ask.frame)
        except Absent as error:
            raise FrameError(f"cannot be compared: {error} does not exist.") from error
        theirs = self._part(ask, other.layer((), False)).astype(np.float32)
        if mine.shape != theirs.shape:
            raise FrameError(f"cannot be compared: {ImageSequence(ask.other).path(ask.frame)} has another size.")
        if "A" in frame.names and frame.layer(("A",), True).min() < 1:  # a patch changes only what it covers
            alpha = self._part(ask, frame.layer(("A",), True)).astype(np.float32)
            mine = np.where(alpha > 0, mine + theirs * (1 - alpha), theirs)
        with np.errstate(invalid="ignore"):
            apart = np.nan_to_num(np.abs(mine - theirs), nan=1.0, posinf=1.0)
        gain = DIFFERENCE_GAIN * 2.0**ask.look.exposure
        return _plain((np.sqrt(np.clip(apart * gain, 0, 1)) * 255 + 0.5).astype(np.uint8))

    def _part(self, ask: Wish, pixels: Pixels) -> Pixels:
        return fitted(pixels, ask.region, ask.size, ask.draft)

    def _named(self, error: FrameError, pattern: str, frame: int) -> FrameError:
        return FrameError(f"Frame {frame} ({ImageSequence(pattern).path(frame)}) {error.message}", error.code)


def _half(pixels: Pixels) -> NDArray[np.float16]:
    if pixels.dtype == np.float16:
        return pixels
    return np.clip(pixels, -65504, 65504).astype(np.float16)


def _grey(pixels: Pixels) -> Bytes:
    scale = 1.0 if pixels.dtype == np.uint8 else 255.0
    with np.errstate(invalid="ignore"):
        values = np.nan_to_num(np.clip(pixels.astype(np.float32) * scale, 0, 255) + 0.5).astype(np.uint8)
    return _plain(np.repeat(values, 3, axis=2))


def _plain(pixels: Pixels) -> Bytes:
    out = np.full((*pixels.shape[:2], 4), 255, np.uint8)
    out[..., :3] = pixels
    return out
