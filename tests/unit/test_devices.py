"""Devices with real worker processes: what ends them, what becomes of their jobs, and that nothing is left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from benches import FAKES, SECONDS, Bench, eventually, gone, new_job, numbers, slow, slow_environment
from shots import Shot, build_shot, run_in_process

from void_plugin.config import Config
from void_plugin.errors import ServerError
from void_plugin.events import Failed, Finished, FrameReady, Started, Stopped, Warned
from void_plugin.frames import Digest
from void_plugin.request import Output, RemovalRequest
from void_server import device
from void_server.devicefacts import cuda_devices, merged, places
from void_server.devices import Devices, EngineFacts
from void_server.jobs import CANCELLED, FAILED, QUEUED, RUNNING, SUCCEEDED, JobQueue


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path, slow_environment(tmp_path))
    yield made
    made.close()


def going_wrong(shot: Shot, tmp_path: Path, what: str, times: int, at: int = 1006) -> RemovalRequest:
    (tmp_path / "marks").mkdir()
    return slow(shot, do=what, at=at, times=times, marks=str(tmp_path / "marks"))


def delivered(folder: Path) -> dict[str, str]:
    return {path.name: Digest.of_file(str(path)).sha256 for path in folder.iterdir() if path.is_file()}


def in_one_process(shot: Shot, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the same job delivers where nothing happens to it."""
    monkeypatch.syspath_prepend(FAKES)
    other = replace(slow(shot), outputs=(Output("patch", shot.out(folder="other")),))
    run_in_process(other, machine=Config(engines={"slow": "slow_engine:SlowEngine"}))
    return delivered(shot.folder / "other")


# -- jobs ------------------------------------------------------------------------------------------------------


def test_a_job_runs_and_its_events_are_numbered_without_gaps(bench: Bench, shot: Shot) -> None:
    bench.start()
    job = bench.submit(shot.request(engine="identity"))
    row = bench.until(job, SUCCEEDED, FAILED)
    assert row.state == SUCCEEDED and row.attempts == 1 and row.fraction == 1.0
    events = bench.queue.events(job, 0, 10_000)
    assert numbers(events) == list(range(1, row.last_event + 1)) and isinstance(events[-1], Finished)
    assert [event.frame for event in sorted(bench.of(job, FrameReady), key=lambda event: event.frame)] == list(
        shot.frames
    )
    assert bench.of(job, Started)[0].device == "cpu"
    eventually(lambda: bench.seen.ended, "the observer is told")
    assert bench.seen.ended == [(job, SUCCEEDED, len(shot.frames))]
    assert {engine for engine, _ in bench.seen.steps} == {"identity"}


def test_devices_say_what_they_can_run(bench: Bench) -> None:
    devices = bench.start()
    assert devices.wait_ready(60)
    facts = {item.name: item for item in devices.engines()}
    assert facts["slow"].devices == ("cpu",) and facts["recover"].available and not facts["void"].available
    (status,) = devices.status()
    assert (status.name, status.state, status.job_id, status.restarts) == ("cpu", "IDLE", "", 0)
    assert "slow" in status.engines and "void" not in status.engines and not gone(status.pid)
    assert bench.seen.states[0] == "LOADING" and bench.seen.states[-1] == "IDLE"


def test_who_begins_to_listen_late_can_be_told_how_the_devices_stand(bench: Bench) -> None:
    devices = bench.start()
    assert devices.wait_ready(SECONDS)
    bench.seen.states.clear()
    devices.tell()
    assert bench.seen.states == ["IDLE"]


def test_workers_are_told_where_weights_are_and_how_to_use_memory(bench: Bench) -> None:
    devices = bench.start(weights="/weights of the studio", memory="swap")
    assert devices.wait_ready(60)
    facts = {item.name: item for item in devices.engines()}
    assert facts["lean"].memory == "swap from /weights of the studio" and facts["recover"].memory == ""


def test_two_devices_work_side_by_side(bench: Bench, tmp_path: Path) -> None:
    shots = [build_shot(tmp_path / name) for name in ("a", "b")]
    jobs = [bench.submit(slow(shot, step=3600)) for shot in shots]
    devices = bench.start(devices=("cpu", "cpu"))
    for job in jobs:
        bench.until(job, RUNNING)
    busy = {status.name: status.job_id for status in devices.status()}
    assert sorted(busy) == ["cpu", "cpu:1"]
    eventually(lambda: sorted(status.job_id for status in devices.status()) == sorted(jobs), "both are busy")


def test_what_is_wrong_with_a_request_ends_only_its_job(bench: Bench, shot: Shot) -> None:
    bench.start()
    bad = bench.submit(replace(slow(shot), colour="no such space"))
    good = bench.submit(shot.request(engine="identity"))
    row = bench.until(bad, SUCCEEDED, FAILED)
    assert row.state == FAILED and row.error_code == "request.colour" and row.attempts == 1
    assert bench.until(good, SUCCEEDED, FAILED).state == SUCCEEDED
    assert bench.seen.restarted == []


