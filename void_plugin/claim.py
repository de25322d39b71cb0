"""Keeps a version folder for one sidecar, which loses it with its life, in whatever way that ends."""

import contextlib
import errno
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

from void_plugin.errors import HostError
from void_plugin.localfiles import disk_error, lock

NAME = "job.lock"
"""The file that is locked. It stays where it is: taking it away would let two hold what each believes to be it."""
PATIENCE_SECONDS = 1.0
"""How long somebody may hold it who only looks, or who is about to end."""
_POLL_SECONDS = 0.05
_NO_LOCKS = {getattr(errno, name) for name in ("ENOLCK", "ENOTSUP", "EOPNOTSUPP", "ENOSYS") if hasattr(errno, name)}

log = logging.getLogger(__name__)


@contextlib.contextmanager
def claimed(folder: Path, whose: str) -> Iterator[int]:
    """Hold a version folder; a child that is given the descriptor goes on holding it.

    Raises HostError where another sidecar holds it, with `whose` for its sentence. Storage without locks is only
    written to the log: there everybody gets what they ask for.
    """
    try:
        descriptor = os.open(folder / NAME, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise disk_error(error, folder) from error
    try:
        try:
            _lock_patiently(descriptor)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise HostError(
                    f"{folder} is being worked on by {whose}; wait for it, or cancel it there.", "host.taken"
                ) from error
            log.warning("the storage of %s knows no locks", folder)
        yield descriptor
    finally:
        os.close(descriptor)


def is_claimed(folder: Path) -> bool:
    """True where a sidecar holds the folder now."""
    if not (folder / NAME).exists():
        return False
    try:
        with claimed(folder, ""):
            return False
    except HostError:
        return True


def _lock_patiently(descriptor: int) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            lock(descriptor)
            return
        except OSError as error:
            if error.errno in _NO_LOCKS or time.monotonic() > until:
                raise
        time.sleep(_POLL_SECONDS)
