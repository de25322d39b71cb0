"""Deadline Cloud: the real `deadline` command against a stand-in service. The contract suite runs whole jobs on it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from clouds import BUCKET, FARM, QUEUE
from farmbenches import DeadlineCloudBench

from void_plugin.errors import FarmError
from void_plugin.farm import Farm, JobRef, Options, open_farm

DENIED = (403, "AccessDeniedException", "User: me is not authorized to perform this action on queue-9")
THROTTLED = (429, "ThrottlingException", "Rate exceeded")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[DeadlineCloudBench]:
    """A service without a worker: what becomes of a job is what a test says."""
    with DeadlineCloudBench(tmp_path) as bench:
        bench.cloud.works = False
        yield bench


def ended(bench: DeadlineCloudBench, word: str = "SUCCEEDED", tasks: int = 5) -> tuple[Farm, JobRef]:
    """A job in a state of the service, after so many tasks."""
    farm, ref = bench.submit()
    job = bench.cloud.jobs[ref.id]
    job.state, job.counts["SUCCEEDED"] = word, tasks
    return farm, ref


def refused(bench: DeadlineCloudBench, **table: Any) -> FarmError:
    """The error of a submission that is turned away, after which nothing is kept of a job."""
    site = replace(bench.site, sections={bench.name: {**bench.site.sections[bench.name], **table}})
    farm = open_farm(bench.name, site, bench.environment)
    with pytest.raises(FarmError) as error:
        farm.submit(bench.bundle(), Options())
    assert not farm.records.all()
    return error.value


def test_the_job_is_created_from_the_bundle_as_it_is(bench: DeadlineCloudBench) -> None:
    bundle = bench.bundle()
    farm = bench.farm()
    ref = farm.submit(bundle, Options(priority=73, retries=4))
    (job,) = bench.cloud.jobs.values()
    assert ref == JobRef("deadline-cloud", job.id)
    body = job.body
    assert json.loads(body["template"]) == json.loads(Path(bundle.template).read_text())
    assert body["templateType"] == "JSON"
    types = {"JobFolder": "path", "CondaPackages": "string", "RezPackages": "string"}
    assert body["parameters"] == {
        name: {types.get(name, "path"): value} for name, value in bundle.parameters.items()
    }  # fmt: skip
    assert (body["priority"], body["maxRetriesPerTask"]) == (73, 4)
    assert body.get("nameOverride", job.template["name"]) == bundle.name


def test_limits_of_the_site_reach_the_job(bench: DeadlineCloudBench) -> None:
    table = {**bench.site.sections[bench.name], "max_failed_tasks": 3, "max_workers": 12}
    farm = open_farm(bench.name, replace(bench.site, sections={bench.name: table}), bench.environment)
    farm.submit(bench.bundle(), Options())
    (job,) = bench.cloud.jobs.values()
    assert (job.body["maxFailedTasksCount"], job.body["maxWorkerCount"]) == (3, 12)


def test_nothing_is_told_to_anyone_but_the_service(bench: DeadlineCloudBench) -> None:
    farm, ref = bench.submit()
    assert farm.status(ref).state == "queued"
    assert not [path for _, path in bench.cloud.asked if "telemetry" in path]
    # What is not asked for above is asked for where the command is left alone: the line before can fail.
    place = ["--farm-id", FARM, "--queue-id", QUEUE]
    command = [*bench.cloud.command, "bundle", "submit", bench.bundle().folder, "--yes", *place]
    subprocess.run(command, env=bench.environment, check=True, capture_output=True)
    assert [path for _, path in bench.cloud.asked if "telemetry" in path]


def test_what_the_credentials_may_not_do_is_said(bench: DeadlineCloudBench) -> None:
    bench.cloud.errors["CreateJob"] = DENIED
    error = refused(bench)
    assert error.code == "farm.refused"
    assert "deadline:CreateJob" in error.message and "not authorized" in error.message


def test_a_queue_that_may_not_be_seen_is_said(bench: DeadlineCloudBench) -> None:
    bench.cloud.errors["GetQueue"] = DENIED
    assert "deadline:GetQueue" in refused(bench).message
    (finding,) = [finding for finding in bench.farm().doctor() if finding.level == "error"]
    assert "deadline:GetQueue" in finding.text


def test_a_busy_service_is_worth_another_try(bench: DeadlineCloudBench) -> None:
    bench.cloud.errors["CreateJob"] = THROTTLED
    error = refused(bench)
    assert error.code == "farm.busy" and error.retryable
    assert "Try again" in error.message and "Rate exceeded" in error.message


def test_a_queue_that_does_not_exist_is_said(bench: DeadlineCloudBench) -> None:
    bench.cloud.errors["GetQueue"] = (404, "ResourceNotFoundException", "Resource of type queue does not exist.")
    error = refused(bench)
    assert error.code == "farm.refused" and "queue does not exist" in error.message


def test_old_credentials_are_said_to_be_old(bench: DeadlineCloudBench) -> None:
    bench.cloud.errors["GetQueue"] = (403, "ExpiredTokenException", "The security token has expired")
    assert "deadline auth login" in refused(bench).message


def test_no_credentials_at_all_are_said_to_be_missing(bench: DeadlineCloudBench) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del bench.environment[name]
    error = refused(bench)
    assert error.code == "farm.refused" and "credentials" in error.message and "Traceback" not in error.message


def test_a_service_that_is_not_there_is_said(bench: DeadlineCloudBench) -> None:
    bench.environment["AWS_ENDPOINT_URL_DEADLINE"] = "http://127.0.0.1:9"
    error = refused(bench)
    assert error.code == "farm.unreachable" and error.retryable and "127.0.0.1:9" in error.message


def test_a_job_that_could_not_be_created_is_said_with_the_reason(bench: DeadlineCloudBench) -> None:
    bench.cloud.lifecycle = ("CREATE_FAILED", "The parameter space of Solve is too large")
    assert "parameter space of Solve" in refused(bench).message


def test_a_job_that_was_handed_over_before_an_error_is_not_forgotten(bench: DeadlineCloudBench) -> None:
    bench.cloud.errors["GetJob"] = THROTTLED
    error = refused(bench)
    assert error.code == "farm.busy"
    assert "handed over" in error.message and "sh010 recover 1001-1008" in error.message


def test_a_job_that_the_service_has_forgotten_is_said(bench: DeadlineCloudBench) -> None:
    farm, ref = ended(bench)
    bench.cloud.jobs.clear()
    with pytest.raises(FarmError) as error:
        farm.status(ref)
    assert error.value.code == "farm.job_unknown"


@pytest.mark.parametrize(
    ("word", "state", "text"),
    [
        ("SUSPENDED", "queued", "suspended"),
        ("NOT_COMPATIBLE", "failed", "No fleet"),
        ("INTERRUPTING", "running", ""),
    ],
)
def test_words_of_the_service_are_ours(bench: DeadlineCloudBench, word: str, state: str, text: str) -> None:
    farm, ref = ended(bench, word)
    status = farm.status(ref)
    assert status.state == state and text in status.text, status


def test_tasks_that_are_counted_in_another_way_are_told_in_one_sum(bench: DeadlineCloudBench) -> None:
    """The service may cut the frames of a step into other chunks than OpenJD does here."""
    farm, ref = ended(bench, tasks=45)
    (step,) = farm.status(ref).steps
    assert (step.name, step.done, step.total, step.state) == ("All", 45, 45, "succeeded")


def test_files_travel_where_the_queue_carries_them(bench: DeadlineCloudBench) -> None:
    bench.cloud.carry()
    plate = bench.folder / "show" / "plate" / "sh010.1001.exr"
    plate.parent.mkdir(parents=True)
    plate.write_bytes(b"a frame")
    bundle = bench.bundle()
    bench.farm().submit(bundle, Options())
    (job,) = bench.cloud.jobs.values()
    assert job.body["attachments"]["fileSystem"] == "COPIED"
    manifests = [json.loads(text) for name, text in bench.cloud.objects.items() if "_input" in name]
    paths = {item["path"].rpartition("/")[2] for manifest in manifests for item in manifest["paths"]}
    assert {"sh010.1001.exr", "fake.json"} <= paths
    assert b"a frame" in bench.cloud.objects.values()


def test_what_a_job_wrote_elsewhere_is_asked_for_once_it_is_done(bench: DeadlineCloudBench) -> None:
    bench.cloud.carry()
    farm, ref = ended(bench)  # by a worker that shares no storage with this machine
    assert f"deadline job download-output --job-id {ref.id}" in farm.status(ref).text
    bench.cloud.asked.clear()
    assert farm.wait(ref, lambda status: None).state == "succeeded"
    assert any("user-roles" in path for _, path in bench.cloud.asked) and ("GET", f"/{BUCKET}") in bench.cloud.asked