def test_results_of_uploads_go_into_the_store_and_no_path_is_told(bench: Bench, shot: Shot, tmp_path: Path) -> None:
    work = tmp_path / "state" / "work" / "1"
    shutil.copytree(shot.folder, work / "in")
    laid_out = replace(shot, folder=work / "in")
    digests = {
        "plate": {str(frame): Digest.of_file(laid_out.plate % frame).sha256 for frame in shot.frames},
        "object_matte": {str(frame): Digest.of_file(laid_out.matte % frame).sha256 for frame in shot.frames},
    }
    bench.start()
    job = bench.submit(laid_out.request(engine="identity"), digests=digests, work=str(work), namespace="show")
    assert bench.until(job, SUCCEEDED, FAILED).state == SUCCEEDED
    assert str(tmp_path) not in "".join(repr(event) for event in bench.queue.events(job, 0, 10_000))
    frames = bench.of(job, FrameReady)
    assert len(frames) == len(shot.frames)
    (finished,) = bench.of(job, Finished)
    written = delivered(work / "in" / "out")
    for event in frames:
        path = work / "in" / "out" / f"result.{event.frame}.exr"
        with bench.store.open("show", Digest(event.digest, path.stat().st_size)) as stream:
            assert stream.read() == path.read_bytes()
        assert written[path.name] == event.digest
    assert bench.queue.pins() == {("show", digest) for digest in [*written.values(), finished.digest]}


def test_an_error_of_an_upload_names_files_without_the_servers_folders(bench: Bench, shot: Shot) -> None:
    os.unlink(shot.plate % 1003)
    bench.start()
    job = bench.submit(shot.request(frames=shot.frames), digests={"plate": {"1001": "a" * 64}}, work=str(shot.folder))
    row = bench.until(job, SUCCEEDED, FAILED)
    assert row.error_code == "frame.missing" and "plate.%04d.exr" in row.error_text
    assert str(shot.folder) not in row.error_text


# -- workers that die --------------------------------------------------------------------------------------------


def test_a_killed_worker_costs_one_retry_and_no_byte(
    bench: Bench, shot: Shot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = going_wrong(shot, tmp_path, "kill", times=1)
    bench.start()
    job = bench.submit(request)
    row = bench.until(job, SUCCEEDED, FAILED)
    assert row.state == SUCCEEDED and row.attempts == 2
    (warned,) = bench.of(job, Warned)
    assert warned.code == "worker_lost" and "was killed" in warned.text and "goes on from" in warned.text
    assert {event.frame for event in bench.of(job, FrameReady)} == set(shot.frames)
    events = bench.queue.events(job, 0, 10_000)
    assert numbers(events) == list(range(1, len(events) + 1))
    assert bench.seen.restarted == ["cpu"]
    assert delivered(shot.folder / "out") == in_one_process(shot, monkeypatch)


@pytest.mark.parametrize(
    ("what", "code", "says"),
    [
        ("crash", "job.crashed", "crashed with SIGSEGV"),
        ("exit", "job.crashed", "ended with exit code 3"),
        ("kill", "job.memory", "Lower --workers"),
        ("memory", "job.memory", "Lower --workers"),
        ("hang", "job.hung", "gave no sign of life"),
        ("stuck", "job.hung", "sent no heartbeat"),
    ],
)
def test_a_job_that_kills_its_worker_twice_fails_with_what_happened(
    bench: Bench, shot: Shot, tmp_path: Path, what: str, code: str, says: str
) -> None:
    bench.start(heartbeat_seconds=3, hang_seconds=1.5)
    job = bench.submit(going_wrong(shot, tmp_path, what, times=99))
    row = bench.until(job, SUCCEEDED, FAILED)
    assert (row.state, row.error_code, row.attempts) == (FAILED, code, 2)
    assert says in row.error_text and "in the step" in row.error_text and "2 times" in row.error_text
    assert len(list((tmp_path / "marks").iterdir())) == 2
    assert isinstance(bench.queue.events(job, row.last_event - 1)[0], Failed)
    other = bench.submit(shot.request(engine="identity"))
    assert bench.until(other, SUCCEEDED, FAILED).state == SUCCEEDED, "the device goes on"


def test_a_worker_killed_from_outside_leaves_no_reader(bench: Bench, shot: Shot) -> None:
    devices = bench.start()
    job = bench.submit(slow(shot, step=0.1))
    bench.until_frame(job)
    pid = devices.status()[0].pid
    listing = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=True)
    readers = [int(text) for text in listing.stdout.split()]
    assert readers
    os.kill(pid, signal.SIGKILL)
    assert bench.until(job, SUCCEEDED, FAILED).state == SUCCEEDED
    eventually(lambda: all(gone(number) for number in (pid, *readers)), "the end of the worker and its readers")


