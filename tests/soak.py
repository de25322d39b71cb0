"""Kill everything, at random, many times: `make soak`. A few rounds of each run among the tests.

    python tests/soak.py [--kills 20] [--clients 32] [--seconds 60] [--seed N]

Nothing here depends on how fast the machine is: moments are random, and only what must hold in the end is asked.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import grpc

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "server"), str(ROOT)]

from servers import Server, processes_of, state_name, until  # noqa: E402
from shots import Shot, build_shot  # noqa: E402

from void_plugin.events import Finished  # noqa: E402
from void_plugin.request import Output, RemovalRequest  # noqa: E402
from void_plugin.v1 import job_service_pb2  # noqa: E402

SLOW = '{"step": 0.05}'
"""Prompt that makes the test engine take its time over each frame."""
FRAMES = 12


def waiting(gate: Path, frame: int) -> str:
    """Prompt of a job whose frame is not done before there is a file, however slow the machine."""
    return json.dumps({"at": frame, "until": str(gate)})


def slow_environment(folder: Path) -> dict[str, str]:
    """What makes the slow engine of the tests known to a server's workers."""
    config = folder / "slow-config.json"
    config.write_text(json.dumps({"engines": {"slow": "slow_engine:SlowEngine"}}))
    fakes = str(ROOT / "tests" / "fakes")
    return {"VOID_CONFIG": str(config), "PYTHONPATH": os.pathsep.join([fakes, os.environ.get("PYTHONPATH", "")])}


def slow_server(folder: Path, *arguments: str) -> Server:
    """A server that knows the slow engine and may use the folder."""
    return Server(folder / "state", "--allow-root", str(folder), *arguments, environment=slow_environment(folder))


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every EXR in a folder by name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.exr"))}


def slow_request(shot: Shot, name: str, prompt: str = SLOW) -> RemovalRequest:
    """A job of its own for the slow engine, with an output folder of its own."""
    output = Output("patch", str(shot.folder / name / "result.%04d.exr"))
    return shot.request(engine="slow", prompt=prompt, frames=shot.frames, shot_range=shot.frames, outputs=(output,))


def expected(shot: Shot, folder: Path) -> dict[str, str]:
    """What the job gives in one process, without any server."""
    request = slow_request(shot, "expected")
    path = folder / "expected.json"
    path.write_text(request.rooted().to_json())
    command = [sys.executable, "-m", "void_server", "task", "all", str(path)]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, **slow_environment(folder)})
    return digests(shot.folder / "expected")


def temporaries(state: Path) -> list[Path]:
    """What must not be left of interrupted writes."""
    return [*(state / "store" / "incoming").glob("*"), *state.rglob("*.tmp"), *state.rglob("*.part")]


@dataclass
class Kills:
    """What a round of kills came to."""

    jobs: int = 0
    hit_running: int = 0
    attempts: list[int] = field(default_factory=list)


def check_result(server: Server, shot: Shot, name: str, uploads: bool, job_id: str, wanted: dict[str, str]) -> None:
    """A job that was disturbed ended succeeded, with the bytes of an undisturbed run."""
    with server.calls() as calls:
        last = calls.last(job_id)
        assert isinstance(last, Finished), last
        events = list(calls.watch(job_id))
        numbers = [event.number for event in events]
        assert numbers == sorted(set(numbers)), "an event came twice or out of order"
        if uploads:
            found = {}
            for event in events:
                if getattr(event, "digest", "") and hasattr(event, "frame"):
                    data = calls.download(event.digest)
                    found[f"result.{event.frame:04d}.exr"] = hashlib.sha256(data).hexdigest()
        else:
            found = digests(shot.folder / name)
    assert found == wanted, f"{name}: other bytes than without a server"


def kill_servers(folder: Path, kills: int, seed: int) -> Kills:
    """SIGKILL of the server at random moments of a job, in path mode and upload mode in turn."""
    chance, came_to = random.Random(seed), Kills()
    shot = build_shot(folder / "shot", count=FRAMES, size=(54, 96))
    wanted = expected(shot, folder)
    server = slow_server(folder).start()
    with server:
        with server.calls() as calls:
            calls.list_engines()
        for number in range(kills):
            name, uploads = f"server{number}", number % 2 == 1
            with server.calls() as calls:
                submit = calls.submit_uploads if uploads else calls.submit_paths
                job_id = submit(slow_request(shot, name), name).job.job_id
                time.sleep(chance.uniform(0, 1.5))
                came_to.hit_running += state_name(calls.job(job_id)) == "running"
            group = server.pid
            workers = server.worker_pids()
            server.kill()
            until(lambda group=group: not processes_of(group), 20, "the end of every process of the killed server")
            until(lambda workers=workers: not any(Path(f"/proc/{pid}/exe").exists() for pid in workers), 20)
            server.start()
            check_result(server, shot, name, uploads, job_id, wanted)
            came_to.jobs += 1
            assert not temporaries(server.state), temporaries(server.state)
    return came_to


def kill_workers(folder: Path, kills: int, seed: int) -> Kills:
    """SIGKILL of the worker at random moments of a job."""
    chance, came_to = random.Random(seed), Kills()
    shot = build_shot(folder / "shot", count=FRAMES, size=(54, 96))
    wanted = expected(shot, folder)
    with slow_server(folder) as server:
        for number in range(kills):
            name, uploads = f"worker{number}", number % 2 == 1
            with server.calls() as calls:
                until(lambda calls=calls: any(device.state in (2, 3) for device in calls.list_engines().devices))
                submit = calls.submit_uploads if uploads else calls.submit_paths
                job_id = submit(slow_request(shot, name), name).job.job_id
                time.sleep(chance.uniform(0, 1.5))
                came_to.hit_running += state_name(calls.job(job_id)) == "running"
            for pid in server.worker_pids():
                os.kill(pid, signal.SIGKILL)
            check_result(server, shot, name, uploads, job_id, wanted)
            came_to.jobs += 1
            with server.calls() as calls:
                came_to.attempts.append(calls.job(job_id).attempts)
            assert not temporaries(server.state), temporaries(server.state)
        group = server.pid
        assert server.stop() == 0
        assert not processes_of(group)
    return came_to


