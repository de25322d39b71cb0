"""Files that the client writes on this machine: whole or not at all, and with a sentence where that fails."""

import contextlib
import errno
import os
import re
import sys
import tempfile
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TypeVar

from void_plugin.errors import ServerError

_TRIES = 4
_TEMPORARY = re.compile(r"\.(.+)-[^-.]{8}\.\d+\.tmp\Z")
"""What a file is called while it is written: its name, something random, the process."""

T = TypeVar("T")


def write_whole(path: Path, text: str) -> None:
    """Replace a text file in one step, making its folder. Raises ServerError where that fails."""
    try:
        replace_whole(path, text)
    except OSError as error:
        raise disk_error(error, path.parent) from error


def replace_whole(path: Path, text: str) -> None:
    """The same for who has a sentence of their own. Raises OSError."""
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The server's sweep of a job folder knows by the process that nobody writes it any more.
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-", suffix=f".{os.getpid()}.tmp")
        with open(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o666 & ~_mask())  # mkstemp's 0600 would hide the file from the rest of the show
        os.replace(temporary, path)
    except OSError:
        if temporary:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
        raise


def left_in(folder: Path, names: Collection[str]) -> list[Path]:
    """What was being written of files by these names in a folder and those below, now or by somebody who was killed."""
    found = []
    for place, _, files in os.walk(folder):
        matches = [match for file in files if (match := _TEMPORARY.match(file))]
        found += [Path(place, match.group()) for match in matches if match.group(1) in names]
    return found


def undisturbed(act: Callable[[], T]) -> T:
    """Do something in a folder that it makes where there is none; again where somebody takes that away meanwhile.

    Who has made a folder in vain, such as a job cancelled at once, removes it while it is empty. Raises OSError.
    """
    for _ in range(_TRIES):
        with contextlib.suppress(FileNotFoundError):
            return act()
    return act()


def disk_error(error: OSError, folder: Path) -> ServerError:
    """The error for a folder that could not be written; says so where its disk is full."""
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return ServerError(
            f"The disk that holds {folder} is full; free some space and run the same command again.",
            "server.disk_full",
        )
    return ServerError(
        f"Cannot write into {folder}: {error.strerror or error}; choose an output folder you may write to.",
        "server.unwritable",
    )


def lock(descriptor: int) -> None:
    """Lock a file for this process, without waiting; its end lets go of it. Raises OSError where another has it."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _mask() -> int:
    # The system tells the mask only to whoever sets it; for a moment this process makes files private.
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
