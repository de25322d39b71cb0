"""Who gets in, over what, and how the server says that it cannot start."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import socket
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc
from servers import Calls, Server, digest_of, fails_with, state_name, until
from shots import build_shot

from void_plugin import wire
from void_plugin.v1 import engine_service_pb2, frame_service_pb2, job_service_pb2
from void_server import port, serve
from void_server.settings import ServerSettings

EXR = b"\x76\x2f\x31\x01"


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with two artists and a supervisor, metrics included."""
    folder = tmp_path_factory.mktemp("two")
    tokens = folder / "tokens"
    tokens.write_text("# who\nmary maryspasswordhere123\njohn johnspasswordhere456\nwilma wilmaspasswordhere789\n")
    tokens.chmod(0o600)
    (folder / "mary").mkdir()
    settings = folder / "server.toml"
    settings.write_text(
        f'token_file = "{tokens}"\nmetrics_address = "127.0.0.1:{free_port()}"\n'
        f'[identities.mary]\nroots = ["{folder / "mary"}"]\n'
        "[identities.wilma]\nsupervisor = true\n"
        "[limits]\nmax_frames = 20\nmax_file_bytes = 4000000\n"
        f"[[path_mapping]]\nsource_path_format = 'WINDOWS'\nsource_path = 'S:\\'\ndestination_path = '{folder}'\n"
    )
    with Server(folder / "state", "--config", str(settings)) as running:
        running.metrics = settings.read_text().split('metrics_address = "')[1].split('"')[0]  # type: ignore[attr-defined]
        yield running


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def as_mary(server: Server) -> Calls:
    return server.calls("maryspasswordhere123")


def as_john(server: Server) -> Calls:
    return server.calls("johnspasswordhere456")


EVERY_CALL: list[tuple[str, str, Any]] = [
    ("frames", "FindMissingFrames", frame_service_pb2.FindMissingFramesRequest()),
    ("frames", "UploadFrame", [frame_service_pb2.UploadFrameRequest()]),
    ("frames", "DownloadFrame", frame_service_pb2.DownloadFrameRequest()),
    ("jobs", "SubmitJob", job_service_pb2.SubmitJobRequest()),
    ("jobs", "WatchJob", job_service_pb2.WatchJobRequest()),
    ("jobs", "GetJob", job_service_pb2.GetJobRequest()),
    ("jobs", "ListJobs", job_service_pb2.ListJobsRequest()),
    ("jobs", "CancelJob", job_service_pb2.CancelJobRequest()),
    ("jobs", "DeleteJob", job_service_pb2.DeleteJobRequest()),
    ("engines", "ListEngines", engine_service_pb2.ListEnginesRequest()),
]


@pytest.mark.parametrize(("service", "name", "request_"), EVERY_CALL, ids=[name for _, name, _ in EVERY_CALL])
@pytest.mark.parametrize("token", ["", "wrong-token-wrong-token"])
def test_every_call_wants_a_valid_token(two: Server, service: str, name: str, request_: Any, token: str) -> None:
    with two.calls(token) as calls:
        method = getattr(getattr(calls, service), name)
        sent = request_ if isinstance(request_, Message) else iter(request_)
        code, sentence = fails_with(lambda: calls(method, sent))
    assert code == grpc.StatusCode.UNAUTHENTICATED
    assert "token" in sentence and "wrong-token" not in sentence


def test_health_needs_no_token_and_follows_the_worker(two: Server) -> None:
    with grpc.insecure_channel(two.address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)

        def serving(name: str) -> bool:
            return (
                stub.Check(health_pb2.HealthCheckRequest(service=name)).status == health_pb2.HealthCheckResponse.SERVING
            )

        for name in ("", "JobService", "EngineService", "FrameService"):
            until(lambda name=name: serving(f"void_plugin.v1.{name}" if name else ""), 60)
        os.kill(two.worker_pids()[0], 9)
        until(lambda: not serving("void_plugin.v1.JobService"), 30)
        assert serving("void_plugin.v1.FrameService")
        until(lambda: serving("void_plugin.v1.JobService"), 60)


