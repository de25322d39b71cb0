"""Placing in Resolve: what lies there afterwards is right, or nothing of it does and a sentence says why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fakes.resolve import Bench, Knobs, Scene, difference
from hypothesis import given, settings
from hypothesis import strategies as st
from resolveplaces import changed, changes, cut, every_failure, files, refused, track, video, wanted

from void_plugin.hosts.resolve_api import Resolve
from void_plugin.hosts.resolve_place import place, unplace


class Case:
    """A timeline, its first shot and the arguments that place a result of it."""

    def __init__(self, folder: Path, knobs: Knobs | None = None, **more: Any) -> None:
        self.folder = folder
        self.scene, self.shot = cut(folder, **more)
        self.args = wanted(self.scene, self.shot, files(folder, "v001"))
        self.knobs = knobs

    def bench(self, knobs: Knobs | None = None) -> Bench:
        return Bench(self.scene.data, knobs if knobs is not None else self.knobs)

    def second(self) -> dict[str, Any]:
        """The arguments of its next version."""
        more = {"name": "sh010_VOID_v002", "version": 2, "job": "job-2"}
        return wanted(self.scene, self.shot, files(self.folder, "v002"), **more)


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


def put(bench: Bench, args: dict[str, Any]) -> dict[str, Any]:
    """Place, and check that nothing of the user's has changed."""
    before = bench.state()
    answer = place(Resolve(bench.resolve), args)
    assert changed(before, bench) == []
    return answer


def fails(bench: Bench, args: dict[str, Any], *words: str) -> None:
    """Place, and check that it is refused with these words and leaves nothing at all."""
    before = bench.state()
    refused(lambda: place(Resolve(bench.resolve), args), *words)
    bench.verify()
    assert difference(before, bench.state()) == []


def clip_of(bench: Bench, item: dict[str, Any]) -> dict[str, Any]:
    return bench.state()["project"]["clips"][item["media"]]


# -- as it should be ---------------------------------------------------------------------------------------------


def test_a_result_lies_above_its_shot_at_the_same_frames_and_shows_the_same_media_frame(case: Case) -> None:
    bench = case.bench()
    answer = put(bench, case.args)
    (item,) = track(bench, "VOID")
    assert (item["start"], item["duration"], item["offset"]) == (86400, 12, 4)
    top = len(video(bench.state()["project"]["timelines"][0]))
    assert answer == {"as": "clip", "track": top, "record": [86400, 86412], "item": item["id"], "warnings": [],
                      "complete": True}  # fmt: skip


def test_the_clip_lies_in_its_own_bin_and_has_the_colour_the_levels_and_the_reel_of_the_plate(case: Case) -> None:
    bench = case.bench()
    put(bench, case.args)
    (item,) = track(bench, "VOID")
    clip = clip_of(bench, item)
    assert (clip["name"], clip["color"], clip["fps"]) == ("sh010_VOID_v001", "Teal", 24.0)
    assert clip["properties"] == {"Input Color Space": "ARRI LogC4", "Data Level": "Full", "Reel Name": "A001"}
    root = bench.state()["project"]["root"]
    around = next(folder for folder in root["folders"] if folder["name"] == "VOID")
    assert [(folder["name"], folder["clips"]) for folder in around["folders"]] == [("Reel 3", [clip["id"]])]


def test_a_second_version_becomes_a_take_of_the_same_item_and_is_shown(case: Case) -> None:
    bench = case.bench()
    first = put(bench, case.args)
    second = put(bench, case.second())
    (item,) = track(bench, "VOID")
    assert (second["as"], second["item"]) == ("take", first["item"])
    assert (item["start"], item["duration"], item["offset"], item["take"]) == (86400, 12, 4, 2)
    assert clip_of(bench, item)["name"] == "sh010_VOID_v002"


def test_placing_a_version_again_only_shows_it(case: Case) -> None:
    bench = case.bench()
    put(bench, case.args)
    put(bench, case.second())
    before = bench.state()
    assert put(bench, case.args)["as"] == "take"
    (item,) = track(bench, "VOID")
    assert (len(item["takes"]), item["take"]) == (2, 1)
    put(bench, case.second())
    assert difference(before, bench.state()) == []


def test_placing_the_only_version_again_changes_nothing(case: Case) -> None:
    bench = case.bench()
    first = put(bench, case.args)
    before = bench.state()
    assert put(bench, case.args) == first
    assert difference(before, bench.state()) == []


