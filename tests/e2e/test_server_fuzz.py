"""Whatever a client sends, the answer is a status from the list with a sentence, and the server goes on serving."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers import Calls, Server
from shots import Shot, build_shot

from void_plugin import wire
from void_plugin.v1 import engine_service_pb2, frame_service_pb2, job_service_pb2

ALLOWED = {
    grpc.StatusCode.OK,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}
"""UNAVAILABLE is on the list as well, but a server that is up has no reason for it."""

NUMBERS = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
}
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=("Cs",)), max_size=30),
    st.sampled_from([
        "", "%d", "%04d", "%99999999999d", "<plate>/a.%04d.exr", "<nowhere>/a.%d.exr", "/etc/passwd", "../../x.%d.exr",
        "/proc/self/fd/0", "a\0b", "auto", "recover", "os:system", "patch", "0" * 64, "f" * 64, "x" * 5000, "~", "C:\\",
    ]),
)  # fmt: skip


def anything(descriptor: Descriptor, make: type[Message], depth: int = 0) -> st.SearchStrategy[Message]:
    """Messages of a type with any of their fields set to anything."""
    fields = {field.name: value_of(field, depth) for field in descriptor.fields if depth < 3 or not field.message_type}

    def build(values: dict[str, Any]) -> Message:
        message = make()
        for name, value in values.items():
            field = descriptor.fields_by_name[name]
            if field.is_repeated and isinstance(value, dict):
                for key, item in value.items():
                    getattr(message, name)[key] = item
            elif field.is_repeated:
                getattr(message, name).extend(value)
            elif field.message_type:
                getattr(message, name).CopyFrom(value)
            else:
                setattr(message, name, value)
        return message

    return st.fixed_dictionaries({}, optional=fields).map(build)


def value_of(field: FieldDescriptor, depth: int) -> st.SearchStrategy[Any]:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return st.dictionaries(TEXTS, TEXTS, max_size=3)
    single: st.SearchStrategy[Any]
    if field.message_type is not None:
        single = anything(field.message_type, field.message_type._concrete_class, depth + 1)
    elif field.type in NUMBERS:
        low, high = NUMBERS[field.type]
        single = st.one_of(st.integers(-2, 3), st.integers(low, high), st.sampled_from([low, high]))
    elif field.type == FieldDescriptor.TYPE_ENUM:
        single = st.integers(-1, 9)
    elif field.type == FieldDescriptor.TYPE_DOUBLE:
        single = st.floats()
    elif field.type == FieldDescriptor.TYPE_BOOL:
        single = st.booleans()
    elif field.type == FieldDescriptor.TYPE_BYTES:
        single = st.binary(max_size=50)
    else:
        single = TEXTS
    return st.lists(single, max_size=3) if field.is_repeated else single


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("fuzz")
    with Server(folder / "state", "--allow-root", str(folder)) as running:
        yield running


@pytest.fixture(scope="module")
def calls(server: Server) -> Iterator[Calls]:
    with server.calls() as made:
        made.list_engines()
        yield made


@pytest.fixture(scope="module")
def valid(server: Server) -> job_service_pb2.SubmitJobRequest:
    """A submit that would be taken, for one field after the other to be spoilt."""
    shot: Shot = build_shot(server.state.parent / "shot", count=2, size=(54, 96))
    request = shot.request(frames=shot.frames, engine="identity").rooted()
    return job_service_pb2.SubmitJobRequest(
        request_id="r", request=wire.request_to_message(request), paths=job_service_pb2.PathTransfer()
    )


def answer(calls: Calls, method: Any, request: Any) -> Any:
    """The response, or None where the call was refused in an allowed way."""
    try:
        response = calls(method, request)
        return list(response) if not isinstance(response, Message) else response
    except grpc.RpcError as error:
        assert error.code() in ALLOWED, (error.code(), error.details())
        assert len(error.details() or "") > 20 and (error.details() or "").rstrip()[-1] in ".…", error.details()
        return None


def fuzz(examples: int) -> Any:
    return settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    )


UNARY = [
    ("frames", "FindMissingFrames", frame_service_pb2.FindMissingFramesRequest),
    ("frames", "DownloadFrame", frame_service_pb2.DownloadFrameRequest),
    ("jobs", "GetJob", job_service_pb2.GetJobRequest),
    ("jobs", "ListJobs", job_service_pb2.ListJobsRequest),
    ("jobs", "CancelJob", job_service_pb2.CancelJobRequest),
    ("jobs", "DeleteJob", job_service_pb2.DeleteJobRequest),
    ("jobs", "WatchJob", job_service_pb2.WatchJobRequest),
    ("engines", "ListEngines", engine_service_pb2.ListEnginesRequest),
]


@pytest.mark.parametrize(("service", "name", "kind"), UNARY, ids=[name for _, name, _ in UNARY])
@fuzz(25)
@given(data=st.data())
def test_any_request_gets_a_proper_answer(
    calls: Calls, service: str, name: str, kind: type[Message], data: st.DataObject
) -> None:
    request = data.draw(anything(kind.DESCRIPTOR, kind))
    answer(calls, getattr(getattr(calls, service), name), request)


@fuzz(60)
@given(data=st.data())
def test_any_submit_gets_a_proper_answer(calls: Calls, data: st.DataObject) -> None:
    request = data.draw(anything(job_service_pb2.SubmitJobRequest.DESCRIPTOR, job_service_pb2.SubmitJobRequest))
    answer(calls, calls.jobs.SubmitJob, request)


@fuzz(120)
@given(data=st.data())
def test_a_good_submit_with_a_field_spoilt_gets_a_proper_answer(
    calls: Calls, valid: job_service_pb2.SubmitJobRequest, data: st.DataObject
) -> None:
    spoilt = job_service_pb2.SubmitJobRequest()
    spoilt.CopyFrom(valid)
    spoilt.request_id = data.draw(st.uuids()).hex
    at: Any = spoilt if data.draw(st.integers(0, 4)) == 0 else spoilt.request
    noise = data.draw(anything(type(at).DESCRIPTOR, type(at)))
    field = data.draw(st.sampled_from(list(type(at).DESCRIPTOR.fields)))
    at.ClearField(field.name)
    for present, _ in noise.ListFields():
        if present.name == field.name:
            if present.is_repeated:
                getattr(at, field.name).MergeFrom(getattr(noise, field.name))
            elif present.message_type:
                getattr(at, field.name).CopyFrom(getattr(noise, field.name))
            else:
                setattr(at, field.name, getattr(noise, field.name))
    response = answer(calls, calls.jobs.SubmitJob, spoilt)
    if response is not None:
        calls.cancel(response.job.job_id)


@fuzz(60)
@given(parts=st.lists(anything(frame_service_pb2.UploadFrameRequest.DESCRIPTOR, frame_service_pb2.UploadFrameRequest),
                      max_size=4))  # fmt: skip
def test_any_upload_gets_a_proper_answer(calls: Calls, parts: list[Message]) -> None:
    answer(calls, calls.frames.UploadFrame, iter(parts))


def test_it_still_serves_and_left_nothing_half_written(server: Server, calls: Calls) -> None:
    data = b"\x76\x2f\x31\x01" + bytes(3000)
    calls.upload(data)
    assert not list((server.state / "store" / "incoming").iterdir())
    assert calls.list_engines().engines
    assert "Traceback" not in server.log()


def test_the_data_folder_of_the_server_holds_only_what_it_should(server: Server) -> None:
    assert {path.name for path in Path(server.state).iterdir()} >= {"token", "store", "lock", "server.json"}
