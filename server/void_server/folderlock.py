"""Keeps a job folder for one process: two that write the same units and frames would spoil each other's."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from void_plugin.errors import ServerError
from void_server.jobfolder import JobFolder, open_file, write_error

PATIENCE_SECONDS = 3.0
"""How long the process before may take to end: its memory is given back before its locks are."""
_POLL_SECONDS = 0.05
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)

Warn = Callable[[str, int | None, str], None]
"""Called with a code, a frame or None, and a sentence."""


@contextmanager
def locked(folder: JobFolder, alone: bool, warn: Warn) -> Iterator[None]:
    """Hold a job folder, alone or together with others that do single steps in it.

    Raises ServerError where somebody else is at work there. Storage without locks is only warned about.
    """
    path = folder.plan.with_name("lock")
    try:
        descriptor = open_file(path, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise write_error(str(folder.path / "lock"), 0, error.errno == errno.ENOSPC, str(error.strerror)) from error
    try:
        try:
            _wait(descriptor, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        except BlockingIOError as error:
            raise ServerError(
                f"Another process works in the job folder {folder.path}; wait for it or cancel it, then run again.",
                "server.busy",
            ) from error
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            warn(
                "unlocked",
                None,
                f"The storage of {folder.path} knows no locks; make sure that no other job writes there.",
            )
        yield
    finally:
        os.close(descriptor)


def _wait(descriptor: int, kind: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
        time.sleep(_POLL_SECONDS)
