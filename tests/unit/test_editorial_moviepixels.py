"""Code values of movies against the formulas of ITU-T H.273, written a second time and in double precision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import reels
from numpy.typing import NDArray

from void_plugin.editorial.moviepixels import to_frame, to_rgb
from void_plugin.editorial.movies import open_movie
from void_plugin.errors import FrameError

SIZE = (96, 128)
WEIGHTS = {1: (0.2126, 0.7152, 0.0722), 6: (0.299, 0.587, 0.114), 9: (0.2627, 0.678, 0.0593)}


def theirs(code: NDArray[Any], bits: int, matrix: int, full: bool) -> NDArray[Any]:
    """R'G'B' of Y'CbCr code values (…, 3): the inverse of the matrix that H.273 writes down."""
    red, green, blue = WEIGHTS[matrix]
    forward = np.array(
        [
            [red, green, blue],
            [-red / (2 * (1 - blue)), -green / (2 * (1 - blue)), 0.5],
            [0.5, -green / (2 * (1 - red)), -blue / (2 * (1 - red))],
        ]
    )
    scale = 2.0 ** (bits - 8)
    if full:
        low, span = np.array([0, 2 ** (bits - 1), 2 ** (bits - 1)]), np.full(3, 2**bits - 1)
    else:
        low, span = np.array([16, 128, 128]) * scale, np.array([219, 224, 224]) * scale
    return ((code - low) / span) @ np.linalg.inv(forward).T


def at_blocks(plane: NDArray[Any]) -> NDArray[Any]:
    """The middle of each block of a chart, for a plane of any size."""
    rows, columns = SIZE[0] // 16, SIZE[1] // 16
    return plane[
        np.ix_(
            [(2 * row + 1) * plane.shape[0] // (2 * rows) for row in range(rows)],
            [(2 * column + 1) * plane.shape[1] // (2 * columns) for column in range(columns)],
        )
    ]


def decoded(path: Path) -> NDArray[Any]:
    movie = open_movie(str(path))
    with av.open(str(path)) as container:
        frame = next(iter(container.decode(video=0)))
        return to_rgb(frame, movie.matrix, movie.full)


@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("matrix", [1, 6, 9])
@pytest.mark.parametrize(
    "layout",
    ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le", "yuv422p12le", "yuv444p12le"],
)
def test_every_depth_range_matrix_and_chroma_is_as_the_standard_says(
    tmp_path: Path, layout: str, matrix: int, full: bool
) -> None:
    path = reels.write_movie(
        tmp_path / "chart.mkv",
        "ffv1",
        layout,
        2,
        size=SIZE,
        picture=lambda kind, size, _: reels.chart(kind, size),
        tags=(1, 1, matrix),
        levels=2 if full else 1,
    )
    found = decoded(path)
    code = np.stack([at_blocks(plane) for plane in reels.chart(layout, SIZE)], axis=-1)
    due = theirs(code.astype(float), av.VideoFormat(layout).components[0].bits, matrix, full)
    assert np.abs(np.stack([at_blocks(found[..., i]) for i in range(3)], axis=-1) - due).max() < 2e-6
    assert due.min() < 0 < 1 < due.max()  # footroom and headroom were there, and came through


@pytest.mark.parametrize(
    ("codec", "layout", "options", "most"),
    [
        ("prores_ks", "yuv422p10le", {"profile": "hq"}, 0.02),
        ("prores_ks", "yuv444p10le", {"profile": "4444"}, 0.02),
        ("dnxhd", "yuv422p", {"profile": "dnxhr_hq"}, 0.04),
        ("dnxhd", "yuv422p10le", {"profile": "dnxhr_hqx"}, 0.02),
        ("dnxhd", "yuv444p10le", {"profile": "dnxhr_444"}, 0.02),
        ("libx264", "yuv420p", {"crf": "4"}, 0.04),
        ("libx264", "yuv420p10le", {"crf": "4"}, 0.04),
        ("libx265", "yuv422p12le", {"x265-params": "crf=4:log-level=0"}, 0.04),
        ("mpeg4", "yuv420p", {"qmin": "1", "qmax": "1"}, 0.06),
    ],
)
def test_levels_survive_the_codecs(
    tmp_path: Path, codec: str, layout: str, options: dict[str, str], most: float
) -> None:
    size = (256, 256)

    def flat(kind: str, shape: tuple[int, int], _: int) -> reels.Planes:
        """Black, grey, white, and a strong colour, in limited range."""
        step = 1 << (av.VideoFormat(kind).components[0].bits - 8)
        made = []
        for index, (height, width) in enumerate(reels.planes_of(kind, shape)):
            columns = np.repeat(
                np.array(([16, 126, 235, 90], [128, 128, 128, 90], [128, 128, 128, 200])[index]), width // 4
            )
            made.append(np.tile(columns * step, (height, 1)))
        return made

    path = reels.write_movie(tmp_path / "flat.mov", codec, layout, 3, size=size, picture=flat, options=options)
    found = decoded(path)[128, 32::64, :]
    due = theirs(np.array([[16, 128, 128], [126, 128, 128], [235, 128, 128], [90, 90, 200]]), 8, 1, False)
    assert np.abs(found - due).max() < most
    assert np.abs(found[:3] - [[0], [110 / 219], [1]]).max() < 0.006  # greys to a code value and a half of eight bits


def test_pixels_agree_with_swscale_where_it_clips_nothing(tmp_path: Path) -> None:
    path = reels.write_movie(
        tmp_path / "chart.mkv", "ffv1", "yuv444p", 2, size=SIZE, picture=lambda kind, size, _: reels.chart(kind, size)
    )
    with av.open(str(path)) as container:
        frame = next(iter(container.decode(video=0)))
        other = frame.reformat(format="rgb24", src_colorspace="itu709", src_color_range=1, dst_color_range=2)
    ours = to_rgb(frame, 1, False)
    inside = np.all((ours >= 0) & (ours <= 1), axis=-1)
    assert 0.1 < inside.mean() < 1
    assert np.abs(ours * 255 - other.to_ndarray())[inside].max() < 1.5


@pytest.mark.parametrize("layout", ["yuv420p", "yuv422p10le"])
def test_chroma_lies_on_the_left_pixel_and_between_the_rows(layout: str) -> None:
    step = 1 << (av.VideoFormat(layout).components[0].bits - 8)
    frame = av.VideoFrame(64, 32, layout)
    for index, (plane, (height, width)) in enumerate(zip(frame.planes, reels.planes_of(layout, (32, 64)), strict=True)):
        rows = np.frombuffer(plane, np.uint8 if step == 1 else np.uint16).reshape(height, -1)
        rows[:, :width] = (
            100 * step
            if index == 0
            else (100 + 2 * np.arange(width) + height // 16 * np.arange(height)[:, None]) * step
        )
    red = to_rgb(frame, 1, False)[..., 0]
    across = np.diff(red[16, :60])
    assert np.allclose(across, across[0], atol=1e-6)  # a ramp stays one, without steps
    cr = (red[:, :60] - 84 / 219) / (2 * (1 - 0.2126)) * 224 + 128
    assert np.allclose(cr[16, ::2], cr[16, 0] + 2 * np.arange(30), atol=1e-3)  # on every second pixel the stored number
    down = np.diff(cr[2:30, 0])
    assert np.allclose(down, down[0], atol=1e-3)


@pytest.mark.parametrize("layout", ["rgb24", "bgra", "gbrp10le", "gbrp12le"])
def test_rgb_movies_are_full_range_and_their_alpha_stays(layout: str) -> None:
    random = np.random.default_rng(3)
    frame = av.VideoFrame(32, 16, layout)
    bits = frame.format.components[0].bits
    parts = len(frame.format.components)
    numbers = random.integers(0, 1 << bits, (16, 32, parts))
    if len(frame.planes) == 1:
        order = {"rgb24": (0, 1, 2), "bgra": (2, 1, 0, 3)}[layout]
        rows = np.frombuffer(frame.planes[0], np.uint8).reshape(16, -1)
        rows[:, : 32 * parts] = numbers[..., list(order)].reshape(16, -1)
    else:
        for plane, channel in zip(frame.planes, (1, 2, 0), strict=True):
            np.frombuffer(plane, np.uint16).reshape(16, -1)[:, :32] = numbers[..., channel]
    assert np.allclose(to_rgb(frame, 0, True), numbers / ((1 << bits) - 1), atol=1e-6)


def test_what_is_written_into_a_frame_reads_back() -> None:
    random = np.random.default_rng(8)
    pixels = random.uniform(0, 1, (32, 64, 4)).astype(np.float32)
    again = to_rgb(to_frame(pixels, "yuva444p10le", 1)[0], 1, False)
    assert np.abs(again[..., :3] - pixels[..., :3]).max() < 1.5 / 876 * 1.9
    assert np.abs(again[..., 3] - pixels[..., 3]).max() <= 0.51 / 1023


def test_chroma_that_came_from_every_second_pixel_goes_back_to_it() -> None:
    wide = np.linspace(0.2, 0.8, 64, dtype=np.float32)
    pixels = np.stack([np.tile(one, (16, 1)) for one in (wide, wide[::-1], wide * 0.5)], axis=-1)
    again = to_rgb(to_frame(pixels, "yuv422p10le", 1)[0], 1, False)
    assert np.abs(again - pixels)[:, 4:-4].max() < 0.003


def test_values_beyond_the_levels_are_counted_and_clipped() -> None:
    pixels = np.full((1, 16, 3), 0.5, np.float32)
    pixels[0, :4] = [[0, 0, 0], [1, 1, 1], [-0.06, -0.06, -0.06], [1.08, 1.08, 1.08]]
    assert to_frame(pixels, "yuv444p10le", 1)[1] == 0
    pixels[0, 4:6] = [[4, 4, 4], [-0.5, -0.5, -0.5]]
    frame, beyond = to_frame(pixels, "yuv444p10le", 1)
    assert beyond == 2
    assert to_rgb(frame, 1, False).max() < 1.1


def test_a_format_that_is_not_read_is_named() -> None:
    with pytest.raises(FrameError, match="pal8"):
        to_rgb(av.VideoFrame(16, 16, "pal8"), 1, False)
