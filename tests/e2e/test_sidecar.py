"""From the bridge of a host to pixels: a real sidecar, real servers, and whatever can die on the way."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import soak
from servers import Server, processes_of, until
from shots import Shot, build_shot, run_in_process

from void_plugin.bridge import Sidecar
from void_plugin.errors import HostError, JobError, VoidError
from void_plugin.request import ImageInput, Output
from void_plugin.sidecarprocess import Limits
from void_plugin.v1 import job_service_pb2

FRAMES = 8
SECONDS = 120.0
Make = Callable[..., Sidecar]


@pytest.fixture
def shot(tmp_path: Path) -> Shot:
    return build_shot(tmp_path / "shot", count=FRAMES, size=(54, 96), pan=2)


@pytest.fixture
def environment(tmp_path: Path, void_python: str) -> dict[str, str]:
    """A user of their own, who knows the slow engine, with a folder for temporary files that is theirs."""
    (tmp_path / "t").mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VOID_")}
    config = soak.slow_environment(tmp_path)["VOID_CONFIG"]
    programs = {"VOID_PLUGIN_PYTHON": void_python, "VOID_SERVER_COMMAND": f'"{void_python}" -m void_server'}
    places = {"XDG_STATE_HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "t")}
    return {**kept, **programs, **places, "VOID_CONFIG": config, "VOID_WORKERS": "1"}


@pytest.fixture
def make(environment: dict[str, str]) -> Iterator[Make]:
    made: list[Sidecar] = []

    def sidecar(**more: Any) -> Sidecar:
        made.append(Sidecar(environment=environment, host="test 1.0", **more))
        return made[-1]

    yield sidecar
    for one in made:
        one.close(30)


@pytest.fixture
def sidecar(make: Make) -> Sidecar:
    return make()


@pytest.fixture
def server(tmp_path: Path, environment: dict[str, str]) -> Iterator[Server]:
    with soak.slow_server(tmp_path) as running:
        environment["VOID_SERVER"] = running.address
        environment["VOID_TOKEN_FILE"] = str(running.state / "token")
        yield running


class Node:
    """What a node in a host does with its sidecar, without the host."""

    def __init__(self, sidecar: Sidecar, shot: Shot, output: Path, engine: str = "recover", prompt: str = "") -> None:
        self.sidecar, self.shot, self.output = sidecar, shot, output
        self.engine, self.prompt = engine, prompt
        self.gate = shot.folder / "go"
        self.events: list[dict[str, Any]] = []
        self._ends: queue.SimpleQueue[tuple[Any, VoidError | None]] = queue.SimpleQueue()
        self.number = 0

    def prepare(self, **changes: Any) -> dict[str, Any]:
        args = {"output": str(self.output), "name": "VoidRemove1", "uuid": "u1", "script": "/shots/a.nk",
                "frames": str(self.shot.frames), "bytes": 100_000, "engine": self.engine, "server": "",
                "views": ["main"], "test": False, "kind": "remove"}  # fmt: skip
        prepared = self.sidecar.ask("prepare", {**args, **changes}, SECONDS)
        assert prepared["problems"] == [] and prepared["folder"], prepared
        return prepared

    def render(self, folder: Path) -> dict[str, Any]:
        """Inputs as a host renders them, and the request for them."""
        inputs = folder / "inputs" / "main"
        inputs.mkdir(parents=True)
        for frame in self.shot.frames:
            for pattern, name in ((self.shot.plate, "plate"), (self.shot.matte, "matte")):
                (inputs / f"{name}.{frame}.exr").write_bytes(Path(pattern % frame).read_bytes())
        request = self.shot.request(
            plate=ImageInput(f"{inputs}/plate.%04d.exr"),
            object_matte=ImageInput(f"{inputs}/matte.%04d.exr"),
            outputs=(Output("patch", f"{folder}/patch/VoidRemove1.%04d.exr"),),
            frames=self.shot.frames,
            shot_range=self.shot.frames,
            engine=self.engine,
            prompt=self.prompt,
        )
        return request.to_dict()

    def start(self, **changes: Any) -> Node:
        folder = Path(self.prepare()["folder"])
        self.request = self.render(folder)
        return self.call("start", folder=str(folder), kind="remove", requests={"main": self.request}, **changes)

    def call(self, name: str, **args: Any) -> Node:
        node = {"uuid": "u1", "name": "VoidRemove1", "script": "/shots/a.nk", "settings": {"seed": 7}, "version": 1}
        given = {"node": node, "facts": {"format": [96, 54]}, "server": "", **args}
        self.number = self.sidecar.call(
            name, given, lambda *end: self._ends.put(end), self.events.append  # type: ignore[arg-type]
        )  # fmt: skip
        return self

    def held(self) -> Node:
        """Start a job that stops in its middle until `go`, and wait for that."""
        self.engine, self.prompt = "slow", json.dumps({"at": self.shot.frames.first + 5, "until": str(self.gate)})
        self.start()
        until(lambda: [event for event in self.events if event["kind"] == "FrameReady"], SECONDS, "a first frame")
        return self

    def go(self) -> None:
        self.gate.touch()

    def attach(self, sidecar: Sidecar | None = None) -> dict[str, Any]:
        """Take the version up again, let it go on, and wait for its end."""
        again = Node(sidecar or self.sidecar, self.shot, self.output)
        again.call("attach", folder=str(self.folder), uuid="u1")
        until(lambda: again.events or not again.pending(), SECONDS, "a first event")
        self.go()
        manifest = again.manifest()
        self.events += again.events
        return manifest

    def pending(self) -> bool:
        return self._ends.empty()

    def end(self) -> tuple[Any, VoidError | None]:
        return self._ends.get(timeout=SECONDS)

    def manifest(self) -> dict[str, Any]:
        result, error = self.end()
        if error is not None:
            raise error
        return result["manifest"]

    @property
    def folder(self) -> Path:
        return self.output / "v001"

    def record(self) -> dict[str, Any]:
        return json.loads((self.folder / "job.json").read_text())

    def digests(self) -> dict[str, str]:
        return soak.digests(self.folder / "patch")


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """A folder whose name is none for a command line."""
    return tmp_path / "out put ü\nx"


def committed(folder: Path) -> dict[Path, int]:
    """When each finished unit was finished."""
    return {path: path.stat().st_mtime_ns for path in folder.glob("patch/.void/*/units/*/manifest.json")}


def rows(server: Server) -> list[Any]:
    with server.calls() as calls:
        return list(calls(calls.jobs.ListJobs, job_service_pb2.ListJobsRequest()).jobs)


def test_a_version_has_the_same_bytes_as_any_other_removal(
    sidecar: Sidecar, shot: Shot, output: Path, tmp_path: Path
) -> None:
    outputs = (Output("patch", shot.out("VoidRemove1", folder="alone")),)
    run_in_process(shot.request(outputs=outputs, frames=shot.frames, shot_range=shot.frames))
    node = Node(sidecar, shot, output).start()
    manifest = node.manifest()
    assert node.digests() == soak.digests(shot.folder / "alone") and len(node.digests()) == FRAMES
    assert manifest["engine"] == "recover" and manifest["frames"] == f"1001-{1000 + FRAMES}"
    shares = [manifest["summary"][name] for name in ("untouched", "recovered", "generated")]
    assert sum(shares) == pytest.approx(1.0, abs=1e-5)
    result = json.loads((node.folder / manifest["views"]["main"]["result"]).read_text())
    assert result["summary"] == manifest["summary"]
    assert {"Started", "Progressed", "FrameReady", "Finished"} <= {event["kind"] for event in node.events}
    frames = [event["path"] for event in node.events if event["kind"] == "FrameReady"]
    assert set(frames) == {f"{node.folder}/patch/VoidRemove1.{frame}.exr" for frame in shot.frames}
    assert not (node.folder / "inputs").exists() and list((tmp_path / "t").iterdir()) == []


def test_a_preview_shows_what_would_be_removed(sidecar: Sidecar, shot: Shot, output: Path) -> None:
    node = Node(sidecar, shot, output)
    folder = Path(node.prepare(kind="preview")["folder"])
    request = {**node.render(folder), "outputs": [{"kind": "comp", "pattern": f"{folder}/overlay.%04d.exr"}]}
    manifest = node.call("start", folder=str(folder), kind="preview", requests={"main": request}).manifest()
    assert manifest["views"]["main"]["overlay"] == "overlay.%04d.exr" and manifest["version"] == 0
    assert len(list(folder.glob("overlay.*.exr"))) == FRAMES and folder.name == "preview"


def test_versions_are_listed_read_and_deleted(sidecar: Sidecar, shot: Shot, output: Path) -> None:
    first = Node(sidecar, shot, output).start().manifest()
    second = Node(sidecar, shot, output).start().manifest()
    reserved = Node(sidecar, shot, output).prepare()
    listed = sidecar.ask("versions", {"output": str(output)}, SECONDS)["versions"]
    assert [(row["version"], row["state"]) for row in listed] == [(1, "done"), (2, "done"), (3, "reserved")]
    assert sidecar.ask("manifest", {"folder": listed[1]["folder"]}, SECONDS) == {"manifest": second}
    assert first["inputs"] == second["inputs"] and listed[0]["text"] == "100 % recovered"
    found = sidecar.ask("delete", {"output": str(output), "folders": [listed[0]["folder"]]}, SECONDS)
    assert found["deleted"] == [listed[0]["folder"]] and found["bytes"] == listed[0]["bytes"]
    sidecar.close(30)
    assert [path.name for path in output.iterdir()] == ["v002"] and not Path(reserved["folder"]).exists()


def test_a_cancelled_job_leaves_nothing_on_disk_and_nothing_running(
    sidecar: Sidecar, shot: Shot, output: Path, tmp_path: Path
) -> None:
    node = Node(sidecar, shot, output).held()
    running = processes_of(node.record()["pid"])
    assert len(running) > 1, "a private server and its worker"
    sidecar.cancel(node.number)
    assert node.end() == ({"cancelled": True}, None)
    assert list(output.iterdir()) == [] and list((tmp_path / "t").iterdir()) == []
    until(lambda: len([pid for pid in running if _alive(pid)]) == 1, what="the end of all but the sidecar")
    assert sidecar.ask("ping", {}, SECONDS) == {}


def test_a_killed_sidecar_is_told_and_its_private_job_taken_up_where_it_stopped(
    sidecar: Sidecar, shot: Shot, output: Path
) -> None:
    node = Node(sidecar, shot, output).held()
    pid = node.record()["pid"]
    others = [other for other in processes_of(pid) if other != pid]
    os.kill(pid, signal.SIGKILL)
    result, error = node.end()
    assert result is None and isinstance(error, HostError) and error.code == "host.sidecar"
    assert "SIGKILL" in error.message and node.record()["state"] == "running"
    until(lambda: not any(_alive(other) for other in others), what="the end of the private server")
    before = committed(node.folder)
    assert before
    assert node.attach()["version"] == 1
    assert len(node.digests()) == FRAMES and node.record()["state"] == "done"
    assert before.items() <= committed(node.folder).items(), "nothing is done twice"
    assert node.record()["pid"] != pid


def test_a_killed_sidecar_finds_its_job_on_a_server_again(
    server: Server, sidecar: Sidecar, shot: Shot, output: Path
) -> None:
    node = Node(sidecar, shot, output).held()
    os.kill(node.record()["pid"], signal.SIGKILL)
    node.end()
    manifest = node.attach()
    (row,) = rows(server)
    assert manifest["version"] == 1 and {event["job"] for event in node.events if event["job"]} == {row.job_id}
    assert len(node.digests()) == FRAMES and not (node.folder / "inputs").exists()


def test_a_killed_server_that_comes_back_is_nobodys_business(
    server: Server, sidecar: Sidecar, shot: Shot, output: Path
) -> None:
    node = Node(sidecar, shot, output).held()
    server.kill()
    node.go()
    server.start()
    assert node.manifest()["version"] == 1 and len(node.digests()) == FRAMES and len(rows(server)) == 1


def test_a_host_that_goes_leaves_private_jobs_to_be_resumed(
    make: Make, sidecar: Sidecar, shot: Shot, output: Path, tmp_path: Path
) -> None:
    node = Node(sidecar, shot, output).held()
    running = processes_of(node.record()["pid"])
    sidecar.close(60)
    assert not any(_alive(pid) for pid in running) and list((tmp_path / "t").iterdir()) == []
    assert node.record()["state"] == "running"
    before = committed(node.folder)
    assert node.attach(make())["version"] == 1
    assert before.items() <= committed(node.folder).items() and len(node.digests()) == FRAMES


def test_a_host_that_goes_leaves_jobs_on_servers_running(
    server: Server, make: Make, sidecar: Sidecar, shot: Shot, output: Path
) -> None:
    node = Node(sidecar, shot, output).held()
    sidecar.close(60)
    (row,) = rows(server)
    assert not row.ended_at.seconds, "it was not cancelled"
    assert node.attach(make())["version"] == 1
    assert [found.job_id for found in rows(server)] == [row.job_id] and len(node.digests()) == FRAMES


def test_a_cancelled_job_on_a_server_is_cancelled_there(
    server: Server, sidecar: Sidecar, shot: Shot, output: Path
) -> None:
    node = Node(sidecar, shot, output).held()
    sidecar.cancel(node.number)
    assert node.end() == ({"cancelled": True}, None)
    (row,) = rows(server)
    assert row.ended_at.seconds and not row.error_code and list(output.iterdir()) == []


def test_a_job_that_fails_says_why_and_is_run_again_where_it_stopped(
    sidecar: Sidecar, shot: Shot, output: Path, tmp_path: Path
) -> None:
    (tmp_path / "marks").mkdir()
    told = json.dumps({"do": "error", "at": 1006, "marks": str(tmp_path / "marks"), "times": 1})
    node = Node(sidecar, shot, output, "slow", told).start()
    result, error = node.end()
    assert result is None and isinstance(error, JobError) and "the engine is broken" in error.message
    assert node.record()["state"] == "failed" and (node.folder / "inputs").exists()
    before = committed(node.folder)
    with pytest.raises(JobError, match="the engine is broken"):
        node.attach()
    again = Node(sidecar, shot, output).call("attach", folder=str(node.folder), uuid="u1", again=True)
    assert again.manifest()["version"] == 1 and before.items() <= committed(node.folder).items()


@pytest.mark.slow
def test_a_sidecar_that_is_killed_again_and_again_still_gets_there(
    make: Make, shot: Shot, output: Path, tmp_path: Path
) -> None:
    moments = random.Random(6)
    node = Node(make(limits=Limits(early=0.0)), shot, output, "slow", '{"step": 0.05}')
    node.start()
    for _ in range(6):
        time.sleep(moments.uniform(0.0, 1.2))
        os.kill(until(sidecars, what="a sidecar")[0], signal.SIGKILL)
        result, error = node.end()
        if result is not None:  # it was done before
            break
        assert isinstance(error, HostError) and error.code == "host.sidecar", error
        if node.record()["state"] == "reserved":  # killed before it had begun
            node.call("start", folder=str(node.folder), kind="remove", requests={"main": node.request})
        else:
            node.call("attach", folder=str(node.folder), uuid="u1")
    else:
        assert node.manifest()["version"] == 1
    assert len(node.digests()) == FRAMES and not (node.folder / "inputs").exists()
    until(lambda: list((tmp_path / "t").iterdir()) == [], what="the end of every private server")
    assert not [path for path in node.folder.rglob("*") if path.name.endswith((".tmp", ".part"))]


def test_the_second_start_in_one_folder_is_refused(make: Make, sidecar: Sidecar, shot: Shot, output: Path) -> None:
    node = Node(sidecar, shot, output).held()
    other = Node(make(), shot, output)
    other.call("start", folder=str(node.folder), kind="remove", requests=node.record()["requests"])
    result, error = other.end()
    assert result is None and isinstance(error, HostError) and error.code == "host.taken"
    node.go()
    assert node.manifest()["version"] == 1


def sidecars() -> list[int]:
    """The live sidecars of this process."""
    found = []
    for pid in processes_of(os.getpid()):
        with contextlib.suppress(OSError):
            if b"void_plugin.sidecar" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found


def _alive(pid: int) -> bool:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    return False
