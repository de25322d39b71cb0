"""What becomes of tasks on a real Slurm: where they run, when they run again, how they end. Workers are stand-ins."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from benches import eventually
from farmbenches import WORKER, SlurmBench
from slurmfarm import GPU_NODES, SlurmFarm, free_ports

from void_plugin.errors import FarmError
from void_plugin.farm import Bundle, Farm, JobRef, Options, errors_in, open_farm
from void_plugin.farm.bundle import Needs
from void_plugin.farm.slurmscript import exit_name

pytestmark = pytest.mark.slow
TOLD = ("SLURMD_NODENAME", "CUDA_VISIBLE_DEVICES", "SLURM_RESTART_COUNT", "TMPDIR")


@pytest.fixture
def bench(tmp_path: Path, slurm_farm: SlurmFarm) -> Iterator[SlurmBench]:
    with SlurmBench(tmp_path, slurm_farm) as bench:
        yield bench
    left = slurm_farm.scratch / f"void-slurm-{os.getuid()}"
    slurm_farm.wait_until(lambda: not [*left.glob("[0-9]*")], "the end of what tasks wrote beside their work")
    slurm_farm.wait_until(lambda: not slurm_farm.processes(), "the end of all processes of tasks")


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """A file that tasks wait for when they are told to."""
    return tmp_path / "gate"


def on_gpus(bundle: Bundle, vram_mib: int = 20000) -> Bundle:
    """The same bundle with a GPU for each task that solves."""
    steps = [
        replace(step, needs=Needs(2, 8192, 1, vram_mib)) if step.name == "Solve" else step for step in bundle.steps
    ]
    return replace(bundle, steps=tuple(steps))


def submit(bench: SlurmBench, vram_mib: int = 20000, retries: int = 2, **told: Any) -> tuple[Farm, JobRef]:
    farm = bench.farm()
    return farm, farm.submit(on_gpus(bench.bundle(tell=TOLD, **told), vram_mib), Options(retries=retries))


def calls(bench: SlurmBench, what: str, step: str = "solve") -> list[dict[str, str]]:
    return [call for call in bench.calls() if call["what"] == what and call["step"] == step]


def until_both_run(bench: SlurmBench, farm: Farm, ref: JobRef) -> None:
    bench.until(farm, ref, lambda status: len(calls(bench, "begun")) == 2)


def test_two_kinds_of_gpu_share_a_step_and_the_rest_runs_on_the_other_partition(bench: SlurmBench, gate: Path) -> None:
    farm, ref = submit(bench, until=str(gate))
    until_both_run(bench, farm, ref)
    gate.touch()
    assert bench.ended(farm, ref).state == "succeeded"
    assert {call["SLURMD_NODENAME"] for call in calls(bench, "done")} == set(GPU_NODES)
    assert all(call["CUDA_VISIBLE_DEVICES"] == "0" for call in calls(bench, "done"))
    rest = [*calls(bench, "done", "compose"), *calls(bench, "done", "verify")]
    assert [call["SLURMD_NODENAME"] for call in rest] == ["cpu1"] * 3
    assert not any(call["CUDA_VISIBLE_DEVICES"] for call in rest)


def test_memory_that_only_one_kind_of_gpu_has_is_asked_for(bench: SlurmBench) -> None:
    farm, ref = submit(bench, vram_mib=100000)
    assert bench.ended(farm, ref).state == "succeeded"
    assert [call["SLURMD_NODENAME"] for call in calls(bench, "done")] == ["gpu1", "gpu1"]


def test_kinds_of_gpu_can_be_types_of_slurm_and_tags_are_features(bench: SlurmBench) -> None:
    table = {**bench.site.sections["slurm"], "gpus": [{"name": "gpu:l4", "vram_mib": 23034}]}
    site = replace(bench.site, sections={"slurm": table})
    farm = open_farm("slurm", site, bench.environment)
    bundle = on_gpus(bench.bundle(tell=TOLD))
    assert not farm.check(bundle, Options(tags=("vram24",)))
    ref = farm.submit(bundle, Options(tags=("vram24",)))
    assert bench.ended(farm, ref).state == "succeeded"
    assert [call["SLURMD_NODENAME"] for call in calls(bench, "done")] == ["gpu2", "gpu2"]


def test_what_can_be_tried_again_is_and_those_who_wait_for_it_still_run(bench: SlurmBench) -> None:
    farm, ref = submit(bench, fail="solve", code=75, times=1)
    status = bench.ended(farm, ref)
    assert status.state == "succeeded", status
    assert len(calls(bench, "failed")) == 2 and len(calls(bench, "done")) == 2
    assert {call["SLURM_RESTART_COUNT"] for call in calls(bench, "done")} == {"1"}
    assert len(calls(bench, "done", "verify")) == 1


def test_a_task_is_tried_again_no_oftener_than_asked(bench: SlurmBench) -> None:
    farm, ref = submit(bench, retries=1, fail="solve", code=69)
    status = bench.ended(farm, ref)
    assert status.state == "failed" and "The fake cannot solve." in status.text
    assert Counter(call["unit"] for call in calls(bench, "failed")) == {"0": 2, "1": 2}


def test_bad_data_is_not_tried_again(bench: SlurmBench) -> None:
    farm, ref = submit(bench, fail="solve", code=65)
    status = bench.ended(farm, ref)
    assert status.state == "failed" and status.text == "Solve 0 failed: The fake cannot solve."
    assert [(step.name, step.state, step.failed) for step in status.steps] == [
        ("Solve", "failed", 2), ("Compose", "cancelled", 0), ("Verify", "cancelled", 0),
    ]  # fmt: skip
    assert len(calls(bench, "failed")) == 2


def test_a_task_whose_time_is_up_stops_and_goes_on_later(bench: SlurmBench, gate: Path) -> None:
    farm, ref = submit(bench, until=str(gate))
    until_both_run(bench, farm, ref)
    bench.slurm.run("scontrol", "update", f"jobid={ref.id}_0", "timelimit=5")
    bench.until(farm, ref, lambda status: len(calls(bench, "stopped")) == 1)
    gate.touch()
    assert bench.ended(farm, ref).state == "succeeded"
    again = [call for call in calls(bench, "done") if call["SLURM_RESTART_COUNT"]]
    assert [call["unit"] for call in again] == ["0"]


def test_a_cancelled_job_cools_down_before_it_ends(bench: SlurmBench, gate: Path) -> None:
    farm, ref = submit(bench, until=str(gate))
    until_both_run(bench, farm, ref)
    farm.cancel(ref)
    status = bench.ended(farm, ref)
    assert status.state == "cancelled" and [step.state for step in status.steps] == ["cancelled"] * 3
    assert len(calls(bench, "stopped")) == 2 and not calls(bench, "done")
    assert sum("Local Session ended" in line for line in farm.logs(ref)) == 2


def test_scancel_by_somebody_else_ends_a_job_as_gently(bench: SlurmBench, gate: Path) -> None:
    farm, ref = submit(bench, until=str(gate), stops=3)
    until_both_run(bench, farm, ref)
    bench.slurm.run("scancel", ref.id)
    assert bench.ended(farm, ref).state == "cancelled"
    assert len(calls(bench, "stopped")) == 2
    log = "\n".join(farm.logs(ref))
    assert log.count("Interruption signal") == 2, "openjd may hang when it is told twice"
    assert log.count("Local Session ended") == 2


def test_what_killed_tasks_left_is_swept_and_what_is_in_use_is_not(bench: SlurmBench) -> None:
    folder = bench.slurm.scratch / f"void-slurm-{os.getuid()}"
    killed, half_made, used = folder / "7000001", folder / "7000002", folder / "7000003"
    for path in (killed, half_made, used):
        (path / "OpenJD").mkdir(parents=True)
    (killed / "lock").touch()
    with open(used / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        farm, ref = submit(bench)
        assert bench.ended(farm, ref).state == "succeeded"
        assert not killed.exists() and not half_made.exists() and used.exists()
    shutil.rmtree(used)


def test_a_job_that_is_cancelled_while_it_waits_never_runs(bench: SlurmBench) -> None:
    farm = open_farm("slurm", with_options(bench, "--hold"), bench.environment)
    ref = farm.submit(bench.bundle(), Options())
    status = bench.until(farm, ref, lambda status: "JobHeldUser" in status.text)
    assert status.state == "queued"
    farm.cancel(ref)
    assert bench.ended(farm, ref).state == "cancelled" and not bench.calls()


@pytest.mark.parametrize("missing", ["openjd", "command"])
def test_a_worker_without_our_programs_says_so(bench: SlurmBench, missing: str) -> None:
    site = replace(bench.site, **{missing: ("/nowhere/program",)})
    farm, bundle = open_farm("slurm", site, bench.environment), bench.bundle()
    if missing == "command":
        template = Path(bundle.template)
        template.write_text(template.read_text().replace(f'"{WORKER[0]}"', '"/nowhere/program"'))
    status = bench.ended(farm, farm.submit(bundle, Options()))
    assert status.state == "failed" and "/nowhere/program" in status.text, (status, [*farm.logs(status.ref)])


def test_what_slurm_has_forgotten_is_read_from_what_tasks_left(bench: SlurmBench) -> None:
    farm, ref = submit(bench)
    ended = bench.ended(farm, ref)
    forget(farm, ref)
    assert farm.status(ref) == ended
    folder = Path(farm.records.find(ref).bundle) / "slurm"
    (folder / exit_name("Verify", 0)).unlink()
    status = farm.status(ref)
    assert status.state == "unknown" and "submit the request again" in status.text
    (folder / exit_name("Solve", 1)).write_text("65\n")
    status = farm.status(ref)
    assert status.state == "failed" and status.text.startswith("Solve 1 failed; its log is ")


def test_a_refused_step_takes_back_those_before_it(bench: SlurmBench) -> None:
    table = {**bench.site.sections["slurm"], "cpu_partition": "attic"}
    farm = open_farm("slurm", replace(bench.site, sections={"slurm": table}), bench.environment)
    bundle = on_gpus(bench.bundle(seconds=600))
    found = errors_in(farm.check(bundle, Options()))
    assert [finding.text for finding in found] == [
        f"{name}: sbatch refuses: Invalid partition name specified." for name in ("Compose", "Verify")
    ]
    with pytest.raises(FarmError, match="Invalid partition name") as error:
        farm.submit(bundle, Options())
    assert error.value.code == "farm.refused" and not farm.records.all()

    def left() -> list[str]:
        names = bench.slurm.run("squeue", "--noheader", "--format=%j|%Z").splitlines()
        return [name for name in names if name.endswith(f"{bundle.folder}/slurm")]

    eventually(lambda: not left(), "the end of the step that was taken back")  # what had begun ends first
    assert any("attic" in finding.text for finding in errors_in(farm.doctor()))


@pytest.mark.parametrize(
    ("changes", "options", "vram_mib", "says"),
    [
        ({}, Options(tags=("left_handed",)), 0, ("error", "Invalid feature specification")),
        ({}, Options(tags=("vram24", "vram141")), 0, ("warning", "Requested node configuration is not available")),
        ({}, Options(), 200000, ("error", "the largest in [farm.slurm] has 143771 MiB")),
        ({"gpus": []}, Options(), 40000, ("warning", "Slurm knows nothing of GPU memory")),
        ({}, Options(priority=80), 0, ("info", "counts as 50")),
        ({"options": ["--mem=9T"]}, Options(), 0, ("warning", "Requested node configuration is not available")),
        ({"time_limit": 3}, Options(), 0, ("error", "time_limit of 3 minutes")),
    ],
)
def test_what_slurm_will_not_do_is_known_before_submitting(
    bench: SlurmBench, changes: dict[str, Any], options: Options, vram_mib: int, says: tuple[str, str]
) -> None:
    table = {**bench.site.sections["slurm"], **changes}
    farm = open_farm("slurm", replace(bench.site, sections={"slurm": table}), bench.environment)
    found = farm.check(on_gpus(bench.bundle(), vram_mib), options)
    assert any(finding.level == says[0] and says[1] in finding.text for finding in found), found


def test_a_task_too_long_for_its_partition_is_known_before_it_waits_for_ever(bench: SlurmBench) -> None:
    bench.slurm.run("scontrol", "update", "partitionname=cpu", "maxtime=30")
    try:
        found = errors_in(bench.farm().check(bench.bundle(), Options()))
    finally:
        bench.slurm.run("scontrol", "update", "partitionname=cpu", "maxtime=unlimited")
    assert len(found) == 3 and all("set time_limit = 30" in finding.text for finding in found)
    table = {**bench.site.sections["slurm"], "time_limit": 30}
    farm = open_farm("slurm", replace(bench.site, sections={"slurm": table}), bench.environment)
    assert not farm.check(bench.bundle(), Options())


def test_a_controller_that_is_away_is_told_so(bench: SlurmBench, tmp_path: Path) -> None:
    text = Path(bench.environment["SLURM_CONF"]).read_text()
    lines = [f"SlurmctldPort={free_ports(1)[0]}" if line.startswith("SlurmctldPort") else line
             for line in text.splitlines()]  # fmt: skip
    (tmp_path / "slurm.conf").write_text("\n".join([*lines, "MessageTimeout=1", ""]))
    farm = open_farm("slurm", bench.site, {**bench.environment, "SLURM_CONF": str(tmp_path / "slurm.conf")})
    assert [finding.code for finding in errors_in(farm.doctor())] == ["farm.unreachable"]


def test_low_priority_is_niceness(bench: SlurmBench) -> None:
    farm = open_farm("slurm", with_options(bench, "--hold"), bench.environment)
    ref = farm.submit(bench.bundle(), Options(priority=20))
    assert set(bench.slurm.run("squeue", "--noheader", f"--jobs={ref.id}", "--format=%y").split()) == {"3000"}
    farm.cancel(ref)
    bench.ended(farm, ref)


def with_options(bench: SlurmBench, *options: str) -> Any:
    return replace(bench.site, sections={"slurm": {**bench.site.sections["slurm"], "options": list(options)}})


def forget(farm: Farm, ref: JobRef) -> None:
    """As after MinJobAge: the controller knows none of the job's numbers."""
    record = farm.records.find(ref)
    steps = [[name, str(90_000_000 + index), count] for index, (name, _, count) in enumerate(record.facts["steps"])]
    farm.records.save(replace(record, facts={**record.facts, "steps": steps}))