def test_a_digest_grants_and_reveals_nothing_of_another_identity(two: Server) -> None:
    data = EXR + b"mary's frame"
    with as_mary(two) as mary, as_john(two) as john:
        mary.upload(data)
        digest = wire.digest_to_message(digest_of(data))
        request = frame_service_pb2.FindMissingFramesRequest(digests=[digest, digest])
        assert not mary(mary.frames.FindMissingFrames, request).missing
        assert len(john(john.frames.FindMissingFrames, request).missing) == 1
        code, sentence = fails_with(lambda: john.download(digest.sha256))
        assert code == grpc.StatusCode.NOT_FOUND and digest.sha256 in sentence
        assert mary.download(digest.sha256) == data and mary.download(digest.sha256, 10) == data[10:]


def test_the_jobs_of_an_artist_are_theirs_and_a_supervisors(two: Server) -> None:
    shot = build_shot(two.state.parent / "mary" / "shot", count=2, size=(54, 96))
    with as_mary(two) as mary, as_john(two) as john, two.calls("wilmaspasswordhere789") as wilma:
        submitted = mary.submit_paths(shot.request(frames=shot.frames, engine="identity"), "one")
        job_id = submitted.job.job_id
        for name in ("GetJob", "CancelJob", "DeleteJob", "WatchJob"):
            request = getattr(job_service_pb2, f"{name}Request")(job_id=job_id)
            code, sentence = fails_with(lambda name=name, request=request: john(getattr(john.jobs, name), request))
            assert code == grpc.StatusCode.PERMISSION_DENIED and job_id in sentence, name
        mary.last(job_id)
        assert state_name(wilma.job(job_id)) == "succeeded"
        listing = job_service_pb2.ListJobsRequest
        assert not john(john.jobs.ListJobs, listing()).jobs
        assert fails_with(lambda: john(john.jobs.ListJobs, listing(all_identities=True)))[0] == (
            grpc.StatusCode.PERMISSION_DENIED
        )
        assert [job.job_id for job in wilma(wilma.jobs.ListJobs, listing(all_identities=True)).jobs] == [job_id]
        # The same request_id is another job for another identity.
        assert john.submit_uploads(shot.request(frames=shot.frames, engine="identity"), "one").created
        mary(mary.jobs.DeleteJob, job_service_pb2.DeleteJobRequest(job_id=job_id))
        assert fails_with(lambda: mary.job(job_id))[0] == grpc.StatusCode.NOT_FOUND


def test_path_mode_ends_at_the_roots_of_the_identity(two: Server, tmp_path: Path) -> None:
    inside = build_shot(two.state.parent / "mary" / "inside", count=2, size=(54, 96))
    outside = build_shot(tmp_path / "outside", count=2, size=(54, 96))
    (two.state.parent / "mary" / "link").symlink_to(tmp_path / "outside")
    through = build_shot(two.state.parent / "mary" / "through", count=2, size=(54, 96))
    for frame in through.frames:  # frames that are links to where they must not lead
        Path(through.plate % frame).unlink()
        Path(through.plate % frame).symlink_to(outside.plate % frame)
    with as_mary(two) as mary, as_john(two) as john:
        wrong = [
            outside.request(frames=outside.frames),
            inside.request(frames=inside.frames, outputs=outside.request().outputs),
            inside.request(frames=inside.frames, plate=type(inside.request().plate)(
                str(two.state.parent / "mary" / "link" / "plate.%04d.exr"))),
            inside.request(frames=inside.frames, plate=type(inside.request().plate)(
                str(two.state.parent / "mary" / ".." / ".." / "etc" / "plate.%04d.exr"))),
        ]  # fmt: skip
        for number, request in enumerate(wrong):
            code, sentence = fails_with(lambda number=number, request=request: mary.submit_paths(request, f"w{number}"))
            assert code == grpc.StatusCode.PERMISSION_DENIED and "--allow-root" in sentence
        code, sentence = fails_with(lambda: john.submit_paths(inside.request(frames=inside.frames), "j"))
        assert code == grpc.StatusCode.PERMISSION_DENIED and "upload" in sentence
        job = mary.submit_paths(through.request(frames=through.frames, engine="identity"), "through").job
        last = mary.last(job.job_id)
    assert type(last).__name__ == "Failed" and last.code == "request.path"  # type: ignore[attr-defined]
    assert "/proc/" not in last.text and not list(Path(through.out()).parent.glob("*.exr"))  # type: ignore[attr-defined]


