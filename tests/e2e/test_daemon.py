"""The daemon of a session as a real process: it keeps one worker between tasks, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from benches import eventually, gone, slow
from farmtasks import SERVER, Done, FarmJob, Running, ended_pid, farm_job, solve_whole, with_gpus
from servers import processes_of
from shots import Shot, build_shot
from tinyvoid import build_weights

from void_plugin.request import Output
from void_plugin.settings import RenderSettings
from void_server.gpus import LOCKS

VOID = RenderSettings(
    source="generated", void_raster="48x32", void_short_clips="short", void_passes=1, void_steps=200, seed=3
)
"""So many steps that there is time to stop it."""


class Session:
    """A session on a worker: what began it, its daemon, and the tasks that use that."""

    def __init__(self, job: FarmJob, folder: Path) -> None:
        self.job, self.folder = job, folder
        folder.mkdir()
        # Sockets lie here, where the test sees them.
        self.sockets = folder / "tmp"
        self.sockets.mkdir()
        self.connection = folder / "daemon.json"
        job.environment["TMPDIR"] = str(self.sockets)

    def daemon(self, action: str, *more: object, **how: Any) -> Running:
        return self.job.start("daemon", action, "--connection", self.connection, *more, **how)

    def begun(self, *more: object) -> dict[str, Any]:
        """Start the daemon, and what its connection file says."""
        done = self.daemon("start", "--owner-pid", os.getpid(), *more).ended()
        assert done.code == 0, (done.said, done.complaint, self.log())
        assert done.of("env") == [f"VOID_DAEMON={self.connection}"]
        return self.known()

    def known(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.connection.read_text())
        return found

    def status(self) -> dict[str, Any]:
        done = self.daemon("status", "--json").ended()
        assert done.code == 0, done
        found: dict[str, Any] = json.loads(done.said[-1])
        return found

    def starting(self, *more: object) -> Running:
        return self.job.starting("solve", "--daemon", self.connection, *more)

    def must(self, *more: object) -> Done:
        done = self.starting(*more).ended()
        assert done.code == 0, (done.said, done.complaint, self.log())
        return done

    def log(self) -> str:
        path = self.folder / "daemon.json.log"
        return path.read_text(errors="replace")[-4000:] if path.exists() else ""

    def processes(self) -> list[int]:
        """Every process that was started with this session's connection file, or by one that was."""
        found: set[int] = set()
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                line = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if b"void_server.daemon" in line and os.fsencode(self.connection) in line:
                found |= set(processes_of(int(entry.name)))
        return sorted(found)

    def is_clean(self) -> bool:
        """True where nothing of a daemon is left: no file that says where it is, no socket, no lock."""
        left = {path.name for path in self.folder.iterdir()} - {"tmp", "daemon.json.log"}
        return not left and not any(self.sockets.iterdir()) and not self.processes()


@pytest.fixture
def session(shot: Shot, tmp_path: Path) -> Iterator[Session]:
    """A session for a job of the slow engine, whose tasks take a moment."""
    made = Session(farm_job(shot, slow(shot, step=0.1)), tmp_path / "session")
    yield made
    made.daemon("stop", "--timeout", "20").ended()
    for pid in made.processes():
        os.kill(pid, signal.SIGKILL)


def records(job: FarmJob) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(job.folder.glob("tasks/*/*.json"))]


# -- one worker for many tasks ------------------------------------------------------------------------------------


def test_tasks_of_a_session_share_one_process_which_ends_with_it(session: Session) -> None:
    wanted, _ = solve_whole(session.job.shot, session.job.request)
    session.job.planned()
    known = session.begun("--job", session.job.folder)
    before = session.status()
    assert before["state"] == "idle" and before["pid"] == known["pid"] and before["tasks"] == 0
    for unit in (0, 1):
        done = session.must("--unit", unit)
        assert any(f"process {before['worker']}," in line for line in done.said)
        assert done.of("progress")[-1] == "100"
    assert {item["pid"] for item in records(session.job)} == {before["worker"]}
    assert session.status() == {**before, "tasks": 2}
    session.job.must("compose")
    assert session.job.bytes() == wanted
    assert session.daemon("stop").ended().code == 0
    assert gone(known["pid"]) and gone(before["worker"])
    assert session.is_clean()


def test_a_task_finds_the_daemon_by_its_variable(session: Session) -> None:
    session.begun()
    session.job.environment["VOID_DAEMON"] = str(session.connection)
    session.job.must("solve", "--unit", "0")
    assert session.status()["tasks"] == 1


