"""benchmarks/stitching: its metrics measure what they say, its stand-in is what it claims to be, and all of it runs."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "benchmarks"))

import stitch  # noqa: E402
from stitching import exact, few, hybrid, methods, metrics, seams, sheets, standin  # noqa: E402
from stitching.checks import Check  # noqa: E402
from stitching.jobs import Studio, merged  # noqa: E402
from stitching.scenes import SCENES, scene  # noqa: E402
from stitching.shots import COLOURS_RIGHT, Shot  # noqa: E402

from void_plugin.settings import RenderSettings  # noqa: E402
from void_server.colour import Colour, Config  # noqa: E402
from void_server.tiles import VOID_RASTER, Box, fit  # noqa: E402

SIZE = (216, 384)
Picture = NDArray[np.float32]


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    with Studio(tmp_path) as studio:
        yield studio


@pytest.fixture
def shot(studio: Studio) -> Shot:
    return Shot.of_scene(scene("pan", size=SIZE, count=2), studio)


def disc(radius: float = 40) -> NDArray[np.bool_]:
    y, x = np.mgrid[0 : SIZE[0], 0 : SIZE[1]]
    return np.asarray(np.hypot(x - 192, y - 108) < radius)


def flat(value: float) -> Picture:
    return np.full((*SIZE, 3), value, np.float32)


# -- metrics ----------------------------------------------------------------------------------------------------------


@given(x=st.floats(-3, 3), y=st.floats(-3, 3))
@settings(max_examples=10, deadline=None)
def test_a_known_shift_is_found_to_a_hundredth_of_a_pixel(x: float, y: float) -> None:
    chart = exact.texture((200, 320), 8).astype(np.float64)
    down, across = np.fft.fftfreq(200)[:, None], np.fft.fftfreq(320)[None]
    moved = np.real(np.fft.ifft2(np.fft.fft2(chart) * np.exp(-2j * np.pi * (across * x + down * y))))
    pictures = [np.repeat(part[20:-20, 30:-30, None], 3, axis=-1).astype(np.float32) for part in (moved, chart)]
    found = metrics.registration(*pictures)
    assert math.hypot(found[0] - x, found[1] - y) < 0.01


def test_an_offset_inside_is_that_many_codes_of_seam_and_low_frequency_error() -> None:
    region, everywhere = disc(70), np.ones(SIZE, bool)
    assert metrics.seam(flat(2 / 255), region, everywhere) == pytest.approx(2, abs=0.01)
    only_inside = flat(2 / 255) * region[..., None]
    assert 0.9 < metrics.seam(only_inside, region, everywhere) < 2  # the blur mixes in what is right outside
    assert 1.4 < metrics.low_frequency(only_inside, region, everywhere) < 2


def test_an_error_that_stays_does_not_flicker_and_one_that_jumps_does() -> None:
    region = disc()
    assert metrics.flicker(flat(0.1), flat(0.1), region) == 0
    assert metrics.flicker(flat(0.1), flat(0.1 - 3 / 255), region) == pytest.approx(3, abs=0.01)


def test_the_detail_ratio_of_half_the_detail_is_a_half() -> None:
    noise = np.random.default_rng(0).standard_normal((*SIZE, 3)).astype(np.float32)
    soft = metrics.blurred(noise, metrics.DETAIL_SIGMA)
    assert metrics.detail_ratio(soft + 0.5 * (noise - soft), noise, disc()) == pytest.approx(0.5, abs=0.1)


def test_ssim_is_one_for_equal_pictures_and_falls_with_noise() -> None:
    chart = np.repeat(exact.texture(SIZE, 8)[..., None], 3, axis=-1)
    noise = 0.05 * np.random.default_rng(0).standard_normal(chart.shape).astype(np.float32)
    assert metrics.ssim(chart, chart) == pytest.approx(1, abs=1e-4)
    assert metrics.ssim(chart + noise, chart) < metrics.ssim(chart + noise / 4, chart) < 1


def test_the_worst_stop_counts_and_not_the_mean_of_all() -> None:
    plate = np.array([[0.03] * 99 + [1.5]], np.float32)
    ours = plate.copy()
    ours[0, -1] *= 2
    assert metrics.stops(ours, plate, 0.02, 4) == pytest.approx(1, abs=1e-5)


def test_equal_values_with_other_bits_are_not_exact() -> None:
    plate = np.array([[0.0, 1.0]], np.float16)
    assert metrics.same_bits(np.array([[-0.0, 1.0]], np.float16), plate, np.ones((1, 2), bool)) == 0.5
    nan = np.array([[0x7E01, 0x3C00]], np.uint16).view(np.float16)
    other = np.array([[0x7E02, 0x3C00]], np.uint16).view(np.float16)
    assert metrics.same_bits(nan, nan, np.ones((1, 2), bool)) == 1.0
    assert metrics.same_bits(nan, other, np.ones((1, 2), bool)) == 0.5


def test_a_nan_meets_no_limit() -> None:
    assert not Check("", "", "", math.nan, most=1).met
    assert Check("", "", "", 0.5, most=1).met and not Check("", "", "", 0.5, least=1).met


def test_a_patch_of_minus_zero_leaves_every_value_of_the_plate() -> None:
    codes = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    plate = np.repeat(codes[np.isfinite(codes)][:, None, None], 3, axis=-1)
    nothing = np.full(plate.shape, -0.0, np.float16)
    assert (
        merged(nothing, np.zeros(plate.shape[:2], np.float16), plate).view(np.uint16) == plate.view(np.uint16)
    ).all()


# -- scenes, stand-in and methods -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [item.name for item in SCENES])
def test_plate_and_truth_agree_to_the_bit_outside_the_mattes(name: str) -> None:
    small = scene(name, size=SIZE, count=2)
    frame = small.frame(small.numbers[1])
    outside = (frame.object_matte <= 0) & (frame.affected_matte <= 0)
    assert (frame.plate[outside] == frame.truth[outside]).all()
    assert name == "full" or outside.mean() > 0.5
    again = small.frame(small.numbers[1])
    assert (again.plate == frame.plate).all()


def test_revealed_scenes_show_most_of_the_hole_and_the_never_revealed_none() -> None:
    for name in hybrid.REVEALED:
        assert scene(name, size=SIZE).revealed() > 0.8
    assert scene("never", size=SIZE).revealed() == 0


def test_the_stand_in_is_soft_cast_and_drifts_and_its_patch_is_where_it_says() -> None:
    chart = np.repeat(exact.texture(SIZE, 8)[..., None], 3, axis=-1)
    roi = Box(0, 0, SIZE[1], SIZE[0])
    colour = Colour(Config(""), "ACEScg", "srgb_knee", 4.0)
    told = standin.Told("", "nasty", 1, {"1001": (192, 108, 40, 30)})
    exactly = standin.generated(chart, roi, colour, replace(told, kind="exact"), 1001)
    assert (exactly == np.clip(fit(colour.to_engine(chart), VOID_RASTER), 0, 1)).all()
    soft = [standin.generated(chart, roi, colour, replace(told, kind="soft"), frame) for frame in (1001, 1002)]
    cast = (soft[0] - exactly).mean(axis=(0, 1))
    assert cast[0] > 0.005 > cast[1] > cast[2]
    assert np.abs(metrics.blurred(soft[0] - soft[1], 20)).mean() > 0.003
    nasty = standin.generated(chart, roi, colour, told, 1001)
    error = np.abs(metrics.blurred(nasty - exactly, 3)).mean(axis=-1)
    inside = fit(standin.patch_mask(told.patches["1001"], SIZE).astype(np.float32), VOID_RASTER)
    assert error[inside > 0.5].mean() > 3 * error[inside <= 0].mean()


def test_the_other_methods_do_what_they_are_known_for() -> None:
    plate, fill, region = flat(0.5), flat(0.55), disc()
    chart = np.repeat(exact.texture(SIZE, 8)[..., None], 3, axis=-1)
    paste = methods.Paste(chart, chart * np.float32(0.9) + np.float32(0.03), region, 0.5)
    assert np.abs(methods.ring(paste)[0] - chart).max() < 1e-4  # a gain and an offset are undone
    flats = methods.Paste(plate, fill, region, 0.5)
    hard, feather = methods.hard(flats)[1], methods.feather(flats)[1]
    assert set(np.unique(hard)) == {0.0, 1.0} and (feather >= hard).all() and (feather > hard).any()
    blended, weight = methods.multiband(flats)
    assert 0.5 < blended[108, 192].mean() < 0.551 and weight[disc(60)].all() and not weight[~disc(75)].any()


# -- all of it, small -------------------------------------------------------------------------------------------------


def test_the_seam_table_holds_every_method_and_is_exact_outside(shot: Shot) -> None:
    rows = list(seams.measure(shot, "nasty", comp=True))
    assert {row.method for row in rows} == {
        "plate untouched", seams.OTHER_GRAIN, *methods.METHODS, COLOURS_RIGHT, *seams.OURS,
    }  # fmt: skip
    ours = [row for row in rows if row.method in seams.OURS]
    assert all(row.exact == 1.0 for row in ours)
    untouched = next(row for row in rows if row.method == "plate untouched")
    assert all(row.score.psnr > untouched.score.psnr + 6 for row in ours)
    right = next(row for row in rows if row.method == COLOURS_RIGHT)
    assert right.score.low < min(row.score.low for row in rows if row.method in methods.METHODS)
    checks = list(seams.checks(rows, {item.name: item for item in SCENES}))
    assert len([check for check in checks if check.limited]) == 11
    assert len(seams.as_table(rows).rows) == len(rows)


def test_a_perfect_model_leaves_hardly_a_seam(shot: Shot) -> None:
    perfect = shot.judge("exact").score([frame.truth for frame in shot.frames])
    assert perfect.seam == perfect.low == perfect.flicker == 0
    pasted = shot.judge("exact").score(shot.pictures(shot.ours("exact")))
    cast = shot.judge("soft").score(shot.pictures(shot.ours("soft")))
    assert pasted.seam < cast.seam and pasted.low < cast.low


@pytest.mark.slow
def test_halves_of_a_range_identity_and_geometry_hold_at_small_size(shot: Shot) -> None:
    checks = [
        *exact.chunks(shot),
        *exact.identity(shot.studio, (4.0,)),
        *exact.geometry(shot.studio, [exact.Format("", (240, 400), 2.0, (-8, 5), Box(0, 0, 390, 240))]),
    ]
    assert [check.line() for check in checks if check.limited and not check.met] == []


def test_the_hybrid_is_measured_beside_both_of_its_sources(studio: Studio) -> None:
    checks = list(hybrid.measure(Shot.of_scene(scene("never", size=SIZE, count=2), studio), "soft"))
    assert all(math.isfinite(check.value) for check in checks)
    assert [check.met for check in checks if check.limited] == [True, True]


def test_pixels_of_single_frames_keep_their_own_grain_beside_invented_ones(studio: Studio) -> None:
    made = scene("revealed", size=SIZE, count=4)
    shot = Shot.of_scene(replace(made, step=(40, 0)), studio)
    taken = RenderSettings(recover_grain="source", coverage_channel=True)
    with_grain, without = (
        studio.run(shot.plates, "recover", replace(taken, grain=grain)) for grain in ("synth", "off")
    )
    changed = 0
    for number in shot.plates.numbers:
        real = with_grain.extra[number]["void.coverage"] == 1
        one, other = with_grain.pictures[number], without.pictures[number]
        assert real.any() and (one[real] == other[real]).all()
        changed += int((one != other).sum())
    assert changed, "invented pixels got grain"


def test_grain_that_repeats_from_frame_to_frame_is_told_from_grain_that_does_not() -> None:
    random = np.random.default_rng(3)
    still, where = random.standard_normal((*SIZE, 3), np.float32), [disc(100)] * 4
    own = [random.standard_normal((*SIZE, 3), np.float32) for _ in where]
    assert few.repeated([still] * 4, where) == pytest.approx(1)
    assert few.repeated(own, where) == pytest.approx(0, abs=0.01)
    assert few.repeated([0.5 * still + each for each in own], where) == pytest.approx(0.2, abs=0.01)
    assert math.isnan(few.repeated(own, [disc(5)] * 4)), "too little to compare is no success"
    soft = [np.asarray((each + np.roll(each, 1, axis=1)) / 2, np.float32) for each in own]
    assert few.neighbours(soft, where) == pytest.approx(0.5, abs=0.01)
    assert few.power(soft, where) == pytest.approx(0.5, abs=0.02)


def test_grain_of_recovered_pixels_is_measured_over_other_takes(studio: Studio) -> None:
    small = replace(few.SCENES[0], size=(216, 384), count=6)
    checks = {check.what: check for check in few.measure(small, studio)}
    repeated = checks["correlation of two frames' grain"]
    assert repeated.most == few.MOST_REPEATED
    assert repeated.value < 0.08, "of a mean of five frames a fifth is left"
    assert checks["deviation over the truth's"].met


def test_sheets_show_the_seam_at_full_size(shot: Shot, tmp_path: Path) -> None:
    import cv2

    picture = cv2.imread(str(sheets.write(tmp_path, shot, "soft")))
    assert picture is not None and picture.shape == (24 + 4 * (sheets.TILE[0] + 3), 6 * (sheets.TILE[1] + 3), 3)
    assert picture.std() > 10


def test_a_scene_that_does_not_exist_is_named() -> None:
    with pytest.raises(SystemExit, match="no scene moon"):
        stitch.main(["--scenes", "moon"])
