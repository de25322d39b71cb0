"""Clips of movies become shots: their frames, times and colours, and what is said of them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import edits
import numpy as np
import OpenImageIO as oiio
import opentimelineio as otio
import pytest
from edits import Range, Time
from reels import NTSC24, NTSC30, number_of, write_movie

from void_plugin.editorial import exrfiles
from void_plugin.editorial.footage import media_of_movie
from void_plugin.editorial.jobs import Making, jobs_of
from void_plugin.editorial.media import media_of
from void_plugin.editorial.movies import Movie, open_movie
from void_plugin.editorial.picks import Wanted
from void_plugin.editorial.plates import take_plates
from void_plugin.editorial.shots import Shot, Wishes, find_shots
from void_plugin.editorial.walk import Cut
from void_plugin.errors import RequestError
from void_plugin.frames import FrameRange, ImageSequence

RATE = 24


def clip(path: Path, start: float, length: float, available: tuple[float, float, float] | None) -> Any:
    """A clip of a movie; `available` is what the timeline says of it: start, length, rate."""
    told = available and Range(Time(available[0], available[2]), Time(available[1], available[2]))
    rate = available[2] if available else RATE
    reference = otio.schema.ExternalReference(str(path), told)
    return otio.schema.Clip(path.name, reference, Range(Time(start, rate), Time(length, rate)))


@pytest.fixture(scope="module")
def movie(tmp_path_factory: pytest.TempPathFactory) -> Movie:
    """Forty frames from 01:00:00:00 on."""
    path = tmp_path_factory.mktemp("movies") / "A001.mov"
    write_movie(path, "libx264", "yuv420p", 40, rate=Fraction(RATE), timecode="01:00:00:00", options={"g": "10"})
    return open_movie(str(path))


def shots_of(item: Any, wishes: Wishes | None = None) -> list[Shot]:
    return find_shots(Cut(edits.timeline([item])), "/edit", Wanted(everything=True), wishes or Wishes(4, 2))[0]


def mattes(folder: Path, frames: range) -> str:
    """Empty files do for finding them."""
    folder.mkdir(exist_ok=True)
    for frame in frames:
        (folder / f"A001.{frame:04d}.exr").write_bytes(b"")
    return str(folder)


@pytest.mark.parametrize(
    ("start", "available", "due"),
    [
        (86410, (86400, 40, 24), (86400, 24)),
        (10, (0, 40, 24), (0, 24)),  # the timeline counts from 0, whatever the movie says
        (86415, (86410, 20, 24), (86400, 24)),  # a part of it, as a subclip is
        (86410, None, (86400, 24)),
        (10, None, (0, 24)),
    ],
)
def test_the_first_frame_has_the_time_that_the_clip_counts_by(
    movie: Movie, start: float, available: Any, due: tuple[int, float]
) -> None:
    item = clip(Path(movie.path), start, 8, available)
    media, remarks = media_of_movie(media_of(item, ""), item, movie)
    assert (media.start, media.written_rate, media.first, media.count) == (*due, 1, 40)
    assert not remarks


def test_a_movie_that_the_timeline_plays_at_another_rate_is_said(movie: Movie) -> None:
    item = clip(Path(movie.path), 90010, 8, (90000, 40, 25))
    media, remarks = media_of_movie(media_of(item, ""), item, movie)
    assert (media.written_rate, media.start) == (25, 90000)
    assert remarks == ["it runs at 24 frames a second, and the timeline plays it at 25"]


def test_a_timeline_that_counts_another_movie_is_refused(movie: Movie) -> None:
    item = clip(Path(movie.path), 10, 8, (0, 50, 30))
    with pytest.raises(RequestError, match=r"counts 50 frames of 30 a second in .*A001\.mov, which has 40 of 24"):
        media_of_movie(media_of(item, ""), item, movie)
    longer = clip(Path(movie.path), 10, 8, (0, 60, 24))
    assert media_of_movie(media_of(longer, ""), longer, movie)[1] == [
        "the timeline says that it has 60 frames, and it has 40"
    ]


def test_a_clip_of_a_movie_is_a_shot_and_only_what_it_looks_at_is_decoded(movie: Movie, tmp_path: Path) -> None:
    root = mattes(tmp_path / "mattes", range(1, 41))
    (shot,) = shots_of(clip(Path(movie.path), 86410, 8, (86400, 40, 24)), Wishes(4, 2, root))
    assert shot.problems == [] and shot.warnings == []
    assert shot.range is not None
    assert (shot.range.used, shot.range.delivered, shot.range.looked_at) == (
        FrameRange(11, 18),
        FrameRange(7, 22),
        FrameRange(5, 24),
    )
    assert not list(tmp_path.rglob("*.mov")) and list(tmp_path.iterdir()) == [tmp_path / "mattes"], (
        "looking writes nothing"
    )
    said: list[str] = []
    take_plates([shot], tmp_path / "plates", said.append)
    assert said == [f"decoding frames 5-24 of {movie.path}"]
    assert shot.media is not None and shot.media.kind == "sequence"
    assert ImageSequence(shot.media.pattern).on_disk() == list(range(5, 25))
    (job,) = jobs_of([shot], tmp_path / "v001", 1, Making())
    assert job.request.colour == "g24_rec709_display"
    assert job.request.plate.pattern == shot.media.pattern
    assert str(job.request.shot_range) == "5-24"


@pytest.mark.parametrize(
    ("codec", "layout", "options"),
    [
        ("prores_ks", "yuva444p10le", {"profile": "4444", "alpha_bits": "16"}),
        ("prores_ks", "yuv422p10le", {"profile": "hq"}),
        ("libx264", "yuv420p", {}),
    ],
)
def test_a_matte_may_be_a_movie_and_is_numbered_as_its_plate(
    movie: Movie, tmp_path: Path, codec: str, layout: str, options: dict[str, str]
) -> None:
    path = write_movie(tmp_path / "matte.mov", codec, layout, 20, rate=Fraction(RATE), options=options)
    plate = clip(Path(movie.path), 86410, 8, (86400, 40, 24))
    matte = clip(path, 3, 10, (0, 20, 24))
    timeline = edits.timeline([edits.gap(2), plate], [edits.gap(1), matte])
    timeline.tracks[1].name = "VOID MATTE"
    (shot,), _ = find_shots(Cut(timeline), "/edit", Wanted(everything=True), Wishes(4, 2))
    assert shot.problems == [] and shot.range is not None
    # The plate shows its frame 11 where the matte shows its fifth, so the matte has frames 7 to 26 of the plate.
    assert (str(shot.range.used), str(shot.range.delivered), str(shot.range.looked_at)) == ("11-18", "7-22", "7-24")
    take_plates([shot], tmp_path / "plates", lambda text: None)
    (job,) = jobs_of([shot], tmp_path / "v001", 1, Making())
    assert job.request.object_matte is not None
    files = ImageSequence(job.request.object_matte.pattern)
    assert files.on_disk() == list(range(7, 25))
    source = oiio.ImageInput.open(files.path(11))
    assert source.spec().channelnames == ("A",)
    assert source.spec().getattribute("colorInteropID") == "data"
    pixels = source.read_image("float")
    assert number_of(np.repeat(pixels, 3, axis=2)) == 5


def test_a_movie_named_in_a_note_is_a_matte_from_the_first_frame_on(movie: Movie, tmp_path: Path) -> None:
    write_movie(tmp_path / "matte.mov", "mpeg4", "yuv420p", 30, rate=Fraction(RATE))
    item = clip(Path(movie.path), 86410, 8, (86400, 40, 24))
    item.markers.append(otio.schema.Marker("VOID", Range(Time(86411, 24), Time(1, 24)), "RED"))
    item.markers[0].comment = "matte: matte.mov"
    cut = Cut(edits.timeline([item]))
    (shot,), _ = find_shots(cut, str(tmp_path), Wanted.usual(), Wishes(4, 2))
    assert shot.problems == []
    take_plates([shot], tmp_path / "plates", lambda text: None)
    assert ImageSequence(shot.mattes["object_matte"].pattern).on_disk() == list(range(5, 25))
    item.markers[0].comment = "matte: gone.mov"
    (shot,), _ = find_shots(cut, str(tmp_path), Wanted.usual(), Wishes(4, 2))
    assert "gone.mov is offline" in shot.problems[0]


def test_the_colour_that_is_told_goes_before_that_of_the_movie(movie: Movie, tmp_path: Path) -> None:
    root = mattes(tmp_path / "mattes", range(1, 41))
    (shot,) = shots_of(clip(Path(movie.path), 86410, 8, (86400, 40, 24)), Wishes(4, 2, root))
    (job,) = jobs_of([shot], tmp_path / "v001", 1, Making(colour="ARRI LogC4"))
    assert job.request.colour == "ARRI LogC4"


def test_a_movie_without_tags_says_what_it_is_taken_for(tmp_path: Path) -> None:
    path = write_movie(tmp_path / "A001.mp4", "libx264", "yuv420p", 12, rate=Fraction(24), tags=(2, 2, 2))
    root = mattes(tmp_path / "mattes", range(1, 13))
    (shot,) = shots_of(clip(path, 2, 6, None), Wishes(4, 2, root))
    assert shot.problems == []
    assert any("taken for g24_rec709_display, or name another with --colour" in text for text in shot.warnings)
    assert any("taken by its size for Rec.601" in text for text in shot.warnings)
    assert any("nothing says the timecode" in text for text in shot.warnings)
    (job,) = jobs_of([shot], tmp_path / "v001", 1, Making())
    assert job.request.colour == "g24_rec709_display"
    (told,) = shots_of(clip(path, 2, 6, None), Wishes(4, 2, root, colour="ARRI LogC4"))
    assert not any("--colour" in text for text in told.warnings)


def test_exr_frames_that_are_named_still_go_before_the_movie(movie: Movie, tmp_path: Path) -> None:
    plates = mattes(tmp_path / "plates", range(1001, 1041))
    root = mattes(tmp_path / "mattes", range(1001, 1041))
    (shot,) = shots_of(clip(Path(movie.path), 86410, 8, (86400, 40, 24)), Wishes(4, 2, root, plates))
    assert shot.problems == [] and shot.movie is None
    assert shot.media is not None and shot.media.pattern == f"{plates}/A001.%04d.exr"
    (without,) = shots_of(
        clip(Path(movie.path), 86410, 8, (86400, 40, 24)), Wishes(4, 2, root, str(tmp_path / "other"))
    )
    assert without.movie is not None or without.problems


def test_a_movie_that_cannot_be_taken_apart_is_a_problem_of_its_shot_alone(movie: Movie, tmp_path: Path) -> None:
    times = [0, 1, 2, 4, 5, 7, 8, 9, 10, 13]
    bad = write_movie(tmp_path / "B002.mov", "libx264", "yuv420p", 10, options={"bf": "0"}, times=times)
    root = mattes(tmp_path / "mattes", range(1, 41))
    one, other = clip(bad, 2, 4, (0, 10, 24)), clip(Path(movie.path), 86410, 8, (86400, 40, 24))
    cut = Cut(edits.timeline([one, other]))
    shots, _ = find_shots(cut, "/edit", Wanted(everything=True), Wishes(4, 2, root))
    assert "variable frame rate" in shots[0].problems[0] and str(bad) in shots[0].problems[0]
    assert shots[1].problems == []


@pytest.mark.parametrize("rate", [NTSC24, NTSC30])
def test_written_rates_near_the_exact_one_are_the_movie_s(tmp_path: Path, rate: Fraction) -> None:
    path = write_movie(tmp_path / "A001.mov", "mpeg4", "yuv420p", 20, rate=rate, timecode="01:00:00:00")
    root = mattes(tmp_path / "mattes", range(1, 21))
    start = 86400 if rate == NTSC24 else 108000
    for written in (float(rate), round(float(rate), 3), round(float(rate), 2)):
        (shot,) = shots_of(clip(path, start + 5, 6, (start, 20, written)), Wishes(0, 0, root))
        assert shot.problems == [] and shot.range is not None
        assert shot.range.used == FrameRange(6, 11)
        take_plates([shot], tmp_path / "plates", lambda text: None)
        assert shot.media is not None
        _, facts = exrfiles.read(ImageSequence(shot.media.pattern).path(shot.range.used.first))
        assert facts["FramesPerSecond"] == (rate.numerator, rate.denominator)
