"""`VoidClient` against a real gRPC server, `tests/fakes/fake_services.py`."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.fake_services import CHUNK, MAGIC, TOKEN, FakeJob, FakeServer, sha256, well

from void_plugin import client as client_module
from void_plugin.client import Uploaded, VoidClient
from void_plugin.config import Config
from void_plugin.errors import Cancelled, FrameError, JobError, RequestError, ServerError, VoidError
from void_plugin.events import Event, Finished, FrameReady, Started, Stopped
from void_plugin.frames import Digest, FrameRange
from void_plugin.patience import Patience
from void_plugin.request import ImageInput, Output, RemovalRequest


@pytest.fixture
def token(tmp_path: Path) -> str:
    (tmp_path / "token").write_text(TOKEN)
    return str(tmp_path / "token")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FakeServer]:
    with FakeServer(roots=(str(tmp_path),)) as running:
        yield running


@pytest.fixture
def client(server: FakeServer, token: str) -> Iterator[VoidClient]:
    with connect(server, token) as connected:
        yield connected


def connect(server: FakeServer, token: str, seconds: float = 30.0) -> VoidClient:
    return VoidClient.connect(Config(token_file=token), {}, server.address, Patience(server.address, seconds))


def file(folder: Path, name: str = "plate.1001.exr", size: int = 300_000) -> tuple[str, Digest]:
    data = MAGIC + os.urandom(size - 4)
    (folder / name).write_bytes(data)
    return str(folder / name), Digest(sha256(data), size)


def request(folder: Path, request_id: str = "r1") -> RemovalRequest:
    return RemovalRequest(
        plate=ImageInput(str(folder / "plate.%04d.exr")),
        object_matte=ImageInput(str(folder / "matte.%04d.exr")),
        outputs=(Output("patch", str(folder / "out" / "result.%04d.exr")),),
        frames=FrameRange(1001, 1004),
        request_id=request_id,
    ).rooted()


# -- up and down --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [4, 5, (1 << 20) - 1, 1 << 20, (2 << 20) + 7])
def test_what_goes_up_comes_down_the_same(client: VoidClient, server: FakeServer, tmp_path: Path, size: int) -> None:
    path, digest = file(tmp_path, size=size)
    assert client.find_missing([digest, digest]) == [digest]
    assert client.upload(path, digest) is True
    assert client.find_missing([digest]) == []
    client.download(digest.sha256, tmp_path / "new" / "folder" / "got.exr")
    assert (tmp_path / "new" / "folder" / "got.exr").read_bytes() == Path(path).read_bytes()
    assert [entry.name for entry in (tmp_path / "new" / "folder").iterdir()] == ["got.exr"]


def test_a_file_that_is_there_already_does_not_travel(client: VoidClient, server: FakeServer, tmp_path: Path) -> None:
    path, digest = file(tmp_path, size=8 << 20)
    server.frames[digest.sha256] = Path(path).read_bytes()
    assert client.upload(path, digest) is False
    assert server.uploads == []


def test_more_digests_than_one_call_takes_are_asked_for_in_several(client: VoidClient, server: FakeServer) -> None:
    digests = [Digest(sha256(str(number).encode()), 10) for number in range(10_001)]
    assert client.find_missing(digests) == digests
    assert server.calls["FindMissingFrames"] == 2


def test_an_upload_that_breaks_is_sent_again(client: VoidClient, server: FakeServer, tmp_path: Path) -> None:
    client.engines()
    path, digest = file(tmp_path, size=5 << 20)
    server.faults["UploadFrame"].extend([2, "drop", 0])
    assert client.upload(path, digest) is True
    assert server.uploads == [digest.sha256] and server.calls["UploadFrame"] == 4


def test_a_download_that_breaks_goes_on_where_it_stopped(
    client: VoidClient, server: FakeServer, tmp_path: Path
) -> None:
    client.engines()
    path, digest = file(tmp_path, size=10 * CHUNK)
    server.frames[digest.sha256] = Path(path).read_bytes()
    server.faults["DownloadFrame"].extend([3, "drop", 4])
    client.download(digest.sha256, tmp_path / "got.exr")
    assert server.offsets == [0, 3 * CHUNK, 7 * CHUNK]
    assert (tmp_path / "got.exr").read_bytes() == server.frames[digest.sha256]


def test_a_killed_client_goes_on_with_the_part_it_left(client: VoidClient, server: FakeServer, tmp_path: Path) -> None:
    path, digest = file(tmp_path, size=10 * CHUNK)
    server.frames[digest.sha256] = Path(path).read_bytes()
    left = server.frames[digest.sha256][: 3 * CHUNK + 5]
    (tmp_path / f".got.exr.{digest.sha256[:12]}.part").write_bytes(left)
    client.download(digest.sha256, tmp_path / "got.exr")
    assert server.offsets == [len(left)]
    assert (tmp_path / "got.exr").read_bytes() == server.frames[digest.sha256]


@pytest.mark.parametrize("left", [b"rubbish", b"rubbish" * 100_000])
def test_rubbish_in_the_place_of_a_part_is_thrown_away(
    client: VoidClient, server: FakeServer, tmp_path: Path, left: bytes
) -> None:
    path, digest = file(tmp_path)
    server.frames[digest.sha256] = Path(path).read_bytes()
    (tmp_path / f".got.exr.{digest.sha256[:12]}.part").write_bytes(left)
    client.download(digest.sha256, tmp_path / "got.exr")
    assert (tmp_path / "got.exr").read_bytes() == server.frames[digest.sha256]


def test_bytes_of_another_file_never_get_the_name(client: VoidClient, server: FakeServer, tmp_path: Path) -> None:
    path, digest = file(tmp_path)
    server.frames[digest.sha256] = Path(path).read_bytes()[:-1] + b"?"
    (tmp_path / "got.exr").write_bytes(b"the result of yesterday")
    with pytest.raises(FrameError, match=r"got\.exr") as caught:
        client.download(digest.sha256, tmp_path / "got.exr")
    assert caught.value.code == "frame.transfer"
    assert (tmp_path / "got.exr").read_bytes() == b"the result of yesterday"
    assert not list(tmp_path.glob(".got*"))


def test_a_large_file_over_a_slow_line_is_fetched_in_several_calls(
    client: VoidClient, server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, digest = file(tmp_path, size=8 * CHUNK)
    server.frames[digest.sha256] = Path(path).read_bytes()
    monkeypatch.setattr(client_module, "PIECE_SECONDS", 0.3)
    original = VoidClient._fill

    def fill(self: VoidClient, sha: str, stream: object) -> bool:
        return original(self, sha, _Slow(stream))  # type: ignore[arg-type]

    monkeypatch.setattr(VoidClient, "_fill", fill)
    client.download(digest.sha256, tmp_path / "got.exr")
    assert len(server.offsets) > 1 and server.offsets == sorted(set(server.offsets))
    assert (tmp_path / "got.exr").read_bytes() == server.frames[digest.sha256]


class _Slow:
    """A file on a slow disk."""

    def __init__(self, stream: object) -> None:
        self._stream = stream

    def write(self, data: bytes) -> int:
        threading.Event().wait(0.1)
        return self._stream.write(data)  # type: ignore[attr-defined, no-any-return]

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def test_a_file_the_server_does_not_have_is_its_own_sentence(client: VoidClient, tmp_path: Path) -> None:
    with pytest.raises(FrameError) as caught:
        client.download(sha256(b"nothing"), tmp_path / "got.exr")
    assert caught.value.code == "frame.unknown"


def test_a_file_in_the_place_of_the_folder_is_named(client: VoidClient, server: FakeServer, tmp_path: Path) -> None:
    path, digest = file(tmp_path)
    server.frames[digest.sha256] = Path(path).read_bytes()
    with pytest.raises(ServerError) as caught:
        client.download(digest.sha256, Path(path) / "got.exr")
    assert caught.value.code == "server.unwritable" and path in caught.value.message


def test_a_file_that_is_gone_or_grew_since_it_was_digested_is_named(
    client: VoidClient, server: FakeServer, tmp_path: Path
) -> None:
    path, digest = file(tmp_path)
    with pytest.raises(FrameError, match=r"none\.exr") as caught:
        client.upload(str(tmp_path / "none.exr"), digest)
    assert caught.value.code == "frame.unreadable"
    with open(path, "ab") as stream:
        stream.write(b"more")
    with pytest.raises(FrameError, match=r"plate\.1001\.exr"):
        client.upload(path, digest)
    with open(path, "r+b") as stream:
        stream.truncate(200_000)
    with pytest.raises(FrameError, match="changed while it was uploaded"):
        client.upload(path, digest)
    assert not server.uploads


def test_a_file_that_is_no_exr_is_named(client: VoidClient, tmp_path: Path) -> None:
    (tmp_path / "plate.1001.exr").write_bytes(b"JPEG, to be honest")
    with pytest.raises(FrameError, match=r"plate\.1001\.exr cannot be uploaded: .*no EXR"):
        client.upload(str(tmp_path / "plate.1001.exr"), Digest.of_file(str(tmp_path / "plate.1001.exr")))


# -- jobs ---------------------------------------------------------------------------------------------------------


def test_a_job_by_path_tells_everything(client: VoidClient, server: FakeServer, tmp_path: Path) -> None:
    job = client.submit(request(tmp_path))
    assert (job.kind, job.owner, job.frames) == ("remove", "artist", "1001-1004")
    events = list(client.watch(job.job_id))
    assert [event.number for event in events] == list(range(1, len(events) + 1))
    assert [event.frame for event in events if isinstance(event, FrameReady)] == [1001, 1002, 1003, 1004]
    assert isinstance(events[-1], Finished) and events[-1].summary["recovered"] == 0.08
    job = client.get(job.job_id)
    assert (job.state, job.is_live, job.last_event) == ("succeeded", False, len(events))


def test_a_job_by_upload_and_a_preview_are_submitted_as_such(
    client: VoidClient, server: FakeServer, tmp_path: Path
) -> None:
    path, digest = file(tmp_path)
    client.upload(path, digest)
    uploads = [Uploaded("plate", frame, digest) for frame in range(1001, 1005)]
    job = client.submit(request(tmp_path), "preview", uploads)
    assert job.kind == "preview"
    assert server.job().uploads == {("plate", frame): digest.sha256 for frame in range(1001, 1005)}


def test_submitting_again_gives_the_same_job(client: VoidClient, server: FakeServer, tmp_path: Path) -> None:
    server.faults["SubmitJob"].append("drop")
    first = client.submit(request(tmp_path))
    assert client.submit(request(tmp_path)).job_id == first.job_id
    with pytest.raises(RequestError) as caught:
        client.submit(request(tmp_path / "elsewhere"))
    assert caught.value.code == "request.id"


def test_watching_from_a_number_misses_nothing_and_repeats_nothing(
    client: VoidClient, server: FakeServer, tmp_path: Path
) -> None:
    job = client.submit(request(tmp_path))
    everything = list(client.watch(job.job_id))
    assert list(client.watch(job.job_id, 3)) == everything[3:]
    assert list(client.watch(job.job_id, len(everything))) == [], "nothing is left to hear"
    server.faults["WatchJob"].extend([2, "drop", 0, 3])
    assert list(client.watch(job.job_id)) == everything


def test_a_watch_survives_a_restart_of_the_server(client: VoidClient, server: FakeServer, tmp_path: Path) -> None:
    back = threading.Event()

    def script(job: FakeJob) -> Iterator[Event]:
        for event in well(job):
            yield event
            if isinstance(event, Started):
                job.wait(back.is_set)

    server.script = script
    job = client.submit(request(tmp_path))
    events = client.watch(job.job_id)
    seen = [next(events), next(events)]
    server.stop()
    timer = threading.Timer(0.5, lambda: (server.start(), back.set()))
    timer.start()
    seen += events
    timer.join()
    assert [event.number for event in seen] == list(range(1, len(seen) + 1))
    assert isinstance(seen[-1], Finished)


def test_a_watch_is_opened_anew_now_and_then(
    client: VoidClient, server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "WATCH_SECONDS", 0.2)

    def script(job: FakeJob) -> Iterator[Event]:
        yield Started(frames="1001-1004")
        job.wait(lambda: server.calls["WatchJob"] > 2)
        yield Finished()

    server.script = script
    assert len(list(client.watch(client.submit(request(tmp_path)).job_id))) == 2


def test_a_server_that_stays_away_ends_the_watch_with_a_sentence(
    server: FakeServer, token: str, tmp_path: Path
) -> None:
    server.script = lambda job: iter([Started()])
    with connect(server, token, seconds=0.5) as client:
        client.patience.promise = "The job goes on there."
        events = client.watch(client.submit(request(tmp_path)).job_id)
        next(events)
        server.stop()
        with pytest.raises(ServerError, match="The job goes on there") as caught:
            next(events)
    assert caught.value.code == "server.unavailable" and server.address in caught.value.message


def test_a_job_that_is_not_there_is_told_at_once(client: VoidClient) -> None:
    for call in (client.get, client.cancel, client.delete, lambda job: list(client.watch(job))):
        with pytest.raises(JobError) as caught:
            call("0" * 32)
        assert caught.value.code == "job.unknown"


def test_cancelling_is_asked_for_and_ends_with_stopped(client: VoidClient, server: FakeServer, tmp_path: Path) -> None:
    server.script = lambda job: (job.wait(lambda: False) or event for event in well(job))
    job = client.submit(request(tmp_path))
    with pytest.raises(JobError, match="cancel it first"):
        client.delete(job.job_id)
    assert client.cancel(job.job_id).stopping
    (last,) = client.watch(job.job_id)
    assert isinstance(last, Stopped)
    assert client.cancel(job.job_id).state == "cancelled"
    client.delete(job.job_id)
    assert server.jobs == {}


def test_jobs_are_listed_page_by_page_and_by_state(
    client: VoidClient, server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [client.submit(request(tmp_path, f"r{number}")).job_id for number in range(5)]
    for job_id in ids:
        list(client.watch(job_id))
    monkeypatch.setattr(client_module, "PAGE", 2)
    assert [job.job_id for job in client.jobs(most=4)] == ids[:0:-1]
    assert server.calls["ListJobs"] == 2
    assert client.jobs(["failed", "cancelled"]) == []
    assert client.jobs(most=0) == []
    with pytest.raises(ServerError) as caught:
        client.jobs(everyone=True)
    assert caught.value.code == "server.forbidden"


def test_what_the_server_can_run_is_told(client: VoidClient, server: FakeServer) -> None:
    server.memory = "full on cuda:0, swap on cuda:1"
    found = client.engines()
    assert [engine.memory for engine in found.engines] == [server.memory, ""]
    assert [(engine.name, engine.available) for engine in found.engines] == [("recover", True), ("void", False)]
    assert found.engines[1].reason == "There is no GPU."
    assert [(device.name, device.state, device.restarts) for device in found.devices] == [("cpu", "idle", 1)]
    assert found.server.roots == server.roots and found.server.identity == "artist"


def test_a_server_that_is_still_starting_is_asked_again(client: VoidClient, server: FakeServer) -> None:
    server.retry = 0.01
    starting = ServerError("No worker has started yet.", "server.unavailable")
    server.faults["ListEngines"].extend([starting] * 9)
    assert client.engines().server.identity == "artist"


# -- going wrong --------------------------------------------------------------------------------------------------


def test_a_server_that_is_not_there_is_told_within_seconds(token: str) -> None:
    began = time.monotonic()
    with (
        VoidClient.connect(Config(token_file=token), {}, "127.0.0.1:9", Patience("127.0.0.1:9", 300)) as client,
        pytest.raises(ServerError) as caught,
    ):
        client.engines()
    assert caught.value.code == "server.unavailable" and "127.0.0.1:9" in caught.value.message
    assert time.monotonic() - began < 20


def test_a_call_that_is_never_answered_ends(client: VoidClient, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(client_module, "CALL_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        address = f"127.0.0.1:{deaf.getsockname()[1]}"
        config = Config(token_file=str(tmp_path / "token"))
        with (
            VoidClient.connect(config, {}, address, Patience(address, 0.0)) as asking,
            pytest.raises(ServerError, match=address) as caught,
        ):
            asking.get("0" * 32)
    assert caught.value.code in ("server.timeout", "server.unavailable")


@pytest.mark.parametrize("what", ["watch", "download", "upload", "wait"])
def test_closing_the_client_from_another_thread_ends_every_call(
    server: FakeServer, token: str, tmp_path: Path, what: str
) -> None:
    server.script = lambda job: (job.wait(lambda: False) or event for event in well(job))
    client = connect(server, token)
    job = client.submit(request(tmp_path))
    path, digest = file(tmp_path, size=4 << 20)
    if what == "download":
        server.frames[digest.sha256] = Path(path).read_bytes()
        server.faults["DownloadFrame"].extend(["drop"] * 1000)
    if what == "upload":
        server.faults["UploadFrame"].extend(["drop"] * 1000)
    if what == "wait":
        server.stop()
    calls = {
        "watch": lambda: list(client.watch(job.job_id)),
        "download": lambda: client.download(digest.sha256, tmp_path / "got.exr"),
        "upload": lambda: client.upload(path, digest),
        "wait": lambda: client.get(job.job_id),
    }
    timer = threading.Timer(0.3, client.close)
    timer.start()
    with pytest.raises(Cancelled):
        calls[what]()
    timer.join()
    for call in calls.values():
        with pytest.raises(Cancelled):
            call()
    server.job().cancelled = True


def test_errors_of_the_server_keep_their_code_and_sentence(client: VoidClient, server: FakeServer) -> None:
    for error in (
        ServerError("The disk is full: 3 MB are free.", "server.disk_full"),
        ServerError("You have 200 jobs already.", "server.limit"),
        JobError("void cannot run here: there is no GPU.", "job.engine_unavailable"),
    ):
        server.faults["ListEngines"].append(error)
        with pytest.raises(VoidError) as caught:
            client.engines()
        assert (type(caught.value), caught.value.code, caught.value.message) == (
            type(error),
            error.code,
            error.message,
        )
