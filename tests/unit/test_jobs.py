"""The queue on disk: whose turn it is, what a restart finds, and what is told to whom."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from benches import new_job, numbers
from hypothesis import given, settings
from hypothesis import strategies as st

from void_plugin.errors import JobError, RequestError, ServerError
from void_plugin.events import Failed, Finished, Progressed, Queued, Started, Stopped
from void_server.database import lock_state, open_database
from void_server.jobrows import CANCELLED, FAILED, QUEUED, RUNNING, SUCCEEDED, priority_class
from void_server.jobs import JobQueue

MANY = 1000


class Clock:
    """Time that only the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(tmp_path: Path, clock: Clock) -> Iterator[JobQueue]:
    made = JobQueue(tmp_path / "state", clock=clock)
    yield made
    made.close()


def submit(queue: JobQueue, **changes: Any) -> str:
    return queue.submit(new_job(**changes), MANY)[0].job_id


def taken(queue: JobQueue, *engines: str) -> str:
    row = queue.take(engines or ("recover",))
    assert row is not None
    return row.job_id


# -- submitting -----------------------------------------------------------------------------------------------


def test_a_submitted_job_is_queued_and_says_so(queue: JobQueue, clock: Clock) -> None:
    row, created = queue.submit(new_job(shot="sh020", digests={"plate": {"1001": "a" * 64}}), MANY)
    assert created and row.state == QUEUED and row.shot == "sh020" and row.submitted_at == clock.now
    assert row.uploads and row.roots == ("/shows",)
    assert queue.events(row.job_id, 0) == [Queued(row.job_id, 1, 0, 0.0)]
    assert queue.content(row.job_id).digests == {"plate": {"1001": "a" * 64}}


def test_the_same_submit_again_gives_the_same_job(queue: JobQueue) -> None:
    new = new_job()
    first, created = queue.submit(new, MANY)
    again, created_again = queue.submit(new, MANY)
    assert (created, created_again) == (True, False)
    assert again == first and queue.counts()[QUEUED] == 1


def test_the_same_submit_after_the_end_gives_the_ended_job(queue: JobQueue) -> None:
    new = new_job()
    job = queue.submit(new, MANY)[0].job_id
    queue.cancel(job)
    row, created = queue.submit(new, MANY)
    assert not created and row.job_id == job and row.state == CANCELLED


def test_other_content_under_the_same_id_is_refused(queue: JobQueue) -> None:
    submit(queue, request_id="mine", submitted="one")
    with pytest.raises(RequestError, match="belongs to another request") as refused:
        submit(queue, request_id="mine", submitted="two")
    assert refused.value.code == "request.id"


def test_two_owners_may_use_the_same_id(queue: JobQueue) -> None:
    assert submit(queue, request_id="x", owner="ann") != submit(queue, request_id="x", owner="bob")


def test_a_full_queue_refuses_with_the_figures(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path, max_queued=2)
    submit(queue), submit(queue)
    with pytest.raises(ServerError, match="2 jobs wait, and 2 may") as refused:
        submit(queue)
    assert refused.value.code == "server.busy" and refused.value.retryable
    taken(queue)
    submit(queue)
    queue.close()


def test_an_owner_has_a_limit_of_their_own(queue: JobQueue) -> None:
    new = new_job(owner="bob")
    queue.submit(new, 1)
    submit(queue, owner="ann")
    with pytest.raises(ServerError, match="1 jobs of bob") as refused:
        queue.submit(new_job(owner="bob"), 1)
    assert refused.value.code == "server.limit"
    assert not queue.submit(new, 1)[1], "a repeated submit is no further job"
    queue.cancel(queue.page("bob")[0].job_id)
    queue.submit(new_job(owner="bob"), 1)


# -- whose turn it is -----------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 100), min_size=1, max_size=12))
def test_the_highest_class_comes_first_and_within_one_who_came_first(
    tmp_path_factory: pytest.TempPathFactory, priorities: list[int]
) -> None:
    queue = JobQueue(tmp_path_factory.mktemp("state"))
    jobs = [submit(queue, priority=priority) for priority in priorities]
    order = sorted(range(len(jobs)), key=lambda index: (-priority_class(priorities[index]), index))
    places = {index: place for place, index in enumerate(order)}
    assert [queue.position(job) for job in jobs] == [places[index] for index in range(len(jobs))]
    assert [taken(queue) for _ in jobs] == [jobs[index] for index in order]
    assert queue.take(("recover",)) is None
    queue.close()


