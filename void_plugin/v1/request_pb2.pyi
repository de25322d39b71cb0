from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FrameRange(_message.Message):
    __slots__ = ("first", "last")
    FIRST_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    first: int
    last: int
    def __init__(self, first: _Optional[int] = ..., last: _Optional[int] = ...) -> None: ...

class Digest(_message.Message):
    __slots__ = ("sha256", "size_bytes")
    SHA256_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    sha256: str
    size_bytes: int
    def __init__(self, sha256: _Optional[str] = ..., size_bytes: _Optional[int] = ...) -> None: ...

class ImageInput(_message.Message):
    __slots__ = ("pattern", "channels")
    PATTERN_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    pattern: str
    channels: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, pattern: _Optional[str] = ..., channels: _Optional[_Iterable[str]] = ...) -> None: ...

class Output(_message.Message):
    __slots__ = ("kind", "pattern")
    KIND_FIELD_NUMBER: _ClassVar[int]
    PATTERN_FIELD_NUMBER: _ClassVar[int]
    kind: str
    pattern: str
    def __init__(self, kind: _Optional[str] = ..., pattern: _Optional[str] = ...) -> None: ...

class RenderSettings(_message.Message):
    __slots__ = ("seed", "encoding", "recover_affected", "recover_grain", "compression", "coverage_channel", "void_passes", "void_steps", "void_pass2_steps", "void_guidance", "void_mask_levels", "void_short_clips", "void_last_window", "void_all_windows", "void_flow", "void_raster", "source", "grain", "detail", "rate", "fps", "affected_preset", "affected_angle", "affected_path", "weight_channel", "change_channel", "source_channel")
    SEED_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    RECOVER_AFFECTED_FIELD_NUMBER: _ClassVar[int]
    RECOVER_GRAIN_FIELD_NUMBER: _ClassVar[int]
    COMPRESSION_FIELD_NUMBER: _ClassVar[int]
    COVERAGE_CHANNEL_FIELD_NUMBER: _ClassVar[int]
    VOID_PASSES_FIELD_NUMBER: _ClassVar[int]
    VOID_STEPS_FIELD_NUMBER: _ClassVar[int]
    VOID_PASS2_STEPS_FIELD_NUMBER: _ClassVar[int]
    VOID_GUIDANCE_FIELD_NUMBER: _ClassVar[int]
    VOID_MASK_LEVELS_FIELD_NUMBER: _ClassVar[int]
    VOID_SHORT_CLIPS_FIELD_NUMBER: _ClassVar[int]
    VOID_LAST_WINDOW_FIELD_NUMBER: _ClassVar[int]
    VOID_ALL_WINDOWS_FIELD_NUMBER: _ClassVar[int]
    VOID_FLOW_FIELD_NUMBER: _ClassVar[int]
    VOID_RASTER_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    GRAIN_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    RATE_FIELD_NUMBER: _ClassVar[int]
    FPS_FIELD_NUMBER: _ClassVar[int]
    AFFECTED_PRESET_FIELD_NUMBER: _ClassVar[int]
    AFFECTED_ANGLE_FIELD_NUMBER: _ClassVar[int]
    AFFECTED_PATH_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_CHANNEL_FIELD_NUMBER: _ClassVar[int]
    CHANGE_CHANNEL_FIELD_NUMBER: _ClassVar[int]
    SOURCE_CHANNEL_FIELD_NUMBER: _ClassVar[int]
    seed: int
    encoding: str
    recover_affected: str
    recover_grain: str
    compression: str
    coverage_channel: bool
    void_passes: int
    void_steps: int
    void_pass2_steps: int
    void_guidance: float
    void_mask_levels: str
    void_short_clips: str
    void_last_window: str
    void_all_windows: bool
    void_flow: str
    void_raster: str
    source: str
    grain: str
    detail: str
    rate: str
    fps: float
    affected_preset: str
    affected_angle: float
    affected_path: str
    weight_channel: bool
    change_channel: bool
    source_channel: bool
    def __init__(self, seed: _Optional[int] = ..., encoding: _Optional[str] = ..., recover_affected: _Optional[str] = ..., recover_grain: _Optional[str] = ..., compression: _Optional[str] = ..., coverage_channel: bool = ..., void_passes: _Optional[int] = ..., void_steps: _Optional[int] = ..., void_pass2_steps: _Optional[int] = ..., void_guidance: _Optional[float] = ..., void_mask_levels: _Optional[str] = ..., void_short_clips: _Optional[str] = ..., void_last_window: _Optional[str] = ..., void_all_windows: bool = ..., void_flow: _Optional[str] = ..., void_raster: _Optional[str] = ..., source: _Optional[str] = ..., grain: _Optional[str] = ..., detail: _Optional[str] = ..., rate: _Optional[str] = ..., fps: _Optional[float] = ..., affected_preset: _Optional[str] = ..., affected_angle: _Optional[float] = ..., affected_path: _Optional[str] = ..., weight_channel: bool = ..., change_channel: bool = ..., source_channel: bool = ...) -> None: ...

