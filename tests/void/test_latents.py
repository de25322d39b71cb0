"""Latent frames, windows and their weights."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from void_server.engines.void.latents import Window, blend_weights, frames_of, latent_count, latent_windows

COUNTS = st.integers(1, 120).map(lambda half: 2 * half)


@pytest.mark.parametrize(
    ("count", "edges"),
    [
        (22, [(0, 22)]),
        (24, [(0, 22), (18, 24)]),
        (26, [(0, 22), (18, 26)]),
        (40, [(0, 22), (18, 40)]),
        (42, [(0, 22), (18, 40), (36, 42)]),
        (50, [(0, 22), (18, 40), (36, 50)]),
    ],
)
def test_windows_are_those_of_upstream(count: int, edges: list[tuple[int, int]]) -> None:
    assert latent_windows(count) == [Window(first, last) for first, last in edges]


def test_the_last_window_can_be_pulled_back_to_full_length() -> None:
    assert latent_windows(26, whole_last=True) == [Window(0, 22), Window(4, 26)]
    assert latent_windows(50, whole_last=True) == [Window(0, 22), Window(18, 40), Window(28, 50)]


@given(COUNTS, st.booleans())
def test_windows_cover_the_clip_with_even_lengths_and_overlaps_of_at_least_4(count: int, whole: bool) -> None:
    windows = latent_windows(count, whole_last=whole)
    assert windows[0].first == 0 and windows[-1].last == count
    for before, after in pairwise(windows):
        assert before.first < after.first and before.last - after.first >= 4
    assert all(window.length % 2 == 0 and window.length <= 22 for window in windows)
    if whole and count >= 22:
        assert all(window.length == 22 for window in windows)


@given(COUNTS)
def test_weights_of_a_latent_add_up_to_one(count: int) -> None:
    windows = latent_windows(count)
    total = np.zeros(count, np.float32)
    for window, weights in zip(windows, blend_weights(windows), strict=True):
        total[window.first : window.last] += weights
    np.testing.assert_allclose(total, 1, atol=1e-6)


@given(COUNTS)
def test_every_latent_has_weight_when_the_last_window_is_pulled_back(count: int) -> None:
    windows = latent_windows(count, whole_last=True)
    total = np.zeros(count, np.float32)
    for window, weights in zip(windows, blend_weights(windows), strict=True):
        assert (weights > 0).all() and (weights <= 1).all()
        total[window.first : window.last] += weights
    assert (total > 0.1).all()


def test_overlaps_ramp_by_fifths() -> None:
    first, second = blend_weights(latent_windows(40))
    np.testing.assert_allclose(first[-5:], [1, 0.8, 0.6, 0.4, 0.2], atol=1e-6)
    np.testing.assert_allclose(second[:5], [0.2, 0.4, 0.6, 0.8, 1], atol=1e-6)


@given(COUNTS)
def test_frames_of_windows_are_all_frames(count: int) -> None:
    frames = 4 * (count - 1) + 1
    assert latent_count(frames) == count
    seen = {frame for window in latent_windows(count) for frame in range(frames)[frames_of(window)]}
    assert seen == set(range(frames))


def test_a_latent_after_the_first_is_four_frames() -> None:
    assert frames_of(Window(0, 2)) == slice(0, 5)
    assert frames_of(Window(18, 22)) == slice(69, 85)
