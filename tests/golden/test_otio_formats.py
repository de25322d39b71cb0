"""The files that `void otio` writes: a change here is meant, not an accident."""

import json
from pathlib import Path

import edits
import opentimelineio as otio
from edits import RATE, Range, Time

from void_plugin.editorial.adapters import to_text
from void_plugin.editorial.conform import Conform, Result
from void_plugin.editorial.media import media_of
from void_plugin.frames import FrameRange

GOLDEN = Path(__file__).parent / "otio"


def test_a_conformed_timeline_has_the_text_that_was_agreed() -> None:
    """Rewrite the two files by hand, or by this test's own words, when what a conform makes must change."""
    clip = edits.clip("sh010.[1001-1100].exr", 86420, 24, media=100, origin=86400)
    clip.metadata["Resolve_OTIO"] = {"Link Group ID": 1}
    clip.markers.append(otio.schema.Marker("VOID", Range(Time(86425, RATE), Time(1, RATE)), "RED"))
    items = [edits.gap(12), clip, edits.dissolve(6, 6), edits.clip("sh020", 86420, 24, speed=2, origin=86400)]
    edit = edits.timeline(items)
    edit.metadata["Resolve_OTIO"] = {"Resolve OTIO Meta Version": "1.0"}
    media = media_of(clip, "/edit")
    result = Result(media, "/jobs/v001/sh010/sh010_v001.%04d.exr", FrameRange(1013, 1058), facts={"job": "sh010"})
    out = Conform(edit, 1).run({(0, 1): result}, {}).timeline
    assert json.loads(to_text(edit)) == json.loads((GOLDEN / "edit.otio").read_text())
    assert to_text(out) == (GOLDEN / "edit_VOID_v001.otio").read_text().rstrip("\n")


def test_a_conformed_timeline_is_of_the_shape_that_resolve_imports() -> None:
    data = json.loads((GOLDEN / "edit_VOID_v001.otio").read_text())
    schemas: set[str] = set()
    waiting: list[object] = [data]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            schemas.add(item.get("OTIO_SCHEMA", ""))
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item
    stock = {"Timeline.1", "Stack.1", "Track.1", "Clip.2", "Gap.1", "Transition.1", "Marker.2", "LinearTimeWarp.1"}
    assert schemas - {""} <= stock | {"ImageSequenceReference.1", "RationalTime.1", "TimeRange.1", "MissingReference.1"}
    assert data["global_start_time"]["value"] == 86400
    result = data["tracks"]["children"][1]["children"][1]
    reference = result["media_references"]["DEFAULT_MEDIA"]
    assert "://" not in reference["target_url_base"] and not reference["target_url_base"].endswith("/")
    begin, shown = reference["available_range"]["start_time"]["value"], result["source_range"]["start_time"]["value"]
    assert begin == 86412 and shown == 86420, "timecode of the media, not counted from 0"
    for marker in result["markers"]:
        assert 0 <= marker["marked_range"]["start_time"]["value"] - shown < result["source_range"]["duration"]["value"]
