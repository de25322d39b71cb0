"""Frames rendered by Resolve, which afterwards is as it was before: on the strict fake, with every fault it knows."""

import json
import os

import pytest
from fakes.resolve import Bench, Knobs, difference, scenes

from void_plugin.errors import HostError
from void_plugin.hosts.resolve_api import Resolve
from void_plugin.hosts.resolve_export import START_SECONDS, Export
from void_plugin.hosts.resolve_memory import FRESH_SECONDS, Memory
from void_plugin.hosts.resolve_queue import forget_jobs
from void_plugin.hosts.resolve_render import JobStatus
from void_plugin.hosts.resolve_snapshot import PRESETS

MOST_POLLS = 100


class Stage:
    """A scene in the fake, with an Export on it whose time stands still unless a test moves it."""

    def __init__(self, scene, folder, **knobs):
        self.bench = Bench(scene.data, Knobs(**knobs))
        self.scene, self.folder, self.now = scene, folder, 0.0
        self.memory = Memory(str(folder / "memory"))
        self.resolve = Resolve(self.bench.resolve)
        self.before = self.bench.state()
        self.export = self.another()
        (folder / "out").mkdir(exist_ok=True)

    def another(self):
        """The Export of another process."""
        return Export(self.resolve, self.memory, lambda: self.now, lambda seconds: None)

    def args(self, **changes):
        shot = self.scene.track(1)["items"][0]
        first, last = shot["start"], shot["start"] + shot["duration"] - 1
        folder = str(self.folder / "out")
        found = {"shot": shot["id"], "what": "plate", "track": 1, "folder": folder, "name": "sh010"}
        return {**found, "first": first, "last": last, "preset": "VOID Plate", **changes}

    def begin(self, **changes):
        return self.export.begin(self.args(**changes))

    def render(self, job):
        """Poll until it is over."""
        for _ in range(MOST_POLLS):
            found = self.export.poll(job)
            if found["state"] != "rendering":
                return found
        raise AssertionError("it never ended")

    def whole(self, **changes):
        """Begin, render and end; returns the three answers."""
        begun = self.begin(**changes)
        return begun, self.render(begun["job"]), self.export.end(begun["job"])

    def files(self):
        return sorted(path.name for path in (self.folder / "out").iterdir())

    def assert_as_before(self):
        """Nothing of the project, the queue, the presets, the marks or the page has changed, and nothing is noted."""
        assert difference(self.before, self.bench.state()) == []
        assert self.memory.all() == []
        self.bench.verify()


@pytest.fixture
def scene(tmp_path):
    return scenes.cut(tmp_path)


@pytest.fixture
def stage(scene, tmp_path):
    return lambda **knobs: Stage(scene, tmp_path, **knobs)


def mean(path):
    import OpenImageIO as oiio

    return float(oiio.ImageBuf(str(path)).get_pixels(oiio.FLOAT).mean())


# -- the way it usually goes -------------------------------------------------------------------------------------


def test_the_frames_of_a_shot_are_rendered_and_resolve_is_as_before(stage):
    on = stage()
    begun, done, ended = on.whole()
    assert done == {"state": "done", "percent": 100, "eta_ms": 0, "text": "Resolve has rendered the plate."}
    assert on.files() == [f"sh010.{frame:08d}.exr" for frame in range(86400, 86412)]
    assert ended["failed"] == []
    assert (begun["codec"], begun["baked"]) == ("RGBHalfZIP", True)
    assert "baked into this plate" in begun["text"]
    on.assert_as_before()


def test_what_is_read_as_it_was_is_said_by_name(stage):
    ended = stage().whole()[2]
    assert {"render settings", "render mode", "video tracks", "in and out marks", "playhead", "page"} <= set(
        ended["restored"]
    )


def test_progress_says_how_far_it_is(stage):
    on = stage()
    job = on.begin()["job"]
    found = on.export.poll(job)
    assert found["state"] == "rendering"
    assert 0 < found["percent"] < 100
    assert found["eta_ms"] > 0
    on.export.end(job)
    on.assert_as_before()


