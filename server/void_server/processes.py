"""Processes of this machine: which is which, who began a session, and when one is gone."""

from __future__ import annotations

import ctypes
import os
import select
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

ENTRANCES = frozenset({"sudo", "su", "doas", "runuser", "setsid"})
"""Programs that only lead to another user or session, and end with what they lead to."""
OWNER = "VOID_OWNER_PID"
MALLOC = {-1: 512 << 20, -3: 64 << 20, -8: 1}
"""What glibc's `mallopt` is told: freed bytes that are kept, the largest block to be kept so, and heaps (malloc.h)."""
UNUSED = 384 << 20
"""Bytes that a process may hold and not use: getting them from the system anew takes time."""
TIDY_SECONDS = 1.0
"""Between two looks at how much memory is not used. What a job needs again it needs sooner."""
TURN_SECONDS = 0.0005
"""What a thread that waits for the interpreter gives the one that has it, a tenth of Python's own. Most of what
threads do here is work on pictures, which needs no interpreter: whoever wants its next piece should have it soon."""
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class _Stat(NamedTuple):
    name: str
    state: str
    parent: int
    session: int
    started: int


class _MallInfo(ctypes.Structure):
    """What malloc.h says of `mallinfo2`: bytes in use are `uordblks`, and `hblkhd` in blocks of their own."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks",
                     "keepcost")
    ]  # fmt: skip


def ready_for_pictures() -> None:
    """Fit this process for work on pictures; call before numpy is loaded.

    Jobs run side by side on threads of their own, so numpy's are not wanted. And blocks as large as a picture are kept
    when freed: getting them from the system anew each time cost a tenth of composing, page by page.
    """
    sys.setswitchinterval(TURN_SECONDS)
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have none
    if mallopt is not None:
        for option, value in MALLOC.items():
            mallopt(option, value)


class FreedMemory:
    """Lets the system have what was freed, where that stays more than `UNUSED`.

    The C library gives back by itself only what lies above all that is in use. Pictures of several sizes that come and
    go leave holes below: a job of 400 frames of 4K held 0.7 GiB more than it used. What one job has freed the next one
    takes at once: given back in between, a tenth of the next one's time went into getting it anew, page by page.
    """

    def __init__(self) -> None:
        self._due, self._was_much = 0.0, False

    def give_back(self) -> None:
        """Look if the last look was `TIDY_SECONDS` ago, and give back what was not used then and is not now."""
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + TIDY_SECONDS
        library = ctypes.CDLL(None)
        if not hasattr(library, "mallinfo2"):  # glibc 2.33 and later; other C libraries have none
            return
        is_much = _unused(library) > UNUSED
        if is_much and self._was_much:
            library.malloc_trim(0)
        self._was_much = is_much


def _unused(library: ctypes.CDLL) -> int:
    """Bytes that this process holds and does not use."""
    library.mallinfo2.restype = _MallInfo
    used = library.mallinfo2()
    resident, shared = (int(pages) for pages in Path("/proc/self/statm").read_text("ascii").split()[1:3])
    return (resident - shared) * os.sysconf("SC_PAGE_SIZE") - int(used.uordblks) - int(used.hblkhd)


def this_machine() -> str:
    """Names this machine until it is started anew, together with the space that its process numbers belong to."""
    boot = _BOOT.read_text("ascii").strip() if _BOOT.exists() else socket.gethostname()
    return f"{boot} {os.readlink('/proc/self/ns/pid')}"


def started_at(pid: int) -> int:
    """When a process began, in ticks since the machine did; 0 where there is none of that number, or it has ended.

    Number and begin together are never given twice.
    """
    stat = _stat(pid)
    return 0 if stat is None or stat.state in "ZX" else stat.started


def lives(pid: int, started: int) -> bool:
    """True while the process of this number and begin runs."""
    return started != 0 and started_at(pid) == started


def session_owner(environment: Mapping[str, str]) -> int:
    """The process with which this one is to end: the one that $VOID_OWNER_PID names, else whoever began this session.

    0 where neither can be told. A farm names it where it may kill the session before it has begun: then this process
    belongs to nobody, and whom it belonged to can no longer be found.
    """
    named = environment.get(OWNER, "")
    return int(named) if named.isdecimal() else owner_of(os.getpid())


def owner_of(pid: int) -> int:
    """The process that began the session in which a process runs; 0 where that cannot be told.

    It is the nearest ancestor outside the session, past those that only lead into it.
    """
    here = _stat(pid)
    at = here
    while at is not None and at.parent > 1:
        parent = at.parent
        at = _stat(parent)
        if at is not None and here is not None and at.session != here.session and at.name not in ENTRANCES:
            return parent
    return 0


def when_gone(pid: int, call: Callable[[], None]) -> None:
    """Call, from a thread of its own, as soon as a process has ended; at once where there is none."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        call()
        return
    threading.Thread(target=_wait_and_call, args=(handle, call), daemon=True).start()


def _wait_and_call(handle: int, call: Callable[[], None]) -> None:
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    poll.poll()
    os.close(handle)
    call()


def _stat(pid: int) -> _Stat | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    # The name may hold blanks and brackets of its own.
    before, _, after = text.rpartition(")")
    words = after.split()
    return _Stat(before.partition("(")[2], words[0], int(words[1]), int(words[3]), int(words[19]))
