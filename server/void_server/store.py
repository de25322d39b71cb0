"""Whole files by SHA-256, each in the namespace of whoever sent it: `<namespace>/<2 hex>/<sha256>`.

A file is written to `incoming/`, verified, and renamed to its place. Waiting until it is on the disk itself would take
longer than the upload, so that happens right after, in a thread; only then does the file lose its permission to be
written. One that is found writable at the start may have lost bytes with the power: it is read and verified again
before it counts as here. Nothing else writes into the folder, since the state folder is locked.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import shutil
import stat
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from void_plugin.errors import FrameError, ServerError
from void_plugin.frames import Digest
from void_server.intake import FrameWriter, disk_full, figure, link, sync, write_error

Key = tuple[str, str]
"""Namespace and SHA-256."""

_log = logging.getLogger(__name__)
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True)
class _Entry:
    size: int
    modified: int
    trusted: bool
    """This process verified the bytes, or they were on the disk when it started."""
    synced: bool
    """They are on the disk itself."""


class FrameStore:
    """The files of all namespaces within one quota; safe to use from many threads."""

    def __init__(self, folder: Path, quota_bytes: int, pinned: Callable[[], Collection[Key]]) -> None:
        self._folder, self._quota, self._pinned = Path(folder), quota_bytes, pinned
        self._incoming = self._folder / "incoming"
        self._lock = threading.Lock()
        self._index: OrderedDict[Key, _Entry] = OrderedDict()  # longest unused first
        self._used: dict[str, int] = {}
        self._reserved: dict[str, tuple[str, int]] = {}  # by the name in incoming/
        self._unsynced: deque[Key] = deque()
        self._syncing: threading.Thread | None = None
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._incoming.mkdir(mode=0o700, exist_ok=True)
            for left in os.scandir(self._incoming):  # by uploads that a crash ended
                os.unlink(left.path)
            for _, key, entry in sorted(self._scan(), key=lambda found: found[0]):
                self._add(key, entry)
        except OSError as error:
            raise ServerError(
                f"The store {self._folder} cannot be used: {error.strerror or error}; choose a --state folder that "
                "this user may write.",
                "server.start",
            ) from error

    def close(self) -> None:
        """Wait until every file is on the disk itself."""
        with self._lock:
            thread = self._syncing
        if thread is not None:
            thread.join()

    def used_bytes(self, namespace: str | None = None) -> int:
        """Bytes of all files, or of those in one namespace."""
        with self._lock:
            return sum(self._used.values()) if namespace is None else self._used.get(namespace, 0)

    def missing(self, namespace: str, digests: Iterable[Digest]) -> list[Digest]:
        """Those that are not here, in order and each once; those that are here count as used now."""
        return [digest for digest in dict.fromkeys(digests) if self._use(namespace, digest) is None]

    def open(self, namespace: str, digest: Digest) -> BinaryIO:
        """The bytes of a file. Raises FrameError where it is not here; only the SHA-256 counts."""
        key = (namespace, digest.sha256)
        if self._checked(key) is not None:
            with suppress(FileNotFoundError):  # evicted this moment
                stream = self._path(key).open("rb")
                self._touch(key)
                return stream
        raise FrameError(
            f"The file {digest.sha256} is not on this server (any more): it was deleted or ran out its time; run the "
            "job again.",
            "frame.unknown",
        )

    def link(self, namespace: str, digest: Digest, target: Path) -> None:
        """Give a job its own name for a file, so that it stays whatever happens here. Raises FrameError without it."""
        key = (namespace, digest.sha256)
        entry = self._use(namespace, digest)
        if entry is not None:
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                link(self._path(key), target)
                with self._lock:
                    synced = entry.synced and self._index.get(key) is entry
                if not synced:  # the job outlives the loss of power, so its frames must
                    sync(target)
                return
            except FileNotFoundError:  # evicted this moment
                pass
            except OSError as error:
                raise write_error(error, target.parent, digest.size) from error
        raise FrameError(
            f"The file {digest.sha256} was not uploaded, or made room for others meanwhile; upload what "
            "FindMissingFrames names and submit again.",
            "frame.not_uploaded",
        )

    @contextmanager
    def writer(self, namespace: str, digest: Digest, max_file_bytes: int, max_bytes: int = 0) -> Iterator[FrameWriter]:
        """Take in a file; nothing is left of it unless it is committed.

        Raises ServerError where it is larger than a file may be, or there is no room for it.
        """
        if digest.size > max_file_bytes:
            raise ServerError(
                f"The file {digest.sha256} has {figure(digest.size)}, but here one file may have at most "
                f"{figure(max_file_bytes)}; ask whoever runs the server to raise max_file_bytes.",
                "server.limit",
            )
        if shutil.disk_usage(self._folder).free < digest.size:
            raise disk_full(self._folder, digest.size)
        with self._reserved_place(namespace, digest.size, max_bytes) as place:

            def keep() -> None:
                entry = _Entry(digest.size, place.stat().st_mtime_ns, trusted=True, synced=False)
                self._keep((namespace, digest.sha256), place, entry)

            with FrameWriter(digest, place, keep) as writer:
                yield writer

    def adopt(self, namespace: str, path: str | Path, digest: Digest) -> None:
        """Take in a finished result, which a worker wrote through to the disk and verified.

        Files in use make room for it if they can, but it is never refused: it is there already, and has cost more.
        """
        key, source = (namespace, digest.sha256), Path(path)
        if self._use(namespace, digest) is not None:
            return
        with self._reserved_place(namespace, digest.size, 0, refuse=False) as place:
            try:
                link(source, place)
                facts = place.stat()
                if facts.st_size != digest.size:
                    raise FrameError(
                        f"The result {source} has {facts.st_size} bytes, not {digest.size}; run the job again.",
                        "frame.verify",
                    )
                place.chmod(stat.S_IRUSR)
                self._keep(key, place, _Entry(facts.st_size, facts.st_mtime_ns, trusted=True, synced=True))
                sync(self._path(key).parent)  # a job that has succeeded keeps its results without power, too
            except OSError as error:
                raise write_error(error, self._folder, digest.size) from error

    def discard(self, namespace: str, sha256s: Iterable[str]) -> None:
        """Forget results of deleted jobs; those that other jobs have as well stay."""
        keep = self._pinned()
        for sha256 in sha256s:
            if (namespace, sha256) not in keep:
                self._drop((namespace, sha256))

    # -- room -----------------------------------------------------------------------------------------------------

    @contextmanager
    def _reserved_place(self, namespace: str, size: int, max_bytes: int, refuse: bool = True) -> Iterator[Path]:
        """A name in `incoming/` with room for a file, for which files unused for longest go where they must."""
        ticket = secrets.token_hex(16)
        limits: dict[str | None, int] = {namespace: max_bytes} if max_bytes else {}
        limits[None] = self._quota
        with self._lock:
            fits = all(self._lacking(place, limit, size) <= 0 for place, limit in limits.items())
            if fits:
                self._reserved[ticket] = (namespace, size)
        if not fits:
            keep = self._pinned()  # asked without holding the lock: the queue has one of its own
            with self._lock:
                for key in self._victims(limits, size, keep, refuse):
                    self._remove(key)
                self._reserved[ticket] = (namespace, size)
        place = self._incoming / ticket
        try:
            yield place
        finally:
            place.unlink(missing_ok=True)
            with self._lock:
                self._reserved.pop(ticket, None)

    def _victims(
        self, limits: Mapping[str | None, int], size: int, keep: Collection[Key], refuse: bool
    ) -> Collection[Key]:
        chosen: dict[Key, int] = {}
        for place, limit in limits.items():
            lacking = self._lacking(place, limit, size) - sum(chosen.values())
            for key, entry in self._index.items():
                if lacking <= 0:
                    break
                if key not in keep and key not in chosen and place in (None, key[0]):
                    chosen[key] = entry.size
                    lacking -= entry.size
            if refuse and lacking > 0:
                busy = limit + lacking - size
                where, name = ("the store", "store_bytes") if place is None else (f"{place} in the store", "max_bytes")
                raise ServerError(
                    f"There is no room for {figure(size)}: {where} may have {figure(limit)}, of which jobs, their "
                    f"results and uploads need {figure(busy)}; delete jobs that have ended, or ask whoever runs the "
                    f"server to raise {name}.",
                    "server.limit",
                )
        return chosen

    def _lacking(self, namespace: str | None, limit: int, size: int) -> int:
        reserved = sum(held for name, held in self._reserved.values() if namespace in (None, name))
        used = sum(self._used.values()) if namespace is None else self._used.get(namespace, 0)
        return used + reserved + size - limit

    # -- files ----------------------------------------------------------------------------------------------------

    def _path(self, key: Key) -> Path:
        namespace, sha256 = key
        return self._folder / namespace / sha256[:2] / sha256

    def _scan(self) -> Iterator[tuple[int, Key, _Entry]]:
        """What earlier runs left, with the time of its last use."""
        for path in self._folder.glob("*/??/*"):
            facts = path.lstat()
            if stat.S_ISREG(facts.st_mode) and _SHA256.match(path.name):
                synced = not facts.st_mode & stat.S_IWUSR
                entry = _Entry(facts.st_size, facts.st_mtime_ns, trusted=synced, synced=synced)
                yield facts.st_atime_ns, (path.parent.parent.name, path.name), entry

    def _checked(self, key: Key) -> _Entry | None:
        """The entry of a file that can be trusted, else None."""
        with self._lock:
            entry = self._index.get(key)
        if entry is None or entry.trusted:
            return entry
        try:
            whole = Digest.of_file(str(self._path(key))).sha256 == key[1]
        except OSError:  # gone, or on a damaged part of the disk
            whole = False
        if not whole:
            _log.warning("%s lost bytes when the machine stopped; removed", self._path(key))
            self._drop(key, entry)
            return None
        trusted = self._replace(key, entry, replace(entry, trusted=True))
        self._sync_soon(key)
        return trusted

    def _use(self, namespace: str, digest: Digest) -> _Entry | None:
        """The entry of a file, which from now on was used last; None where it is not here."""
        key = (namespace, digest.sha256)
        entry = self._checked(key)
        return entry if entry is not None and entry.size == digest.size and self._touch(key) else None

    def _touch(self, key: Key) -> bool:
        with self._lock:
            entry = self._index.get(key)
            if entry is not None:
                self._index.move_to_end(key)
        if entry is None:
            return False
        try:
            os.utime(self._path(key), ns=(time.time_ns(), entry.modified))  # for the order after a restart
        except FileNotFoundError:  # removed by hand, or this moment
            self._drop(key, entry)
            return False
        return True

    def _keep(self, key: Key, place: Path, entry: _Entry) -> None:
        """Give a verified file its own name, unless another upload of the same bytes was faster."""
        target = self._path(key)
        for folder in (target.parent.parent, target.parent):
            folder.mkdir(mode=0o700, exist_ok=True)
        with self._lock:
            if key in self._index:
                return
            place.replace(target)
            self._reserved.pop(place.name)  # it counts as used from here on
            self._add(key, entry)
        if not entry.synced:
            self._sync_soon(key)

    def _add(self, key: Key, entry: _Entry) -> None:
        self._index[key] = entry
        self._used[key[0]] = self._used.get(key[0], 0) + entry.size

    def _replace(self, key: Key, old: _Entry, new: _Entry) -> _Entry:
        """Note more about a file, unless another one has come in its place since it was looked at."""
        with self._lock:
            if self._index.get(key) is old:
                self._index[key] = new
        return new

    def _drop(self, key: Key, entry: _Entry | None = None) -> None:
        """Forget a file, or only the one that an entry was about."""
        with self._lock:
            if entry is None or self._index.get(key) is entry:
                self._remove(key)

    def _remove(self, key: Key) -> None:
        entry = self._index.pop(key, None)
        if entry is not None:
            self._used[key[0]] -= entry.size
            self._path(key).unlink(missing_ok=True)

    # -- onto the disk itself -------------------------------------------------------------------------------------

    def _sync_soon(self, key: Key) -> None:
        with self._lock:
            self._unsynced.append(key)
            if self._syncing is None:
                self._syncing = threading.Thread(target=self._sync_waiting, name="store")
                self._syncing.start()

    def _sync_waiting(self) -> None:
        while True:
            with self._lock:
                if not self._unsynced:
                    self._syncing = None
                    return
                key = self._unsynced.popleft()
            self._sync(key)

    def _sync(self, key: Key) -> None:
        """Write a file through to the disk and mark it; one that cannot be written is lost."""
        with self._lock:
            entry = self._index.get(key)
        if entry is None or entry.synced:
            return
        try:
            descriptor = os.open(self._path(key), os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
                os.fchmod(descriptor, stat.S_IRUSR)
            finally:
                os.close(descriptor)
        except FileNotFoundError:  # it had to make room
            return
        except OSError as error:  # after which nobody knows what is on the disk
            _log.error("%s cannot be written to the disk: %s; removed", self._path(key), error)
            self._drop(key, entry)
            return
        self._replace(key, entry, replace(entry, synced=True))
