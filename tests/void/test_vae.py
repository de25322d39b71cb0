"""Encoding and decoding, exactly and without doing things twice."""

from __future__ import annotations

import copy

import pytest
import torch
from diffusers import AutoencoderKLCogVideoX
from diffusers.models.autoencoders.autoencoder_kl_cogvideox import CogVideoXSpatialNorm3D
from hypothesis import given, settings
from hypothesis import strategies as st
from tinyvoid import tiny_spec

from void_server.engines.void import vae, vaelayers

TYPES = [(torch.float32, 1e-4), (torch.bfloat16, 2e-2)]
"""What a faster way may differ by, relative to the largest value."""


def difference(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found - expected).abs().max() / expected.abs().max())


@pytest.fixture(scope="module")
def stock() -> AutoencoderKLCogVideoX:
    torch.manual_seed(5)
    return AutoencoderKLCogVideoX(**tiny_spec()["vae"]).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def ours(stock: AutoencoderKLCogVideoX) -> AutoencoderKLCogVideoX:
    return vae.prepared(copy.deepcopy(stock))


@given(count=st.integers(1, 7))
@settings(max_examples=7, deadline=None)
def test_decoding_gives_as_many_frames_as_were_encoded(ours: AutoencoderKLCogVideoX, count: int) -> None:
    with torch.no_grad():
        frames = vae.decode(ours, torch.randn(1, 16, count, 2, 3))
    assert frames.shape == (4 * (count - 1) + 1, 16, 24, 3)
    assert frames.dtype == torch.float32 and float(frames.min()) >= 0 and float(frames.max()) <= 1


def test_one_latent_decodes_as_stock_decodes_it(stock: AutoencoderKLCogVideoX, ours: AutoencoderKLCogVideoX) -> None:
    latents = torch.randn(1, 16, 1, 4, 4)
    with torch.no_grad():
        expected = stock.decode(latents / stock.config.scaling_factor).sample
        found = vae.decode(ours, latents)
    torch.testing.assert_close(found, (expected / 2 + 0.5).clamp(0, 1)[0].permute(1, 2, 3, 0), rtol=0, atol=1e-6)


def test_later_latents_do_not_change_earlier_frames(ours: AutoencoderKLCogVideoX) -> None:
    latents = torch.randn(1, 16, 5, 2, 2)
    other = latents.clone()
    other[:, :, 3:] = 0
    with torch.no_grad():
        assert (vae.decode(ours, latents)[:9] == vae.decode(ours, other)[:9]).all()


def test_decoding_tells_how_far_it_is(ours: AutoencoderKLCogVideoX) -> None:
    told: list[tuple[int, int]] = []
    with torch.no_grad():
        vae.decode(ours, torch.randn(1, 16, 6, 2, 2), lambda done, count: told.append((done, count)))
    assert told == [(1, 6), (3, 6), (5, 6), (6, 6)]


def test_modulating_before_enlarging_gives_the_same(stock: AutoencoderKLCogVideoX) -> None:
    norm = next(module for module in stock.decoder.modules() if isinstance(module, CogVideoXSpatialNorm3D))
    features = torch.randn(1, norm.norm_layer.num_channels, 4, 8, 12)
    latent = torch.randn(1, 16, 2, 4, 6)
    with torch.no_grad():
        expected, _ = norm(features, latent)
        found, _ = vaelayers.Modulation(norm)(features, latent)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("dtype", "tolerance"), TYPES)
def test_a_still_mask_is_encoded_from_one_frame(
    ours: AutoencoderKLCogVideoX, monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype, tolerance: float
) -> None:
    still = torch.rand(1, 3, 1, 32, 32).expand(-1, -1, 13, -1, -1).contiguous()
    moving = torch.rand(1, 3, 13, 32, 32)
    ours = copy.deepcopy(ours).to(dtype)
    with torch.no_grad():
        expected = vae.encode(ours, still)
        seen: list[int] = []
        encode = vae.encode

        def counted(network: AutoencoderKLCogVideoX, pixels: torch.Tensor) -> torch.Tensor:
            seen.append(pixels.shape[2])
            return encode(network, pixels)

        monkeypatch.setattr(vae, "encode", counted)
        assert difference(vae.encode_mask(ours, still), expected) <= tolerance
        vae.encode_mask(ours, moving)
    assert seen == [1, 13]


@pytest.mark.parametrize(("dtype", "tolerance"), TYPES)
def test_channels_last_changes_no_pixel(ours: AutoencoderKLCogVideoX, dtype: torch.dtype, tolerance: float) -> None:
    pixels = torch.rand(1, 3, 5, 32, 32)
    ours = copy.deepcopy(ours).to(dtype)
    with torch.no_grad():
        latents = vae.encode(ours, pixels)
        frames = vae.decode(ours, latents)
        last = vae.channels_last(copy.deepcopy(ours))
        strides = [weight.stride()[1] for weight in last.parameters() if weight.dim() in (4, 5)]
        assert strides and all(stride == 1 for stride in strides)
        assert difference(vae.encode(last, pixels), latents) <= tolerance
        assert difference(vae.decode(last, latents), frames) <= tolerance
