"""Opens files below allowed folders only, and says where a path really lies.

Looking where a path leads and then opening it leaves a moment in which somebody can put a symbolic link in the way. So
the path is resolved first, what it leads to must lie below an allowed folder, and that real path is then walked one
component at a time, each opened below the handle of the one before and none of them through a link: whatever is put in
the way after the look makes the opening fail. A hard link cannot be told from the file itself.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from void_plugin.errors import RequestError

NETWORK_FILESYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "afs", "lustre", "gpfs", "beegfs", "ceph", "fuse.ceph"}
    | {"glusterfs", "fuse.glusterfs"}
)
"""Where locks or memory shared between processes cannot be relied on, as SQLite needs them."""
LONGEST_PATH = 4096
"""Characters; what the kernel takes at most, and resolving a longer one would take for ever."""
LONGEST_SHOWN = 300
"""Characters of a path in a message; what is longer was made to be a nuisance."""

_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A queue or a device in place of a file must not keep the opener waiting; regular files ignore O_NONBLOCK.
_FILE = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_HELD = re.compile(r"/proc/\d+/fd/\d+")
_REFUSED = {
    errno.ELOOP: "leads through a symbolic link that was put there meanwhile, or round in a circle",
    errno.ENOTDIR: "leads through something that is no folder, or was exchanged meanwhile",
    errno.ENAMETOOLONG: "is too long",
    errno.ENXIO: "is no regular file",
    errno.EISDIR: "is a folder",
}


class Roots:
    """Folders below which files may be opened; they must be real paths already, and `/` allows everything."""

    def __init__(self, folders: Iterable[str]) -> None:
        # Not resolved again: a root that somebody exchanges for a link later must not lead anywhere new.
        self.folders = tuple(folders)

    def check(self, path: str) -> str:
        """The real path behind a path, which need not exist. Raises RequestError where it lies outside."""
        if not os.path.isabs(path):
            raise _refusal(path, "is no absolute path")
        if len(path) > LONGEST_PATH:
            raise _refusal(path, "is too long")
        try:
            real = os.path.realpath(path)
            os.fsencode(real)
        except (ValueError, OSError) as error:  # a NUL, or text that no file name can hold
            raise _refusal(path, "is no path of a file") from error
        if not any(real == root or real.startswith(root.rstrip("/") + "/") for root in self.folders):
            raise RequestError(
                f"{shown(path)} is outside the folders this server may use ({', '.join(self.folders) or 'none'}); ask "
                "whoever runs it to add --allow-root, or use upload mode.",
                "request.path",
            )
        return real

    def open_file(self, path: str, flags: int = os.O_RDONLY, mode: int = 0o666) -> int:
        """A descriptor of a regular file. Raises RequestError as `check` does, else OSError as `os.open` does."""
        folder, name = os.path.split(self.check(path))
        with _refusing(path):
            parent = _walk("/", folder)
            try:
                return open_file_in(parent, name or ".", flags, mode)
            finally:
                os.close(parent)

    def open_folder(self, path: str, create: bool = False) -> int:
        """A descriptor of a folder, to list it and work below it; `create` makes what is missing."""
        real = self.check(path)
        with _refusing(path):
            handle = _walk("/", real, create)
            try:
                return os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=handle)
            finally:
                os.close(handle)


def held(descriptor: int) -> str:
    """The path of a folder by its handle, which other processes of this user can use as well."""
    return f"/proc/{os.getpid()}/fd/{descriptor}"


@contextmanager
def folder_of(path: str, create: bool = False) -> Iterator[tuple[int | None, str]]:
    """Where to work on a path: a handle of its folder and its name there, for the `dir_fd` of the functions of `os`.

    Below a folder held by handle no link is followed. Anywhere else the handle is None and the name the whole path.
    """
    match = _HELD.match(path)
    if match is None:
        if create:
            os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        yield None, path
        return
    folder, name = os.path.split(path[match.end() :])
    with _refusing(path):
        handle = _walk(match.group(0), folder, create)
    try:
        yield handle, name or "."
    finally:
        os.close(handle)


def open_file_in(folder: int | None, name: str, flags: int, mode: int = 0o666) -> int:
    """A descriptor of a regular file in a folder; OSError where it is anything else, also a link."""
    descriptor = os.open(name, flags | _FILE, mode, dir_fd=folder)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(errno.ENXIO, "it is no regular file")


def _walk(start: str, below: str, create: bool = False) -> int:
    """A handle of a folder, reached from another one without following any link."""
    handle = os.open(start, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    for name in below.split("/"):
        if name:
            try:
                inner = _step(handle, name, create)
            finally:
                os.close(handle)
            handle = inner
    return handle


def _step(handle: int, name: str, create: bool) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=handle)
    except FileNotFoundError:
        if not create:
            raise
    with suppress(FileExistsError):  # made by somebody else meanwhile
        os.mkdir(name, dir_fd=handle)
    return os.open(name, _FOLDER, dir_fd=handle)


@contextmanager
def _refusing(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _REFUSED:
            raise _refusal(path, _REFUSED[error.errno]) from error
        raise


def _refusal(path: str, reason: str) -> RequestError:
    return RequestError(f"{shown(path)} cannot be used: it {reason}; give the path of a real file.", "request.path")


# -- what people read ---------------------------------------------------------------------------------------------


def shown(path: str) -> str:
    """A path as it may stand in a message: of bounded length, and without what cannot be printed or encoded."""
    text = told(path)
    if len(text) > LONGEST_SHOWN:
        text = f"{text[: LONGEST_SHOWN // 2]}…{text[-LONGEST_SHOWN // 2 :]}"
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


def told(text: str) -> str:
    """A text in which folders held by handle have their real names, as people know them."""

    def name(match: re.Match[str]) -> str:
        # Anybody can write such a path into a request: nothing but folders, which is all that is ever held, is told.
        return os.readlink(match.group(0)) if os.path.isdir(match.group(0)) else match.group(0)

    return _HELD.sub(name, text)


def network_filesystem(path: str, mountinfo: str) -> str:
    """The type of the network storage that a path lies on, else nothing; from the text of /proc/self/mountinfo."""
    real = os.path.realpath(path)
    best, kind = "", ""
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        columns = before.split(" ")
        if len(columns) < 5 or not after:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code.group(1), 8)), columns[4])
        inside = real == point or real.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):  # of two on one point the later one is on top
            best, kind = point, after.split(" ")[0]
    return kind if kind in NETWORK_FILESYSTEMS else ""
