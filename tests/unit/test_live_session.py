"""The driver of removals on a timeline against a host by the book: what it asks, what it tells, what it leaves."""

from __future__ import annotations

import json
import os
import struct
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes.resolve import pictures
from livehosts import CONTEXT, FIRST, LENGTH, START, LiveHost, files, refused, shot_row

from void_plugin.claim import claimed
from void_plugin.desk import Desk
from void_plugin.errors import Cancelled, HostError, JobError, RequestError
from void_plugin.hostcall import HostCall
from void_plugin.jobrecord import JobRecord
from void_plugin.live import collect, verify
from void_plugin.live.exrtags import colour_tag
from void_plugin.live.records import Placing, record_of
from void_plugin.live.running import Running, Wanted
from void_plugin.live.timelinefacts import Context

NO_SERVER = f'"{sys.executable}" -c "import sys; sys.exit(3)"'


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """On a machine without a server, whose programs fail."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VOID_")}
    places = {"XDG_STATE_HOME": str(tmp_path / "state"), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    return Desk({**kept, **places, "VOID_SERVER_COMMAND": NO_SERVER})


@pytest.fixture
def pattern(tmp_path: Path) -> str:
    return files(tmp_path / "media" / "sh010", "sh010", range(FIRST, FIRST + 24))


# -- what stands in the way ----------------------------------------------------------------------------------------


def test_what_an_interrupted_run_has_left_is_restored_before_anything_else(desk: Desk, pattern: str) -> None:
    host = LiveHost(shot_row(pattern), leftovers=lambda args: {"restored": ["page"], "failed": ["the page Color"]})
    result = host.run(desk, "remove", dry_run=True)
    assert host.names()[:2] == ["leftovers", "context"]
    assert result["warnings"] == ["An interrupted run could not be undone: the page Color"]
    assert host.told[-1].endswith("Nothing was sent: this only shows what would be.")


@pytest.mark.parametrize("action", ["remove", "collect", "check", "clean"])
def test_where_the_project_is_not_fit_all_reasons_are_told_and_nothing_is_asked(desk: Desk, action: str) -> None:
    problems = [
        {"level": "error", "text": "Save it."},
        {"level": "warning", "text": "Shared."},
        {"level": "error", "text": "It renders."},
    ]
    host = LiveHost(context=lambda args: {**CONTEXT, "timeline": None, "problems": problems})
    with pytest.raises(HostError, match=r"^Save it\. It renders\.$"):
        host.run(desk, action)
    assert host.names() == ["leftovers", "context"]


def test_an_action_or_an_option_that_there_is_not_is_refused_before_the_host_is_asked(desk: Desk) -> None:
    host = LiveHost()
    with pytest.raises(HostError, match="no action 'erase'"):
        host.run(desk, "erase")
    with pytest.raises(HostError, match="no option 'speed'"):
        host.run(desk, "remove", speed=2)
    assert host.asked == []


def test_a_host_that_answers_something_else_is_told_to_be_of_another_version(desk: Desk) -> None:
    with pytest.raises(HostError, match="same version of both sides"):
        LiveHost({"id": "x"}).run(desk, "remove")


def test_clips_are_looked_for_by_one_way_after_the_other(desk: Desk, pattern: str) -> None:
    by_marker = {"markers": [shot_row(pattern)]}
    host = LiveHost(shots=lambda args: {"shots": by_marker.get(args["pick"], [])})
    assert host.run(desk, "remove", dry_run=True)["rows"][0]["name"] == "sh010"
    assert [args["pick"] for args in host.of("shots")] == ["selected", "playhead", "markers"]
    none = LiveHost()
    with pytest.raises(RequestError, match="select some on the Edit page"):
        none.run(desk, "remove")
    with pytest.raises(RequestError, match="is called sh020 or sh030"):
        LiveHost(shot_row(pattern)).run(desk, "remove", pick="all", names=["sh020", "sh030"])


# -- what is planned -----------------------------------------------------------------------------------------------


def test_without_otio_a_clip_whose_speed_nobody_knows_is_rendered_and_why_is_said(desk: Desk, pattern: str) -> None:
    host = LiveHost(shot_row(pattern, retimed=None, matte_track=2))
    (row,) = host.run(desk, "remove", dry_run=True)["rows"]
    assert row["plate"] == "rendered by Resolve" and row["frames"] == f"{START}-{START + LENGTH - 1}"
    assert any("no OTIO here" in text for text in row["warnings"])
    assert any("nothing says whether it is retimed" in text for text in row["warnings"])


def test_problems_of_the_host_and_ours_are_told_together(desk: Desk) -> None:
    row = shot_row("", offline=True, problems=[{"level": "error", "text": "The media of sh010 is offline."}])
    result = LiveHost(row).run(desk, "remove", dry_run=True)
    (told,) = result["rows"]
    assert told["state"] == "refused" and not result["ok"]
    assert told["text"].startswith("The media of sh010 is offline.") and "has no matte" in told["text"]


@pytest.mark.parametrize(
    ("changes", "rendered"),
    [
        ({}, False),
        ({"transformed": True}, True),
        ({"transformed": None}, True),
        ({"media": {"resolution": [72, 128]}}, True),
    ],
)
def test_the_matte_of_a_track_goes_with_files_only_where_the_clip_fills_the_frame(
    desk: Desk, pattern: str, changes: dict[str, Any], rendered: bool
) -> None:
    host = LiveHost(shot_row(pattern, matte_track=2, **changes))
    (row,) = host.run(desk, "remove", dry_run=True)["rows"]
    assert (row["plate"] == "rendered by Resolve") is rendered
    assert any("VOID MATTE, which shows the sized picture" in text for text in row["warnings"]) is rendered


COLOURS = {
    "managed, files": (
        {"colorScienceMode": "davinciYRGBColorManagedv2"}, {"input_colour": "ACEScg"}, "auto", "lin_ap1_scene", ""
    ),
    "managed, rendered": (
        {"colorScienceMode": "davinciYRGBColorManagedv2", "colorSpaceOutput": "Rec.709 Gamma 2.4"}, {}, "render",
        "g24_rec709_display", "highlights"
    ),
    "unmanaged": ({"colorScienceMode": "davinciYRGB"}, {}, "auto", "unknown", "is not colour managed"),
}  # fmt: skip


@pytest.mark.parametrize("case", COLOURS)
def test_the_encoding_of_a_plate_is_what_the_project_says_and_else_unknown(case: str, desk: Desk, pattern: str) -> None:
    colour, media, plate, expected, warned = COLOURS[case]
    host = LiveHost(shot_row(pattern, matte_track=2, media=media), context=lambda args: {**CONTEXT, "colour": colour})
    (row,) = host.run(desk, "remove", dry_run=True, plate=plate)["rows"]
    assert row["colour"] == expected
    assert any(warned in text for text in row["warnings"]) if warned else True


MANAGED = {"colorScienceMode": "davinciYRGBColorManagedv2", "colorSpaceInput": "Rec.709 Gamma 2.4"}
TAGS: dict[str, tuple[dict[str, str], dict[str, str], str, str]] = {
    "over the project's": (MANAGED, {"input_colour": "Project"}, "lin_ap1_scene", "its files say that they are"),
    "under the clip's": (MANAGED, {"input_colour": "ACES"}, "lin_ap0_scene", ""),
    "where nothing else says it": ({"colorScienceMode": "davinciYRGB"}, {}, "lin_ap1_scene", ""),
}


@pytest.mark.parametrize("case", TAGS)
def test_the_tag_of_the_files_comes_behind_what_the_clip_says_and_before_what_the_project_says(
    case: str, desk: Desk, pattern: str
) -> None:
    colour, media, expected, warned = TAGS[case]
    for number in range(FIRST, FIRST + 24):
        pictures.save(
            pattern % number, np.zeros((4, 4, 3), np.float32), attributes=[("colorInteropID", "lin_ap1_scene")]
        )
    host = LiveHost(shot_row(pattern, matte_track=2, media=media), context=lambda args: {**CONTEXT, "colour": colour})
    (row,) = host.run(desk, "remove", dry_run=True)["rows"]
    assert row["colour"] == expected
    said = [text for text in row["warnings"] if "its files say" in text or "colour" in text]
    assert any(warned in text for text in said) if warned else not said


def test_the_colour_of_an_exr_is_read_off_its_header(tmp_path: Path) -> None:
    pixels, path = np.zeros((4, 4, 3), np.float32), str(tmp_path / "a.exr")
    for attributes, expected in (
        ([], ""),
        ([("colorInteropID", "srgb_rec709_scene")], "srgb_rec709_scene"),
        ([("colorInteropID", "unknown")], ""),
        ([("colorInteropID", "data")], ""),
    ):
        pictures.save(path, pixels, attributes=attributes)
        assert colour_tag(path) == expected
    whole = Path(path).read_bytes()
    flag = b"acesImageContainerFlag\0int\0" + struct.pack("<ii", 4, 1)
    Path(path).write_bytes(whole[:8] + flag + whole[8:])
    assert colour_tag(path) == "lin_ap0_scene"
    for length in (0, 3, 8, 20, 100, 200):
        Path(path).write_bytes(whole[:length])
        assert colour_tag(path) == ""
    Path(path).write_bytes(b"no picture")
    assert colour_tag(path) == "" and colour_tag(str(tmp_path / "gone.exr")) == ""


def test_the_saver_of_a_sized_clip_is_refused_because_it_writes_another_picture(desk: Desk, pattern: str) -> None:
    row = shot_row(pattern, fusion=True, savers=[["Composition 1", "VOID_MATTE"]], transformed=True)
    (told,) = LiveHost(row).run(desk, "remove", dry_run=True)["rows"]
    assert told["state"] == "refused" and "is sized on the timeline" in told["text"]


def test_files_that_are_insisted_on_and_cannot_be_taken_are_an_error(desk: Desk, pattern: str) -> None:
    (row,) = LiveHost(shot_row(pattern, fusion=True)).run(desk, "remove", dry_run=True, plate="files")["rows"]
    assert row["state"] == "refused" and "Fusion composition" in row["text"]


def test_where_no_server_answers_nothing_is_rendered_or_reserved(desk: Desk, tmp_path: Path, pattern: str) -> None:
    host = LiveHost(shot_row(pattern, matte_track=2))
    result = host.run(desk, "remove")
    assert [row["state"] for row in result["rows"]] == ["refused"] and not result["ok"]
    assert "export_begin" not in host.names() and "mark" not in host.names()
    assert not (tmp_path / "media" / "VOID").exists()


# -- what was sent earlier -----------------------------------------------------------------------------------------


def placing(**changes: Any) -> Placing:
    made = Placing(
        job="j1", project="project-1", timeline="timeline-1", shot="item-1", name="sh010",
        record=(START, START + LENGTH), left=4, route="files", used="1005-1010", delivered="1003-1012", version=4,
        pattern="comp/sh010_VOID_v004.%04d.exr", tags={"fps": "24.0", "input_colour": "ACEScg"}, copies=True,
    )  # fmt: skip
    return replace(made, **changes)


def version(
    tmp_path: Path,
    state: str,
    finished: bool = False,
    warnings: Sequence[dict[str, Any]] = (),
    flaws: tuple[str, ...] = (),
    **changes: Any,
) -> Path:
    """A version folder as an earlier run has left it."""
    folder = tmp_path / "VOID" / "Reel_3" / "sh010" / "v004"
    folder.mkdir(parents=True)
    facts = placing(flaws=flaws).facts(Context.of(CONTEXT))
    JobRecord(state=state, version=4, frames="1003-1012", facts=facts, **changes).ours().save(folder)
    if finished:
        (folder / "manifest.json").write_text(json.dumps({"schema": 1, "warnings": list(warnings)}))
    return folder


def marked(folder: Path, state: str = "sent", **more: Any) -> dict[str, Any]:
    row = {"job": "j1", "folder": folder.as_posix(), "state": state, "shot": "item-1", "name": "sh010"}
    return {**row, "record": [START, START + LENGTH], **more}


def collecting(*rows: dict[str, Any], **answers: Any) -> LiveHost:
    placed = {
        "as": "clip",
        "track": 3,
        "record": [START, START + LENGTH],
        "warnings": ["sh011 lies over it."],
        "item": "i",
    }
    return LiveHost(jobs=lambda args: {"jobs": list(rows)}, **{"place": lambda args: placed, **answers})


def test_a_finished_version_is_placed_as_it_was_sent_and_marked(desk: Desk, tmp_path: Path) -> None:
    folder = version(tmp_path, "done", finished=True)
    host = collecting(marked(folder))
    (row,) = host.run(desk, "collect")["rows"]
    assert row["state"] == "placed" and row["text"] == "v004 is on track 3. sh011 lies over it."
    (args,) = host.of("place")
    assert args["files"] == {
        "pattern": f"{folder.as_posix()}/comp/sh010_VOID_v004.%04d.exr",
        "first": 1003,
        "last": 1012,
    }
    assert (args["offset"], args["left"], args["record"], args["scratch"]) == (2, 4, [START, START + LENGTH], False)
    assert args["name"] == "sh010_VOID_v004" and args["copy_grade"] and args["copy_transform"]
    assert args["input_colour"] == "ACEScg"
    assert [(mark["state"], mark["job"]) for mark in host.of("mark")] == [("done", "j1")]


FLAWS: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "handles": ({"flaws": ("There are fewer handles.",)}, {}, []),
    "frames": ({}, {}, ["Frame 1005: filled.", "Frame 1006: filled.", "Frame 1007: filled.", "Frame 1008: filled."]),
    "looks": ({}, {"complete": False, "warnings": ["The data level is 'Auto'."]}, []),
}


@pytest.mark.parametrize("case", FLAWS)
def test_a_result_whose_frames_are_to_be_looked_at_is_placed_and_its_marker_is_yellow(
    case: str, desk: Desk, tmp_path: Path
) -> None:
    changes, answer, made = FLAWS[case]
    warnings = [{"frame": 1005 + at, "text": text} for at, text in enumerate(made)]
    warnings.append({"frame": None, "text": "The plate has no tag."})
    folder = version(tmp_path, "done", True, warnings, **changes)
    placed = {"as": "clip", "track": 3, "record": [START, START + LENGTH], "warnings": [], "item": "i", **answer}
    host = collecting(marked(folder), place=lambda args: placed)
    assert [row["state"] for row in host.run(desk, "collect")["rows"]] == ["placed"]
    (mark,) = host.of("mark")
    made = [*made[:3], "The same or alike for 1 more."] if made else []
    told = [*changes.get("flaws", ()), *made, *placed["warnings"]]
    assert mark["state"] == "partial" and mark["note"] == " ".join(["v004 is on track 3.", *told])
    again = collecting(marked(folder, "partial"))
    assert again.run(desk, "collect")["text"] == "Nothing is waiting on this timeline."
    assert [row["state"] for row in again.run(desk, "jobs")["rows"]] == ["placed"]


def test_a_result_that_cannot_be_placed_stays_and_its_marker_says_why(desk: Desk, tmp_path: Path) -> None:
    folder = version(tmp_path, "done", finished=True)
    host = collecting(marked(folder), place=refused("The track VOID is locked; unlock it."))
    result = host.run(desk, "collect")
    assert not result["ok"] and result["rows"][0]["text"] == "The track VOID is locked; unlock it."
    assert host.of("mark")[0]["state"] == "failed" and (folder / "manifest.json").exists()


def test_what_is_placed_is_not_placed_again_and_what_is_not_ready_is_left(desk: Desk, tmp_path: Path) -> None:
    folder = version(tmp_path, "running")
    assert collecting(marked(folder, "done")).run(desk, "collect")["text"] == "Nothing is waiting on this timeline."
    with claimed(folder, "ann"):
        (busy,) = collecting(marked(folder)).run(desk, "collect")["rows"]
    assert busy["state"] == "running" and "being made" in busy["text"]
    (alone,) = collecting(marked(folder)).run(desk, "collect", wait=False)["rows"]
    assert alone["state"] == "running" and "--wait" in alone["text"]


def test_jobs_that_have_failed_or_lost_their_folder_are_told_with_the_reason(desk: Desk, tmp_path: Path) -> None:
    folder = version(tmp_path, "failed", error={"code": "job.memory", "text": "Out of memory."})
    gone = tmp_path / "gone"
    rows = collecting(marked(folder), marked(gone)).run(desk, "collect")["rows"]
    assert [row["state"] for row in rows] == ["failed", "failed"]
    assert rows[0]["text"] == "Out of memory." and "job.json" in rows[1]["text"]
    assert [row["name"] for row in rows] == ["sh010", "sh010 (2)"]


def test_jobs_are_listed_as_they_stand_on_disk(desk: Desk, tmp_path: Path) -> None:
    folder = version(tmp_path, "running", server="farm:7476")
    host = collecting(marked(folder), marked(tmp_path / "gone"))
    rows = host.run(desk, "jobs")["rows"]
    assert rows[0]["state"] == "running" and "frames 1003-1012, by" not in rows[0]["text"]
    assert "farm:7476" in rows[0]["text"] and rows[1]["state"] == "failed"
    (folder / "manifest.json").write_text(json.dumps({"schema": 1}))
    assert [row["state"] for row in host.run(desk, "jobs")["rows"]] == ["ready", "failed"]


def test_clean_tells_what_went_and_what_could_not(desk: Desk) -> None:
    done = {"removed": {"items": 2, "tracks": 1, "markers": 0, "bins": 1}, "left": ["The track VOID 2 is locked."]}
    result = LiveHost(clean=lambda args: done).run(desk, "clean")
    assert not result["ok"] and result["text"].startswith("Removed 2 items, 1 tracks, 1 bins of ours;")
    assert result["text"].endswith("The track VOID 2 is locked.")


def test_a_folder_that_was_not_made_for_a_timeline_is_not_taken_for_one(tmp_path: Path) -> None:
    JobRecord(facts={}).ours().save(tmp_path)
    with pytest.raises(HostError, match="not made for a timeline"):
        record_of(tmp_path)
    folder = version(tmp_path, "running")
    assert record_of(folder)[1] == placing()


# -- several jobs at once ------------------------------------------------------------------------------------------


def job(desk: Desk, call: HostCall) -> dict[str, Any]:
    """Ends as its arguments say."""
    end = call.text("end")
    if end == "error":
        raise JobError("It failed.")
    if end == "hangs":
        call.tell({"kind": "Queued"})
        while not call.ended:
            threading.Event().wait(0.01)
        raise Cancelled
    return {"manifest": {"of": end}}


def call() -> HostCall:
    return HostCall("timeline", {}, lambda event: None, lambda *_: {})


def test_each_job_ends_for_itself(desk: Desk) -> None:
    wanted = [Wanted(end[0], job, {"end": end}, end == "hangs") for end in ("a", "error", "hangs")]
    ended = {one.shot: one for one in Running(desk, call()).run(wanted)}
    assert ended["a"].manifest == {"of": "a"} and ended["e"].error is not None
    assert ended["h"].left and not ended["h"].cancelled
    assert list(Running(desk, call()).run([])) == []


@pytest.mark.parametrize("leaves", [True, False])
def test_a_wish_to_stop_reaches_every_job_and_those_that_are_only_watched_are_left(desk: Desk, leaves: bool) -> None:
    outer = call()
    running = Running(desk, outer, leaves, lambda event: outer.cancel())
    ended = list(running.run([Wanted(name, job, {"end": "hangs"}) for name in "ab"]))
    assert [(one.left, one.cancelled) for one in ended] == [(leaves, not leaves)] * 2


def test_nobody_waits_for_a_job_that_brings_nothing_where_that_is_not_wished(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collect, "LOOK_SECONDS", 0.0)
    patience = collect._Patience()
    running = Running(desk, call(), leaves=True, heard=patience.hear)
    with patience.watching(running):
        (ended,) = running.run([Wanted("a", job, {"end": "hangs"})])
    assert ended.left


# -- renders -------------------------------------------------------------------------------------------------------


def test_files_get_the_numbers_that_they_should_have(tmp_path: Path) -> None:
    from void_plugin.frames import FrameRange

    for number in range(5):
        (tmp_path / f"plate.{number + 2:08d}.exr").write_bytes(bytes([number]))
    pattern = verify._adopted(tmp_path, "plate", FrameRange(3, 7), "plate")
    assert [Path(pattern % number).read_bytes() for number in range(3, 8)] == [bytes([number]) for number in range(5)]
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"plate.{number:04d}.exr" for number in range(3, 8)]