def test_position_and_crop_of_the_shot_are_copied_and_the_grade_only_when_asked(case: Case) -> None:
    case.shot["properties"] = {"Pan": 12.5, "ZoomX": 1.5, "ZoomY": 1.25, "ZoomGang": False, "Opacity": 50.0}
    case.shot["grade"] = {"gain": 2.0}
    bench = case.bench()
    put(bench, case.args)
    (item,) = track(bench, "VOID")
    assert item["properties"] == {"Pan": 12.5, "ZoomX": 1.5, "ZoomY": 1.25, "ZoomGang": False}
    assert item["grade"] == {}
    bench = case.bench()
    put(bench, {**case.args, "copy_transform": False, "copy_grade": True})
    (item,) = track(bench, "VOID")
    assert (item["properties"], item["grade"]) == ({}, {"gain": 2.0})


def test_a_result_is_placed_on_its_timeline_while_another_one_is_current(case: Case) -> None:
    other = case.scene.add_timeline("Reel 4", start=90000)
    case.scene.project["timeline"] = other["id"]
    case.scene.data["page"] = "fusion"
    bench = case.bench()
    put(bench, case.args)
    assert len(track(bench, "VOID")) == 1
    assert len(video(bench.state()["project"]["timelines"][1])) == 2


def test_a_result_that_hides_what_lies_over_its_shot_says_so(case: Case) -> None:
    case.scene.generator("Subtitle", 86404, 4, track=2, kind="title")
    case.scene.track(3, enabled=True)  # what the matte track shows is not to be seen
    (warning,) = put(case.bench(), case.args)["warnings"]
    assert warning.startswith("Subtitle lies over")


# -- tracks ------------------------------------------------------------------------------------------------------


def second_shot(case: Case) -> dict[str, Any]:
    """Arguments for the other clip of the first track."""
    shot = video(case.scene.timeline)[0]["items"][1]
    shot.update(speed=1.0)
    return wanted(case.scene, shot, files(case.folder, "sh020", first=101), name="sh020_VOID_v001")


def test_results_of_two_shots_share_a_track(case: Case) -> None:
    args = second_shot(case)
    bench = case.bench()
    put(bench, case.args)
    put(bench, args)
    assert [item["start"] for item in track(bench, "VOID")] == [86400, 86418]


def test_two_shots_over_each_other_get_a_result_each(case: Case) -> None:
    plate = case.scene.project["clips"][case.shot["media"]]
    upper = case.scene.place(plate, 86400, 12, offset=2, track=2)
    bench = case.bench()
    put(bench, case.args)
    answer = put(bench, wanted(case.scene, upper, files(case.folder, "v001"), job="job-2"))
    assert answer["as"] == "clip"
    assert [item["offset"] for name in ("VOID", "VOID 2") for item in track(bench, name)] == [4, 2]


@pytest.mark.parametrize("drops", [True, False])
def test_what_the_user_has_put_on_our_track_is_in_nobodys_way(case: Case, drops: bool) -> None:
    number = case.scene.add_track("VOID")
    plate = next(iter(case.scene.project["clips"].values()))
    case.scene.place(plate, 86406, 10, track=number)
    bench = case.bench(Knobs(append_drops_on_overlap=drops))
    assert put(bench, case.args)["track"] == number + 1
    assert [item["start"] for item in track(bench, "VOID 2")] == [86400]


def test_a_locked_track_of_ours_is_left_alone(case: Case) -> None:
    bench = case.bench()
    put(bench, case.args)
    lock = bench.world.timeline["tracks"]["video"][-1]
    lock["locked"] = True
    before = bench.state()
    answer = put(bench, case.second())
    assert answer["as"] == "clip"
    assert len(track(bench, "VOID 2")) == 1
    assert track(bench, "VOID") == video(before["project"]["timelines"][0])[-1]["items"]


def test_a_locked_track_of_ours_gets_nothing_though_it_has_room(case: Case) -> None:
    number = case.scene.add_track("VOID")
    case.scene.track(number, locked=True)
    bench = case.bench()
    assert put(bench, case.args)["track"] == number + 1
    assert (track(bench, "VOID"), len(track(bench, "VOID 2"))) == ([], 1)


