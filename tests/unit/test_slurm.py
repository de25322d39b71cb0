"""The farm `slurm` without Slurm: what a site may say, which nodes are asked for, how states are read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from farms import JOB, fixed_bundles

from void_plugin.errors import FarmError
from void_plugin.farm import Bundle, JobRef, JobStatus, Needs, Options, Site
from void_plugin.farm.slurm import Slurm
from void_plugin.farm.slurmprograms import minutes_of
from void_plugin.farm.slurmscript import batch_script, minutes, sbatch_options
from void_plugin.farm.slurmsite import SlurmSite, slurm_site
from void_plugin.farm.slurmstate import SubmittedStep, job_status, read_queue

STEPS = (SubmittedStep("Solve", "7", 2), SubmittedStep("Compose", "8", 1))
FEATURES = [{"name": "vram24", "vram_mib": 23034}, {"name": "vram80", "vram_mib": 81559},
            {"name": "vram141", "vram_mib": 143771}]  # fmt: skip
TYPES = [{**kind, "name": f"gpu:t{kind['vram_mib'] // 1000}"} for kind in FEATURES]


def site(**table: Any) -> Site:
    return Site(path="/site.toml", sections={"slurm": table})


def placed(needs: Needs, tags: tuple[str, ...] = (), **table: Any) -> dict[str, str]:
    words = slurm_site(site(**table)).place(needs, tags)
    return dict(word.lstrip("-").split("=", 1) for word in words)


def packed() -> Bundle:
    return fixed_bundles()["packed"].bundle


def solve(**table: Any) -> dict[str, str]:
    """What sbatch is told of the step with GPUs."""
    bundle = packed()
    step = next(step for step in bundle.steps if step.name == "Solve")
    words = sbatch_options(bundle, Site(), slurm_site(site(**table)), step, Options())
    return dict(word.lstrip("-").partition("=")[::2] for word in words)


@pytest.mark.parametrize(
    ("vram", "tags", "gpus", "constraint", "gres"),
    [
        (20000, (), FEATURES, "(vram24|vram80|vram141)", "gpu:1"),
        (40000, (), FEATURES, "(vram80|vram141)", "gpu:1"),
        (100000, (), FEATURES, "vram141", "gpu:1"),
        (40000, ("ib", "scratch"), FEATURES, "(vram80|vram141)&ib&scratch", "gpu:1"),
        (40000, (), TYPES, None, "gpu:t81:1"),
        (40000, ("ib",), TYPES, "ib", "gpu:t81:1"),
        (40000, (), [*TYPES, *FEATURES[:2]], "vram80", "gpu:1"),
        (40000, (), [], None, "gpu:1"),
        (40000, ("ib",), [], "ib", "gpu:1"),
    ],
)
def test_memory_of_a_gpu_becomes_features_or_the_smallest_type(
    vram: int, tags: tuple[str, ...], gpus: list[Any], constraint: str | None, gres: str
) -> None:
    found = placed(Needs(2, 1000, 1, vram), tags, gpus=gpus)
    assert found.get("constraint") == constraint and found["gres"] == gres


def test_tasks_without_a_gpu_ask_for_none_and_have_a_partition_of_their_own() -> None:
    both = {"partition": "gpu", "cpu_partition": "cpu", "gpus": FEATURES}
    cpu = placed(Needs(2, 8192), **both)
    assert cpu == {"nodes": "1", "ntasks": "1", "cpus-per-task": "2", "mem": "8192M", "partition": "cpu"}
    assert placed(Needs(2, 0, 2, 40000), **both)["partition"] == "gpu"
    assert placed(Needs(), partition="all")["partition"] == "all"
    assert "partition" not in placed(Needs())
    assert placed(Needs(1, 0, 2, 40000))["gres"] == "gpu:2"


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"colour": 1}, "unknown key 'colour'"),
        ({"partition": 3}, "unusable value 3 for partition"),
        ({"time_limit": -1}, "unusable value -1 for time_limit"),
        ({"time_limit": 9}, "time_limit of 9 minutes"),
        ({"setup": "module load void"}, "for setup"),
        ({"gpus": [{"name": "l4"}]}, "for gpus"),
    ],
)
def test_a_table_that_cannot_be_used_is_named(table: dict[str, Any], says: str) -> None:
    with pytest.raises(FarmError, match=says) as error:
        slurm_site(site(**table))
    assert error.value.code == "farm.site"
    farm = Slurm(site(**table), {})
    assert [finding.level for finding in farm.doctor()] == ["error"]
    assert [finding.level for finding in farm.check(packed(), Options())] == ["error"]


def test_a_gpu_larger_than_any_is_refused_in_words() -> None:
    with pytest.raises(FarmError, match=r"200000 MiB is needed, and the largest in .* has 143771 MiB"):
        placed(Needs(1, 0, 1, 200000), gpus=FEATURES)


def test_a_task_may_take_as_long_as_openjd_lets_it_and_a_notice() -> None:
    step = replace(packed().steps[0], timeout=3600)
    assert minutes(step, SlurmSite()) == 65
    assert minutes(step, SlurmSite(time_limit=60)) == 60
    assert minutes(step, SlurmSite(time_limit=600)) == 65


def test_a_task_that_gets_less_time_than_it_may_need_may_go_on_as_often_as_that_takes() -> None:
    bundle = packed()
    step = replace(bundle.steps[0], timeout=36000)
    script = batch_script(bundle, Site(), SlurmSite(time_limit=120), step, Options(retries=1))
    assert "\nretries=1 parts=5\n" in script
    script = batch_script(bundle, Site(), SlurmSite(), step, Options(retries=1))
    assert "\nretries=1 parts=0\n" in script


def test_what_a_dependent_waits_for_never_hangs_and_a_node_may_be_lost() -> None:
    told = solve(at_once=3, account="vfx", qos="night")
    assert told["kill-on-invalid-dep"] == "yes" and "requeue" in told
    assert told["array"].endswith("%3") and (told["account"], told["qos"]) == ("vfx", "night")
    assert "nice" not in told


def test_an_urgent_job_has_the_qos_for_it() -> None:
    bundle, table = packed(), slurm_site(site(qos="night", urgent_qos="rush"))

    def said(priority: int) -> list[str]:
        words = sbatch_options(bundle, Site(), table, bundle.steps[0], Options(priority=priority))
        return [word for word in words if word.startswith(("--qos", "--nice"))]

    assert said(51) == ["--qos=rush"]
    assert said(50) == ["--qos=night"]
    assert said(0) == ["--qos=night", "--nice=5000"]


def test_tags_are_for_steps_with_gpus_and_for_all_where_there_are_none() -> None:
    def tagged(name: str) -> list[str]:
        bundle = fixed_bundles()[name].bundle
        options = Options(tags=("ib",))
        return [
            step.name
            for step in bundle.steps
            if "--constraint=ib" in sbatch_options(bundle, Site(), SlurmSite(), step, options)
        ]

    assert tagged("packed") == ["Solve"]
    assert tagged("recover") == ["Solve", "Compose", "Verify"]


def test_each_step_waits_for_all_of_those_before_it() -> None:
    commands = Slurm(Site(), {}).translate(packed(), Options()).commands
    waits = [[word for word in command if word.startswith("--dependency")] for command in commands]
    assert waits == [[], ["--dependency=afterok:{Recover}"], ["--dependency=afterok:{Solve}"],
                     ["--dependency=afterok:{Compose}"]]  # fmt: skip


@pytest.mark.parametrize(
    ("limit", "wanted"),
    [("infinite", 0), ("n/a", 0), ("30:00", 30), ("4:00:00", 240), ("1-00:00:00", 1440), ("2-03:04:05", 3064)],
)
def test_limits_of_partitions_are_read(limit: str, wanted: int) -> None:
    assert minutes_of(limit) == wanted


# -- states ----------------------------------------------------------------------------------------------------


def stands(folder: Path, queue: str, is_cancelled: bool = False) -> JobStatus:
    return job_status(JobRef("slurm", "7"), STEPS, read_queue(queue), folder, is_cancelled, folder / "result.json")


@pytest.mark.parametrize(
    ("queue", "state"),
    [
        ("7|0|PENDING|Resources\n7|1|PENDING|Priority\n8|0|PENDING|Dependency", "queued"),
        ("7|0|RUNNING|None\n7|1|PENDING|Priority\n8|0|PENDING|Dependency", "running"),
        ("7|0|COMPLETED|None\n7|1|PENDING|BeginTime\n8|0|PENDING|Dependency", "running"),
        ("7|0|FAILED|NonZeroExitCode\n7|1|PENDING|Priority\n8|0|PENDING|Dependency", "running"),
        ("7|0|COMPLETED|None\n7|1|COMPLETED|None\n8|0|PENDING|Dependency", "running"),
        ("7|0|COMPLETED|None\n7|1|COMPLETED|None\n8|0|COMPLETING|None", "running"),
        ("7|0|COMPLETED|None\n7|1|COMPLETED|None\n8|0|COMPLETED|None", "succeeded"),
        ("7|0|FAILED|NonZeroExitCode\n7|1|RUNNING|None\n8|N/A|CANCELLED|Dependency", "running"),
        ("7|0|FAILED|NonZeroExitCode\n7|1|COMPLETED|None\n8|N/A|CANCELLED|Dependency", "failed"),
        ("7|0|OUT_OF_MEMORY|None\n7|1|COMPLETED|None\n8|0|CANCELLED|DependencyNeverSatisfied", "failed"),
        ("7|0|TIMEOUT|TimeLimit\n7|1|COMPLETED|None\n8|0|CANCELLED|DependencyNeverSatisfied", "failed"),
        ("7|0|CANCELLED|None\n7|1|CANCELLED|None\n8|0|CANCELLED|DependencyNeverSatisfied", "cancelled"),
        ("7|N/A|CANCELLED|None\n8|N/A|CANCELLED|Dependency", "cancelled"),
        ("", "unknown"),
    ],
)
def test_a_job_stands_as_its_tasks_do(tmp_path: Path, queue: str, state: str) -> None:
    assert stands(tmp_path, queue).state == state


def test_tasks_that_were_stopped_because_their_job_was_cancelled_have_not_failed(tmp_path: Path) -> None:
    queue = "7|0|FAILED|NonZeroExitCode\n7|1|COMPLETED|None\n8|N/A|CANCELLED|Dependency"
    status = stands(tmp_path, queue, is_cancelled=True)
    assert status.state == "cancelled" and [step.failed for step in status.steps] == [0, 0]
    done = "7|0|COMPLETED|None\n7|1|COMPLETED|None\n8|0|COMPLETED|None"
    assert stands(tmp_path, done, is_cancelled=True).state == "succeeded", "it was faster"


def test_progress_counts_tasks_and_what_those_at_work_say(tmp_path: Path) -> None:
    (tmp_path / "Solve.0.log").write_text("0:00:01\topenjd_progress: 20\n0:00:02\topenjd_progress: 50.0\n"
                                          "0:00:02\topenjd_status: window 3 of 6\n")  # fmt: skip
    status = stands(tmp_path, "7|0|RUNNING|None\n7|1|COMPLETED|None\n8|0|PENDING|Dependency")
    assert status.fraction == 0.5 and status.text == "Solve 0: window 3 of 6"
    assert [(step.total, step.done, step.running) for step in status.steps] == [(2, 1, 1), (1, 0, 0)]


@pytest.mark.parametrize("said", ["openjd_progress: a lot", "openjd_progress: -7", ""])
def test_progress_that_is_no_number_counts_nothing(tmp_path: Path, said: str) -> None:
    (tmp_path / "Solve.0.log").write_text(said)
    assert stands(tmp_path, "7|0|RUNNING|None\n7|1|PENDING|None\n8|0|PENDING|Dependency").fraction == 0


def test_a_failure_is_told_in_the_words_of_the_task(tmp_path: Path) -> None:
    queue = "7|0|COMPLETED|None\n7|1|FAILED|NonZeroExitCode\n8|N/A|CANCELLED|Dependency"
    assert stands(tmp_path, queue).text == f"Solve 1 failed (FAILED); its log is {tmp_path / 'Solve.1.log'}."
    (tmp_path / "Solve.1.log").write_text("0:00:01\topenjd_fail: The matte of sh010 is empty.\n")
    assert stands(tmp_path, queue).text == "Solve 1 failed: The matte of sh010 is empty."
    log = ["Output:", "Traceback (most recent call last):", "", "KeyError: 'x'", "",
           "Process pid 7 exited with code: 1 (unsigned) / 0x1 (hex)", "--- Exiting Environment: Model", "Output:",
           "Process pid 8 exited with code: 0 (unsigned) / 0x0 (hex)"]  # fmt: skip
    (tmp_path / "Solve.1.log").write_text("".join(f"0:00:01\t{line}\n" for line in log))
    assert stands(tmp_path, queue).text == "Solve 1 failed: KeyError: 'x'"
    (tmp_path / "Solve.1.log").write_text("".join(f"0:00:01\t{line}\n" for line in [log[0], *log[5:]]))
    assert stands(tmp_path, queue).text.startswith("Solve 1 failed (FAILED); its log is ")


def test_a_job_that_waits_says_for_what(tmp_path: Path) -> None:
    queue = "7|0|PENDING|AssocGrpGRES\n7|1|PENDING|AssocGrpGRES\n8|0|PENDING|Dependency"
    assert stands(tmp_path, queue).text == "Solve waits (AssocGrpGRES)."


def test_what_is_forgotten_is_read_from_exit_codes(tmp_path: Path) -> None:
    for name in ("Solve.0", "Solve.1", "Compose.0"):
        (tmp_path / f"{name}.exit").write_text("0\n")
    (tmp_path / "result.json").write_text("{}")
    assert stands(tmp_path, "").state == "succeeded"
    assert stands(tmp_path, "").result == str(tmp_path / "result.json")
    (tmp_path / "Solve.1.exit").write_text("")  # not written yet
    assert stands(tmp_path, "").state == "unknown"
    (tmp_path / "Solve.1.exit").write_text("65\n")
    assert stands(tmp_path, "").state == "failed"
    assert stands(tmp_path, "", is_cancelled=True).state == "cancelled"
    assert stands(tmp_path, "7|1|RUNNING|None").state == "running", "Slurm knows better"


def test_a_bundle_in_a_folder_with_spaces_and_quotes_is_quoted() -> None:
    bundle = replace(packed(), folder="/shows/it's {odd} 100%/farm/1", job_folder=JOB)
    artefacts = Slurm(Site(), {}).translate(bundle, Options())
    assert "'/shows/it'\"'\"'s {odd} 100%/farm/1/template.json'" in artefacts.files["slurm/Solve.sh"]
    assert "--chdir=/shows/it's {odd} 100%/farm/1/slurm" in artefacts.commands[0]
