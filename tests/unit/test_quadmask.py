"""Mattes to labels and weights."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from void_server.engines import AFFECTED, KEEP, OVERLAP, REMOVE
from void_server.quadmask import Reach, combine, exact, raster_labels, snapped, split_quadmask, weights

masks = hnp.arrays(bool, st.tuples(st.integers(8, 40), st.integers(8, 60)))


def disc(size: tuple[int, int], x: float, y: float, radius: float) -> np.ndarray:
    rows, columns = np.mgrid[: size[0], : size[1]]
    return (np.hypot(columns - x, rows - y) < radius).astype(np.float32)


@given(masks)
def test_combining_gives_the_four_labels_by_definition(remove: np.ndarray) -> None:
    affected = np.roll(remove, 3, axis=1)
    labels = combine(remove, affected)
    assert ((labels == OVERLAP) == (remove & affected)).all()
    assert ((labels == REMOVE) == (remove & ~affected)).all()
    assert ((labels == AFFECTED) == (affected & ~remove)).all()
    assert ((labels == KEEP) == (~affected & ~remove)).all()


@settings(deadline=None)
@given(masks, st.integers(64, 4096))
def test_weights_are_one_on_the_matte_and_exactly_zero_beyond_twelve_pixels_at_1920(
    mask: np.ndarray, width: int
) -> None:
    import cv2

    reach = Reach.for_width(width)
    weight = weights(mask, None, reach)
    assert (weight[mask] == 1).all() and weight.min() >= 0 and weight.max() <= 1
    if mask.any():
        distance = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        assert (weight[distance > 12 * width / 1920] == 0).all()
        # Farther away never weighs more.
        order = np.argsort(distance.ravel())
        assert (np.diff(weight.ravel()[order]) <= 1e-6).all()
    else:
        assert (weight == 0).all()


@settings(deadline=None)
@given(hnp.arrays(bool, st.tuples(st.integers(1, 24), st.integers(1, 24))), st.sampled_from((640, 1920, 3840)))
def test_a_weight_comes_from_the_exact_distance_to_the_matte(mask: np.ndarray, width: int) -> None:
    reach = Reach.for_width(width)
    expected = mask.astype(np.float32)
    places = np.argwhere(mask)
    for pixel in np.argwhere(~mask) if len(places) else ():
        distance = np.sqrt(np.float32(((places - pixel) ** 2).sum(axis=1).min()))
        past = np.clip((distance - reach.grow) / reach.feather, 0, 1).astype(np.float32)
        expected[tuple(pixel)] = 1 - past * past * (3 - 2 * past)
    found = weights(mask, None, reach)
    assert np.array_equal(found.view(np.uint32), expected.view(np.uint32))


def test_the_holdout_is_exactly_zero_however_faint() -> None:
    matte, holdout = disc((60, 60), 30, 30, 15), np.zeros((60, 60), np.float32)
    holdout[:, 30:] = 6e-8
    weight = weights(matte > 0, holdout, Reach.for_width(1920))
    assert (weight[:, 30:] == 0).all() and weight[:, :30].max() == 1


def test_distances_are_exact_and_those_to_nothing_end() -> None:
    found = exact(np.array([0, 1.0000002, 2.2360678, 141.42134, np.finfo(np.float32).max], np.float32))
    assert found.tolist() == np.sqrt(np.array([0, 1, 5, 20000, 4096.0**2], np.float32)).tolist()


@given(masks)
def test_of_two_cores_the_larger_weight_counts(mask: np.ndarray) -> None:
    other, reach = np.roll(mask, (5, 9), axis=(0, 1)), Reach.for_width(640)
    both = np.maximum(weights(mask, None, reach), weights(other, None, reach))
    assert np.array_equal(both, weights(mask | other, None, reach))


@given(masks)
def test_snapping_fills_whole_cells_and_touches_no_other(mask: np.ndarray) -> None:
    result = snapped(mask)
    assert (result | ~mask).all()
    assert (snapped(result) == result).all()


def test_the_grid_of_the_raster_has_48_pixel_cells() -> None:
    mask = np.zeros((384, 672), bool)
    mask[100, 100] = True
    rows, columns = np.nonzero(snapped(mask))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (96, 143, 96, 143)


def test_raster_labels_grow_the_object_by_three() -> None:
    size = (384, 672)
    matte, affected, none = disc(size, 300, 200, 20), disc(size, 400, 300, 10), np.zeros(size, np.float32)
    labels = raster_labels(matte, affected, none, snaps_grid=True)
    assert (labels == AFFECTED).any()
    removed = (labels == REMOVE) | (labels == OVERLAP)
    assert removed[200, 300 + 22] and not removed[200, 300 + 24]


def test_a_faint_matte_counts_on_the_raster_from_a_tenth() -> None:
    size = (64, 96)
    flat = np.zeros(size, np.float32)
    flat[30:34, 30:34] = 0.11
    none = np.zeros(size, np.float32)
    assert (raster_labels(flat, none, none, snaps_grid=False) == REMOVE).any()
    assert not (raster_labels(flat * 0.8, none, none, snaps_grid=False) == REMOVE).any()


@pytest.mark.parametrize("scale", [1.0, 1 / 255])
def test_a_ready_quadmask_is_split_at_upstreams_edges(scale: float) -> None:
    codes = np.array([[0, 31, 32, 63, 95, 96, 127, 191, 192, 255]], np.float32)
    remove, affected = split_quadmask(codes * np.float32(scale))
    assert remove[0].tolist() == [1, 1, 1, 1, 1, 0, 0, 0, 0, 0]
    assert affected[0].tolist() == [0, 0, 1, 1, 1, 1, 1, 1, 0, 0]
