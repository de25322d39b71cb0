import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from void_plugin.v1 import event_pb2 as _event_pb2
from void_plugin.v1 import request_pb2 as _request_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class JobKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    JOB_KIND_UNSPECIFIED: _ClassVar[JobKind]
    JOB_KIND_REMOVE: _ClassVar[JobKind]
    JOB_KIND_PREVIEW: _ClassVar[JobKind]

class JobState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    JOB_STATE_UNSPECIFIED: _ClassVar[JobState]
    JOB_STATE_QUEUED: _ClassVar[JobState]
    JOB_STATE_RUNNING: _ClassVar[JobState]
    JOB_STATE_SUCCEEDED: _ClassVar[JobState]
    JOB_STATE_FAILED: _ClassVar[JobState]
    JOB_STATE_CANCELLED: _ClassVar[JobState]

class InputKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INPUT_KIND_UNSPECIFIED: _ClassVar[InputKind]
    INPUT_KIND_PLATE: _ClassVar[InputKind]
    INPUT_KIND_OBJECT_MATTE: _ClassVar[InputKind]
    INPUT_KIND_AFFECTED_MATTE: _ClassVar[InputKind]
    INPUT_KIND_HOLDOUT_MATTE: _ClassVar[InputKind]
    INPUT_KIND_EXCLUDE_MATTE: _ClassVar[InputKind]
    INPUT_KIND_QUADMASK: _ClassVar[InputKind]
    INPUT_KIND_CLEAN_PLATE: _ClassVar[InputKind]
JOB_KIND_UNSPECIFIED: JobKind
JOB_KIND_REMOVE: JobKind
JOB_KIND_PREVIEW: JobKind
JOB_STATE_UNSPECIFIED: JobState
JOB_STATE_QUEUED: JobState
JOB_STATE_RUNNING: JobState
JOB_STATE_SUCCEEDED: JobState
JOB_STATE_FAILED: JobState
JOB_STATE_CANCELLED: JobState
INPUT_KIND_UNSPECIFIED: InputKind
INPUT_KIND_PLATE: InputKind
INPUT_KIND_OBJECT_MATTE: InputKind
INPUT_KIND_AFFECTED_MATTE: InputKind
INPUT_KIND_HOLDOUT_MATTE: InputKind
INPUT_KIND_EXCLUDE_MATTE: InputKind
INPUT_KIND_QUADMASK: InputKind
INPUT_KIND_CLEAN_PLATE: InputKind

class InputFrame(_message.Message):
    __slots__ = ("input", "frame", "digest")
    INPUT_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    input: InputKind
    frame: int
    digest: _request_pb2.Digest
    def __init__(self, input: _Optional[_Union[InputKind, str]] = ..., frame: _Optional[int] = ..., digest: _Optional[_Union[_request_pb2.Digest, _Mapping]] = ...) -> None: ...

