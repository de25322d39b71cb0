"""Affected mattes made from the object matte: what each shape covers, and that none leaves the picture."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from void_plugin.errors import RequestError
from void_plugin.request import ImageInput, Output, RemovalRequest
from void_plugin.settings import RenderSettings
from void_server.affected import (
    CONTACT_GROW,
    CONTACT_SPREAD,
    DROP_WIDENING,
    FOOT,
    MOST_POINTS,
    SHADOW_LENGTH,
    Preset,
    ignored,
    object_box,
    points,
)
from void_server.footage import EMPTY_MATTE, Matte
from void_server.tiles import Box

CANVAS = Box(-10, 5, 150, 105)
PATH = ((20.0, 20.0), (90.0, 40.0), (120.0, 90.0))
PRESETS = [
    Preset("contact"),
    Preset("shadow"),
    Preset("shadow", 60.0),
    Preset("shadow", -90.0),
    Preset("reflection"),
    Preset("drop"),
    Preset("path", path=PATH),
]


@st.composite
def objects(draw: st.DrawFn) -> Matte:
    """A random blob somewhere on the canvas or across its edge."""
    wide, high = draw(st.integers(1, 60)), draw(st.integers(1, 60))
    x0, y0 = draw(st.integers(-30, 149)), draw(st.integers(-20, 104))
    values = np.random.default_rng(draw(st.integers(0, 99))).random((high, wide)).astype(np.float32)
    return Matte(Box(x0, y0, x0 + wide, y0 + high), values)


def made(preset: Preset, *mattes: Matte, canvas: Box = CANVAS) -> Matte:
    """The affected matte of the last frame of a shot with these object mattes."""
    if not preset.is_dynamic:
        return preset.of_frame(mattes[-1], canvas)
    return preset.of_shot([box for matte in mattes if (box := object_box(matte)) is not None], canvas)


def on(canvas: Box, matte: Matte) -> np.ndarray[Any, Any]:
    return matte.within(canvas) > 0.1


def solid(x0: int, y0: int, x1: int, y1: int) -> Matte:
    return Matte(Box(x0, y0, x1, y1), np.ones((y1 - y0, x1 - x0), np.float32))


def request(**changes: Any) -> RemovalRequest:
    values: dict[str, Any] = {
        "plate": ImageInput("/s/plate.%04d.exr"),
        "object_matte": ImageInput("/s/matte.%04d.exr"),
        "outputs": (Output("patch", "/s/out/result.%04d.exr"),),
    }
    return RemovalRequest(**{**values, **changes})


# -- every shape -----------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(objects(), st.sampled_from(PRESETS))
def test_a_shape_is_0_or_1_inside_the_picture_and_cropped(matte: Matte, preset: Preset) -> None:
    shape = made(preset, matte)
    if shape.box is None:
        assert shape.values.size == 0
        return
    assert CANVAS.holds(shape.box) and shape.values.shape == shape.box.size
    assert shape.values.dtype == np.float32 and set(np.unique(shape.values)) <= {0.0, 1.0}
    assert shape.values.any(axis=1)[[0, -1]].all() and shape.values.any(axis=0)[[0, -1]].all()


@settings(deadline=None)
@given(objects(), st.sampled_from(PRESETS), st.integers(-500, 500), st.integers(-500, 500))
@example(Matte(Box(0, 0, 1, 45), np.ones((45, 1), np.float32)), Preset("shadow"), 4, 0)
@example(Matte(Box(0, 0, 1, 45), np.ones((45, 1), np.float32)), Preset("shadow"), -3, 1)
def test_a_shape_moves_with_the_picture(matte: Matte, preset: Preset, dx: int, dy: int) -> None:
    assert matte.box is not None
    moved = Preset(preset.name, preset.angle, tuple((x + dx, y + dy) for x, y in preset.path))
    there = made(moved, Matte(matte.box.moved(dx, dy), matte.values), canvas=CANVAS.moved(dx, dy))
    here = made(preset, matte)
    assert there.box == (None if here.box is None else here.box.moved(dx, dy))
    assert (there.values == here.values).all()


@pytest.mark.parametrize("preset", PRESETS)
def test_nothing_is_affected_by_an_empty_or_a_faint_matte(preset: Preset) -> None:
    faint = Matte(Box(20, 20, 40, 40), np.full((20, 20), 0.09, np.float32))
    assert made(preset, EMPTY_MATTE).box is None and made(preset, faint).box is None


@pytest.mark.parametrize("preset", PRESETS)
def test_an_object_as_large_as_the_picture_makes_a_shape_that_fits(preset: Preset) -> None:
    whole = Matte(CANVAS, np.ones(CANVAS.size, np.float32))
    shape = made(preset, whole)
    assert shape.box is None or CANVAS.holds(shape.box)
    if preset.name in ("contact", "reflection"):
        assert shape.box is None, "there is no ground and no water in this picture"


# -- contact ---------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(objects())
def test_contact_is_a_ring_around_the_object_without_the_object(matte: Matte) -> None:
    box = object_box(matte)
    if box is None:
        return
    inside, ring = on(CANVAS, matte), on(CANVAS, made(Preset("contact"), matte))
    assert not (inside & ring).any()
    reach = max(CONTACT_GROW * box.height, 1.0)
    rows, columns = np.mgrid[CANVAS.y0 : CANVAS.y1, CANVAS.x0 : CANVAS.x1]
    shift_y, shift_x = np.nonzero(matte.values > 0.1)
    assert matte.box is not None
    for y, x in list(zip(shift_y + matte.box.y0, shift_x + matte.box.x0, strict=True))[:: max(1, shift_y.size // 20)]:
        near = np.hypot(rows - y, columns - x) <= reach
        assert (ring | inside)[near].all()


def test_the_ground_around_the_foot_is_affected_to_both_sides_and_down() -> None:
    ring = on(CANVAS, made(Preset("contact"), solid(50, 20, 70, 70)))  # 50 high: the foot is 8 rows, spread is 4
    assert round(CONTACT_SPREAD * 50) == 4 and round(FOOT * 50) == 8
    rows, columns = np.nonzero(ring)
    assert columns.min() + CANVAS.x0 == 46 and columns.max() + CANVAS.x0 == 73
    assert rows.max() + CANVAS.y0 == 73 and ring[68 - CANVAS.y0, 46 - CANVAS.x0]
    assert not ring[50 - CANVAS.y0, 46 - CANVAS.x0], "beside the middle only the ring of 3 pixels is"


def test_a_small_object_has_a_ring_that_a_large_plate_shows() -> None:
    large = Box(0, 0, 1920, 1080)
    ring = made(Preset("contact"), solid(900, 500, 910, 510), canvas=large)
    assert ring.box == Box(885, 485, 925, 525)


# -- shadow ----------------------------------------------------------------------------------------------------------


def spread_of(angle: float) -> tuple[float, float]:
    """How far a shadow reaches to the left and to the right of its object, which is 40 high."""
    shape = made(Preset("shadow", angle), solid(60, 10, 70, 50), canvas=Box(-200, -200, 400, 400))
    assert shape.box is not None
    assert shape.box.height <= 6 + SHADOW_LENGTH * 40 * 2 and shape.box.y1 <= 50 + SHADOW_LENGTH * 40 + 1
    return 60.0 - shape.box.x0, shape.box.x1 - 70.0


def test_a_shadow_leans_to_both_sides_unless_an_angle_says_where() -> None:
    left, right = spread_of(0.0)
    assert left == right == pytest.approx(24 * math.sin(math.radians(30)), abs=1)
    left, right = spread_of(45.0)
    assert left == 0 and right == pytest.approx(24 * math.sin(math.radians(55)), abs=1)
    assert spread_of(-45.0) == (right, left)
    left, right = spread_of(90.0)
    assert left == 0 and right == pytest.approx(24, abs=1)


@settings(deadline=None)
@given(objects(), st.floats(-90, 90))
@example(Matte(Box(0, 0, 1, 7), np.ones((7, 1), np.float32)), 44.0)
def test_a_shadow_begins_at_the_foot_and_holds_its_middle_line(matte: Matte, angle: float) -> None:
    box = object_box(matte)
    if box is None:
        return
    wide = Box(-300, -300, 500, 500)
    shape = on(wide, made(Preset("shadow", angle), matte, canvas=wide))
    rows = max(1, round(FOOT * box.height))
    foot = on(wide, matte)
    foot[: box.y1 - rows - wide.y0] = False
    assert shape[foot].all()
    y, x = np.argwhere(foot).mean(axis=0)
    for share in (0.0, 0.5, 0.95):
        length = share * SHADOW_LENGTH * box.height
        lean = math.radians(angle)
        row, column = round(y + length * math.cos(lean)), round(x + length * math.sin(lean))
        # A pixel around, because corners are rounded to whole pixels, and so is this place.
        assert shape[row - 1 : row + 2, column - 1 : column + 2].any()


# -- reflection ------------------------------------------------------------------------------------------------------


def test_a_reflection_is_the_lower_half_upside_down() -> None:
    values = np.zeros((20, 30), np.float32)
    values[0, :] = values[:, 10:14] = 1
    values[15, 5:20] = 0.5
    shape = on(CANVAS, made(Preset("reflection"), Matte(Box(40, 30, 70, 50), values)))
    whole = np.zeros(CANVAS.size, bool)
    whole[45 : 45 + 10, 50:80] = values[:9:-1] > 0.1
    assert (shape == whole).all() and shape.any()


# -- drop and path ---------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.lists(objects(), min_size=1, max_size=4))
def test_a_drop_holds_the_way_down_from_every_frame_and_nothing_above_the_feet(mattes: list[Matte]) -> None:
    boxes = [box for matte in mattes if (box := object_box(matte)) is not None]
    shape = on(CANVAS, made(Preset("drop"), *mattes))
    expected = np.zeros(CANVAS.size, bool)
    rows, columns = np.mgrid[CANVAS.y0 : CANVAS.y1, CANVAS.x0 : CANVAS.x1]
    for box in boxes:
        wider = round(DROP_WIDENING / 2 * box.width)
        below = rows >= box.y1 - max(1, round(FOOT * box.height))
        expected |= below & (columns >= box.x0 - wider) & (columns < box.x1 + wider)
    assert (shape == expected).all()


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(-40, 200), st.integers(-40, 150)), min_size=1, max_size=5),
    st.integers(1, 40),
    st.integers(1, 40),
)
def test_a_path_holds_the_box_at_every_place_between_its_points(
    path: list[tuple[int, int]], wide: int, high: int
) -> None:
    boxes = [Box(0, 0, wide, 1), Box(3, 4, 4, 4 + high)]
    shape = on(CANVAS, Preset("path", path=tuple((float(x), float(y)) for x, y in path)).of_shot(boxes, CANVAS))
    for (x0, y0), (x1, y1) in zip(path, path[1:] or path, strict=False):
        for share in (0.0, 0.25, 0.5, 1.0):
            x, y = x0 + share * (x1 - x0), y0 + share * (y1 - y0)
            # A pixel less, because corners are rounded to whole pixels.
            left, top = math.floor(x - wide / 2) + 1, math.floor(y - high / 2) + 1
            if wide > 2 and high > 2:
                inner = Box(left, top, left + wide - 2, top + high - 2).within(CANVAS)
                if inner is not None:
                    area = inner.moved(-CANVAS.x0, -CANVAS.y0)
                    assert shape[area.rows, area.columns].all()


@settings(deadline=None)
@given(st.lists(objects(), min_size=1, max_size=5), st.sampled_from([Preset("drop"), Preset("path", path=PATH)]))
def test_the_order_and_number_of_equal_boxes_do_not_matter(mattes: list[Matte], preset: Preset) -> None:
    one, other = made(preset, *mattes), made(preset, *reversed(mattes), *mattes)
    assert one.box == other.box and (one.values == other.values).all()


# -- what the request says -------------------------------------------------------------------------------------------


def test_an_affected_matte_or_a_quadmask_wins_and_is_told() -> None:
    contact = RenderSettings(affected_preset="contact")
    assert Preset.of(request(settings=contact)) == Preset("contact") and not ignored(request(settings=contact))
    drawn = request(settings=contact, affected_matte=ImageInput("/s/affected.%04d.exr"))
    assert Preset.of(drawn) == Preset() and "contact" in ignored(drawn) and "an affected matte" in ignored(drawn)
    ready = request(settings=contact, object_matte=None, quadmask=ImageInput("/s/quad.%04d.exr"))
    assert Preset.of(ready) == Preset() and "a quadmask" in ignored(ready)
    plain = request(affected_matte=ImageInput("/s/affected.%04d.exr"))
    assert Preset.of(plain) == Preset() and not ignored(plain)


@given(st.lists(st.tuples(st.integers(-99999, 99999), st.integers(0, 99)), min_size=1, max_size=20))
def test_a_path_is_read_as_it_is_written(path: list[tuple[int, int]]) -> None:
    text = "  ".join(f"{x},{y / 10}" for x, y in path)
    assert points(text) == tuple((float(x), y / 10) for x, y in path)


@pytest.mark.parametrize(
    "text",
    ["", "  ", "10", "10,", ",10", "10 20", "10, 20", "a,b", "nan,1", "1,inf", "1e3,2", "1,2,3", "1,2 3", "100001,5",
     "9" * 400 + ",1", "١,٢"],
)  # fmt: skip
def test_a_path_that_says_nothing_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(RequestError, match="960,400 1010,700"):
        points(text)


def test_a_path_has_an_end() -> None:
    assert len(points("1,2 " * MOST_POINTS)) == MOST_POINTS
    with pytest.raises(RequestError, match=str(MOST_POINTS)):
        points("1,2 " * (MOST_POINTS + 1))