class RemovalRequest(_message.Message):
    __slots__ = ("plate", "object_matte", "affected_matte", "holdout_matte", "exclude_matte", "quadmask", "clean_plate", "outputs", "shot", "frames", "shot_range", "handles", "context", "view", "colour", "prompt", "engine", "settings", "priority", "roots")
    class RootsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    PLATE_FIELD_NUMBER: _ClassVar[int]
    OBJECT_MATTE_FIELD_NUMBER: _ClassVar[int]
    AFFECTED_MATTE_FIELD_NUMBER: _ClassVar[int]
    HOLDOUT_MATTE_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_MATTE_FIELD_NUMBER: _ClassVar[int]
    QUADMASK_FIELD_NUMBER: _ClassVar[int]
    CLEAN_PLATE_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    SHOT_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    SHOT_RANGE_FIELD_NUMBER: _ClassVar[int]
    HANDLES_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    COLOUR_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    ROOTS_FIELD_NUMBER: _ClassVar[int]
    plate: ImageInput
    object_matte: ImageInput
    affected_matte: ImageInput
    holdout_matte: ImageInput
    exclude_matte: ImageInput
    quadmask: ImageInput
    clean_plate: ImageInput
    outputs: _containers.RepeatedCompositeFieldContainer[Output]
    shot: str
    frames: FrameRange
    shot_range: FrameRange
    handles: int
    context: int
    view: str
    colour: str
    prompt: str
    engine: str
    settings: RenderSettings
    priority: int
    roots: _containers.ScalarMap[str, str]
    def __init__(self, plate: _Optional[_Union[ImageInput, _Mapping]] = ..., object_matte: _Optional[_Union[ImageInput, _Mapping]] = ..., affected_matte: _Optional[_Union[ImageInput, _Mapping]] = ..., holdout_matte: _Optional[_Union[ImageInput, _Mapping]] = ..., exclude_matte: _Optional[_Union[ImageInput, _Mapping]] = ..., quadmask: _Optional[_Union[ImageInput, _Mapping]] = ..., clean_plate: _Optional[_Union[ImageInput, _Mapping]] = ..., outputs: _Optional[_Iterable[_Union[Output, _Mapping]]] = ..., shot: _Optional[str] = ..., frames: _Optional[_Union[FrameRange, _Mapping]] = ..., shot_range: _Optional[_Union[FrameRange, _Mapping]] = ..., handles: _Optional[int] = ..., context: _Optional[int] = ..., view: _Optional[str] = ..., colour: _Optional[str] = ..., prompt: _Optional[str] = ..., engine: _Optional[str] = ..., settings: _Optional[_Union[RenderSettings, _Mapping]] = ..., priority: _Optional[int] = ..., roots: _Optional[_Mapping[str, str]] = ...) -> None: ...
