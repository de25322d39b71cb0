"""What a request's settings mean for VOID: its raster, its passes, its clip lengths."""

from __future__ import annotations

from dataclasses import dataclass

from void_plugin.settings import RenderSettings, raster_of
from void_server.windows import VOID_LENGTHS, VOID_SHORT_LENGTHS, ClipLengths

OVERLAP_FRAMES = 17
"""Frames that a segment shares with the one before it: 5 latents, as windows share 4 and the first is a frame."""


@dataclass(frozen=True)
class Pass:
    """One run of denoising through one of VOID's two checkpoints."""

    number: int
    steps: int
    guidance: float
    """Scale of classifier-free guidance; 1 runs without."""
    binary_mask: bool
    """True tells only what to remove from what to keep, as the released pass 2 does."""


@dataclass(frozen=True)
class Options:
    """Everything that decides what VOID computes, beside frames, prompt and weights."""

    raster: tuple[int, int]
    """(height, width)."""
    lengths: ClipLengths
    passes: tuple[Pass, ...]
    whole_last_window: bool
    """Pulls the last window back to full length instead of cutting it short."""
    all_windows: bool
    """Runs windows that hold no matte as well."""
    flow: str
    seed: int

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
        return cls(
            raster=raster_of(settings.void_raster),
            lengths=VOID_SHORT_LENGTHS if settings.void_short_clips == "short" else VOID_LENGTHS,
            passes=passes[: settings.void_passes],
            whole_last_window=settings.void_last_window == "full",
            all_windows=settings.void_all_windows,
            flow=settings.void_flow,
            seed=settings.seed,
        )