def test_solved_units_need_no_daemon(session: Session) -> None:
    session.job.must("solve")
    assert session.must("--unit", "0").of("status") == ["cached"]


def test_starting_again_finds_the_daemon_that_is_there(session: Session) -> None:
    known = session.begun()
    assert session.begun() == known
    assert session.status()["pid"] == known["pid"]


def test_stopping_is_idempotent_and_asking_says_when_there_is_none(session: Session) -> None:
    for _ in range(2):
        done = session.daemon("stop").ended()
        assert done.code == 0 and done.of("status") == ["no daemon runs"]
    done = session.daemon("status").ended()
    assert done.code == 69 and "no daemon runs" in done.said[0]
    assert json.loads(session.daemon("status", "--json").ended().said[0]) == {"state": "none"}


def test_a_task_without_its_daemon_says_so(session: Session) -> None:
    done = session.starting("--unit", "0").ended()
    assert done.code == 69 and str(session.connection) in done.of("fail")[0]


def test_a_daemon_that_nobody_needs_ends(session: Session) -> None:
    known = session.begun("--idle", "0.5")
    eventually(lambda: gone(known["pid"]), "the end of the daemon")
    assert session.is_clean()


def test_a_daemon_of_another_version_is_not_used(session: Session) -> None:
    known = session.begun()
    session.connection.write_text(json.dumps({**known, "version": "0.0.0"}))
    done = session.starting("--unit", "0").ended()
    assert done.code == 69 and "0.0.0" in done.of("fail")[0]


# -- stops and kills ----------------------------------------------------------------------------------------------


def slowly(session: Session) -> Running:
    """A task that would take minutes, at work in the daemon."""
    session.job.request = slow(session.job.shot, step=60)
    session.job.folder = Path(session.job.request.job_folder())
    session.job.planned()
    task = session.starting("--unit", "0")
    task.until("done by process")
    eventually(session.job.leases, "a lease")
    return task


def test_a_stopped_task_leaves_the_daemon_to_the_next(session: Session) -> None:
    session.begun()
    before, quick = session.status(), FarmJob(session.job.shot, session.job.request, session.job.environment)
    task = slowly(session)
    task.terminate()
    assert task.ended().code == 143
    assert not session.job.leases()
    session.job = quick
    session.must("--unit", "0")
    assert session.status()["worker"] == before["worker"]


def test_what_a_killed_task_had_begun_is_cancelled(session: Session) -> None:
    session.begun()
    task = slowly(session)
    task.kill()
    task.ended()
    eventually(lambda: not session.job.leases(), "the lease is given back")
    eventually(lambda: session.status()["state"] == "idle", "an idle daemon")


def test_stopping_the_daemon_stops_its_task_with_a_checkpoint(session: Session) -> None:
    session.begun()
    task = slowly(session)
    assert session.daemon("stop").ended().code == 0
    assert task.ended().code == 143
    assert session.is_clean() and not session.job.leases()


def test_a_killed_owner_leaves_nothing_behind(session: Session) -> None:
    owner = session.job.start("-c", "import time; time.sleep(600)", command=(sys.executable,))
    with_gpus(session.job, f"GPU-{uuid.uuid4()}, A card, 80000")
    known = session.begun("--owner-pid", owner.pid)
    worker = session.status()["worker"]
    task = slowly(session)
    assert Path(LOCKS, f"void-gpu-{known['gpu']}.lock").exists()
    owner.kill()
    owner.ended()
    eventually(lambda: gone(known["pid"]) and gone(worker), "the end of the daemon and its worker")
    assert task.ended().code in (69, 143)
    assert session.is_clean() and not session.job.leases()
    assert not Path(LOCKS, f"void-gpu-{known['gpu']}.lock").exists()


def test_nothing_stays_of_a_daemon_whose_session_was_killed_before_it_began(session: Session) -> None:
    """What was killed a moment ago is nobody's parent any more, so the farm's script names it."""
    session.job.environment["VOID_OWNER_PID"] = str(ended_pid())
    done = session.daemon("start", "--job", session.job.planned().folder).ended()
    assert done.code != 0 and not done.of("env"), done
    eventually(session.is_clean, "the end of the daemon")


