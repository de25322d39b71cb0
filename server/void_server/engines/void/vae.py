"""Pixels to latents and back, exactly as VOID was trained with them.

diffusers encodes as upstream does. Its decoder does not: it takes latents in pairs from the start and guesses from the
length of a piece whether that is the first, which gives three frames too many and other pixels everywhere
(void_model.md 5). Here latent 0 is decoded alone, then pairs, then what is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from diffusers import AutoencoderKLCogVideoX
from diffusers.models.autoencoders.autoencoder_kl_cogvideox import CogVideoXCausalConv3d, CogVideoXSpatialNorm3D
from diffusers.models.downsampling import CogVideoXDownsample3D
from diffusers.models.upsampling import CogVideoXUpsample3D
from torch import nn

from void_server.engines.void.vaelayers import CausalConv, Downsample, GroupNorm, Modulation, Place, Upsample


def prepared(vae: AutoencoderKLCogVideoX) -> AutoencoderKLCogVideoX:
    """The same VAE with those parts of its decoder replaced that stock diffusers gets wrong or does twice over."""
    place = Place()
    _replace(
        vae.decoder, {CogVideoXUpsample3D: lambda stock: Upsample(stock, place), CogVideoXSpatialNorm3D: Modulation}
    )
    vae.decoder.place = place
    return vae


def channels_last(vae: AutoencoderKLCogVideoX) -> AutoencoderKLCogVideoX:
    """The same VAE for a GPU: laid out as its convolutions want it all the way, with norms that keep it busy."""
    _replace(vae, {CogVideoXCausalConv3d: CausalConv, CogVideoXDownsample3D: Downsample, nn.GroupNorm: GroupNorm})
    for weight in vae.parameters():
        if weight.dim() == 5:
            weight.data = weight.data.to(memory_format=torch.channels_last_3d)
        elif weight.dim() == 4:
            weight.data = weight.data.to(memory_format=torch.channels_last)
    return vae


def _replace(network: nn.Module, layers: Mapping[type[nn.Module], Callable[[Any], nn.Module]]) -> None:
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if type(child) in layers:
                setattr(module, name, layers[type(child)](child))


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
    place: Place = vae.decoder.place
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
