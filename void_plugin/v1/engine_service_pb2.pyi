from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DeviceState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEVICE_STATE_UNSPECIFIED: _ClassVar[DeviceState]
    DEVICE_STATE_LOADING: _ClassVar[DeviceState]
    DEVICE_STATE_IDLE: _ClassVar[DeviceState]
    DEVICE_STATE_BUSY: _ClassVar[DeviceState]
    DEVICE_STATE_DOWN: _ClassVar[DeviceState]
DEVICE_STATE_UNSPECIFIED: DeviceState
DEVICE_STATE_LOADING: DeviceState
DEVICE_STATE_IDLE: DeviceState
DEVICE_STATE_BUSY: DeviceState
DEVICE_STATE_DOWN: DeviceState

class ListEnginesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListEnginesResponse(_message.Message):
    __slots__ = ("engines", "devices", "server")
    ENGINES_FIELD_NUMBER: _ClassVar[int]
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    SERVER_FIELD_NUMBER: _ClassVar[int]
    engines: _containers.RepeatedCompositeFieldContainer[Engine]
    devices: _containers.RepeatedCompositeFieldContainer[Device]
    server: ServerInfo
    def __init__(self, engines: _Optional[_Iterable[_Union[Engine, _Mapping]]] = ..., devices: _Optional[_Iterable[_Union[Device, _Mapping]]] = ..., server: _Optional[_Union[ServerInfo, _Mapping]] = ...) -> None: ...

class Engine(_message.Message):
    __slots__ = ("name", "available", "unavailable_reason", "devices", "raster_height", "raster_width", "longest_clip", "needs_prompt", "digest", "memory")
    NAME_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    UNAVAILABLE_REASON_FIELD_NUMBER: _ClassVar[int]
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    RASTER_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    RASTER_WIDTH_FIELD_NUMBER: _ClassVar[int]
    LONGEST_CLIP_FIELD_NUMBER: _ClassVar[int]
    NEEDS_PROMPT_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    name: str
    available: bool
    unavailable_reason: str
    devices: _containers.RepeatedScalarFieldContainer[str]
    raster_height: int
    raster_width: int
    longest_clip: int
    needs_prompt: bool
    digest: str
    memory: str
    def __init__(self, name: _Optional[str] = ..., available: bool = ..., unavailable_reason: _Optional[str] = ..., devices: _Optional[_Iterable[str]] = ..., raster_height: _Optional[int] = ..., raster_width: _Optional[int] = ..., longest_clip: _Optional[int] = ..., needs_prompt: bool = ..., digest: _Optional[str] = ..., memory: _Optional[str] = ...) -> None: ...

class Device(_message.Message):
    __slots__ = ("name", "state", "job_id", "restarts")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    RESTARTS_FIELD_NUMBER: _ClassVar[int]
    name: str
    state: DeviceState
    job_id: str
    restarts: int
    def __init__(self, name: _Optional[str] = ..., state: _Optional[_Union[DeviceState, str]] = ..., job_id: _Optional[str] = ..., restarts: _Optional[int] = ...) -> None: ...

class ServerInfo(_message.Message):
    __slots__ = ("version", "machine_digest", "roots", "identity", "max_frames", "max_file_bytes")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MACHINE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    ROOTS_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    MAX_FRAMES_FIELD_NUMBER: _ClassVar[int]
    MAX_FILE_BYTES_FIELD_NUMBER: _ClassVar[int]
    version: str
    machine_digest: str
    roots: _containers.RepeatedScalarFieldContainer[str]
    identity: str
    max_frames: int
    max_file_bytes: int
    def __init__(self, version: _Optional[str] = ..., machine_digest: _Optional[str] = ..., roots: _Optional[_Iterable[str]] = ..., identity: _Optional[str] = ..., max_frames: _Optional[int] = ..., max_file_bytes: _Optional[int] = ...) -> None: ...
