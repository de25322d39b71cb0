"""Deadline 10: a stand-in deadlinecommand and a stand-in web service. The contract suite runs whole jobs on both."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from deadlines import ACTIVE, COMPLETED, FAILED, SUSPENDED
from farmbenches import Deadline10Bench, Deadline10ServiceBench
from farms import fixed_bundles

from void_plugin.errors import FarmError
from void_plugin.farm import Options, errors_in, open_farm

BENCHES = {"command": Deadline10Bench, "service": Deadline10ServiceBench}


@pytest.fixture(params=BENCHES)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Deadline10Bench]:
    with BENCHES[request.param](tmp_path) as bench:
        yield bench


def test_the_jobs_of_a_shot_wait_for_one_another(bench: Deadline10Bench) -> None:
    farm, ref = bench.submit(seconds=600)
    solve, compose, verify = bench.repository.jobs.values()
    assert ref.id == solve.id
    assert (solve.needs, compose.needs, verify.needs) == ([], [solve.id], [compose.id])
    assert {job.info["BatchName"] for job in (solve, compose, verify)} == {"sh010 recover 1001-1008"}
    farm.cancel(ref)


def test_what_was_submitted_is_in_the_files_beside_the_bundle(bench: Deadline10Bench) -> None:
    farm = bench.farm()
    bundle = bench.bundle(seconds=600)
    ref = farm.submit(bundle, Options())
    for job in bench.repository.jobs.values():
        step = job.info["Name"].rpartition(" ")[2]
        text = (Path(bundle.folder) / "deadline10" / f"{step}.job_info.job").read_text()
        assert dict(line.split("=", 1) for line in text.splitlines()) == job.info
    farm.cancel(ref)


def test_half_a_job_is_taken_back(bench: Deadline10Bench) -> None:
    bench.repository.refuses = "sh010 recover 1001-1008 Verify"
    with pytest.raises(FarmError) as error:
        bench.submit(seconds=600)
    assert error.value.code == "farm.refused" and "cannot be submitted" in error.value.message
    assert [job.state for job in bench.repository.jobs.values()] == [FAILED, FAILED]
    assert not bench.farm().records.all()


def test_half_a_job_that_cannot_be_taken_back_is_named(bench: Deadline10Bench) -> None:
    bench.repository.refuses = "sh010 recover 1001-1008 Compose"
    bench.repository.is_stubborn = True
    with pytest.raises(FarmError) as error:
        bench.submit(seconds=600)
    (left,) = bench.repository.jobs
    assert f"delete {left}" in error.value.message


def test_a_failed_task_is_run_again_as_often_as_it_was_said(bench: Deadline10Bench) -> None:
    farm = bench.farm()
    ref = farm.submit(bench.bundle(fail="solve"), Options(retries=1))
    status = bench.ended(farm, ref)
    assert status.state == "failed" and status.steps[0].failed == 2
    assert len([call for call in bench.calls() if call["what"] == "failed"]) == 2 * 2
    # What waits for it would wait for ever: cancelling takes it from the queue, and leaves the job failed.
    farm.cancel(ref)
    assert [job.state for job in bench.repository.jobs.values()] == [FAILED] * 3
    assert farm.status(ref).state == "failed"


def test_a_suspended_job_waits(bench: Deadline10Bench) -> None:
    farm, ref = bench.submit(seconds=600)
    for job in bench.repository.jobs.values():
        job.state = SUSPENDED
    status = farm.status(ref)
    assert status.state == "queued" and "suspended" in status.text
    next(iter(bench.repository.jobs.values())).state = ACTIVE
    farm.cancel(ref)


def test_a_job_that_was_deleted_stands_as_unknown(bench: Deadline10Bench) -> None:
    farm, ref = bench.submit(seconds=600)
    farm.cancel(ref)
    bench.repository.jobs.clear()
    assert farm.status(ref).state == "unknown"
    farm.cancel(ref)


def test_a_job_that_somebody_completed_by_hand_has_succeeded(bench: Deadline10Bench) -> None:
    farm, ref = bench.submit(seconds=600)
    for job in bench.repository.jobs.values():
        job.state, job.tasks = COMPLETED, ["Completed"] * len(job.tasks)
    status = farm.status(ref)
    assert (status.state, status.result) == ("succeeded", "")


def test_too_little_memory_of_gpus_is_said_before(bench: Deadline10Bench) -> None:
    bundle = fixed_bundles()["generated"].bundle
    table = {**bench.site.sections["deadline10"], "gpus": [{"name": "gpu24", "vram_mib": 24000}]}
    farm = open_farm("deadline10", replace(bench.site, sections={"deadline10": table}), bench.environment)
    (finding,) = errors_in(farm.check(bundle, Options()))
    assert "80000 MiB" in finding.text and "24000" in finding.text
    warnings = [finding for finding in bench.farm().check(bundle, Options()) if finding.level == "warning"]
    assert len(warnings) == 1 and "--tags" in warnings[0].text
    assert not [finding for finding in bench.farm().check(bundle, Options(tags=("gpu80",))) if finding.level != "info"]


def test_a_web_service_that_is_not_there_is_said(tmp_path: Path) -> None:
    with Deadline10ServiceBench(tmp_path) as bench:
        site = replace(bench.site, sections={"deadline10": {"url": "http://127.0.0.1:9/"}})
        farm = open_farm("deadline10", site, bench.environment)
        (finding,) = farm.doctor()
        assert finding.code == "farm.unreachable" and "127.0.0.1:9" in finding.text
        with pytest.raises(FarmError) as error:
            farm.submit(bench.bundle(), Options())
        assert error.value.retryable


def test_a_repository_that_is_not_there_is_said(tmp_path: Path) -> None:
    with Deadline10Bench(tmp_path) as bench:
        bench.environment["FAKE_DEADLINE"] = "http://127.0.0.1:9"
        (finding,) = errors_in(bench.farm().check(bench.bundle(), Options()))
        assert "Could not connect to the repository" in finding.text


@pytest.mark.parametrize(("number", "status"), [("0", 0), ("7", 64)])
def test_the_script_of_a_step_runs_the_task_of_its_number(tmp_path: Path, number: str, status: int) -> None:
    with Deadline10Bench(tmp_path / "it's a show") as bench:
        farm = bench.farm()
        bundle = bench.bundle()
        farm.write(bundle, farm.translate(bundle, Options()))
        script = Path(bundle.folder) / "deadline10" / "Compose.sh"
        done = subprocess.run(["/bin/bash", str(script), number], stdout=subprocess.PIPE, env=dict(os.environ))
        assert done.returncode == status
        assert script.with_name(f"Compose.{number}.log").read_bytes() == done.stdout
        assert [call["frames"] for call in bench.calls() if call["what"] == "done"] == ["1001-1004"] * (not status)


def test_a_copy_of_the_log_that_cannot_be_written_fails_no_task(tmp_path: Path) -> None:
    with Deadline10Bench(tmp_path) as bench:
        farm = bench.farm()
        bundle = bench.bundle()
        farm.write(bundle, farm.translate(bundle, Options()))
        script = Path(bundle.folder) / "deadline10" / "Verify.sh"
        script.with_name("Verify.0.log").mkdir()
        done = subprocess.run(["/bin/bash", str(script), "0"], capture_output=True, text=True)
        assert done.returncode == 0 and "did verify" in done.stdout
