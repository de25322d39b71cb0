"""Files of the user's own that an installer changes: read whole, replaced in one step, links and rights kept."""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from void_plugin.errors import HostError


def read_for_change(path: Path) -> bytes | None:
    """What a file holds, None where there is none. Raises HostError where it cannot be read or must not be changed."""
    with telling(path.parent):
        try:
            mode = path.stat().st_mode
        except FileNotFoundError:
            return None
        # Taking its place would also work where it is read-only, but that is not what its owner wants.
        if not mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH) or not os.access(path, os.W_OK):
            raise HostError(
                f"{path} is read-only, so it was left as it is; make it writable and run the same command again.",
                "host.folder",
            )
        return path.read_bytes()


def replace(path: Path, content: bytes) -> None:
    """Give a file its new content in one step. Raises HostError where that fails; then the old content is left."""
    with telling(path.parent):
        target = Path(os.path.realpath(path))  # a link stays a link
        target.parent.mkdir(parents=True, exist_ok=True)
        # Always the same name, so that what a killed run has left is used up by the next one.
        temporary = target.with_name(f".{target.name}.void_plugin")
        try:
            with open(temporary, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            if target.exists():
                _take_over_rights(target, temporary)
            os.replace(temporary, target)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise


def remove(path: Path) -> None:
    """Take away a file, or what a link leads to. Raises HostError where that fails."""
    with telling(path.parent):
        Path(os.path.realpath(path)).unlink(missing_ok=True)


@contextlib.contextmanager
def telling(folder: Path) -> Iterator[None]:
    """Turn what goes wrong with files into a sentence that names the file, else the folder."""
    try:
        yield
    except OSError as error:
        where = error.filename2 or error.filename or folder
        raise HostError(
            f"{folder} cannot be changed as asked ({where}: {error.strerror or error}); correct that and run the same "
            "command again.",
            "host.folder",
        ) from error


def _take_over_rights(old: Path, new: Path) -> None:
    facts = old.stat()
    if hasattr(os, "chown"):
        with contextlib.suppress(PermissionError):  # only the administrator gives files away
            os.chown(new, facts.st_uid, facts.st_gid)
    os.chmod(new, stat.S_IMODE(facts.st_mode))
