"""Programs that know nothing of ours talk to the server: Node, grpclib, and anything that asks for reflection."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from google.protobuf import descriptor_pool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpclib.client import Channel, UnaryUnaryMethod
from servers import Server, until

from void_plugin.v1 import engine_service_pb2, job_service_pb2

FAKES = Path(__file__).parents[1] / "fakes"
PROTO = Path(__file__).parents[2] / "proto"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("foreign") / "state") as running:
        with running.calls() as calls:
            calls.list_engines()
        yield running


def test_reflection_lists_the_services_and_their_types_to_whoever_has_a_token(server: Server) -> None:
    class WithToken(grpc.StreamStreamClientInterceptor):  # type: ignore[misc]
        def intercept_stream_stream(self, proceed, details, requests):  # type: ignore[no-untyped-def]
            more = (("authorization", f"Bearer {server.token()}"),)
            return proceed(details._replace(metadata=more), requests)

    with grpc.insecure_channel(server.address) as plain:
        database = ProtoReflectionDescriptorDatabase(grpc.intercept_channel(plain, WithToken()))
        assert {name for name in database.get_services() if name.startswith("void_plugin.v1.")} == {
            "void_plugin.v1.FrameService",
            "void_plugin.v1.JobService",
            "void_plugin.v1.EngineService",
        }
        found = descriptor_pool.DescriptorPool(database).FindMessageTypeByName("void_plugin.v1.RemovalRequest")
        assert "object_matte" in found.fields_by_name
        with pytest.raises(grpc.RpcError) as refused:
            ProtoReflectionDescriptorDatabase(plain).get_services()
        assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED


def test_grpclib_speaks_to_it(server: Server) -> None:
    async def ask() -> engine_service_pb2.ListEnginesResponse:
        host, _, port = server.address.rpartition(":")
        async with Channel(host, int(port)) as channel:
            method = UnaryUnaryMethod(
                channel,
                "/void_plugin.v1.EngineService/ListEngines",
                engine_service_pb2.ListEnginesRequest,
                engine_service_pb2.ListEnginesResponse,
            )
            return await method(
                engine_service_pb2.ListEnginesRequest(), metadata={"authorization": f"Bearer {server.token()}"}
            )

    answer = asyncio.run(ask())
    assert "recover" in {engine.name for engine in answer.engines if engine.available}


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("npm") or not shutil.which("node"), reason="npm is not installed")
def test_a_node_program_runs_a_job_from_the_proto_files(server: Server, tmp_path: Path) -> None:
    for name in ("client.js", "package.json"):
        shutil.copy(FAKES / "node_client" / name, tmp_path)
    installed = subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error"], cwd=tmp_path, capture_output=True, text=True
    )
    if installed.returncode:
        pytest.skip(f"npm cannot install @grpc/grpc-js here: {installed.stderr[-300:]}")
    ran = subprocess.run(
        ["node", "client.js", server.address, str(PROTO)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "VOID_TOKEN": server.token()},
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    told = json.loads(ran.stdout.splitlines()[-1])
    assert "recover" in told["engines"]
    assert told["missing_before"] == 1 and told["missing_after"] == 0 and told["same_bytes"]
    # Its one frame is no shot, so the job fails, with a sentence, as an event and not as a status.
    assert told["events"][0] == "queued" and told["events"][-1] == "failed"
    assert told["refusal"]["reason"] == "job.unknown" and told["refusal"]["code"] == grpc.StatusCode.NOT_FOUND.value[0]
    with server.calls() as calls:
        until(lambda: calls(calls.jobs.ListJobs, job_service_pb2.ListJobsRequest()).jobs, 10)
