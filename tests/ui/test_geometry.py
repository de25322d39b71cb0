"""Where a plate lies in a viewer."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from void_plugin.ui.geometry import LARGEST, SMALLEST, Camera

sides = st.integers(1, 8000)
cameras = st.builds(
    Camera,
    st.tuples(sides, sides),
    st.tuples(st.integers(10, 4000), st.integers(10, 4000)),
    st.sampled_from((1.0, 2.0, 0.5)),
    st.one_of(st.just(0.0), st.floats(SMALLEST, LARGEST)),
    st.tuples(st.floats(0, 1), st.floats(0, 1)),
)


@given(cameras, st.floats(-100, 5000), st.floats(-100, 5000))
def test_to_the_plate_and_back_is_the_same_place(camera: Camera, x: float, y: float) -> None:
    assert camera.to_screen(*camera.to_plate(x, y)) == pytest.approx((x, y), abs=1e-3)


@given(cameras)
def test_a_fitted_plate_fills_the_window_in_one_direction_and_is_nowhere_cut(camera: Camera) -> None:
    camera = replace(camera, zoom=0.0)
    left, top = camera.to_screen(0, 0)
    right, bottom = camera.to_screen(camera.full[1], camera.full[0])
    high, wide = camera.screen
    assert left >= -1e-6 * wide and top >= -1e-6 * high
    assert right <= wide * (1 + 1e-6) and bottom <= high * (1 + 1e-6)
    assert right - left == pytest.approx(wide) or bottom - top == pytest.approx(high)
    assert camera.region() is None


@given(cameras, st.floats(0.3, 4), st.floats(0, 1), st.floats(0, 1))
def test_what_lies_below_the_pointer_stays_there_while_zooming(
    camera: Camera, factor: float, across: float, down: float
) -> None:
    x, y = across * camera.screen[1], down * camera.screen[0]
    assume(SMALLEST <= camera.scale[1] * factor <= LARGEST)
    before = camera.to_plate(x, y)
    assert camera.zoomed(factor, x, y).to_plate(x, y) == pytest.approx(before, rel=1e-4, abs=1e-2)


@given(cameras)
def test_a_picture_is_never_asked_for_larger_than_the_plate_or_much_larger_than_the_window(camera: Camera) -> None:
    height, width = camera.picture_size()
    if camera.zoom > 0:
        x0, y0, x1, y1 = camera.region() or (0, 0, camera.full[1], camera.full[0])
        assert height <= max(1, y1 - y0) and width <= max(1, x1 - x0)
    else:
        assert height <= camera.screen[0] + 1 and width <= camera.screen[1] + 1


@given(cameras)
def test_the_part_that_is_seen_lies_in_the_plate_and_covers_the_window(camera: Camera) -> None:
    region = camera.region()
    if region is None:
        return
    x0, y0, x1, y1 = region
    assert 0 <= x0 < x1 <= camera.full[1] and 0 <= y0 < y1 <= camera.full[0]
    left, top = camera.to_plate(0, 0)
    right, bottom = camera.to_plate(camera.screen[1], camera.screen[0])
    assert x0 <= max(0, left) + 1 and y0 <= max(0, top) + 1
    assert x1 >= min(camera.full[1], right) - 1 and y1 >= min(camera.full[0], bottom) - 1