def test_priorities_have_three_classes() -> None:
    assert [priority_class(value) for value in (0, 33, 34, 50, 66, 67, 100)] == [0, 0, 1, 1, 1, 2, 2]


def test_a_device_takes_only_what_its_engines_can(queue: JobQueue) -> None:
    submit(queue, engine="void")
    recover = submit(queue, engine="recover")
    preview = submit(queue, engine="void", kind="preview")
    assert [taken(queue), taken(queue)] == [recover, preview]
    assert queue.take(("recover",)) is None


def test_two_jobs_of_one_folder_never_run_together(queue: JobQueue) -> None:
    first, second = submit(queue, folder="/a"), submit(queue, folder="/a")
    third = submit(queue, folder="/b")
    assert [taken(queue), taken(queue)] == [first, third]
    assert queue.take(("recover",)) is None
    queue.finish(first, Finished())
    assert taken(queue) == second


def test_a_job_taken_by_one_of_many_threads_is_taken_once(queue: JobQueue) -> None:
    jobs = {submit(queue) for _ in range(20)}
    found: list[str] = []

    def work() -> None:
        while (row := queue.take(("recover",))) is not None:
            found.append(row.job_id)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20 and set(found) == jobs


# -- a job's way ----------------------------------------------------------------------------------------------


def test_a_finished_job_has_its_times_and_its_last_event(queue: JobQueue, clock: Clock) -> None:
    job = submit(queue)
    clock.now += 5
    taken(queue)
    clock.now += 10
    row = queue.finish(job, Finished(result="/r.json"))
    assert (row.state, row.started_at, row.ended_at, row.busy_seconds) == (SUCCEEDED, 1005, 1015, 10)
    assert row.fraction == 1.0 and row.attempts == 1
    assert queue.events(job, 1) == [Finished(job, 2, "/r.json")]


def test_a_failed_job_keeps_code_and_sentence(queue: JobQueue) -> None:
    job = submit(queue)
    taken(queue)
    row = queue.finish(job, Failed(code="job.crashed", text="It broke."))
    assert (row.state, row.error_code, row.error_text) == (FAILED, "job.crashed", "It broke.")


def test_a_job_ends_once(queue: JobQueue) -> None:
    job = submit(queue)
    taken(queue)
    queue.finish(job, Finished())
    assert queue.finish(job, Stopped()).state == SUCCEEDED
    assert queue.requeue(job).state == SUCCEEDED
    assert queue.get(job).last_event == 2
    with pytest.raises(JobError, match="has ended"):
        queue.append(job, Progressed())


def test_cancelling_a_queued_job_ends_it_at_once(queue: JobQueue) -> None:
    job = submit(queue)
    assert queue.cancel(job).state == CANCELLED
    assert queue.events(job, 1) == [Stopped(job, 2)]
    assert queue.take(("recover",)) is None


def test_cancelling_a_running_job_asks_it_to_stop(queue: JobQueue) -> None:
    job, other = submit(queue), submit(queue)
    taken(queue), taken(queue)
    row = queue.cancel(job)
    assert row.state == RUNNING and row.cancel_requested
    assert not queue.get(other).cancel_requested
    assert queue.cancel(job) == row, "asking again changes nothing"
    assert queue.finish(job, Stopped()).state == CANCELLED


def test_cancelling_an_ended_job_changes_nothing(queue: JobQueue) -> None:
    job = submit(queue)
    taken(queue)
    row = queue.finish(job, Finished())
    assert queue.cancel(job) == row


@pytest.mark.parametrize("put_back", [JobQueue.requeue, JobQueue.retry])
def test_a_job_put_back_while_it_was_to_be_cancelled_ends(queue: JobQueue, put_back: Any) -> None:
    job = submit(queue)
    taken(queue)
    queue.cancel(job)
    assert put_back(queue, job).state == CANCELLED


