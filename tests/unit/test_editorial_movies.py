"""Movies of many codecs and containers: each frame by its number, and what the container says of it."""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import OpenImageIO as oiio
import pytest
import reels
from av.video.reformatter import Interpolation
from reels import NTSC24, NTSC30, number_of, numbered, write_movie

from void_plugin.editorial import exrfiles
from void_plugin.editorial.movieframes import decode
from void_plugin.editorial.movies import Movie, open_movie
from void_plugin.errors import FrameError, ServerError
from void_plugin.frames import ImageSequence

X264 = {"bf": "3", "g": "12", "x264-params": "scenecut=0"}
OPEN_GOP = {"bf": "3", "g": "12", "x264-params": "open-gop=1:scenecut=0:b-pyramid=normal"}
X265 = {"x265-params": "bframes=4:keyint=12:min-keyint=12:open-gop=1:log-level=0"}
HQX = {"profile": "dnxhr_hqx"}


def quiet(text: str) -> None:
    """Hears nothing."""


def frames_of(path: Path, wanted: Sequence[int], base: Path) -> dict[int, int]:
    """Which number each decoded frame shows."""
    pattern = decode(open_movie(str(path)), wanted, base, quiet)
    return {number: number_of(exrfiles.read(ImageSequence(pattern).path(number))[0]) for number in wanted}


@pytest.mark.parametrize(
    ("name", "codec", "layout", "options"),
    [
        ("h264.mp4", "libx264", "yuv420p", X264),
        ("open.mp4", "libx264", "yuv420p10le", OPEN_GOP),
        ("open.mov", "libx264", "yuv422p10le", OPEN_GOP),
        ("h265.mp4", "libx265", "yuv420p10le", X265),
        ("h264.mkv", "libx264", "yuv420p", OPEN_GOP),
        ("h264.ts", "libx264", "yuv420p", OPEN_GOP),
        ("h264.mxf", "libx264", "yuv422p10le", {"bf": "2", "g": "12"}),
        ("mpeg4.mov", "mpeg4", "yuv420p", {"bf": "2", "g": "9"}),
        ("mpeg4.avi", "mpeg4", "yuv420p", {"bf": "2", "g": "9"}),
        ("mpeg2.mxf", "mpeg2video", "yuv422p", {"bf": "2", "g": "12"}),
        ("prores.mov", "prores_ks", "yuv422p10le", {"profile": "hq"}),
        ("dnxhr.mov", "dnxhd", "yuv422p10le", HQX),
        ("dnxhr.mxf", "dnxhd", "yuv422p10le", HQX),
        ("ffv1.mkv", "ffv1", "yuv444p10le", {}),
        ("vp9.webm", "libvpx-vp9", "yuv420p", {"deadline": "realtime", "cpu-used": "8"}),
    ],
)
def test_each_frame_is_the_one_that_was_asked_for(
    tmp_path: Path, name: str, codec: str, layout: str, options: dict[str, str]
) -> None:
    rate = Fraction(25) if name.endswith("mxf") else NTSC24
    path = write_movie(tmp_path / name, codec, layout, 50, options=options, rate=rate)
    movie = open_movie(str(path))
    assert movie.count == 50
    assert movie.rate == rate
    for number, wanted in enumerate(([50], [37], [1], [13, 14], [23, 24, 25, 26], [5, 17, 29, 41], range(1, 51))):
        base = tmp_path / str(number)
        assert frames_of(path, list(wanted), base) == {one: one for one in wanted}


def test_only_what_is_wanted_is_decoded_and_nothing_twice(tmp_path: Path) -> None:
    path = write_movie(tmp_path / "a.mov", "libx264", "yuv420p", options=X264)
    movie = open_movie(str(path))
    said: list[str] = []
    pattern = decode(movie, range(5, 9), tmp_path / "plates", said.append)
    files = ImageSequence(pattern)
    assert files.on_disk() == [5, 6, 7, 8]
    before = {number: os.stat(files.path(number)).st_mtime_ns for number in files.on_disk()}
    assert decode(movie, range(6, 8), tmp_path / "plates", said.append) == pattern
    assert decode(movie, range(4, 11), tmp_path / "plates", said.append) == pattern
    assert files.on_disk() == list(range(4, 11))
    assert all(os.stat(files.path(number)).st_mtime_ns == time for number, time in before.items())
    assert [text.split(" of ")[0] for text in said] == ["decoding frames 5-8", "decoding frames 4, 9-10"]
    assert sorted(os.listdir(files.folder))[-1] == "movie.json"
    assert not [name for name in os.listdir(files.folder) if name.startswith(".")]


