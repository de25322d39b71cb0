"""The operations of stitching on a GPU, with torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from void_server.pixelmath import Field, PixelMath, radius


class TorchMath(PixelMath):
    """Torch on one device; fields are (height, width, channels) tensors."""

    def __init__(self, device: str) -> None:
        self._device = torch.device(device)

    def take(self, pixels: NDArray[Any]) -> Field:
        field = torch.from_numpy(np.ascontiguousarray(pixels, np.float32)).to(self._device)
        return field[..., None] if field.ndim == 2 else field

    def give(self, field: Field) -> NDArray[np.float32]:
        found: NDArray[np.float32] = field.float().cpu().numpy()
        return found

    def gaussian(self, field: Field, sigma: float) -> Field:
        if sigma <= 0:
            return field
        reach = radius(sigma)
        steps = torch.arange(-reach, reach + 1, device=self._device, dtype=torch.float64)
        weights = torch.exp(-(steps**2) / (2 * sigma**2))
        kernel = (weights / weights.sum()).float()
        planes = _planes(field)
        padded = F.pad(planes, (reach, reach, reach, reach), mode="replicate")
        across = F.conv2d(padded, kernel[None, None, None])
        return _pixels(F.conv2d(across, kernel[None, None, :, None]))

    def halved(self, field: Field) -> Field:
        planes = F.pad(_planes(field), (0, field.shape[1] % 2, 0, field.shape[0] % 2), mode="replicate")
        return _pixels(F.avg_pool2d(planes, 2))

    def doubled(self, field: Field, size: tuple[int, int]) -> Field:
        larger = F.interpolate(_planes(field), scale_factor=2.0, mode="bilinear", align_corners=False)
        return _pixels(larger)[: size[0], : size[1]]

    def beside(self, field: Field) -> Field:
        padded = F.pad(_planes(field), (1, 1, 1, 1), mode="replicate")
        total = padded[..., :-2, 1:-1] + padded[..., 2:, 1:-1] + padded[..., 1:-1, :-2] + padded[..., 1:-1, 2:]
        return _pixels(total / 4)

    def where(self, condition: Field, chosen: Field, other: Field | float) -> Field:
        return torch.where(condition, chosen, other)

    def clipped(self, field: Field, low: float, high: float) -> Field:
        return field.clamp(low, high)

    def peak(self, field: Field) -> Field:
        return field.amax(dim=-1, keepdim=True)

    def root(self, field: Field) -> Field:
        return field.sqrt()

    def mean(self, field: Field, weight: Field) -> Field:
        total = weight.sum(dtype=torch.float64).clamp_min(1e-9)
        return ((field * weight).sum(dim=(0, 1), keepdim=True, dtype=torch.float64) / total).float()


def _planes(field: Field) -> Field:
    """Channels as a batch of pictures of one channel."""
    return field.permute(2, 0, 1)[:, None]


def _pixels(planes: Field) -> Field:
    return planes[:, 0].permute(1, 2, 0)
