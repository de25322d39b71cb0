"""Boxes, the ROI, and the geometry of fit and unfit."""

import tracemalloc

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shots import Array

from void_server.resample import Method, Picture
from void_server.tiles import VOID_RASTER, Box, box_of, enlarged, fit, plan_roi, unfit

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


@given(boxes, st.integers(1, 32))
def test_a_snapped_box_holds_the_box_and_is_less_than_a_step_larger_on_any_side(box: Box, step: int) -> None:
    found = box.snapped(step)
    corners = np.array([found.x0, found.y0, found.x1, found.y1])
    assert not (corners % step).any()
    assert found.holds(box) and (np.abs(corners - [box.x0, box.y0, box.x1, box.y1]) < step).all()


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


canvases = st.sampled_from(
    [
        Box(0, 0, 1920, 1080),
        Box(0, 0, 7680, 4320),
        Box(-96, -54, 4192, 2214),  # overscan: more than the display window shows
        Box(0, 0, 2048, 1556),
        Box(7, 3, 1926, 1082),  # odd sizes, a data window of its own
        Box(0, 0, 640, 480),
        Box(0, 0, 300, 200),
        Box(0, 0, 61, 1200),
    ]
)
shares = st.floats(0, 1)
aspects = st.sampled_from([0.667, 1.0, 1.5, 2.0])


@given(canvases, shares, shares, shares, shares, aspects)
def test_the_roi_holds_the_change_lies_in_the_canvas_and_has_the_rasters_aspect(
    canvas: Box, at_x: float, at_y: float, width: float, height: float, pixel_aspect: float
) -> None:
    wide, high = 1 + round(width * (canvas.width - 1)), 1 + round(height * (canvas.height - 1))
    x, y = (canvas.x0 + round(at_x * (canvas.width - wide)), canvas.y0 + round(at_y * (canvas.height - high)))
    changed = Box(x, y, x + wide, y + high)
    roi = plan_roi(changed, canvas, VOID_RASTER, pixel_aspect)
    assert canvas.holds(roi) and roi.holds(changed)
    assert roi.height >= min(384, canvas.height) and roi.width >= min(672, canvas.width), "enlarged without need"
    if roi.width < canvas.width and roi.height < canvas.height:
        # Squeezed by at most 2 % on the way to the raster.
        assert roi.width * pixel_aspect / roi.height == pytest.approx(672 / 384, rel=0.02)


@pytest.mark.parametrize("pixel_aspect", [0.667, 1.0, 1.5, 2.0])
def test_a_small_change_gets_no_bigger_roi_than_the_raster_asks_for(pixel_aspect: float) -> None:
    roi = plan_roi(Box(4000, 2000, 4040, 2040), Box(0, 0, 7680, 4320), VOID_RASTER, pixel_aspect)
    assert roi.width == pytest.approx(672 * max(1, 1 / pixel_aspect), abs=2)
    assert roi.height == pytest.approx(384 * max(1, pixel_aspect), abs=2)


@pytest.mark.parametrize("canvas", [Box(0, 0, 1920, 1080), Box(0, 0, 300, 200), Box(-5, -7, 641, 350)])
def test_a_matte_over_the_whole_frame_makes_the_whole_frame_the_roi(canvas: Box) -> None:
    assert plan_roi(canvas, canvas, VOID_RASTER, 1.0) == canvas


def texture(size: tuple[int, int], seed: int = 0) -> Picture:
    """Something with detail a few raster pixels wide."""
    noise = np.random.default_rng(seed).random(size, np.float32)
    return cv2.GaussianBlur(noise, (0, 0), sigmaX=3 * size[1] / 672, sigmaY=3 * size[0] / 384)


def shift(one: Picture, other: Picture) -> Array:
    """By how many pixels (y, x) the other lies off, by the slope of the phase between them at low frequencies."""
    window = np.outer(*(np.hanning(side) for side in one.shape))
    spectra = [np.fft.rfft2((picture - picture.mean()) * window)[:12, :12] for picture in (one, other)]
    cross = spectra[0] * np.conj(spectra[1])
    steps = np.stack(np.meshgrid(*(2 * np.pi * np.arange(12) / side for side in one.shape), indexing="ij"), -1)
    weight = np.sqrt(np.abs(cross)).ravel()
    slopes = np.linalg.lstsq(steps.reshape(-1, 2) * weight[:, None], np.angle(cross).ravel() * weight, rcond=None)[0]
    return np.asarray(slopes)


def test_the_measure_of_a_shift_sees_one() -> None:
    picture = texture((384, 672))
    assert shift(picture[:, 1:], picture[:, :-1]) == pytest.approx([0, 1], abs=0.05)


SIZES = [(384, 672), (540, 960), (411, 719), (768, 1344), (1080, 1890), (900, 1400), (769, 673), (401, 1601)]


@pytest.mark.parametrize("size", SIZES)
def test_fit_and_unfit_register_within_a_twentieth_of_a_pixel(size: tuple[int, int]) -> None:
    picture = texture(size)
    back = unfit(fit(picture, VOID_RASTER), size)
    down, across = np.gradient(picture)
    # First-order registration: back(x) = picture(x - d), so the difference is -d times the slope.
    dx, dy = (-((back - picture) * slope).sum() / (slope**2).sum() for slope in (across, down))
    assert abs(dx) < 0.05 and abs(dy) < 0.05
    assert np.abs(shift(picture, back)).max() < 0.05


