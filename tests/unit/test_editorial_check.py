"""The check finds what was done to a conformed timeline after it was written."""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy
from fractions import Fraction
from pathlib import Path
from typing import Any

import edits
import opentimelineio as otio
import pytest
from edits import RATE, Range, Time
from reels import write_movie

from void_plugin.editorial.check import EXR, check
from void_plugin.editorial.conform import Conform, Result
from void_plugin.editorial.media import media_of
from void_plugin.frames import FrameRange


@pytest.fixture
def edit() -> Any:
    items = [
        edits.gap(5),
        edits.clip("a", 20, 10, media=60),
        edits.dissolve(2, 3),
        edits.clip("b", 20, 12, speed=2, media=60),
        edits.clip("c", 10, 10, media=60),
    ]
    return edits.timeline(items, [edits.gap(40), edits.clip("d", 10, 5, speed=-1, media=60)])


@pytest.fixture
def conformed(edit: Any, tmp_path: Path) -> Any:
    """Results for a and d, with their files."""
    results = {}
    for path, frames in (((0, 1), FrameRange(1013, 1042)), ((1, 1), FrameRange(1003, 1030))):
        item = edit.tracks[path[0]][path[1]]
        pattern = f"{tmp_path}/{item.name}.%04d.exr"
        for frame in frames:
            Path(pattern % frame).write_bytes(EXR + b"rest")
        results[path] = Result(media_of(item, "/edit"), pattern, frames)
    return Conform(edit, 1).run(results, {}).timeline


def said(out: Any, edit: Any) -> str:
    return "\n".join(str(one) for one in check(out, edit, "/edit"))


def test_what_conform_makes_is_as_it_must_be(conformed: Any, edit: Any) -> None:
    assert said(conformed, edit) == ""
    read = otio.adapters.read_from_string(otio.adapters.write_to_string(conformed, "otio_json"), "otio_json")
    assert said(read, edit) == ""


def results(out: Any) -> Any:
    return out.tracks[2]


def lead_longer(out: Any) -> None:
    results(out)[0].source_range = Range(Time(0, RATE), Time(6, RATE))


def later_source(out: Any) -> None:
    item = results(out)[1]
    item.source_range = Range(item.source_range.start_time + Time(1, RATE), item.source_range.duration)


def shorter(out: Any) -> None:
    item = results(out)[1]
    item.source_range = Range(item.source_range.start_time, item.source_range.duration - Time(1, RATE))


def files_shifted(out: Any) -> None:
    results(out)[1].media_reference.start_frame += 1


def media_later(out: Any) -> None:
    reference = results(out)[1].media_reference
    available = reference.available_range
    reference.available_range = Range(available.start_time + Time(1, RATE), available.duration)


def media_too_short(out: Any) -> None:
    reference = results(out)[1].media_reference
    reference.available_range = Range(reference.available_range.start_time, Time(15, RATE))


def media_rate(out: Any) -> None:
    reference = results(out)[1].media_reference
    available = reference.available_range
    reference.available_range = Range(Time(available.start_time.value, 25), Time(available.duration.value, 25))


def clip_rate(out: Any) -> None:
    item = results(out)[1]
    item.source_range = Range(Time(item.source_range.start_time.value, 25), Time(item.source_range.duration.value, 25))


def timeline_rate(out: Any) -> None:
    out.global_start_time = Time(out.global_start_time.value, 25)


def begins_later(out: Any) -> None:
    out.global_start_time = Time(86401, RATE)


def base_trimmed(out: Any) -> None:
    item = out.tracks[0][1]
    item.source_range = Range(item.source_range.start_time, item.source_range.duration - Time(1, RATE))


def base_renamed(out: Any) -> None:
    out.tracks[0][3].name = "other"


def base_speed(out: Any) -> None:
    out.tracks[0][3].effects[0].time_scalar = 2.5


def base_gone(out: Any) -> None:
    del out.tracks[1]


