"""Affected presets in a whole job: what reaches the model, what is refused, and that chunks make no difference."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shots import Ran, Shot, bits, build_shot, load_exr, run_in_process, save_exr

from void_plugin.config import Config
from void_plugin.errors import RequestError
from void_plugin.frames import FrameRange
from void_plugin.request import ImageInput, Output, RemovalRequest
from void_plugin.settings import CHOICES, RenderSettings
from void_server.eventlog import EventLog
from void_server.jobfolder import JobFolder
from void_server.plan import Plan, engine_frames
from void_server.runner import Job
from void_server.tiles import Box

PRESETS = [name for name in CHOICES["affected_preset"] if name != "none"]
RASTER = Box(0, 0, 672, 384)


def asked(shot: Shot, preset: str, out: str = "comp", **changes: Any) -> RemovalRequest:
    settings = RenderSettings(affected_preset=preset, affected_path="60,30 90,40" if preset == "path" else "")
    values = {"engine": "identity-raster", "settings": settings, "outputs": (Output("comp", shot.out(out)),)}
    return shot.request(**{**values, **changes})


@pytest.fixture
def shot(tmp_path: Path) -> Shot:
    """Six frames in which an object of 18 pixels moves a little to the right, in the middle of 96x72."""
    shot = build_shot(tmp_path / "shot", count=6, size=(72, 96))
    for index, frame in enumerate(shot.frames):
        matte = np.zeros(shot.size, np.float16)
        matte[20:38, 40 + index : 52 + index] = 1
        save_exr(shot.folder / f"object_matte.{frame}.exr", matte, ["A"])
    return shot


def told(request: RemovalRequest) -> dict[int, np.ndarray[Any, Any]]:
    """What the engine of a planned job is told on every frame."""
    folder = JobFolder(request.job_folder())
    log = EventLog(folder, "test", None)
    try:
        with Job(request, folder, log, Config(), 2) as job:
            plan = job.plan()
            frames = engine_frames(plan, job.engine, job.footage, job.colour)
            return {frame: frames.labels(frame, RASTER) for frame in plan.range}
    finally:
        log.close()


def planned(ran: Ran) -> dict[str, Any]:
    plan: dict[str, Any] = json.loads((ran.folder / "plan.json").read_text())
    return plan


@pytest.mark.parametrize("preset", PRESETS)
def test_a_part_of_a_shot_is_rendered_as_in_the_whole(shot: Shot, preset: str) -> None:
    run_in_process(asked(shot, preset))
    ran = run_in_process(asked(shot, preset, "part", frames=FrameRange(1003, 1004)), workers=1)
    for frame in (1003, 1004):
        one, other = load_exr(shot.out("comp") % frame), load_exr(shot.out("part") % frame)
        assert all((bits(one.planes[name]) == bits(other.planes[name])).all() for name in "RGB")
    moves = preset in ("drop", "path")
    assert len(planned(ran)["object_boxes"]) == (6 if moves else 0), "once a shot, and only where it is needed"
    assert planned(ran)["without_affected"] == ([1001] if moves else [])
    assert Plan.load(JobFolder(ran.folder)).object_boxes == tuple(Box(**box) for box in planned(ran)["object_boxes"])


@pytest.mark.parametrize("preset", PRESETS)
def test_the_model_is_told_whole_cells_and_the_plate_stays_where_it_changes_nothing(shot: Shot, preset: str) -> None:
    labels = told(asked(shot, preset))[1003]
    assert {63, 127} <= set(np.unique(labels))
    grey = (labels == 63) | (labels == 127)
    cells = grey.reshape(8, 48, 14, 48)
    assert (cells.all(axis=(1, 3)) == cells.any(axis=(1, 3))).all()
    ran = run_in_process(asked(shot, preset))
    assert not [warning for warning in ran.warnings if warning.code == "affected_preset_ignored"]
    plain = run_in_process(asked(shot, "none", "plain"))
    assert planned(plain)["most_affected"] == 0 < planned(ran)["most_affected"] <= 0.4
    replaced, alone = (json.loads((job.folder / "result.json").read_text())["summary"] for job in (ran, plain))
    assert replaced["generated"] == alone["generated"], "the identity changes nothing in what is affected"


def test_an_affected_matte_wins_over_a_preset(shot: Shot) -> None:
    for frame in shot.frames:
        save_exr(shot.folder / f"affected.{frame}.exr", np.zeros(shot.size, np.float16), ["A"])
    drawn = ImageInput(str(shot.folder / "affected.%04d.exr"))
    ran = run_in_process(asked(shot, "drop", affected_matte=drawn))
    assert [warning.code for warning in ran.warnings if "affected" in warning.code] == ["affected_preset_ignored"]
    assert planned(ran)["most_affected"] == 0 and planned(ran)["object_boxes"] == []


@pytest.mark.parametrize(("rows", "share"), [(9, ""), (18, "25%"), (27, "38%")])
def test_much_that_is_affected_is_told_each_time_a_job_runs(shot: Shot, rows: int, share: str) -> None:
    request = asked(shot, "none", affected_matte=banner(shot, rows, 1003))
    run_in_process(request)
    kept = run_in_process(request)  # with the plan of the first run; its folder has the events of both
    large = [warning.text for warning in kept.warnings if warning.code == "affected_large"]
    assert len(large) == (2 if share else 0)
    assert all(share in text and "frames 1003;" in text for text in large)


def test_more_than_two_fifths_are_refused_with_figure_and_frame(shot: Shot) -> None:
    with pytest.raises(RequestError) as caught:
        run_in_process(replace(asked(shot, "none", affected_matte=banner(shot, 40, 1003, 1004)), shot="sh010"))
    assert caught.value.code == "request.affected_large"
    for part in ("sh010", "62%", "frame 1003", "1003-1004", "40%", "draw the affected matte closer"):
        assert part in caught.value.message
    with pytest.raises(RequestError, match="another affected preset than path"):
        wide = RenderSettings(affected_preset="path", affected_path="0,0 95,71 0,71")
        run_in_process(asked(shot, "path", settings=wide))


def test_an_engine_that_works_in_plate_pixels_takes_any_affected_area(shot: Shot) -> None:
    ran = run_in_process(asked(shot, "none", engine="recover", affected_matte=banner(shot, 60, 1003)))
    assert not [warning for warning in ran.warnings if warning.code == "affected_large"]


def banner(shot: Shot, rows: int, *frames: int) -> ImageInput:
    """An affected matte of so many rows, all across, on some frames."""
    for frame in shot.frames:
        matte = np.zeros(shot.size, np.float16)
        matte[: rows if frame in frames else 0] = 1
        save_exr(shot.folder / f"banner{rows}.{frame}.exr", matte, ["A"])
    return ImageInput(str(shot.folder / f"banner{rows}.%04d.exr"))


@pytest.mark.parametrize(
    ("path", "said"), [("", "960,400 1010,700"), ("10;20", "'10;20'"), ("-900,5 -800,5", "misses the picture")]
)
def test_a_path_that_leads_nowhere_is_refused(shot: Shot, path: str, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        run_in_process(asked(shot, "path", settings=RenderSettings(affected_preset="path", affected_path=path)))


@pytest.mark.parametrize("preset", ["contact", "reflection"])
def test_an_object_as_large_as_the_picture_is_removed(shot: Shot, preset: str) -> None:
    for frame in shot.frames:
        save_exr(shot.folder / f"object_matte.{frame}.exr", np.ones(shot.size, np.float16), ["A"])
    ran = run_in_process(asked(shot, preset))
    assert planned(ran)["most_affected"] == 0
    assert (told(asked(shot, preset))[1003] == 0).all()


@pytest.mark.parametrize("preset", PRESETS)
def test_a_shot_without_an_object_is_refused_as_without_a_preset(shot: Shot, preset: str) -> None:
    for frame in shot.frames:
        save_exr(shot.folder / f"object_matte.{frame}.exr", np.zeros(shot.size, np.float16), ["A"])
    with pytest.raises(RequestError) as caught:
        run_in_process(asked(shot, preset))
    assert caught.value.code == "request.matte_empty"
