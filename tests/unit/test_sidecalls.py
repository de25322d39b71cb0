"""What a host can ask, answered in this process: a fake server over real gRPC, real files and folders."""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes.fake_services import MAGIC, TOKEN, FakeJob, FakeServer, well
from servers import until

from void_plugin import claim, preparation, sidecalls
from void_plugin.claim import claimed
from void_plugin.desk import Desk
from void_plugin.errors import Cancelled, FrameError, HostError, JobError, RequestError, ServerError
from void_plugin.events import Event, Failed, FrameReady, Progressed
from void_plugin.frames import FrameRange
from void_plugin.hostcall import HostCall
from void_plugin.jobrecord import JobRecord
from void_plugin.manifest import read_manifest
from void_plugin.request import ImageInput, Output, RemovalRequest
from void_plugin.sidecalls import CALLS
from void_plugin.viewrun import Throttle

ROOT = Path(__file__).parents[2]
PROGRAM = f'"{sys.executable}" "{ROOT / "tests" / "fakes" / "fake_services.py"}"'
FRAMES = FrameRange(1001, 1004)
SECONDS = 60.0


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    state = tmp_path / "state" / "void_plugin"
    state.mkdir(parents=True)
    (state / "token").write_text(TOKEN)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VOID_")}
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    places = {"XDG_STATE_HOME": str(tmp_path / "state"), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    return {**kept, "PYTHONPATH": path, **places, "VOID_SERVER_COMMAND": PROGRAM}


@pytest.fixture
def desk(environment: dict[str, str]) -> Desk:
    """On a machine without a configured server."""
    return Desk(environment)


@pytest.fixture
def server(tmp_path: Path, environment: dict[str, str]) -> Iterator[FakeServer]:
    """A server, which the environment names."""
    with FakeServer(roots=(str(tmp_path),)) as running:
        environment["VOID_SERVER"] = running.address
        yield running
        for job in running.jobs.values():
            job.cancelled = True


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a folder to become free."""
    monkeypatch.setattr(claim, "PATIENCE_SECONDS", 0.0)


class Asked:
    """One call that runs in a thread."""

    def __init__(self, desk: Desk, name: str, /, **args: Any) -> None:
        self.events: list[dict[str, Any]] = []
        self.call = HostCall(name, args, self.events.append, lambda *_: {})
        self._result: Future[dict[str, Any]] = Future()
        threading.Thread(target=self._run, args=(desk, name), daemon=True).start()

    def _run(self, desk: Desk, name: str) -> None:
        try:
            self._result.set_result(CALLS[name](desk, self.call))
        except BaseException as error:
            self._result.set_exception(error)

    def end(self) -> dict[str, Any]:
        return self._result.result(SECONDS)

    def until(self, kind: str) -> dict[str, Any]:
        return until(lambda: self.of(kind), what=kind)[0]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["kind"] == kind]


def ask(desk: Desk, name: str, /, **args: Any) -> dict[str, Any]:
    return Asked(desk, name, **args).end()


def prepare(desk: Desk, output: Path, /, **changes: Any) -> dict[str, Any]:
    node = {"name": "VoidRemove1", "uuid": "u1", "script": "/shots/a.nk", "engine": "recover", "server": ""}
    args = {"output": str(output), "frames": str(FRAMES), "bytes": 1000, "views": ["main"], "kind": "remove"}
    return ask(desk, "prepare", **{**node, **args, "test": False, **changes})


def rendered(folder: Path, view: str = "main", /, prompt: str = "", **changes: Any) -> dict[str, Any]:
    """The request of a view whose inputs a host has just rendered."""
    inputs = folder / "inputs" / view
    inputs.mkdir(parents=True)
    for name in ("plate", "matte"):
        for frame in FRAMES:
            (inputs / f"{name}.{frame}.exr").write_bytes(MAGIC + f"{name} {view} {frame}".encode() * 100)
    values: dict[str, Any] = {
        "plate": ImageInput(f"{inputs}/plate.%04d.exr"),
        "object_matte": ImageInput(f"{inputs}/matte.%04d.exr"),
        "outputs": (Output("patch", f"{folder}/patch/{view}/VoidRemove1.%04d.exr"),),
        "frames": FRAMES,
        "shot_range": FRAMES,
        "engine": "recover",
        "prompt": prompt,
    }
    return RemovalRequest(**{**values, **changes}).to_dict()


def started(desk: Desk, output: Path, views: tuple[str, ...] = ("main",), **changes: Any) -> Asked:
    """A reserved folder, rendered inputs, and the job begun."""
    folder = Path(prepare(desk, output)["folder"])
    requests = {view: rendered(folder, view, **changes) for view in views}
    return begun(desk, folder, requests)


def begun(desk: Desk, folder: Path, requests: dict[str, Any], **changes: Any) -> Asked:
    node = {"uuid": "u1", "name": "VoidRemove1", "script": "/shots/a.nk", "settings": {"seed": 7}, "version": 1}
    facts = {"format": [1920, 1080], "pixel_aspect": 1.0, "working_space": "ACEScg", "ocio": ""}
    args = {"folder": str(folder), "kind": "remove", "requests": requests, "node": node, "facts": facts, "server": ""}
    return Asked(desk, "start", **{**args, **changes})


def holding(hold: threading.Event) -> Callable[[FakeJob], Iterator[Event]]:
    """A job that waits after its first frame until it may go on."""

    def script(job: FakeJob) -> Iterator[Event]:
        for event in well(job):
            yield event
            if isinstance(event, FrameReady):
                job.wait(hold.is_set, SECONDS)

    return script


# -- prepare and release ------------------------------------------------------------------------------------------


def test_preparing_reserves_the_next_version_and_releasing_gives_it_back(desk: Desk, tmp_path: Path) -> None:
    output = tmp_path / "new" / "out ü"
    found = prepare(desk, output)
    assert found == {"problems": [], "version": 1, "folder": f"{output}/v001"}
    record = JobRecord.load(output / "v001")
    assert (record.state, record.uuid, record.version, record.frames) == ("reserved", "u1", 1, "1001-1004")
    assert prepare(desk, output)["version"] == 2
    assert ask(desk, "release", folder=found["folder"]) == {} and not (output / "v001").exists()
    assert ask(desk, "release", folder=found["folder"]) == {}
    assert desk.leave() == {output / "v002"}, "what is left at the end of the host"


def test_a_test_frame_and_a_preview_have_folders_of_their_own(desk: Desk, tmp_path: Path) -> None:
    assert prepare(desk, tmp_path, test=True) == {"problems": [], "version": 0, "folder": f"{tmp_path}/test"}
    (tmp_path / "test" / "old.exr").touch()
    assert prepare(desk, tmp_path, test=True)["folder"] == f"{tmp_path}/test"
    assert not (tmp_path / "test" / "old.exr").exists()
    preview = prepare(desk, tmp_path, kind="preview", engine="void")
    assert preview == {"problems": [], "version": 0, "folder": f"{tmp_path}/preview"}, "no engine need run for it"
    assert prepare(desk, tmp_path)["version"] == 1


def test_all_problems_are_told_at_once_and_nothing_is_made(desk: Desk, tmp_path: Path) -> None:
    found = prepare(desk, tmp_path / "a" / "b", bytes=10**18, engine="void")
    assert [problem["level"] for problem in found["problems"]] == ["error", "error"]
    assert "too full: the inputs need about 1000000000.0 GB" in found["problems"][0]["text"]
    assert "The engine void does not exist on this machine; choose one of recover" in found["problems"][1]["text"]
    assert (found["folder"], found["version"]) == ("", 0) and not (tmp_path / "a").exists()
    (tmp_path / "mine").mkdir()
    prepare(desk, tmp_path / "mine", engine="void")
    assert (tmp_path / "mine").exists() and not list((tmp_path / "mine").iterdir())


@pytest.mark.parametrize("changes", [{}, {"test": True}])
def test_an_output_folder_that_somebody_takes_back_as_empty_is_made_again(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    asks: list[Asked] = []  # of who is cancelled
    let_go = threading.Event()

    def check_server(environment: Any, call: HostCall, problems: Any) -> None:
        if call.text("name", "") != "VoidRemove1":
            let_go.wait(SECONDS)
            return
        asks[0].call.cancel()
        let_go.set()
        with pytest.raises(Cancelled):
            asks[0].end()
        assert not (tmp_path / "out").exists()

    monkeypatch.setattr(preparation, "_check_server", check_server)
    asks.append(Asked(desk, "prepare", output=str(tmp_path / "out"), frames=str(FRAMES), bytes=1000))
    until((tmp_path / "out").exists, what="their folder")
    found = prepare(desk, tmp_path / "out", **changes)
    assert found["problems"] == [] and Path(found["folder"]).is_dir()


def test_little_room_is_only_worth_a_warning(desk: Desk, tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    found = prepare(desk, tmp_path / "out", bytes=int(free / 1.5))
    assert [problem["level"] for problem in found["problems"]] == ["warning"] and found["version"] == 1
    assert "nearly full" in found["problems"][0]["text"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"output": ""}, "must be a whole path"),
        ({"output": "renders/out"}, "must be a whole path"),
        ({"output": "/tmp/\udcff"}, "a name that is no text"),
        ({"frames": "1004-1001"}, "runs backwards"),
        ({"frames": "all"}, "is not a frame range"),
        ({"server": "box:99:99"}, "is not the address of a server"),
        ({"server": "127.0.0.1:1"}, "127.0.0.1:1"),
    ],
)
def test_what_cannot_be_begun_says_why(desk: Desk, tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    found = prepare(desk, tmp_path / "out", **changes)
    assert any(words in problem["text"] for problem in found["problems"]) and found["folder"] == ""
    assert not (tmp_path / "out").exists()


def test_an_output_folder_that_is_a_file_or_in_one_is_named(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place, words in ((tmp_path / "file", "is a file"), (tmp_path / "file" / "deep" / "er", "lie in a file")):
        (problem,) = prepare(desk, place)["problems"]
        assert str(place) in problem["text"] and words in problem["text"]


def test_an_output_folder_that_may_not_be_written_is_named(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    if os.access(tmp_path / "locked", os.W_OK):
        pytest.skip("nothing is forbidden to this user")
    (problem,) = prepare(desk, tmp_path / "locked")["problems"]
    assert "Cannot write into" in problem["text"]


def test_a_machine_without_void_server_says_how_to_get_it(desk: Desk, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setitem(desk.environment, "VOID_SERVER_COMMAND", "/no/such/void-server")
    (problem,) = prepare(desk, tmp_path / "out")["problems"]
    assert "void-server cannot be started as /no/such/void-server" in problem["text"]


def test_an_engine_that_the_server_cannot_run_says_why(desk: Desk, server: FakeServer, tmp_path: Path) -> None:
    (problem,) = prepare(desk, tmp_path, engine="void")["problems"]
    assert problem["text"] == f"The engine void cannot run on the server {server.address}: There is no GPU."
    assert prepare(desk, tmp_path, engine="auto")["problems"] == []


def test_what_is_prepared_for_nobody_is_given_back(desk: Desk, tmp_path: Path) -> None:
    cancelled = Asked(desk, "prepare", output=str(tmp_path / "out"), frames="1001", bytes=0)
    cancelled.call.cancel()
    with pytest.raises(Cancelled):
        cancelled.end()
    desk.leave()
    with pytest.raises(Cancelled):
        prepare(desk, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nothing_is_prepared_after_the_wish_to_stop(desk: Desk, tmp_path: Path, monkeypatch: Any) -> None:
    asked: list[HostCall] = []
    told = preparation.ask

    def cancelled_meanwhile(*args: Any) -> Any:
        asked[0].cancel()
        return told(*args)

    monkeypatch.setattr(preparation, "ask", cancelled_meanwhile)
    args = {"output": str(tmp_path / "out"), "frames": "1001", "bytes": 0}
    asked.append(HostCall("prepare", args, lambda _: None, lambda *_: {}))
    with pytest.raises(Cancelled):
        CALLS["prepare"](desk, asked[0])


# -- inputs -------------------------------------------------------------------------------------------------------


def test_the_first_frame_that_is_not_there_is_named(desk: Desk, tmp_path: Path) -> None:
    rendered(tmp_path)
    pattern = f"{tmp_path}/inputs/main/plate.%04d.exr"
    files = {"plate": [pattern, "1001-1004"], "matte": [f"{tmp_path}/inputs/main/matte.%04d.exr", "1001-1004"]}
    assert ask(desk, "check_inputs", folder=str(tmp_path), files=files) == {}
    (tmp_path / "inputs/main/matte.1003.exr").write_bytes(b"")
    with pytest.raises(FrameError, match=r"The matte .*matte\.1003\.exr is empty; look whether the disk is full"):
        ask(desk, "check_inputs", folder=str(tmp_path), files=files)
    (tmp_path / "inputs/main/plate.1002.exr").unlink()
    with pytest.raises(FrameError, match=r"The plate .*plate\.1002\.exr is missing; render the inputs again"):
        ask(desk, "check_inputs", folder=str(tmp_path), files=files)
    (tmp_path / "inputs/main/plate.1001.exr").unlink()
    (tmp_path / "inputs/main/plate.1001.exr").mkdir()
    with pytest.raises(FrameError, match=r"plate\.1001\.exr cannot be read: Is a directory"):
        ask(desk, "check_inputs", folder=str(tmp_path), files=files)
    with pytest.raises(HostError, match="must be a pattern and a frame range, not 3"):
        ask(desk, "check_inputs", folder=str(tmp_path), files={"plate": 3})


@pytest.mark.parametrize(("how", "words"), [("missing", "lacks frames 1002"), ("empty", "is empty")])
def test_a_job_does_not_begin_without_all_its_inputs(
    desk: Desk, server: FakeServer, tmp_path: Path, how: str, words: str
) -> None:
    folder = Path(prepare(desk, tmp_path)["folder"])
    requests = {"main": rendered(folder)}
    path = folder / "inputs/main/matte.1002.exr"
    path.unlink() if how == "missing" else path.write_bytes(b"")
    with pytest.raises(FrameError, match=words):
        begun(desk, folder, requests).end()
    assert not server.jobs and JobRecord.load(folder).state == "failed" and (folder / "inputs").exists()


# -- start --------------------------------------------------------------------------------------------------------


def test_a_job_becomes_a_version(desk: Desk, server: FakeServer, tmp_path: Path) -> None:
    job = started(desk, tmp_path)
    manifest = job.end()["manifest"]
    folder = tmp_path / "v001"
    assert manifest == read_manifest(folder) == ask(desk, "manifest", folder=str(folder))["manifest"]
    view = manifest["views"]["main"]
    assert view["patch"] == "patch/main/VoidRemove1.%04d.exr" and view["cleanplate"] == view["overlay"] == ""
    assert (folder / view["result"]).is_file()
    assert manifest["settings"] == {"seed": 7} and manifest["node"]["uuid"] == "u1" and manifest["version"] == 1
    assert manifest["facts"]["working_space"] == "ACEScg" and manifest["frames"] == "1001-1004"
    assert manifest["warnings"] == [
        {"view": "main", "code": "request.matte_empty", "frame": 1003, "text": "The matte is empty."}
    ]
    assert manifest["summary"]["recovered"] == 0.08 and manifest["seconds"] >= 0
    assert len(manifest["inputs"]["digest"]) == 64 and not (folder / "inputs").exists()
    assert JobRecord.load(folder).state == "done" and len(job.of("FrameReady")) == len(FRAMES)
    assert {event["view"] for event in job.events} == {"main"} and desk.leave() == set()
    assert [row["state"] for row in ask(desk, "versions", output=str(tmp_path))["versions"]] == ["done"]
    assert ask(desk, "delete", output=str(tmp_path), folders=[str(folder)])["deleted"] == [str(folder)]


def test_the_same_inputs_have_the_same_digest_and_others_another(
    desk: Desk, server: FakeServer, tmp_path: Path
) -> None:
    plate = tmp_path / "plate.exr"
    plate.write_bytes(MAGIC + b"the photographed one")
    digests = []
    for change in ("none", "none", "matte", "plate"):
        folder = Path(prepare(desk, tmp_path / "out")["folder"])
        requests = {"main": rendered(folder, plate=ImageInput(str(plate)), frames=FrameRange(1001, 1001))}
        if change == "matte":
            (folder / "inputs/main/matte.1004.exr").write_bytes(MAGIC + b"other")
            (folder / "inputs/main/matte.1001.exr").write_bytes(MAGIC + b"other")
        if change == "plate":
            plate.write_bytes(MAGIC + b"another one")
        digests.append(begun(desk, folder, requests).end()["manifest"]["inputs"]["digest"])
    assert digests[0] == digests[1] and len(set(digests)) == 3


def test_views_run_one_after_the_other_and_share_the_progress(
    desk: Desk, server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("void_plugin.viewrun.TELL_SECONDS", 0.0)
    job = started(desk, tmp_path, ("left", "right"))
    manifest = job.end()["manifest"]
    assert set(manifest["views"]) == {"left", "right"} and len(manifest["warnings"]) == 2
    assert manifest["views"]["right"]["patch"] == "patch/right/VoidRemove1.%04d.exr"
    views = [event["view"] for event in job.events]
    assert views == sorted(views), "left before right"
    fractions = [event["fraction"] for event in job.of("Progressed")]
    assert fractions == [pytest.approx(number / 8) for number in range(8)]


def test_progress_is_told_a_few_times_a_second_and_everything_else_always() -> None:
    now = 100.0
    throttle = Throttle(0.2, lambda: now)
    passed = []
    for tick in range(100):
        now = 100.0 + tick * 0.01
        passed.append(throttle.passes())
    assert sum(passed) == 5 and passed[0]


def test_what_a_killed_sidecar_was_writing_is_gone_from_a_finished_version(
    desk: Desk, server: FakeServer, tmp_path: Path
) -> None:
    folder = Path(prepare(desk, tmp_path)["folder"])
    requests = {"main": rendered(folder)}
    job_folder = folder / "patch" / "main" / ".void" / "VoidRemove1"
    job_folder.mkdir(parents=True)
    left = [folder / ".job.json-abcd_f12.77.tmp", job_folder / ".request.json-abcdefgh.78.tmp"]
    for path in left:
        path.touch()
    begun(desk, folder, requests).end()
    assert not any(path.exists() for path in left)
    left[0].touch()
    with claimed(folder, "somebody who is just writing it"):
        ask(desk, "attach", folder=str(folder), uuid="u1")
        assert left[0].exists()
    ask(desk, "attach", folder=str(folder), uuid="u1")
    assert not left[0].exists()


def test_fast_progress_is_thinned_out(desk: Desk, server: FakeServer, tmp_path: Path) -> None:
    def script(job: FakeJob) -> Iterator[Event]:
        for event in well(job):
            if isinstance(event, FrameReady):
                for step in range(200):
                    yield Progressed(step="solve", fraction=step / 200)
            yield event

    server.script = script
    job = started(desk, tmp_path)
    manifest = job.end()["manifest"]
    assert len(job.of("Progressed")) <= 2 + 5 * manifest["seconds"] and len(job.of("FrameReady")) == len(FRAMES)


@pytest.mark.parametrize(
    ("changes", "kind", "error", "words"),
    [
        (
            {"outputs": (Output("patch", "/elsewhere/a.%04d.exr"),)},
            "remove",
            HostError,
            "must lie in its version folder",
        ),
        ({"outputs": (Output("comp", "FOLDER/../a.%04d.exr"),)}, "remove", HostError, "must lie in its version folder"),
        ({"outputs": (Output("comp", "FOLDER/a.%04d.png"),)}, "remove", RequestError, "is not an EXR"),
        ({"outputs": ()}, "remove", RequestError, "names no output"),
        ({"object_matte": None}, "remove", RequestError, "no object matte"),
        ({}, "dance", HostError, "no kind of job called 'dance'"),
    ],
)
def test_a_request_that_cannot_be_met_leaves_the_folder_reserved(
    desk: Desk, tmp_path: Path, changes: dict[str, Any], kind: str, error: type[Exception], words: str
) -> None:
    folder = Path(prepare(desk, tmp_path)["folder"])
    if changes.get("outputs"):
        (output,) = changes["outputs"]
        changes = {"outputs": (replace(output, pattern=output.pattern.replace("FOLDER", str(folder))),)}
    with pytest.raises(error, match=words):
        begun(desk, folder, {"main": rendered(folder, **changes)}, kind=kind).end()
    assert JobRecord.load(folder).state == "reserved" and desk.leave() == {folder}


def test_a_request_with_a_misspelt_key_names_key_and_view(desk: Desk, tmp_path: Path) -> None:
    folder = Path(prepare(desk, tmp_path)["folder"])
    with pytest.raises(RequestError, match="The request of the view left has the unknown key 'promt'"):
        begun(desk, folder, {"left": {**rendered(folder), "promt": "x"}}).end()
    with pytest.raises(HostError, match="no view"):
        begun(desk, folder, {}).end()
    with pytest.raises(HostError, match=r"has no job\.json"):
        begun(desk, tmp_path, {"main": {}}).end()


def test_a_preview_becomes_a_manifest_too(desk: Desk, server: FakeServer, tmp_path: Path) -> None:
    folder = Path(prepare(desk, tmp_path, kind="preview")["folder"])
    request = rendered(folder, outputs=(Output("comp", f"{folder}/overlay.%04d.png"),))
    manifest = begun(desk, folder, {"main": request}, kind="preview").end()["manifest"]
    assert manifest["kind"] == "preview" and manifest["version"] == 0
    assert manifest["views"]["main"] == {"patch": "", "cleanplate": "", "overlay": "overlay.%04d.png", "result": ""}
    assert server.job().kind == "preview" and (folder / "overlay.1001.png").exists()


def test_a_clean_plate_beside_the_patch_is_named(desk: Desk, server: FakeServer, tmp_path: Path) -> None:
    folder = Path(prepare(desk, tmp_path)["folder"])
    outputs = (Output("patch", f"{folder}/patch/a.%04d.exr"), Output("comp", f"{folder}/cleanplate/a.%04d.exr"))
    view = begun(desk, folder, {"main": rendered(folder, outputs=outputs)}).end()["manifest"]["views"]["main"]
    assert view["cleanplate"] == "cleanplate/a.%04d.exr" and (folder / "cleanplate" / "a.1004.exr").exists()


def test_a_job_that_fails_keeps_its_folder_and_says_why(desk: Desk, server: FakeServer, tmp_path: Path) -> None:
    server.script = lambda job: iter([Failed(code="job.memory", text="Memory ran out; lower workers.")])
    with pytest.raises(JobError, match="Memory ran out"):
        started(desk, tmp_path).end()
    record = JobRecord.load(tmp_path / "v001")
    assert record.state == "failed" and record.error["code"] == "job.memory" and (tmp_path / "v001/inputs").exists()
    (row,) = ask(desk, "versions", output=str(tmp_path))["versions"]
    assert (row["state"], row["text"]) == ("failed", "Memory ran out; lower workers.")
    with pytest.raises(JobError, match="Memory ran out"):
        ask(desk, "attach", folder=str(tmp_path / "v001"), uuid="u1")
    server.script = well
    again = ask(desk, "attach", folder=str(tmp_path / "v001"), uuid="u1", again=True)
    assert again["manifest"]["version"] == 1


def test_a_server_that_is_away_fails_the_job(desk: Desk, server: FakeServer, tmp_path: Path) -> None:
    folder = Path(prepare(desk, tmp_path)["folder"])
    requests = {"main": rendered(folder)}
    server.stop()
    with pytest.raises(ServerError, match=server.address):
        begun(desk, folder, requests).end()
    assert JobRecord.load(folder).error["code"] == "server.unavailable"


def test_only_one_works_in_a_folder(desk: Desk, server: FakeServer, tmp_path: Path) -> None:
    hold = threading.Event()
    server.script = holding(hold)
    job = started(desk, tmp_path)
    job.until("FrameReady")
    folder = tmp_path / "v001"
    requests = dict(JobRecord.load(folder).requests)
    for other in (begun(desk, folder, requests), Asked(desk, "attach", folder=str(folder), uuid="u1")):
        with pytest.raises(HostError, match="worked on by") as caught:
            other.end()
        assert caught.value.code == "host.taken"
    with pytest.raises(HostError, match="it is running; it was kept"):
        ask(desk, "release", folder=str(folder))
    assert "being worked on" in ask(desk, "delete", output=str(tmp_path), folders=[str(folder)])["kept"][0]["text"]
    hold.set()
    job.end()
    (folder / "manifest.json").unlink()
    with pytest.raises(HostError, match="is done already; run the node again"):
        begun(desk, folder, requests).end()


# -- cancelling and leaving ---------------------------------------------------------------------------------------


def test_a_cancelled_job_stops_on_the_server_and_leaves_nothing(desk: Desk, server: FakeServer, tmp_path: Path) -> None:
    server.script = holding(threading.Event())
    job = started(desk, tmp_path / "out")
    job.until("FrameReady")
    job.call.cancel()
    with pytest.raises(Cancelled):
        job.end()
    assert server.job().state == "cancelled" and list((tmp_path / "out").iterdir()) == []


def test_a_job_can_be_cancelled_before_it_has_begun(desk: Desk, server: FakeServer, tmp_path: Path) -> None:
    folder = Path(prepare(desk, tmp_path / "out")["folder"])
    args = {"folder": str(folder), "requests": {"main": rendered(folder)}, "node": {}}
    call = HostCall("start", args, lambda _: None, lambda *_: {})
    call.cancel()
    with pytest.raises(Cancelled):
        CALLS["start"](desk, call)
    assert list((tmp_path / "out").iterdir()) == [] and not server.jobs


def test_a_server_that_does_not_stop_is_left_by_who_cancels_twice(
    desk: Desk, server: FakeServer, tmp_path: Path
) -> None:
    hold = threading.Event()

    def stubborn(job: FakeJob) -> Iterator[Event]:
        for event in well(job):
            yield event
            if isinstance(event, FrameReady):
                hold.wait(SECONDS)

    server.script = stubborn
    job = started(desk, tmp_path / "out")
    job.until("FrameReady")
    job.call.cancel()
    job.call.cancel()
    try:
        with pytest.raises(Cancelled):
            job.end()
        assert list((tmp_path / "out").iterdir()) == []
    finally:
        hold.set()  # the server goes on, and makes the folder of its next frame again


def test_a_host_that_goes_leaves_its_job_on_the_server_where_it_is_found_again(
    desk: Desk, server: FakeServer, tmp_path: Path
) -> None:
    hold = threading.Event()
    server.script = holding(hold)
    job = started(desk, tmp_path, ("left", "right"))
    job.until("FrameReady")
    job.call.leave()
    with pytest.raises(Cancelled):
        job.end()
    record = JobRecord.load(tmp_path / "v001")
    assert record.state == "running" and server.job().state == "running"
    assert [row["state"] for row in ask(desk, "versions", output=str(tmp_path))["versions"]] == ["running"]
    again = Asked(desk, "attach", folder=str(tmp_path / "v001"), uuid="u1")
    again.until("FrameReady")
    hold.set()
    manifest = again.end()["manifest"]
    assert set(manifest["views"]) == {"left", "right"} and len(server.jobs) == 2, "left was not begun anew"
    assert len([event for event in again.of("FrameReady") if event["view"] == "left"]) == len(FRAMES)
    at_once = Asked(desk, "attach", folder=str(tmp_path / "v001"), uuid="u1")
    assert at_once.end() == {"manifest": manifest} and at_once.events == [] and len(server.jobs) == 2


def test_views_that_have_finished_are_not_done_again(desk: Desk, server: FakeServer, tmp_path: Path) -> None:
    def script(job: FakeJob) -> Iterator[Event]:
        if job.request.view == "right":
            yield Failed(code="job.crashed", text="The solver met a singular matrix.")
            return
        yield from well(job)

    server.script = script
    folder = Path(prepare(desk, tmp_path)["folder"])
    requests = {view: rendered(folder, view, view=view) for view in ("left", "right")}
    with pytest.raises(JobError, match="singular"):
        begun(desk, folder, requests).end()
    server.script = well
    again = Asked(desk, "attach", folder=str(folder), uuid="u1", again=True)
    assert set(again.end()["manifest"]["views"]) == {"left", "right"} and len(server.jobs) == 3
    assert {event["view"] for event in again.events} == {"right"}


# -- attach -------------------------------------------------------------------------------------------------------


def test_only_ones_own_jobs_that_were_begun_are_taken_up(desk: Desk, tmp_path: Path) -> None:
    folder = Path(prepare(desk, tmp_path)["folder"])
    record = JobRecord.load(folder)
    for change, words, code in (
        ({}, "Nothing was started in", "host.folder"),
        ({"state": "running", "user": "bob", "machine": "box9"}, "a job of bob on box9; only they", "host.taken"),
        ({"state": "running", "node": {"uuid": "u9"}}, "belongs to another node", "host.folder"),
    ):
        replace(record, **change).save(folder)  # type: ignore[arg-type]
        with pytest.raises(HostError, match=words) as caught:
            ask(desk, "attach", folder=str(folder), uuid="u1")
        assert caught.value.code == code
    record.save(folder)
    assert ask(desk, "attach", folder=str(folder), uuid="u1", reserved=True) == {"reserved": True}
    replace(record, user="bob", machine="box9").save(folder)
    with pytest.raises(HostError, match="a job of bob on box9"):
        begun(desk, folder, {"main": rendered(folder)}).end()
    (folder / "job.json").write_text('{"schema": 1, "sta')
    with pytest.raises(HostError, match="damaged"):
        ask(desk, "attach", folder=str(folder), uuid="u1")
    (folder / "job.json").write_text('{"schema": 99}')
    with pytest.raises(HostError, match="newer void_plugin") as caught:
        ask(desk, "attach", folder=str(folder), uuid="u1")
    assert caught.value.code == "host.newer"
    with pytest.raises(HostError, match=r"has no job\.json"):
        ask(desk, "attach", folder=str(tmp_path / "v077"), uuid="u1")


def test_a_version_of_somebody_else_is_shown_to_everybody(desk: Desk, server: FakeServer, tmp_path: Path) -> None:
    manifest = started(desk, tmp_path).end()["manifest"]
    folder = tmp_path / "v001"
    replace(JobRecord.load(folder), user="bob").save(folder)
    (folder / "inputs").mkdir()
    assert ask(desk, "attach", folder=str(folder), uuid="u1") == {"manifest": manifest}
    assert not (folder / "inputs").exists(), "what a sidecar left that died just before"


def test_a_job_stays_with_the_server_that_has_it(
    desk: Desk, server: FakeServer, environment: dict[str, str], tmp_path: Path
) -> None:
    server.script = holding(hold := threading.Event())
    job = started(desk, tmp_path)
    job.until("FrameReady")
    job.call.leave()
    with pytest.raises(Cancelled):
        job.end()
    environment["VOID_SERVER"] = "127.0.0.1:1"
    again = Asked(desk, "attach", folder=str(tmp_path / "v001"), uuid="")
    again.until("FrameReady")
    hold.set()
    assert again.end()["manifest"]["version"] == 1 and len(server.jobs) == 1


# -- private servers ----------------------------------------------------------------------------------------------


def test_jobs_on_this_machine_run_one_at_a_time_and_those_on_servers_at_once(
    desk: Desk, environment: dict[str, str], tmp_path: Path
) -> None:
    first = started(desk, tmp_path / "a", prompt=f"until {tmp_path}/go")
    first.until("FrameReady")
    others = [started(desk, tmp_path / "b"), started(desk, tmp_path / "c")]
    for place, other in enumerate(others):
        assert other.until("Queued")["position"] == place and other.of("Started") == []
    with FakeServer(roots=(str(tmp_path),)) as server:
        folder = Path(prepare(desk, tmp_path / "d", server=server.address)["folder"])
        far = begun(desk, folder, {"main": rendered(folder)}, server=server.address)
        assert far.end()["manifest"]["version"] == 1
        assert JobRecord.load(folder).server == server.address
    others[1].call.cancel()
    with pytest.raises(Cancelled):
        others[1].end()
    (tmp_path / "go").touch()
    assert first.end()["manifest"]["version"] == others[0].end()["manifest"]["version"] == 1
    assert first.of("Finished") and not (tmp_path / "c" / "v001").exists()


def test_a_private_job_is_stopped_when_the_host_goes_and_resumed_when_it_comes_back(
    desk: Desk, environment: dict[str, str], tmp_path: Path
) -> None:
    environment["FAKE_LOG"] = str(tmp_path / "started.jsonl")
    job = started(desk, tmp_path / "out", prompt=f"until {tmp_path}/go")
    job.until("FrameReady")
    job.call.leave()
    with pytest.raises(Cancelled):
        job.end()
    (server,) = map(json.loads, (tmp_path / "started.jsonl").read_text().splitlines())
    assert not Path(server["state"]).exists(), "it had the time to write its checkpoint"
    assert list((tmp_path / "out" / "v001" / "patch" / "main" / ".void").glob("*/checkpoint"))
    (tmp_path / "go").touch()
    manifest = ask(desk, "attach", folder=str(tmp_path / "out" / "v001"), uuid="u1")["manifest"]
    assert manifest["version"] == 1 and JobRecord.load(tmp_path / "out" / "v001").server == ""


def test_a_private_server_that_dies_fails_the_job_with_its_last_words(desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(JobError, match="singular matrix"):
        started(desk, tmp_path, prompt="crash").end()
    assert JobRecord.load(tmp_path / "v001").state == "failed"


# -- capabilities -------------------------------------------------------------------------------------------------


def test_what_a_server_can_run_is_remembered_for_when_it_is_away(
    desk: Desk, server: FakeServer, tmp_path: Path
) -> None:
    found = ask(desk, "capabilities", server="")
    assert [engine["name"] for engine in found["engines"]] == ["recover", "void"]
    assert found["address"] == server.address and not found["stale"] and found["reason"] == ""
    assert found["server"]["version"] == "9.9" and found["devices"][0]["name"] == "cpu"
    server.stop()
    later = ask(desk, "capabilities", server="")
    assert later["stale"] and server.address in later["reason"]
    assert {**later, "stale": False, "reason": ""} == found
    with pytest.raises(ServerError, match=r"127\.0\.0\.1:1 "):
        ask(desk, "capabilities", server="127.0.0.1:1")


def test_what_is_remembered_is_written_only_where_it_is_news(desk: Desk, server: FakeServer, tmp_path: Path) -> None:
    first = ask(desk, "capabilities", server="")
    (memory,) = (tmp_path / "state" / "void_plugin" / "capabilities").iterdir()
    written = memory.stat().st_ino, memory.stat().st_mtime_ns
    assert ask(desk, "capabilities", server="") == first
    assert (memory.stat().st_ino, memory.stat().st_mtime_ns) == written
    memory.write_text(memory.read_text().replace("9.9", "9.8"))
    assert ask(desk, "capabilities", server="") == first and "9.9" in memory.read_text()


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": 9}', '{"schema": 1, "facts": 3}'])
def test_a_memory_that_cannot_be_read_is_none(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    ask(desk, "capabilities")
    (memory,) = (tmp_path / "state" / "void_plugin" / "capabilities").iterdir()
    memory.write_text(text)
    monkeypatch.setitem(desk.environment, "VOID_SERVER_COMMAND", "/no/such/void-server")
    with pytest.raises(ServerError, match="cannot be started"):
        ask(desk, "capabilities")


def test_without_a_server_this_machine_is_asked(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    found = ask(desk, "capabilities")
    assert [engine["name"] for engine in found["engines"]] == ["recover"] and found["address"] == ""
    monkeypatch.setitem(
        desk.environment, "VOID_SERVER_COMMAND", f'"{sys.executable}" -c "import time; time.sleep(600)"'
    )
    monkeypatch.setattr(sidecalls, "QUICK_SECONDS", 0.2)
    later = ask(desk, "capabilities")
    assert later["stale"] and "has not answered within 0.2 seconds" in later["reason"]


def test_a_server_that_does_not_answer_is_not_waited_for(
    desk: Desk, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sidecalls, "QUICK_SECONDS", 0.2)
    answered = threading.Event()
    entered = server.enter

    def late(name: str, context: Any) -> Any:
        answered.wait(SECONDS)
        return entered(name, context)

    monkeypatch.setattr(server, "enter", late)
    with pytest.raises(ServerError, match=r"has not answered within 0\.2 seconds; look whether it runs"):
        ask(desk, "capabilities")
    answered.set()


# -- the desk -----------------------------------------------------------------------------------------------------


def test_turns_are_taken_in_the_order_in_which_they_were_asked_for() -> None:
    turns = Desk({}).turns
    order: list[int] = []
    told: dict[int, list[int]] = {number: [] for number in range(4)}
    waiting = [threading.Event() for _ in range(4)]
    go = threading.Event()

    def work(number: int) -> None:
        def tell(place: int) -> None:
            told[number].append(place)
            waiting[number].set()

        with turns.turn(tell, lambda: None):
            waiting[number].set()
            order.append(number)
            go.wait(SECONDS)

    with ThreadPoolExecutor(4) as pool:
        for number in range(4):
            pool.submit(work, number)
            assert waiting[number].wait(SECONDS)
        go.set()
    assert order == [0, 1, 2, 3] and told[0] == [] and [told[n][0] for n in (1, 2, 3)] == [0, 1, 2]


def test_a_claimed_folder_is_not_attached(desk: Desk, tmp_path: Path) -> None:
    folder = Path(prepare(desk, tmp_path)["folder"])
    replace(JobRecord.load(folder), state="running").save(folder)
    with claimed(folder, ""), pytest.raises(HostError, match="being worked on"):
        ask(desk, "attach", folder=str(folder), uuid="u1")
