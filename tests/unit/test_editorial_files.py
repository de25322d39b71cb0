"""Timelines as files: what can be read, what is said of the rest, and that nothing crashes the program."""

from __future__ import annotations

import json
import zipfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import edits
import opentimelineio as otio
import pytest

from void_plugin.editorial.adapters import LOSSES, open_timeline, to_text, write_otio
from void_plugin.editorial.check import check
from void_plugin.editorial.picks import Wanted, pick
from void_plugin.editorial.shots import Wishes, find_shots, position
from void_plugin.editorial.walk import Cut
from void_plugin.errors import RequestError

SAMPLES = Path(__file__).parents[1] / "golden" / "otio"
"""Sample timelines of OpenTimelineIO's own repository, and of those of its adapters."""
KINDS = (".otio", ".edl", ".xml")


@pytest.fixture
def base() -> Any:
    return edits.timeline([edits.clip("a", 100, 20), edits.gap(4), edits.clip("b", 100, 20, speed=2)])


def written(folder: Path, data: Any, name: str = "cut.otio") -> str:
    path = folder / name
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return str(path)


def test_what_is_written_reads_back_the_same(base: Any, tmp_path: Path) -> None:
    write_otio(base, tmp_path / "cut.otio")
    opened = open_timeline(str(tmp_path / "cut.otio"))
    assert opened.timeline.is_equivalent_to(base) and opened.warnings == () and opened.folder == str(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no OTIO that can be read"),
        ("{", "no OTIO that can be read"),
        ("[1, 2]", "JSON but no OTIO"),
        ("{}", "JSON but no OTIO"),
        ("[" * 100_000, "no OTIO that can be read"),
        ('{"OTIO_SCHEMA": "Timeline.99", "name": "x"}', "it holds Timeline.99, which is not known here"),
        ('{"OTIO_SCHEMA": "Timeline.1", "name": "x"}', "cannot be read"),
        ('{"OTIO_SCHEMA": "Clip.2"}', "cannot be read"),
    ],
)
def test_a_file_that_is_no_timeline_says_so(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        open_timeline(written(tmp_path, text))


def test_a_file_that_is_not_there_or_of_no_known_kind_says_so(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="does not exist"):
        open_timeline(str(tmp_path / "none.otio"))
    with pytest.raises(RequestError, match=r"Nothing here reads \.drt: export the timeline as \.otio"):
        open_timeline(written(tmp_path, "", "cut.drt"))
    if "aaf" not in otio.adapters.suffixes_with_defined_adapters(read=True):
        with pytest.raises(RequestError, match="pip install OpenTimelineIO-Plugins"):
            open_timeline(written(tmp_path, "", "cut.aaf"))
    (tmp_path / "cut.fcpxmld").mkdir()  # a folder around Info.fcpxml
    with pytest.raises(RequestError, match=r"otio-fcpx-xml-adapter|Info\.fcpxml"):
        open_timeline(str(tmp_path / "cut.fcpxmld"))


@pytest.mark.parametrize("where", ["children", "effects", "media"])
def test_an_unknown_schema_is_named(base: Any, tmp_path: Path, where: str) -> None:
    data = json.loads(to_text(base))
    odd = {"OTIO_SCHEMA": "StudioThing.1", "name": "x"}
    track = data["tracks"]["children"][0]
    if where == "children":
        track["children"].append(odd)
    elif where == "effects":
        track["children"][0]["effects"].append(odd)
    else:
        track["children"][0]["media_references"]["DEFAULT_MEDIA"] = odd
    with pytest.raises(RequestError, match=r"it holds StudioThing\.1, which is not known here"):
        open_timeline(written(tmp_path, data))


def test_a_file_of_a_newer_opentimelineio_says_to_bring_ours_up_to_date(base: Any, tmp_path: Path) -> None:
    text = to_text(base).replace('"Gap.1"', '"Gap.99"')
    with pytest.raises(RequestError, match=r"Gap\.99, which is not known here\); bring OpenTimelineIO .* up to date"):
        open_timeline(written(tmp_path, text))


def test_the_rate_of_a_timeline_is_that_of_its_pictures() -> None:
    base = edits.timeline([edits.clip("a", 100, 20)])
    base.global_start_time = None
    sound = otio.schema.Track("A1", kind="Audio")
    samples = otio.opentime.TimeRange(otio.opentime.RationalTime(0, 48000), otio.opentime.RationalTime(48000, 48000))
    sound.append(otio.schema.Clip("s", source_range=samples))
    base.tracks.insert(0, sound)
    assert Cut(base).rate == edits.RATE


def test_an_unknown_schema_in_notes_is_kept_and_warned_of(base: Any, tmp_path: Path) -> None:
    data = json.loads(to_text(base))
    data["tracks"]["children"][0]["metadata"]["studio"] = {"OTIO_SCHEMA": "StudioThing.1", "name": "x"}
    opened = open_timeline(written(tmp_path, data))
    assert "StudioThing.1" in opened.warnings[0] and "StudioThing.1" in to_text(opened.timeline)


@pytest.mark.parametrize("deep", [False, True])
def test_a_timeline_that_contains_itself_is_refused_before_it_can_crash_anything(
    base: Any, tmp_path: Path, deep: bool
) -> None:
    data = json.loads(to_text(base))
    data["tracks"]["OTIO_REF_ID"] = "top"
    ring = {"OTIO_SCHEMA": "SerializableObjectRef.1", "id": "top"}
    stack = {**json.loads(to_text(otio.schema.Stack("s"))), "children": [ring]}
    data["tracks"]["children"][0]["children"].append(stack if deep else ring)
    with pytest.raises(RequestError, match="contains itself"):
        open_timeline(written(tmp_path, data))


def test_numbers_that_json_does_not_know_are_read(tmp_path: Path) -> None:
    text = (SAMPLES / "big_int.otio").read_text(encoding="utf-8")
    assert ": Inf," in text and ": NaN" in text
    opened = open_timeline(written(tmp_path, text))
    assert opened.timeline.find_clips()[0].metadata["float"]["floatinf"] == float("inf")
    opened.timeline.tracks.metadata["odd"] = float("nan")
    assert [one.text for one in check(opened.timeline, opened.timeline, "")] == [
        "it holds no results that the edit did not hold."
    ]


def test_an_empty_timeline_and_one_of_sound_alone_are_told(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="no video track"):
        open_timeline(written(tmp_path, to_text(otio.schema.Timeline("x"))))
    sound = otio.schema.Timeline("x")
    sound.tracks.append(otio.schema.Track("A1", kind="Audio"))
    with pytest.raises(RequestError, match="no video track"):
        open_timeline(written(tmp_path, to_text(sound)))
    with pytest.raises(RequestError, match="holds no clips"):
        open_timeline(written(tmp_path, to_text(edits.timeline([edits.gap(4)]))))
    with pytest.raises(RequestError, match="holds a Track and no timeline"):
        open_timeline(written(tmp_path, to_text(otio.schema.Track("V1"))))


def test_one_of_several_timelines_is_chosen_by_name(base: Any, tmp_path: Path) -> None:
    other = edits.timeline([edits.clip("z", 100, 20)])
    other.name = "other"
    collection = otio.schema.SerializableCollection("all", [base, other])
    path = written(tmp_path, to_text(collection))
    with pytest.raises(RequestError, match="choose one with --timeline: 'edit', 'other'"):
        open_timeline(path)
    assert open_timeline(path, "other").timeline.name == "other"


def test_a_clip_of_unknown_length_is_named(tmp_path: Path) -> None:
    base = edits.timeline([edits.clip("a", 100, 20), otio.schema.Clip("no length")])
    with pytest.raises(RequestError, match="how long 'no length' is"):
        list(Cut(base).clips())


def test_media_inside_of_a_bundle_are_told(base: Any, tmp_path: Path) -> None:
    base.tracks[0][0].media_reference.target_url_base = "media"
    with zipfile.ZipFile(tmp_path / "cut.otioz", "w") as bundle:
        bundle.writestr("content.otio", to_text(base))
        bundle.writestr("version.txt", "1.0.0")
    opened = open_timeline(str(tmp_path / "cut.otioz"))
    assert "unpack it" in opened.warnings[0]
    shots, _ = find_shots(Cut(opened.timeline), opened.folder, Wanted(everything=True), Wishes())
    assert "offline" in shots[0].problems[-1] or "has no matte" in shots[0].problems[0]
    (tmp_path / "odd.otioz").write_bytes(b"PK no zip")
    with pytest.raises(RequestError, match="cannot be read"):
        open_timeline(str(tmp_path / "odd.otioz"))


EDL = """TITLE: cut
FCM: NON-DROP FRAME

001  A001C001 V     C        01:00:10:00 01:00:12:00 01:00:00:00 01:00:02:00
* FROM CLIP NAME: a.mov
002  A001C002 V     C        00:00:00:00 00:00:01:00 01:00:02:00 01:00:03:00
* FROM CLIP NAME: b.mov
"""


@pytest.mark.parametrize(
    "text", [EDL, EDL.replace("01:00:02:00\n* FROM CLIP NAME: a", "01:00:03:00\n* FROM CLIP NAME: a")]
)
def test_an_edl_is_read_with_what_it_loses_said(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, text, "cut.edl")
    if text == EDL:
        opened = open_timeline(path)
        assert opened.warnings == (LOSSES[".edl"],)
        cut = Cut(opened.timeline)
        assert [place.name for place in cut.clips()] == ["a.mov", "b.mov"]
        assert [position(cut, place) for place in cut.clips()] == ["01:00:00:00", "01:00:02:00"]
    else:  # record times that do not follow each other
        with pytest.raises(RequestError, match="cannot be read at 24 frames a second"):
            open_timeline(path)


def test_the_rate_of_an_edl_is_what_the_user_says(tmp_path: Path) -> None:
    path = written(
        tmp_path, EDL.replace("01:00:12:00 01:00:00:00 01:00:02:00", "01:00:11:24 01:00:00:00 01:00:01:24"), "c.edl"
    )
    with pytest.raises(RequestError, match="give --rate"):
        open_timeline(path)
    assert Cut(open_timeline(path, rate=25).timeline).rate == 25


@pytest.mark.parametrize(
    ("rate", "start", "second"),
    [("29.97", "01:00:00;00", 107892), ("29.97", "01:00:00:00", 108000), ("23.976", "01:00:00:00", 86400)],
)
def test_an_edl_of_television_is_read_at_the_rate_that_people_write(
    tmp_path: Path, rate: str, start: str, second: int
) -> None:
    mark = start[8]
    text = f"TITLE: cut\n\n001  A  V  C  {start} 01:00:02{mark}00 {start} 01:00:02{mark}00\n* FROM FILE: /p/a.mov\n"
    cut = Cut(open_timeline(written(tmp_path, text, "c.edl"), rate=float(rate)).timeline)
    (place,) = cut.clips()
    assert (cut.start, place.duration) == (second, 2 * round(float(rate)))
    assert cut.rate == Fraction(round(float(rate)) * 1000, 1001)


def test_notes_of_an_fcp_xml_are_read_and_its_markers_count_as_their_clip(tmp_path: Path) -> None:
    media = otio.opentime.TimeRange(edits.Time(86400, 24), edits.Time(500, 24))
    shown = [otio.opentime.TimeRange(edits.Time(at, 24), edits.Time(20, 24)) for at in (86600, 86620)]
    clips = [otio.schema.Clip("a.mov", otio.schema.ExternalReference("/p/a.mov", media), one) for one in shown]
    otio.adapters.write_to_file(edits.timeline(clips), str(tmp_path / "cut.xml"))
    # As Premiere writes it: on both pieces of a cut, counted from the start of the media.
    marker = "<marker><comment>matte: m.####.exr</comment><name>VOID</name><in>225</in><out>-1</out></marker>"
    text = (tmp_path / "cut.xml").read_text().replace("</clipitem>", f"{marker}</clipitem>")
    timeline = open_timeline(written(tmp_path, text, "cut.xml")).timeline
    (found,), _ = pick(Cut(timeline), Wanted.usual())
    assert found.place.index == 1 and found.note.mattes == (("object_matte", "m.####.exr"),)


def test_what_an_adapter_stumbles_over_is_a_sentence(tmp_path: Path) -> None:
    for text in ("", "<xmeml/>", "<a><b></a>", "\0\1\2"):
        with pytest.raises(RequestError):
            open_timeline(written(tmp_path, text, "cut.xml"))


@pytest.mark.parametrize(
    "path", sorted(path for path in SAMPLES.rglob("*") if path.suffix in KINDS), ids=lambda path: path.name
)
def test_every_sample_gives_shots_or_says_why_not(path: Path) -> None:
    try:
        opened = open_timeline(str(path))
        shots, skipped = find_shots(Cut(opened.timeline), opened.folder, Wanted(everything=True), Wishes())
    except RequestError as error:
        assert path.name in error.message and len(error.message) < 600
        return
    assert shots or skipped
    for shot in shots:
        assert shot.problems and all(text.endswith((".", "?")) for text in shot.problems), (
            "no sample has its media here"
        )
