"""What does a job cost beside its pixels: until it begins, when there are a thousand, when they are listed?

    python benchmarks/jobs.py [--quick] [--rounds 5] [--jobs 1000] [--json FILE] [--results FILE]

`submit`: from submitting a job of one frame of 96x54 to its first progress and to its end, on a server with one worker
that has nothing else to do; beside it the same job in a process that has all loaded, and a gRPC call that the same
server answers at once. `many`: a thousand such jobs queued at once, and whether the last ones take longer than the
first. `list`: the first page of 50 of one owner's jobs, at a thousand ended jobs and at ten thousand.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benching.command import answer, build_parser, scratch
from benching.figures import Figure, in_turn, seconds
from benching.regions import run, warm
from benching.tables import Table, Verdict
from servers import Server
from shots import Shot, build_shot

from void_plugin.client import VoidClient
from void_plugin.config import Config
from void_plugin.events import Finished, Progressed, is_last
from void_plugin.request import Output, RemovalRequest
from void_server.exr import ImageFiles
from void_server.jobrows import NewJob
from void_server.jobs import JobQueue

PAGE = 50
LONGER_LIMIT = 1.25
"""Of the last tenth of many jobs over the first."""
LIST_LIMIT = 2.0
"""Of a page among ten times as many jobs."""


class Jobs:
    """Tiny jobs on one server, each of its own."""

    def __init__(self, client: VoidClient, shot: Shot) -> None:
        self._client, self._shot, self._count = client, shot, 0

    def next(self) -> RemovalRequest:
        """A request that no other has the job folder of."""
        self._count += 1
        pattern = str(self._shot.folder / f"out{self._count}" / "result.%04d.exr")
        return self._shot.request(engine="identity", frames=self._shot.frames, outputs=(Output("patch", pattern),))

    def until(self, kind: type[Progressed] | type[Finished]) -> float:
        """Seconds from submitting a job to its first event of a kind; returns when it has ended."""
        begun, found = time.perf_counter(), None
        for event in self._client.watch(self._client.submit(self.next().rooted()).job_id):
            if isinstance(event, kind) and found is None:
                found = time.perf_counter() - begun
        if found is None:
            raise SystemExit(f"a job ended without {kind.__name__}")
        return found

    def many(self, count: int) -> tuple[float, list[float]]:
        """Seconds that submitting so many takes, and when each ended after that began."""
        since, begun = time.time(), time.perf_counter()
        ids = [self._client.submit(self.next().rooted()).job_id for _ in range(count)]
        submitted = time.perf_counter() - begun
        for event in self._client.watch(ids[-1]):  # one worker takes them in their order
            if is_last(event) and not isinstance(event, Finished):
                raise SystemExit("a job did not finish")
        ended = [self._client.get(job).ended_at for job in ids]
        return submitted, sorted(end - since for end in ended if end is not None)


def submit_table(jobs: Jobs, client: VoidClient, rounds: int) -> Table:
    """A job beside the same pixels without a server, and beside a bare call."""
    table = Table("jobs.submit", "A job of one frame of 96x54", ("what", "ms", "over the job without a server"))
    with ImageFiles(1) as files:
        kept = warm(files)
        ways: dict[str, Callable[[], float]] = {
            "without a server, all loaded": lambda: run(jobs.next(), kept, 1)["total"],
            "submit to first progress": lambda: jobs.until(Progressed),
            "submit to the end": lambda: jobs.until(Finished),
            "a call that is answered at once": lambda: seconds(client.engines),
        }
        in_turn(ways, 2)
        found = in_turn(ways, 4 * rounds)
    base = found["without a server, all loaded"]
    for name, figure in found.items():
        table.add(name, figure.times(1000), figure.over(base))
    table.notes.append(f"{4 * rounds} rounds in turn.")
    return table


def many_table(jobs: Jobs, count: int) -> Table:
    """A thousand jobs."""
    title = f"{count} jobs of one frame of 96x54, queued at once"
    table = Table("jobs.many", title, ("what", "ms a job", "over the job without a server"))
    with ImageFiles(1) as files:
        kept = warm(files)
        run(jobs.next(), kept, 1)
        alone = [run(jobs.next(), kept, 1)["total"] for _ in range(20)]
    base = statistics.median(alone)
    submitted, ended = jobs.many(count)
    if len(ended) != count:
        raise SystemExit(f"{count - len(ended)} of {count} jobs did not end")
    # While they were submitted the first ones ran already, and had to share the machine with that.
    queued = [end for end in ended if end > submitted]
    tenth = max(1, len(queued) // 10)
    first, last = (queued[tenth] - queued[0]) / tenth, (queued[-1] - queued[-1 - tenth]) / tenth
    table.add("without a server, all loaded", 1000 * base, 1.0)
    table.add("submitting", 1000 * submitted / count, submitted / count / base)
    table.add("from the first submit to the last end", 1000 * ended[-1] / count, ended[-1] / count / base)
    table.add("the first tenth once all are queued", 1000 * first, first / base)
    table.add("the last tenth", 1000 * last, last / base)
    table.verdicts.append(Verdict("the last tenth over the first", Figure((last / first,)), LONGER_LIMIT))
    return table


def list_table(folder: Path, few: int, rounds: int) -> Table:
    """Listing among few jobs and among ten times as many."""
    table = Table("jobs.list", f"The first {PAGE} of one owner's ended jobs", ("jobs in all", "ms", "over the fewest"))
    queues = {count: JobQueue(folder / f"jobs{count}", max_queued=count + 1) for count in (few, 10 * few)}
    for count, queue in queues.items():
        fill(queue, count)
    ways = {
        str(count): lambda queue=queue: seconds(lambda: queue.page("anna", [], None, PAGE))  # type: ignore[misc]
        for count, queue in queues.items()
    }
    found = in_turn(ways, 10 * rounds)
    for name, figure in found.items():
        table.add(name, figure.times(1000), figure.over(found[str(few)]))
    for queue in queues.values():
        queue.close()
    ratio = found[str(10 * few)].over(found[str(few)])
    table.verdicts.append(Verdict("listing among ten times as many", ratio, LIST_LIMIT))
    return table


def fill(queue: JobQueue, count: int) -> None:
    """Jobs that were submitted, ran and succeeded."""
    for number in range(count):
        new = NewJob(
            request_id=str(number), owner="anna" if number % 2 else "bob", namespace="show", kind="remove",
            engine="recover", reason="", priority=50, shot=f"sh{number:05}", frames="1001-1024", frame_count=24,
            request="{}", submitted=str(number), digests=None, folder=f"/shows/{number}", work="", roots=("/shows",),
            max_pixels=1 << 27,
        )  # fmt: skip
        row, _ = queue.submit(new, max_jobs=10)
        if queue.take(["recover"]) is None:
            raise SystemExit("a queue with a job had none to take")
        queue.finish(row.job_id, Finished(result="/shows/result.json"))


def measure(options: argparse.Namespace) -> Iterator[Table]:
    count = 50 if options.quick else options.jobs
    with scratch(options) as folder:
        shot = build_shot(folder / "shot", count=1, size=(54, 96))
        limits = ["--max-queued", str(2 * count), "--max-jobs", str(2 * count)]
        with Server(folder / "state", "--allow-root", str(folder), *limits) as server:
            config = Config(token_file=str(server.state / "token"))
            with VoidClient.connect(config, os.environ, server.address) as client:
                jobs = Jobs(client, shot)
                yield submit_table(jobs, client, options.rounds)
                yield many_table(jobs, count)
        yield list_table(folder, 100 if options.quick else 1000, options.rounds)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = build_parser(__doc__, rounds=5)
    parser.add_argument("--jobs", type=int, default=1000)
    return answer(parser, measure, arguments)


if __name__ == "__main__":
    sys.exit(main())
