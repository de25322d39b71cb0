"""Every error a user of void_plugin can meet.

    VoidError
    ├ RequestError   the request itself is wrong: ranges, mattes, colour spaces, patterns
    ├ FrameError     a file on disk is missing, unreadable or of a kind that cannot be used
    ├ ServerError    the server is gone, full, busy or refuses
    ├ JobError       a job failed while rendering: the engine, memory
    ├ HostError      something inside Nuke or Resolve; never on the wire
    └ FarmError      a queue manager refused or lost a job; never on the wire

Each message is one sentence that a user can act on, naming the shot, frame and path. Each error carries
a stable `code` from the table below, which fixes its gRPC status, whether trying again can help, and the
exit code of `void-server task`. `Cancelled` is no error: it is how a stop reaches the caller.
"""

from typing import Dict, NamedTuple, Type


class VoidError(Exception):
    """A sentence for the user with a stable code; the base of everything this package raises on purpose."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code or DEFAULT_CODES[type(self)]
        if self.code not in CODES:
            raise KeyError("unknown error code {!r}; add it to void_plugin.errors.CODES".format(self.code))

    @property
    def message(self) -> str:
        """The sentence shown to the user, without the code."""
        return str(self.args[0])

    @property
    def status(self) -> str:
        """Name of the gRPC status this error travels as."""
        return CODES[self.code].status

    @property
    def retryable(self) -> bool:
        """True where the same call can succeed later with nothing changed by the user."""
        return CODES[self.code].retryable

    @property
    def exit_code(self) -> int:
        """Exit code of `void-server task` for this error (the `void` command always uses 1)."""
        return CODES[self.code].exit_code


class RequestError(VoidError):
    """The request cannot be met as it is written: a range, matte, colour space or pattern is wrong."""


class FrameError(VoidError):
    """A frame on disk is missing, unreadable, or of a kind that cannot be used (deep, subsampled)."""


class ServerError(VoidError):
    """The server is gone, full, busy, or does not let this user in."""


class JobError(VoidError):
    """The job failed while rendering; the message says what to lower or change."""


class HostError(VoidError):
    """Something inside the host application is not as the action needs it."""


class FarmError(VoidError):
    """The queue manager refused, lost or cannot reach the job."""


class Cancelled(Exception):
    """Raised to unwind after a stop was asked for; never shown as a failure."""


class Code(NamedTuple):
    """What one error code means to programs."""

    error: Type[VoidError]
    status: str
    retryable: bool
    exit_code: int


# Exit codes after sysexits.h: 64 usage, 65 bad data, 69 unavailable, 71 out of memory, 75 try again.
CODES: Dict[str, Code] = {
    "request.invalid": Code(RequestError, "INVALID_ARGUMENT", False, 64),
    "request.schema": Code(RequestError, "INVALID_ARGUMENT", False, 64),
    "request.pattern": Code(RequestError, "INVALID_ARGUMENT", False, 64),
    "request.range": Code(RequestError, "INVALID_ARGUMENT", False, 64),
    "request.matte_empty": Code(RequestError, "INVALID_ARGUMENT", False, 65),
    "request.matte_size": Code(RequestError, "INVALID_ARGUMENT", False, 65),
    "request.affected_large": Code(RequestError, "INVALID_ARGUMENT", False, 65),
    "request.channel": Code(RequestError, "INVALID_ARGUMENT", False, 65),
    "request.colour": Code(RequestError, "INVALID_ARGUMENT", False, 64),
    "request.engine": Code(RequestError, "INVALID_ARGUMENT", False, 64),
    "request.output": Code(RequestError, "INVALID_ARGUMENT", False, 64),
    "request.plan": Code(RequestError, "INVALID_ARGUMENT", False, 65),
    "request.path": Code(RequestError, "PERMISSION_DENIED", False, 64),
    "request.id": Code(RequestError, "ALREADY_EXISTS", False, 64),
    "frame.missing": Code(FrameError, "FAILED_PRECONDITION", False, 65),
    "frame.unreadable": Code(FrameError, "FAILED_PRECONDITION", False, 65),
    "frame.unsupported": Code(FrameError, "FAILED_PRECONDITION", False, 65),
    "frame.verify": Code(FrameError, "FAILED_PRECONDITION", False, 65),
    "frame.transfer": Code(FrameError, "INVALID_ARGUMENT", False, 65),
    "frame.unknown": Code(FrameError, "NOT_FOUND", False, 65),
    "frame.not_uploaded": Code(FrameError, "FAILED_PRECONDITION", True, 65),
    "server.unavailable": Code(ServerError, "UNAVAILABLE", True, 69),
    "server.start": Code(ServerError, "FAILED_PRECONDITION", False, 69),
    "server.internal": Code(ServerError, "INTERNAL", False, 69),
    "server.tls": Code(ServerError, "UNAVAILABLE", False, 69),
    "server.timeout": Code(ServerError, "DEADLINE_EXCEEDED", True, 75),
    "server.unauthenticated": Code(ServerError, "UNAUTHENTICATED", False, 69),
    "server.forbidden": Code(ServerError, "PERMISSION_DENIED", False, 64),
    "server.busy": Code(ServerError, "RESOURCE_EXHAUSTED", True, 75),
    "server.limit": Code(ServerError, "RESOURCE_EXHAUSTED", False, 64),
    "server.disk_full": Code(ServerError, "RESOURCE_EXHAUSTED", True, 75),
    "server.unwritable": Code(ServerError, "PERMISSION_DENIED", False, 64),
    "job.engine": Code(JobError, "INTERNAL", False, 65),
    "job.engine_unavailable": Code(JobError, "FAILED_PRECONDITION", False, 69),
    "job.weights": Code(JobError, "FAILED_PRECONDITION", False, 69),
    "job.memory": Code(JobError, "RESOURCE_EXHAUSTED", True, 71),
    "job.crashed": Code(JobError, "INTERNAL", False, 65),
    "job.hung": Code(JobError, "INTERNAL", False, 65),
    "job.unknown": Code(JobError, "NOT_FOUND", False, 65),
    "job.not_ended": Code(JobError, "FAILED_PRECONDITION", False, 65),
    "host.failed": Code(HostError, "UNKNOWN", False, 1),
    "host.python": Code(HostError, "UNKNOWN", False, 1),
    "host.sidecar": Code(HostError, "UNKNOWN", True, 1),
    "host.protocol": Code(HostError, "UNKNOWN", False, 1),
    "host.call": Code(HostError, "UNKNOWN", False, 1),
    "host.folder": Code(HostError, "UNKNOWN", False, 1),
    "host.taken": Code(HostError, "UNKNOWN", False, 1),
    "host.newer": Code(HostError, "UNKNOWN", False, 1),
    "host.resolve": Code(HostError, "UNKNOWN", False, 1),
    "farm.failed": Code(FarmError, "UNKNOWN", False, 1),
    "farm.unknown": Code(FarmError, "UNKNOWN", False, 1),
    "farm.site": Code(FarmError, "UNKNOWN", False, 1),
    "farm.plan": Code(FarmError, "UNKNOWN", False, 1),
    "farm.bundle": Code(FarmError, "UNKNOWN", False, 1),
    "farm.program": Code(FarmError, "UNKNOWN", False, 1),
    "farm.unreachable": Code(FarmError, "UNKNOWN", True, 1),
    "farm.refused": Code(FarmError, "UNKNOWN", False, 1),
    "farm.busy": Code(FarmError, "UNKNOWN", True, 1),
    "farm.job_unknown": Code(FarmError, "UNKNOWN", False, 1),
    "farm.worker": Code(FarmError, "UNKNOWN", False, 69),
}

DEFAULT_CODES: Dict[Type[VoidError], str] = {
    VoidError: "job.engine",
    RequestError: "request.invalid",
    FrameError: "frame.unreadable",
    ServerError: "server.unavailable",
    JobError: "job.engine",
    HostError: "host.failed",
    FarmError: "farm.failed",
}

EXIT_STOPPED = 143
"""`void-server task` was stopped by SIGTERM after committing what was finished."""


def from_code(code: str, message: str) -> VoidError:
    """Rebuild an error from its code and sentence, as they arrive in an event or a status."""
    known = CODES.get(code)
    if known is None:  # a newer server may know codes that this client does not
        return JobError(message)
    return known.error(message, code)
