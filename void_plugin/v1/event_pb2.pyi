from void_plugin.v1 import request_pb2 as _request_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Event(_message.Message):
    __slots__ = ("job_id", "number", "queued", "started", "progressed", "warned", "frame_ready", "finished", "cancelled", "failed")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    QUEUED_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    PROGRESSED_FIELD_NUMBER: _ClassVar[int]
    WARNED_FIELD_NUMBER: _ClassVar[int]
    FRAME_READY_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    CANCELLED_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    number: int
    queued: Queued
    started: Started
    progressed: Progressed
    warned: Warned
    frame_ready: FrameReady
    finished: Finished
    cancelled: Cancelled
    failed: Failed
    def __init__(self, job_id: _Optional[str] = ..., number: _Optional[int] = ..., queued: _Optional[_Union[Queued, _Mapping]] = ..., started: _Optional[_Union[Started, _Mapping]] = ..., progressed: _Optional[_Union[Progressed, _Mapping]] = ..., warned: _Optional[_Union[Warned, _Mapping]] = ..., frame_ready: _Optional[_Union[FrameReady, _Mapping]] = ..., finished: _Optional[_Union[Finished, _Mapping]] = ..., cancelled: _Optional[_Union[Cancelled, _Mapping]] = ..., failed: _Optional[_Union[Failed, _Mapping]] = ...) -> None: ...

class Queued(_message.Message):
    __slots__ = ("position", "eta_seconds")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    ETA_SECONDS_FIELD_NUMBER: _ClassVar[int]
    position: int
    eta_seconds: float
    def __init__(self, position: _Optional[int] = ..., eta_seconds: _Optional[float] = ...) -> None: ...

class Started(_message.Message):
    __slots__ = ("engine", "device", "folder", "frames", "reason")
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    FOLDER_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    engine: str
    device: str
    folder: str
    frames: str
    reason: str
    def __init__(self, engine: _Optional[str] = ..., device: _Optional[str] = ..., folder: _Optional[str] = ..., frames: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class Progressed(_message.Message):
    __slots__ = ("step", "unit", "window", "pass_number", "fraction", "text")
    STEP_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    PASS_NUMBER_FIELD_NUMBER: _ClassVar[int]
    FRACTION_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    step: str
    unit: int
    window: int
    pass_number: int
    fraction: float
    text: str
    def __init__(self, step: _Optional[str] = ..., unit: _Optional[int] = ..., window: _Optional[int] = ..., pass_number: _Optional[int] = ..., fraction: _Optional[float] = ..., text: _Optional[str] = ...) -> None: ...

class Warned(_message.Message):
    __slots__ = ("code", "frame", "text")
    CODE_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    code: str
    frame: int
    text: str
    def __init__(self, code: _Optional[str] = ..., frame: _Optional[int] = ..., text: _Optional[str] = ...) -> None: ...

class FrameReady(_message.Message):
    __slots__ = ("frame", "path", "digest", "coverage", "output")
    FRAME_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    COVERAGE_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    frame: int
    path: str
    digest: _request_pb2.Digest
    coverage: float
    output: int
    def __init__(self, frame: _Optional[int] = ..., path: _Optional[str] = ..., digest: _Optional[_Union[_request_pb2.Digest, _Mapping]] = ..., coverage: _Optional[float] = ..., output: _Optional[int] = ...) -> None: ...

class Finished(_message.Message):
    __slots__ = ("result", "summary_json", "digest")
    RESULT_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_JSON_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    result: str
    summary_json: str
    digest: _request_pb2.Digest
    def __init__(self, result: _Optional[str] = ..., summary_json: _Optional[str] = ..., digest: _Optional[_Union[_request_pb2.Digest, _Mapping]] = ...) -> None: ...

class Cancelled(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Failed(_message.Message):
    __slots__ = ("code", "text")
    CODE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    code: str
    text: str
    def __init__(self, code: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...
