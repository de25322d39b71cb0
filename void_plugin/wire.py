"""The only translator between messages of `void_plugin.v1` and the values that everything else works with.

Messages come from anybody: whatever they hold becomes a checked value or a VoidError that names the field.
"""

import json
import re
import socket
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from void_plugin.errors import CODES, FrameError, RequestError, ServerError, VoidError, from_code
from void_plugin.events import Event, Failed, Finished, FrameReady, Progressed, Queued, Started, Stopped, Warned
from void_plugin.frames import Digest, FrameRange
from void_plugin.request import INPUTS, ImageInput, Output, RemovalRequest
from void_plugin.settings import RenderSettings
from void_plugin.v1 import event_pb2, job_service_pb2, request_pb2

DOMAIN = "void_plugin"
"""Domain of the google.rpc.ErrorInfo that every refusal carries."""
LONGEST_SENTENCE = 2000
"""Characters of a refusal: status details travel in HTTP/2 headers, which end at 8 KiB."""

INPUT_NAMES: Mapping[int, str] = {
    number: name.removeprefix("INPUT_KIND_").lower() for name, number in job_service_pb2.InputKind.items() if number
}
"""Name of a request's input by its number on the wire."""
STATE_NAMES: Mapping[int, str] = {
    number: name.removeprefix("JOB_STATE_").lower() for name, number in job_service_pb2.JobState.items() if number
}
"""`queued`, `running`, … by the number on the wire."""
KIND_NAMES: Mapping[int, str] = {
    number: name.removeprefix("JOB_KIND_").lower() for name, number in job_service_pb2.JobKind.items() if number
}
"""`remove` or `preview` by the number on the wire."""

_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_EVENT_FIELDS: Mapping[type[Event], str] = {
    Queued: "queued",
    Started: "started",
    Progressed: "progressed",
    Warned: "warned",
    FrameReady: "frame_ready",
    Finished: "finished",
    Stopped: "cancelled",
    Failed: "failed",
}


def number_of(names: Mapping[int, str], name: str) -> int:
    """The number on the wire of a name in one of the tables above."""
    return next(number for number, known in names.items() if known == name)


# -- requests ----------------------------------------------------------------------------------------------------


def request_to_message(request: RemovalRequest) -> request_pb2.RemovalRequest:
    """A request as it travels; its request_id and schema travel beside it."""
    message = request_pb2.RemovalRequest(
        outputs=[request_pb2.Output(kind=output.kind, pattern=output.pattern) for output in request.outputs],
        shot=request.shot,
        handles=request.handles,
        context=request.context,
        view=request.view,
        colour=request.colour,
        prompt=request.prompt,
        engine=request.engine,
        settings=request_pb2.RenderSettings(**{item.name: getattr(request.settings, item.name)
                                               for item in fields(RenderSettings)}),
        priority=request.priority,
        roots=dict(request.roots),
    )  # fmt: skip
    for name in INPUTS:
        given = request.input(name)
        if given is not None:
            getattr(message, name).CopyFrom(request_pb2.ImageInput(pattern=given.pattern, channels=given.channels))
    for name in ("frames", "shot_range"):
        frames: FrameRange | None = getattr(request, name)
        if frames is not None:
            getattr(message, name).CopyFrom(request_pb2.FrameRange(first=frames.first, last=frames.last))
    return message


def request_from_message(message: request_pb2.RemovalRequest, request_id: str = "") -> RemovalRequest:
    """A checked request. Raises RequestError naming what is wrong."""
    given: dict[str, Any] = {
        name: ImageInput(getattr(message, name).pattern, tuple(getattr(message, name).channels))
        for name in INPUTS
        if message.HasField(name)
    }
    if "plate" not in given:
        raise RequestError("The request has no plate; name the photographed frames.")
    for name in ("frames", "shot_range"):
        if message.HasField(name):
            given[name] = FrameRange(getattr(message, name).first, getattr(message, name).last)
    request = RemovalRequest(
        **given,
        outputs=tuple(Output(output.kind, output.pattern) for output in message.outputs),
        shot=message.shot,
        handles=message.handles,
        context=message.context,
        view=message.view,
        colour=message.colour,
        prompt=message.prompt,
        engine=message.engine or "auto",
        settings=_settings(message.settings),
        priority=message.priority if message.HasField("priority") else RemovalRequest.priority,
        roots=dict(message.roots),
        request_id=request_id,
    )
    _refuse_nul(request)
    request.check()
    return request


