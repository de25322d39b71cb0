"""Scene-linear plate values to the encoding an engine sees, and back, exactly.

The default encoding `srgb_knee` is the sRGB curve up to code 0.8 and a logarithmic shoulder from there to the
shot's peak M at code 1 (image.md 2.4): a model trained on ordinary video sees ordinary mid-tones, and highlights
come back. Encoded engines work in AP1 primaries, where real surfaces are never negative. OpenColorIO makes the
conversions between colour spaces, one processor a job.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import PyOpenColorIO as ocio

from void_plugin.config import PINNED_CONFIG
from void_plugin.errors import RequestError
from void_server.curves import BLOCK, Curve, Knee, Pixels, Srgb

WORKING_SPACE = "ACEScg"
PEAKS = (4.0, 16.0, 64.0, 256.0, 4096.0)
"""Peaks M that a shot can have: a few fixed ones, so that a frame more rarely changes the curve."""

# Chromaticities of the primaries and white that a file can carry, with the linear space they mean (SMPTE RP 431,
# ITU-R BT.709 and BT.2020, SMPTE ST 2065-1, ACES S-2014-004).
CHROMATICITIES: Mapping[str, tuple[float, ...]] = {
    "Linear Rec.709 (sRGB)": (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290),
    "Linear P3-D65": (0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.3290),
    "Linear Rec.2020": (0.708, 0.292, 0.17, 0.797, 0.131, 0.046, 0.3127, 0.3290),
    "ACES2065-1": (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, 0.32168, 0.33767),
    "ACEScg": (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767),
}
CHROMATICITY_TOLERANCE = 0.002
"""Files round their numbers to three or four digits."""

Step = Callable[[Pixels], Any]
"""Changes contiguous pixels in place."""


@dataclass(frozen=True)
class Config:
    """An OpenColorIO configuration, by name or path; hashable, and opened when first used."""

    source: str

    @classmethod
    def chosen(cls, environment: Mapping[str, str], fallback: str = "") -> Config:
        """$OCIO where it is set, else the machine's own choice, else the pinned ACES studio config."""
        return cls(environment.get("OCIO") or fallback or PINNED_CONFIG)

    @cached_property
    def ocio(self) -> Any:
        """The opened configuration. Raises RequestError where it cannot be read."""
        if not self.source.startswith("ocio://") and not os.path.isfile(self.source):
            raise RequestError(
                f"The OCIO configuration {self.source} does not exist; set $OCIO to a config file or unset it.",
                "request.colour",
            )
        try:
            return ocio.Config.CreateFromFile(self.source)
        except ocio.Exception as error:
            raise RequestError(
                f"The OCIO configuration {self.source} cannot be read: {error}", "request.colour"
            ) from error

    def names(self) -> list[str]:
        """The colour spaces that exist."""
        return list(self.ocio.getColorSpaceNames())

    def resolve(self, name: str) -> str:
        """The canonical name behind a name, alias or role. Raises RequestError listing what exists."""
        found = self.ocio.getCanonicalName(name) or self._tagged(name)
        if not found or self.ocio.getColorSpace(found) is None:
            raise RequestError(
                f"The colour space {name!r} is not in the OCIO configuration {self.source}; it has "
                f"{', '.join(self.names())}.",
                "request.colour",
            )
        if self.ocio.getColorSpace(found).isData():
            raise RequestError(
                f"The colour space {name!r} is data, not colour; name the space the plate was rendered in.",
                "request.colour",
            )
        return str(found)

    def _tagged(self, tag: str) -> str:
        """The space whose interop id is this tag, with or without the `ocio:` of spaces that CIF does not name."""
        for name in self.names():
            if tag and self.ocio.getColorSpace(name).getInteropID().removeprefix("ocio:") == tag.removeprefix("ocio:"):
                return name
        return ""

    def is_linear(self, space: str) -> bool:
        """True where code values are proportional to scene light."""
        return bool(self.ocio.isColorSpaceLinear(space, ocio.REFERENCE_SPACE_SCENE))

    def processor(self, source: str, target: str) -> Any:
        """A CPU processor from one space to another."""
        try:
            return self.ocio.getProcessor(source, target).getDefaultCPUProcessor()
        except ocio.Exception as error:
            raise RequestError(f"OpenColorIO cannot convert {source} to {target}: {error}", "request.colour") from error


