"""The short ways of `recover` give what the long ones gave."""

from __future__ import annotations

import numpy as np
import pytest

from void_server.engines.recover import flow as recover_flow
from void_server.engines.recover.costs import agree, lowest_plane
from void_server.engines.recover.flow import residual_flow
from void_server.engines.recover.motion import Bytes
from void_server.engines.recover.order import sort_rows
from void_server.engines.recover.pixels import brighten, difference, pasted, put, put_few, times
from void_server.engines.recover.pyramid import Floats, soften, spread
from void_server.engines.recover.shot import Shot
from void_server.engines.recover.tone import median, medians
from void_server.tiles import Box, whole_blocks

RANDOM = np.random.default_rng(5)


@pytest.mark.parametrize("count", [1, 2, 3, 10, 4001, 4002, 50_001, 50_002])
def test_the_median_is_that_of_numpy_to_the_bit(count: int) -> None:
    values = RANDOM.normal(0, 3, (count, 3)).astype(np.float32)
    assert median(values[:, 1]) == float(np.median(values[:, 1]))
    assert np.array_equal(medians(values), np.median(values, axis=0))


@pytest.mark.parametrize("count", [2, 3, 64, 65, 1000, 1001, 6000, 40_000, 40_001])
def test_the_median_of_few_kinds_of_values_is_that_of_numpy(count: int) -> None:
    few = np.round(RANDOM.normal(0, 2, count)).astype(np.float32)
    halves = np.arange(count, dtype=np.float32) % 2
    mostly = np.where(RANDOM.random(count) < 0.55, np.float32(1), RANDOM.normal(1, 0.1, count)).astype(np.float32)
    for values in (few, halves, np.sort(halves), mostly, np.sort(mostly), np.ones(count, np.float32)):
        assert median(values) == float(np.median(values))


def test_the_median_is_found_where_few_of_the_values_mislead() -> None:
    values = RANDOM.normal(0, 1, 50_000).astype(np.float32)
    values[:: int(len(values) ** (1 / 3)) | 1] += 9
    assert median(values) == float(np.median(values))


@pytest.mark.parametrize("size", [(1, 1), (33, 1), (1, 6), (31, 48)])
@pytest.mark.parametrize("channels", [(), (1,), (2,), (3,)])
def test_what_is_known_is_kept_and_continued_each_channel_by_itself(
    size: tuple[int, int], channels: tuple[int, ...]
) -> None:
    values = RANDOM.normal(0, 3, (*size, *channels)).astype(np.float32)
    known = (RANDOM.random(size) < 0.3).astype(np.float32)
    known[0, 0] = 1
    found = spread(values, known)
    assert found.shape == values.shape
    assert np.array_equal(found[known > 0], values[known > 0])
    assert found.min() >= values[known > 0].min() - 1e-4
    assert found.max() <= values[known > 0].max() + 1e-4
    for index in range(sum(channels)):
        alone = spread(np.ascontiguousarray(values[..., index]), known)
        assert np.allclose(found[..., index], alone, atol=1e-5)


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


def shot_of(*lumas: Bytes) -> Shot:
    """A shot of these proxies, all of which may be used, without any known motion."""
    count, height, width = len(lumas), *lumas[0].shape
    still, cells = np.stack([np.eye(3)] * count), np.ones((count, 4, 5), np.uint8)
    return Shot(
        numbers=tuple(range(count)), size=(2 * height, 2 * width), factor=2, knee=0.1, luma=np.stack(lumas),
        usable_bits=np.packbits(np.ones((count, height, width), np.uint8), axis=-1),
        corners=np.zeros((count, 1, 2), np.float32), corner_counts=np.zeros(count, np.int64),
        chain=still, second_chain=still, segments=np.zeros(count, np.int64), locked=np.zeros(count, np.uint8),
        clean=np.zeros(count, np.uint8), coarse_seen=cells, coarse_hole=cells,
    )  # fmt: skip


def test_a_bent_picture_is_followed_and_one_of_other_noise_or_light_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    texture = soften(RANDOM.normal(0, 300, (160, 200)).astype(np.float32), 3.0) + 118
    here = np.clip(texture, 0, 255).astype(np.uint8)
    bent = np.concatenate([np.roll(here[:80], 1, axis=1), np.roll(here[80:], -1, axis=1)])
    noisy = np.clip(here + RANDOM.normal(0, 6, here.shape), 0, 255).astype(np.uint8)
    lit = np.clip(here * np.linspace(0.9, 1.1, 200), 0, 255).astype(np.uint8)
    shot = shot_of(here, bent, noisy, lit)

    def flow(source: int, box: Box) -> Floats | None:
        found, error = residual_flow(shot, 0, source, np.eye(3), box)
        assert np.isfinite(error).all()
        return found

    inside = Box(3, 2, 197, 158)
    followed = flow(1, inside)
    assert followed is not None
    assert np.median(followed[20:60, 20:-20, 0]) > 0.7
    assert np.median(followed[-60:-20, 20:-20, 0]) < -0.7
    for small in (Box(40, 30, 64, 54), Box(0, 30, 200, 54), Box(40, 0, 64, 160)):
        assert flow(1, small) is None
    for larger in (Box(40, 30, 72, 62), Box(0, 30, 200, 62), Box(40, 0, 72, 160)):
        flow(1, larger)
    monkeypatch.setattr(recover_flow, "CLOSELY", None)  # a glance is enough
    assert flow(2, inside) is None
    assert flow(3, inside) is None