def test_a_retried_job_goes_before_the_others_of_its_priority(queue: JobQueue) -> None:
    waiting = submit(queue, folder="/a")
    submit(queue, folder="/b")
    high = submit(queue, priority=90)
    assert [taken(queue), taken(queue)] == [high, waiting]
    later = submit(queue, priority=90)
    row = queue.retry(waiting)
    assert row.attempts == 1 and [taken(queue), taken(queue)] == [later, waiting]
    assert queue.get(waiting).attempts == 2


def test_a_job_put_back_by_a_drain_counts_as_no_attempt(queue: JobQueue, clock: Clock) -> None:
    job = submit(queue)
    taken(queue)
    clock.now += 7
    row = queue.requeue(job)
    assert (row.state, row.attempts, row.busy_seconds) == (QUEUED, 0, 7)
    assert isinstance(queue.events(job, 1)[0], Queued)


def test_only_ended_jobs_can_be_deleted(queue: JobQueue) -> None:
    job = submit(queue)
    with pytest.raises(JobError, match="cancel it before") as refused:
        queue.delete(job)
    assert refused.value.code == "job.not_ended"
    queue.cancel(job)
    queue.delete(job)
    with pytest.raises(JobError) as unknown:
        queue.get(job)
    assert unknown.value.code == "job.unknown"


# -- events ---------------------------------------------------------------------------------------------------


def test_events_can_be_replayed_from_any_number(queue: JobQueue) -> None:
    job, other = submit(queue), submit(queue)
    taken(queue)
    for step in range(6):
        assert queue.append(job, Progressed(fraction=step / 10)) == step + 2
        queue.append(other, Started())
    whole = queue.events(job, 0)
    assert numbers(whole) == [1, 2, 3, 4, 5, 6, 7] and {event.job for event in whole} == {job}
    for after in range(9):
        assert queue.events(job, after) == whole[after:]
    assert numbers(queue.events(job, 2, limit=3)) == [3, 4, 5]
    assert queue.get(job).fraction == 0.5


def test_whoever_waits_is_woken_by_the_next_event(queue: JobQueue) -> None:
    job = submit(queue)
    told = threading.Event()

    def wait() -> None:
        assert queue.wait(job, 1, 30)
        told.set()

    thread = threading.Thread(target=wait)
    thread.start()
    assert not queue.wait(job, 1, 0.01)
    queue.append(job, Progressed())
    assert told.wait(30)
    thread.join()
    assert queue.wait(job, 1, 0), "what is there already is not waited for"
    assert not queue._watched, "nothing is kept of those who waited"


def test_whoever_waits_learns_of_another_state_and_of_the_end(queue: JobQueue) -> None:
    job = submit(queue)
    thread = threading.Timer(0.05, lambda: taken(queue))
    thread.start()
    assert queue.wait(job, 1, 30)
    thread.join()
    queue.finish(job, Finished())
    assert queue.wait(job, 99, 30), "an ended job is not waited for"


def test_devices_are_woken_by_new_work_and_by_a_cancel(queue: JobQueue) -> None:
    seen = queue.wait_for_work(-1, 0)
    assert queue.wait_for_work(seen, 0.01) == seen
    job = submit(queue)
    assert queue.wait_for_work(seen, 30) != seen
    taken(queue)
    seen = queue.wait_for_work(-1, 0)
    queue.cancel(job)
    assert queue.wait_for_work(seen, 30) != seen


def test_whoever_waits_for_work_can_be_let_go_at_once(queue: JobQueue) -> None:
    seen = queue.wait_for_work(-1, 0)
    waiter = threading.Thread(target=lambda: queue.wait_for_work(seen, 3600), daemon=True)
    waiter.start()
    queue.stop_waiting()
    waiter.join(60)
    assert not waiter.is_alive()


# -- waiting --------------------------------------------------------------------------------------------------


def test_the_wait_is_estimated_from_earlier_jobs(queue: JobQueue, clock: Clock) -> None:
    first = submit(queue, frame_count=10)
    taken(queue)
    clock.now += 20
    queue.finish(first, Finished())
    running, waiting, last = (submit(queue, frame_count=5) for _ in range(3))
    taken(queue)
    assert queue.eta(running) == pytest.approx(10)
    assert queue.eta(waiting) == pytest.approx(10) and queue.eta(last) == pytest.approx(20)
    clock.now += 4
    queue.append(running, Progressed(fraction=0.8))
    assert queue.eta(running) == pytest.approx(1)
    assert queue.eta(submit(queue, engine="void")) == pytest.approx(21)


