"""Layers of VOID's VAE in place of diffusers' own: what that gets wrong, does twice, or does slowly on a GPU.

Features are (1, channels, frames, height, width). On a GPU they lie with their channels last, as its convolutions
want them; every layer here hands them on as they lie, because turning them round takes as long as convolving them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from diffusers.models.autoencoders.autoencoder_kl_cogvideox import CogVideoXCausalConv3d, CogVideoXSpatialNorm3D
from diffusers.models.downsampling import CogVideoXDownsample3D
from diffusers.models.upsampling import CogVideoXUpsample3D
from torch import nn

Cache = dict[str, Any] | None
"""What a layer keeps of the piece before."""


@dataclass
class Place:
    """Where in the clip the decoder is; shared by all its upsamplers."""

    at_start: bool = True


class Upsample(nn.Module):
    """Doubles size, and time too except on the very first latent, which is one frame."""

    def __init__(self, stock: CogVideoXUpsample3D, place: Place) -> None:
        super().__init__()
        self.conv, self._doubles_time, self._place = stock.conv, stock.compress_time, place

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        in_time = 2 if self._doubles_time and not self._place.at_start else 1
        if not _has_channels_last(inputs):  # and is to stay so: on a CPU the other way's last bits depend on threads
            larger = F.interpolate(inputs, scale_factor=(float(in_time), 2.0, 2.0)).transpose(1, 2)
            return _as_clip(self.conv(larger.flatten(0, 1)), len(inputs))
        pixels = inputs.permute(0, 2, 3, 4, 1)
        batch, count, height, width, channels = pixels.shape
        copies = pixels[:, :, None, :, None, :, None].expand(-1, -1, in_time, -1, 2, -1, 2, -1)
        planes = copies.reshape(batch * count * in_time, 2 * height, 2 * width, channels).permute(0, 3, 1, 2)
        return _as_clip(self.conv(planes), batch)


class Downsample(nn.Module):
    """Halves size, and time too where it is asked, but for the first frame of an odd number."""

    def __init__(self, stock: CogVideoXDownsample3D) -> None:
        super().__init__()
        self.conv, self._halves_time = stock.conv, stock.compress_time

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        if self._halves_time:
            odd = inputs.shape[2] % 2
            means = (inputs[:, :, odd::2] + inputs[:, :, odd + 1 :: 2]) / 2
            inputs = _joined(inputs[:, :, :odd], means)
        planes = inputs.transpose(1, 2).flatten(0, 1)
        return _as_clip(self.conv(F.pad(planes, (0, 1, 0, 1))), len(inputs))


class CausalConv(nn.Module):
    """Convolves in time with what came before, never with what comes after."""

    def __init__(self, stock: CogVideoXCausalConv3d) -> None:
        super().__init__()
        self.conv, self._before = stock.conv, stock.time_kernel_size - 1

    def forward(
        self, inputs: torch.Tensor, conv_cache: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        if not self._before:
            return self.conv(inputs), None
        before = inputs[:, :, :1].expand(-1, -1, self._before, -1, -1) if conv_cache is None else conv_cache
        joined = _joined(before, inputs)
        return self.conv(joined), joined[:, :, -self._before :].clone()


class GroupNorm(nn.Module):
    """Group norm of one clip, from sums of each channel.

    torch's own reads each group on one of a GPU's processors, and 32 groups leave three quarters of an H200 idle: a
    third of encoding. Sums of channels use all of it, and the rest is a batch norm whose mean and variance are given.
    """

    def __init__(self, stock: nn.GroupNorm) -> None:
        super().__init__()
        self.weight, self.bias = stock.weight, stock.bias
        self._groups, self._eps = stock.num_groups, stock.eps

    def forward(self, f: torch.Tensor) -> torch.Tensor:
        """Raises ValueError for more than one clip."""
        if len(f) != 1:
            raise ValueError(f"{len(f)} clips at a time, and their statistics would mix")
        count, all_but_channels = f.numel() // self._groups, (0, 2, 3, 4)
        mean = self._of_groups(f.sum(all_but_channels, dtype=torch.float32)) / count
        squares = torch.linalg.vector_norm(f, dim=all_but_channels, dtype=torch.float32).square()
        variance = (self._of_groups(squares) / count - mean.square()).clamp_min(0)
        return F.batch_norm(f, mean, variance, self.weight.float(), self.bias.float(), eps=self._eps)

    def _of_groups(self, sums: torch.Tensor) -> torch.Tensor:
        """For every channel the sum of its group."""
        groups = sums.view(self._groups, -1)
        return groups.sum(1, keepdim=True).expand_as(groups).reshape(-1)


class Modulation(nn.Module):
    """Normalises features and modulates them by the latent.

    The modulation is a 1x1x1 convolution of the latent enlarged without interpolation; convolving first gives the same
    numbers for a fraction of the work, and they need not be enlarged to be multiplied with. No piece has an odd length
    above 1, so none needs to be split.
    """

    def __init__(self, stock: CogVideoXSpatialNorm3D) -> None:
        super().__init__()
        self.norm_layer, self.conv_y, self.conv_b = stock.norm_layer, stock.conv_y, stock.conv_b

    def forward(self, f: torch.Tensor, zq: torch.Tensor, conv_cache: Cache = None) -> tuple[torch.Tensor, Cache]:
        scale, shift = (layer.conv(zq)[:, :, :, None, :, None, :, None] for layer in (self.conv_y, self.conv_b))
        normed = self.norm_layer(f)
        cells = normed
        for axis in (4, 3, 2):
            cells = cells.unflatten(axis, (zq.shape[axis], -1))
        if cells.is_cuda:
            torch.addcmul(shift, cells, scale, out=cells)
        else:  # where the last bits of one operation would depend on how threads share the numbers
            cells.mul_(scale).add_(shift)
        return normed, {}


def _joined(before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    """Frames and those that follow them, lying as the latter do; `torch.cat` would turn them round."""
    count = before.shape[2]
    lying = torch.channels_last_3d if _has_channels_last(after) else torch.contiguous_format
    shape = (*after.shape[:2], count + after.shape[2], *after.shape[3:])
    joined = torch.empty(shape, dtype=after.dtype, device=after.device, memory_format=lying)
    joined[:, :, :count] = before
    joined[:, :, count:] = after
    return joined


def _has_channels_last(features: torch.Tensor) -> bool:
    return features.stride(1) == 1


def _as_clip(planes: torch.Tensor, clips: int) -> torch.Tensor:
    """Planes (clips x frames, channels, height, width) as features."""
    return planes.reshape(clips, -1, *planes.shape[1:]).transpose(1, 2)