class PathTransfer(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class UploadTransfer(_message.Message):
    __slots__ = ("frames",)
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    frames: _containers.RepeatedCompositeFieldContainer[InputFrame]
    def __init__(self, frames: _Optional[_Iterable[_Union[InputFrame, _Mapping]]] = ...) -> None: ...

class SubmitJobRequest(_message.Message):
    __slots__ = ("request_id", "request", "kind", "paths", "uploads")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PATHS_FIELD_NUMBER: _ClassVar[int]
    UPLOADS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    request: _request_pb2.RemovalRequest
    kind: JobKind
    paths: PathTransfer
    uploads: UploadTransfer
    def __init__(self, request_id: _Optional[str] = ..., request: _Optional[_Union[_request_pb2.RemovalRequest, _Mapping]] = ..., kind: _Optional[_Union[JobKind, str]] = ..., paths: _Optional[_Union[PathTransfer, _Mapping]] = ..., uploads: _Optional[_Union[UploadTransfer, _Mapping]] = ...) -> None: ...

class SubmitJobResponse(_message.Message):
    __slots__ = ("job", "created")
    JOB_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    job: Job
    created: bool
    def __init__(self, job: _Optional[_Union[Job, _Mapping]] = ..., created: bool = ...) -> None: ...

class Job(_message.Message):
    __slots__ = ("job_id", "request_id", "owner", "kind", "state", "shot", "engine", "frames", "priority", "fraction", "position", "eta_seconds", "submitted_at", "started_at", "ended_at", "error_code", "error_text", "attempts", "last_event", "stopping")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SHOT_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    FRACTION_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    ETA_SECONDS_FIELD_NUMBER: _ClassVar[int]
    SUBMITTED_AT_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_FIELD_NUMBER: _ClassVar[int]
    ERROR_CODE_FIELD_NUMBER: _ClassVar[int]
    ERROR_TEXT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    LAST_EVENT_FIELD_NUMBER: _ClassVar[int]
    STOPPING_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    request_id: str
    owner: str
    kind: JobKind
    state: JobState
    shot: str
    engine: str
    frames: str
    priority: int
    fraction: float
    position: int
    eta_seconds: float
    submitted_at: _timestamp_pb2.Timestamp
    started_at: _timestamp_pb2.Timestamp
    ended_at: _timestamp_pb2.Timestamp
    error_code: str
    error_text: str
    attempts: int
    last_event: int
    stopping: bool
    def __init__(self, job_id: _Optional[str] = ..., request_id: _Optional[str] = ..., owner: _Optional[str] = ..., kind: _Optional[_Union[JobKind, str]] = ..., state: _Optional[_Union[JobState, str]] = ..., shot: _Optional[str] = ..., engine: _Optional[str] = ..., frames: _Optional[str] = ..., priority: _Optional[int] = ..., fraction: _Optional[float] = ..., position: _Optional[int] = ..., eta_seconds: _Optional[float] = ..., submitted_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., started_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ended_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., error_code: _Optional[str] = ..., error_text: _Optional[str] = ..., attempts: _Optional[int] = ..., last_event: _Optional[int] = ..., stopping: bool = ...) -> None: ...

class WatchJobRequest(_message.Message):
    __slots__ = ("job_id", "after_event")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_EVENT_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    after_event: int
    def __init__(self, job_id: _Optional[str] = ..., after_event: _Optional[int] = ...) -> None: ...

class WatchJobResponse(_message.Message):
    __slots__ = ("event",)
    EVENT_FIELD_NUMBER: _ClassVar[int]
    event: _event_pb2.Event
    def __init__(self, event: _Optional[_Union[_event_pb2.Event, _Mapping]] = ...) -> None: ...

class GetJobRequest(_message.Message):
    __slots__ = ("job_id",)
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    def __init__(self, job_id: _Optional[str] = ...) -> None: ...

class GetJobResponse(_message.Message):
    __slots__ = ("job",)
    JOB_FIELD_NUMBER: _ClassVar[int]
    job: Job
    def __init__(self, job: _Optional[_Union[Job, _Mapping]] = ...) -> None: ...

class ListJobsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "states", "all_identities")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    ALL_IDENTITIES_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    states: _containers.RepeatedScalarFieldContainer[JobState]
    all_identities: bool
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., states: _Optional[_Iterable[_Union[JobState, str]]] = ..., all_identities: bool = ...) -> None: ...

class ListJobsResponse(_message.Message):
    __slots__ = ("jobs", "next_page_token")
    JOBS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    jobs: _containers.RepeatedCompositeFieldContainer[Job]
    next_page_token: str
    def __init__(self, jobs: _Optional[_Iterable[_Union[Job, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class CancelJobRequest(_message.Message):
    __slots__ = ("job_id",)
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    def __init__(self, job_id: _Optional[str] = ...) -> None: ...

class CancelJobResponse(_message.Message):
    __slots__ = ("job",)
    JOB_FIELD_NUMBER: _ClassVar[int]
    job: Job
    def __init__(self, job: _Optional[_Union[Job, _Mapping]] = ...) -> None: ...

class DeleteJobRequest(_message.Message):
    __slots__ = ("job_id",)
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    def __init__(self, job_id: _Optional[str] = ...) -> None: ...

class DeleteJobResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