def test_a_track_of_ours_below_the_shot_is_not_used(case: Case) -> None:
    tracks = video(case.scene.timeline)
    tracks[0], tracks[1] = tracks[1], tracks[0]
    tracks[0]["name"] = "VOID"
    bench = case.bench()
    assert put(bench, case.args)["track"] == 4
    assert len(track(bench, "VOID 2")) == 1


def test_a_track_that_is_switched_off_is_said(case: Case) -> None:
    number = case.scene.add_track("VOID")
    case.scene.track(number, enabled=False)
    answer = put(case.bench(), case.args)
    assert answer["track"] == number
    assert "switched off" in answer["warnings"][0]


# -- the shot has changed since it was sent ----------------------------------------------------------------------


def test_a_shot_that_was_moved_is_followed(case: Case) -> None:
    case.shot["start"] = 86600
    bench = case.bench()
    answer = put(bench, case.args)
    assert answer["record"] == [86600, 86612]
    assert "moved" in answer["warnings"][0]


def test_a_shot_that_was_trimmed_within_what_was_delivered_is_followed(case: Case) -> None:
    case.shot.update(start=86402, duration=9, offset=6)
    bench = case.bench()
    put(bench, case.args)
    (item,) = track(bench, "VOID")
    assert (item["start"], item["duration"], item["offset"]) == (86402, 9, 6)


def test_a_shot_that_was_slipped_beyond_what_was_delivered_is_refused(case: Case) -> None:
    args = wanted(case.scene, case.shot, files(case.folder, "short", count=14), offset=1)
    case.shot.update(offset=6)
    fails(case.bench(), args, "trimmed", "send it again")


def test_without_the_place_it_had_in_its_media_only_a_move_is_followed(case: Case) -> None:
    args = {**case.args, "left": None}
    case.shot.update(start=86600)
    put(case.bench(), args)
    case.shot.update(duration=11)
    fails(case.bench(), args, "send it again")


def test_a_shot_a_timeline_and_a_project_that_are_gone_are_said(case: Case) -> None:
    fails(case.bench(), {**case.args, "shot": "item-none"}, "no longer on the timeline Reel 3", "v001")
    fails(case.bench(), {**case.args, "timeline": "timeline-none"}, "no longer in the project Feature", "undo")
    fails(case.bench(), {**case.args, "project": "project-none"}, "project Feature open", "open the one")
    fails(case.bench(), {"project": "project-1"}, "cannot be placed", "files")


def test_while_resolve_renders_nothing_is_placed(case: Case) -> None:
    case.scene.user_jobs(2, running=True)
    fails(case.bench(), case.args, "render")


# -- frame rates -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", ["23.976", "25", "29.97", "30", "59.94"])
def test_a_result_gets_the_rate_of_its_plate_before_it_is_placed(tmp_path: Path, rate: str) -> None:
    case = Case(tmp_path, Knobs(import_fps=24.0), rate=rate)
    bench = case.bench()
    put(bench, case.args)
    (item,) = track(bench, "VOID")
    assert (item["start"], item["duration"], item["offset"]) == (86400, 12, 4)
    assert clip_of(bench, item)["fps"] == float(rate)


def test_a_rate_that_is_not_kept_is_refused(case: Case) -> None:
    bench = case.bench(Knobs(import_fps=30.0, set_property_true_not_stored=["FPS"]))
    fails(bench, case.args, "MediaPoolItem.SetClipProperty", "'FPS'", "30.0", "project settings")


@pytest.mark.parametrize(("timeline", "media"), [("23.976", 24.0), ("23.976", 29.97), ("24", 48.0), ("25", 50.0)])
def test_media_of_another_rate_fills_its_range_to_the_frame(tmp_path: Path, timeline: str, media: float) -> None:
    case = Case(tmp_path, rate=timeline)
    bench = case.bench()
    put(bench, {**case.args, "offset": 0, "fps": media})
    (item,) = track(bench, "VOID")
    assert (item["start"], item["duration"]) == (86400, 12)


def test_a_rate_at_which_no_number_of_frames_fits_is_refused_with_a_way_out(tmp_path: Path) -> None:
    case = Case(tmp_path, rate="30")
    case.shot["duration"] = 9
    args = wanted(case.scene, case.shot, files(tmp_path, "v001"), offset=0, fps=24.0)
    # 7 frames become 8, and 8 become 10.
    fails(case.bench(), args, "AppendToTimeline", "24.0", "30.0", "render the plate in Resolve")