def test_a_worker_that_cannot_start_is_tried_again_ever_later(tmp_path: Path) -> None:
    environment = slow_environment(tmp_path)
    (tmp_path / "machine.json").write_text("no JSON")
    bench = Bench(tmp_path, environment)
    devices = bench.start()
    assert not devices.wait_ready(60)
    eventually(lambda: len(bench.seen.restarted) >= 2, "two restarts")
    (tmp_path / "machine.json").write_text("{}")
    eventually(lambda: devices.wait_ready(1), "a start that works")
    assert "DOWN" in bench.seen.states and devices.status()[0].restarts >= 2
    assert "cannot be read" in (tmp_path / "state" / "worker-cpu.log").read_text()
    bench.close()


def test_a_worker_that_never_gets_ready_is_started_again(tmp_path: Path) -> None:
    environment = slow_environment(tmp_path)
    (tmp_path / "sleepy.py").write_text("import time\ntime.sleep(3600)\n")
    (tmp_path / "machine.json").write_text(json.dumps({"engines": {"sleepy": "sleepy:Engine"}}))
    bench = Bench(tmp_path, {**environment, "PYTHONPATH": str(tmp_path)})
    bench.start(hang_seconds=1)
    eventually(lambda: bench.seen.restarted, "another start")
    assert bench.seen.states[:2] == ["LOADING", "DOWN"]
    bench.close()


# -- cancelling --------------------------------------------------------------------------------------------------


def test_a_cancel_hits_only_the_job_named(bench: Bench, tmp_path: Path) -> None:
    shots = [build_shot(tmp_path / name) for name in ("a", "b")]
    running = bench.submit(slow(shots[0], step=3600))
    waiting = bench.submit(shots[1].request(engine="identity"))
    bench.start()
    bench.until(running, RUNNING)
    bench.queue.cancel(running)
    assert bench.until(running, CANCELLED, FAILED).state == CANCELLED
    assert isinstance(bench.queue.events(running, 0, 10_000)[-1], Stopped)
    assert bench.until(waiting, SUCCEEDED, FAILED).state == SUCCEEDED
    assert bench.seen.restarted == []


def test_a_job_that_does_not_react_to_its_cancel_is_ended_with_its_worker(
    bench: Bench, shot: Shot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "CANCEL_SECONDS", 0.5)
    bench.start()
    job = bench.submit(going_wrong(shot, tmp_path, "stuck", times=99))
    eventually(lambda: list((tmp_path / "marks").iterdir()), "the worker is stuck")
    bench.queue.cancel(job)
    assert bench.until(job, CANCELLED, FAILED, SUCCEEDED).state == CANCELLED


# -- stopping ----------------------------------------------------------------------------------------------------


def test_a_drain_puts_the_job_back_and_leaves_no_process(bench: Bench, shot: Shot) -> None:
    devices = bench.start()
    job = bench.submit(slow(shot, step=0.2))
    bench.until_frame(job)
    pid = devices.status()[0].pid
    devices.drain(60)
    row = bench.queue.get(job)
    assert (row.state, row.attempts) == (QUEUED, 0)
    assert gone(pid) and devices.status()[0].state == "DOWN"
    assert not bench.of(job, Stopped) and not bench.of(job, Warned)
    bench.start()
    assert bench.until(job, SUCCEEDED, FAILED).attempts == 1
    assert {event.frame for event in bench.of(job, FrameReady)} == set(shot.frames)


def test_a_drain_ends_what_does_not_react_and_puts_its_job_back(bench: Bench, shot: Shot, tmp_path: Path) -> None:
    devices = bench.start()
    job = bench.submit(going_wrong(shot, tmp_path, "stuck", times=99))
    eventually(lambda: list((tmp_path / "marks").iterdir()), "the worker is stuck")
    pid = devices.status()[0].pid
    devices.drain(0.5)
    assert gone(pid) and bench.queue.get(job).state == QUEUED


def test_a_drain_before_the_start_does_no_harm(bench: Bench) -> None:
    Devices(bench.settings, bench.queue, bench.store, bench.seen, bench.environment).drain(1)


SERVER = """
import sys, time
sys.path[:0] = {path!r}
from pathlib import Path
from benches import Bench
import os
bench = Bench(Path({folder!r}), dict(os.environ))
devices = bench.start()
job = bench.queue.page(None)[0].job_id
bench.until_frame(job)
print(devices.status()[0].pid, flush=True)
time.sleep(3600)
"""