lengths = st.integers(1, 40)
pairs = st.tuples(lengths, lengths)


@given(pairs, pairs)
def test_fit_and_unfit_mirror_as_the_picture_does(there: tuple[int, int], wanted: tuple[int, int]) -> None:
    """So neither shifts anything, whatever the two sizes."""
    picture = np.random.default_rng(1).random(there, np.float32)
    for way in (fit, unfit):
        turned = np.ascontiguousarray(picture[::-1, ::-1])
        assert np.abs(way(turned, wanted)[::-1, ::-1] - way(picture, wanted)).max() < 4e-3


@given(st.data(), pairs, pairs, st.integers(0, 8), st.sampled_from(["cubic", "linear"]))
def test_a_box_is_cut_from_the_whole(
    data: st.DataObject, there: tuple[int, int], wanted: tuple[int, int], channels: int, method: Method
) -> None:
    picture = np.random.default_rng(2).normal(size=there + ((channels,) if channels else ())).astype(np.float32)
    x0, y0 = data.draw(st.integers(0, wanted[1] - 1)), data.draw(st.integers(0, wanted[0] - 1))
    box = Box(x0, y0, data.draw(st.integers(x0 + 1, wanted[1])), data.draw(st.integers(y0 + 1, wanted[0])))
    whole, part = enlarged(picture, wanted, method=method), enlarged(picture, wanted, box, method)
    assert whole.shape == wanted + picture.shape[2:] and part.dtype == np.float32
    assert (part.view(np.uint32) == whole[box.rows, box.columns].view(np.uint32)).all()
    assert (unfit(picture, wanted, box) == unfit(picture, wanted)[box.rows, box.columns]).all()


def test_a_box_beyond_the_whole_is_refused() -> None:
    with pytest.raises(ValueError, match="beyond"):
        unfit(np.zeros((4, 4), np.float32), (8, 8), Box(2, 2, 9, 8))


@given(pairs, pairs, st.sampled_from(["cubic", "linear"]))
def test_a_flat_picture_stays_flat(there: tuple[int, int], wanted: tuple[int, int], method: Method) -> None:
    assert enlarged(np.full(there, 0.3, np.float32), wanted, method=method) == pytest.approx(0.3, rel=1e-6)


@given(st.integers(30, 90), st.integers(30, 400))
def test_a_ramp_stays_a_ramp(there: int, wanted: int) -> None:
    """Exactly by lines; to a twentieth of a pixel's step by cubics (SHARPNESS), to an eighth by areas cut in two."""
    step = np.float32(1 / there)
    ramp = np.repeat((np.arange(there, dtype=np.float32)[None] + 0.5) * step, 3, axis=0)
    here = (np.arange(wanted) + 0.5) / wanted
    inside = (here > 2.5 * step) & (here < 1 - 2.5 * step)
    for method, most in (("linear", 1e-6), ("cubic", 0.052 * step)):
        got = enlarged(ramp, (3, wanted), None, method)[1]
        assert np.abs(got - here)[inside].max() <= (most if wanted >= there else 0.126 * step)


@pytest.mark.parametrize("size", SIZES)
def test_a_ramp_survives_fit_and_unfit(size: tuple[int, int]) -> None:
    down, across = np.meshgrid(*(np.linspace(0, 0.5, side, dtype=np.float32) for side in size), indexing="ij")
    back = unfit(fit(down + across, VOID_RASTER), size)
    assert np.abs(back - down - across)[16:-16, 16:-16].max() < 1.4e-4


def test_lines_and_cubics_are_those_of_opencv() -> None:
    picture = np.random.default_rng(3).random((37, 53, 3), np.float32)
    for method, named in (("cubic", cv2.INTER_CUBIC), ("linear", cv2.INTER_LINEAR)):
        known = cv2.resize(picture, (131, 97), interpolation=named)
        assert np.abs(enlarged(picture, (97, 131), None, method) - known).max() < 1e-5
    assert (
        np.abs(enlarged(picture, (11, 17)) - cv2.resize(picture, (17, 11), interpolation=cv2.INTER_AREA)).max() < 2e-3
    )


def test_a_side_that_grows_and_one_that_shrinks_go_their_own_ways() -> None:
    """A frame wide and low is averaged across and interpolated down: no pixel of it is passed over."""
    picture = np.zeros((20, 400), np.float32)
    picture[:, ::4] = 1
    assert fit(picture, (40, 100)) == pytest.approx(0.25, abs=1e-6)


def test_an_8k_box_needs_only_its_own_pixels() -> None:
    tracemalloc.start()
    got = unfit(np.ones((384, 672, 4), np.float32), (4320, 7680), Box(5001, 2001, 5101, 2101))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert got.shape == (100, 100, 4) and most < 24 << 20


def test_fit_to_the_same_size_changes_nothing() -> None:
    picture = np.random.default_rng(0).random((384, 672, 3)).astype(np.float32)
    assert (fit(picture, VOID_RASTER) == picture).all() and (unfit(picture, VOID_RASTER) == picture).all()
