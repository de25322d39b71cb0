"""job.json of a version folder: what was asked for there, by whom, and how far it came, so that it can be taken up."""

import getpass
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from void_plugin import __version__
from void_plugin.errors import HostError, VoidError
from void_plugin.localfiles import write_whole

SCHEMA = 1
"""Version of job.json that this package writes and the newest it reads."""
NAME = "job.json"
STATES = ("reserved", "running", "farm", "failed", "done")


@dataclass(frozen=True)
class JobRecord:
    """One job of one node, as it stands on disk."""

    state: str = "reserved"
    """reserved: nothing was started; running also where its sidecar has died; farm: a queue manager has it, or is
    being given it; failed and done are ends."""
    kind: str = "remove"
    version: int = 0
    """Number of the version, 0 for a test frame and a preview."""
    user: str = ""
    machine: str = ""
    pid: int = 0
    """Of the sidecar that works on it, or last did."""
    server: str = ""
    """Address of the server that has the job; empty for a private one."""
    frames: str = ""
    """Frames asked for, such as `1001-1048`."""
    node: Mapping[str, Any] = field(default_factory=dict)
    """uuid, name, script, version and settings of the node."""
    requests: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Request by view."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the host says of its script, such as the format."""
    views: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What came of the views that have finished."""
    farm: Mapping[str, Any] = field(default_factory=dict)
    """`name` of the farm and its `jobs` by view, such as `slurm:1234`; empty where no farm was asked."""
    began: float = 0.0
    """Seconds since 1970 when it was first started."""
    made: str = ""
    """When the folder was reserved, as ISO time."""
    error: Mapping[str, str] = field(default_factory=dict)
    """Code and text, where it failed."""
    plugin: str = __version__
    schema: int = SCHEMA

    def ours(self) -> Self:
        """The same in the hands of this process."""
        return replace(self, user=user_name(), machine=socket.gethostname(), pid=os.getpid())

    def failed(self, error: VoidError) -> Self:
        """The same at its end with an error."""
        return replace(self, state="failed", error={"code": error.code, "text": error.message})

    @property
    def uuid(self) -> str:
        """Which node it is of; empty where that was not said."""
        return str(self.node.get("uuid", ""))

    @property
    def whose(self) -> str:
        """Who works there, for sentences: `ann on box7`."""
        return f"{self.user} on {self.machine}"

    @property
    def job_names(self) -> list[str]:
        """The jobs of a farm that make it, such as `slurm:1234`."""
        return [str(job["job"]) for job in self.farm.get("jobs", {}).values()]

    def save(self, folder: Path) -> None:
        """Write it, whole or not at all. Raises ServerError where that fails."""
        write_whole(folder / NAME, json.dumps(asdict(self), indent=1, sort_keys=True) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read it; fields of a later version are passed over.

        Raises HostError where there is none, where it is damaged, and where only a newer plug-in can read it.
        """
        data = read_object(folder, NAME, SCHEMA)
        blank = cls()
        values = {item.name: data[item.name] for item in fields(cls) if item.name in data}
        for name, value in values.items():
            kind = type(getattr(blank, name))
            if not isinstance(value, int | float if kind is float else kind):
                raise HostError(f"{folder / NAME} is damaged: {name} is {value!r}; {_ADVICE}", "host.folder")
        record = cls(**values)
        if record.state not in STATES or not all(isinstance(item, dict) for item in record.requests.values()):
            raise HostError(f"{folder / NAME} is damaged; {_ADVICE}", "host.folder")
        return record


_ADVICE = "delete this version and run it again."


def read_object(folder: Path, name: str, newest: int) -> dict[str, Any]:
    """One of the two JSON files of a version folder.

    Raises HostError where it is not there, damaged, or of a schema above the newest that is known here.
    """
    path = folder / name
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise HostError(f"{folder} has no {name}: nothing was finished or begun there.", "host.folder") from error
    except OSError as error:
        raise HostError(f"{path} cannot be read: {error.strerror or error}.", "host.folder") from error
    except (ValueError, RecursionError) as error:
        raise HostError(f"{path} is damaged ({error}); {_ADVICE}", "host.folder") from error
    schema = data.get("schema") if isinstance(data, dict) else None
    if type(schema) is int and schema > newest:
        raise HostError(
            f"{path} was written by a newer void_plugin ({data.get('plugin', 'of unknown version')}, schema {schema}; "
            f"this one reads {newest}); update void_plugin here to use it.",
            "host.newer",
        )
    if type(schema) is not int or schema < 1:
        raise HostError(f"{path} is damaged: it has no schema; {_ADVICE}", "host.folder")
    return dict(data)


def user_name() -> str:
    """Who works here; `unknown` where the system has no name for them, as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # ImportError: Windows without any of its variables
        return "unknown"


def now() -> str:
    """The time as it stands in job.json and manifest.json."""
    return datetime.now().astimezone().isoformat(timespec="seconds")