def test_another_movie_of_the_same_name_gets_frames_of_its_own(tmp_path: Path) -> None:
    path = write_movie(tmp_path / "a.mov", "mpeg4", "yuv420p", 4)
    first = decode(open_movie(str(path)), [1], tmp_path / "plates", quiet)
    write_movie(path, "mpeg4", "yuv420p", 6)
    assert decode(open_movie(str(path)), [1], tmp_path / "plates", quiet) != first


def test_the_same_frame_is_the_same_file_whenever_it_is_decoded(tmp_path: Path) -> None:
    path = write_movie(tmp_path / "a.mov", "libx264", "yuv420p", options=OPEN_GOP, timecode="01:00:00:00")
    movie = open_movie(str(path))
    alone = decode(movie, [20], tmp_path / "one", quiet)
    among = decode(movie, range(1, 31), tmp_path / "all", quiet)
    assert Path(ImageSequence(alone).path(20)).read_bytes() == Path(ImageSequence(among).path(20)).read_bytes()


# -- what the container says ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "timecode", "frame", "drop"),
    [
        (NTSC24, "01:00:00:00", 86400, False),
        (NTSC30, "01:00:00;02", 107894, True),
        (NTSC30, "01:00:00:02", 108002, False),
        (NTSC30, "00:01:00;02", 1800, True),
        (Fraction(25), "10:20:30:24", 930774, False),
        (Fraction(60000, 1001), "00:01:00;04", 3600, True),
        (Fraction(24), "23:59:59:23", 2073599, False),
    ],
)
def test_rate_and_start_timecode_are_exact(
    tmp_path: Path, rate: Fraction, timecode: str, frame: int, drop: bool
) -> None:
    path = write_movie(tmp_path / "a.mov", "prores_ks", "yuv422p10le", 4, rate=rate, timecode=timecode)
    movie = open_movie(str(path))
    assert (movie.rate, movie.start, movie.drop) == (rate, frame, drop)


def test_frames_carry_timecode_rate_and_colour(tmp_path: Path) -> None:
    path = write_movie(tmp_path / "a.mov", "prores_ks", "yuv422p10le", 12, rate=NTSC30, timecode="00:00:59;25")
    pattern = decode(open_movie(str(path)), [1, 6], tmp_path / "plates", quiet)
    told = {}
    for number in (1, 6):
        source = oiio.ImageInput.open(ImageSequence(pattern).path(number))
        spec = source.spec()
        told[number] = spec.get_string_attribute("smpte:TimeCode")
        assert str(spec.format) == "half"
        assert spec.get_string_attribute("compression") == "zip"
        assert spec.getattribute("FramesPerSecond") == (30000, 1001)
        assert spec.getattribute("colorInteropID") == "g24_rec709_display"
        source.close()
    assert told == {1: "00:00:59;25", 6: "00:01:00;02"} or told == {1: "00:00:59:25", 6: "00:01:00:02"}


@pytest.mark.parametrize(
    ("tags", "height", "matrix", "colour", "remark"),
    [
        ((1, 1, 1), 128, 1, "g24_rec709_display", ""),
        ((9, 16, 9), 128, 9, "pq_rec2020_display", ""),
        ((9, 18, 9), 128, 9, "hlg_rec2020_display", ""),
        ((6, 6, 6), 128, 6, "unknown", ""),
        ((2, 2, 2), 128, 6, "unknown", "Rec.601"),
        ((2, 2, 2), 720, 1, "unknown", "Rec.709"),
    ],
)
def test_tags_say_matrix_and_colour_and_what_is_assumed_is_said(
    tmp_path: Path, tags: tuple[int, int, int], height: int, matrix: int, colour: str, remark: str
) -> None:
    for name, codec, layout in (("a.mov", "prores_ks", "yuv422p10le"), ("a.mp4", "libx264", "yuv420p")):
        path = write_movie(tmp_path / name, codec, layout, 2, size=(height, 256), tags=tags)
        movie = open_movie(str(path))
        assert (movie.matrix, movie.colour) == (matrix, colour)
        assert bool(remark) == any(remark in text and "matrix" in text for text in movie.remarks if remark)
        assert movie.declared == (colour if colour != "unknown" else "g24_rec709_display")


def test_a_container_that_contradicts_its_pictures_is_said(tmp_path: Path) -> None:
    path = write_movie(tmp_path / "a.mov", "dnxhd", "yuv422p10le", 2, options=HQX, tags=(9, 16, 9))
    movie = open_movie(str(path))
    assert (movie.matrix, movie.colour) == (1, "pq_rec2020_display")
    assert any(
        "pictures say the colour matrix Rec.709, which is taken, and its container Rec.2020" in text
        for text in movie.remarks
    )


