"""Which process is which, and who began a session."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from void_server.processes import lives, owner_of, started_at, this_machine, when_gone

ASK = "import os; from void_server.processes import owner_of; print(owner_of(os.getpid()), flush=True)"


@contextmanager
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def test_a_process_lives_until_it_has_ended_even_where_nobody_asked_how() -> None:
    with sleeper() as child:
        begun = started_at(child.pid)
        assert begun > 0 and lives(child.pid, begun) and not lives(child.pid, begun + 1)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it is a zombie now
        assert started_at(child.pid) == 0 and not lives(child.pid, begun)
    assert not lives(child.pid, 0), "nothing began at no time"


def test_a_machine_has_one_name() -> None:
    script = "from void_server.processes import this_machine; print(this_machine())"
    assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == this_machine()


def test_the_end_of_a_process_is_told_once_it_comes_and_at_once_where_it_has() -> None:
    told = threading.Event()
    with sleeper() as child:
        when_gone(child.pid, told.set)
        assert not told.wait(0.2)
        child.kill()
        assert told.wait(60)
    again = threading.Event()
    when_gone(child.pid, again.set)
    assert again.is_set()


def test_the_owner_of_a_session_is_whoever_began_it() -> None:
    command = [sys.executable, "-c", ASK]
    assert int(subprocess.check_output(command, start_new_session=True)) == os.getpid()
    # Through a shell of the same session too.
    shell = ["sh", "-c", f'"{sys.executable}" -c "{ASK}"; true']
    assert int(subprocess.check_output(shell, start_new_session=True)) == os.getpid()


def test_what_only_leads_into_a_session_does_not_own_it(tmp_path: Path) -> None:
    # As sudo does it for another user: a session for itself, and one for the command.
    sudo = tmp_path / "sudo"
    sudo.symlink_to("/bin/sh")
    command = [str(sudo), "-c", f'setsid -w "{sys.executable}" -c "{ASK}"; true']
    assert int(subprocess.check_output(command, start_new_session=True)) == os.getpid()
    shell = ["sh", *command[1:]]
    assert int(subprocess.check_output(shell, start_new_session=True)) not in (0, os.getpid())


def test_a_process_of_our_own_session_is_owned_by_whoever_began_ours() -> None:
    assert int(subprocess.check_output([sys.executable, "-c", ASK])) == owner_of(os.getpid())


def test_pictures_of_all_threads_lie_in_the_one_heap_where_freed_memory_is_kept() -> None:
    script = """
import sys, threading
from void_server.processes import ready_for_pictures
if sys.argv[1] == "ready":
    ready_for_pictures()
import numpy as np
def work():
    picture = np.ones(2_000_000, np.float32)
    heap = next(line for line in open("/proc/self/maps") if line.rstrip().endswith("[heap]"))
    first, last = (int(number, 16) for number in heap.split()[0].split("-"))
    print(first <= picture.ctypes.data < last)
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""
    said = [subprocess.check_output([sys.executable, "-c", script, word], text=True).strip() for word in ("ready", "")]
    assert said == ["True", "False"]


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="this C library does not tell what it holds")
def test_much_that_was_freed_and_stays_unused_goes_back_to_the_system_and_little_is_kept() -> None:
    script = """
import sys
from void_server import processes
processes.ready_for_pictures()
processes.TIDY_SECONDS = 0
import numpy as np
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 >> 20
blocks = [np.ones(1 << 20, np.uint8) for _ in range(int(sys.argv[1]))]
del blocks[::2]
freed = processes.FreedMemory()
for _ in range(2):
    before = resident()
    freed.give_back()
    print(before - resident())
"""
    few, many = (
        [int(word) for word in subprocess.check_output([sys.executable, "-c", script, count], text=True).split()]
        for count in ("300", "1300")
    )
    assert max(map(abs, few)) < 20
    assert abs(many[0]) < 20 and many[1] > 500  # not at the first look: it may be needed again at once