# -- faults ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("last", [16, 24])
def test_an_end_that_is_inclusive_is_found_out_and_corrected(tmp_path: Path, last: int) -> None:
    case = Case(tmp_path, Knobs(end_inclusive=True))
    case.shot["duration"] = last - 4
    args = wanted(case.scene, case.shot, files(tmp_path, "v001"))
    again = wanted(case.scene, case.shot, files(tmp_path, "v002"), version=2, job="job-2")
    bench = case.bench()
    put(bench, args)
    put(bench, again)
    (item,) = track(bench, "VOID")
    assert (item["start"], item["duration"], item["offset"]) == (86400, last - 4, 4)
    assert item["takes"][0] == {"media": item["takes"][0]["media"], "start": 4, "end": last}
    assert len(item["takes"]) == 2


@pytest.mark.parametrize("end_inclusive", [False, True])
@pytest.mark.parametrize("first", [1, 1001])
def test_frames_that_count_from_the_first_file_are_found_out(case: Case, end_inclusive: bool, first: int) -> None:
    # Counted from 1, frame 4 is there as well: it is only not the one that was meant.
    args = {**case.args, "files": files(case.folder, "one", first=first)}
    again = {**case.second(), "files": files(case.folder, "two", first=first)}
    bench = case.bench(Knobs(frames_from_file=True, end_inclusive=end_inclusive))
    put(bench, args)
    put(bench, again)
    (item,) = track(bench, "VOID")
    assert (item["start"], item["duration"], item["offset"], item["take"]) == (86400, 12, 4, 2)
    assert [take["start"] for take in item["takes"]] == [4, 4]


@pytest.mark.parametrize("page", ["color", "fusion"])
@pytest.mark.parametrize(
    "knobs",
    [{"append_moves_playhead": True}, {"take_selects": True}, {"rate_as_number": True}, {"import_data_level": "Video"}],
)
def test_habits_that_differ_between_versions_change_nothing(case: Case, knobs: dict[str, Any], page: str) -> None:
    case.scene.data["page"] = page
    bench = case.bench(Knobs(**knobs))
    put(bench, case.args)
    assert put(bench, case.second())["warnings"] == []
    (item,) = track(bench, "VOID")
    assert (item["start"], item["duration"], item["offset"], item["take"]) == (86400, 12, 4, 2)
    assert clip_of(bench, item)["properties"]["Data Level"] == "Full"


@pytest.mark.parametrize("ghost", [True, False])
def test_an_append_that_places_nothing_is_refused(case: Case, ghost: bool) -> None:
    bench = case.bench(Knobs(append_refuses=True, append_returns_ghost=ghost))
    fails(bench, case.args, "MediaPool.AppendToTimeline", "see that the track is not locked")


def test_a_result_that_lands_beside_its_shot_is_taken_away(case: Case) -> None:
    fails(case.bench(Knobs(append_shift=3)), case.args, "MediaPool.AppendToTimeline", "86403-86414")


@pytest.mark.parametrize("page", ["media", "cut", "edit", "fusion", "color", "fairlight", "deliver", None])
def test_what_must_be_deleted_is_deleted_from_every_page(case: Case, page: str | None) -> None:
    case.scene.data["page"] = page
    bench = case.bench(Knobs(end_inclusive=True, delete_needs_edit_page=page is not None))
    put(bench, case.args)
    assert len(track(bench, "VOID")) == 1


def test_a_delete_that_is_refused_once_is_tried_again(case: Case) -> None:
    bench = case.bench(Knobs(end_inclusive=True, delete_flaky_once=True))
    put(bench, case.args)
    assert [item["duration"] for item in track(bench, "VOID")] == [12]


@pytest.mark.parametrize("key", ["Input Color Space", "Data Level", "Reel Name", "Clip Color", "Pan"])
def test_what_resolve_says_to_keep_and_does_not_is_said(case: Case, key: str) -> None:
    case.shot["properties"] = {"Pan": 12.5}
    answer = put(case.bench(Knobs(set_property_true_not_stored=[key])), case.args)
    text = " ".join(answer["warnings"])
    assert {"Clip Color": "SetClipColor"}.get(key, key) in text
    assert "Resolve's" in text


def test_a_sequence_that_comes_in_as_stills_is_refused_and_all_of_them_are_taken_out(case: Case) -> None:
    fails(
        case.bench(Knobs(import_individual_frames=True)), case.args, "MediaPool.ImportMedia", "Show Individual Frames"
    )