def test_levels_that_nothing_says_are_said_to_be_taken_for_limited(tmp_path: Path) -> None:
    path = write_movie(tmp_path / "a.avi", "mpeg4", "yuv420p", 2, levels=0)
    movie = open_movie(str(path))
    assert not movie.full
    assert any("levels" in text for text in movie.remarks)


def test_full_range_is_read_from_the_stream(tmp_path: Path) -> None:
    path = write_movie(tmp_path / "a.mp4", "libx264", "yuv420p", 2, levels=2)
    assert open_movie(str(path)).full


@pytest.mark.parametrize(("levels", "full"), [(1, False), (2, True)])
def test_rgb_of_limited_range_is_said(tmp_path: Path, levels: int, full: bool) -> None:
    def white(layout: str, size: tuple[int, int], number: int) -> reels.Planes:
        return [np.full(shape, 1023 if full else 940) for shape in reels.planes_of(layout, size)]

    options = {"profile": "dnxhr_444"}
    path = write_movie(tmp_path / "a.mov", "dnxhd", "gbrp10le", 2, options=options, levels=levels, picture=white)
    movie = open_movie(str(path))
    assert movie.full == full
    assert any("RGB has the limited range" in text for text in movie.remarks) != full
    pixels, _ = exrfiles.read(ImageSequence(decode(movie, [1], tmp_path / "plates", quiet)).path(1))
    assert np.abs(pixels - 1).max() < 0.005


def test_alpha_of_prores_4444_is_kept(tmp_path: Path) -> None:
    path = write_movie(
        tmp_path / "a.mov", "prores_ks", "yuva444p10le", 5, options={"profile": "4444", "alpha_bits": "16"}
    )
    movie = open_movie(str(path))
    assert any("alpha" in text for text in movie.remarks)
    pattern = decode(movie, [5], tmp_path / "plates", quiet)
    pixels, _ = exrfiles.read(ImageSequence(pattern).path(5))
    assert pixels.shape[2] == 4
    due = numbered("yuva444p10le", (128, 256), 5)[3] / 1023
    assert np.abs(pixels[..., 3] - due).max() < 0.001


