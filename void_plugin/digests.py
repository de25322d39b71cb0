"""SHA-256 of the files of a shot, each taken once for as long as the file stays the same."""

import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from void_plugin.errors import FrameError
from void_plugin.frames import Digest

SETTLED_NANOSECONDS = 2_000_000_000
"""A file that was written less than this before it was read may change again without its time changing."""


@dataclass(frozen=True)
class KnownFile:
    """What a file was when its digest was taken."""

    size: int
    modified_ns: int
    sha256: str


class Digests:
    """SHA-256 of files, taken again only where size or modification time differ; safe to use from many threads."""

    def __init__(self, known: Mapping[str, KnownFile] | None = None) -> None:
        self._known = dict(known or {})
        self._lock = threading.Lock()

    def of(self, path: str) -> Digest:
        """Digest of a file. Raises FrameError where it cannot be read."""
        try:
            before = os.stat(path)
            with self._lock:
                known = self._known.get(path)
            if known and (known.size, known.modified_ns) == (before.st_size, before.st_mtime_ns):
                return Digest(known.sha256, known.size)
            read_at = time.time_ns()
            digest = Digest.of_file(path)
        except OSError as error:
            raise FrameError(f"{path} cannot be read: {error.strerror or error}.", "frame.unreadable") from error
        if before.st_mtime_ns < read_at - SETTLED_NANOSECONDS and digest.size == before.st_size:
            with self._lock:
                self._known[path] = KnownFile(before.st_size, before.st_mtime_ns, digest.sha256)
        return digest

    def known(self) -> dict[str, KnownFile]:
        """All that is known, for another run."""
        with self._lock:
            return dict(self._known)
