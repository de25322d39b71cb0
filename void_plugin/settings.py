"""Everything besides the images that decides pixels, with what each may be."""

import re
from dataclasses import dataclass, fields
from typing import Dict, Tuple

from void_plugin.errors import RequestError

CHOICES: Dict[str, Tuple[str, ...]] = {
    "source": ("hybrid", "generated", "recovered"),
    "grain": ("synth", "scatter", "off"),
    "detail": ("off", "tiled"),
    "rate": ("native", "physics"),
    "affected_preset": ("none", "contact", "shadow", "reflection", "drop", "path"),
    "recover_affected": ("keep", "fill"),
    "recover_grain": ("source", "clean"),
    "void_mask_levels": ("three", "binary"),
    "void_short_clips": ("pad", "short"),
    "void_last_window": ("short", "full"),
    "void_flow": ("dis", "raft"),
}
"""What the settings that are one of a few words can be."""
RANGES: Dict[str, Tuple[int, int]] = {
    "void_passes": (1, 2),
    "void_steps": (1, 1000),
    "void_pass2_steps": (1, 1000),
    "void_guidance": (1, 30),
    "fps": (0, 1000),
    "affected_angle": (-90, 90),
}
"""Smallest and largest value of the settings that are numbers."""
RASTER_STEP, SMALLEST_RASTER, LARGEST_RASTER = 16, 32, 2048
"""Sides of a raster of VOID: whole tokens of 16 pixels (void_model.md 2)."""

_RASTER = re.compile(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})\Z")


@dataclass(frozen=True)
class RenderSettings:
    """Everything besides the images that changes pixels; part of every unit's key."""

    seed: int = 0
    """Seeds whatever an engine invents and the grain."""
    encoding: str = "srgb_knee"
    """How encoded engines see the plate: `srgb_knee`, `acescct`, `srgb` or the name of an OCIO colour space."""
    source: str = "hybrid"
    """With an engine that generates: `hybrid` takes real pixels of other frames where there are any, `generated` none,
    `recovered` nothing else."""
    grain: str = "synth"
    """Grain on what is not the plate's own: `synth` makes it, `scatter` takes it from the plate, `off` adds none."""
    detail: str = "off"
    """`tiled` refines a generated picture tile by tile at twice the raster."""
    rate: str = "native"
    """`physics` shows a model about 12 frames a second, as it was trained, and interpolates what lies between."""
    fps: float = 0.0
    """Frames a second of the shot, for `physics`; 0 takes what the plate says, else 24."""
    affected_preset: str = "none"
    """What counts as affected where no affected matte is given: a shape made from the object matte."""
    affected_angle: float = 0.0
    """Degrees that a shadow leans from straight down, to the right above 0; 0 leans to both sides."""
    affected_path: str = ""
    """Where things will move, for the preset `path`: `x,y x,y ...` in plate pixels."""
    recover_affected: str = "keep"
    """What `recover` does with affected-only pixels: `keep` the plate or `fill` them."""
    recover_grain: str = "source"
    """`source` takes each pixel from one frame, so grain stays; `clean` averages frames for the least noise."""
    compression: str = ""
    """EXR compression of the outputs; empty keeps a lossless plate's own and replaces a lossy one by zip."""
    coverage_channel: bool = False
    """Adds a `void.coverage` channel: 1 where a pixel came from a real frame, 0 where it was invented."""
    weight_channel: bool = False
    """Adds a `void.matte` channel: how much of each pixel is new."""
    change_channel: bool = False
    """Adds a `void.change` channel: where a generated picture differs from the plate."""
    source_channel: bool = False
    """Adds a `void.source` channel: 0 untouched, 0.5 recovered, 1 generated."""
    void_passes: int = 1
    """1 or 2: the second pass of VOID starts from noise that moves with the result of the first."""
    void_steps: int = 30
    """Denoising steps of the first pass."""
    void_pass2_steps: int = 50
    """Denoising steps of the second pass."""
    void_guidance: float = 6.0
    """How strongly the prompt leads the second pass; 1 turns guidance off."""
    void_mask_levels: str = "three"
    """What the second pass is told: `three` levels as the first, or `binary` as Netflix's own script does."""
    void_short_clips: str = "pad"
    """Clips below 85 frames: `pad` to 85 as Netflix's script does, or run `short`, which is faster."""
    void_last_window: str = "short"
    """The last window of a long clip: `short` as Netflix's script cuts it, or `full` length with more context."""
    void_all_windows: bool = False
    """Also runs windows in which nothing is to be removed, as Netflix's script does."""
    void_flow: str = "dis"
    """Optical flow for the noise of the second pass: `dis`, or `raft` where its weights are."""
    void_raster: str = "672x384"
    """WIDTHxHEIGHT that VOID works at; it was trained at 672x384."""

    def check(self) -> None:
        """Raise RequestError naming the first setting with a value that it cannot have."""
        for item in fields(self):
            value, default = getattr(self, item.name), item.default
            if type(value) is not type(default):
                raise RequestError(
                    "The setting {} must be a {}, not {!r}.".format(item.name, type(default).__name__, value)
                )
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise RequestError(
                    "The setting {} is {!r}; it can be {}.".format(name, getattr(self, name), " or ".join(allowed))
                )
        for name, (least, most) in RANGES.items():
            if not least <= getattr(self, name) <= most:
                raise RequestError(
                    "The setting {} is {}; it can be {} to {}.".format(name, getattr(self, name), least, most)
                )
        raster_of(self.void_raster)


def raster_of(text: str) -> Tuple[int, int]:
    """(height, width) behind `WIDTHxHEIGHT`. Raises RequestError where VOID cannot work at it."""
    match = _RASTER.match(text)
    size = (int(match.group(2)), int(match.group(1))) if match is not None else (0, 0)
    if any(side % RASTER_STEP or not SMALLEST_RASTER <= side <= LARGEST_RASTER for side in size):
        raise RequestError(
            "The setting void_raster is {!r}; give WIDTHxHEIGHT, both multiples of {} from {} to {}, for example "
            "672x384.".format(text, RASTER_STEP, SMALLEST_RASTER, LARGEST_RASTER)
        )
    return size