def plate_space(config: Config, asked: str, interop: object, chromaticities: Sequence[float] | None) -> tuple[str, str]:
    """The plate's colour space and where that is known from: the request, the file's tag, its chromaticities, or
    the configuration's scene_linear role when nothing says. Never assumes Rec.709."""
    if asked:
        return config.resolve(asked), "request"
    if isinstance(interop, str) and interop and interop not in ("data", "unknown"):
        return config.resolve(interop), "colorInteropID"
    if chromaticities is not None and len(chromaticities) == 8:
        for name, numbers in CHROMATICITIES.items():
            if np.allclose(chromaticities, numbers, atol=CHROMATICITY_TOLERANCE):
                return config.resolve(name), "chromaticities"
    return config.resolve("scene_linear"), "default"


def choose_peak(percentile: float) -> float:
    """The smallest peak that holds a shot whose brightest 0.01 % begins at `percentile`."""
    return next((peak for peak in PEAKS if percentile <= peak), PEAKS[-1])


@dataclass(frozen=True)
class Colour:
    """The colour path of one shot, fixed by the plan: plate values to an engine's and back.

    `encoding` is empty for linear engines: a linear plate then reaches them as it is, in its own primaries.
    """

    config: Config
    space: str
    encoding: str = ""
    peak: float = PEAKS[0]

    @cached_property
    def _curve(self) -> Curve | None:
        """The curve over linear AP1; None where OpenColorIO makes the whole conversion."""
        if self.encoding == "srgb_knee":
            return Knee(self.peak)
        return Srgb() if self.encoding == "srgb" else None

    @cached_property
    def _processors(self) -> tuple[Any, Any] | None:
        """To the engine's space and back; None where the values need no conversion."""
        if not self.encoding:
            target = self.space if self.config.is_linear(self.space) else WORKING_SPACE
        elif self.encoding in ("srgb_knee", "srgb"):
            target = WORKING_SPACE
        else:
            target = self.config.resolve("ACEScct" if self.encoding == "acescct" else self.encoding)
        if target == self.space:
            return None
        return self.config.processor(self.space, target), self.config.processor(target, self.space)

    def check(self) -> None:
        """Raise RequestError where a space is unknown or cannot be converted."""
        _ = self._processors

    def to_engine(self, pixels: Pixels) -> Pixels:
        """Finite plate values (height, width, 3) as the engine sees them; encoded values are not yet clamped."""
        steps: list[Step] = [self._processors[0].applyRGB] if self._processors else []
        return _applied([*steps, self._curve.encode_in_place] if self._curve else steps, pixels)

    def from_engine(self, pixels: Pixels) -> Pixels:
        """The exact inverse of `to_engine`."""
        steps: list[Step] = [self._curve.decode_in_place] if self._curve else []
        return _applied([*steps, self._processors[1].applyRGB] if self._processors else steps, pixels)

    def working(self, pixels: Pixels) -> Pixels:
        """Plate values as scene-linear AP1, for statistics."""
        if self.space == WORKING_SPACE:
            return pixels
        return _applied([self._to_working.applyRGB], pixels)

    @cached_property
    def _to_working(self) -> Any:
        return self.config.processor(self.space, WORKING_SPACE)


def _applied(steps: Sequence[Step], pixels: Pixels) -> Pixels:
    """Pixels after some steps, taken a few rows at a time: those stay in a processor's own cache from step to step."""
    if not steps:
        return pixels
    out = np.empty(pixels.shape, np.float32)
    rows = max(1, BLOCK // max(1, pixels[:1].size))
    for top in range(0, len(out), rows):
        block = out[top : top + rows]
        block[...] = pixels[top : top + rows]
        for step in steps:
            step(block)
    return out
