"""Results as movies: what is written is what is read back, within the error of the codec."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import reels
from reels import NTSC24, NTSC30, write_movie

from void_plugin.editorial import exrfiles
from void_plugin.editorial.delivery import KINDS, Source, deliver, movie_path
from void_plugin.editorial.movieframes import decode
from void_plugin.editorial.moviepixels import Pixels
from void_plugin.editorial.movies import open_movie
from void_plugin.errors import FrameError, RequestError
from void_plugin.frames import FrameRange, ImageSequence
from void_plugin.otioarguments import DELIVERIES

SIZE = (144, 256)
COUNT = 5


def soft(number: int, alpha: bool = False) -> Pixels:
    """A smooth coloured picture, from black to white, that moves with its number."""
    y, x = np.mgrid[0 : SIZE[0], 0 : SIZE[1]].astype(np.float32)
    waves = [0.5 + 0.45 * np.sin(x / (17 + 4 * i) + y / (23 - 3 * i) + number * 0.3 + i) for i in range(3)]
    waves += [x / SIZE[1]] if alpha else []
    return np.stack(waves, axis=-1).astype(np.float32)


def frames(
    folder: Path, colour: str = "g24_rec709_display", alpha: bool = False, more: dict[str, object] | None = None
) -> str:
    pattern = str(folder / "sh010_v001.%04d.exr")
    for number in range(1001, 1001 + COUNT):
        facts = {"colorInteropID": colour, **(more or {})} if colour else dict(more or {})
        exrfiles.write(ImageSequence(pattern).path(number), soft(number, alpha), 10, facts)
    return pattern


def source(pattern: str, **more: object) -> Source:
    values = {"rate": NTSC24, "start": 86400, **more}
    return Source("sh010", pattern, FrameRange(1001, 1000 + COUNT), **values)  # type: ignore[arg-type]


def back(path: Path, base: Path) -> list[Pixels]:
    """All pictures of a movie."""
    movie = open_movie(str(path))
    pattern = decode(movie, range(1, movie.count + 1), base, lambda text: None)
    return [exrfiles.read(ImageSequence(pattern).path(number))[0] for number in range(1, movie.count + 1)]


@pytest.mark.parametrize(
    ("kind", "most", "mean"), [("prores4444", 0.012, 0.0015), ("dnxhr", 0.035, 0.002), ("dnxhr444", 0.012, 0.0015)]
)
def test_pixels_come_back_within_the_error_of_the_codec(tmp_path: Path, kind: str, most: float, mean: float) -> None:
    pattern = frames(tmp_path / "exr")
    assert deliver(kind, source(pattern)) == []
    path = movie_path(pattern, kind)
    assert path == tmp_path / "exr" / f"sh010_v001_{kind}.mov"
    for number, picture in zip(range(1001, 1001 + COUNT), back(path, tmp_path / "back"), strict=True):
        error = np.abs(picture - soft(number))
        assert error.max() < most
        assert error.mean() < mean
        assert abs(float((picture - soft(number)).mean())) < 0.0005  # no shift of levels
    assert not [name for name in os.listdir(path.parent) if name.startswith(".")]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("rate", "start", "drop", "text"),
    [
        (NTSC24, 86400, False, "01:00:00:00"),
        (NTSC30, 107892, True, "01:00:00;00"),
        (NTSC30, 108000, False, "01:00:00:00"),
        (Fraction(25), 90012, False, "01:00:00:12"),
        (Fraction(60000, 1001), 215784, True, "01:00:00;00"),
        (Fraction(24), 24 * 86400, False, "00:00:00:00"),
    ],
)
def test_rate_and_timecode_are_exact(
    tmp_path: Path, kind: str, rate: Fraction, start: int, drop: bool, text: str
) -> None:
    pattern = frames(tmp_path)
    deliver(kind, source(pattern, rate=rate, start=start, drop=drop))
    with av.open(str(movie_path(pattern, kind))) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == stream.guessed_rate == rate
        assert stream.frames == COUNT
        assert stream.metadata["timecode"] == text


@pytest.mark.parametrize("drop", [True, False])
def test_whether_numbers_are_dropped_is_as_the_frames_have_it(tmp_path: Path, drop: bool) -> None:
    pattern = frames(tmp_path, more={"smpte:TimeCode": exrfiles.time_code(108000, NTSC30, drop)})
    deliver("prores4444", source(pattern, rate=NTSC30, start=108000, drop=not drop))
    assert open_movie(str(movie_path(pattern, "prores4444"))).drop is drop


def test_a_movie_that_begins_after_midnight_is_made_once(tmp_path: Path) -> None:
    pattern, day = frames(tmp_path), 24 * 86400
    deliver("prores4444", source(pattern, rate=Fraction(24), start=day + 7))
    made = os.stat(movie_path(pattern, "prores4444")).st_mtime_ns
    deliver("prores4444", source(pattern, rate=Fraction(24), start=day + 7))
    assert os.stat(movie_path(pattern, "prores4444")).st_mtime_ns == made


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("colour", "matrix", "tags"),
    [
        ("g24_rec709_display", 0, (1, 1, 1)),
        ("srgb_rec709_display", 0, (1, 13, 1)),
        ("pq_rec2020_display", 0, (9, 16, 9)),
        ("g24_rec709_display", 6, (1, 1, 6)),
        ("ocio:arrilogc4_awg4_scene", 0, (2, 2, 1)),
        ("unknown", 0, (2, 2, 1)),
    ],
)
def test_tags_and_levels_read_back(
    tmp_path: Path, kind: str, colour: str, matrix: int, tags: tuple[int, int, int]
) -> None:
    pattern = frames(tmp_path, colour)
    deliver(kind, source(pattern, matrix=matrix))
    if kind != "prores4444":
        tags = (*tags[:2], 1)  # the encoder writes no other matrix into the pictures
    with av.open(str(movie_path(pattern, kind))) as container:
        context = container.streams.video[0].codec_context
        assert (context.color_primaries, context.color_trc, context.colorspace) == tags
    movie = open_movie(str(movie_path(pattern, kind)))
    assert not movie.full
    assert movie.matrix == tags[2]
    assert not [text for text in movie.remarks if "matrix" in text or "levels" in text]


def test_alpha_travels_in_prores_and_is_left_out_of_dnxhr(tmp_path: Path) -> None:
    pattern = frames(tmp_path / "exr", alpha=True)
    for kind, channels in (("prores4444", 4), ("dnxhr444", 3)):
        deliver(kind, source(pattern))
        picture = back(movie_path(pattern, kind), tmp_path / kind)[2]
        assert picture.shape[2] == channels
        assert np.abs(picture[..., :3] - soft(1003)).max() < 0.012
        if channels == 4:
            assert np.abs(picture[..., 3] - soft(1003, True)[..., 3]).max() < 0.002


@pytest.mark.parametrize("kind", KINDS)
def test_a_movie_comes_through_frames_into_a_movie_again(tmp_path: Path, kind: str) -> None:
    like = KINDS[kind]
    made = write_movie(
        tmp_path / "a.mov", like.codec, like.layout, 6, options=dict(like.options), timecode="01:00:00:00"
    )
    movie = open_movie(str(made))
    pattern = decode(movie, range(1, 7), tmp_path / "plates", lambda text: None)
    deliver(
        kind, Source("sh010", pattern, FrameRange(3, 6), movie.rate, (movie.start or 0) + 2, movie.drop, movie.matrix)
    )
    again = open_movie(str(movie_path(pattern, kind)))
    assert (again.count, again.rate, again.start, again.colour) == (4, movie.rate, 86402, movie.colour)
    for number, picture in zip(range(3, 7), back(movie_path(pattern, kind), tmp_path / "back"), strict=True):
        first, _ = exrfiles.read(ImageSequence(pattern).path(number))
        assert reels.number_of(picture) == number
        assert np.abs(picture - first).max() < 0.03
        assert np.abs(picture - first).mean() < 0.002


def test_pixel_aspect_and_reel_travel(tmp_path: Path) -> None:
    pattern = frames(tmp_path, more={"PixelAspectRatio": 2.0, "reelName": "A001C002"})
    deliver("prores4444", source(pattern))
    movie = open_movie(str(movie_path(pattern, "prores4444")))
    assert movie.pixel_aspect == 2
    assert movie.reel == "A001C002"


def test_a_movie_is_made_once_and_again_when_a_frame_is_newer(tmp_path: Path) -> None:
    pattern = frames(tmp_path)
    path = movie_path(pattern, "dnxhr")
    deliver("dnxhr", source(pattern))
    first = path.stat().st_mtime_ns
    deliver("dnxhr", source(pattern))
    assert path.stat().st_mtime_ns == first
    deliver("dnxhr", source(pattern, start=100))
    second = path.stat().st_mtime_ns
    assert second > first
    os.utime(ImageSequence(pattern).path(1003), ns=(second + 10**9, second + 10**9))
    deliver("dnxhr", source(pattern, start=100))
    assert path.stat().st_mtime_ns > second


def test_what_the_levels_cannot_hold_is_said(tmp_path: Path) -> None:
    pattern = frames(tmp_path)
    bright = soft(1002)
    bright[:2, :10] = 3.0
    exrfiles.write(ImageSequence(pattern).path(1002), bright, 10, {})
    (said,) = deliver("prores4444", source(pattern))
    assert said == "sh010: 20 pixels lie beyond the levels of ProRes 4444 and are clipped in it."


@pytest.mark.parametrize("colour", ["lin_ap1_scene", "ocio:lin_awg4_scene"])
def test_scene_linear_frames_are_refused(tmp_path: Path, colour: str) -> None:
    with pytest.raises(RequestError, match="sh010 are scene-linear"):
        deliver("prores4444", source(frames(tmp_path, colour)))
    with pytest.raises(RequestError, match="scene-linear"):
        deliver("dnxhr", source(frames(tmp_path, ""), colour="ACEScg"))
    assert not list(tmp_path.glob("*.mov")) and not list(tmp_path.glob(".*"))


def test_a_missing_frame_and_a_picture_too_small_are_named(tmp_path: Path) -> None:
    pattern = frames(tmp_path)
    os.unlink(ImageSequence(pattern).path(1004))
    with pytest.raises(FrameError, match=r"sh010 has no frame .*1004\.exr"):
        deliver("dnxhr", source(pattern))
    small = str(tmp_path / "small.%04d.exr")
    exrfiles.write(ImageSequence(small).path(1), np.zeros((100, 100, 3), np.float32), 10, {})
    with pytest.raises(RequestError, match="begins at 256x120, and sh020 has 100x100"):
        deliver("dnxhr", Source("sh020", small, FrameRange(1, 1), Fraction(24), 0))
    assert deliver("prores4444", Source("sh020", small, FrameRange(1, 1), Fraction(24), 0)) == []


def test_the_command_line_offers_what_there_is() -> None:
    assert tuple(KINDS) == DELIVERIES