def test_a_result_whose_files_are_missing_is_refused(case: Case) -> None:
    missing = {**case.args["files"], "last": 1030}
    fails(case.bench(), {**case.args, "files": missing}, "MediaPool.ImportMedia", "files are there")


def test_the_source_frame_that_slips_is_not_looked_at(case: Case) -> None:
    bench = case.bench(Knobs(source_start_slip=True, source_unknown=True))
    put(bench, case.args)
    assert [item["offset"] for item in track(bench, "VOID")] == [4]
    assert not bench.called("TimelineItem.GetSourceStartFrame")


# -- the connection breaks, and answers that are no answers ------------------------------------------------------


def checked(bench: Bench, before: dict[str, Any], error: Exception | None, call: str, takes: int) -> None:
    """Either nothing at all has changed and the sentence names the call, or the result is there as it should be."""
    bench.verify()
    if error is not None:
        assert difference(before, bench.state()) == [], (call, str(error))
        assert call in str(error)
        assert ";" in str(error)
        return
    assert changed(before, bench) == [], call
    (item,) = track(bench, "VOID")
    assert (item["start"], item["duration"], item["offset"], len(item["takes"])) == (86400, 12, 4, takes), call


@pytest.mark.slow
def test_where_the_connection_breaks_nothing_is_left_of_a_result(case: Case) -> None:
    other = case.scene.add_timeline("Reel 4")
    case.scene.project["timeline"] = other["id"]
    before = case.bench().state()
    found = list(every_failure(case.scene.data, lambda resolve: place(resolve, case.args)))
    for bench, error, call in found:
        checked(bench, before, error, call, 0)
    assert sum(error is not None for _, error, _ in found) > 100


@pytest.mark.slow
def test_where_the_connection_breaks_nothing_is_left_of_a_take(case: Case) -> None:
    bench = case.bench()
    put(bench, case.args)
    before, args = bench.state(), case.second()
    found = list(every_failure(bench.world.data, lambda resolve: place(resolve, args)))
    for broken, error, call in found:
        checked(broken, before, error, call, 2)
    assert sum(error is not None for _, error, _ in found) > 100


@pytest.mark.slow
def test_where_the_connection_breaks_the_take_that_was_shown_is_shown(case: Case) -> None:
    bench = case.bench()
    put(bench, case.args)
    put(bench, case.second())
    before = bench.state()
    for broken, error, call in every_failure(bench.world.data, lambda resolve: place(resolve, case.args)):
        checked(broken, before, error, call, 2)
        assert error is not None or track(broken, "VOID")[0]["take"] == 1, call


@pytest.mark.slow
def test_where_the_connection_breaks_during_a_correction_nothing_is_left(case: Case) -> None:
    before = case.bench().state()
    knobs = Knobs(end_inclusive=True)
    for bench, error, call in every_failure(case.scene.data, lambda resolve: place(resolve, case.args), knobs):
        checked(bench, before, error, call, 0)


@pytest.mark.parametrize("how", ["refuses", "lies"])
@pytest.mark.parametrize("count", [1, 0])
@pytest.mark.parametrize("version", [1, 2])
def test_no_answer_of_resolves_is_believed(case: Case, how: str, count: int, version: int) -> None:
    start = case.bench()
    if version == 2:
        put(start, case.args)
    args = case.args if version == 1 else case.second()
    before = start.state()
    whole = Bench(start.world.data)
    place(Resolve(whole.resolve), args)
    for call in sorted({call["call"] for call in whole.calls if changes(call["call"])}):
        bench = Bench(start.world.data, Knobs(**{how: {call: count}}))
        try:
            answer = place(Resolve(bench.resolve), args)
        except Exception as error:
            assert "Resolve" in str(error)
            assert difference(before, bench.state()) == [], (call, str(error))
            continue
        if "could not be restored" not in " ".join(answer["warnings"]):
            assert changed(before, bench) == [], call
        items = [item for name in ("VOID", "VOID 2") for item in track(bench, name)]
        (item,) = [item for item in items if item["id"] == answer["item"]]
        assert (item["start"], item["duration"], item["offset"]) == (86400, 12, 4), call