def _settings(message: request_pb2.RenderSettings) -> RenderSettings:
    """Settings in which an empty text or 0 means the default, as proto3 cannot tell it from an absent one."""
    values = {item.name: getattr(message, item.name) for item in fields(RenderSettings)}
    return RenderSettings(**{name: value for name, value in values.items() if value})


def _refuse_nul(request: RemovalRequest) -> None:
    # The system's calls take a NUL for the end of a path, so what is checked would not be what is opened.
    if any("\0" in text for text in _texts(request.to_dict())):
        raise RequestError("The request holds a NUL character; correct the path or name that has it.")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key)
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


# -- digests -----------------------------------------------------------------------------------------------------


def digest_to_message(digest: Digest) -> request_pb2.Digest:
    """A digest as it travels."""
    return request_pb2.Digest(sha256=digest.sha256, size_bytes=digest.size)


def digest_from_message(message: request_pb2.Digest) -> Digest:
    """A checked digest. Raises FrameError where it is none."""
    if not _SHA256.match(message.sha256):
        raise FrameError(
            f"{message.sha256[:80]!r} is not a SHA-256 in 64 lower-case hexadecimal digits; compute it from the whole "
            "file.",
            "frame.transfer",
        )
    if message.size_bytes < 0:
        raise FrameError(f"A file cannot be {message.size_bytes} bytes long; send its real size.", "frame.transfer")
    return Digest(message.sha256, message.size_bytes)


# -- events ------------------------------------------------------------------------------------------------------


def event_to_message(event: Event) -> event_pb2.Event:
    """An event as it travels. Uploading is the client's own and never does."""
    message = event_pb2.Event(job_id=event.job, number=event.number)
    part = getattr(message, _EVENT_FIELDS[type(event)])
    part.SetInParent()  # a Cancelled has no fields, and must be there all the same
    for item in fields(event):
        value = getattr(event, item.name)
        if item.name in ("job", "number") or value is None:
            continue
        if item.name == "digest":
            part.digest.sha256 = value
        elif item.name == "summary":
            part.summary_json = json.dumps(value, sort_keys=True)
        else:
            setattr(part, item.name, value)
    return message


def event_from_message(message: event_pb2.Event) -> Event | None:
    """The event, or None for a kind this version does not know."""
    name = message.WhichOneof("kind")
    kind = next((kind for kind, known in _EVENT_FIELDS.items() if known == name), None)
    if name is None or kind is None:
        return None
    part = getattr(message, name)
    values: dict[str, Any] = {"job": message.job_id, "number": message.number}
    for item in fields(kind):
        if item.name in values:
            continue
        if item.name == "digest":
            values["digest"] = part.digest.sha256
        elif item.name == "summary":
            values["summary"] = _summary(part.summary_json)
        elif item.name == "frame" and kind is Warned:
            values["frame"] = part.frame if part.HasField("frame") else None
        else:
            values[item.name] = getattr(part, item.name)
    return kind(**values)


def _summary(text: str) -> dict[str, Any]:
    try:
        summary = json.loads(text or "{}")
    except ValueError as error:
        raise ServerError("The server sent a summary that is not JSON; update void_plugin on both sides.") from error
    return summary if isinstance(summary, dict) else {}


# -- errors ------------------------------------------------------------------------------------------------------


class _Refusal(grpc.Status):
    """What `context.abort_with_status` takes."""

    def __init__(self, status: status_pb2.Status) -> None:
        made = rpc_status.to_status(status)
        self.code, self.details, self.trailing_metadata = made.code, made.details, made.trailing_metadata


