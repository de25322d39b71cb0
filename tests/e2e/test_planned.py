"""What `void-server task plan --events` tells of its plan to whoever spreads the units over a farm."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from shots import Shot, build_shot

from void_plugin.events import from_line
from void_plugin.frames import FrameRange
from void_plugin.settings import RenderSettings

ROOT = Path(__file__).parents[2]
ENGINES = {"painter": "fakes.painter_engine:PainterEngine", "absent": "fakes.slow_engine:AbsentEngine"}


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with engines of the tests."""
    (tmp_path / "config.json").write_text(json.dumps({"engines": ENGINES, "workers": 1}))
    monkeypatch.setenv("VOID_CONFIG", str(tmp_path / "config.json"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")]))


@pytest.fixture
def moving(tmp_path: Path) -> Shot:
    return build_shot(tmp_path / "moving", count=12, pan=3)


def task(step: str, shot: Shot, *more: str, **changes: Any) -> subprocess.CompletedProcess[str]:
    path = shot.folder / "request.json"
    path.write_text(shot.request(**changes).to_json())
    command = [sys.executable, "-m", "void_server", "task", step, str(path), *more]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def planned(shot: Shot, **changes: Any) -> dict[str, Any]:
    done = task("plan", shot, "--events", **changes)
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if json.loads(line)["kind"] == "Planned"]
    assert from_line(line) is None, "readers of events pass over it"
    return json.loads(line)  # type: ignore[no-any-return]


def test_a_plan_tells_its_units_and_which_are_solved(moving: Shot) -> None:
    told = planned(moving)
    assert (told["engine"], told["real_engine"], told["frames"]) == ("recover", "", "1001-1012")
    assert [unit["frames"] for unit in told["units"]] == ["1001-1004", "1005-1008", "1009-1012"]
    assert {(unit["device"], unit["count"], unit["solved"]) for unit in told["units"]} == {("cpu", 4, False)}
    assert Path(told["folder"], "plan.json").is_file() and told["folder"] == moving.request().job_folder()
    assert task("solve", moving, "--unit", "1").returncode == 0
    assert [unit["solved"] for unit in planned(moving)["units"]] == [False, True, False]


def test_only_the_units_that_the_frames_need_are_told(moving: Shot) -> None:
    assert [unit["index"] for unit in planned(moving, frames=FrameRange(1006, 1007))["units"]] == [1]


def test_what_a_unit_needs_stands_before_it(moving: Shot) -> None:
    units = planned(moving, engine="painter")["units"]
    done: set[int] = set()
    for unit in units:
        assert set(unit["needs"]) <= done
        done.add(unit["index"])
    assert [unit["engine"] for unit in units] == ["recover"] * 3 + ["painter"] * 2
    assert units[4]["needs"][-1] == units[3]["index"], "the second segment goes on from the first"


def test_keys_and_units_are_the_same_each_time(moving: Shot) -> None:
    assert planned(moving, engine="painter") == planned(moving, engine="painter")


def test_planning_needs_no_machine_that_can_solve(moving: Shot) -> None:
    assert planned(moving, engine="absent")["engine"] == "absent"
    done = task("solve", moving, engine="absent")
    assert done.returncode == 69 and "There is no GPU here" in done.stderr


def test_where_only_real_pixels_are_asked_for_the_engine_is_the_one_that_finds_them(moving: Shot) -> None:
    assert planned(moving, engine="void", settings=RenderSettings(source="recovered"))["engine"] == "recover"
