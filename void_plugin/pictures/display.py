"""Scene colour to what a monitor shows: one OpenColorIO processor from 16-bit floats to bytes.

A tone-mapping view costs a second a frame (ACES 2.0 at 1080p), so it is baked into a cube that is read by tetrahedral
interpolation: 25 ms, at most a few codes from the truth where colours are as those of photographs. Views that are a
matrix and a curve are taken as they are.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import PyOpenColorIO as ocio
from numpy.typing import NDArray

from void_plugin.config import PINNED_CONFIG
from void_plugin.errors import RequestError
from void_plugin.pictures.asks import Look

CUBE = 65
"""Points along an edge of the baked cube."""
DARKEST, BRIGHTEST = -6.5, 7.0
"""Stops around 1 that the cube spans; the darkest is also its offset, so that black is its first point."""
_SLOW = ("Lut3DTransform", "FixedFunctionTransform")

Bytes = NDArray[np.uint8]


@dataclass
class Display:
    """The default display of one configuration; keeps what it has baked."""

    source: str
    _config: Any = None
    _cubes: dict[str, Any] = field(default_factory=dict)
    _ready: dict[tuple[str, Look], Any] = field(default_factory=dict)

    @classmethod
    def chosen(cls, environment: Mapping[str, str]) -> "Display":
        """$OCIO where it is set, else the pinned ACES studio configuration."""
        return cls(environment.get("OCIO") or PINNED_CONFIG)

    @property
    def config(self) -> Any:
        """The opened configuration. Raises RequestError where it cannot be read."""
        if self._config is None:
            if not self.source.startswith("ocio://") and not os.path.isfile(self.source):
                raise RequestError(
                    f"The OCIO configuration {self.source} does not exist; set $OCIO to a config file or unset it.",
                    "request.colour",
                )
            try:
                self._config = ocio.Config.CreateFromFile(self.source)
            except ocio.Exception as error:
                raise RequestError(
                    f"The OCIO configuration {self.source} cannot be read: {error}", "request.colour"
                ) from error
        return self._config

    def views(self) -> list[str]:
        """The views of the default display, the default one first."""
        display = self.config.getDefaultDisplay()
        first = self.config.getDefaultView(display)
        return [first, *(view for view in self.config.getViews(display) if view != first)]

    def space_of(self, asked: str, tag: str) -> str:
        """The colour space of a plate: the one asked for, the tag of its file, or `scene_linear`.

        Raises RequestError where the one asked for does not exist.
        """
        for name in (asked, tag):
            found = self.config.getCanonicalName(name) or self._tagged(name) if name else ""
            if found and not self.config.getColorSpace(found).isData():
                return str(found)
            if name and name == asked:
                raise RequestError(
                    f"The colour space {asked!r} is not in the OCIO configuration {self.source}.", "request.colour"
                )
        return str(self.config.getCanonicalName("scene_linear") or self.config.getCanonicalName("ACEScg"))

    def shown(self, pixels: NDArray[np.float16], space: str, look: Look) -> Bytes:
        """Pixels (height, width, 3) in a colour space as bytes (height, width, 4), opaque."""
        height, width = pixels.shape[:2]
        out = np.full((height, width, 4), 255, np.uint8)
        source = np.ascontiguousarray(pixels)
        self._processor(space, look).apply(
            ocio.PackedImageDesc(source, width, height, 3, ocio.BIT_DEPTH_F16, 2, 6, width * 6),
            ocio.PackedImageDesc(out, width, height, 4, ocio.BIT_DEPTH_UINT8, 1, 4, width * 4),
        )
        out[..., 3] = 255
        return out

    # -- what is baked ---------------------------------------------------------------------------------------

    def _tagged(self, tag: str) -> str:
        """The space with this interop id, with or without the `ocio:` of spaces that have no public one."""
        for name in self.config.getColorSpaceNames():
            if self.config.getColorSpace(name).getInteropID().removeprefix("ocio:") == tag.removeprefix("ocio:"):
                return str(name)
        return ""

    def _processor(self, space: str, look: Look) -> Any:
        key = (space, Look(look.exposure, look.gamma, look.view))
        if key not in self._ready:
            if len(self._ready) > 64:  # a slider that is dragged leaves many behind
                self._ready.clear()
            self._ready[key] = self._made(space, look)
        return self._ready[key]

    def _made(self, space: str, look: Look) -> Any:
        linear = self.space_of("", "")
        view = self._view(look.view)
        steps = []
        if space != linear:
            steps.append(ocio.ColorSpaceTransform(src=space, dst=linear))
        gain = 2.0**look.exposure
        steps.append(ocio.MatrixTransform(matrix=[gain, 0, 0, 0, 0, gain, 0, 0, 0, 0, gain, 0, 0, 0, 0, 1]))
        steps += self._view_steps(linear, view)
        if look.gamma != 1.0:
            steps.append(ocio.ExponentTransform(value=[1 / look.gamma] * 3 + [1.0]))
        try:
            processor = self.config.getProcessor(ocio.GroupTransform(steps))
            return processor.getOptimizedCPUProcessor(
                ocio.BIT_DEPTH_F16, ocio.BIT_DEPTH_UINT8, ocio.OPTIMIZATION_DEFAULT
            )
        except ocio.Exception as error:
            raise RequestError(f"OpenColorIO cannot show {space} in {view}: {error}", "request.colour") from error

    def _view(self, asked: str) -> str:
        views = self.views()
        if asked and asked not in views:
            raise RequestError(f"The display has no view {asked!r}; it has {', '.join(views)}.", "request.colour")
        return asked or views[0]

    def _view_steps(self, linear: str, view: str) -> list[Any]:
        """A view as transforms that are quick: as it is, or as a cube over stops."""
        display = self.config.getDefaultDisplay()
        exact = ocio.DisplayViewTransform(src=linear, display=display, view=view)
        try:
            processor = self.config.getProcessor(exact)
        except ocio.Exception as error:
            raise RequestError(f"The view {view} cannot be used: {error}", "request.colour") from error
        parts = processor.createGroupTransform()
        if not any(type(part).__name__ in _SLOW for part in parts):
            return [exact]
        if view not in self._cubes:
            self._cubes[view] = _cube(processor.getDefaultCPUProcessor())
        stops = ocio.AllocationTransform(allocation=ocio.ALLOCATION_LG2, vars=[DARKEST, BRIGHTEST, 2.0**DARKEST])
        return [stops, self._cubes[view]]


def _cube(processor: Any) -> Any:
    """A processor over scene-linear values as a cube whose axes are stops."""
    axis = (2.0 ** np.linspace(DARKEST, BRIGHTEST, CUBE) - 2.0**DARKEST).astype(np.float32)
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)  # blue runs fastest
    points = np.ascontiguousarray(points)
    processor.applyRGB(points)
    cube = ocio.Lut3DTransform(CUBE)
    cube.setInterpolation(ocio.INTERP_TETRAHEDRAL)
    cube.setData(points.reshape(-1))
    return cube
