"""What an OTIO file tells of the item at one place of a timeline."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import edits
import opentimelineio as otio
import pytest

from void_plugin.editorial.adapters import to_text
from void_plugin.editorial.sights import Sight, sights_of
from void_plugin.errors import RequestError


def seen(tmp_path: Path, *children: object) -> list[Sight | None]:
    """The items of a track at their places, with gaps and transitions left out."""
    made = edits.timeline([edits.gap(5), *children])
    path = tmp_path / "cut.otio"
    path.write_text(to_text(made))
    at, wanted = int(made.global_start_time.value) + 5, []
    for child in children:
        if isinstance(child, otio.schema.Transition):
            continue
        length = int(child.duration().value)  # type: ignore[attr-defined]
        wanted.append((1, at, at + length))
        at += length
    return sights_of(str(path), wanted)


def test_a_plain_clip_plays_at_full_speed_and_shows_the_file_of_its_timecode(tmp_path: Path) -> None:
    (found,) = seen(tmp_path, edits.clip("sh010", 86403, 8, media=16, folder="/plates", origin=86400))
    assert found == Sight(Fraction(1), "", (0, 0), 1004)


def test_speeds_and_dissolves_are_seen_and_belong_to_their_own_side(tmp_path: Path) -> None:
    first = edits.clip("sh010", 86404, 8, media=40, folder="/plates", origin=86400)
    second = edits.clip("sh020", 86404, 8, media=40, folder="/plates", origin=86400)
    second.effects.append(otio.schema.LinearTimeWarp(time_scalar=2.0))
    before, after = seen(tmp_path, first, edits.dissolve(2, 3), second)
    assert before is not None and after is not None
    # Three frames of the second lie in the dissolve after the cut, two of the first before it.
    assert (before.dissolves, after.dissolves) == ((0, 2), (3, 0))
    assert (before.speed, after.speed) == (1, 2)


def test_what_has_no_one_speed_says_why(tmp_path: Path) -> None:
    twice = edits.clip("sh010", 86404, 8, media=40, folder="/plates", origin=86400)
    twice.effects.extend([otio.schema.LinearTimeWarp(time_scalar=2.0), otio.schema.LinearTimeWarp(time_scalar=0.5)])
    inner = edits.clip("sh020", 86404, 8, media=40, folder="/plates", origin=86400)
    nest = otio.schema.Stack("compound", [otio.schema.Track(children=[inner])])
    ramp, compound = seen(tmp_path, twice, nest)
    assert ramp is not None and ramp.speed is None and "several speed changes" in ramp.text
    assert compound is not None and compound.speed is None and "'compound' is a compound clip" in compound.text


def test_nothing_is_seen_where_nothing_lies_exactly_there(tmp_path: Path) -> None:
    made = edits.timeline([edits.clip("sh010", 86403, 8, media=16, folder="/plates", origin=86400)])
    path = tmp_path / "cut.otio"
    path.write_text(to_text(made))
    start = int(made.global_start_time.value)
    assert sights_of(str(path), [(1, start, start + 7), (2, start, start + 8), (9, start, start + 8)]) == [None] * 3
    path.write_text("no timeline")
    with pytest.raises(RequestError, match="can be read"):
        sights_of(str(path), [])