def test_pixel_aspect_is_told_and_kept(tmp_path: Path) -> None:
    def prepare(stream: Any) -> None:
        stream.codec_context.sample_aspect_ratio = Fraction(2)

    path = write_movie(tmp_path / "a.mov", "prores_ks", "yuv422p10le", 2, prepare=prepare)
    movie = open_movie(str(path))
    assert movie.pixel_aspect == 2
    assert any("times as wide" in text for text in movie.remarks)
    _, facts = exrfiles.read(ImageSequence(decode(movie, [1], tmp_path / "plates", quiet)).path(1))
    assert facts["PixelAspectRatio"] == 2.0


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_movie_that_players_turn_is_turned(tmp_path: Path, turn: int) -> None:
    def prepare(stream: Any) -> None:
        stream.codec_context.sample_aspect_ratio = Fraction(2)
        stream.set_display_rotation(turn)  # against the clock

    def make(name: str, prepare: Any) -> Movie:
        chart = write_movie(
            tmp_path / name, "prores_ks", "yuv444p10le", 1, prepare=prepare, picture=lambda *which: reels.chart(*which)
        )
        return open_movie(str(chart))

    upright, movie = make("a.mov", lambda stream: None), make("b.mov", prepare)
    assert movie.turn == turn and any(f"turn it by {turn} degrees" in text for text in movie.remarks)
    stored, _ = exrfiles.read(ImageSequence(decode(upright, [1], tmp_path / "plates", quiet)).path(1))
    shown, facts = exrfiles.read(ImageSequence(decode(movie, [1], tmp_path / "plates", quiet)).path(1))
    # What is at the right above stands at the left above after a quarter turn, at the left below after a half.
    corners = {90: (0, 0), 180: (-1, 0), 270: (-1, -1)}
    assert (shown[corners[turn]] == stored[0, -1]).all() and (np.rot90(shown, -turn // 90) == stored).all()
    assert movie.size == shown.shape[:2] and movie.pixel_aspect == (2 if turn == 180 else Fraction(1, 2))
    assert facts["PixelAspectRatio"] == float(movie.pixel_aspect)


def test_a_movie_that_players_show_askew_is_refused(tmp_path: Path) -> None:
    path = write_movie(
        tmp_path / "a.mov", "prores_ks", "yuv444p10le", 1, prepare=lambda stream: stream.set_display_rotation(45)
    )
    with pytest.raises(FrameError, match="mirrored or turned askew by players; render it to EXR"):
        open_movie(str(path))
    # The matrix of the track, with its first number turned round: mirrored left and right.
    path = write_movie(
        tmp_path / "b.mov", "prores_ks", "yuv444p10le", 1, prepare=lambda stream: stream.set_display_rotation(180)
    )
    data, half = path.read_bytes(), struct.pack(">i", -65536)
    at = data.index(half + bytes(12) + half)
    path.write_bytes(data[: at + 16] + struct.pack(">i", 65536) + data[at + 20 :])
    with pytest.raises(FrameError, match="mirrored or turned askew"):
        open_movie(str(path))


def test_frames_that_an_edit_list_hides_are_not_counted(tmp_path: Path) -> None:
    times = [index - 4 for index in range(20)]  # the first four lie before the start
    path = write_movie(tmp_path / "a.mp4", "libx264", "yuv420p", 20, options={"bf": "0", "g": "10"}, times=times)
    movie = open_movie(str(path))
    with av.open(str(path)) as container:
        shown = [number_of(frame.to_ndarray(format="rgb24") / 255) for frame in container.decode(video=0)]
    assert movie.count == len(shown)
    assert frames_of(path, [1, movie.count], tmp_path / "p") == {1: shown[0], movie.count: shown[-1]}


# -- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.mov", "a.mkv"])
def test_a_variable_frame_rate_is_refused(tmp_path: Path, name: str) -> None:
    times = [0, 1, 2, 3, 5, 6, 7, 10, 11, 12]
    path = write_movie(tmp_path / name, "libx264", "yuv420p", 10, options={"bf": "0"}, times=times)
    with pytest.raises(FrameError, match=r"variable frame rate: its frames last from 4\S+ to 12\S+ ms.*--plate-root"):
        open_movie(str(path))


def test_an_interlaced_movie_is_refused(tmp_path: Path) -> None:
    path = write_movie(tmp_path / "a.mov", "libx264", "yuv420p", 4, options={"flags": "+ildct", "x264-params": "tff=1"})
    with pytest.raises(FrameError, match="interlaced; deinterlace"):
        open_movie(str(path))


def test_a_movie_that_is_none_is_refused_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(FrameError, match="offline"):
        open_movie(str(tmp_path / "a.mov"))
    for name in ("a.mov", "a.braw"):
        (tmp_path / name).write_bytes(b"no movie at all" * 100)
        with pytest.raises(FrameError, match=f"{name} cannot be read"):
            open_movie(str(tmp_path / name))


def test_a_movie_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    path = write_movie(tmp_path / "a.mkv", "ffv1", "yuv420p", 10)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    movie = open_movie(str(path))
    assert movie.count < 10  # as many as there are
    moved = write_movie(tmp_path / "b.mov", "prores_ks", "yuv422p10le", 10)
    moved.write_bytes(moved.read_bytes()[:2000])
    with pytest.raises(FrameError, match=r"b\.mov"):
        open_movie(str(moved))


def test_a_damaged_frame_is_named(tmp_path: Path) -> None:
    path = write_movie(tmp_path / "a.mov", "prores_ks", "yuv422p10le", 10)
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(container.streams.video[0]) if packet.size]
        place, size = packets[6].pos, packets[6].size
    data = bytearray(path.read_bytes())
    data[place : place + size] = b"\xff" * size
    path.write_bytes(bytes(data))
    movie = open_movie(str(path))
    decode(movie, range(1, 7), tmp_path / "plates", quiet)
    with pytest.raises(FrameError, match=r"a\.mov"):
        decode(movie, range(1, 11), tmp_path / "plates", quiet)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs a folder that this user cannot write to")
def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    path = write_movie(tmp_path / "a.mov", "mpeg4", "yuv420p", 4)
    (tmp_path / "plates").mkdir(mode=0o500)
    with pytest.raises(ServerError, match="plates"):
        decode(open_movie(str(path)), [1], tmp_path / "plates", quiet)


def test_a_real_clip_opens_and_its_last_frame_is_its_last(data: Path, tmp_path: Path) -> None:
    clip = data / "clips" / "moving_ball" / "input_video.mp4"
    movie = open_movie(str(clip))
    assert (movie.count, movie.rate, movie.size, movie.matrix) == (62, 12, (2160, 3840), 1)
    assert len(movie.remarks) == 2  # nothing says its matrix and its levels
    pattern = decode(movie, [62], tmp_path, quiet)
    with av.open(str(clip)) as container:
        *_, last = container.decode(video=0)
    flags = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
    other = last.reformat(
        format="rgb24", src_colorspace="itu709", src_color_range=1, dst_color_range=2, interpolation=flags
    ).to_ndarray()
    pixels, _ = exrfiles.read(ImageSequence(pattern).path(62))
    assert np.abs(np.clip(pixels, 0, 1)[::7, ::7] * 255 - other[::7, ::7]).mean() < 0.5