def test_the_users_own_preset_is_loaded_and_said(stage, scene):
    scene.preset()
    on = stage()
    begun = on.whole()[0]
    assert not begun["baked"]
    assert "'VOID Plate'" in begun["text"]
    on.assert_as_before()


def test_a_preset_of_the_users_with_loss_gets_another_codec(stage, scene):
    scene.preset(codec="RGBHalfDWAA")
    on = stage()
    assert on.whole()[0]["codec"] == "RGBHalfZIP"
    on.assert_as_before()


def test_a_grade_is_in_the_plate_without_the_preset_and_not_in_it_with(stage, scene):
    graded = scene.track(1)["items"][0]
    graded["grade"] = {"gain": 0.5}
    on = stage()
    on.whole()
    first = on.folder / "out" / on.files()[0]
    with_grade = mean(first)
    first.unlink()
    scene.preset()
    for path in (on.folder / "out").iterdir():
        path.unlink()
    on = stage()
    on.whole()
    assert mean(first) == pytest.approx(2 * with_grade, rel=1e-3)


def test_tracks_above_are_not_in_the_plate(stage, scene):
    shot = scene.track(1)["items"][0]
    scene.generator("White", shot["start"], shot["duration"], track=2, solid=1.0)
    on = stage()
    on.whole()
    assert mean(on.folder / "out" / on.files()[0]) != 1.0
    on.assert_as_before()


def test_tracks_that_show_nothing_there_are_left_alone(stage):
    on = stage()
    on.whole()
    assert on.bench.called("Timeline.SetTrackEnable") == []


def test_the_matte_track_is_rendered_alone_though_the_user_has_muted_it(stage):
    on = stage()
    begun, _, _ = on.whole(what="matte", track=3, name="sh010_matte", preset="")
    white, all_pixels = 20 * 16, scenes.WIDTH * scenes.HEIGHT
    assert mean(on.folder / "out" / on.files()[0]) == pytest.approx(white / all_pixels)
    assert "baked" not in begun["text"]
    on.assert_as_before()


def test_only_the_frames_that_are_wanted_are_rendered(stage):
    on = stage()
    on.whole(first=86402, last=86404)
    assert on.files() == [f"sh010.{frame:08d}.exr" for frame in (86402, 86403, 86404)]
    on.assert_as_before()


def test_a_second_export_goes_on_after_the_first(stage):
    on = stage()
    on.whole()
    on.whole(what="matte", track=3, name="sh010_matte", preset="")
    on.assert_as_before()


def test_the_jobs_and_presets_of_the_user_are_untouched(stage, scene):
    scene.user_jobs(2)
    scene.preset("Dailies", "mov", "ProRes4444")
    on = stage()
    on.whole()
    on.assert_as_before()


@pytest.mark.parametrize("page", ["media", "cut", "fusion", "color", "fairlight", "deliver"])
def test_the_page_that_was_open_is_open_again(stage, scene, page):
    scene.data["page"] = page
    on = stage(enable_needs_edit_page=True)
    on.whole(what="matte", track=3)
    on.assert_as_before()


def test_a_resolve_without_marks_is_served_too(stage, scene):
    scene.data["version"] = [19, 1, 3, 7, ""]
    on = stage()
    before = json.dumps(on.before["project"]["timelines"][0]["tracks"])
    assert on.whole()[2]["failed"] == []
    assert json.dumps(on.bench.state()["project"]["timelines"][0]["tracks"]) == before
    on.bench.verify()


def test_marks_that_were_not_set_are_cleared_again(stage, scene):
    scene.timeline["marks"] = {}
    on = stage()
    on.whole()
    on.assert_as_before()


