"""What a request's settings mean for VOID: its raster, its passes, its clip lengths."""

from __future__ import annotations

from dataclasses import dataclass

from void_plugin.settings import RenderSettings, raster_of
from void_server.engines import ASSUMED_FPS
from void_server.engines.void.tiling import tiles_over
from void_server.tiles import Box
from void_server.windows import VOID_LENGTHS, VOID_SHORT_LENGTHS, ClipLengths

OVERLAP_FRAMES = 17
"""Frames shown that a segment shares with the one before it: 5 latents, as windows share 4 and the first is a frame."""
TRAINED_FPS = 12.0
"""Frames a second of the clips that VOID was trained on (Netflix/void-model, config and samples; image.md 5)."""
DETAIL = 3
"""Number of the detail stage, which comes after both passes."""
DETAIL_STRENGTH = 0.35
"""How far back towards noise the detail stage goes (image.md 3.3): the share of the steps that it runs."""

DETAIL_FACTOR = 2
"""Its size, in that of the raster along a side (image.md 3.3)."""
LEAST_ENLARGEMENT = 2.5
"""Plate pixels to a pixel of the raster along a side from which on the detail stage pays (image.md 3.3)."""


@dataclass(frozen=True)
class Pass:
    """One run of denoising through one of VOID's two checkpoints."""

    number: int
    """1 or 2, or that of the detail stage."""
    steps: int
    guidance: float
    """Scale of classifier-free guidance; 1 runs without."""
    binary_mask: bool
    """True tells only what to remove from what to keep, as the released pass 2 does."""
    skipped: int = 0
    """Steps left out at the beginning, where a picture is refined that is there already."""

    @property
    def checkpoint(self) -> int:
        """The checkpoint it runs through.

        The detail stage takes that of pass 1: it begins with noise that lies still, and pass 2 knows only moving noise.
        """
        return 1 if self.number == DETAIL else self.number

    @property
    def run_steps(self) -> int:
        """Steps that are run."""
        return self.steps - self.skipped


@dataclass(frozen=True)
class Options:
    """Everything that decides what VOID computes, beside frames, prompt and weights."""

    raster: tuple[int, int]
    """(height, width)."""
    lengths: ClipLengths
    """Legal numbers of frames shown."""
    stride: int
    """Frames of the shot from one shown to the next."""
    passes: tuple[Pass, ...]
    detail: tuple[Pass, ...]
    """The detail stage, or nothing."""
    whole_last_window: bool
    """Pulls the last window back to full length instead of cutting it short."""
    all_windows: bool
    """Runs windows that hold no matte as well."""
    flow: str
    seed: int

    @property
    def tiles(self) -> list[Box]:
        """The detail stage's tiles, in pixels of the enlarged raster."""
        height, width = self.raster
        return tiles_over((height * DETAIL_FACTOR, width * DETAIL_FACTOR), self.raster)

    @property
    def shot_lengths(self) -> ClipLengths:
        """`lengths` in frames of the shot."""
        known, stride = self.lengths, self.stride
        return ClipLengths((known.minimum - 1) * stride + 1, known.step * stride, (known.maximum - 1) * stride + 1)

    @property
    def shot_overlap(self) -> int:
        """Frames of the shot that a segment shares with the one before it."""
        return (OVERLAP_FRAMES - 1) * self.stride + 1

    @classmethod
    def of(cls, settings: RenderSettings, prompt: str = "") -> Options:
        """The options behind checked settings.

        Pass 1 runs without guidance, pass 2 with (Netflix/void-model, predict_v2v.py and
        inference_with_pass1_warped_noise.py). Guidance adds what the prompt changes against the empty text, which
        for an empty prompt is nothing: then it is left out, with half of the work.
        """
        guidance = settings.void_guidance if prompt else 1.0
        binary = settings.void_mask_levels == "binary"
        passes = (
            Pass(1, settings.void_steps, 1.0, binary_mask=False),
            Pass(2, settings.void_pass2_steps, guidance, binary),
        )
        steps = settings.void_steps
        detail = Pass(DETAIL, steps, 1.0, binary_mask=False, skipped=steps - max(1, int(steps * DETAIL_STRENGTH)))
        return cls(
            raster=raster_of(settings.void_raster),
            lengths=VOID_SHORT_LENGTHS if settings.void_short_clips == "short" else VOID_LENGTHS,
            stride=stride_of(settings.fps) if settings.rate == "physics" else 1,
            passes=passes[: settings.void_passes],
            detail=(detail,) if settings.detail == "tiled" else (),
            whole_last_window=settings.void_last_window == "full",
            all_windows=settings.void_all_windows,
            flow=settings.void_flow,
            seed=settings.seed,
        )


def stride_of(fps: float) -> int:
    """Frames from one that VOID is shown to the next, in a shot of so many a second; 0 counts as not known."""
    return max(1, round((fps or ASSUMED_FPS) / TRAINED_FPS))
