"""What a running job says, one JSON object a line, numbered so that a watcher can resume.

Every line carries `schema`, `kind`, `job` and `number`. A reader ignores kinds it does not know, so a newer
server can say more than an older client understands.
"""

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Dict, Optional, Type

from void_plugin.errors import RequestError

SCHEMA = 1
"""Version of the event lines; raised only when an existing field changes its meaning."""


@dataclass(frozen=True)
class Event:
    """Something that happened in a job."""

    job: str = ""
    """Id of the job, the same for all its events."""
    number: int = 0
    """Counts up from 1 within a job."""


@dataclass(frozen=True)
class Queued(Event):
    """The job waits; `position` 0 is next, `eta_seconds` is negative where unknown."""

    position: int = 0
    eta_seconds: float = -1.0


@dataclass(frozen=True)
class Started(Event):
    """Work began. `engine` is the one that really runs; `folder` is the job folder."""

    engine: str = ""
    device: str = ""
    folder: str = ""
    frames: str = ""
    reason: str = ""
    """Why this engine was chosen, where the request said `auto`."""


@dataclass(frozen=True)
class Uploading(Event):
    """Frames travel to the server."""

    done: int = 0
    total: int = 0


@dataclass(frozen=True)
class Progressed(Event):
    """How far the job is: `step` is plan, solve or compose, `fraction` of the whole job in 0..1."""

    step: str = ""
    unit: int = 0
    window: int = 0
    pass_number: int = 0
    fraction: float = 0.0
    text: str = ""


@dataclass(frozen=True)
class Warned(Event):
    """Something the user should know that does not stop the job; `frame` is None for the whole shot."""

    code: str = ""
    frame: Optional[int] = None
    text: str = ""


@dataclass(frozen=True)
class FrameReady(Event):
    """One output frame is complete on disk. `coverage` is the share of the hole filled from real pixels."""

    frame: int = 0
    path: str = ""
    digest: str = ""
    coverage: float = 0.0
    output: int = 0
    """Which of the request's outputs it is, counted from 0."""


@dataclass(frozen=True)
class Finished(Event):
    """All frames are there; `result` is the path of result.json."""

    result: str = ""
    summary: Dict[str, Any] = field(default_factory=dict)
    digest: str = ""
    """SHA-256 of result.json where a server holds it for download."""


@dataclass(frozen=True)
class Stopped(Event):
    """The job was cancelled or stopped; what was finished is kept and running again resumes. On the wire: Cancelled."""


@dataclass(frozen=True)
class Failed(Event):
    """The job ended with an error: its code of `void_plugin.errors` and the sentence for the user."""

    code: str = ""
    text: str = ""


KINDS: Dict[str, Type[Event]] = {
    "Queued": Queued,
    "Started": Started,
    "Uploading": Uploading,
    "Progressed": Progressed,
    "Warned": Warned,
    "FrameReady": FrameReady,
    "Finished": Finished,
    "Cancelled": Stopped,
    "Failed": Failed,
}

_NAMES = {kind: name for name, kind in KINDS.items()}


def is_last(event: Event) -> bool:
    """True for the event after which a job says nothing more."""
    return isinstance(event, (Finished, Stopped, Failed))


def to_dict(event: Event) -> Dict[str, Any]:
    """One event as plain values, as they stand in its line."""
    data = asdict(event)
    data["schema"] = SCHEMA
    data["kind"] = _NAMES[type(event)]
    return data


def to_line(event: Event) -> str:
    """One event as a JSON line without its newline; keys sorted, so equal events give equal text.

    Plain ASCII, so that no pipe's encoding can break a path in it.
    """
    return json.dumps(to_dict(event), sort_keys=True)


def from_line(line: str) -> Optional[Event]:
    """The event in a JSON line, or None for a kind this version does not know.

    Unknown fields are ignored. Raises ValueError for text that is not an event line at all, and RequestError
    for a newer schema, whose fields would be misread.
    """
    data = json.loads(line)
    if not isinstance(data, dict) or not isinstance(data.get("kind"), str):
        raise ValueError("not an event line: {!r}".format(line[:200]))
    schema = data.get("schema", SCHEMA)
    if schema != SCHEMA:
        raise RequestError(
            "The server speaks event schema {!r}, but this client reads schema {}; install the same version of "
            "void_plugin on both.".format(schema, SCHEMA),
            "request.schema",
        )
    kind = KINDS.get(data["kind"])
    if kind is None:
        return None
    blank = kind()
    values = {item.name: data[item.name] for item in fields(kind) if item.name in data}
    for name, value in values.items():
        if not _fits(value, getattr(blank, name)):
            raise ValueError("not an event line, {} is wrong: {!r}".format(name, line[:200]))
    return kind(**values)


def _fits(value: Any, example: Any) -> bool:
    if example is None:  # an optional frame number
        return value is None or type(value) is int
    if isinstance(example, float):
        return type(value) in (int, float)
    return type(value) is type(example)
