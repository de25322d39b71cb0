"""The fake Resolve edits as measured: absolute record frames, ghosts, takes, page gates, markers, bins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes.resolve import Bench, Scene, difference, scenes
from resolves import Resolves
from shots import save_exr

START = scenes.START


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return scenes.cut(tmp_path)


def project(bench: Bench) -> Any:
    return bench.resolve.GetProjectManager().GetCurrentProject()


def timeline(bench: Bench) -> Any:
    return project(bench).GetCurrentTimeline()


def items(bench: Bench, track: int) -> list[tuple[str, int, int]]:
    return [
        (item.GetName(), item.GetStart(), item.GetEnd()) for item in timeline(bench).GetItemListInTrack("video", track)
    ]


def append(bench: Bench, clip: str, **more: Any) -> list[Any]:
    """Puts a clip of the bin Plates, by the start of its name, on a new track unless told otherwise."""
    pool = project(bench).GetMediaPool()
    plates = pool.GetRootFolder().GetSubFolderList()[0]
    found = next(one for one in plates.GetClipList() if one.GetName().startswith(clip))
    if "trackIndex" not in more:
        timeline(bench).AddTrack("video")
        more["trackIndex"] = timeline(bench).GetTrackCount("video")
    info = {"mediaPoolItem": found, "startFrame": 0, "endFrame": 10, "mediaType": 1, "recordFrame": START}
    return pool.AppendToTimeline([{**info, **more}])


def test_a_record_frame_is_absolute_and_the_end_frame_is_not_used(resolves: Resolves, scene: Scene) -> None:
    bench = resolves(scene)
    (item,) = append(bench, "sh010", startFrame=4, endFrame=16, recordFrame=START + 2)
    assert (item.GetStart(), item.GetDuration(), item.GetLeftOffset()) == (START + 2, 12, 4)
    assert append(bench, "sh010", recordFrame=2) == []


def test_the_end_frame_counts_in_resolve_18(resolves: Resolves, scene: Scene) -> None:
    (item,) = append(resolves(scene, end_inclusive=True), "sh010", startFrame=4, endFrame=15)
    assert item.GetDuration() == 12


def test_of_items_that_collide_the_earlier_one_wins(resolves: Resolves, scene: Scene) -> None:
    bench = resolves(scene)
    before = bench.state()
    assert append(bench, "sh030", trackIndex=1) == []
    assert difference(before, bench.state()) == []


def test_a_refused_item_may_come_back_as_a_ghost(resolves: Resolves, scene: Scene) -> None:
    bench = resolves(scene, append_returns_ghost=True)
    (ghost,) = append(bench, "sh030", trackIndex=1)
    assert ghost.GetStart() is None and ghost.GetName() is None and ghost.GetUniqueId() is None
    assert timeline(bench).DeleteClips([ghost]) is False


def test_nothing_lands_on_a_locked_track_or_one_that_there_is_not(resolves: Resolves, scene: Scene) -> None:
    scene.track(scene.add_track("locked"), locked=True)
    bench = resolves(scene)
    assert append(bench, "sh010", trackIndex=4) == []
    assert append(bench, "sh010", trackIndex=9) == []


def test_another_rate_floors_the_duration(resolves: Resolves, scene: Scene) -> None:
    scene.sequence("pal", 24, fps=25.0)
    (item,) = append(resolves(scene), "pal", endFrame=24)
    assert item.GetDuration() == 23


def test_items_are_deleted_on_the_edit_page_only(resolves: Resolves, scene: Scene) -> None:
    bench = resolves(scene)
    (item,) = append(bench, "sh010")
    bench.resolve.OpenPage("color")
    assert timeline(bench).DeleteClips([item], False) is False
    bench.resolve.OpenPage("edit")
    assert timeline(bench).DeleteClips([item], False) is True
    assert item.GetStart() is None
    assert items(bench, 4) == []


def test_a_deletion_may_do_nothing_once(resolves: Resolves, scene: Scene) -> None:
    bench = resolves(scene, delete_flaky_once=True)
    (item,) = append(bench, "sh010")
    assert [timeline(bench).DeleteClips([item], False) for _ in range(2)] == [True, True]
    assert items(bench, 4) == []


def test_takes_change_the_media_of_an_item_and_nothing_else(resolves: Resolves, scene: Scene) -> None:
    bench = resolves(scene)
    (item,) = append(bench, "sh010", startFrame=4)
    other = timeline(bench).GetItemListInTrack("video", 1)[1].GetMediaPoolItem()
    assert item.GetTakesCount() == 0
    assert item.AddTake(other, 2, 12) is True
    assert (item.GetTakesCount(), item.GetSelectedTakeIndex()) == (2, 1)
    assert item.SelectTakeByIndex(2) is True
    assert (item.GetMediaPoolItem().GetName(), item.GetLeftOffset()) == (other.GetName(), 2)
    assert (item.GetStart(), item.GetDuration()) == (START, 6)
    assert item.GetTakeByIndex(1)["startFrame"] == 4
    assert item.DeleteTakeByIndex(2) is False
    assert item.SelectTakeByIndex(1) and item.DeleteTakeByIndex(2) and item.FinalizeTake()
    assert (item.GetTakesCount(), item.GetLeftOffset()) == (0, 4)
    assert item.AddTake(other, 20, 30) is False


def test_a_timeline_that_is_not_current_answers_falsely(resolves: Resolves, scene: Scene) -> None:
    scene.add_timeline("Other")
    bench = resolves(scene)
    edit = timeline(bench)
    assert edit.GetIsTrackEnabled("video", 1) is True
    project(bench).SetCurrentTimeline(project(bench).GetTimelineByIndex(2))
    assert edit.GetIsTrackEnabled("video", 1) is False
    assert edit.SetTrackEnable("video", 1, False) is False


def test_the_playhead_moves_when_the_timeline_is_set(resolves: Resolves, scene: Scene) -> None:
    bench = resolves(scene)
    assert timeline(bench).GetCurrentTimecode() == "01:00:00:07"
    project(bench).SetCurrentTimeline(timeline(bench))
    assert timeline(bench).GetCurrentTimecode() == "01:00:00:00"
    assert timeline(bench).SetCurrentTimecode("01:00:00:07")
    bench.resolve.OpenPage("fusion")
    assert timeline(bench).SetCurrentTimecode("01:00:00:09") is False
    assert timeline(bench).GetCurrentTimecode() == ""


def test_drop_frame_timecode_is_counted_as_it_is_written(resolves: Resolves, tmp_path: Path) -> None:
    scene = Scene(tmp_path, rate="29.97", start=107892)
    scene.project["settings"]["timelineDropFrameTimecode"] = "1"
    bench = resolves(scene)
    assert timeline(bench).GetStartTimecode() == "01:00:00;00"
    assert timeline(bench).SetCurrentTimecode("01:01:00;02")
    assert scene.timeline["start"] + 1800 == bench.world.timeline["playhead"]


def test_transitions_are_listed_among_the_items_and_have_no_media(resolves: Resolves, scene: Scene) -> None:
    scene.dissolve(START + 26)
    bench = resolves(scene)
    names = [name for name, *_ in items(bench, 1)]
    assert names.index("Cross Dissolve") == 2
    found = timeline(bench).GetItemListInTrack("video", 1)[2]
    assert found.GetMediaPoolItem() is None


def test_speed_shows_only_in_the_span_of_the_source(resolves: Resolves, scene: Scene) -> None:
    bench = resolves(scene)
    first, retimed = timeline(bench).GetItemListInTrack("video", 1)[:2]
    assert first.GetSourceEndFrame() - first.GetSourceStartFrame() == first.GetDuration()
    assert retimed.GetSourceEndFrame() - retimed.GetSourceStartFrame() == 2 * retimed.GetDuration()
    with pytest.raises(KeyError):
        retimed.GetProperty("Speed")
    bench.breaches.clear()
    slipped = resolves(scene, source_start_slip=True)
    assert timeline(slipped).GetItemListInTrack("video", 1)[0].GetSourceStartFrame() == 3


def test_clip_colours_are_not_those_of_markers(resolves: Resolves, scene: Scene) -> None:
    bench = resolves(scene)
    shot, _, _, generator = timeline(bench).GetItemListInTrack("video", 1)
    assert shot.SetClipColor("Cyan") is False
    assert shot.SetClipColor("Teal") is True and shot.GetClipColor() == "Teal"
    assert generator.SetClipColor("Teal") is True and generator.GetClipColor() == ""
    assert shot.AddMarker(0.0, "Teal", "a", "", 1.0) is False
    assert shot.AddMarker(0.0, "Cyan", "a", "", 1.0, "void:{}") is True
    assert shot.AddMarker(0.0, "Red", "b", "", 1.0) is False
    assert shot.GetMarkerByCustomData("void:{}")["name"] == "a"


def test_a_setter_may_say_true_and_store_nothing(resolves: Resolves, scene: Scene) -> None:
    bench = resolves(scene, set_property_true_not_stored=["Reel Name", "FPS"])
    clip = timeline(bench).GetCurrentVideoItem().GetMediaPoolItem()
    assert clip.SetClipProperty("Reel Name", "A001") is True and clip.GetClipProperty("Reel Name") == ""
    assert clip.SetClipProperty("FPS", "25") is True and clip.GetClipProperty("FPS") == 24.0
    assert clip.SetClipProperty("Data Level", "Full") is True and clip.GetClipProperty("Data Level") == "Full"


def test_an_import_lands_in_the_current_bin_as_one_clip(resolves: Resolves, scene: Scene, tmp_path: Path) -> None:
    bench = resolves(scene)
    pool = project(bench).GetMediaPool()
    made = pool.AddSubFolder(pool.GetRootFolder(), "VOID")
    assert pool.GetCurrentFolder().GetName() == "VOID"
    entry = {"FilePath": f"{tmp_path}/media/sh010/sh010.%04d.exr", "StartIndex": 1005, "EndIndex": 1010}
    (clip,) = pool.ImportMedia([entry])
    assert clip.GetName() == "sh010.[1005-1010].exr"
    assert (clip.GetClipProperty("Frames"), clip.GetClipProperty("Resolution")) == ("6", "64x36")
    assert [one.GetUniqueId() for one in made.GetClipList()] == [clip.GetUniqueId()]
    assert pool.ImportMedia([{**entry, "EndIndex": 2000}]) == []
    assert pool.DeleteFolders([made]) is True
    assert clip.GetName() is None
    assert pool.GetCurrentFolder().GetName() == "Master"


def test_with_individual_frames_an_import_is_many_stills(resolves: Resolves, scene: Scene, tmp_path: Path) -> None:
    pool = project(resolves(scene, import_individual_frames=True)).GetMediaPool()
    entry = {"FilePath": f"{tmp_path}/media/sh010/sh010.%04d.exr", "StartIndex": 1005, "EndIndex": 1010}
    assert len(pool.ImportMedia([entry])) == 6


def test_offline_media_says_so(resolves: Resolves, scene: Scene) -> None:
    bench = resolves(scene)
    clip = timeline(bench).GetItemListInTrack("video", 1)[0].GetMediaPoolItem()
    assert clip.GetClipProperty("Online Status") == "Online"
    scene.offline(next(iter(scene.project["clips"].values())))
    assert clip.GetClipProperty("Online Status") == "Offline"


def test_marks_are_written_back_as_they_were_read(resolves: Resolves, scene: Scene) -> None:
    bench = resolves(scene)
    before, edit = bench.state(), timeline(bench)
    marks = edit.GetMarkInOut()
    project(bench).SetRenderSettings({"MarkIn": START + 3, "MarkOut": START + 9})
    assert edit.GetMarkInOut()["video"] == {"in": 3, "out": 9}
    assert edit.ClearMarkInOut("all") and edit.GetMarkInOut() == {}
    for kind, values in marks.items():
        assert edit.SetMarkInOut(values["in"], values["out"], kind)
    assert [one for one in difference(before, bench.state()) if "marks" in one] == []


def test_an_imported_clip_may_get_another_rate_and_level(resolves: Resolves, scene: Scene, tmp_path: Path) -> None:
    pool = project(resolves(scene, import_fps=25.0, import_data_level="Video")).GetMediaPool()
    entry = {"FilePath": f"{tmp_path}/media/sh010/sh010.%04d.exr", "StartIndex": 1005, "EndIndex": 1010}
    (clip,) = pool.ImportMedia([entry])
    assert (clip.GetClipProperty("FPS"), clip.GetClipProperty("Data Level")) == (25.0, "Video")


def test_what_is_not_known_of_resolve_can_be_either_way(resolves: Resolves, scene: Scene) -> None:
    bench = resolves(
        scene,
        append_moves_playhead=True,
        append_shift=1,
        take_selects=True,
        marks_absolute=True,
        rate_as_number=True,
        source_end_inclusive=True,
    )
    edit = timeline(bench)
    (item,) = append(bench, "sh010")
    assert item.GetStart() == START + 1
    assert edit.GetCurrentTimecode() == "01:00:00:11"
    assert item.GetSourceEndFrame() - item.GetSourceStartFrame() == 9
    assert edit.GetMarkInOut()["video"] == {"in": START + 2, "out": START + 40}
    assert edit.GetSetting("timelineFrameRate") == 24.0 == project(bench).GetSetting("timelineFrameRate")
    assert item.AddTake(edit.GetItemListInTrack("video", 1)[1].GetMediaPoolItem()) and item.GetSelectedTakeIndex() == 2


def test_retimed_media_of_another_rate_is_counted_in_its_own(resolves: Resolves, scene: Scene) -> None:
    bench = resolves(scene, source_unknown=True)
    item = timeline(bench).GetItemListInTrack("video", 1)[0]
    assert (item.GetSourceStartFrame(), item.GetSourceEndFrame()) == (0, 0)
    assert item.GetSourceStartTime() == (86376 + 4) / 24


def test_an_imported_sequence_starts_at_the_timecode_of_its_first_file(
    resolves: Resolves, scene: Scene, tmp_path: Path
) -> None:
    for number in range(1, 4):
        coded = {"smpte:TimeCode": ("timecode", (0x01000003 + number, 0))}
        save_exr(tmp_path / f"coded.{number:04d}.exr", np.zeros((4, 6, 3), np.float16), attributes=coded)
    pool = project(resolves(scene)).GetMediaPool()
    (clip,) = pool.ImportMedia([{"FilePath": f"{tmp_path}/coded.%04d.exr", "StartIndex": 1, "EndIndex": 3}])
    assert clip.GetClipProperty("Start TC") == "01:00:00:04"