def test_another_timeline_that_the_user_has_opened_meanwhile_gives_way_to_the_first(stage, scene):
    other = scene.add_timeline("Reel 4")
    on = stage()
    job = on.begin(what="matte", track=3)["job"]
    on.render(job)
    project = on.resolve.project()
    project.open_timeline(project.find_timeline(other["id"]))
    assert on.export.end(job)["failed"] == []
    on.before["project"]["timelines"][1]["playhead"] = other["start"]
    on.assert_as_before()


# -- faults ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "knobs",
    [
        {"exr_never_complete": True},
        {"delete_job_ignored": True},
        {"preset_forgets_codec": True},
        {"enable_needs_edit_page": True},
        {"marks_absolute": True},
        {"render_opens_deliver": True},
        {"rate_as_number": True},
        {"exr_never_complete": True, "delete_job_ignored": True, "preset_forgets_codec": True},
    ],
    ids=lambda knobs: "+".join(knobs),
)
def test_the_known_faults_of_resolve_change_nothing(stage, scene, knobs):
    scene.user_jobs(2)
    on = stage(**knobs)
    _, done, ended = on.whole()
    assert (done["state"], ended["failed"], len(on.files())) == ("done", [], 12)
    on.assert_as_before()


def test_a_queue_that_was_last_used_for_audio_only_renders_a_picture(stage, scene):
    scene.project["render"]["hidden"]["audio_only"] = True
    on = stage(settings_inherit_audio_only=True)
    on.whole()
    assert len(on.files()) == 12
    on.assert_as_before()


def test_a_render_that_fails_says_why(stage):
    on = stage(render_fails_at=86405)
    job = on.begin()["job"]
    found = on.render(job)
    assert (found["state"], "failed at frame 86405" in found["text"]) == ("failed", True)
    on.export.end(job)
    on.assert_as_before()


def test_a_render_that_hangs_is_given_up_after_a_while(stage):
    on = stage(frames_per_poll=0)
    job = on.begin()["job"]
    on.now = 10 * START_SECONDS
    assert on.export.poll(job)["state"] == "rendering"
    on.bench.world.project["render"]["running"] = None
    on.now += START_SECONDS / 2
    assert on.export.poll(job)["state"] == "rendering"
    on.now += START_SECONDS
    found = on.export.poll(job)
    assert (found["state"], "dialog" in found["text"]) == ("failed", True)
    on.export.end(job)
    on.assert_as_before()


def test_a_render_is_stopped_when_the_export_ends_before_it(stage):
    on = stage(frames_per_poll=1)
    job = on.begin()["job"]
    on.export.poll(job)
    assert on.export.end(job)["failed"] == []
    assert len(on.bench.called("Project.StopRendering")) == 1
    on.assert_as_before()


@pytest.mark.parametrize("knob", ["render_cancelled_at", "render_deleted_at"])
def test_a_render_that_the_user_stops_or_deletes_is_cancelled(stage, knob):
    on = stage(**{knob: 86406})
    _, found, ended = on.whole()
    assert (found["state"], ended["failed"]) == ("cancelled", [])
    assert "in Resolve" in found["text"]
    assert on.bench.called("Project.StopRendering") == []
    on.assert_as_before()


def test_without_windows_there_is_no_page_to_open(stage, scene):
    scene.data["page"] = None
    on = stage()
    assert on.whole(what="matte", track=3)[2]["failed"] == []
    assert on.bench.called("Resolve.OpenPage") == []
    on.assert_as_before()


def test_the_users_render_is_not_stopped_in_place_of_one_of_ours_that_stays_at_rendering(stage, scene):
    on = stage(exr_never_complete=True)
    job = on.begin()["job"]
    on.render(job)
    scene = on.bench.world.project["render"]
    theirs = {**scene["jobs"][0], "id": "theirs", "theirs": True, "format": "mov", "status": "Rendering"}
    theirs["settings"] = {**theirs["settings"], "TargetDir": "/theirs"}
    scene["jobs"].append(theirs)
    scene["running"] = "theirs"
    assert on.export.end(job)["failed"] == []
    assert on.bench.called("Project.StopRendering") == []
    assert [one["id"] for one in scene["jobs"]] == ["theirs"]
    on.bench.verify()


