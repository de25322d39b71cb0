"""The short ways of `recover` give what the long ones gave."""

from __future__ import annotations

import numpy as np
import pytest

from void_server.engines.recover.costs import agree, lowest_plane
from void_server.engines.recover.flow import bends
from void_server.engines.recover.order import sort_rows
from void_server.engines.recover.pixels import brighten, difference, pasted, put, put_few, times
from void_server.engines.recover.pyramid import soften
from void_server.engines.recover.tone import median, medians
from void_server.tiles import whole_blocks

RANDOM = np.random.default_rng(5)


@pytest.mark.parametrize("count", [1, 2, 3, 10, 4001, 4002])
def test_the_median_is_that_of_numpy_to_the_bit(count: int) -> None:
    values = RANDOM.normal(0, 3, (count, 3)).astype(np.float32)
    assert median(values[:, 1]) == float(np.median(values[:, 1]))
    assert np.array_equal(medians(values), np.median(values, axis=0))


@pytest.mark.parametrize("count", [1, 2, 3, 7, 12, 23, 24])
def test_rows_are_sorted_column_by_column(count: int) -> None:
    values = RANDOM.normal(0, 1, (count, 5, 3)).astype(np.float32)
    values[count // 2, 2] = np.inf
    assert np.array_equal(sort_rows(values.copy()), np.sort(values, axis=0))


@pytest.mark.parametrize("side", [1, 2, 3])
def test_a_block_is_whole_where_no_pixel_of_it_is_missing(side: int) -> None:
    mask = RANDOM.random((12 * side, 8 * side)) < 0.8
    blocks = mask.reshape(12, side, 8, side).all(axis=(1, 3))
    assert np.array_equal(whole_blocks(mask, side), blocks)


def test_masks_and_weights_are_those_of_broadcasting() -> None:
    first, second = (RANDOM.normal(0, 1, (31, 17, 3)).astype(np.float32) for _ in range(2))
    where, weight = RANDOM.random((31, 17)) < 0.5, RANDOM.random((31, 17), np.float32)
    assert np.array_equal(pasted(first, where, second), np.where(where[..., None], first, second))
    assert np.array_equal(times(first, weight), first * weight[..., None])
    constant = np.array([0.5, -1.25, 3.0], np.float32)
    assert np.array_equal(difference(first, second, constant), first - second - constant)
    gained = first.copy()
    brighten(gained, constant)
    assert np.array_equal(gained, first * constant)
    onto = second.copy()
    put(onto[3:9, 2:11], first[3:9, 2:11], where[3:9, 2:11])
    expected = second.copy()
    expected[3:9, 2:11][where[3:9, 2:11]] = first[3:9, 2:11][where[3:9, 2:11]]
    assert np.array_equal(onto, expected)
    few = np.ascontiguousarray(second[3:9, 2:11][where[3:9, 2:11]])
    put_few(onto[3:9, 2:11], few, where[3:9, 2:11])
    assert np.array_equal(onto, second)


def test_the_lowest_plane_is_the_first_of_equals_and_knows_its_margin() -> None:
    costs = RANDOM.integers(0, 4, (3, 20, 30)).astype(np.float32)
    label, margin = lowest_plane(costs)
    assert np.array_equal(label, np.argmin(costs, axis=0))
    assert np.array_equal(margin, np.sort(costs, axis=0)[1] - costs.min(axis=0))


def test_two_planes_agree_as_two_of_three_do_when_the_third_is_hopeless() -> None:
    two = RANDOM.uniform(0, 20, (2, 48, 64)).astype(np.float32)
    three = np.concatenate([two, np.full((1, 48, 64), 400, np.float32)])
    assert np.allclose(agree(two, 6.0), agree(three, 6.0)[:2], atol=1e-3)


def test_a_bent_picture_is_worth_flow_and_a_noisy_one_is_not() -> None:
    texture = soften(RANDOM.normal(0, 300, (160, 200)).astype(np.float32), 3.0) + 118
    here, known = np.clip(texture, 0, 255).astype(np.uint8), np.ones((160, 200), bool)
    bent = np.concatenate([np.roll(here[:80], 1, axis=1), np.roll(here[80:], -1, axis=1)])
    assert bends(here, bent, 0.0, known)
    noisy = np.clip(here + RANDOM.normal(0, 6, here.shape), 0, 255).astype(np.uint8)
    assert not bends(here, noisy, 0.0, known)
