"""A request through a server, from its files to its results: real gRPC, real files, real programs."""

import json
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fakes.fake_services import MAGIC, TOKEN, FakeJob, FakeServer, sha256, well

from void_plugin import jobrun, patience, serverjob
from void_plugin.config import Config
from void_plugin.errors import FrameError, RequestError, ServerError
from void_plugin.events import (
    Event,
    Failed,
    Finished,
    FrameReady,
    Progressed,
    Queued,
    Started,
    Stopped,
    Uploading,
    Warned,
    is_last,
)
from void_plugin.frames import Digest, FrameRange
from void_plugin.removal import Client, remove
from void_plugin.request import ImageInput, Output, RemovalRequest
from void_plugin.serverjob import ServerJob

ROOT = Path(__file__).parents[2]
PROGRAM = (sys.executable, str(ROOT / "tests" / "fakes" / "fake_services.py"))
FRAMES = range(1001, 1005)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    state = tmp_path / "state" / "void_plugin"
    state.mkdir(parents=True)
    (state / "token").write_text(TOKEN)
    return {
        **os.environ,
        "PYTHONPATH": path,
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "FAKE_LOG": str(tmp_path / "started.jsonl"),
    }


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FakeServer]:
    with FakeServer(roots=(str(tmp_path),)) as running:
        yield running
        for job in running.jobs.values():
            job.cancelled = True


@pytest.fixture
def shot(tmp_path: Path) -> RemovalRequest:
    folder = tmp_path / "show"
    folder.mkdir()
    for name in ("plate", "matte"):
        for frame in FRAMES:
            (folder / f"{name}.{frame}.exr").write_bytes(MAGIC + f"{name} {frame}".encode() * 1000)
            os.utime(folder / f"{name}.{frame}.exr", (1_700_000_000, 1_700_000_000))
    return RemovalRequest(
        plate=ImageInput(str(folder / "plate.%04d.exr")),
        object_matte=ImageInput(str(folder / "matte.%04d.exr")),
        outputs=(
            Output("patch", str(tmp_path / "out" / "result.%04d.exr")),
            Output("comp", str(tmp_path / "out" / "comp.%04d.exr")),
        ),
    )


@pytest.fixture
def run(server: FakeServer, environment: dict[str, str]) -> Callable[..., list[Event]]:
    def run_to_its_end(request: RemovalRequest, transfer: str = "upload", **more: object) -> list[Event]:
        job = ServerJob(Config(server=server.address, transfer=transfer, **more), environment)  # type: ignore[arg-type]
        events = list(remove(request, job))
        check_order(events)
        return events

    return run_to_its_end


def check_order(events: list[Event]) -> None:
    numbers = [event.number for event in events]
    assert numbers == sorted(set(numbers)) and numbers[0] >= 1
    assert [is_last(event) for event in events] == [False] * (len(events) - 1) + [True]


def until(hold: threading.Event) -> Callable[[FakeJob], Iterator[Event]]:
    """A job that waits for something after its second frame."""

    def script(job: FakeJob) -> Iterator[Event]:
        count = 0
        for event in well(job):
            count += isinstance(event, FrameReady)
            if count == 3:
                job.wait(hold.is_set)
            yield event

    return script