@pytest.mark.parametrize(
    ("status", "running"),
    [
        (JobStatus("Rendering", 40, 900, ""), True),
        (JobStatus("Rendern", 40, 900, ""), True),
        (JobStatus("Bereit", 0, 0, ""), False),
        (JobStatus("Ready", 0, 0, ""), False),
        (JobStatus("Cancelled", 40, 0, ""), False),
        (JobStatus("Rendering", 100, 0, ""), False),
    ],
)
def test_a_render_is_known_to_run_in_every_language(status, running):
    class Project:
        """A queue whose job has one status."""

        stopped = False

        def render_status(self, job):
            return status

        def render_jobs(self):
            return {} if self.stopped else {"job-1": "/out"}

        def is_rendering(self):
            return not self.stopped

        def stop_render(self):
            self.stopped = True

        def delete_render_job(self, job):
            return True

    project = Project()
    forget_jobs(project, {"jobs": [], "folder": "/out", "job": "job-1"}, lambda seconds: None)
    assert project.stopped is running


def test_a_part_that_cannot_be_restored_is_said_and_the_rest_is(stage):
    on = stage()
    job = on.begin()["job"]
    on.render(job)
    on.bench.knobs.refuses["Timeline.SetMarkInOut"] = 0
    ended = on.export.end(job)
    assert len(ended["failed"]) == 1
    assert "in and out marks" in ended["failed"][0]
    assert "Timeline.SetMarkInOut" in ended["failed"][0]
    assert {"render settings", "page", "playhead"} <= set(ended["restored"])
    del on.bench.knobs.refuses["Timeline.SetMarkInOut"]
    assert on.another().recover()["failed"] == []
    on.assert_as_before()


# -- refusals ----------------------------------------------------------------------------------------------------


def refused(on, *texts, **changes):
    """An export that is refused, with everything as before."""
    with pytest.raises(HostError) as caught:
        on.begin(**changes)
    for text in texts:
        assert text in caught.value.message
    on.assert_as_before()


def test_while_the_user_renders_nothing_begins(stage, scene):
    scene.user_jobs(2, running=True)
    refused(stage(), "wait until it is done")


def test_a_shot_that_is_gone_is_named(stage):
    refused(stage(), "'item-gone'", "no longer on the timeline Reel 3", shot="item-gone")


def test_a_clip_that_is_switched_off_is_not_rendered_black(stage, scene):
    scene.track(1)["items"][0]["enabled"] = False
    refused(stage(), "switched off", "enable the clip")


def test_a_locked_track_that_would_have_to_change_is_the_users_to_unlock(stage, scene):
    shot = scene.track(1)["items"][0]
    scene.generator("Logo", shot["start"], 4, track=2)
    scene.track(2, locked=True)
    refused(stage(), "Video 2 is locked", "unlock or mute it", "Timeline.SetTrackEnable")


def test_a_locked_track_that_is_to_be_rendered_and_is_shown_needs_no_touch(stage, scene):
    scene.track(1, locked=True)
    on = stage()
    on.whole()
    on.assert_as_before()


def test_a_locked_matte_track_that_is_muted_is_the_users_to_show(stage, scene):
    scene.track(3, locked=True)
    refused(stage(), "VOID MATTE is locked", "show it", what="matte", track=3)


def test_a_track_that_there_is_not_is_named(stage):
    refused(stage(), "no video track 9", what="matte", track=9)


def test_frames_the_wrong_way_round_are_refused(stage):
    refused(stage(), "86410-86401", first=86410, last=86401)


def test_a_second_export_at_the_same_time_is_refused(stage):
    on = stage()
    job = on.begin()["job"]
    with pytest.raises(HostError, match="open already"):
        on.begin()
    on.export.end(job)
    on.assert_as_before()


def test_a_job_that_is_not_open_has_no_progress_and_nothing_to_end(stage):
    on = stage()
    with pytest.raises(HostError, match="'job-9'"):
        on.export.poll("job-9")
    assert on.export.end("job-9") == {"restored": [], "failed": []}
    on.assert_as_before()


