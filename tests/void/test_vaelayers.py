"""The VAE's layers against those of diffusers that they stand in for."""

from __future__ import annotations

import copy

import pytest
import torch
from diffusers import AutoencoderKLCogVideoX
from diffusers.models.autoencoders.autoencoder_kl_cogvideox import CogVideoXCausalConv3d
from diffusers.models.downsampling import CogVideoXDownsample3D
from diffusers.models.upsampling import CogVideoXUpsample3D
from hypothesis import given, settings
from hypothesis import strategies as st
from tinyvoid import tiny_spec
from torch import nn

from void_server.engines.void import vae, vaelayers

LAYOUTS = [torch.contiguous_format, torch.channels_last_3d]


@pytest.fixture(autouse=True)
def same_numbers() -> None:
    torch.manual_seed(7)


def clip(channels: int, count: int, height: int, width: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(1, channels, count, height, width).to(dtype)


@given(count=st.integers(1, 9), height=st.integers(2, 9), width=st.integers(2, 9), halves_time=st.booleans())
@settings(max_examples=30, deadline=None)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_halving_gives_the_same_bits(
    dtype: torch.dtype, count: int, height: int, width: int, halves_time: bool
) -> None:
    stock = CogVideoXDownsample3D(4, 4, compress_time=halves_time).to(dtype).requires_grad_(False)
    features = clip(4, count, height, width, dtype)
    assert torch.equal(vaelayers.Downsample(stock)(features), stock(features))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kernel", [1, 3])
def test_convolving_piece_by_piece_gives_what_stock_gives(kernel: int, layout: torch.memory_format) -> None:
    stock = CogVideoXCausalConv3d(4, 6, kernel).requires_grad_(False)
    ours, before, theirs = vaelayers.CausalConv(copy.deepcopy(stock)), None, None
    for count in (1, 2, 3):
        piece = clip(4, count, 5, 6)
        expected, theirs = stock(piece, theirs)
        found, before = ours(piece.to(memory_format=layout), before)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    assert (before is None) == (kernel == 1)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
def test_norms_from_sums_are_group_norms(dtype: torch.dtype, tolerance: float, layout: torch.memory_format) -> None:
    stock = nn.GroupNorm(4, 16, eps=1e-6).requires_grad_(False)
    stock.weight.normal_()
    stock.bias.normal_()
    features = (clip(16, 3, 10, 12) * 3 + 5).to(dtype=dtype, memory_format=layout)
    expected = stock(features.float())
    found = vaelayers.GroupNorm(stock.to(dtype))(features)
    assert found.dtype == dtype and found.stride() == features.stride()
    assert float((found.float() - expected).abs().max() / expected.abs().max()) <= tolerance


@pytest.mark.parametrize("at_start", [True, False])
@pytest.mark.parametrize("doubles_time", [True, False])
def test_doubling_gives_the_same_however_features_lie(doubles_time: bool, at_start: bool) -> None:
    stock = CogVideoXUpsample3D(4, 6, padding=1, compress_time=doubles_time).requires_grad_(False)
    ours, features = vaelayers.Upsample(stock, vaelayers.Place(at_start)), clip(4, 2, 5, 6)
    plain, last = ours(features), ours(features.to(memory_format=torch.channels_last_3d))
    assert plain.shape == (1, 6, 4 if doubles_time and not at_start else 2, 10, 12)
    torch.testing.assert_close(last, plain, rtol=0, atol=1e-6)


def test_norms_refuse_to_mix_clips() -> None:
    with pytest.raises(ValueError, match="2 clips"):
        vaelayers.GroupNorm(nn.GroupNorm(4, 16))(torch.zeros(2, 16, 1, 2, 2))


def test_what_joins_frames_keeps_them_lying_as_they_do() -> None:
    for layout in LAYOUTS:
        features = clip(4, 3, 5, 6).to(memory_format=layout)
        joined = vaelayers._joined(features[:, :, :1].expand(-1, -1, 2, -1, -1), features)
        assert joined.is_contiguous(memory_format=layout)
        assert torch.equal(joined, torch.cat([features[:, :, :1]] * 2 + [features], dim=2))


def test_a_gpu_gets_none_of_the_layers_that_are_slow_there() -> None:
    network = AutoencoderKLCogVideoX(**tiny_spec()["vae"])
    kinds = {type(module) for module in vae.channels_last(vae.prepared(network)).modules()}
    assert not kinds & {nn.GroupNorm, CogVideoXCausalConv3d, CogVideoXDownsample3D}
    assert {vaelayers.GroupNorm, vaelayers.CausalConv, vaelayers.Downsample, vaelayers.Upsample} <= kinds
