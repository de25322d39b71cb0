"""Frames a second of a shot: who says so, and that everything that is planned depends on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shots import Ran, Shot, build_shot, run_in_process, save_exr

from void_plugin.config import Config
from void_plugin.frames import FrameRange
from void_plugin.request import ImageInput, Output, RemovalRequest
from void_plugin.settings import RenderSettings
from void_server.engines import EngineLimits
from void_server.engines.identity import RasterIdentityEngine
from void_server.exr import ImageFiles
from void_server.footage import Footage
from void_server.jobfolder import JobFolder
from void_server.plan import Plan
from void_server.rate import frames_a_second, with_rate
from void_server.windows import ClipLengths

PHYSICS = RenderSettings(rate="physics")


class EverySecond(RasterIdentityEngine):
    """Looks at every second frame when it is told 24 a second, at all of them below."""

    name = "every-second"

    def limits(self) -> EngineLimits:
        stride = 2 if self.settings.fps >= 24 else 1
        return replace(super().limits(), lengths=ClipLengths(1, 1, 7), overlap=3, stride=stride)


MACHINE = Config(engines={"every-second": f"{__name__}:EverySecond"})


@pytest.mark.parametrize(
    ("value", "fps"),
    [
        ([24000, 1001], 24000 / 1001), ([25, 1], 25), (29.97, 29.97), (30, 30),
        ([24, 0], 0), ([0, 1], 0), ([-24, 1], 0), (float("nan"), 0), (1e6, 0), ("24", 0), ([24], 0), (True, 0),
    ],
)  # fmt: skip
def test_an_attribute_says_a_rate_or_none(value: Any, fps: float) -> None:
    assert frames_a_second(value) == fps


def asked(folder: Path, attributes: dict[str, Any], settings: RenderSettings) -> tuple[RemovalRequest, bool]:
    save_exr(folder / "plate.0007.exr", np.zeros((8, 8, 3), np.float16), attributes=attributes)
    request = RemovalRequest(
        plate=ImageInput(str(folder / "plate.%04d.exr")),
        outputs=(Output("patch", str(folder / "out.%04d.exr")),),
        settings=settings,
        frames=FrameRange(9, 9),
        shot_range=FrameRange(7, 9),
    )
    with ImageFiles(1) as files:
        return with_rate(request, Footage(files, request, 1 << 20))


@pytest.mark.parametrize("name", ["FramesPerSecond", "framesPerSecond"])
def test_the_plate_says_its_rate(tmp_path: Path, name: str) -> None:
    request, assumed = asked(tmp_path, {name: ("rational", (48, 1))}, PHYSICS)
    assert request.settings.fps == 48 and not assumed


def test_the_request_comes_before_the_plate(tmp_path: Path) -> None:
    request, assumed = asked(tmp_path, {"framesPerSecond": ("rational", (48, 1))}, replace(PHYSICS, fps=25.0))
    assert request.settings.fps == 25 and not assumed


def test_where_nobody_says_it_is_24_and_assumed(tmp_path: Path) -> None:
    request, assumed = asked(tmp_path, {}, PHYSICS)
    assert request.settings.fps == 24 and assumed


def test_native_asks_for_no_rate(tmp_path: Path) -> None:
    request, assumed = asked(tmp_path, {"framesPerSecond": ("rational", (48, 1))}, RenderSettings())
    assert request.settings.fps == 0 and not assumed


def ran(shot: Shot, **changes: Any) -> tuple[Ran, Plan]:
    done = run_in_process(shot.request(**{"engine": "every-second", **changes}), machine=MACHINE)
    return done, Plan.load(JobFolder(done.folder))


@pytest.fixture(scope="module")
def shot(tmp_path_factory: pytest.TempPathFactory) -> Shot:
    return build_shot(tmp_path_factory.mktemp("rate"), count=12, size=(54, 96))


def test_units_are_cut_on_the_phase_and_do_not_depend_on_the_frames_asked_for(shot: Shot) -> None:
    done, plan = ran(shot, settings=PHYSICS, frames=FrameRange(1001, 1012))
    assert not [warning for warning in done.warnings if warning.code == "rate_assumed"]
    assert [unit.frames[-1] for unit in plan.units] == [1007, 1009, 1012]
    assert [unit.lead for unit in plan.units[1:]] == [(1005, 1006, 1007), (1007, 1008, 1009)]
    _, part = ran(shot, settings=PHYSICS, frames=FrameRange(1007, 1008), shot_range=FrameRange(1001, 1012))
    assert [unit.frames for unit in part.units] == [unit.frames for unit in plan.units]


def test_the_rate_is_part_of_the_plan(shot: Shot) -> None:
    plans = [ran(shot, settings=replace(PHYSICS, fps=fps))[1] for fps in (0.0, 24.0, 12.0)]
    assert plans[0].key == plans[1].key != plans[2].key
    assert plans[0].units != plans[2].units


def test_an_assumed_rate_is_told_once(tmp_path: Path) -> None:
    bare = build_shot(tmp_path, count=3, size=(54, 96))
    for frame in bare.frames:
        path = Path(bare.plate % frame)
        save_exr(path, np.full((54, 96, 3), 0.2, np.float16), attributes={"colorInteropID": "lin_ap1_scene"})
    done, _ = ran(bare, settings=PHYSICS)
    [warning] = [warning for warning in done.warnings if warning.code == "rate_assumed"]
    assert "24" in warning.text and "--fps" in warning.text