REFUSED = {
    "Project.SaveAsNewRenderPreset": "Deliver page",
    "Project.LoadRenderPreset": "Deliver page",
    "Project.SetCurrentRenderFormatAndCodec": "Deliver page",
    "Project.AddRenderJob": "Deliver page",
    "Project.StartRendering": "Deliver page",
    "Project.GetRenderFormats": "update Resolve",
    "Project.GetRenderCodecs": "update Resolve",
    "Timeline.SetTrackEnable": "Edit page",
}
LIES = ("Project.SaveAsNewRenderPreset", "Project.SetCurrentRenderFormatAndCodec", "Timeline.SetTrackEnable")
"""What reads back; of the others only files can tell that they have lied."""


@pytest.mark.parametrize(("kind", "call"), [("refuses", call) for call in REFUSED] + [("lies", call) for call in LIES])
def test_a_call_that_resolve_refuses_is_named_with_a_fix(stage, kind, call):
    refused(stage(**{kind: {call: 1}}), call, REFUSED[call], what="matte", track=3)


def test_settings_that_resolve_refuses_for_good_are_named(stage):
    on = stage(refuses={"Project.SetRenderSettings": 0})
    refused(on, "Project.SetRenderSettings", "'CustomName': 'sh010.'", "Deliver page")


def test_the_temporary_preset_stays_as_long_as_it_is_needed(stage):
    on = stage()
    job = on.begin()["job"]
    on.render(job)
    on.bench.knobs.refuses["Project.LoadRenderPreset"] = 0
    assert "Project.LoadRenderPreset" in on.export.end(job)["failed"][0]
    del on.bench.knobs.refuses["Project.LoadRenderPreset"]
    assert on.another().recover()["failed"] == []
    on.assert_as_before()


def test_a_resolve_too_old_for_the_switch_of_burn_ins_gets_the_other_settings(stage):
    on = stage(refuses={"Project.SetRenderSettings": 1})
    on.whole()
    given = on.bench.called("Project.SetRenderSettings")
    assert ["DataBurnIn" in settings for (settings,) in given] == [True, False]
    on.assert_as_before()


def test_a_dialog_that_blocks_everything_is_thought_of(stage):
    refused(stage(modal_blocks=True), "SaveAsNewRenderPreset")


# -- a call that breaks, at every index ----------------------------------------------------------------------------


def story(on):
    """Begin, poll, end; a HostError of begin or poll is an answer too."""
    texts = []
    try:
        job = on.begin(what="matte", track=3)["job"]
        try:
            on.render(job)
        except HostError as error:
            texts.append(error.message)
        texts += on.export.end(job)["failed"]
    except HostError as error:
        texts.append(error.message)
    return texts


def small(folder):
    """As little as has everything: a shot, a title over it, a matte that is muted, a job of the user's, a page."""
    folder.mkdir()
    scene = scenes.Scene(folder)
    shot = scene.sequence("sh010", 6)
    scene.place(shot, 86400, 2)
    scene.generator("Text", 86400, 2, track=2)
    matte = scene.add_track("VOID MATTE")
    scene.track(matte, enabled=False)
    scene.place(shot, 86400, 2, track=matte)
    scene.user_jobs(1)
    scene.data["page"] = "color"
    return scene


@pytest.mark.parametrize("after", [False, True], ids=["before its work", "after its work"])
def test_an_exception_at_any_call_leaves_everything_as_before(tmp_path, after):
    plain = Stage(small(tmp_path / "plain"), tmp_path / "plain")
    assert story(plain) == []
    count = len(plain.bench.calls)
    assert count > 100
    for index in range(count):
        folder = tmp_path / str(index)
        on = Stage(small(folder), folder, raises_at=index, raises_after=after)
        texts = story(on)
        broken = on.bench.calls[index]
        assert broken["result"] == "raised"
        on.assert_as_before()
        for text in texts:
            assert broken["call"] in text, (index, text)
            assert "try again" in text