def test_the_owner_is_whoever_began_the_session(session: Session) -> None:
    # As a farm's worker does it: an action is a session of its own, and ends; the worker goes on.
    script = "import subprocess, sys; subprocess.run(sys.argv[1:], start_new_session=True); sys.stdin.read()"
    words = ["-c", script, *SERVER, "daemon", "start", "--connection", str(session.connection)]
    worker = session.job.start(*words, command=(sys.executable,), stdin=-1)
    worker.until("openjd_env")
    known = session.known()
    assert known["owner"] == worker.pid
    session.must("--unit", "0")
    worker.kill()
    worker.ended()
    eventually(lambda: gone(known["pid"]), "the end of the daemon")
    assert session.is_clean()


def test_a_killed_daemon_takes_its_worker_along_and_the_next_one_sweeps(session: Session) -> None:
    known = session.begun()
    worker = session.status()["worker"]
    task = slowly(session)
    os.kill(known["pid"], signal.SIGKILL)
    done = task.ended()
    assert done.code == 69 and "cannot be reached" in done.of("fail")[0]
    eventually(lambda: gone(worker), "the end of the worker")
    (left,) = session.sockets.iterdir()
    os.utime(left, (0, 0))
    again = session.begun()
    assert again["pid"] != known["pid"] and not left.exists()
    assert [str(path) for path in session.sockets.iterdir()] == [os.path.dirname(again["socket"])]


def test_a_worker_that_is_killed_counts_as_memory_and_is_replaced(session: Session) -> None:
    session.begun()
    worker = session.status()["worker"]
    quick = FarmJob(session.job.shot, session.job.request, session.job.environment)
    task = slowly(session)
    os.kill(worker, signal.SIGKILL)
    done = task.ended()
    assert done.code == 71 and "memory ran out" in done.of("fail")[0]
    session.job = quick
    session.must("--unit", "0")
    assert session.status()["worker"] != worker


def test_a_task_whose_worker_crashes_is_tried_again(session: Session) -> None:
    shot, marks = session.job.shot, session.folder / "marks"
    marks.mkdir()
    session.job.request = slow(shot, do="crash", at=1002, marks=str(marks), times=1)
    session.job.folder = Path(session.job.request.job_folder())
    session.job.planned()
    session.begun()
    done = session.must("--unit", "0")
    assert any("SIGSEGV" in text and "Trying again" in text for text in done.of("status"))
    marks.rename(session.folder.parent / "marks")
    assert session.daemon("stop").ended().code == 0 and session.is_clean()


# -- what is wrong at the start -----------------------------------------------------------------------------------


def refused(session: Session, *more: object) -> Done:
    """A start that fails, and leaves nothing."""
    done = session.daemon("start", *more).ended()
    assert done.code != 0 and len(done.of("fail")) == 1 and not done.of("env")
    assert session.is_clean(), (session.processes(), list(session.folder.iterdir()))
    return done


def test_a_worker_that_is_never_ready_ends_the_start_in_time(session: Session) -> None:
    config = Path(session.job.environment["VOID_CONFIG"])
    known = json.loads(config.read_text())
    config.write_text(json.dumps({"engines": {**known["engines"], "numb": "slow_engine:NumbEngine"}}))
    done = refused(session, "--timeout", "2")
    assert done.code == 75 and "within 2 seconds" in done.of("fail")[0]
    config.write_text(json.dumps(known))


def test_a_start_that_is_stopped_leaves_nothing(session: Session) -> None:
    config = Path(session.job.environment["VOID_CONFIG"])
    known = json.loads(config.read_text())
    config.write_text(json.dumps({"engines": {**known["engines"], "numb": "slow_engine:NumbEngine"}}))
    start = session.daemon("start")
    eventually(session.processes, "a daemon")
    start.terminate()
    assert start.ended().code == 143
    assert session.is_clean()
    config.write_text(json.dumps(known))


def test_an_engine_that_cannot_run_here_is_found_at_the_start(session: Session) -> None:
    plan = {**session.job.plan, "engine": "absent"}
    (session.job.folder / "plan.json").write_text(json.dumps(plan))
    done = refused(session, "--job", session.job.folder)
    assert done.code == 69 and done.of("fail") == ["There is no GPU here."]


def test_a_plan_of_another_version_is_found_at_the_start(session: Session) -> None:
    plan = {**session.job.plan, "plan_version": 1}
    (session.job.folder / "plan.json").write_text(json.dumps(plan))
    done = refused(session, "--job", session.job.folder, "--wait-for-files", "0")
    assert done.code == 65 and "another version" in done.of("fail")[0]


