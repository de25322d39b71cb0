"""Leases of units: of many processes that want to solve one, on any machine, one does and the others wait.

`units/<key>/lease.json` is made by its holder, who changes it every few seconds. Where it no longer changes, or the
holder was a process of this machine that has ended, another takes it over. Clocks of machines are never compared. A
lease saves work and is not what keeps results whole: two that solve one unit write the same files, each in one step.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from void_plugin.errors import Cancelled
from void_server.jobfolder import JobFolder, open_file, write_error
from void_server.processes import lives, started_at, this_machine

BEAT_SECONDS = 5.0
"""How often a holder shows that it lives."""
LOST_BEATS = 6
"""Beats in a row that have to be missed before a lease is taken over."""
_POLL_SECONDS = 0.25
_LOOK_SECONDS = 1.0
_BYTES = 512
"""Length of a lease: the same at every beat, which overwrites it in place."""


class Leases:
    """The leases of one job folder, as one task takes them."""

    def __init__(
        self,
        folder: JobFolder,
        cancelled: Callable[[], bool],
        tell: Callable[[str], None],
        beat: float = BEAT_SECONDS,
    ) -> None:
        """`tell` hears, in a sentence, of what is waited for or taken over."""
        self._folder, self._cancelled, self._tell, self._beat = folder, cancelled, tell, beat

    @contextmanager
    def held(self, key: str, name: str) -> Iterator[Lease | None]:
        """Hold the unit of a key for the block, waiting while another does; None where it is solved by then.

        Raises Cancelled while waiting, ServerError where no lease can be written.
        """
        lease = self._take(key, name)
        try:
            yield lease
        finally:
            if lease is not None:
                lease.release()

    def _take(self, key: str, name: str) -> Lease | None:
        path, done = self._folder.unit(key) / "lease.json", self._folder.unit_manifest(key)
        other = _Other(self._beat)
        while not done.exists():
            if self._cancelled():
                raise Cancelled
            lease = Lease.new(path, self._beat)
            if lease is not None:
                # Only now does storage that keeps listings for a while surely show what another has done.
                if not done.exists():
                    return lease
                lease.release()
                return None
            content = _read(path)
            if content is None:
                continue  # given back this moment
            if other.is_dead(content):
                self._tell(f"Taking over {name} from {other.who}, which is gone.")
                _put_aside(path, content)
                continue
            if other.is_new:
                self._tell(f"Waiting while {other.who} solves {name}.")
            time.sleep(_POLL_SECONDS)
        return None


class Lease:
    """A lease that this process holds; a thread of its own keeps it alive."""

    def __init__(self, path: Path, descriptor: int, beat: float) -> None:
        self._path, self._descriptor, self._beat = path, descriptor, beat
        self._place = _place(os.fstat(descriptor))
        self._is_lost, self._looked = False, time.monotonic()
        self._released = threading.Event()
        self._facts = {
            "schema": 1,
            "host": socket.gethostname(),
            "machine": this_machine(),
            "pid": os.getpid(),
            "started": started_at(os.getpid()),
            "every": beat,
            "token": uuid.uuid4().hex,
        }
        self._write(0)
        self._thread = threading.Thread(target=self._live, name="lease", daemon=True)
        self._thread.start()

    @classmethod
    def new(cls, path: Path, beat: float) -> Lease | None:
        """A new lease, or None where there is one."""
        try:
            descriptor = open_file(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        except FileExistsError:
            return None
        except OSError as error:
            raise _error(path, error) from error
        try:
            return cls(path, descriptor, beat)
        except OSError as error:
            os.close(descriptor)
            os.unlink(path)
            raise _error(path, error) from error

    def is_lost(self) -> bool:
        """True once another process has taken it over."""
        now = time.monotonic()
        if not self._is_lost and now - self._looked > _LOOK_SECONDS:
            self._looked = now
            self._look()
        return self._is_lost

    def release(self) -> None:
        """Give it back."""
        self._released.set()
        self._thread.join()
        self._look()
        if not self._is_lost:
            with suppress(OSError):  # storage that is away: others will see that it does not live
                os.unlink(self._path)

    def _live(self) -> None:
        beat = 0
        # What was opened is written to, wherever it lies by now: never another's lease.
        while not self._released.wait(self._beat):
            beat += 1
            with suppress(OSError):
                self._write(beat)
            self._look()
        os.close(self._descriptor)

    def _look(self) -> None:
        try:
            self._is_lost = self._is_lost or _place(os.stat(self._path)) != self._place
        except FileNotFoundError:
            self._is_lost = True
        except OSError:  # storage that is away for a moment proves nothing
            return

    def _write(self, beat: int) -> None:
        data = json.dumps({**self._facts, "beat": beat}).encode().ljust(_BYTES - 1) + b"\n"
        os.pwrite(self._descriptor, data, 0)
        os.fsync(self._descriptor)


class _Other:
    """Another's lease as it is seen from here."""

    def __init__(self, beat: float) -> None:
        self._content, self._since, self._beat = b"", time.monotonic(), beat
        self._token = ""
        self.who = ""
        self.is_new = False

    def is_dead(self, content: bytes) -> bool:
        """Look at its content; true where whoever wrote it is gone."""
        facts = _facts(content)
        token = str(facts.get("token", ""))
        self.is_new, self._token = token != self._token, token
        self.who = f"process {facts.get('pid', '?')} on {facts.get('host', 'another machine')}"
        now = time.monotonic()
        if content != self._content:
            self._content, self._since = content, now
        if facts.get("machine") == this_machine() and not lives(facts["pid"], facts["started"]):
            return True
        return now - self._since > LOST_BEATS * float(facts.get("every", self._beat))


def _facts(content: bytes) -> dict[str, Any]:
    """What a lease says; nothing where it was only just made, or is none."""
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    if not isinstance(found, dict) or not isinstance(found.get("machine"), str):
        return {}
    return found if all(type(found.get(name)) in (int, float) for name in ("pid", "started", "every")) else {}


def _read(path: Path) -> bytes | None:
    try:
        with os.fdopen(open_file(path), "rb") as stream:
            return stream.read(_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _error(path, error) from error


def _put_aside(path: Path, content: bytes) -> None:
    """Remove a lease whose holder is gone, and what it was writing; put it back where it has changed meanwhile."""
    if _read(path) != content:  # another was quicker, and holds it by now
        return
    aside = path.with_name(f".lease.{uuid.uuid4().hex}.gone")
    try:
        os.rename(path, aside)
    except FileNotFoundError:  # another was quicker
        return
    if _read(aside) != content:
        with suppress(OSError):
            os.link(aside, path)
    else:
        for left in path.parent.glob(".*.tmp"):
            left.unlink(missing_ok=True)
    aside.unlink(missing_ok=True)


def _place(state: os.stat_result) -> tuple[int, int]:
    return state.st_dev, state.st_ino


def _error(path: Path, error: OSError) -> Exception:
    return write_error(str(path), _BYTES, error.errno in (errno.ENOSPC, errno.EDQUOT), error.strerror or str(error))