def test_the_wait_is_unknown_while_nothing_has_finished(queue: JobQueue) -> None:
    first, second = submit(queue), submit(queue)
    assert queue.eta(first) == 0
    taken(queue)
    assert queue.eta(second) < 0 and queue.eta(first) < 0


# -- files ----------------------------------------------------------------------------------------------------

A, B, C = "a" * 64, "b" * 64, "c" * 64


def test_inputs_are_needed_until_the_end_and_results_until_they_go(queue: JobQueue, clock: Clock) -> None:
    job = submit(queue, digests={"plate": {"1": A}, "object_matte": {"1": B}})
    assert queue.pins() == {("ann", A), ("ann", B)}
    taken(queue)
    queue.add_results(job, [C, C])
    queue.finish(job, Finished())
    assert queue.pins() == {("ann", C)}
    clock.now += 100
    assert queue.expired(clock.now - 100) == []
    assert [row.job_id for row in queue.expired(clock.now)] == [job]
    assert queue.retire(job) == {C}
    assert queue.pins() == set() and queue.expired(clock.now) == []


def test_results_that_another_job_needs_are_not_given_away(queue: JobQueue) -> None:
    jobs = [submit(queue, digests={"plate": {"1": A}}) for _ in range(2)]
    live = submit(queue, digests={"plate": {"1": B}})
    for job in jobs:
        taken(queue)
        queue.add_results(job, [B, C])
        queue.finish(job, Finished())
    submit(queue, namespace="other", owner="bob", digests={"plate": {"1": C}})
    assert queue.delete(jobs[0]) == frozenset()
    assert queue.delete(jobs[1]) == {C}, "B is an input of a live job"
    queue.cancel(live)


def test_the_folder_of_a_job_is_in_use_until_its_results_go(queue: JobQueue) -> None:
    job = submit(queue, work="/state/work/1")
    queue.cancel(job)
    assert queue.uses_work("/state/work/1") and not queue.uses_work("/state/work/2") and not queue.uses_work("")
    queue.retire(job)
    assert not queue.uses_work("/state/work/1")


def test_a_live_job_cannot_lose_its_results(queue: JobQueue) -> None:
    with pytest.raises(JobError, match="still needed"):
        queue.retire(submit(queue))


# -- pages ----------------------------------------------------------------------------------------------------


def test_pages_go_from_the_newest_to_the_oldest(queue: JobQueue) -> None:
    jobs = [submit(queue, owner="ann" if index % 2 else "bob") for index in range(6)]
    queue.cancel(jobs[1])
    first = queue.page("ann", size=2)
    assert [row.job_id for row in first] == [jobs[5], jobs[3]]
    assert [row.job_id for row in queue.page("ann", before_sequence=first[-1].sequence, size=2)] == [jobs[1]]
    assert [row.job_id for row in queue.page(None, (CANCELLED,))] == [jobs[1]]
    assert len(queue.page(None)) == 6


def test_a_page_of_ten_thousand_jobs_comes_quickly(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path)
    submit(queue, owner="bob")
    columns = "request_id, owner, namespace, kind, engine, reason, priority, shot, frames, frame_count, folder, work, "
    columns += "max_pixels, uploads, submitted_at, class"
    with queue._lock:
        queue._database.execute(
            f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) INSERT INTO jobs "
            f"(job_id, state, ended_at, {columns}) SELECT 'j' || i, 'succeeded', 1, 'r' || i, 'ann', "
            f"{columns.partition('owner, ')[2]} FROM jobs, n"
        )
    for states in ((), (SUCCEEDED,), (FAILED,)):
        # The best of three: what is measured is the query, not what else this machine does.
        seconds = []
        for _ in range(3):
            begun = time.perf_counter()
            rows = queue.page("ann", states)
            seconds.append(time.perf_counter() - begun)
        assert len(rows) == (0 if FAILED in states else 50) and min(seconds) < 0.05
    queue.close()


