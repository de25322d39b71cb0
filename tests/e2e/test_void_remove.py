"""`void remove` with the real server, private and configured: the same bytes, and nothing lost when something dies."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import soak
from servers import Server, processes_of, rest_of, until
from shots import Shot, build_shot, run_in_process

from void_plugin.events import Event, Failed, Finished, FrameReady, Stopped, Uploading, from_line
from void_plugin.request import Output
from void_plugin.v1 import job_service_pb2

FRAMES = 12


@pytest.fixture
def shot(tmp_path: Path) -> Shot:
    return build_shot(tmp_path / "shot", count=FRAMES, size=(54, 96), pan=2)


@pytest.fixture
def wanted(shot: Shot) -> dict[str, str]:
    """What one process makes of the shot, by file name."""
    run_in_process(shot.request(outputs=(Output("patch", shot.out(folder="alone")),)))
    return soak.digests(shot.folder / "alone")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A user of their own, who knows the slow engine, with a folder for temporary files that is theirs."""
    (tmp_path / "t").mkdir()
    command = {"VOID_SERVER_COMMAND": f'"{sys.executable}" -m void_server'}
    places = {"XDG_STATE_HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "t")}
    return {**os.environ, **soak.slow_environment(tmp_path), **command, **places}


@pytest.fixture
def server(tmp_path: Path, environment: dict[str, str]) -> Iterator[Server]:
    with soak.slow_server(tmp_path) as running:
        environment["VOID_SERVER"] = running.address
        environment["VOID_TOKEN_FILE"] = str(running.state / "token")
        yield running


class Void:
    """One run of the command."""

    def __init__(self, shot: Shot, environment: dict[str, str], *more: str, engine: str = "recover") -> None:
        command = [sys.executable, "-m", "void_plugin.cli", "remove", "--json", "--engine", engine]
        command += ["--plate", shot.plate, "--matte", shot.matte, "--out", shot.out(), "--workers", "1"]
        self.process = subprocess.Popen(
            [*command, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        self.events: list[Event] = []

    def until_frame(self) -> Void:
        """Read events up to the first frame."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            event = from_line(line)
            assert event is not None
            self.events.append(event)
            if isinstance(event, FrameReady):
                return self
        raise AssertionError(rest_of(self.process))

    def end(self) -> int:
        """Read the rest; returns the exit code."""
        output, self.errors = rest_of(self.process)
        self.events += [event for line in output.splitlines() if (event := from_line(line)) is not None]
        return self.process.returncode

    def frames(self) -> set[int]:
        return {event.frame for event in self.events if isinstance(event, FrameReady)}

    def private_server(self) -> int:
        """The server that it started."""
        for pid in processes_of(self.process.pid):
            with contextlib.suppress(OSError):
                if b"--private" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                    return pid
        raise AssertionError("there is no private server")


SLOW = ("--prompt", soak.SLOW)


def waiting(gate: Path) -> tuple[str, ...]:
    """Arguments of a job whose last frame waits for a file."""
    return "--prompt", soak.waiting(gate, 1000 + FRAMES)


def test_a_private_server_gives_the_same_bytes_and_leaves_nothing(
    shot: Shot, wanted: dict[str, str], environment: dict[str, str], tmp_path: Path
) -> None:
    void = Void(shot, environment)
    assert void.end() == 0, void.errors
    assert soak.digests(shot.folder / "out") == wanted and len(void.frames()) == FRAMES
    assert void.errors == "" and isinstance(void.events[-1], Finished)
    assert Path(void.events[-1].result).is_file()
    assert list((tmp_path / "t").iterdir()) == [] and not (tmp_path / "home").exists()


@pytest.mark.parametrize("transfer", ["upload", "paths"])
def test_a_configured_server_gives_the_same_bytes(
    shot: Shot, wanted: dict[str, str], server: Server, environment: dict[str, str], transfer: str
) -> None:
    void = Void(shot, environment, "--transfer", transfer)
    assert void.end() == 0, void.errors
    assert soak.digests(shot.folder / "out") == wanted
    assert bool([event for event in void.events if isinstance(event, Uploading)]) is (transfer == "upload")
    assert isinstance(void.events[-1], Finished)
    assert json.loads(Path(void.events[-1].result).read_text())["frames_asked"] == f"1001-{1000 + FRAMES}"
    assert not [path for path in (shot.folder / "out").iterdir() if path.name.endswith(".part")]


@pytest.mark.parametrize("transfer", ["upload", "paths"])
def test_a_killed_client_finds_its_job_again_and_misses_nothing(
    shot: Shot, server: Server, environment: dict[str, str], transfer: str
) -> None:
    gate = shot.folder / "gate"
    more = ("--transfer", transfer, *waiting(gate))
    void = Void(shot, environment, *more, engine="slow").until_frame()
    void.process.kill()
    void.end()
    again = Void(shot, environment, *more, engine="slow").until_frame()
    gate.touch()
    assert again.end() == 0, again.errors
    assert again.frames() == set(shot.frames)
    assert not [event for event in again.events if isinstance(event, Uploading)], "uploads nothing twice"
    with server.calls() as calls:
        (row,) = calls(calls.jobs.ListJobs, job_service_pb2.ListJobsRequest()).jobs
    assert row.job_id == again.events[-1].job


@pytest.mark.parametrize("transfer", ["upload", "paths"])
def test_a_killed_server_that_comes_back_is_nobodys_business(
    shot: Shot, server: Server, environment: dict[str, str], transfer: str
) -> None:
    void = Void(shot, environment, "--transfer", transfer, *SLOW, engine="slow").until_frame()
    server.kill()
    server.start()
    assert void.end() == 0, void.errors
    assert void.frames() == set(shot.frames) == {int(name.split(".")[1]) for name in soak.digests(shot.folder / "out")}


def test_ctrl_c_cancels_the_job_on_the_server(shot: Shot, server: Server, environment: dict[str, str]) -> None:
    gate = shot.folder / "gate"
    void = Void(shot, environment, *waiting(gate), engine="slow").until_frame()
    void.process.send_signal(signal.SIGINT)
    assert void.end() == 130
    assert isinstance(void.events[-1], Stopped) and len(void.frames()) < FRAMES
    with server.calls() as calls:
        (row,) = calls(calls.jobs.ListJobs, job_service_pb2.ListJobsRequest()).jobs
    assert row.ended_at.seconds and not row.error_code
    gate.touch()
    again = Void(shot, environment, *waiting(gate), engine="slow")
    assert again.end() == 0 and again.frames() == set(shot.frames)


@pytest.mark.parametrize("how", ["ctrl-c", "client", "server"])
def test_a_private_job_that_is_cut_short_resumes_with_the_same_command(
    shot: Shot, environment: dict[str, str], tmp_path: Path, how: str
) -> None:
    gate = shot.folder / "gate"
    more = waiting(gate)
    void = Void(shot, environment, *more, engine="slow").until_frame()
    server = void.private_server()
    alive = processes_of(server)
    if how == "ctrl-c":
        void.process.send_signal(signal.SIGINT)
        assert void.end() == 130 and isinstance(void.events[-1], Stopped)
    elif how == "client":
        void.process.kill()
        void.end()
    else:
        os.kill(server, signal.SIGKILL)
        assert void.end() == 1
        last = void.events[-1]
        assert isinstance(last, Failed) and "SIGKILL" in last.text and "resumes" in last.text
        assert void.errors.strip() == last.text
    until(lambda: not any(_alive(pid) for pid in alive), what="the end of the private server and its workers")
    until(lambda: not list((tmp_path / "t").iterdir()), what="an empty folder of temporary files")
    committed = {path: path.stat().st_mtime_ns for path in shot.folder.glob("out/.void/*/units/*/manifest.json")}
    assert committed
    gate.touch()
    again = Void(shot, environment, *more, engine="slow")
    assert again.end() == 0, again.errors
    assert again.frames() == set(shot.frames)
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in committed.items()), "nothing is done twice"


def _alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
