"""Leases of units: one solves, others wait, and what stands still is taken over."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from void_plugin.errors import Cancelled, ServerError
from void_server.jobfolder import JobFolder, write_json
from void_server.lease import LOST_BEATS, Lease, Leases
from void_server.processes import started_at, this_machine

BEAT = 0.05
KEY = "0123"


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    return JobFolder(tmp_path / "job")


def path(folder: JobFolder) -> Path:
    return folder.unit(KEY) / "lease.json"


def facts(folder: JobFolder) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path(folder).read_text())
    return found


def leases(folder: JobFolder, said: list[str] | None = None, stop: threading.Event | None = None) -> Leases:
    told = [] if said is None else said
    return Leases(folder, (stop or threading.Event()).is_set, told.append, BEAT)


def foreign(folder: JobFolder, **changes: Any) -> None:
    """Leave a lease as another process does that has stopped saying anything."""
    known = {"machine": "another", "host": "node7", "pid": 1, "started": 1, "every": BEAT, "token": "t", "beat": 3}
    folder.unit(KEY).mkdir(parents=True, exist_ok=True)
    path(folder).write_text(json.dumps({**known, **changes}))


def test_a_lease_says_who_holds_it_and_is_gone_after(folder: JobFolder) -> None:
    with leases(folder).held(KEY, "unit 0") as lease:
        assert lease is not None and not lease.is_lost()
        told = facts(folder)
        assert (told["pid"], told["machine"]) == (os.getpid(), this_machine())
        assert told["started"] == started_at(os.getpid()) and told["every"] == BEAT
    assert os.listdir(folder.unit(KEY)) == []


def test_a_lease_is_given_back_whatever_happens(folder: JobFolder) -> None:
    with pytest.raises(RuntimeError), leases(folder).held(KEY, "unit 0"):
        raise RuntimeError
    assert not path(folder).exists()


def test_a_held_lease_shows_that_it_lives(folder: JobFolder) -> None:
    with leases(folder).held(KEY, "unit 0"):
        seen: dict[int, int] = {}
        deadline = time.monotonic() + 60
        while len(seen) < 12:
            assert time.monotonic() < deadline
            seen[facts(folder)["beat"]] = path(folder).stat().st_size
    assert len(set(seen.values())) == 1, "it is overwritten in place, whatever it says"


def test_a_solved_unit_needs_no_lease(folder: JobFolder) -> None:
    write_json(folder.unit_manifest(KEY), {})
    with leases(folder).held(KEY, "unit 0") as lease:
        assert lease is None and not path(folder).exists()


def test_who_waits_finds_the_unit_solved(folder: JobFolder) -> None:
    said: list[str] = []
    waiting = threading.Event()
    found: list[Lease | None] = []

    def other() -> None:
        told = Leases(folder, lambda: False, lambda text: (said.append(text), waiting.set())[0], BEAT)
        with told.held(KEY, "unit 3") as lease:
            found.append(lease)

    with leases(folder).held(KEY, "unit 3"):
        thread = threading.Thread(target=other)
        thread.start()
        assert waiting.wait(60)
        # Longer than a dead one would be waited for.
        time.sleep(2 * LOST_BEATS * BEAT)
        assert not found
        write_json(folder.unit_manifest(KEY), {})
    thread.join(60)
    assert found == [None]
    assert said == [f"Waiting while process {os.getpid()} on {os.uname().nodename} solves unit 3."]


def test_who_waits_takes_what_is_given_back_unsolved(folder: JobFolder) -> None:
    waiting = threading.Event()
    found: list[bool] = []

    def other() -> None:
        with Leases(folder, lambda: False, lambda text: waiting.set(), BEAT).held(KEY, "unit 3") as lease:
            found.append(lease is not None)

    with leases(folder).held(KEY, "unit 3"):
        thread = threading.Thread(target=other)
        thread.start()
        assert waiting.wait(60)
    thread.join(60)
    assert found == [True]


def test_waiting_ends_when_the_task_is_stopped(folder: JobFolder) -> None:
    stop = threading.Event()
    with leases(folder).held(KEY, "unit 0"):
        stopped = Leases(folder, stop.is_set, lambda text: stop.set(), BEAT)
        with pytest.raises(Cancelled), stopped.held(KEY, "unit 0"):
            pass
        assert path(folder).exists(), "it is another's"


def test_one_of_another_machine_that_no_longer_changes_is_taken_over(folder: JobFolder) -> None:
    foreign(folder)
    (folder.unit(KEY) / ".fill.1001.exr.77.tmp").write_text("half")
    said: list[str] = []
    begun = time.monotonic()
    with leases(folder, said).held(KEY, "unit 0") as lease:
        assert lease is not None and facts(folder)["pid"] == os.getpid()
    assert time.monotonic() - begun >= LOST_BEATS * BEAT
    assert said[-1] == "Taking over unit 0 from process 1 on node7, which is gone."
    assert os.listdir(folder.unit(KEY)) == [], "nor is what it was writing left"


def test_the_interval_of_the_holder_counts(folder: JobFolder) -> None:
    foreign(folder, every=3600)
    stop = threading.Event()
    threading.Timer(3 * LOST_BEATS * BEAT, stop.set).start()
    with pytest.raises(Cancelled), leases(folder, stop=stop).held(KEY, "unit 0"):
        pass


def test_a_dead_process_of_this_machine_is_not_waited_for(folder: JobFolder) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    begun = started_at(child.pid)
    child.communicate()
    foreign(folder, machine=this_machine(), pid=child.pid, started=begun, every=3600)
    with leases(folder).held(KEY, "unit 0") as lease:
        assert lease is not None


def test_another_process_with_the_number_of_a_dead_one_is_not_taken_for_it(folder: JobFolder) -> None:
    foreign(folder, machine=this_machine(), pid=os.getpid(), started=started_at(os.getpid()) - 1, every=3600)
    with leases(folder).held(KEY, "unit 0") as lease:
        assert lease is not None


@pytest.mark.parametrize("content", [b"", b"[]", b'{"machine": "x"}', b"\xff\xfe"], ids=repr)
def test_what_is_no_lease_is_taken_over_like_a_dead_one(folder: JobFolder, content: bytes) -> None:
    folder.unit(KEY).mkdir(parents=True)
    path(folder).write_bytes(content)
    with leases(folder).held(KEY, "unit 0") as lease:
        assert lease is not None


def test_who_was_taken_over_learns_of_it_and_leaves_the_other_alone(folder: JobFolder) -> None:
    mine = Lease.new(path(folder), BEAT)
    assert mine is not None and Lease.new(path(folder), BEAT) is None
    path(folder).unlink()
    other = Lease.new(path(folder), BEAT)
    assert other is not None
    deadline = time.monotonic() + 60
    while not mine.is_lost():
        assert time.monotonic() < deadline
    mine.release()
    assert facts(folder)["token"] == other._facts["token"] and not other.is_lost()
    other.release()
    assert not path(folder).exists()


def test_of_many_that_take_over_a_dead_one_each_holds_it_alone(folder: JobFolder) -> None:
    foreign(folder)
    inside, most = [0], [0]
    lock = threading.Lock()

    def work() -> None:
        # A beat long enough that no holder on a busy machine seems dead; the dead one's own is short.
        with Leases(folder, lambda: False, lambda text: None, 20 * BEAT).held(KEY, "unit 0") as lease:
            assert lease is not None
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            time.sleep(BEAT)
            with lock:
                inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert most == [1] and not path(folder).exists()


def test_a_lease_that_cannot_be_written_is_told_as_what_it_is(
    folder: JobFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(ServerError) as caught, leases(folder).held(KEY, "unit 0"):
        pass
    assert caught.value.code == "server.disk_full" and caught.value.exit_code == 75
    assert os.listdir(folder.unit(KEY)) == []
