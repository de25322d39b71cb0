"""What the transformer is told about the shot."""

from __future__ import annotations

import torch

from void_server.engines.void.conditioning import REFERENCE_NOISE, as_video, mask_pixels, video_pixels

VALUES = torch.tensor([[[0, 63, 127, 255]]], dtype=torch.uint8)


def test_the_mask_has_three_levels_from_remove_to_keep() -> None:
    levels = mask_pixels(VALUES)
    assert levels.dtype == torch.float32 and levels.flatten().tolist() == [0.0, 0.0, 0.5019607543945312, 1.0]


def test_a_binary_mask_removes_what_is_affected_too() -> None:
    assert mask_pixels(VALUES, binary=True).flatten().tolist() == [0.0, 0.0, 0.0, 1.0]


def test_the_plate_is_shown_whole_in_the_range_of_the_vae() -> None:
    frames = torch.tensor([0.0, 0.5, 1.0]).reshape(1, 1, 1, 3)
    assert video_pixels(frames).flatten().tolist() == [-1.0, 0.0, 1.0]


def test_the_plate_gets_noise_but_black_does_not() -> None:
    frames = torch.rand(5, 16, 16, 3)
    frames[:, :8] = 0
    noise = torch.ones(1, 3, 5, 16, 16)
    plain, noisy = video_pixels(frames), video_pixels(frames, noise)
    torch.testing.assert_close(noisy[..., 8:, :], plain[..., 8:, :] + REFERENCE_NOISE)
    assert (noisy[..., :8, :] == -1).all()


def test_a_mask_is_three_equal_channels() -> None:
    mask = torch.rand(5, 8, 12)
    video = as_video(mask)
    assert video.shape == (1, 3, 5, 8, 12) and all((video[0, channel] == mask).all() for channel in range(3))