def test_folders_of_a_windows_client_are_mapped(two: Server) -> None:
    shot = build_shot(two.state.parent / "mary" / "mapped", count=2, size=(54, 96))
    request = wire.request_to_message(shot.request(frames=shot.frames, engine="identity"))
    for given in (request.plate, request.object_matte, *request.outputs):
        given.pattern = "s:\\" + str(Path(given.pattern).relative_to(two.state.parent)).replace("/", "\\")
    message = job_service_pb2.SubmitJobRequest(
        request_id="mapped", request=request, paths=job_service_pb2.PathTransfer()
    )
    with as_mary(two) as mary:
        last = mary.last(mary(mary.jobs.SubmitJob, message).job.job_id)
    assert type(last).__name__ == "Finished" and len(list(Path(shot.out()).parent.glob("*.exr"))) == 2


def test_limits_are_told_with_figures(two: Server) -> None:
    shot = build_shot(two.state.parent / "mary" / "long", count=1, size=(54, 96))
    from void_plugin.frames import FrameRange

    with as_mary(two) as mary:
        code, sentence = fails_with(lambda: mary.submit_paths(shot.request(frames=FrameRange(1, 21)), "long"))
        assert code == grpc.StatusCode.RESOURCE_EXHAUSTED and "21" in sentence and "20" in sentence
        code, sentence = fails_with(lambda: mary.upload(EXR + bytes(5_000_000)))
        assert code == grpc.StatusCode.RESOURCE_EXHAUSTED and "4.00 MB" in sentence and "5.00 MB" in sentence


def test_metrics_want_the_token_and_tell_what_was_asked_for(two: Server) -> None:
    with two.calls("wrong-token-wrong-token") as calls:
        fails_with(lambda: calls(calls.jobs.ListJobs, job_service_pb2.ListJobsRequest()))
    url = f"http://{two.metrics}/metrics"  # type: ignore[attr-defined]
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(url)
    assert refused.value.code == 401
    refused.value.close()
    request = urllib.request.Request(url, headers={"Authorization": "Bearer maryspasswordhere123"})
    with urllib.request.urlopen(request) as answer:
        text = answer.read().decode()
    names = "queue_depth jobs_running job_wait_seconds step_seconds frames_per_second store_bytes"
    for name in [f"void_{name}" for name in names.split()] + ["void_worker_restarts_total", "void_failures_total"]:
        assert name in text, name
    assert 'void_failures_total{code="server.unauthenticated"}' in text


# -- starting --------------------------------------------------------------------------------------------------------


def refused_start(state: Path, *arguments: str) -> str:
    """What the server says when it does not start."""
    command = [sys.executable, "-m", "void_server", "serve", "--state", str(state), "--devices", "cpu", *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True) as ran:
        out, said = ran.communicate(timeout=60)
    assert ran.returncode == 69 and not out, (ran.returncode, out, said)
    for found in Path("/proc").glob("[0-9]*/cmdline"):  # what it had started is gone with it
        with contextlib.suppress(OSError):
            assert f"--parent\0{ran.pid}\0".encode() not in found.read_bytes()
    return said.strip().splitlines()[-1]


def test_it_says_why_it_cannot_start(tmp_path: Path) -> None:
    with Server(tmp_path / "state") as running:
        assert "in use by another server" in refused_start(tmp_path / "state", "--address", "127.0.0.1:0")
        for _ in range(2):  # nothing of the first is in the way of the second
            said = refused_start(tmp_path / "other", "--address", running.address)
            assert running.address in said and "--address" in said
    assert "--token-file" in refused_start(tmp_path / "other", "--address", "0.0.0.0:0")
    (tmp_path / "file").write_text("")
    assert str(tmp_path / "file") in refused_start(tmp_path / "file", "--address", "127.0.0.1:0")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_state_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o500)
    assert str(tmp_path / "state") in refused_start(tmp_path / "state", "--address", "127.0.0.1:0")


