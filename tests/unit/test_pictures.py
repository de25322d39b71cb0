"""Frames as pictures: which pixels are read, at which size, and what is said where there are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from films import film, ramp
from hypothesis import given, settings
from hypothesis import strategies as st

from void_plugin.errors import FrameError
from void_plugin.pictures.asks import Look, Probe, Show, Wish
from void_plugin.pictures.display import PINNED_CONFIG, Display
from void_plugin.pictures.reading import Absent, fitted, read
from void_plugin.pictures.rendering import Renderer
from void_plugin.pictures.shelf import Shelf


@pytest.fixture
def renderer() -> Renderer:
    return Renderer(Display(PINNED_CONFIG), Shelf())


def show(pattern: str, frame: int = 1, size: tuple[int, int] = (400, 400), **more: object) -> Wish:
    return Wish(pattern, frame, size, **more)  # type: ignore[arg-type]


def test_a_data_window_lies_in_its_display_window(tmp_path: Path) -> None:
    pattern = film(tmp_path, "patch", [1], lambda _: ramp(20, 30), window=(10, 5), display=(60, 80))
    frame = read(pattern, 1)
    assert frame.size == (60, 80)
    assert np.array_equal(frame.pixels[10:30, 5:35], ramp(20, 30))
    assert frame.pixels.sum() == frame.pixels[10:30, 5:35].sum()


def test_overscan_is_cut_to_the_display_window(tmp_path: Path) -> None:
    pattern = film(tmp_path, "wide", [1], lambda _: ramp(40, 40), window=(-10, -10), display=(20, 20))
    assert np.array_equal(read(pattern, 1).pixels, ramp(40, 40)[10:30, 10:30])


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 50), st.integers(1, 50), st.integers(1, 60), st.integers(1, 60), st.booleans())
def test_a_picture_is_never_larger_than_asked_and_never_enlarged(
    height: int, width: int, high: int, wide: int, draft: bool
) -> None:
    small = fitted(ramp(height, width), None, (high, wide), draft)
    assert small.shape[0] <= max(1, min(height, high)) and small.shape[1] <= max(1, min(width, wide))
    if height <= high and width <= wide:
        assert np.array_equal(small, ramp(height, width))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_region_at_full_size_is_those_very_pixels(data: st.DataObject) -> None:
    x0, y0 = data.draw(st.integers(0, 38)), data.draw(st.integers(0, 28))
    x1, y1 = data.draw(st.integers(x0 + 1, 40)), data.draw(st.integers(y0 + 1, 30))
    assert np.array_equal(fitted(ramp(30, 40), (x0, y0, x1, y1), (99, 99), False), ramp(30, 40)[y0:y1, x0:x1])


def test_a_matte_is_grey_and_a_picture_of_bytes_is_shown_as_it_is(tmp_path: Path, renderer: Renderer) -> None:
    alpha = np.zeros((4, 4, 1), np.float32)
    alpha[1, 2], alpha[3, 3] = 0.5, 7.0
    matte = film(tmp_path, "matte", [1], lambda _: alpha, channels=("A",))
    picture, _ = renderer.render(show(matte, role="data"))
    assert picture[1, 2, 0] == 128 and picture[3, 3, 0] == 255 and picture[0, 0, 0] == 0

    import cv2

    tints = np.random.default_rng(1).integers(0, 255, (5, 7, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "overlay.0001.png"), tints[..., ::-1])
    picture, _ = renderer.render(show(str(tmp_path / "overlay.%04d.png"), role="plain"))
    assert np.array_equal(picture[..., :3], tints)


def test_a_patch_is_shown_over_its_plate(tmp_path: Path, renderer: Renderer) -> None:
    plate = film(tmp_path, "plate", [1], lambda _: ramp(30, 40), colorInteropID="lin_ap1_scene")
    fill = np.full((10, 10, 4), 0.5, np.float16)
    fill[..., 3] = 1
    patch = film(tmp_path, "patch", [1], lambda _: fill, ("R", "G", "B", "A"), (5, 5), (30, 40))
    merged, _ = renderer.render(show(patch, role="merged", other=plate))
    alone, _ = renderer.render(show(plate))
    inside = np.zeros((30, 40), bool)
    inside[5:15, 5:15] = True
    assert np.array_equal(merged[~inside], alone[~inside])
    assert (merged[inside] == merged[5, 5]).all() and not np.array_equal(merged[5, 5], alone[5, 5])


def test_the_difference_of_equals_is_black_and_a_code_can_be_seen(tmp_path: Path, renderer: Renderer) -> None:
    plate = film(tmp_path, "plate", [1], lambda _: ramp(30, 40))
    changed = ramp(30, 40).copy()
    changed[3, 4] += 1 / 255
    result = film(tmp_path, "result", [1], lambda _: changed)
    picture, _ = renderer.render(show(result, role="difference", other=plate))
    assert (picture[3, 4, :3] > 30).all()
    picture[3, 4, :3] = 0
    assert not picture[..., :3].any()


def test_the_values_of_a_pixel_are_those_of_the_file(tmp_path: Path, renderer: Renderer) -> None:
    pattern = film(tmp_path, "plate", [7], lambda _: ramp(30, 40))
    values = renderer.probe(Probe(1, pattern, 7, 12, 5))
    assert values == {name: float(value) for name, value in zip("RGB", ramp(30, 40)[5, 12], strict=True)}
    assert renderer.probe(Probe(1, pattern, 7, 40, 5)) == {}


def test_nan_and_infinity_are_shown_and_hurt_nobody(tmp_path: Path, renderer: Renderer) -> None:
    bad = ramp(8, 8).copy()
    bad[0, 0], bad[1, 1] = np.nan, np.inf
    pattern = film(tmp_path, "bad", [1], lambda _: bad)
    for role in ("colour", "data", "difference"):
        picture, _ = renderer.render(show(pattern, role=role, other=pattern, channels=("R",) if role == "data" else ()))
        assert picture.shape == (8, 8, 4)


def test_a_missing_frame_is_told_from_a_broken_one(tmp_path: Path, renderer: Renderer) -> None:
    pattern = film(tmp_path, "plate", [1], lambda _: ramp(8, 8))
    with pytest.raises(Absent):
        renderer.render(show(pattern, 2))
    (tmp_path / "plate.0003.exr").write_bytes(b"no picture")
    with pytest.raises(FrameError, match=r"Frame 3 .*plate\.0003\.exr.* cannot be read"):
        renderer.render(show(pattern, 3))
    with pytest.raises(FrameError, match=r"Frame 1 .* has no channels depth; it has R, G, B"):
        renderer.render(show(pattern, 1, role="data", channels=("depth",)))


def test_a_file_that_was_written_again_is_read_again(tmp_path: Path) -> None:
    shelf = Shelf()
    pattern = film(tmp_path, "plate", [1], lambda _: ramp(8, 8))
    before = shelf.frame(pattern, 1)
    assert shelf.frame(pattern, 1) is before
    film(tmp_path, "plate", [1], lambda _: ramp(8, 9))
    assert shelf.frame(pattern, 1).size == (8, 9)


def test_what_is_kept_is_bounded_by_bytes(tmp_path: Path) -> None:
    pattern = film(tmp_path, "plate", range(1, 9), lambda frame: ramp(20, 20, frame))
    size = read(pattern, 1).pixels.nbytes
    shelf = Shelf(most=3 * size)
    first = shelf.frame(pattern, 1)
    for frame in range(2, 9):
        shelf.frame(pattern, frame)
    assert shelf._held <= 3 * size
    assert shelf.frame(pattern, 1) is not first


def test_a_look_travels_with_its_ask() -> None:
    from void_plugin.pictures.asks import from_message, to_message

    ask = Show(7, 3, show("/p.%04d.exr", look=Look(1.5, 2.0, "Raw", "ACEScg"), region=(1, 2, 3, 4), draft=True))
    assert from_message(to_message(ask)) == ask
