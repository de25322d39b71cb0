"""Real pixels first: what is recovered, what is generated, and when nothing has to be generated at all."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from fakes import painter_engine
from shots import Exr, Shot, bits, build_shot, load_exr, merged, run_in_process, save_exr

from void_plugin.config import Config
from void_plugin.events import Finished, Started
from void_plugin.frames import FrameRange
from void_plugin.request import ImageInput, Output, RemovalRequest
from void_plugin.settings import RenderSettings

MACHINE = Config(engines={"painter": "fakes.painter_engine:PainterEngine"})
CHANNELS = RenderSettings(
    grain="off", weight_channel=True, change_channel=True, source_channel=True, coverage_channel=True
)


@pytest.fixture
def solves(tmp_path: Path) -> Path:
    """Where the painter counts its solves."""
    return tmp_path / "solves.txt"


@pytest.fixture
def moving(tmp_path: Path) -> Shot:
    """A locked-off shot: the square leaves each place, so that other frames show all of it."""
    return build_shot(tmp_path / "moving", count=12)


@pytest.fixture
def standing(tmp_path: Path) -> Shot:
    """The square stands still on a still camera: nobody ever sees what is behind it."""
    shot = build_shot(tmp_path / "standing", count=6)
    for frame in (1001, 1002, 1004, 1005, 1006):
        for name in ("plate", "object_matte"):
            shutil.copy(shot.folder / f"{name}.1003.exr", shot.folder / f"{name}.{frame}.exr")
    return shot


def asked(shot: Shot, solves: Path, settings: RenderSettings = CHANNELS, **changes: object) -> RemovalRequest:
    return shot.request(engine="painter", prompt=str(solves), settings=settings, **changes)


def count(solves: Path) -> int:
    return len(solves.read_text().split()) if solves.exists() else 0


def patch(shot: Shot, frame: int, folder: str = "out") -> Exr:
    return load_exr(shot.folder / folder / f"result.{frame}.exr")


def summary(shot: Shot) -> dict[str, object]:
    return dict(json.loads(next(shot.folder.glob("out/.void/*/result.json")).read_text())["summary"])


def test_what_other_frames_show_is_taken_from_there_and_nothing_is_generated(moving: Shot, solves: Path) -> None:
    ran = run_in_process(asked(moving, solves), machine=MACHINE)
    assert count(solves) == 0
    for frame in moving.frames:
        found = patch(moving, frame)
        inside = found.planes["A"] > 0.99
        assert (found.planes["void.source"][inside] == 0.5).all() and (found.planes["void.coverage"][inside] == 1).all()
        result = merged(found, load_exr(moving.plate % frame))
        hole = moving.mattes[frame] > 0.5
        for at, name in enumerate("RGB"):
            apart = np.abs(result[name].astype(np.float32) - moving.truth[frame][..., at])[hole]
            assert apart.mean() < 0.01
    told = summary(moving)
    assert told["generated"] == 0 and told["recovered"] > 0 and told["shares"] == "100 % recovered"  # type: ignore[operator]
    assert isinstance(ran.events[-1], Finished)


def test_what_nobody_sees_is_generated(standing: Shot, solves: Path) -> None:
    run_in_process(asked(standing, solves), machine=MACHINE)
    assert count(solves) == 1
    found = patch(standing, 1003)
    assert (found.planes["void.source"][found.planes["A"] > 0] == 1).all()
    assert summary(standing)["shares"] == "100 % generated"


@pytest.mark.parametrize(("source", "solved"), [("generated", 2), ("hybrid", 0)])
def test_the_source_can_be_chosen(moving: Shot, solves: Path, source: str, solved: int) -> None:
    run_in_process(asked(moving, solves, replace(CHANNELS, source=source)), machine=MACHINE)
    assert count(solves) == solved
    found = patch(moving, 1005)
    assert (found.planes["void.source"][found.planes["A"] > 0] == (1 if source == "generated" else 0.5)).all()


def test_only_real_pixels_need_no_model(moving: Shot) -> None:
    settings = replace(CHANNELS, source="recovered")
    ran = run_in_process(moving.request(engine="auto", settings=settings))
    started = next(event for event in ran.events if isinstance(event, Started))
    assert started.engine == "recover" and started.reason == "Only real pixels were asked for."


def with_affected(shot: Shot) -> ImageInput:
    """An affected matte right under the square, which is wide enough to reach into what other frames show."""
    for frame in shot.frames:
        matte = shot.mattes[frame]
        low = np.roll(matte, shot.size[0] // 4, axis=0)
        save_exr(shot.folder / f"affected.{frame}.exr", np.maximum(low, 0).astype(np.float16), ["A"])
    return ImageInput(str(shot.folder / "affected.%04d.exr"))


def test_nothing_is_recovered_where_the_world_must_change(moving: Shot, solves: Path) -> None:
    run_in_process(asked(moving, solves, affected_matte=with_affected(moving)), machine=MACHINE)
    assert count(solves) == 2
    for frame in moving.frames:
        found = patch(moving, frame)
        affected = load_exr(moving.folder / f"affected.{frame}.exr").planes["A"].astype(np.float32) > 0.5
        sources = found.over((0, 0, moving.size[1], moving.size[0]), "void.source").astype(np.float32)
        assert not ((sources > 0) & (sources < 1))[affected].any()
        assert (sources[affected] == 1).mean() > 0.5
        assert ((sources > 0) & (sources < 1)).any()


def test_the_cast_of_a_model_is_taken_away(standing: Shot, solves: Path) -> None:
    run_in_process(asked(standing, solves), machine=MACHINE)
    found = patch(standing, 1003)
    plate = load_exr(standing.plate % 1003)
    result, alpha = merged(found, plate), found.over(plate.data, "A").astype(np.float32)
    grey = ((painter_engine.GREY + 0.055) / 1.055) ** 2.4
    core = cv2.erode((alpha == 1).astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    for name in "RGB":
        # The cast alone would be 0.03 of code, which is 14 % of this light.
        assert result[name][core].astype(np.float32).mean() == pytest.approx(grey, rel=0.03)
        assert (bits(result[name])[alpha == 0] == bits(plate.planes[name])[alpha == 0]).all()


def test_a_part_of_the_range_alone_equals_the_whole(moving: Shot, solves: Path) -> None:
    request = asked(moving, solves, affected_matte=with_affected(moving))
    run_in_process(request, machine=MACHINE)
    whole = {frame: (moving.folder / "out" / f"result.{frame}.exr").read_bytes() for frame in moving.frames}
    shutil.rmtree(moving.folder / "out")
    for first, last in ((1001, 1005), (1006, 1012)):
        run_in_process(replace(request, frames=FrameRange(first, last)), machine=MACHINE, workers=1)
    for frame in moving.frames:
        assert (moving.folder / "out" / f"result.{frame}.exr").read_bytes() == whole[frame], frame


def test_a_full_frame_matte_works_and_says_that_colours_cannot_be_matched(standing: Shot, solves: Path) -> None:
    for frame in standing.frames:
        save_exr(standing.folder / f"object_matte.{frame}.exr", np.ones(standing.size, np.float16), ["A"])
    ran = run_in_process(asked(standing, solves), machine=MACHINE)
    assert {"nothing_untouched", "ring_missing"} <= {event.code for event in ran.warnings}
    assert (patch(standing, 1003).planes["A"] == 1).all()


def test_a_ring_that_shows_other_things_is_said_by_frame(standing: Shot, solves: Path) -> None:
    matte = standing.mattes[1003]
    around = cv2.dilate((matte > 0).astype(np.uint8), np.ones((31, 31), np.uint8)) * (matte <= 0)
    for frame in standing.frames:
        save_exr(standing.folder / f"exclude.{frame}.exr", around.astype(np.float16), ["A"])
    exclude = ImageInput(str(standing.folder / "exclude.%04d.exr"))
    ran = run_in_process(asked(standing, solves, exclude_matte=exclude), machine=MACHINE)
    told = [event for event in ran.warnings if event.code == "ring_missing"]
    assert sorted(event.frame or 0 for event in told) == list(standing.frames)
    assert all(event.text.startswith(f"Frame {event.frame}: too little of the plate") for event in told)


def test_grain_and_channels_run_no_engine_again(standing: Shot, solves: Path) -> None:
    first = asked(standing, solves, outputs=(Output("patch", standing.out()),))
    run_in_process(first, machine=MACHINE)
    folder = next(standing.folder.glob("out/.void/*"))
    units = sorted(path.name for path in folder.glob("units/*"))
    other = replace(first, settings=RenderSettings(grain="synth"))
    shutil.copytree(folder, Path(other.job_folder()), dirs_exist_ok=True)
    run_in_process(other, machine=MACHINE)
    assert count(solves) == 1
    assert sorted(path.name for path in Path(other.job_folder()).glob("units/*")) == units
    assert painter_engine.RASTER == (64, 112)
