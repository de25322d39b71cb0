from void_plugin.v1 import request_pb2 as _request_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FindMissingFramesRequest(_message.Message):
    __slots__ = ("digests",)
    DIGESTS_FIELD_NUMBER: _ClassVar[int]
    digests: _containers.RepeatedCompositeFieldContainer[_request_pb2.Digest]
    def __init__(self, digests: _Optional[_Iterable[_Union[_request_pb2.Digest, _Mapping]]] = ...) -> None: ...

class FindMissingFramesResponse(_message.Message):
    __slots__ = ("missing",)
    MISSING_FIELD_NUMBER: _ClassVar[int]
    missing: _containers.RepeatedCompositeFieldContainer[_request_pb2.Digest]
    def __init__(self, missing: _Optional[_Iterable[_Union[_request_pb2.Digest, _Mapping]]] = ...) -> None: ...

class UploadFrameRequest(_message.Message):
    __slots__ = ("header", "chunk")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    header: _request_pb2.Digest
    chunk: Chunk
    def __init__(self, header: _Optional[_Union[_request_pb2.Digest, _Mapping]] = ..., chunk: _Optional[_Union[Chunk, _Mapping]] = ...) -> None: ...

class Chunk(_message.Message):
    __slots__ = ("offset", "data")
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    offset: int
    data: bytes
    def __init__(self, offset: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class UploadFrameResponse(_message.Message):
    __slots__ = ("digest", "existed")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    EXISTED_FIELD_NUMBER: _ClassVar[int]
    digest: _request_pb2.Digest
    existed: bool
    def __init__(self, digest: _Optional[_Union[_request_pb2.Digest, _Mapping]] = ..., existed: bool = ...) -> None: ...

class DownloadFrameRequest(_message.Message):
    __slots__ = ("digest", "offset")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    digest: _request_pb2.Digest
    offset: int
    def __init__(self, digest: _Optional[_Union[_request_pb2.Digest, _Mapping]] = ..., offset: _Optional[int] = ...) -> None: ...

class DownloadFrameResponse(_message.Message):
    __slots__ = ("chunk",)
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    chunk: Chunk
    def __init__(self, chunk: _Optional[_Union[Chunk, _Mapping]] = ...) -> None: ...
