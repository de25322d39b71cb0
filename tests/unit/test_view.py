"""What an engine is shown: labels, usable pixels, reductions, whatever the windows."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from shots import save_exr

from void_plugin.request import ImageInput, Output, RemovalRequest
from void_server.colour import PINNED_CONFIG, Colour, Config
from void_server.engines import AFFECTED, KEEP, OVERLAP, REMOVE
from void_server.exr import ImageFiles
from void_server.finite import sanitised
from void_server.footage import ByteCache, Footage
from void_server.quadmask import Reach
from void_server.raster import RasterFrames
from void_server.tiles import VOID_RASTER, Box
from void_server.view import PlateFrames

COLOUR = Colour(Config(PINNED_CONFIG), "ACEScg")


@pytest.fixture(scope="module")
def files() -> Iterator[ImageFiles]:
    with ImageFiles(1) as pool:
        yield pool


def frames(
    files: ImageFiles,
    folder: Path,
    plate: np.ndarray,
    mattes: dict[str, np.ndarray],
    origin: tuple[int, int],
    canvas: Box,
) -> PlateFrames:
    """One frame on disk with its data window at `origin`, seen on a canvas."""
    display = (canvas.x0, canvas.y0, canvas.x1, canvas.y1)
    save_exr(folder / "plate.0001.exr", plate.astype(np.float16), origin=origin, display=display)
    inputs: dict[str, ImageInput] = {}
    for name, values in mattes.items():
        save_exr(folder / f"{name}.0001.exr", values.astype(np.float16), ["A"], origin=origin, display=display)
        inputs[name] = ImageInput(str(folder / f"{name}.%04d.exr"))
    request = RemovalRequest(
        plate=ImageInput(str(folder / "plate.%04d.exr")),
        outputs=(Output("patch", str(folder / "out.%04d.exr")),),
        **inputs,  # type: ignore[arg-type]
    )
    footage = Footage(files, request, 1 << 26)
    return PlateFrames(footage, [1], canvas, Reach.for_width(canvas.width), (REMOVE, OVERLAP), COLOUR)


def square(size: tuple[int, int], y: int, x: int, side: int) -> np.ndarray:
    values = np.zeros(size)
    values[y : y + side, x : x + side] = 1
    return values


@pytest.mark.parametrize("factor", [1, 2, 3, 4, 6, 8])
@pytest.mark.parametrize("size", [(64, 96), (50, 75)])
def test_a_reduction_is_the_mean_of_its_blocks_on_smooth_pictures(
    files: ImageFiles, tmp_path: Path, factor: int, size: tuple[int, int]
) -> None:
    rows, columns = np.mgrid[: size[0], : size[1]]
    plate = np.stack([rows, columns, rows + columns], axis=-1) / 128
    canvas = Box(0, 0, size[1], size[0])
    view = frames(files, tmp_path, plate, {"object_matte": square(size, 5, 5, 4)}, (0, 0), canvas)
    picture, usable = view.reduced(1, factor)
    assert picture.shape[:2] == usable.shape == tuple(-(-side // factor) for side in size)
    whole = size[0] // factor, size[1] // factor
    blocks = plate[: whole[0] * factor, : whole[1] * factor].reshape(whole[0], factor, whole[1], factor, 3)
    # A regular sample of a block sits up to half a sampling step off its middle.
    assert np.abs(picture[: whole[0], : whole[1]] - blocks.mean(axis=(1, 3))).max() <= factor / 4 / 128 * 2 + 2e-3
    blocked = view.usable(1, canvas)
    expected = (
        blocked[: whole[0] * factor, : whole[1] * factor].reshape(whole[0], factor, whole[1], factor).all(axis=(1, 3))
    )
    assert (usable[: whole[0], : whole[1]] == expected).all()


def test_beyond_the_data_window_pixels_repeat_the_edge_and_are_never_usable(files: ImageFiles, tmp_path: Path) -> None:
    plate = np.random.default_rng(0).random((40, 50, 3))
    canvas = Box(-10, -20, 90, 80)
    view = frames(files, tmp_path, plate, {"object_matte": square((40, 50), 10, 10, 6)}, (0, 0), canvas)
    whole = Box(0, 0, 100, 100)
    pixels, usable = view.plate(1, whole), view.usable(1, whole)
    inside = np.zeros((100, 100), bool)
    inside[20:60, 10:60] = True
    assert (pixels[20:60, 10:60] == plate.astype(np.float16)).all()
    assert (pixels[0, 10:60] == plate[0].astype(np.float16)).all() and (
        pixels[99, 99] == plate[39, 49].astype(np.float16)
    ).all()
    assert not usable[~inside].any()
    far = view.plate(1, Box(80, 90, 100, 100))
    assert (far == plate[39, 49].astype(np.float16)).all()


def test_labels_follow_the_mattes_and_leave_the_holdout(files: ImageFiles, tmp_path: Path) -> None:
    size = (60, 80)
    mattes = {
        "object_matte": square(size, 10, 10, 20),
        "affected_matte": square(size, 20, 20, 30),
        "holdout_matte": square(size, 10, 10, 5) * 0.2,
        "exclude_matte": square(size, 0, 70, 10),
    }
    view = frames(files, tmp_path, np.full((*size, 3), 0.5), mattes, (0, 0), Box(0, 0, 80, 60))
    whole = Box(0, 0, 80, 60)
    labels, usable = view.labels(1, whole), view.usable(1, whole)
    assert labels[17, 17] == REMOVE and labels[25, 25] == OVERLAP and labels[45, 45] == AFFECTED
    assert (labels[10:15, 10:15] == KEEP).all()
    assert labels[55, 75] == KEEP and usable[55, 75]
    for y, x in ((12, 12), (17, 17), (25, 25), (45, 45), (5, 75)):
        assert not usable[y, x]
    hole = view.hole(1)
    assert hole is not None and hole.holds(Box(15, 15, 30, 30)) and not hole.holds(Box(40, 40, 49, 49))
    changed = view.weights(1)
    assert changed is not None and changed[1].max() == 1


def test_a_soft_edge_of_half_a_percent_is_replaced_whole(files: ImageFiles, tmp_path: Path) -> None:
    matte = np.zeros((40, 60))
    matte[20, 30] = 0.005
    mattes = {"object_matte": matte}
    found = frames(files, tmp_path, np.ones((40, 60, 3)), mattes, (0, 0), Box(0, 0, 60, 40)).weights(1)
    assert found is not None
    box, weights = found
    assert weights[20 - box.y0, 30 - box.x0] == 1


@pytest.mark.parametrize("most", [1.0, 3.0])
def test_a_matte_stays_when_its_reader_reads_on(files: ImageFiles, tmp_path: Path, most: float) -> None:
    first = most * square((40, 60), 5, 5, 20)
    plate = np.full((40, 60, 3), 0.25)
    view = frames(files, tmp_path, plate, {"object_matte": first}, (0, 0), Box(0, 0, 60, 40))
    matte = view.footage.matte("object_matte", 1)
    view.footage.plate(1, Box(0, 0, 60, 40))  # by the only reader that there is
    assert matte.box == Box(5, 5, 25, 25) and np.array_equal(matte.values, np.ones((20, 20), np.float32))


def test_a_matte_that_lies_wholly_outside_the_picture_changes_nothing(files: ImageFiles, tmp_path: Path) -> None:
    folder = tmp_path
    save_exr(folder / "plate.0001.exr", np.ones((20, 20, 3), np.float16), display=(0, 0, 100, 100))
    save_exr(folder / "m.0001.exr", np.ones((5, 5), np.float16), ["A"], origin=(80, 80), display=(0, 0, 100, 100))
    request = RemovalRequest(
        plate=ImageInput(str(folder / "plate.%04d.exr")),
        object_matte=ImageInput(str(folder / "m.%04d.exr")),
        outputs=(Output("patch", str(folder / "o.%04d.exr")),),
    )
    view = PlateFrames(
        Footage(files, request, 1 << 20), [1], Box(0, 0, 20, 20), Reach.for_width(100), (REMOVE, OVERLAP), COLOUR
    )
    assert view.hole(1) is None and view.weights(1) is None
    assert (view.labels(1, Box(0, 0, 20, 20)) == KEEP).all() and view.usable(1, Box(0, 0, 20, 20)).all()


def test_a_raster_view_is_clamped_encoded_and_labelled_on_its_raster(files: ImageFiles, tmp_path: Path) -> None:
    size = (432, 768)
    plate = np.full((*size, 3), 0.18)
    plate[:100] = 50
    mattes = {"object_matte": square(size, 200, 300, 60)}
    base = frames(files, tmp_path, plate, mattes, (0, 0), Box(0, 0, 768, 432))
    encoded = Colour(COLOUR.config, "ACEScg", "srgb_knee", 4.0)
    view = RasterFrames(base, Box(0, 0, 768, 432), VOID_RASTER, encoded, True)
    whole = Box(0, 0, 672, 384)
    picture = view.plate(1, whole)
    assert (
        picture.shape == (384, 672, 3) and picture.max() == 1 and picture[300, 100, 0] == pytest.approx(0.461, abs=2e-3)
    )
    labels = view.labels(1, whole)
    rows, columns = np.nonzero(labels == REMOVE)
    assert abs(rows.min() - (200 * 384 / 432 - 3)) <= 1 and abs(columns.max() - (360 * 672 / 768 + 2)) <= 1
    assert view.hole(1) is not None and not view.usable(1, whole)[rows[0], columns[0]]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(hnp.arrays(np.uint16, (9, 11, 3), elements=st.integers(0, 65535)))
def test_sanitised_pixels_are_finite_and_finite_ones_stay(codes: np.ndarray) -> None:
    pixels = codes.view(np.float16)
    clean = sanitised(pixels)
    finite = np.isfinite(pixels)
    assert np.isfinite(clean).all()
    assert (clean[finite] == pixels[finite].astype(np.float32)).all()
    assert (clean[pixels == np.inf] == 65504).all() and (clean[pixels == -np.inf] == 0).all()


@pytest.mark.parametrize("broken", [None, np.nan, np.inf, -np.inf])
def test_one_broken_pixel_is_found_wherever_it_is_looked_for(
    files: ImageFiles, tmp_path: Path, broken: float | None
) -> None:
    plate = np.full((40, 60, 3), 0.25)
    if broken is not None:
        plate[30, 50, 1] = broken
    view = frames(files, tmp_path, plate, {"object_matte": square((40, 60), 5, 5, 4)}, (0, 0), Box(0, 0, 60, 40))
    for box in (Box(40, 25, 60, 40), Box(0, 0, 60, 40), Box(50, 30, 51, 31), Box(30, 0, 60, 30)):
        real = np.ones((40, 60), bool)
        real[30, 50] = broken is None
        far = np.s_[:, max(0, 20 - box.x0) :]  # from the object
        assert np.array_equal(view.usable(1, box)[far], real[box.rows, box.columns][far])
        assert np.isfinite(view.plate(1, box)).all()
        assert view.footage.seen_plate(1, box)[1] == (broken is None)
    assert view.reduced(1, 2)[1][15, 25] == (broken is None) and np.isfinite(view.reduced(1, 2)[0]).all()


def test_a_cache_that_may_keep_less_lets_go_of_the_oldest_at_once() -> None:
    cache: ByteCache[bytes] = ByteCache(1000, len)
    for key in range(5):
        cache.get(key, lambda _: b"x" * 100)
    cache.limit(250)
    made: list[int] = []
    for key in (4, 3, 0):
        cache.get(key, lambda _, key=key: made.append(key) or b"x" * 100)  # type: ignore[misc]
    assert made == [0]


def test_a_cleared_cache_makes_its_values_anew_and_has_all_of_its_room() -> None:
    cache: ByteCache[bytes] = ByteCache(200, len)
    cache.get(0, lambda _: bytes(200))
    cache.clear()
    made: list[int] = []
    for key in (0, 1, 0, 1):
        cache.get(key, lambda _, key=key: made.append(key) or bytes(100))  # type: ignore[misc]
    assert made == [0, 1]


def test_a_cache_keeps_its_limit_and_makes_each_value_once() -> None:
    made: list[int] = []

    def make(key: int) -> bytes:
        made.append(key)
        return bytes(100)

    cache: ByteCache[bytes] = ByteCache(250, len)
    for key in (1, 2, 1, 2, 3, 2, 1):
        cache.get(key, lambda _, key=key: make(key))  # type: ignore[misc]
    assert made == [1, 2, 3, 1]


def test_a_cached_value_that_does_not_fit_is_made_from_the_present_one() -> None:
    cache: ByteCache[bytes] = ByteCache(1000, len)
    cache.get("rows", lambda _: b"ab")
    grown = cache.get("rows", lambda present: (present or b"") + b"c", lambda value: len(value) > 2)
    assert grown == b"abc"


def test_a_raster_enlarged_is_fitted_anew_and_never_beyond_the_plate(files: ImageFiles, tmp_path: Path) -> None:
    canvas, roi = Box(0, 0, 160, 120), Box(16, 16, 144, 112)
    plate = np.random.default_rng(3).random((120, 160, 3))
    seen = frames(files, tmp_path, plate, {"object_matte": square((120, 160), 40, 60, 16)}, (0, 0), canvas)
    assert seen.enlargement == 1 and seen.enlarged(1) is seen
    with pytest.raises(ValueError, match="2 pixels"):
        seen.enlarged(2)
    coarse = RasterFrames(seen, roi, (32, 32), Colour(COLOUR.config, "ACEScg", "srgb_knee", 4.0), snaps_grid=False)
    assert coarse.enlargement == 3
    fine = coarse.enlarged(3)
    assert fine.size == (96, 96) and fine.enlargement == 1 and fine.numbers == coarse.numbers
    whole = Box(0, 0, 96, 96)
    # 24 rows and 44 columns from the ROI's corner, at 3/4 of the plate's width; grown by three pixels of this size.
    labels = fine.labels(1, whole) == REMOVE
    rows, columns = np.flatnonzero(labels.any(axis=1)), np.flatnonzero(labels.any(axis=0))
    assert (rows[0], rows[-1] + 1) == (24 - 3, 40 + 3) and (columns[0], columns[-1] + 1) == (33 - 3, 45 + 3)
    assert fine.plate(1, whole).std() > coarse.plate(1, Box(0, 0, 32, 32)).std()
    with pytest.raises(ValueError, match="more than the plate has"):
        fine.enlarged(2)