# -- restarts -------------------------------------------------------------------------------------------------


def test_a_restart_puts_back_what_was_running(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path)
    ended, running, stopping, waiting = (submit(queue) for _ in range(4))
    for _ in range(3):
        taken(queue)
    queue.finish(ended, Finished())
    queue.append(running, Progressed(fraction=0.5))
    queue.cancel(stopping)
    before = queue.events(running, 0)
    queue.close()
    queue = JobQueue(tmp_path)
    assert [queue.get(job).state for job in (ended, running, stopping, waiting)] == [
        SUCCEEDED,
        QUEUED,
        CANCELLED,
        QUEUED,
    ]
    assert queue.get(running).attempts == 0
    after = queue.events(running, 0)
    assert after[: len(before)] == before and numbers(after) == list(range(1, len(after) + 1))
    assert [taken(queue), taken(queue)] == [running, waiting]
    queue.close()


KILLED = """
import sys
from pathlib import Path
sys.path[:0] = {path!r}
from benches import new_job
from void_server.jobs import JobQueue
from void_plugin.events import Progressed
queue = JobQueue(Path({folder!r}))
job = queue.submit(new_job(), 10)[0].job_id
queue.take(("recover",))
while True:
    print(queue.append(job, Progressed()), flush=True)
"""


def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    script = KILLED.format(path=[str(Path(__file__).parents[1])], folder=str(tmp_path))
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    for _ in range(20):
        child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    told = [int(line) for line in child.stdout.read().splitlines(True) if line.endswith("\n")]
    child.wait()
    child.stdout.close()
    queue = JobQueue(tmp_path)
    row = queue.page(None)[0]
    assert row.state == QUEUED and row.last_event >= max(told, default=21)
    assert numbers(queue.events(row.job_id, 0, 10_000)) == list(range(1, row.last_event + 1))
    queue.close()


# -- the state folder -----------------------------------------------------------------------------------------


def test_a_state_folder_in_use_names_who_has_it(tmp_path: Path) -> None:
    lock = lock_state(tmp_path / "state")
    with pytest.raises(ServerError, match=f"in use by another server \\(pid {os.getpid()}\\)") as refused:
        lock_state(tmp_path / "state")
    assert refused.value.code == "server.start"
    lock.close()
    lock_state(tmp_path / "state").close()


def test_a_state_folder_on_network_storage_is_refused(tmp_path: Path) -> None:
    mounts = f"22 1 0:1 / / rw - ext4 /dev/sda rw\n23 22 0:2 / {tmp_path} rw,relatime shared:1 - nfs4 host:/x rw\n"
    with pytest.raises(ServerError, match=r"network storage \(nfs4\)") as refused:
        open_database(tmp_path / "state", mounts)
    assert refused.value.code == "server.start"
    assert not (tmp_path / "state").exists()


def test_a_state_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    for opener in (lock_state, open_database):
        with pytest.raises(ServerError, match="cannot be used") as refused:
            opener(tmp_path / "state")
        assert refused.value.code == "server.start"


def test_a_database_of_another_version_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "jobs.sqlite") as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(ServerError, match="has version 99") as refused:
        open_database(tmp_path)
    assert refused.value.code == "server.start"


def test_a_damaged_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "jobs.sqlite").write_bytes(b"no database at all, but long enough to be looked at" * 100)
    with pytest.raises(ServerError, match="is damaged") as refused:
        JobQueue(tmp_path)
    assert refused.value.code == "server.start"


def test_commits_reach_the_disk(tmp_path: Path) -> None:
    database = open_database(tmp_path)
    assert database.execute("PRAGMA synchronous").fetchone() == (2,)
    assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert (tmp_path / "jobs.sqlite").stat().st_mode & 0o077 == 0
    database.close()


def test_a_full_disk_is_said_and_harms_nothing(queue: JobQueue) -> None:
    job = submit(queue)
    with queue._lock:
        pages = queue._database.execute("PRAGMA page_count").fetchone()[0]
        queue._database.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(ServerError, match="full") as refused:
        submit(queue, request="x" * 100_000)
    assert refused.value.code == "server.disk_full"
    assert [row.job_id for row in queue.page(None)] == [job]
