"""The farm `local`: what is left when its process is killed, what a bundle that cannot run says, what is kept."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from farmbenches import LocalBench

from void_plugin.errors import FarmError
from void_plugin.farm import JobRef, Options
from void_plugin.farm.jobs import JobStatus
from void_plugin.farm.local import MISSING
from void_plugin.farm.localjob import LocalJob

ROOT = Path(__file__).parents[2]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[LocalBench]:
    with LocalBench(tmp_path) as bench:
        yield bench


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def runner_of(job: LocalJob) -> int:
    return int((job.folder / "lock").read_text())


def started(bench: LocalBench) -> int:
    """The process of the first task, once it runs."""
    deadline = time.monotonic() + 60
    while not bench.calls():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return int(bench.calls()[0]["pid"])


def test_a_kill_of_the_runner_leaves_no_process_and_no_lock_and_is_told(bench: LocalBench) -> None:
    farm, ref = bench.submit(seconds=600, deaf=True)
    job = LocalJob(farm.records.folder / ref.id)
    task = started(bench)
    os.kill(runner_of(job), signal.SIGKILL)
    deadline = time.monotonic() + 60
    while alive(task) or job.is_held():
        assert time.monotonic() < deadline, "the task outlived its runner"
        time.sleep(0.05)
    status = farm.status(ref)
    assert status.state == "failed" and "Submit the request again" in status.text
    farm.cancel(ref)
    assert farm.status(ref).state == "failed"
    assert job.sessions.exists()
    bench.ended(*bench.submit())
    assert not job.sessions.exists()


def test_a_runner_that_is_told_to_end_cancels_its_job(bench: LocalBench) -> None:
    farm, ref = bench.submit(seconds=600)
    started(bench)
    os.kill(runner_of(LocalJob(farm.records.folder / ref.id)), signal.SIGTERM)
    assert bench.ended(farm, ref).state == "cancelled"
    assert {call["what"] for call in bench.calls()} == {"begun", "stopped"}


def test_progress_comes_from_the_task_at_work(bench: LocalBench) -> None:
    farm, ref = bench.submit(seconds=600)
    status = bench.until(farm, ref, lambda status: 0 < status.fraction < 0.2 or status.has_ended)
    assert status.state == "running" and status.text == "Solve 0: solve 0"
    assert status.steps[0].running == 1 and status.steps[1].state == "queued"
    farm.cancel(ref)
    assert bench.ended(farm, ref).state == "cancelled"


def test_nothing_of_a_session_is_left(bench: LocalBench) -> None:
    farm, ref = bench.submit()
    bench.ended(farm, ref)
    job = LocalJob(farm.records.folder / ref.id)
    bench.until(farm, ref, lambda status: not job.is_held())
    assert not job.sessions.exists() and not job.runner_log.read_text()


def test_tags_of_workers_say_nothing_where_there_is_one(bench: LocalBench) -> None:
    (finding,) = bench.farm().check(bench.bundle(), Options(tags=("a100",)))
    assert (finding.level, finding.code) == ("warning", "tags")


def test_jobs_run_one_after_the_other_and_one_that_is_cancelled_lets_nobody_pass(bench: LocalBench) -> None:
    bundle, farm, go = bench.bundle(until=str(bench.folder / "go")), bench.farm(), bench.folder / "go"
    first, second, third = (farm.submit(bundle, Options()) for _ in range(3))
    started(bench)
    for ref, before in ((second, first), (third, second)):
        status = bench.until(farm, ref, lambda status: bool(status.text))
        assert (status.state, status.text) == ("queued", f"It waits for {before}.")
    farm.cancel(second)
    assert bench.ended(farm, second).state == "cancelled"
    bench.until(farm, third, lambda status: status.text == f"It waits for {first}.")
    assert len(bench.calls()) == 1, "nobody else has begun"
    go.touch()
    assert bench.ended(farm, third).state == "succeeded" == farm.status(first).state
    assert [call["what"] for call in bench.calls()] == ["begun", "done"] * 10


def test_a_job_whose_runner_is_killed_keeps_nobody_waiting(bench: LocalBench) -> None:
    bundle, farm = bench.bundle(until=str(bench.folder / "go")), bench.farm()
    first, second = (farm.submit(bundle, Options()) for _ in range(2))
    started(bench)
    os.kill(runner_of(LocalJob(farm.records.folder / first.id)), signal.SIGKILL)
    (bench.folder / "go").touch()
    assert bench.ended(farm, second).state == "succeeded"


def test_a_bundle_that_cannot_run_is_refused_at_submit(bench: LocalBench) -> None:
    bundle = bench.bundle()
    template = json.loads(Path(bundle.template).read_text())
    del template["steps"][0]["script"]
    Path(bundle.template).write_text(json.dumps(template))
    farm = bench.farm()
    with pytest.raises(FarmError, match="cannot be run") as error:
        farm.submit(bundle, Options())
    assert error.value.code == "farm.bundle" and bundle.folder in error.value.message
    assert not farm.records.all() and not list(farm.records.folder.iterdir())


def test_a_worker_that_cannot_be_started_is_told(bench: LocalBench) -> None:
    bundle = bench.bundle()
    text = Path(bundle.template).read_text().replace(json.dumps(bench.site.command[0]), '"no-such-program"')
    Path(bundle.template).write_text(text)
    farm = bench.farm()
    status = bench.ended(farm, farm.submit(bundle, Options()))
    assert status.state == "failed" and status.text.startswith("Solve 0 ")


def test_an_exit_code_without_a_word_is_told(bench: LocalBench) -> None:
    bundle = bench.bundle()
    text = Path(bundle.template).read_text().replace('"solve"', '"dissolve"')
    Path(bundle.template).write_text(text)
    farm = bench.farm()
    assert bench.ended(farm, farm.submit(bundle, Options())).text == "Solve 0 ended with exit code 2."


def test_a_task_that_takes_too_long_is_ended(bench: LocalBench) -> None:
    bundle = bench.bundle(seconds=600)
    template = json.loads(Path(bundle.template).read_text())
    template["steps"][0]["script"]["actions"]["onRun"]["timeout"] = 1
    Path(bundle.template).write_text(json.dumps(template))
    farm = bench.farm()
    status = bench.ended(farm, farm.submit(bundle, Options()))
    assert (status.state, status.text) == ("failed", "Solve 0 took longer than it may.")


def test_a_python_without_openjd_says_so_before_and_at_submit(tmp_path: Path) -> None:
    asked = """
