"""Boxes, the ROI, and the geometry of fit and unfit."""

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from void_server.tiles import VOID_RASTER, Box, box_of, fit, plan_roi, unfit

edges = st.integers(-300, 300)
sides = st.integers(1, 400)
boxes = st.builds(lambda x, y, w, h: Box(x, y, x + w, y + h), edges, edges, sides, sides)


@given(boxes, boxes)
def test_overlap_and_union_bracket_both_boxes(one: Box, other: Box) -> None:
    union = one.joined(other)
    assert union.holds(one) and union.holds(other)
    shared = one.within(other)
    assert shared == other.within(one)
    if shared is not None:
        assert one.holds(shared) and other.holds(shared)


@given(boxes, edges, edges)
def test_moving_there_and_back_gives_the_same_box(box: Box, dx: int, dy: int) -> None:
    assert box.moved(dx, dy).moved(-dx, -dy) == box
    assert box.moved(dx, dy).size == box.size


def test_an_empty_box_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="empty"):
        Box(3, 3, 3, 9)


@given(boxes)
def test_the_box_of_a_mask_holds_exactly_its_pixels(box: Box) -> None:
    canvas = Box(-300, -300, 700, 700)
    mask = np.zeros(canvas.size, bool)
    area = box.moved(300, 300)
    mask[area.rows, area.columns] = True
    assert box_of(mask, (-300, -300)) == box
    assert box_of(np.zeros((4, 4), bool)) is None


canvases = st.sampled_from([(1920, 1080), (3840, 2160), (4096, 2160), (2048, 1556), (640, 480), (300, 200)])


@given(
    canvases,
    st.floats(0, 1),
    st.floats(0, 1),
    st.integers(4, 300),
    st.integers(4, 300),
    st.sampled_from([0.667, 1.0, 1.5, 2.0]),
)
def test_the_roi_holds_the_change_lies_in_the_canvas_and_has_the_rasters_aspect(
    canvas_size: tuple[int, int], at_x: float, at_y: float, width: int, height: int, pixel_aspect: float
) -> None:
    wide, high = canvas_size
    assume(width < wide and height < high)
    x, y = int(at_x * (wide - width)), int(at_y * (high - height))
    changed, canvas = Box(x, y, x + width, y + height), Box(0, 0, wide, high)
    roi = plan_roi(changed, canvas, VOID_RASTER, pixel_aspect)
    assert canvas.holds(roi) and roi.holds(changed)
    if roi != canvas and roi.width < wide and roi.height < high:
        # Squeezed by at most 2 % on the way to the raster.
        assert roi.width * pixel_aspect / roi.height == pytest.approx(672 / 384, rel=0.02)
        assert roi.height >= 384 and roi.width >= min(wide, 384)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from([(384, 672), (540, 960), (411, 719), (768, 1344), (1080, 1890), (900, 1400)]))
def test_fit_and_unfit_register_within_a_twentieth_of_a_pixel(size: tuple[int, int]) -> None:
    random = np.random.default_rng(size[0])
    small = cv2.GaussianBlur(random.random((size[0], size[1])).astype(np.float32), (0, 0), 3 * size[0] / 384)
    back = unfit(fit(small, VOID_RASTER), size)
    down, across = np.gradient(small)
    # First-order registration: back(x) = small(x - d), so the difference is -d times the slope.
    dx, dy = (-((back - small) * slope).sum() / (slope**2).sum() for slope in (across, down))
    assert abs(dx) < 0.05 and abs(dy) < 0.05


def test_fit_to_the_same_size_changes_nothing() -> None:
    picture = np.random.default_rng(0).random((384, 672, 3)).astype(np.float32)
    assert (fit(picture, VOID_RASTER) == picture).all() and (unfit(picture, VOID_RASTER) == picture).all()