def test_nothing_outlives_a_killed_server_and_its_job_goes_on_after(
    shot: Shot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = slow_environment(tmp_path)
    queue = JobQueue(tmp_path / "state")
    request = slow(shot, step=0.2)
    job = queue.submit(new_job(engine="slow", request=request.to_json(), folder=request.job_folder(), roots=None), 10)[
        0
    ].job_id
    queue.close()
    script = SERVER.format(path=[str(Path(__file__).parents[1])], folder=str(tmp_path))
    server = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environment)
    assert server.stdout is not None
    worker = int(server.stdout.readline())
    listing = subprocess.run(["ps", "-o", "pid=", "--ppid", str(worker)], capture_output=True, text=True, check=True)
    readers = [int(text) for text in listing.stdout.split()]
    assert readers
    server.send_signal(signal.SIGKILL)
    server.communicate()
    eventually(lambda: all(gone(pid) for pid in (worker, *readers)), "the end of the worker and its readers")
    bench = Bench(tmp_path, environment)
    assert bench.queue.get(job).state == QUEUED
    committed = {path: path.stat().st_mtime_ns for path in Path(request.job_folder()).glob("units/*/manifest.json")}
    assert committed
    bench.start()
    row = bench.until(job, SUCCEEDED, FAILED)
    assert row.state == SUCCEEDED and row.attempts == 1
    assert {event.frame for event in bench.of(job, FrameReady)} == set(shot.frames)
    assert numbers(bench.queue.events(job, 0, 10_000)) == list(range(1, row.last_event + 1))
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in committed.items()), "finished units stay"
    bench.close()
    assert delivered(shot.folder / "out") == in_one_process(shot, monkeypatch)


# -- which devices there are -------------------------------------------------------------------------------------


@pytest.fixture
def gpus(tmp_path: Path) -> Path:
    for name in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / "gpus" / name).mkdir(parents=True)
    return tmp_path / "gpus"


def names(found: Callable[[], Any]) -> list[str]:
    return [place.name for place in found()]


def test_auto_is_every_gpu_and_the_cpu(tmp_path: Path, gpus: Path) -> None:
    found = places(("auto",), {"PATH": ""}, gpus)
    assert [place.name for place in found] == ["cuda:0", "cuda:1", "cpu"]
    assert [place.environment["CUDA_VISIBLE_DEVICES"] for place in found] == ["0", "1", ""]
    assert names(lambda: places(("auto",), {"PATH": ""}, tmp_path / "none")) == ["cpu"]
    assert names(lambda: places(("cuda:1", "cpu", "cpu", "cuda:1"), {"PATH": ""}, gpus)) == ["cuda:1", "cpu", "cpu:1"]


def test_gpus_hidden_from_the_server_stay_hidden(gpus: Path) -> None:
    found = places(("cuda",), {"CUDA_VISIBLE_DEVICES": "GPU-abc", "PATH": ""}, gpus)
    assert [(place.name, place.environment["CUDA_VISIBLE_DEVICES"]) for place in found] == [("cuda:0", "GPU-abc")]


def test_the_gpus_of_a_container_are_those_nvidia_smi_lists(tmp_path: Path, gpus: Path) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'GPU 0: H200 (UUID: GPU-1)'\n")
    program.chmod(0o755)
    assert cuda_devices({"PATH": f"{tmp_path}:/bin"}, gpus) == ["0"]


@pytest.mark.parametrize("name", ["cuda:7", "tpu", "cuda:x"])
def test_a_device_that_is_not_there_is_named(gpus: Path, name: str) -> None:
    with pytest.raises(ServerError, match=f"no device '{name}' here; choose of auto, cpu, cuda:0, cuda:1") as refused:
        places((name,), {"PATH": ""}, gpus)
    assert refused.value.code == "server.start"


def test_an_engine_is_available_where_any_device_can_run_it() -> None:
    no = EngineFacts("void", False, "No GPU.", (), ("cuda",), None, 0, True, "")
    yes = EngineFacts("void", True, "", ("cuda:0",), ("cuda",), (384, 672), 197, True, "1")
    assert merged([no, yes]) == merged([yes, no]) == [yes]
    assert merged([yes, replace(yes, devices=("cuda:1",))])[0].devices == ("cuda:0", "cuda:1")


def test_how_memory_is_used_is_told_by_device_only_where_devices_differ() -> None:
    facts = EngineFacts("void", True, "", ("cuda:0",), ("cuda",), (384, 672), 197, True, "1", "full")
    same, lean = replace(facts, devices=("cuda:1",)), replace(facts, devices=("cuda:2",), memory="swap")
    absent = EngineFacts("void", False, "No GPU.", (), ("cuda",), None, 0, True, "")
    assert merged([facts, same, absent])[0].memory == "full"
    assert merged([absent, facts, same, lean])[0].memory == "full on cuda:0, full on cuda:1, swap on cuda:2"
    assert merged([absent])[0].memory == ""
