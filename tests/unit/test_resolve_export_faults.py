"""Exports of a Resolve that fails in every way that is known, which leave it as it was all the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fakes.resolve import Scene, scenes
from resolvestages import Make, Stage, small, story

from void_plugin.errors import HostError
from void_plugin.hosts.resolve_export import START_SECONDS
from void_plugin.hosts.resolve_queue import forget_jobs
from void_plugin.hosts.resolve_render import JobStatus


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return scenes.cut(tmp_path)


@pytest.fixture
def stage(scene: Scene, tmp_path: Path) -> Make:
    return lambda **knobs: Stage(scene, tmp_path, **knobs)


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
def test_the_known_faults_of_resolve_change_nothing(stage: Make, scene: Scene, knobs: dict[str, Any]) -> None:
    scene.user_jobs(2)
    on = stage(**knobs)
    _, done, ended = on.whole()
    assert (done["state"], ended["failed"], len(on.files())) == ("done", [], 12)
    on.assert_as_before()


def test_a_queue_that_was_last_used_for_audio_only_renders_a_picture(stage: Make, scene: Scene) -> None:
    scene.project["render"]["hidden"]["audio_only"] = True
    on = stage(settings_inherit_audio_only=True)
    on.whole()
    assert len(on.files()) == 12
    on.assert_as_before()


def test_a_render_that_fails_says_why(stage: Make) -> None:
    on = stage(render_fails_at=86405)
    job = on.begin()["job"]
    found = on.render(job)
    assert (found["state"], "failed at frame 86405" in found["text"]) == ("failed", True)
    on.export.end(job)
    on.assert_as_before()


def test_a_render_that_hangs_is_given_up_after_a_while(stage: Make) -> None:
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


def test_a_render_is_stopped_when_the_export_ends_before_it(stage: Make) -> None:
    on = stage(frames_per_poll=1)
    job = on.begin()["job"]
    on.export.poll(job)
    assert on.export.end(job)["failed"] == []
    assert len(on.bench.called("Project.StopRendering")) == 1
    on.assert_as_before()


@pytest.mark.parametrize("knob", ["render_cancelled_at", "render_deleted_at"])
def test_a_render_that_the_user_stops_or_deletes_is_cancelled(stage: Make, knob: str) -> None:
    on = stage(**{knob: 86406})
    _, found, ended = on.whole()
    assert (found["state"], ended["failed"]) == ("cancelled", [])
    assert "in Resolve" in found["text"]
    assert on.bench.called("Project.StopRendering") == []
    on.assert_as_before()


def test_without_windows_there_is_no_page_to_open(stage: Make, scene: Scene) -> None:
    scene.data["page"] = None
    on = stage()
    assert on.whole(what="matte", track=3)[2]["failed"] == []
    assert on.bench.called("Resolve.OpenPage") == []
    on.assert_as_before()


def test_the_users_render_is_not_stopped_in_place_of_one_of_ours_that_stays_at_rendering(
    stage: Make, scene: Scene
) -> None:
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
def test_a_render_is_known_to_run_in_every_language(status: JobStatus, running: bool) -> None:
    class Project:
        """A queue whose job has one status."""

        stopped = False

        def render_status(self, job: str) -> JobStatus:
            return status

        def render_jobs(self) -> dict[str, str]:
            return {} if self.stopped else {"job-1": "/out"}

        def is_rendering(self) -> bool:
            return not self.stopped

        def stop_render(self) -> None:
            self.stopped = True

        def delete_render_job(self, job: str) -> bool:
            return True

    project = Project()
    forget_jobs(project, {"jobs": [], "folder": "/out", "job": "job-1"}, lambda seconds: None)
    assert project.stopped is running


def test_a_part_that_cannot_be_restored_is_said_and_the_rest_is(stage: Make) -> None:
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


def refused(on: Stage, *texts: str, **changes: Any) -> None:
    """An export that is refused, with everything as before."""
    with pytest.raises(HostError) as caught:
        on.begin(**changes)
    for text in texts:
        assert text in caught.value.message
    on.assert_as_before()


def test_while_the_user_renders_nothing_begins(stage: Make, scene: Scene) -> None:
    scene.user_jobs(2, running=True)
    refused(stage(), "wait until it is done")


def test_a_shot_that_is_gone_is_named(stage: Make) -> None:
    refused(stage(), "'item-gone'", "no longer on the timeline Reel 3", shot="item-gone")


def test_a_clip_that_is_switched_off_is_not_rendered_black(stage: Make, scene: Scene) -> None:
    scene.track(1)["items"][0]["enabled"] = False
    refused(stage(), "switched off", "enable the clip")


def test_a_locked_track_that_would_have_to_change_is_the_users_to_unlock(stage: Make, scene: Scene) -> None:
    shot = scene.track(1)["items"][0]
    scene.generator("Logo", shot["start"], 4, track=2)
    scene.track(2, locked=True)
    refused(stage(), "Video 2 is locked", "unlock or mute it", "Timeline.SetTrackEnable")


def test_a_locked_track_that_is_to_be_rendered_and_is_shown_needs_no_touch(stage: Make, scene: Scene) -> None:
    scene.track(1, locked=True)
    on = stage()
    on.whole()
    on.assert_as_before()


def test_a_locked_matte_track_that_is_muted_is_the_users_to_show(stage: Make, scene: Scene) -> None:
    scene.track(3, locked=True)
    refused(stage(), "VOID MATTE is locked", "show it", what="matte", track=3)


def test_a_track_that_there_is_not_is_named(stage: Make) -> None:
    refused(stage(), "no video track 9", what="matte", track=9)


def test_frames_the_wrong_way_round_are_refused(stage: Make) -> None:
    refused(stage(), "86410-86401", first=86410, last=86401)


def test_a_second_export_at_the_same_time_is_refused(stage: Make) -> None:
    on = stage()
    job = on.begin()["job"]
    with pytest.raises(HostError, match="open already"):
        on.begin()
    on.export.end(job)
    on.assert_as_before()


def test_a_job_that_is_not_open_has_no_progress_and_nothing_to_end(stage: Make) -> None:
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
def test_a_call_that_resolve_refuses_is_named_with_a_fix(stage: Make, kind: str, call: str) -> None:
    refused(stage(**{kind: {call: 1}}), call, REFUSED[call], what="matte", track=3)


def test_settings_that_resolve_refuses_for_good_are_named(stage: Make) -> None:
    on = stage(refuses={"Project.SetRenderSettings": 0})
    refused(on, "Project.SetRenderSettings", "'CustomName': 'sh010.'", "Deliver page")


def test_the_temporary_preset_stays_as_long_as_it_is_needed(stage: Make) -> None:
    on = stage()
    job = on.begin()["job"]
    on.render(job)
    on.bench.knobs.refuses["Project.LoadRenderPreset"] = 0
    assert "Project.LoadRenderPreset" in on.export.end(job)["failed"][0]
    del on.bench.knobs.refuses["Project.LoadRenderPreset"]
    assert on.another().recover()["failed"] == []
    on.assert_as_before()


def test_a_resolve_too_old_for_the_switch_of_burn_ins_gets_the_other_settings(stage: Make) -> None:
    on = stage(refuses={"Project.SetRenderSettings": 1})
    on.whole()
    given = on.bench.called("Project.SetRenderSettings")
    assert ["DataBurnIn" in settings for (settings,) in given] == [True, False]
    on.assert_as_before()


def test_a_dialog_that_blocks_everything_is_thought_of(stage: Make) -> None:
    refused(stage(modal_blocks=True), "SaveAsNewRenderPreset")


# -- a call that breaks, at every index ----------------------------------------------------------------------------


@pytest.mark.parametrize("after", [False, True], ids=["before its work", "after its work"])
def test_an_exception_at_any_call_leaves_everything_as_before(tmp_path: Path, after: bool) -> None:
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