def status_of(error: VoidError, retry_seconds: float | None = None) -> grpc.Status:
    """The gRPC status of an error, for `context.abort_with_status`; tells when to try again where that is known."""
    sentence = error.message if len(error.message) <= LONGEST_SENTENCE else error.message[: LONGEST_SENTENCE - 1] + "…"
    status = status_pb2.Status(code=grpc.StatusCode[error.status].value[0], message=sentence)
    details: list[Any] = [error_details_pb2.ErrorInfo(reason=error.code, domain=DOMAIN)]
    if retry_seconds is not None:
        details.append(error_details_pb2.RetryInfo(retry_delay=_duration(retry_seconds)))
    for detail in details:
        packed = AnyMessage()
        packed.Pack(detail)
        status.details.append(packed)
    return _Refusal(status)


def _duration(seconds: float) -> Duration:
    whole = int(seconds)
    return Duration(seconds=whole, nanos=int((seconds - whole) * 1e9))


def error_from_call(error: grpc.RpcError, address: str) -> VoidError:
    """The error behind a call that failed: the server's own where it sent one, else a sentence about the connection."""
    if not isinstance(error, grpc.Call):
        return ServerError(f"The call to the server {address} failed: {error}; try again.", "server.unavailable")
    status = _own_status(error)
    if status is not None:
        for detail in status.details:
            info = error_details_pb2.ErrorInfo()
            if detail.Unpack(info) and info.domain == DOMAIN and info.reason in CODES:
                return from_code(info.reason, status.message)
    return _connection_error(error.code(), error.details() or "", address)


def retry_seconds(error: grpc.RpcError) -> float | None:
    """When the server says that the call may be tried again; None where it does not say."""
    status = _own_status(error) if isinstance(error, grpc.Call) else None
    if status is None:
        return None
    for detail in status.details:
        info = error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            return float(info.retry_delay.seconds + info.retry_delay.nanos / 1e9)
    return None


def _own_status(call: grpc.Call) -> status_pb2.Status | None:
    try:
        status: status_pb2.Status | None = rpc_status.from_call(call)
    except ValueError:  # details that contradict the status: not ours
        return None
    return status


def _connection_error(code: grpc.StatusCode, details: str, address: str) -> VoidError:
    if code == grpc.StatusCode.UNAVAILABLE and re.search(r"CERTIFICATE|certificate|SSL|TLS|[Hh]andshake", details):
        expired = "has expired" in details
        advice = (
            "its certificate has expired; ask whoever runs the server to renew it"
            if expired
            else "the certificate cannot be trusted; name its authority with tls_ca ($VOID_TLS_CA)"
        )
        return ServerError(f"No secure connection to the server {address}: {advice} ({details}).", "server.tls")
    if code == grpc.StatusCode.UNAVAILABLE:
        return ServerError(
            f"The server {address} cannot be reached ({details}); check that it runs and that the address is right.",
            "server.unavailable",
        )
    if code == grpc.StatusCode.DEADLINE_EXCEEDED:
        return ServerError(f"The server {address} did not answer in time; try again.", "server.timeout")
    if code == grpc.StatusCode.UNAUTHENTICATED:
        return ServerError(f"The server {address} wants a valid token ({details}).", "server.unauthenticated")
    if code == grpc.StatusCode.PERMISSION_DENIED:
        return ServerError(f"The server {address} does not allow this ({details}).", "server.forbidden")
    if code == grpc.StatusCode.RESOURCE_EXHAUSTED:
        return ServerError(f"The server {address} has no room for this now ({details}).", "server.busy")
    if code == grpc.StatusCode.UNIMPLEMENTED:
        return ServerError(
            f"The server {address} is of a version that does not know this call ({details}); install the same version "
            "of void_plugin on both sides.",
            "server.start",
        )
    return ServerError(f"The server {address} answered {code.name} ({details}).", "server.internal")


def machine_digest() -> str:
    """The same for every process of this machine, and for no other: tells whether paths mean the same on both sides."""
    file = Path("/etc/machine-id")
    text = file.read_text(encoding="ascii").strip() if file.is_file() else ""
    return Digest.of_text(f"{text} {socket.gethostname()}").sha256