def base_marker(out: Any) -> None:
    out.tracks[0][1].markers.append(otio.schema.Marker("new"))


def speed_changed(out: Any) -> None:
    results(out)[1].effects.append(otio.schema.LinearTimeWarp(time_scalar=2))


def dissolve_gone(out: Any) -> None:
    del results(out)[3]
    del results(out)[2]


def dissolve_longer(out: Any) -> None:
    results(out)[2].out_offset = Time(4, RATE)


def stub_moved(out: Any) -> None:
    item = results(out)[3]
    item.source_range = Range(item.source_range.start_time + Time(1, RATE), item.source_range.duration)


def stub_of_other_media(out: Any) -> None:
    results(out)[3].media_reference.name_prefix = "other."


def result_switched_off(out: Any) -> None:
    results(out)[1].enabled = False


def track_switched_off(out: Any) -> None:
    results(out).enabled = False


def unmarked(out: Any) -> None:
    del results(out)[1].metadata["void"]


def all_gone(out: Any) -> None:
    del out.tracks[2]


SPOILERS: dict[Callable[[Any], None], str] = {
    lead_longer: "its clip at",
    later_source: "other frames of its media",
    shorter: "its clip at",
    files_shifted: "where its clip shows",
    media_later: "where its clip shows",
    media_too_short: "that the cut shows",
    media_rate: "its media runs at 25",
    clip_rate: "rate|its clip at",
    timeline_rate: "runs at another rate",
    begins_later: "begins at another time",
    base_trimmed: r"Video 1: it is not as in the edit, from item 2 on \(a\)",
    base_renamed: "from item 4 on",
    base_speed: "from item 4 on",
    base_gone: "1 tracks besides the results, and the edit 2",
    base_marker: "from item 2 on",
    speed_changed: "effects or speed",
    dissolve_gone: "begins or ends in a transition, and it does not",
    dissolve_longer: "not that of the edit",
    stub_moved: "other frames of its media",
    stub_of_other_media: "shows other media",
    result_switched_off: "switched on or off",
    track_switched_off: "the track of results is switched off",
    unmarked: "nothing says which clip",
    all_gone: "holds no results",
}


@pytest.mark.parametrize("spoil", SPOILERS, ids=lambda spoil: spoil.__name__)
def test_every_planted_fault_is_found(conformed: Any, edit: Any, spoil: Callable[[Any], None]) -> None:
    wrong = deepcopy(conformed)
    spoil(wrong)
    assert re.search(SPOILERS[spoil], said(wrong, edit)), said(wrong, edit)


def test_a_missing_and_a_broken_file_are_named(conformed: Any, edit: Any, tmp_path: Path) -> None:
    (tmp_path / "a.1030.exr").unlink()
    (tmp_path / "a.1031.exr").write_bytes(b"")
    found = said(conformed, edit)
    assert "lacks frames 1030" in found and "no EXR at frames 1031" in found


@pytest.mark.parametrize(("timecode", "found"), [("00:00:00:05", 0), ("00:00:00:06", 1)])
def test_a_movie_of_what_was_shot_after_midnight_has_the_time_of_its_frames(
    tmp_path: Path, timecode: str, found: int
) -> None:
    day = 24 * 60 * 60 * RATE
    clip = edits.clip("a", day + 7, 6, media=30, origin=day - 5)
    base = edits.timeline([clip])
    path = write_movie(tmp_path / "a.mov", "prores_ks", "yuv422p10le", 10, rate=Fraction(RATE), timecode=timecode)
    made = FrameRange(1011, 1020)
    result = Result(media_of(clip, ""), "/clean/a.%04d.exr", made, movie=str(path), facts={"made": str(made)})
    out = Conform(base, 1).run({(0, 0): result}, {}).timeline
    findings = check(out, base, "")
    assert len(findings) == found and all("begin at the timecode" in one.text for one in findings), findings
