"""The fake Resolve's Deliver page: what is rendered is what its timeline shows, and its queue is as odd as measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes.resolve import Bench, Scene, difference, scenes
from numpy.typing import NDArray
from resolves import Resolves
from shots import load_exr

START = scenes.START


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return scenes.cut(tmp_path)


def project(bench: Bench) -> Any:
    return bench.resolve.GetProjectManager().GetCurrentProject()


def picture(path: Path | str) -> NDArray[Any]:
    planes = load_exr(path).planes
    return np.stack([planes[name] for name in "RGB"], -1)


def queue(bench: Bench, folder: Path, first: int, last: int, **settings: Any) -> str:
    """Adds a job of EXR frames called `x.NNNNNNNN.exr`."""
    folder.mkdir(exist_ok=True)
    found = project(bench)
    assert found.SetCurrentRenderFormatAndCodec("exr", "RGBHalfZIP")
    assert found.SetCurrentRenderMode(1)
    base = {"SelectAllFrames": False, "MarkIn": first, "MarkOut": last, "TargetDir": str(folder), "CustomName": "x."}
    assert found.SetRenderSettings({**base, "ExportVideo": True, **settings})
    job = found.AddRenderJob()
    assert job
    return str(job)


def render(bench: Bench, folder: Path, first: int, last: int, **settings: Any) -> dict[str, Any]:
    """Renders a job to its end and returns its last status."""
    job = queue(bench, folder, first, last, **settings)
    assert project(bench).StartRendering([job], False)
    while project(bench).IsRenderingInProgress():
        pass
    status = project(bench).GetRenderJobStatus(job)
    assert isinstance(status, dict)
    return status


def plate(scene: Scene, clip: int, index: int) -> NDArray[Any]:
    data = list(scene.project["clips"].values())[clip]
    return picture(data["pixels"] % (data["first"] + index))


def test_a_plate_is_rendered_bit_for_bit_over_its_record_range(
    resolves: Resolves, scene: Scene, tmp_path: Path
) -> None:
    status = render(resolves(scene), tmp_path / "out", START, START + 11)
    assert status["JobStatus"] == "Complete" and status["CompletionPercentage"] == 100
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [f"x.{frame:08d}.exr" for frame in range(START, START + 12)]
    for index in range(12):
        assert np.array_equal(picture(tmp_path / "out" / names[index]), plate(scene, 0, 4 + index))


def test_only_enabled_tracks_are_seen(resolves: Resolves, scene: Scene, tmp_path: Path) -> None:
    bench = resolves(scene)
    edit = project(bench).GetCurrentTimeline()
    render(bench, tmp_path / "all", START + 26, START + 26)
    assert (picture(tmp_path / "all" / f"x.{START + 26:08d}.exr") == 0.25).all()
    edit.SetTrackEnable("video", 2, False)
    render(bench, tmp_path / "solo", START + 26, START + 26)
    graded = plate(scene, 2, 3).astype(np.float32) * 2
    assert np.array_equal(picture(tmp_path / "solo" / f"x.{START + 26:08d}.exr"), graded.astype(np.float16))
    edit.SetTrackEnable("video", 1, False)
    edit.SetTrackEnable("video", 3, True)
    render(bench, tmp_path / "matte", START + 2, START + 2)
    assert np.array_equal(picture(tmp_path / "matte" / f"x.{START + 2:08d}.exr"), plate(scene, 3, 6))


def test_a_speed_is_baked_and_a_gap_is_black(resolves: Resolves, scene: Scene, tmp_path: Path) -> None:
    render(resolves(scene), tmp_path / "out", START + 12, START + 25)
    assert not picture(tmp_path / "out" / f"x.{START + 12:08d}.exr").any()
    for index in range(8):
        found = picture(tmp_path / "out" / f"x.{START + 18 + index:08d}.exr")
        assert np.array_equal(found, plate(scene, 1, 2 + 2 * index))


def test_a_dissolve_is_rendered_from_both_sides(resolves: Resolves, scene: Scene, tmp_path: Path) -> None:
    scene.dissolve(START + 26, 2, 2)
    scene.track(2, enabled=False)
    render(resolves(scene), tmp_path / "out", START + 24, START + 27)
    found = picture(tmp_path / "out" / f"x.{START + 24:08d}.exr").astype(np.float32)
    outgoing = plate(scene, 1, 14).astype(np.float32)
    incoming = plate(scene, 2, 1).astype(np.float32) * 2
    assert np.abs(found - (0.8 * outgoing + 0.2 * incoming)).max() < 2e-3


def test_a_preset_with_flat_pass_leaves_the_grade_out(resolves: Resolves, scene: Scene, tmp_path: Path) -> None:
    scene.preset("VOID Plate")
    scene.track(2, enabled=False)
    bench = resolves(scene)
    assert project(bench).LoadRenderPreset("VOID Plate")
    render(bench, tmp_path / "out", START + 26, START + 26)
    assert np.array_equal(picture(tmp_path / "out" / f"x.{START + 26:08d}.exr"), plate(scene, 2, 3))


def test_after_audio_only_a_job_holds_no_picture_until_a_preset_is_loaded(
    resolves: Resolves, scene: Scene, tmp_path: Path
) -> None:
    bench = resolves(scene, settings_inherit_audio_only=True)
    assert render(bench, tmp_path / "out", START, START)["JobStatus"] == "Complete"
    assert project(bench).GetRenderJobList()[0]["IsExportVideo"] is True
    assert list((tmp_path / "out").iterdir()) == []
    assert project(bench).LoadRenderPreset("H.264 Master")
    render(bench, tmp_path / "out", START, START)
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_an_exr_job_may_never_be_complete_and_its_deletion_ignored(
    resolves: Resolves, scene: Scene, tmp_path: Path
) -> None:
    bench = resolves(scene, exr_never_complete=True, delete_job_ignored=True)
    status = render(bench, tmp_path / "out", START, START + 4)
    assert (status["JobStatus"], status["CompletionPercentage"]) == ("Rendering", 100)
    job = project(bench).GetRenderJobList()[0]["JobId"]
    assert project(bench).DeleteRenderJob(job) is True and len(project(bench).GetRenderJobList()) == 1
    assert project(bench).DeleteRenderJob(job) is True and project(bench).GetRenderJobList() == []


def test_a_render_fails_skips_and_cuts_off_where_it_is_told_to(
    resolves: Resolves, scene: Scene, tmp_path: Path
) -> None:
    status = render(resolves(scene, render_fails_at=START + 5), tmp_path / "a", START, START + 11)
    assert status["JobStatus"] == "Failed" and str(START + 5) in status["Error"]
    render(resolves(scene, render_skips=[START + 5], render_truncates=[START + 6]), tmp_path / "b", START, START + 11)
    found = {path.name: path.stat().st_size for path in (tmp_path / "b").iterdir()}
    assert f"x.{START + 5:08d}.exr" not in found and len(found) == 11
    assert found[f"x.{START + 6:08d}.exr"] < found[f"x.{START + 7:08d}.exr"] * 0.7


def test_a_render_is_stopped_only_when_it_is_ours(resolves: Resolves, scene: Scene, tmp_path: Path) -> None:
    bench = resolves(scene)
    job = queue(bench, tmp_path / "out", START, START + 11)
    assert project(bench).StartRendering([job], False)
    assert project(bench).GetRenderJobStatus(job)["CompletionPercentage"] == 33
    assert project(bench).DeleteRenderJob(job) is False
    project(bench).StopRendering()
    assert project(bench).GetRenderJobStatus(job)["JobStatus"] == "Cancelled"
    scene.user_jobs(2, running=True)
    theirs = Bench(scene.data)
    assert project(theirs).IsRenderingInProgress() is True
    assert project(theirs).StartRendering([queue(theirs, tmp_path / "out", START, START)], False) is False
    with pytest.raises(ValueError, match="user's"):
        project(theirs).StopRendering()


def test_the_queue_wants_ids_a_folder_and_names_of_jobs(resolves: Resolves, scene: Scene, tmp_path: Path) -> None:
    bench = resolves(scene)
    assert project(bench).SetCurrentRenderFormatAndCodec("EXR", "RGB half (ZIP)") is False
    assert project(bench).SetCurrentRenderFormatAndCodec("exr", "RGBHalfZIP") is True
    project(bench).SetRenderSettings({"TargetDir": ""})
    assert project(bench).AddRenderJob() == ""
    with pytest.raises(ValueError, match="user's queue"):
        project(bench).StartRendering()
    bench.breaches.clear()
    status = render(bench, tmp_path / "out", START, START, TargetDir=str(tmp_path / "nowhere"))
    assert status["JobStatus"] == "Failed" and "nowhere" in status["Error"]


def test_a_preset_is_the_only_way_to_keep_render_settings(resolves: Resolves, scene: Scene, tmp_path: Path) -> None:
    bench = resolves(scene)
    before, found = bench.state(), project(bench)
    assert found.SaveAsNewRenderPreset("VOID_restore_7") is True
    assert found.SaveAsNewRenderPreset("VOID_restore_7") is False
    marks = found.GetCurrentTimeline().GetMarkInOut()
    job = queue(bench, tmp_path / "out", START, START + 1)
    assert found.LoadRenderPreset("VOID_restore_7") and found.DeleteRenderPreset("VOID_restore_7")
    assert found.GetCurrentRenderMode() == 1
    assert found.SetCurrentRenderMode(0) and found.DeleteRenderJob(job)
    for kind, values in marks.items():
        found.GetCurrentTimeline().SetMarkInOut(values["in"], values["out"], kind)
    assert difference(before, bench.state()) == []
    assert found.DeleteRenderPreset("Audio Only") is False


def one(bench: Bench, folder: Path, frame: int) -> NDArray[Any]:
    render(bench, folder, frame, frame)
    return picture(folder / f"x.{frame:08d}.exr")


def test_sizing_opacity_and_levels_are_seen(resolves: Resolves, scene: Scene, tmp_path: Path) -> None:
    shot = scene.timeline["tracks"]["video"][0]["items"][0]
    shot["properties"] = {"FlipX": True}
    assert np.array_equal(one(resolves(scene), tmp_path / "flip", START), plate(scene, 0, 4)[:, ::-1])
    shot["properties"] = {"Opacity": 50.0}
    half = (plate(scene, 0, 4).astype(np.float32) / 2).astype(np.float16)
    assert np.array_equal(one(resolves(scene), tmp_path / "half", START), half)
    shot["properties"] = {}
    next(iter(scene.project["clips"].values()))["properties"]["Data Level"] = "Video"
    found = one(resolves(scene), tmp_path / "levels", START).astype(np.float32)
    assert np.abs(found - (plate(scene, 0, 4).astype(np.float32) * 255 - 16) / 219).max() < 1e-3


def test_colour_management_cancels_out_only_where_input_and_output_agree(
    resolves: Resolves, scene: Scene, tmp_path: Path
) -> None:
    clip = next(iter(scene.project["clips"].values()))
    clip["properties"]["Input Color Space"] = "Linear"
    assert np.array_equal(one(resolves(scene), tmp_path / "unmanaged", START), plate(scene, 0, 4))
    scene.managed(colorSpaceOutput="Rec.709 Gamma 2.4")
    assert not np.array_equal(one(resolves(scene), tmp_path / "other", START), plate(scene, 0, 4))
    clip["properties"]["Input Color Space"] = "Rec.709 Gamma 2.4"
    assert np.array_equal(one(resolves(scene), tmp_path / "same", START), plate(scene, 0, 4))


def test_the_user_may_stop_or_delete_our_render(resolves: Resolves, scene: Scene, tmp_path: Path) -> None:
    assert render(resolves(scene, render_cancelled_at=START + 5), tmp_path / "a", START, START + 11) == {
        "JobStatus": "Cancelled",
        "CompletionPercentage": 41,
    }
    assert render(resolves(scene, render_deleted_at=START + 5), tmp_path / "b", START, START + 11) == {}


def test_a_render_may_open_the_deliver_page(resolves: Resolves, scene: Scene, tmp_path: Path) -> None:
    bench = resolves(scene, render_opens_deliver=True)
    render(bench, tmp_path / "a", START, START)
    assert bench.resolve.GetCurrentPage() == "deliver"
