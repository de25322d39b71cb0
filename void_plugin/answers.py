"""What a server answers, as values: jobs, engines, devices and facts about itself."""

from dataclasses import asdict, dataclass
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from void_plugin.v1 import engine_service_pb2, job_service_pb2
from void_plugin.wire import KIND_NAMES, STATE_NAMES


@dataclass(frozen=True)
class JobInfo:
    """A job as it stands."""

    job_id: str
    request_id: str
    owner: str
    kind: str
    """remove or preview."""
    state: str
    """queued, running, succeeded, failed or cancelled."""
    shot: str
    engine: str
    frames: str
    """Such as `1001-1024`; empty until known."""
    priority: int
    fraction: float
    position: int
    """Jobs before this one."""
    eta_seconds: float
    """Until it starts, or until it ends where it runs; negative where unknown."""
    submitted_at: float
    """Seconds since 1970, like the two below, which are None until it happens."""
    started_at: float | None
    ended_at: float | None
    error_code: str
    error_text: str
    attempts: int
    last_event: int
    stopping: bool
    """True where it was asked to stop and has not ended yet."""
    is_new: bool = False
    """True in the answer to the very submit that made it."""

    @property
    def is_live(self) -> bool:
        """True while it waits or runs and nobody asked it to stop."""
        return self.state in ("queued", "running") and not self.stopping

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON, of what is the same whoever asks."""
        values = asdict(self)
        del values["is_new"]
        return values


@dataclass(frozen=True)
class EngineInfo:
    """One way of filling that a server has."""

    name: str
    available: bool
    reason: str
    """Why it cannot run, as a sentence; empty where it can."""
    devices: tuple[str, ...]
    needs_prompt: bool
    longest_clip: int
    """Most frames it takes at once; 0 means any number."""
    digest: str
    memory: str
    """How it uses the memory of its device, such as `swap`; empty where there is no choice."""


@dataclass(frozen=True)
class DeviceInfo:
    """A device of a server and its worker."""

    name: str
    state: str
    """loading, idle, busy or down."""
    job_id: str
    restarts: int


@dataclass(frozen=True)
class ServerInfo:
    """What a client must know of a server before it submits."""

    version: str
    machine_digest: str
    roots: tuple[str, ...]
    """Folders below which this user may use path mode; none means upload only."""
    identity: str
    max_frames: int
    max_file_bytes: int


@dataclass(frozen=True)
class Capabilities:
    """Everything that ListEngines tells."""

    engines: tuple[EngineInfo, ...]
    devices: tuple[DeviceInfo, ...]
    server: ServerInfo

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def job_from_message(message: job_service_pb2.Job) -> JobInfo:
    """The values of a job; names of a newer server that this version does not know become `unknown`."""
    return JobInfo(
        job_id=message.job_id,
        request_id=message.request_id,
        owner=message.owner,
        kind=KIND_NAMES.get(message.kind, "unknown"),
        state=STATE_NAMES.get(message.state, "unknown"),
        shot=message.shot,
        engine=message.engine,
        frames=message.frames,
        priority=message.priority,
        fraction=message.fraction,
        position=message.position,
        eta_seconds=message.eta_seconds,
        submitted_at=_seconds(message.submitted_at),
        started_at=_seconds(message.started_at) if message.HasField("started_at") else None,
        ended_at=_seconds(message.ended_at) if message.HasField("ended_at") else None,
        error_code=message.error_code,
        error_text=message.error_text,
        attempts=message.attempts,
        last_event=message.last_event,
        stopping=message.stopping,
    )


def capabilities_from_message(message: engine_service_pb2.ListEnginesResponse) -> Capabilities:
    """The values of an answer to ListEngines."""
    states = {number: name.removeprefix("DEVICE_STATE_").lower() for name, number in _DEVICE_STATES}
    return Capabilities(
        engines=tuple(
            EngineInfo(
                name=engine.name,
                available=engine.available,
                reason=engine.unavailable_reason,
                devices=tuple(engine.devices),
                needs_prompt=engine.needs_prompt,
                longest_clip=engine.longest_clip,
                digest=engine.digest,
                memory=engine.memory,
            )
            for engine in message.engines
        ),
        devices=tuple(
            DeviceInfo(device.name, states.get(device.state, "unknown"), device.job_id, device.restarts)
            for device in message.devices
        ),
        server=ServerInfo(
            version=message.server.version,
            machine_digest=message.server.machine_digest,
            roots=tuple(message.server.roots),
            identity=message.server.identity,
            max_frames=message.server.max_frames,
            max_file_bytes=message.server.max_file_bytes,
        ),
    )


_DEVICE_STATES = engine_service_pb2.DeviceState.items()


def _seconds(stamp: Timestamp) -> float:
    return stamp.seconds + stamp.nanos / 1e9