def test_a_unix_socket_is_for_its_user_alone_and_a_stale_one_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "void.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    server = Server(tmp_path / "state")
    server.address = f"unix:{path}"
    with server, server.calls() as calls:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert calls.list_engines().server.identity
        assert stat.S_IMODE((server.state / "token").stat().st_mode) == 0o600
        assert json.loads((server.state / "server.json").read_text())["address"] == server.address
        said = refused_start(tmp_path / "other", "--address", server.address)
        assert "Another server listens" in said
        assert path.exists()  # who came in vain has left it alone
    assert not path.exists() and not (server.state / "server.json").exists()


def test_health_is_right_where_the_workers_were_ready_before_the_port(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class LatePort(port.Port):
        def __init__(self, *arguments: Any) -> None:
            assert server.devices.wait_ready(60)
            super().__init__(*arguments)

    monkeypatch.setattr(port, "Port", LatePort)
    settings = ServerSettings(state=tmp_path / "state", address="127.0.0.1:0", devices=("cpu",))
    server = serve.Server(settings, os.environ)
    try:
        server.start()
        with grpc.insecure_channel(server.address) as channel:
            asked = health_pb2.HealthCheckRequest(service="void_plugin.v1.JobService")
            assert health_pb2_grpc.HealthStub(channel).Check(asked).status == health_pb2.HealthCheckResponse.SERVING
    finally:
        server.drain()


# -- TLS -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def tls_server(folder: Path, authority: trustme.CA, *more: str, **issued: Any) -> Server:
    certificate = authority.issue_cert("localhost", "127.0.0.1", **issued)
    certificate.private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    certificate.private_key_pem.write_to_path(str(folder / "server.key"))
    arguments = ["--tls-cert", str(folder / "server.pem"), "--tls-key", str(folder / "server.key"), *more]
    return Server(folder / "state", *arguments)


def engines_over_tls(server: Server, credentials: grpc.ChannelCredentials) -> Any:
    metadata = (("authorization", f"Bearer {server.token()}"),)
    with grpc.secure_channel(server.address, credentials) as channel:
        from void_plugin.v1 import engine_service_pb2_grpc

        stub = engine_service_pb2_grpc.EngineServiceStub(channel)
        return stub.ListEngines(engine_service_pb2.ListEnginesRequest(), metadata=metadata, timeout=60)


def test_tls_and_mutual_tls_are_spoken(tmp_path: Path, authority: trustme.CA) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    roots = authority.cert_pem.bytes()
    with tls_server(tmp_path, authority, "--tls-client-ca", str(tmp_path / "ca.pem")) as server:
        client = authority.issue_cert("artist@studio.example")
        pair = client.private_key_pem.bytes(), client.cert_chain_pems[0].bytes()
        assert engines_over_tls(server, grpc.ssl_channel_credentials(roots, *pair)).server.version
        with pytest.raises(grpc.RpcError) as refused:
            engines_over_tls(server, grpc.ssl_channel_credentials(roots))
        assert refused.value.code() == grpc.StatusCode.UNAVAILABLE


def test_an_expired_certificate_is_named(tmp_path: Path, authority: trustme.CA) -> None:
    past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    with tls_server(tmp_path, authority, not_after=past) as server:
        with pytest.raises(grpc.RpcError) as refused:
            engines_over_tls(server, grpc.ssl_channel_credentials(authority.cert_pem.bytes()))
        error = wire.error_from_call(refused.value, server.address)
    assert error.code == "server.tls" and "expired" in error.message and server.address in error.message


def test_a_key_that_does_not_fit_is_told(tmp_path: Path, authority: trustme.CA) -> None:
    tls_server(tmp_path, authority)
    authority.issue_cert("localhost").private_key_pem.write_to_path(str(tmp_path / "server.key"))
    arguments = ["--tls-cert", str(tmp_path / "server.pem"), "--tls-key", str(tmp_path / "server.key")]
    assert "server.key" in refused_start(tmp_path / "state", "--address", "127.0.0.1:0", *arguments)
