"""What this user's client remembers of the jobs it left with servers, so that the same command finds its job again.

It lies in the user's own state folder and not beside the results: those may belong to the server's user, who could
not write into a job folder that the client has made.
"""

import contextlib
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from void_plugin.digests import KnownFile
from void_plugin.errors import ServerError
from void_plugin.frames import Digest
from void_plugin.jobbook import JobBook
from void_plugin.localfiles import write_whole
from void_plugin.request import RemovalRequest

KEEP_SECONDS = 30 * 86400
"""Longer than servers keep results."""


@dataclass(frozen=True)
class Attachment:
    """One job that was handed to a server."""

    request_id: str
    job_id: str = ""
    """Empty where the answer to the submit was never seen."""
    transfer: str = "paths"
    frames: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of what was uploaded, by `input/frame`."""
    files: Mapping[str, KnownFile] = field(default_factory=dict)
    """What the files were by then, by path, so that they need not be read again."""


class Attachments:
    """The attachments of one user."""

    def __init__(self, state: Path) -> None:
        self._folder = state / "attachments"
        self.book = JobBook(state)
        """All jobs, also those that have ended."""

    def key(self, address: str, kind: str, request: RemovalRequest) -> str:
        """Names the same work on the same server, whatever the request_id and the priority."""
        same = request.rooted().to_dict()
        for volatile in ("request_id", "priority", "schema"):
            same.pop(volatile)
        return Digest.of_text(json.dumps([address, kind, same], sort_keys=True)).sha256[:32]

    def load(self, key: str) -> Attachment | None:
        """What is remembered, or None where it is nothing. Raises ServerError where it cannot be read."""
        path = self._path(key)
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            files = {name: KnownFile(**known) for name, known in data.pop("files").items()}
            return Attachment(files=files, **data)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise ServerError(f"{path} cannot be read ({error}); delete it and run the same command again.") from error

    def save(self, key: str, attachment: Attachment) -> None:
        """Remember a job; what is older than any server's results is forgotten."""
        write_whole(self._path(key), json.dumps(asdict(attachment), indent=1, sort_keys=True) + "\n")
        for path in self._folder.glob("*.json"):
            with contextlib.suppress(FileNotFoundError):  # another client of this user was here first
                if path.stat().st_mtime < time.time() - KEEP_SECONDS:
                    path.unlink()

    def forget(self, key: str) -> None:
        """Remember nothing of this work."""
        self._path(key).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.json"