import sys
sys.modules["openjd"] = None  # as where it is not installed
from pathlib import Path
from farmbenches import LocalBench
from void_plugin.errors import FarmError
from void_plugin.farm import Options, errors_in

bench = LocalBench(Path(sys.argv[1]))
farm, bundle = bench.farm(), bench.bundle()
for findings in (farm.check(bundle, Options()), farm.doctor()):
    print(*[finding.text for finding in errors_in(findings)])
try:
    farm.submit(bundle, Options())
except FarmError as error:
    print(error.message)
    print(error.code, len(farm.records.all()))
"""
    paths = os.pathsep.join(str(ROOT / name) for name in ("", "tests"))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([paths, os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-c", asked, str(tmp_path)]
    said = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.splitlines()
    assert said == [*[MISSING] * 3, "farm.program 0"]


def test_a_doctor_finds_a_command_that_is_not_there(bench: LocalBench) -> None:
    farm = type(bench.farm())(replace(bench.site, command=("no-such-program",)), bench.environment)
    assert any("no-such-program" in finding.text for finding in farm.doctor() if finding.level == "error")


def test_what_is_kept_of_a_job_and_cannot_be_read_is_named(bench: LocalBench) -> None:
    farm, ref = bench.submit()
    bench.ended(farm, ref)
    path = farm.records.folder / f"{ref.id}.json"
    kept = json.loads(path.read_text())
    for text in ("{", "[]", json.dumps({**kept, "version": 99}), json.dumps({**kept, "colour": "red"})):
        path.write_text(text)
        with pytest.raises(FarmError, match=path.name):
            farm.records.find(ref)


def test_a_state_is_replaced_as_a_whole(tmp_path: Path) -> None:
    job = LocalJob(tmp_path)
    job.write(JobStatus(JobRef("local", "1"), "running", 0.5))
    with job.held():
        assert job.read() == JobStatus(JobRef("local", "1"), "running", 0.5)
    assert job.read().state == "failed"
    job.write(JobStatus(JobRef("local", "1"), "succeeded", 1.0))
    assert job.read().state == "succeeded"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lock", "state.json"]
