"""Pixels to latents and back, exactly as VOID was trained with them.

diffusers encodes as upstream does. Its decoder does not: it takes latents in pairs from the start and guesses from the
length of a piece whether that is the first, which gives three frames too many and other pixels everywhere
(void_model.md 5). Here latent 0 is decoded alone, then pairs, then what is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLCogVideoX
from diffusers.models.autoencoders.autoencoder_kl_cogvideox import CogVideoXSpatialNorm3D
from diffusers.models.upsampling import CogVideoXUpsample3D
from torch import nn


def prepared(vae: AutoencoderKLCogVideoX) -> AutoencoderKLCogVideoX:
    """The same VAE with those parts of its decoder replaced that stock diffusers gets wrong or does twice over."""
    place = _Place()
    for module in list(vae.decoder.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, CogVideoXUpsample3D):
                setattr(module, name, _Upsample(child, place))
            elif isinstance(child, CogVideoXSpatialNorm3D):
                setattr(module, name, _Modulation(child))
    vae.decoder.place = place
    return vae


def channels_last(vae: nn.Module) -> nn.Module:
    """The same VAE with its weights laid out as cuDNN's convolutions like them: the same numbers, sooner."""
    for weight in vae.parameters():
        if weight.dim() == 5:
            weight.data = weight.data.to(memory_format=torch.channels_last_3d)
        elif weight.dim() == 4:
            weight.data = weight.data.to(memory_format=torch.channels_last)
    return vae


def encode(vae: AutoencoderKLCogVideoX, pixels: torch.Tensor) -> torch.Tensor:
    """Latents (1, 16, k+1, H/8, W/8), float32 and scaled, of pixels (1, 3, 4k+1, H, W)."""
    weight = next(vae.parameters())
    latents = vae.encode(pixels.to(weight)).latent_dist.mode()
    scaled: torch.Tensor = latents.float() * vae.config.scaling_factor
    return scaled


def encode_mask(vae: AutoencoderKLCogVideoX, pixels: torch.Tensor) -> torch.Tensor:
    """`encode`, but a mask that never changes is encoded from its first frame alone.

    Convolutions in time are causal and padded with the first frame, so every latent of a still is the same.
    """
    if bool((pixels == pixels[:, :, :1]).all()):
        count = (pixels.shape[2] - 1) // 4 + 1
        return encode(vae, pixels[:, :, :1]).expand(-1, -1, count, -1, -1)
    return encode(vae, pixels)


def decode(
    vae: AutoencoderKLCogVideoX, latents: torch.Tensor, each: Callable[[int, int], None] = lambda done, count: None
) -> torch.Tensor:
    """Frames (4k+1, H, W, 3), float32 in 0..1 on the CPU, of scaled latents (1, 16, k+1, H/8, W/8).

    `each` is called after every piece with the latents done so far and their number.
    """
    weight = next(vae.parameters())
    unscaled = latents.to(weight) / vae.config.scaling_factor
    count = latents.shape[2]
    place: _Place = vae.decoder.place
    pieces, cache = [], None
    for first, last in _pieces(count):
        place.at_start = first == 0
        pixels, cache = vae.decoder(unscaled[:, :, first:last], conv_cache=cache)
        frames = (pixels.float() / 2 + 0.5).clamp(0, 1)
        pieces.append(frames[0].permute(1, 2, 3, 0).cpu())
        each(last, count)
    return torch.cat(pieces)


def _pieces(count: int) -> Iterator[tuple[int, int]]:
    yield 0, 1
    for first in range(1, count, 2):
        yield first, min(first + 2, count)


@dataclass
class _Place:
    """Where in the clip the decoder is; shared by all its upsamplers."""

    at_start: bool = True


class _Upsample(nn.Module):
    """Doubles size, and time too except on the very first latent, which is one frame."""

    def __init__(self, stock: CogVideoXUpsample3D, place: _Place) -> None:
        super().__init__()
        self.conv, self._doubles_time, self._place = stock.conv, stock.compress_time, place

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        in_time = 2.0 if self._doubles_time and not self._place.at_start else 1.0
        larger = F.interpolate(inputs, scale_factor=(in_time, 2.0, 2.0))
        batch, channels, count, height, width = larger.shape
        planes = larger.permute(0, 2, 1, 3, 4).reshape(batch * count, channels, height, width)
        out: torch.Tensor = self.conv(planes)
        return out.reshape(batch, count, *out.shape[1:]).permute(0, 2, 1, 3, 4)


class _Modulation(nn.Module):
    """Normalises features and modulates them by the latent.

    The modulation is a 1x1x1 convolution of the latent enlarged without interpolation; convolving before enlarging
    gives the same bits for a fraction of the work. No piece has an odd length above 1, so none needs to be split.
    """

    def __init__(self, stock: CogVideoXSpatialNorm3D) -> None:
        super().__init__()
        self.norm_layer, self.conv_y, self.conv_b = stock.norm_layer, stock.conv_y, stock.conv_b

    def forward(
        self, f: torch.Tensor, zq: torch.Tensor, conv_cache: dict[str, Any] | None = None
    ) -> tuple[torch.Tensor, dict[str, Any]]:
        size = f.shape[-3:]
        scale = F.interpolate(self.conv_y.conv(zq), size=size)
        shift = F.interpolate(self.conv_b.conv(zq), size=size)
        return self.norm_layer(f) * scale + shift, {}
