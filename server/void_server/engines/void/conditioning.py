"""What the transformer is told about the shot: the plate and the quadmask, as pixels for the VAE.

Levels, ranges and noise after Netflix/void-model `66e9c0e`, pipeline_cogvideox_fun_inpaint.py, and its training.
"""

from __future__ import annotations

import torch

from void_server.engines import KEEP, OVERLAP

AFFECTED_LEVEL = 0.5019607543945312
"""Level of what is affected, between 0 for what is removed and 1 for what is kept: 1 - 127/255 in float32."""
REFERENCE_NOISE = 0.0563
"""Standard deviation of the noise on the plate, for values in -1..1 (upstream's `noise_aug_strength`)."""


def mask_pixels(quadmask: torch.Tensor, *, binary: bool = False) -> torch.Tensor:
    """The levels that the VAE is given for a quadmask: 0 remove, 0.502 affected, 1 keep; float32, same shape.

    Overlap counts as remove, as in training. With `binary` affected does too, as in the released pass 2.
    """
    levels = torch.full(quadmask.shape, 0.0 if binary else AFFECTED_LEVEL, dtype=torch.float32, device=quadmask.device)
    levels[quadmask <= OVERLAP] = 0.0
    levels[quadmask == KEEP] = 1.0
    return levels


def video_pixels(frames: torch.Tensor, noise: torch.Tensor | None = None) -> torch.Tensor:
    """Frames (T, H, W, 3) in 0..1 as (1, 3, T, H, W) in -1..1, with unit `noise` of that shape where it is given.

    Pure black takes no noise: in training it stood for what is not there.
    """
    video = frames.permute(3, 0, 1, 2)[None].float() * 2 - 1
    if noise is None:
        return video
    return torch.where(video == -1, video, video + noise.to(video) * REFERENCE_NOISE)


def as_video(mask: torch.Tensor) -> torch.Tensor:
    """A mask (T, H, W) as the three equal channels (1, 3, T, H, W) that the VAE takes."""
    return mask[None, None].expand(1, 3, -1, -1, -1)