# -- anywhere ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hundred(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A result of a hundred frames."""
    return files(tmp_path_factory.mktemp("hundred"), "long", count=100)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_wherever_a_shot_lies_its_result_lies_there_too(
    tmp_path_factory: Any, hundred: Any, data: st.DataObject
) -> None:
    rate = data.draw(st.sampled_from(["23.976", "24", "25", "29.97"]))
    start = data.draw(st.sampled_from([0, 86400, 90000, 107892, 2073600]))
    scene = Scene(tmp_path_factory.mktemp("shot"), rate=rate, start=start)
    plate = scene.movie("plate", 0)
    plate["last"] = 99
    offset, gap = data.draw(st.integers(0, 60)), data.draw(st.integers(0, 10**6))
    length = data.draw(st.integers(1, 100 - offset))
    shot = scene.place(plate, start + gap, length, offset=offset)
    number = scene.add_track("VOID") if data.draw(st.booleans()) else 0
    if number and data.draw(st.booleans()):
        scene.place(plate, start + gap + data.draw(st.integers(-20, 20)) + 20, 5, track=number)
    knobs = Knobs(end_inclusive=data.draw(st.booleans()), append_returns_ghost=data.draw(st.booleans()))
    bench = Bench(scene.data, knobs)
    for version in (1, 2):
        args = wanted(scene, shot, hundred, version=version, job=f"job-{version}", copy_transform=False)
        answer = put(bench, args)
    assert answer["as"] == "take"
    (item,) = [one for row in video(bench.state()["project"]["timelines"][0]) for one in row["items"] if one["takes"]]
    assert (item["start"], item["duration"], item["offset"]) == (start + gap, length, offset)


# -- the scratch of a round trip ---------------------------------------------------------------------------------


def scratch(case: Case) -> tuple[Bench, dict[str, Any]]:
    """A bench with a scratch placed and the arguments that take it off."""
    bench = case.bench()
    answer = put(bench, {**case.args, "scratch": True, "job": "round-trip"})
    return bench, {"item": answer["item"]}


def test_a_scratch_has_its_own_track_and_is_taken_off_without_a_trace(case: Case) -> None:
    before = case.bench().state()
    bench, args = scratch(case)
    assert len(track(bench, "VOID SCRATCH")) == 1
    assert unplace(Resolve(bench.resolve), args) == {}
    assert difference(before, bench.state()) == []
    assert unplace(Resolve(bench.resolve), args) == {}
    bench.verify()


def test_a_scratch_that_an_earlier_round_trip_has_left_goes_with_the_next(case: Case) -> None:
    before = case.bench().state()
    bench, _ = scratch(case)
    again = files(case.folder, "again")
    for job in ("round-trip", "another"):
        answer = put(bench, {**case.args, "files": again, "scratch": True, "job": job})
    unplace(Resolve(bench.resolve), {"item": answer["item"]})
    assert difference(before, bench.state()) == []


def test_taking_a_scratch_off_leaves_the_results_that_are_there(case: Case) -> None:
    bench = case.bench()
    put(bench, case.args)
    before = bench.state()
    answer = put(bench, {**case.args, "scratch": True, "job": "round-trip"})
    unplace(Resolve(bench.resolve), {"item": answer["item"]})
    assert difference(before, bench.state()) == []


def test_what_is_no_scratch_is_not_taken_off(case: Case) -> None:
    bench = case.bench()
    answer = put(bench, case.args)
    before = bench.state()
    for item in (answer["item"], case.shot["id"]):
        refused(lambda item=item: unplace(Resolve(bench.resolve), {"item": item}), "no scratch")  # type: ignore[misc]
    assert difference(before, bench.state()) == []


def test_a_scratch_on_a_track_that_was_locked_stays(case: Case) -> None:
    bench, args = scratch(case)
    bench.world.timeline["tracks"]["video"][-1]["locked"] = True
    before = bench.state()
    refused(lambda: unplace(Resolve(bench.resolve), args), "locked", "unlock it")
    assert difference(before, bench.state()) == []


@pytest.mark.slow
def test_where_the_connection_breaks_a_scratch_is_there_or_gone_and_all_else_as_before(case: Case) -> None:
    before = case.bench().state()
    bench, args = scratch(case)
    for broken, error, call in every_failure(bench.world.data, lambda resolve: unplace(resolve, args)):
        assert changed(before, broken) == [], call
        assert error is None or call in error.message
        if error is None:
            assert difference(before, broken.state()) == [], call