def results(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*") if path.is_file()}


# -- by upload ----------------------------------------------------------------------------------------------------


def test_by_upload_files_go_up_once_and_results_lie_where_the_request_says(
    run, server: FakeServer, shot: RemovalRequest, tmp_path: Path
) -> None:
    events = run(shot)
    counted = [(event.done, event.total) for event in events if isinstance(event, Uploading)]
    assert counted[0] == (0, 8) and counted[-1] == (8, 8)
    ready = [event for event in events if isinstance(event, FrameReady)]
    wanted = [(frame, output) for frame in FRAMES for output in (0, 1)]
    assert sorted((event.frame, event.output) for event in ready) == wanted
    for event in ready:
        name = ("result", "comp")[event.output]
        assert event.path == str(tmp_path / "out" / f"{name}.{event.frame}.exr")
        assert Digest.of_file(event.path).sha256 == event.digest
    assert sorted(results(tmp_path / "out")) == sorted(Path(event.path).name for event in ready), "and nothing else"
    started = next(event for event in events if isinstance(event, Started))
    folder = Path(shot.job_folder())
    assert started.folder == str(folder)
    last = events[-1]
    assert isinstance(last, Finished) and last.result == str(folder / "result.json")
    assert json.loads(Path(last.result).read_text())["summary"] == last.summary
    assert RemovalRequest.load(str(folder / "request.json")).frames == FrameRange(1001, 1004)
    assert len(server.uploads) == 8 and server.job().kind == "remove"


def test_frames_are_told_as_they_come_and_not_at_the_end(
    server: FakeServer, environment: dict[str, str], shot: RemovalRequest
) -> None:
    hold = threading.Event()
    server.script = until(hold)
    seen: queue.SimpleQueue[Event] = queue.SimpleQueue()
    job = ServerJob(Config(server=server.address, transfer="upload"), environment)
    thread = threading.Thread(target=lambda: [seen.put(event) for event in remove(shot, job)])
    thread.start()
    ready = 0
    while ready < 2:
        event = seen.get(timeout=30)
        if isinstance(event, FrameReady):
            assert Path(event.path).is_file()
            ready += 1
    hold.set()
    thread.join(30)


def test_the_same_command_again_gives_the_results_without_any_work(
    run, server: FakeServer, shot: RemovalRequest, tmp_path: Path
) -> None:
    run(shot)
    wanted = results(tmp_path / "out")
    (tmp_path / "out" / "comp.1002.exr").unlink()
    (tmp_path / "out" / "result.1003.exr").write_bytes(b"painted over")
    downloads = server.calls["DownloadFrame"]
    again = run(shot)
    assert isinstance(again[-1], Finished) and results(tmp_path / "out") == wanted
    assert not [event for event in again if isinstance(event, Uploading)]
    assert len(server.uploads) == 8 and server.calls["SubmitJob"] == 1
    assert server.calls["DownloadFrame"] == downloads + 3, "two frames and result.json"


def test_a_changed_matte_travels_alone_and_makes_a_new_job(run, server: FakeServer, shot: RemovalRequest) -> None:
    run(shot)
    server.uploads.clear()
    changed = Path(shot.sequence("object_matte").path(1002))
    changed.write_bytes(MAGIC + b"redrawn")
    assert isinstance(run(shot)[-1], Finished)
    assert server.uploads == [sha256(MAGIC + b"redrawn")] and server.calls["SubmitJob"] == 2


def test_a_touched_file_is_read_again_but_nothing_travels(run, server: FakeServer, shot: RemovalRequest) -> None:
    run(shot)
    os.utime(shot.sequence("plate").path(1002))
    assert isinstance(run(shot)[-1], Finished)
    assert len(server.uploads) == 8 and server.calls["SubmitJob"] == 1


def test_results_that_ran_out_their_time_are_made_again(
    run, server: FakeServer, shot: RemovalRequest, tmp_path: Path
) -> None:
    run(shot)
    for path in (tmp_path / "out").glob("*.exr"):
        server.frames.pop(Digest.of_file(str(path)).sha256)
        path.unlink()
    assert isinstance(run(shot)[-1], Finished)
    assert server.calls["SubmitJob"] == 2 and len(results(tmp_path / "out")) == 8


@pytest.mark.parametrize("fate", ["failed", "cancelled", "deleted"])
def test_a_job_that_did_not_succeed_is_not_taken_up_again(
    run, server: FakeServer, shot: RemovalRequest, fate: str
) -> None:
    run(shot)
    job = server.job()
    if fate == "deleted":
        server.jobs.clear()
    else:
        job.state = fate
    assert isinstance(run(shot)[-1], Finished)
    assert server.calls["SubmitJob"] == 2 and len(server.uploads) == 8


def test_a_client_that_left_finds_its_job_again_and_misses_nothing(
    run, server: FakeServer, environment: dict[str, str], shot: RemovalRequest, tmp_path: Path
) -> None:
    hold = threading.Event()
    server.script = until(hold)
    events = remove(shot, ServerJob(Config(server=server.address, transfer="upload"), environment))
    for event in events:
        if isinstance(event, FrameReady):
            break
    events.close()
    assert not server.job().cancelled, "whoever leaves cancels nothing"
    hold.set()
    again = run(shot)
    assert server.calls["SubmitJob"] == 1 and len(server.uploads) == 8
    assert len([event for event in again if isinstance(event, FrameReady)]) == 8
    assert len(results(tmp_path / "out")) == 8


def test_a_client_killed_between_submit_and_answer_finds_the_job(
    run, server: FakeServer, environment: dict[str, str], shot: RemovalRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def killed(self: object, *_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(jobrun.JobRun, "_follow", killed)
        patch.setattr(jobrun.Attachments, "save", _once(jobrun.Attachments.save))
        with pytest.raises(Killed):
            run(shot)
    assert isinstance(run(shot)[-1], Finished)
    assert len(server.jobs) == 1 and server.calls["SubmitJob"] == 2, "the same request_id led to the same job"


def _once(save: Callable[..., None]) -> Callable[..., None]:
    saved: list[object] = []

    def first_only(self: object, key: str, attachment: object) -> None:
        if not saved:
            saved.append(attachment)
            save(self, key, attachment)

    return first_only


def test_frames_that_vanish_before_the_submit_are_brought_again(run, server: FakeServer, shot: RemovalRequest) -> None:
    gone = FrameError("2 files are not here.", "frame.not_uploaded")
    server.faults["SubmitJob"].extend([gone, gone])
    assert isinstance(run(shot)[-1], Finished)
    server.faults["SubmitJob"].extend([gone] * 3)
    other = replace(shot, shot="another")
    last = run(other)[-1]
    assert isinstance(last, Failed) and last.code == "frame.not_uploaded", "not for ever"


def test_a_saved_request_is_run_again_though_its_id_was_used(run, server: FakeServer, shot: RemovalRequest) -> None:
    shot = replace(shot, request_id="mine")
    assert isinstance(run(shot)[-1], Finished)
    server.job().state = "failed"
    assert isinstance(run(shot)[-1], Finished), "the old job has failed"
    assert isinstance(run(replace(shot, shot="another"))[-1], Finished), "the id belongs to another request"
    assert len(server.jobs) == 3


def test_what_is_wrong_with_the_files_is_told_before_the_server_is_troubled(
    run, server: FakeServer, shot: RemovalRequest
) -> None:
    Path(shot.sequence("object_matte").path(1003)).unlink()
    (last,) = run(shot)
    assert isinstance(last, Failed) and last.code == "frame.missing" and "1003" in last.text
    assert not server.jobs and not server.uploads


def test_what_the_server_says_while_rendering_arrives_as_it_is(run, server: FakeServer, shot: RemovalRequest) -> None:
    server.script = lambda job: iter([Started(), Failed(code="job.memory", text="Lower --workers.")])
    last = run(shot)[-1]
    assert isinstance(last, Failed) and (last.code, last.text) == ("job.memory", "Lower --workers.")


def test_events_that_end_without_a_last_one_are_an_error(run, server: FakeServer, shot: RemovalRequest) -> None:
    def script(job: FakeJob) -> Iterator[Event]:
        yield Started()
        job.state = "succeeded"

    server.script = script
    last = run(shot)[-1]
    assert isinstance(last, Failed) and server.job().job_id in last.text


# -- by path ------------------------------------------------------------------------------------------------------


def test_on_one_machine_nothing_travels(run, server: FakeServer, shot: RemovalRequest, tmp_path: Path) -> None:
    events = run(shot, "auto")
    assert isinstance(events[-1], Finished) and len(results(tmp_path / "out")) == 8
    assert not {"UploadFrame", "DownloadFrame", "FindMissingFrames"} & set(server.calls)
    ready = [event for event in events if isinstance(event, FrameReady)]
    assert {event.path for event in ready} == {str(path) for path in (tmp_path / "out").glob("*.exr")}
    assert Path(events[-1].result).is_file()


def test_a_job_by_path_is_taken_up_again_only_while_it_goes_on(
    run, server: FakeServer, environment: dict[str, str], shot: RemovalRequest
) -> None:
    def script(job: FakeJob) -> Iterator[Event]:
        for event in well(job):
            yield event
            if isinstance(event, FrameReady):
                job.wait(lambda: server.calls["WatchJob"] > 1)

    server.script = script
    events = remove(shot, ServerJob(Config(server=server.address), environment))
    for event in events:
        if isinstance(event, FrameReady):
            break
    events.close()
    assert isinstance(run(shot, "auto")[-1], Finished)
    assert server.calls["SubmitJob"] == 1
    assert isinstance(run(shot, "auto")[-1], Finished), "its files may have changed, so the server looks again"
    assert server.calls["SubmitJob"] == 2


def test_a_job_that_is_being_cancelled_is_not_taken_up_again(
    run, server: FakeServer, environment: dict[str, str], shot: RemovalRequest
) -> None:
    hold = threading.Event()
    server.script = until(hold)
    events = remove(shot, ServerJob(Config(server=server.address), environment))
    for event in events:
        if isinstance(event, FrameReady):
            break
    events.close()
    old = server.job()
    server.script = well
    old.state, old.cancelled = "running", True
    assert isinstance(run(shot, "auto")[-1], Finished)
    assert len(server.jobs) == 2


def test_another_machine_gets_the_files_unless_both_share_the_folders(
    run, server: FakeServer, shot: RemovalRequest, tmp_path: Path
) -> None:
    server.machine = "another machine"
    run(shot, "auto")
    assert server.calls["UploadFrame"] == 8
    run(replace(shot, shot="another"), "auto", shared_roots=(str(tmp_path),))
    assert server.calls["UploadFrame"] == 8 and server.calls["SubmitJob"] == 2


def test_paths_that_cannot_be_used_are_an_error_that_says_why(run, server: FakeServer, shot: RemovalRequest) -> None:
    server.roots = ()
    (last,) = run(shot, "paths")
    assert isinstance(last, Failed) and last.code == "request.path"
    assert server.address in last.text and "--allow-root" in last.text
    assert isinstance(run(shot, "auto")[-1], Finished)


def test_a_server_that_refuses_a_path_gets_the_files_instead(run, server: FakeServer, shot: RemovalRequest) -> None:
    refused = RequestError("/show is outside the folders this server may use.", "request.path")
    server.faults["SubmitJob"].append(refused)
    events = run(shot, "auto")
    (warning,) = [event for event in events if isinstance(event, Warned) and event.code == "request.path"]
    assert "uploaded" in warning.text and "/show is outside" in warning.text
    assert isinstance(events[-1], Finished) and len(server.uploads) == 8
    server.faults["SubmitJob"].append(refused)
    last = run(replace(shot, shot="another"), "paths")[-1]
    assert isinstance(last, Failed) and last.code == "request.path"


def test_a_server_that_names_folders_otherwise_does_not_confuse_anybody(
    run, server: FakeServer, shot: RemovalRequest, tmp_path: Path
) -> None:
    def script(job: FakeJob) -> Iterator[Event]:
        yield Started(folder="/mnt/show/out/.void/result-0123456789ab", frames="1001-1004")
        yield FrameReady(frame=1001, path="/mnt/show/out/comp.1001.exr", output=1)
        yield Finished(result="/mnt/show/out/.void/result-0123456789ab/result.json")

    server.script = script
    started, ready, finished = run(shot, "auto")
    folder = tmp_path / "out" / ".void" / "result-0123456789ab"
    assert isinstance(started, Started) and started.folder == str(folder)
    assert isinstance(ready, FrameReady) and ready.path == str(tmp_path / "out" / "comp.1001.exr")
    assert isinstance(finished, Finished) and finished.result == str(folder / "result.json")


# -- a server that is away ----------------------------------------------------------------------------------------


def away(server: FakeServer, back: threading.Event) -> Callable[[FakeJob], Iterator[Event]]:
    """A job during which the server goes away until `back` is set."""

    def script(job: FakeJob) -> Iterator[Event]:
        yield Started(frames="1001-1004")
        job.wait(lambda: server.calls["WatchJob"])
        server.stop()
        job.wait(back.is_set)
        server.start()
        yield from well(job)

    return script


def test_a_short_outage_is_silent(run, server: FakeServer, shot: RemovalRequest) -> None:
    back = threading.Event()
    server.script = away(server, back)
    timer = threading.Timer(1.0, back.set)
    timer.start()
    events = run(shot)
    timer.join()
    assert not [event for event in events if isinstance(event, Warned) and event.code == "server.unavailable"]
    assert isinstance(events[-1], Finished)


def test_a_long_outage_is_told_once_and_then_it_goes_on(
    server: FakeServer, environment: dict[str, str], shot: RemovalRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "QUIET_SECONDS", 0.3)
    back = threading.Event()
    server.script = away(server, back)
    warnings = []
    for event in remove(shot, ServerJob(Config(server=server.address), environment)):
        if isinstance(event, Warned) and event.code == "server.unavailable":
            warnings.append(event.text)
            threading.Timer(3.0, back.set).start()  # long enough for further attempts
    assert len(warnings) == 1 and "the same command finds it again" in warnings[0]
    assert isinstance(event, Finished)


def test_a_server_that_stays_away_ends_with_the_advice_to_come_back(
    run, server: FakeServer, shot: RemovalRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serverjob, "RECONNECT_SECONDS", 1.0)

    def script(job: FakeJob) -> Iterator[Event]:
        yield Started(frames="1001-1004")
        while not server.calls["WatchJob"]:  # the answer to the submit must have arrived
            time.sleep(0.01)
        server.stop()
        yield from well(job)

    server.script = script
    last = run(shot)[-1]
    assert isinstance(last, Failed) and last.code == "server.unavailable"
    assert server.address in last.text and "the same command finds it again" in last.text
    server.start()
    assert isinstance(run(shot)[-1], Finished)
    assert server.calls["SubmitJob"] == 1


def test_a_server_that_is_not_there_is_named_at_once(environment: dict[str, str], shot: RemovalRequest) -> None:
    (last,) = remove(shot, ServerJob(Config(server="127.0.0.1:9"), environment))
    assert isinstance(last, Failed) and last.code == "server.unavailable" and "127.0.0.1:9" in last.text


def test_an_address_that_is_none_is_one_sentence(environment: dict[str, str], shot: RemovalRequest) -> None:
    (last,) = remove(shot, ServerJob(Config(server="https://box"), environment))
    assert isinstance(last, Failed) and last.code == "request.invalid" and "https://box" in last.text


def test_a_full_queue_is_waited_for(run, server: FakeServer, shot: RemovalRequest) -> None:
    server.retry = 0.1
    server.faults["SubmitJob"].extend([ServerError("The queue is full.", "server.busy")] * 3)
    assert isinstance(run(shot)[-1], Finished)


# -- cancelling ---------------------------------------------------------------------------------------------------


def take(request: RemovalRequest, client: Client, when: Callable[[Event], bool], times: int = 1) -> list[Event]:
    """All events of a request; the client is cancelled so many times at the first that fits."""
    events: list[Event] = []
    for event in remove(request, client):
        events.append(event)
        if times and when(event):
            for _ in range(times):
                client.cancel()
            times = 0
    check_order(events)
    return events


@pytest.mark.parametrize("transfer", ["upload", "paths"])
def test_cancelling_cancels_the_job_and_keeps_what_is_finished(
    server: FakeServer, environment: dict[str, str], shot: RemovalRequest, tmp_path: Path, transfer: str
) -> None:
    server.script = until(threading.Event())
    client = ServerJob(Config(server=server.address, transfer=transfer), environment)
    events = take(shot, client, lambda event: isinstance(event, FrameReady))
    assert isinstance(events[-1], Stopped) and server.job().state == "cancelled"
    assert server.calls["CancelJob"] == 1
    ready = [event for event in events if isinstance(event, FrameReady)]
    assert len(ready) == 2 and all(Path(event.path).is_file() for event in ready)
    server.script = well
    again = list(remove(shot, ServerJob(Config(server=server.address, transfer=transfer), environment)))
    assert isinstance(again[-1], Finished) and len(server.jobs) == 2


def test_cancelling_before_there_is_a_job_leaves_none(
    server: FakeServer, environment: dict[str, str], shot: RemovalRequest
) -> None:
    server.faults["UploadFrame"].extend(["drop"] * 1000)
    client = ServerJob(Config(server=server.address, transfer="upload"), environment)
    events = take(shot, client, lambda event: isinstance(event, Uploading))
    assert isinstance(events[-1], Stopped) and not server.jobs
    client = ServerJob(Config(server=server.address, transfer="upload"), environment)
    client.cancel()
    assert isinstance(list(remove(shot, client))[-1], Stopped) and not server.jobs


def test_cancelling_twice_does_not_wait_for_a_server_that_does_not_answer(
    server: FakeServer, environment: dict[str, str], shot: RemovalRequest
) -> None:
    server.script = lambda job: (stubborn(event) or event for event in well(job))
    hold = threading.Event()

    def stubborn(event: Event) -> None:
        if isinstance(event, FrameReady):
            hold.wait(30)

    client = ServerJob(Config(server=server.address), environment)
    began = time.monotonic()
    events = take(shot, client, lambda event: isinstance(event, Progressed), times=2)
    assert isinstance(events[-1], Stopped) and time.monotonic() - began < 15
    (warning,) = [event for event in events if isinstance(event, Warned) and event.code == "server.unavailable"]
    assert f"void status {server.job().job_id}" in warning.text
    hold.set()


def test_cancelling_while_the_server_is_away_reaches_it_when_it_is_back(
    server: FakeServer, environment: dict[str, str], shot: RemovalRequest
) -> None:
    server.script = until(threading.Event())
    client = ServerJob(Config(server=server.address), environment)
    back: list[threading.Timer] = []

    def leave(event: Event) -> bool:
        if isinstance(event, FrameReady) and not back:
            server.stop()
            back.append(threading.Timer(1.0, server.start))
            back[0].start()
            return True
        return False

    assert isinstance(take(shot, client, leave)[-1], Stopped)
    back[0].join()
    assert server.job().state == "cancelled"


def test_a_job_that_may_not_be_cancelled_says_so(
    server: FakeServer, environment: dict[str, str], shot: RemovalRequest
) -> None:
    hold = threading.Event()
    server.script = until(hold)
    server.faults["CancelJob"].append(ServerError("The job belongs to another identity.", "server.forbidden"))
    client = ServerJob(Config(server=server.address), environment)
    events: list[Event] = []
    for event in remove(shot, client):
        events.append(event)
        if isinstance(event, FrameReady):
            client.cancel() if len(events) < 6 else None
        if isinstance(event, Warned) and "another identity" in event.text:
            hold.set()
    assert isinstance(events[-1], Finished) and hold.is_set()


# -- through a private server -------------------------------------------------------------------------------------


def private(environment: dict[str, str], workers: int = 0) -> ServerJob:
    return ServerJob(Config(server_command=PROGRAM), environment, workers)


def program(tmp_path: Path) -> dict[str, object]:
    return json.loads((tmp_path / "started.jsonl").read_text().splitlines()[-1])  # type: ignore[no-any-return]


def left(tmp_path: Path) -> bool:
    """True where the program or its folder is still there."""
    found = program(tmp_path)
    try:
        os.kill(found["pid"], 0)  # type: ignore[arg-type]
    except ProcessLookupError:
        return Path(str(found["state"])).exists()
    return True


needs_linux = pytest.mark.skipif(sys.platform == "win32", reason="the server is a program for Linux")


@needs_linux
def test_without_a_configured_server_a_private_one_does_the_job_and_goes(
    environment: dict[str, str], shot: RemovalRequest, tmp_path: Path
) -> None:
    events = list(remove(shot, private(environment, workers=3)))
    check_order(events)
    assert isinstance(events[0], Queued) and isinstance(events[-1], Finished)
    assert len(results(tmp_path / "out")) == 8 and not left(tmp_path)
    folder = Path(shot.job_folder())
    saved = RemovalRequest.load(str(folder / "request.json"))
    assert saved.plate.pattern == "<plate>/plate.%04d.exr" and saved.frames == FrameRange(1001, 1004)
    assert not (tmp_path / "state" / "void_plugin" / "attachments").exists(), "nothing to come back to"


@needs_linux
def test_cancelling_a_private_job_lets_it_write_its_checkpoint(
    environment: dict[str, str], shot: RemovalRequest, tmp_path: Path
) -> None:
    slow = replace(shot, prompt="slow")
    events = take(slow, private(environment), lambda event: isinstance(event, FrameReady))
    assert isinstance(events[-1], Stopped) and not left(tmp_path)
    assert (Path(slow.job_folder()) / "checkpoint").exists()


@needs_linux
def test_cancelling_a_private_job_twice_ends_one_that_does_not_listen(
    environment: dict[str, str], shot: RemovalRequest, tmp_path: Path
) -> None:
    began = time.monotonic()
    deaf = take(replace(shot, prompt="deaf"), private(environment), lambda event: isinstance(event, FrameReady), 2)
    assert isinstance(deaf[-1], Stopped) and not left(tmp_path)
    assert time.monotonic() - began < 20


@needs_linux
def test_a_private_job_cancelled_before_it_began_stops_at_once(
    environment: dict[str, str], shot: RemovalRequest, tmp_path: Path
) -> None:
    client = private(environment)
    client.cancel()
    assert isinstance(list(remove(shot, client))[-1], Stopped)
    assert not (tmp_path / "started.jsonl").exists() or not left(tmp_path)


@needs_linux
def test_whoever_walks_away_leaves_no_private_server_behind(
    environment: dict[str, str], shot: RemovalRequest, tmp_path: Path
) -> None:
    slow = replace(shot, prompt="slow")
    events = remove(slow, private(environment))
    for event in events:
        if isinstance(event, FrameReady):
            break
    assert left(tmp_path)
    events.close()
    assert not left(tmp_path) and (Path(slow.job_folder()) / "checkpoint").exists()


@needs_linux
@pytest.mark.parametrize(
    ("behaviour", "code", "said"),
    [("killed", "job.memory", "SIGKILL"), ("crash", "job.crashed", "singular matrix")],
)
def test_a_private_server_that_dies_is_one_sentence_and_the_same_command_resumes(
    environment: dict[str, str], shot: RemovalRequest, tmp_path: Path, behaviour: str, code: str, said: str
) -> None:
    request = replace(shot, prompt=behaviour)
    began = time.monotonic()
    events = list(remove(request, private(environment)))
    check_order(events)
    last = events[-1]
    assert isinstance(last, Failed) and last.code == code and time.monotonic() - began < 30
    assert said in last.text and "resumes" in last.text
    assert str(Path(request.job_folder()) / "log.txt") in last.text and not left(tmp_path)


@needs_linux
def test_a_private_server_that_cannot_start_is_one_sentence(
    environment: dict[str, str], shot: RemovalRequest, tmp_path: Path
) -> None:
    (last,) = remove(shot, private({**environment, "FAKE_BROKEN": "1"}))
    assert isinstance(last, Failed) and last.code == "server.start" and "No module named 'cv2'" in last.text
    config = Config(server_command=(str(tmp_path / "no-such-program"),))
    (last,) = remove(shot, ServerJob(config, environment))
    assert isinstance(last, Failed) and "no-such-program" in last.text and "$VOID_SERVER_COMMAND" in last.text


@needs_linux
def test_an_error_of_a_private_job_arrives_with_its_code_and_sentence(
    environment: dict[str, str], shot: RemovalRequest
) -> None:
    last = list(remove(replace(shot, prompt="refuse"), private(environment)))[-1]
    assert isinstance(last, Failed)
    assert (last.code, last.text) == ("request.matte_empty", "The matte of sh010 is empty on frames 1001-1004.")


def test_a_file_in_the_place_of_the_output_folder_is_named(
    environment: dict[str, str], shot: RemovalRequest, tmp_path: Path
) -> None:
    (tmp_path / "out").write_text("I am a file")
    (last,) = remove(shot, private(environment))
    assert isinstance(last, Failed) and last.code == "server.unwritable" and str(tmp_path / "out") in last.text


def test_missing_plate_frames_are_told_before_anything_is_started_or_written(
    environment: dict[str, str], shot: RemovalRequest, tmp_path: Path
) -> None:
    for frame in (1002, 1003):
        Path(shot.sequence("plate").path(frame)).unlink()
    for asked in (None, FrameRange(1001, 1004)):
        (last,) = remove(replace(shot, frames=asked), private(environment))
        assert isinstance(last, Failed) and last.code == "frame.missing"
        assert "1002-1003" in last.text and "plate.%04d.exr" in last.text
    (last,) = remove(replace(shot, plate=ImageInput(str(tmp_path / "plat.%04d.exr"))), private(environment))
    assert isinstance(last, Failed) and last.code == "frame.missing" and "plat.%04d.exr" in last.text
    assert not (tmp_path / "out").exists() and not (tmp_path / "started.jsonl").exists()