@dataclass
class Crowd:
    """What many clients at once came to."""

    jobs: int
    cancelled: int
    succeeded: int
    grown_bytes_per_1000_jobs: float


def resident(pid: int) -> int:
    """Resident bytes of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Client(threading.Thread):
    """Submits, watches and cancels at random until it is told to stop, and remembers what it did."""

    def __init__(self, server: Server, shot: Shot, number: int, seed: int, stop: threading.Event) -> None:
        super().__init__(name=f"client {number}")
        self.server, self.shot, self.number, self.stop = server, shot, number, stop
        self.seed, self.chance = seed, random.Random(seed * 1000 + number)
        self.jobs: dict[str, bool] = {}
        self.failures: list[str] = []

    def run(self) -> None:
        with self.server.calls() as calls:
            count = 0
            while not self.stop.is_set():
                count += 1
                name = f"c{self.seed}-{self.number}-{count}"
                try:
                    job_id = calls.submit_paths(slow_request(self.shot, name, '{"step": 0.01}'), name).job.job_id
                except grpc.RpcError as error:
                    if error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED:  # the queue is full: that is an answer too
                        self.stop.wait(0.2)
                        continue
                    self.failures.append(f"{error.code()} {error.details()}")
                    continue
                self.jobs[job_id] = False
                what = self.chance.random()
                if what < 0.3:
                    next(calls.watch(job_id))
                elif what < 0.8:
                    time.sleep(self.chance.uniform(0, 0.2))
                    ended = calls.job(job_id).ended_at.seconds > 0
                    calls.cancel(job_id)
                    self.jobs[job_id] = not ended
                else:
                    self.stop.wait(self.chance.uniform(0, 0.3))


def crowd(folder: Path, clients: int, seconds: float, seed: int) -> Crowd:
    """Many clients at once against two workers of a slow engine."""
    shot = build_shot(folder / "shot", count=1, size=(36, 64))
    server = slow_server(folder, "--devices", "cpu,cpu", "--max-queued", "100000", "--max-jobs", "100000")
    with server:
        with server.calls() as calls:
            calls.list_engines()
        _run_clients(server, shot, clients, min(30.0, seconds / 2), seed + 1)  # pools, caches and heaps fill up first
        before = resident(server.pid)
        crew = _run_clients(server, shot, clients, seconds, seed)
        jobs = {job_id: was for client in crew for job_id, was in client.jobs.items()}
        grown = resident(server.pid) - before
        cancelled = succeeded = 0
        with server.calls() as calls:
            for job_id, asked in jobs.items():
                state = state_name(calls.job(job_id))
                assert state in ("succeeded", "cancelled"), (job_id, state, calls.job(job_id).error_text)
                assert state == "succeeded" or asked, f"{job_id} was cancelled though nobody asked"
                cancelled += state == "cancelled"
                succeeded += state == "succeeded"
                last = [type(event).__name__ for event in calls.watch(job_id)][-1]
                assert last == {"succeeded": "Finished", "cancelled": "Stopped"}[state]
        failures = [failure for client in crew for failure in client.failures]
        assert not failures, failures[:3]
        assert server.stop() == 0
    return Crowd(len(jobs), cancelled, succeeded, grown / max(1, len(jobs)) * 1000)


def _run_clients(server: Server, shot: Shot, count: int, seconds: float, seed: int) -> list[Client]:
    stop = threading.Event()
    crew = [Client(server, shot, number, seed, stop) for number in range(count)]
    for client in crew:
        client.start()
    time.sleep(seconds)
    stop.set()
    for client in crew:
        client.join()
    with server.calls() as calls:
        live = [job_service_pb2.JOB_STATE_QUEUED, job_service_pb2.JOB_STATE_RUNNING]
        until(lambda: not calls(calls.jobs.ListJobs, job_service_pb2.ListJobsRequest(states=live)).jobs, 1200,
              "the end of all jobs")  # fmt: skip
    return crew


def folders() -> Iterator[Path]:
    """Fresh folders, each taken away when the next is asked for."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix="void-soak-"))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    print(f"seed {options.seed}")
    fresh = folders()
    killed = kill_servers(next(fresh), options.kills, options.seed)
    print(f"server killed {options.kills} times ({killed.hit_running} while the job ran): "
          f"{killed.jobs} jobs succeeded with identical bytes, no orphan, no temporary file")  # fmt: skip
    killed = kill_workers(next(fresh), options.kills, options.seed)
    print(f"worker killed {options.kills} times ({killed.hit_running} while the job ran, attempts "
          f"{sorted(set(killed.attempts))}): {killed.jobs} jobs succeeded with identical bytes")  # fmt: skip
    met = crowd(next(fresh), options.clients, options.seconds, options.seed)
    print(f"{options.clients} clients for {options.seconds:g} s: {met.jobs} jobs, {met.cancelled} cancelled, "
          f"{met.succeeded} succeeded, all as asked; resident memory grew by "
          f"{met.grown_bytes_per_1000_jobs / 1e6:.2f} MB per 1,000 jobs")  # fmt: skip
    assert met.grown_bytes_per_1000_jobs <= 1e6, "memory grows"
    fresh.close()


if __name__ == "__main__":
    main()