def test_too_little_memory_on_the_gpu_is_found_at_the_start(session: Session) -> None:
    with_gpus(session.job, "GPU-1, NVIDIA L4, 23034")
    done = refused(session, "--vram", "40000")
    assert done.code == 71 and "NVIDIA L4 with 23034 MiB" in done.of("fail")[0]


# -- one daemon a GPU ---------------------------------------------------------------------------------------------


@pytest.fixture
def other(session: Session, tmp_path: Path) -> Iterator[Session]:
    """Another session on the same machine."""
    made = Session(FarmJob(session.job.shot, session.job.request, dict(session.job.environment)), tmp_path / "other")
    yield made
    made.daemon("stop", "--timeout", "20").ended()


def test_a_second_daemon_waits_for_the_gpu_and_is_refused_in_the_end(session: Session, other: Session) -> None:
    gpu = f"GPU-{uuid.uuid4()}"
    for each in (session, other):
        with_gpus(each.job, f"{gpu}, A card, 80000")
    assert session.begun("--vram", "40000")["gpu"] == gpu
    done = refused(other, "--timeout", "1")
    assert done.code == 75 and gpu in done.of("fail")[0] and "another daemon" in done.of("fail")[0]
    second = other.daemon("start", "--owner-pid", os.getpid())
    eventually(other.processes, "a daemon that waits")
    assert session.daemon("stop").ended().code == 0
    assert second.ended().code == 0
    assert other.known()["gpu"] == gpu


def test_daemons_take_different_gpus_where_there_are_more(session: Session, other: Session) -> None:
    gpus = [f"GPU-{uuid.uuid4()}" for _ in range(2)]
    for each in (session, other):
        with_gpus(each.job, *(f"{gpu}, A card, 80000" for gpu in gpus))
    first, second = session.begun(), other.begun()
    assert [first["gpu"], second["gpu"]] == gpus
    assert (first["device"], second["device"]) == ("cuda:0", "cuda:1")


def test_a_daemon_keeps_to_the_gpus_that_the_farm_gave(session: Session) -> None:
    gpus = [f"GPU-{uuid.uuid4()}" for _ in range(2)]
    with_gpus(session.job, *(f"{gpu}, A card, 80000" for gpu in gpus))
    session.job.environment["CUE_GPU_CORES"] = "1"
    assert session.begun()["gpu"] == gpus[1]


# -- a real model -------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_model_stays_loaded_and_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    weights = build_weights(tmp_path / "weights", passes=1)
    shots = [build_shot(tmp_path / name, count=5, size=(108, 192), pan=2) for name in ("one", "two")]
    jobs = []
    for shot in shots:
        request = shot.request(engine="void", settings=VOID, outputs=(Output("patch", shot.out()),))
        job = FarmJob(shot, request, {})
        job.environment.update({**os.environ, "VOID_DEVICE": "cpu", "VOID_WEIGHTS": str(weights)})
        job.environment["VOID_CONFIG"] = str(tmp_path / "machine.json")
        (tmp_path / "machine.json").write_text("{}")
        jobs.append(job.planned())
    session = Session(jobs[0], tmp_path / "session")
    jobs[1].environment["TMPDIR"] = jobs[0].environment["TMPDIR"]
    session.begun("--job", jobs[0].folder)
    task = session.starting("--unit", "0")
    eventually(lambda: list(jobs[0].folder.glob("shelf/*.checkpoint.npz")), "a checkpoint")
    task.terminate()
    assert task.ended().code == 143 and not jobs[0].solved()
    assert list(jobs[0].folder.glob("shelf/*.checkpoint.npz")) and not jobs[0].leases()
    for job in jobs:
        session.job = job
        session.must("--unit", "0")
        job.must("compose")
    assert {item["pid"] for job in jobs for item in records(job) if item["step"] == "solve"} == {
        session.status()["worker"]
    }
    assert session.daemon("stop").ended().code == 0 and session.is_clean()
    there = jobs[1].environment.pop("VOID_WEIGHTS")
    shutil.rmtree(jobs[1].folder / "units")
    done = jobs[1].task("solve", "--unit", "0", "--weights", tmp_path / "nowhere")
    assert done.code == 69 and "The weights of VOID are not complete" in done.of("fail")[0]
    assert str(there) not in done.of("fail")[0]
    found = jobs[0].bytes()
    (shots[0].folder / "out").rename(shots[0].folder / "kept")
    done = jobs[0].run("task", "all", shots[0].folder / "request.json")
    assert done.code == 0, done.complaint
    assert jobs[0].bytes() == found and len(found) == 5
