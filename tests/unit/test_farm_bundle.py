"""What a worker is given to run: the command of a few tasks, with the folders as the worker knows them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from farmbenches import LocalBench
from farms import plan_of, recover_units, request_of

from void_plugin.config import CHOICES
from void_plugin.errors import FarmError
from void_plugin.farm import Site, task_command
from void_plugin.farm.packing import seconds_of
from void_plugin.farm.site import PathMapping
from void_plugin.farm.template import VRAM_MIB, Wanted, make_bundle
from void_plugin.frames import FrameRange
from void_plugin.request import ImageInput


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[LocalBench]:
    with LocalBench(tmp_path) as bench:
        yield bench


def ran(bench: LocalBench, site: Site, step: str, tasks: list[int]) -> subprocess.CompletedProcess[str]:
    bundle = bench.bundle()
    listed = next(found.tasks for found in bundle.steps if found.name == step)
    command = task_command(bundle, site, step, [listed[index] for index in tasks])
    environment = {**bench.environment, "TMPDIR": str(bench.folder)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_the_command_runs_the_tasks_it_names_and_no_other(bench: LocalBench) -> None:
    done = ran(bench, bench.site, "Solve", [1])
    assert done.returncode == 0, done.stdout + done.stderr
    assert [call["unit"] for call in bench.calls() if call["what"] == "done"] == ["1"]
    assert ran(bench, bench.site, "Compose", [0, 1]).returncode == 0
    composed = [call["frames"] for call in bench.calls() if call["what"] == "done" and "frames" in call]
    assert composed == ["1001-1004", "1005-1008"]


def test_a_task_gets_its_folders_as_the_worker_knows_them(bench: LocalBench) -> None:
    there = bench.folder / "mnt"
    there.symlink_to(bench.folder / "show")
    site = replace(bench.site, path_mapping=(PathMapping(str(bench.folder / "show"), str(there)),))
    done = ran(bench, site, "Verify", [0])
    assert done.returncode == 0, done.stdout + done.stderr
    call = bench.calls()[-1]
    assert call["job"] == str(there / "comp" / ".void" / "sh010")
    for name, folder in (("plate", "plate"), ("object_matte", "roto"), ("output", "comp")):
        assert f"{name}={there / folder}" in call["root"]


def test_a_worker_that_knows_the_storage_by_another_name_alone_finds_all_of_a_job(bench: LocalBench) -> None:
    bundle, there = bench.bundle(), bench.folder / "mnt"
    (bench.folder / "show").rename(there)
    site = replace(bench.site, path_mapping=(PathMapping(str(bench.folder / "show"), str(there)),))
    command = task_command(bundle, site, "Solve", [bundle.steps[0].tasks[0]])
    environment = {**bench.environment, "TMPDIR": str(bench.folder)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (bench.folder / "show").exists()


@pytest.mark.parametrize("memory", CHOICES["memory"])
def test_each_way_of_using_memory_asks_for_its_own_and_tells_the_worker(memory: str) -> None:
    request = request_of(engine="void")
    units = [replace(unit, device="cuda", engine="void") for unit in recover_units(FrameRange(1001, 1008))]
    made = make_bundle(request, plan_of(request, units), Site(memory=memory), "/b")
    solve = json.loads(made.files["template.json"])["steps"][0]
    words = solve["script"]["actions"]["onRun"]["args"]
    assert made.bundle.steps[0].needs.vram_mib == VRAM_MIB[memory]
    assert words[words.index("--memory") + 1] == memory and words[words.index("--vram") + 1] == str(VRAM_MIB[memory])


def test_equal_requests_have_equal_bundles_whatever_they_are_called_by() -> None:
    plan = plan_of(request_of(), recover_units(FrameRange(1001, 1048)))
    first, second = (make_bundle(request_of(request_id=name), plan, Site(), "/b") for name in ("a" * 32, ""))
    assert first.files == second.files and first.bundle == second.bundle


@pytest.mark.parametrize(
    ("keeps", "solved", "gpus", "loads"),
    [(False, 0, 1, 3), (False, 2, 1, 1), (True, 0, 1, 1), (True, 3, 1, 0), (False, 0, 2, 3)],
)
def test_gpu_hours_count_every_gpu_and_loading_where_something_is_left_to_solve(
    keeps: bool, solved: int, gpus: int, loads: int
) -> None:
    request = request_of(engine="void")
    units = [replace(unit, device="cuda", engine="void") for unit in recover_units(FrameRange(1001, 1012))]
    units = [replace(unit, solved=unit.index < solved) for unit in units]
    wanted = Wanted(gpus=gpus, units_per_task=1)
    made = make_bundle(request, plan_of(request, units), Site(), "/b", wanted=wanted, keeps_sessions=keeps)
    each = seconds_of(units[0], request, Site().rates)
    assert made.gpu_seconds == pytest.approx(gpus * ((3 - solved) * each + loads * Site().rates.load))


def test_every_action_ends_after_some_time() -> None:
    request = request_of(engine="void")
    units = [replace(unit, device="cuda", engine="void") for unit in recover_units(FrameRange(1001, 1008))]
    template = json.loads(make_bundle(request, plan_of(request, units), Site(), "/b").files["template.json"])
    actions = [step["script"]["actions"]["onRun"] for step in template["steps"]]
    for step in template["steps"]:
        for environment in step.get("stepEnvironments", ()):
            actions += environment["script"]["actions"].values()
    assert len(actions) == 5 and all(action["timeout"] > 0 for action in actions)


def test_a_shot_where_nothing_is_to_be_solved_is_composed_all_the_same() -> None:
    steps = make_bundle(request_of(), plan_of(request_of(), []), Site(), "/b").bundle.steps
    assert [(step.name, step.after) for step in steps] == [("Compose", ()), ("Verify", ("Compose",))]


def test_a_root_whose_name_openjd_cannot_hold_is_refused() -> None:
    name = "r" * 60
    request = request_of(plate=ImageInput(f"<{name}>/p.%04d.exr"), roots={name: "/shows/xy/plate"})
    with pytest.raises(FarmError, match="too long"):
        make_bundle(request, plan_of(request, recover_units(FrameRange(1001, 1048))), Site(), "/b")


def test_the_program_openjd_accepts_what_is_written() -> None:
    for path in sorted((Path(__file__).parents[1] / "golden" / "bundles").glob("*/template.json")):
        command = [sys.executable, "-m", "openjd", "check", str(path), "--extensions", "TASK_CHUNKING"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
