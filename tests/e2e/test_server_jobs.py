"""Jobs through a real server: equal bytes in every mode, nothing lost by a crash, each refusal with its reason."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import grpc
import numpy as np
import pytest
import soak
from servers import Calls, Server, digest_of, fails_with, processes_of, state_name, until
from shots import Shot, build_shot, load_exr, run_in_process

from void_plugin import wire
from void_plugin.errors import Cancelled
from void_plugin.events import Failed, Finished, FrameReady, Queued, Started, Stopped
from void_plugin.request import ImageInput, Output
from void_plugin.v1 import frame_service_pb2, job_service_pb2


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with soak.slow_server(tmp_path_factory.mktemp("jobs")) as running:
        yield running


@pytest.fixture(scope="module")
def calls(server: Server) -> Iterator[Calls]:
    with server.calls() as made:
        made.list_engines()
        yield made


@pytest.fixture
def shot(server: Server, tmp_path: Path) -> Shot:
    return build_shot(server.state.parent / tmp_path.name, count=6, size=(54, 96), pan=3)


def downloaded(calls: Calls, events: list[object]) -> dict[str, str]:
    """SHA-256 of what a job in upload mode delivered, by the name it would have on disk."""
    found = {}
    for event in events:
        if isinstance(event, FrameReady):
            assert event.path == ""
            data = calls.download(event.digest)
            found[f"result.{event.frame:04d}.exr"] = hashlib.sha256(data).hexdigest()
    return found


@pytest.mark.parametrize("engine", ["recover", "identity-raster"])
def test_paths_uploads_and_one_process_give_the_same_bytes(calls: Calls, shot: Shot, engine: str) -> None:
    request = shot.request(engine=engine, frames=shot.frames)
    run_in_process(replace(request, outputs=(Output("patch", shot.out(folder="alone")),)))
    wanted = soak.digests(shot.folder / "alone")
    assert len(wanted) == 6
    by_paths = calls.submit_paths(request, f"{shot.folder.name}-paths").job.job_id
    assert isinstance(calls.last(by_paths), Finished)
    assert soak.digests(shot.folder / "out") == wanted
    by_uploads = calls.submit_uploads(request, f"{shot.folder.name}-uploads").job.job_id
    events = list(calls.watch(by_uploads))
    assert isinstance(events[-1], Finished)
    assert downloaded(calls, events) == wanted
    started = next(event for event in events if isinstance(event, Started))
    assert started.engine == engine and started.folder == "" and isinstance(events[0], Queued)
    assert events[-1].result == ""
    result = json.loads(calls.download(events[-1].digest))
    assert result["frames_asked"] == "1001-1006" and result["engine"] == engine


def test_a_plate_travels_once_however_often_its_matte_changes(calls: Calls, shot: Shot) -> None:
    request = shot.request(engine="identity", frames=shot.frames)
    calls.last(calls.submit_uploads(request, f"{shot.folder.name}-1").job.job_id)
    data = Path(shot.plate % 1001).read_bytes()
    assert calls.upload(data).existed
    asked = frame_service_pb2.FindMissingFramesRequest(digests=[wire.digest_to_message(digest_of(data))])
    assert not calls(calls.frames.FindMissingFrames, asked).missing


def test_the_same_submit_is_the_same_job_and_another_under_its_id_is_refused(calls: Calls, shot: Shot) -> None:
    request = shot.request(engine="identity", frames=shot.frames)
    first = calls.submit_paths(request, shot.folder.name)
    again = calls.submit_paths(request, shot.folder.name)
    assert first.created and not again.created and first.job.job_id == again.job.job_id
    code, sentence = fails_with(lambda: calls.submit_paths(replace(request, prompt="another"), shot.folder.name))
    assert code == grpc.StatusCode.ALREADY_EXISTS and shot.folder.name in sentence
    calls.last(first.job.job_id)
    assert calls.submit_paths(request, shot.folder.name).job.job_id == first.job.job_id


def test_events_are_replayed_from_any_number(calls: Calls, shot: Shot) -> None:
    job_id = calls.submit_paths(shot.request(engine="identity", frames=shot.frames), shot.folder.name).job.job_id
    calls.last(job_id)
    events = list(calls.watch(job_id))
    assert [event.number for event in events] == list(range(1, len(events) + 1))
    for number in (0, 1, len(events) // 2, len(events) - 1):
        assert list(calls.watch(job_id, number)) == events[number:]
    assert list(calls.watch(job_id, len(events))) == []


def test_a_job_is_cancelled_by_its_id_alone(server: Server, calls: Calls, shot: Shot) -> None:
    gate = shot.folder / "gate"
    waits = soak.waiting(gate, shot.frames.last)
    prompts = {"one": waits, "two": '{"step": 0.2}', "three": '{"step": 0.2}'}
    requests = {name: soak.slow_request(shot, name, prompt) for name, prompt in prompts.items()}
    ids = {name: calls.submit_paths(request, f"{shot.folder.name}-{name}").job.job_id
           for name, request in requests.items()}  # fmt: skip
    until(lambda: state_name(calls.job(ids["one"])) == "running", 30)
    calls.cancel(ids["one"])
    calls.cancel(ids["three"])
    assert calls.cancel(ids["three"]).state == job_service_pb2.JOB_STATE_CANCELLED
    assert isinstance(calls.last(ids["one"]), Stopped) and isinstance(calls.last(ids["three"]), Stopped)
    assert isinstance(calls.last(ids["two"]), Finished)
    assert len(soak.digests(shot.folder / "one")) < 6 == len(soak.digests(shot.folder / "two"))
    calls.cancel(ids["two"])
    assert state_name(calls.job(ids["two"])) == "succeeded"
    # What was cancelled is taken up again where it stopped.
    gate.touch()
    again = calls.submit_paths(requests["one"], f"{shot.folder.name}-again").job.job_id
    assert isinstance(calls.last(again), Finished)


def test_the_queue_tells_places_and_takes_the_urgent_first(calls: Calls, shot: Shot) -> None:
    gate = shot.folder / "gate"
    waits = soak.waiting(gate, shot.frames.last)

    def submit(name: str, priority: int, prompt: str = '{"step": 0.1}') -> str:
        request = replace(soak.slow_request(shot, name, prompt), priority=priority)
        return calls.submit_paths(request, f"{shot.folder.name}-{name}").job.job_id

    first = submit("first", 50, waits)
    until(lambda: state_name(calls.job(first)) == "running", 30)
    low, normal, high = submit("low", 10), submit("normal", 50), submit("high", 90)
    assert [calls.job(job).position for job in (high, normal, low)] == [0, 1, 2]
    gate.touch()
    for job in (low, normal, high):
        calls.last(job)
    begun = [calls.job(job).started_at.ToNanoseconds() for job in (first, high, normal, low)]
    assert begun == sorted(begun)


def test_pages_list_every_job_once_newest_first(calls: Calls, shot: Shot) -> None:
    mine = [calls.submit_paths(shot.request(engine="identity", frames=shot.frames, prompt=str(number)),
                               f"{shot.folder.name}-{number}").job.job_id for number in range(5)]  # fmt: skip
    seen: list[str] = []
    token = ""
    while True:
        page = calls(calls.jobs.ListJobs, job_service_pb2.ListJobsRequest(page_size=2, page_token=token))
        assert 0 < len(page.jobs) <= 2
        seen += [job.job_id for job in page.jobs]
        token = page.next_page_token
        if not token:
            break
    assert len(seen) == len(set(seen)) and [job for job in seen if job in mine] == mine[::-1]
    for job in mine:
        calls.last(job)


def test_a_deleted_job_and_its_results_are_gone_and_running_ones_stay(server: Server, calls: Calls, shot: Shot) -> None:
    job_id = calls.submit_uploads(soak.slow_request(shot, "kept", '{"step": 0.1}'), shot.folder.name).job.job_id
    code, sentence = fails_with(lambda: calls(calls.jobs.DeleteJob, job_service_pb2.DeleteJobRequest(job_id=job_id)))
    assert code == grpc.StatusCode.FAILED_PRECONDITION and "cancel" in sentence.lower()
    calls.last(job_id)
    ready = next(event for event in calls.watch(job_id) if isinstance(event, FrameReady))
    assert calls.download(ready.digest)
    calls(calls.jobs.DeleteJob, job_service_pb2.DeleteJobRequest(job_id=job_id))
    assert fails_with(lambda: calls.job(job_id))[0] == grpc.StatusCode.NOT_FOUND
    code, sentence = fails_with(lambda: calls.download(ready.digest))
    assert code == grpc.StatusCode.NOT_FOUND and "run the job again" in sentence


def test_a_preview_shows_what_would_be_removed(calls: Calls, shot: Shot) -> None:
    request = shot.request(frames=type(shot.frames)(1002, 1003))
    job = calls.submit_paths(request, shot.folder.name, kind=job_service_pb2.JOB_KIND_PREVIEW).job
    assert isinstance(calls.last(job.job_id), Finished)
    assert sorted(soak.digests(shot.folder / "out")) == ["result.1002.exr", "result.1003.exr"]
    picture = load_exr(shot.out() % 1002)
    labels = picture.planes["void.quadmask"].astype(np.float32) * 255
    assert set(np.round(np.unique(labels))) == {0.0, 255.0}
    plate = load_exr(shot.plate % 1002)
    assert np.array_equal(picture.planes["G"][labels > 250], plate.planes["G"][labels > 250])
    assert not np.array_equal(picture.planes["R"][labels < 5], plate.planes["R"][labels < 5])


def test_a_preview_needs_no_engine_that_can_run_and_may_be_png(calls: Calls, shot: Shot) -> None:
    pictures = (Output("comp", str(shot.folder / "look" / "look.%04d.png")),)
    request = shot.request(engine="void", frames=type(shot.frames)(1002, 1002), outputs=pictures)
    kind = job_service_pb2.JOB_KIND_PREVIEW
    job = calls.submit_paths(request, f"{shot.folder.name}_png", kind=kind).job
    assert isinstance(calls.last(job.job_id), Finished)
    assert [path.name for path in (shot.folder / "look").glob("look.*")] == ["look.1002.png"]
    code, sentence = fails_with(lambda: calls.submit_paths(replace(request, engine="recover"), "png"))
    assert code == grpc.StatusCode.INVALID_ARGUMENT and "look.%04d.png is not an EXR" in sentence


# -- refusals --------------------------------------------------------------------------------------------------------


def test_engines_are_looked_up_and_never_imported(calls: Calls, shot: Shot) -> None:
    for name in ("nothing", "os:system", "slow_engine:SlowEngine", "../recover"):
        code, sentence = fails_with(
            lambda name=name: calls.submit_paths(shot.request(engine=name, frames=shot.frames), "e")
        )
        assert code == grpc.StatusCode.INVALID_ARGUMENT and "recover" in sentence and name in sentence
    code, sentence = fails_with(lambda: calls.submit_paths(shot.request(engine="void", frames=shot.frames), "v"))
    assert code == grpc.StatusCode.FAILED_PRECONDITION and "void" in sentence.lower()
    listed = {engine.name: engine for engine in calls.list_engines().engines}
    assert listed["recover"].available and not listed["void"].available and listed["void"].unavailable_reason


def test_uploads_that_are_wrong_are_refused_and_leave_nothing(server: Server, calls: Calls) -> None:
    data = b"\x76\x2f\x31\x01" + bytes(3_000_000)
    digest = digest_of(data)

    def part(offset: int, piece: bytes) -> frame_service_pb2.UploadFrameRequest:
        return frame_service_pb2.UploadFrameRequest(chunk=frame_service_pb2.Chunk(offset=offset, data=piece))

    header = frame_service_pb2.UploadFrameRequest(header=wire.digest_to_message(digest))
    mib = 1 << 20
    cases = {
        "no header": [part(0, data[:mib])],
        "out of order": [header, part(mib, data[mib : 2 * mib])],
        "truncated": [header, part(0, data[:mib])],
        "too long a chunk": [header, part(0, data)],
        "empty chunk": [header, part(0, b"")],
        "more than announced": [header, *(part(at, bytes(mib)) for at in range(0, 4 * mib, mib))],
        "another digest": [header, *(part(at, b"\x76\x2f\x31\x01" + b"\1" * (len(data[at : at + mib]) - 4))
                                     for at in range(0, len(data), mib))],
        "two headers": [header, header],
    }  # fmt: skip
    for name, parts in cases.items():
        code, sentence = fails_with(lambda parts=parts: calls(calls.frames.UploadFrame, iter(parts)))
        assert code == grpc.StatusCode.INVALID_ARGUMENT and len(sentence) > 20, (name, code, sentence)
    text = b"not a picture" * 100
    code, sentence = fails_with(lambda: calls.upload(text))
    assert code == grpc.StatusCode.INVALID_ARGUMENT and "EXR" in sentence
    assert not list((server.state / "store" / "incoming").iterdir())
    calls.upload(data)


def test_a_submit_names_frames_that_were_never_uploaded(calls: Calls, shot: Shot) -> None:
    frame = job_service_pb2.InputFrame(input=1, frame=1001)
    frame.digest.sha256 = "ab" * 32
    message = job_service_pb2.SubmitJobRequest(
        request_id="never",
        request=wire.request_to_message(shot.request()),
        uploads=job_service_pb2.UploadTransfer(frames=[frame]),
    )
    code, sentence = fails_with(lambda: calls(calls.jobs.SubmitJob, message))
    assert code == grpc.StatusCode.FAILED_PRECONDITION and "ab" * 32 in sentence


def test_an_unknown_job_is_named(calls: Calls) -> None:
    code, sentence = fails_with(lambda: calls.job("0" * 32))
    assert code == grpc.StatusCode.NOT_FOUND and "0" * 32 in sentence


def test_a_wrong_matte_fails_the_job_with_its_sentence_and_not_the_call(calls: Calls, shot: Shot) -> None:
    request = shot.request(frames=shot.frames, object_matte=ImageInput(shot.matte, ("Z",)))
    last = calls.last(calls.submit_paths(request, shot.folder.name).job.job_id)
    assert isinstance(last, Failed) and last.code == "request.channel" and shot.matte % 1001 in last.text
    assert "/proc/" not in last.text


# -- stopping and crashing -------------------------------------------------------------------------------------------


def test_sigterm_checkpoints_and_a_restart_goes_on(tmp_path: Path) -> None:
    shot = build_shot(tmp_path / "shot", count=soak.FRAMES, size=(54, 96))
    server = soak.slow_server(tmp_path).start()
    with server:
        with server.calls() as calls:
            job_id = calls.submit_paths(soak.slow_request(shot, "drained", '{"step": 0.2}'), "drained").job.job_id
            until(lambda: any(isinstance(event, FrameReady) for event in
                              _so_far(calls, job_id)), 60)  # fmt: skip
            group = server.pid
            assert server.stop() == 0
            assert not processes_of(group)
        committed = {
            path: path.stat().st_mtime_ns for path in shot.folder.glob("drained/.void/*/units/*/manifest.json")
        }
        assert committed
        server.start()
        with server.calls() as calls:
            assert isinstance(calls.last(job_id), Finished)
            assert calls.job(job_id).attempts == 1
        assert all(path.stat().st_mtime_ns == stamp for path, stamp in committed.items())
    assert len(soak.digests(shot.folder / "drained")) == soak.FRAMES


def _so_far(calls: Calls, job_id: str) -> list[object]:
    last = calls.job(job_id).last_event
    found = []
    for event in calls.watch(job_id):
        found.append(event)
        if event.number >= last:
            break
    return found


@pytest.mark.slow
def test_a_server_killed_at_random_moments_loses_nothing(tmp_path: Path) -> None:
    assert soak.kill_servers(tmp_path, kills=3, seed=5).jobs == 3


@pytest.mark.slow
def test_a_worker_killed_at_random_moments_costs_one_retry(tmp_path: Path) -> None:
    came_to = soak.kill_workers(tmp_path, kills=3, seed=6)
    assert came_to.jobs == 3 and set(came_to.attempts) <= {1, 2}


@pytest.mark.slow
def test_many_clients_at_once_all_get_what_they_asked_for(tmp_path: Path) -> None:
    met = soak.crowd(tmp_path, clients=8, seconds=5, seed=7)
    assert met.jobs == met.cancelled + met.succeeded > 8


def test_a_job_in_process_can_still_be_stopped(shot: Shot) -> None:
    with pytest.raises(Cancelled):
        run_in_process(shot.request(frames=shot.frames), stop_after=1)