@pytest.mark.parametrize("after", [False, True], ids=["before its work", "after its work"])
def test_an_exception_at_any_call_of_a_recovery_leaves_the_rest_to_the_next(tmp_path, after):
    def left(name):
        folder = tmp_path / name
        on = Stage(small(folder), folder)
        on.render(on.begin(what="matte", track=3)["job"])
        on.bench.calls.clear()
        return on

    plain = left("plain")
    assert plain.another().recover()["failed"] == []
    count = len(plain.bench.calls)
    assert count > 50
    for index in range(count):
        on = left(str(index))
        on.bench.knobs.raises_at, on.bench.knobs.raises_after = index, after
        try:
            texts = on.another().recover()["failed"]
        except HostError as error:
            texts = [error.message]
        assert all(on.bench.calls[index]["call"] in text for text in texts)
        assert on.another().recover()["failed"] == []
        on.assert_as_before()


# -- processes that did not live to restore ------------------------------------------------------------------------


def test_what_a_process_has_left_is_restored_by_the_next(stage):
    on = stage()
    job = on.begin(what="matte", track=3)["job"]
    on.render(job)
    assert difference(on.before, on.bench.state()) != []
    found = on.another().recover()
    assert found["failed"] == []
    assert "video tracks" in found["restored"]
    on.assert_as_before()


def test_a_render_that_nobody_waits_for_is_stopped(stage):
    on = stage(frames_per_poll=1)
    on.begin()
    record = on.memory.all()[0]
    old = os.path.getmtime(record.path) - 2 * FRESH_SECONDS
    os.utime(record.path, (old, old))
    assert on.another().recover()["failed"] == []
    on.assert_as_before()


def test_an_export_that_is_under_way_elsewhere_is_left_alone(stage):
    on = stage(frames_per_poll=1)
    job = on.begin()["job"]
    found = on.another().recover()
    assert "under way" in found["failed"][0]
    assert on.render(job)["state"] == "done"
    assert on.export.end(job)["failed"] == []
    on.assert_as_before()


def test_what_belongs_to_another_project_waits_until_that_is_open(stage):
    on = stage()
    job = on.begin()["job"]
    on.render(job)
    on.bench.world.project["id"] = "project-2"
    failed = on.another().recover()["failed"]
    assert any("The project Feature is not open" in text for text in failed)
    on.bench.world.project["id"] = "project-1"
    assert on.another().recover()["failed"] == []
    on.assert_as_before()


def test_a_job_that_was_added_in_the_last_moment_of_a_process_is_found_by_its_folder(stage, scene):
    scene.user_jobs(1)
    on = stage()
    on.begin()
    record = on.memory.all()[0]
    on.memory.keep(record.state["preset"], {**record.state, "job": ""})
    on.resolve.project().stop_render()
    assert on.another().recover()["failed"] == []
    on.assert_as_before()


def test_temporary_presets_that_nobody_knows_of_are_swept(stage, scene):
    on = stage()
    scene.preset(PRESETS + "4711_1")
    swept = Stage(scene, on.folder)
    assert swept.another().recover() == {
        "restored": [f"temporary render preset {PRESETS}4711_1"],
        "failed": [],
    }
    assert difference(on.before, swept.bench.state()) == []


def test_a_record_that_cannot_be_read_is_of_no_use_and_no_trouble(stage):
    on = stage()
    on.memory.keep("VOID_restore_1_1", {})
    (on.folder / "memory" / "VOID_restore_1_1.restore.json").write_text("{")
    assert on.memory.all() == []
    assert on.another().recover() == {"restored": [], "failed": []}


def test_a_record_that_cannot_be_written_stops_before_anything_has_changed(stage, tmp_path):
    on = stage()
    (tmp_path / "memory").write_text("a file where the folder should be")
    with pytest.raises(HostError, match="correct the rights"):
        on.begin()
    assert difference(on.before, on.bench.state()) == []
