"""How fast do frames travel, how soon does a job begin, and how soon are ten thousand jobs listed?

    python benchmarks/transfer.py [--quick] [--megabytes 512] [--folder DIR] [--json FILE]

Transfer over loopback TCP with our client and server, hashing, verifying and storing, beside raw gRPC (bytes without
messages or files, 1 MiB chunks, a process of its own each side) in the same run, in turn, five times; medians count,
for the ratio that of the five ratios. The files lie in memory where the system has /dev/shm, so that what is measured
is the code and not a disk.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "server"), str(ROOT / "tests")]

from servers import Server  # noqa: E402
from shots import build_shot  # noqa: E402

from void_plugin.client import VoidClient  # noqa: E402
from void_plugin.config import Config  # noqa: E402
from void_plugin.events import Progressed  # noqa: E402
from void_plugin.frames import Digest  # noqa: E402
from void_plugin.heap import keep_memory_together  # noqa: E402
from void_server.jobs import JobQueue  # noqa: E402

CHUNK = 1 << 20
ROUNDS = 5
FILE_MIB = 64
"""About a 4K plate in half floats."""


# -- raw gRPC --------------------------------------------------------------------------------------------------------


class Raw(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Takes and gives bytes, and nothing else."""

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        if details.method == "/raw/Up":
            return grpc.stream_unary_rpc_method_handler(lambda parts, _: str(sum(map(len, parts))).encode())
        return grpc.unary_stream_rpc_method_handler(lambda count, _: (b"x" * CHUNK for _ in range(int(count))))


def serve_raw() -> None:
    """The other side of the raw measurement, until stdin ends."""
    server = grpc.server(futures.ThreadPoolExecutor(4), handlers=[Raw()])
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    sys.stdin.read()
    server.stop(None).wait()


def raw_rates(mebibytes: int) -> tuple[float, float]:
    """MB/s up and down."""
    command = [sys.executable, __file__, "--raw", str(mebibytes)]
    up, down = subprocess.check_output(command, text=True).split()
    return float(up), float(down)


def print_raw_rates(mebibytes: int) -> None:
    """The client's side of the raw measurement, in a process with nothing of ours."""
    command = [sys.executable, __file__, "--serve-raw"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdin is not None
        with grpc.insecure_channel(f"127.0.0.1:{int(other.stdout.readline())}") as channel:
            block = b"x" * CHUNK
            up = rate(mebibytes, lambda: channel.stream_unary("/raw/Up")(iter([block] * mebibytes)))
            down = rate(mebibytes, lambda: sum(map(len, channel.unary_stream("/raw/Down")(str(mebibytes).encode()))))
        other.stdin.close()
    print(up, down)


def rate(mebibytes: int, action: Callable[[], object]) -> float:
    """MB/s of an action that moves so many MiB."""
    begun = time.perf_counter()
    action()
    return mebibytes * CHUNK / (time.perf_counter() - begun) / 1e6


# -- ours ------------------------------------------------------------------------------------------------------------


def our_rates(client: VoidClient, folder: Path, mebibytes: int) -> tuple[float, float]:
    """MB/s up and down of new files; the digests are known, as a client computes them before."""
    count = max(1, mebibytes // FILE_MIB)
    files = []
    for number in range(count):
        path = folder / f"{number}.exr"
        path.write_bytes(b"\x76\x2f\x31\x01" + secrets.token_bytes(FILE_MIB * CHUNK - 4))
        files.append((path, Digest.of_file(str(path))))

    def up() -> None:
        for path, digest in files:
            assert client.upload(str(path), digest)

    def down() -> None:
        for path, digest in files:
            client.download(digest.sha256, path.with_suffix(".back"))

    rates = rate(count * FILE_MIB, up), rate(count * FILE_MIB, down)
    for path in folder.iterdir():
        path.unlink()
    return rates


def first_progress(client: VoidClient, folder: Path, rounds: int) -> list[float]:
    """Seconds from submitting a job to its first progress, with a worker that has nothing else to do."""
    shot = build_shot(folder / "shot", count=1, size=(54, 96))
    found = []
    for number in range(rounds + 1):
        request = shot.request(engine="identity", frames=shot.frames, prompt=str(number)).rooted()
        begun = time.perf_counter()
        job = client.submit(request)
        seconds = None
        for event in client.watch(job.job_id):
            if isinstance(event, Progressed) and seconds is None:
                seconds = time.perf_counter() - begun
        assert seconds is not None
        found.append(seconds)
    return found[1:]  # the first one warms caches


def listing(folder: Path, count: int) -> float:
    """Milliseconds of the first page of so many ended jobs, of one owner among two."""
    queue = JobQueue(folder, max_queued=count + 1)
    fill(queue, count)
    times = []
    for _ in range(20):
        begun = time.perf_counter()
        assert len(queue.page("anna", [], None, 50)) == 50
        times.append(time.perf_counter() - begun)
    queue.close()
    return 1000 * statistics.median(times)


def fill(queue: JobQueue, count: int) -> None:
    """Jobs that were submitted, ran and succeeded."""
    from void_plugin.events import Finished
    from void_server.jobrows import NewJob

    for number in range(count):
        new = NewJob(
            request_id=str(number), owner="anna" if number % 2 else "bob", namespace="show", kind="remove",
            engine="recover", reason="", priority=50, shot=f"sh{number:05}", frames="1001-1024", frame_count=24,
            request="{}", submitted=str(number), digests=None, folder=f"/shows/{number}", work="", roots=("/shows",),
            max_pixels=1 << 27,
        )  # fmt: skip
        row, _ = queue.submit(new, max_jobs=10)
        assert queue.take(["recover"]) is not None
        queue.finish(row.job_id, Finished(result="/shows/result.json"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="128 MiB, 1,000 jobs")
    parser.add_argument("--megabytes", type=int, default=512, help="MiB moved in each round")
    parser.add_argument("--folder", type=Path, help="where the files lie; default memory")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--serve-raw", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--raw", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve_raw:
        return serve_raw()
    if options.raw:
        return print_raw_rates(options.raw)
    keep_memory_together()  # as `void` does
    mebibytes, jobs = (128, 1000) if options.quick else (options.megabytes, 10_000)
    memory = Path("/dev/shm")
    base = options.folder or (memory if os.access(memory, os.W_OK) else None)
    folder = Path(tempfile.mkdtemp(prefix="void-transfer-", dir=base))
    try:
        table = measure(folder, mebibytes, jobs)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for name, value in table.items():
        print(f"{name:42} {value:10.2f}")
    if options.json:
        options.json.write_text(json.dumps(table, indent=2) + "\n")


def measure(folder: Path, mebibytes: int, jobs: int) -> dict[str, float]:
    """All figures."""
    raw: list[tuple[float, float]] = []
    ours: list[tuple[float, float]] = []
    files = folder / "files"
    files.mkdir()
    with Server(folder / "state", "--allow-root", str(folder)) as server:
        config = Config(token_file=str(server.state / "token"))
        with VoidClient.connect(config, os.environ, server.address) as client:
            client.engines()
            for _ in range(ROUNDS):
                raw.append(raw_rates(mebibytes))
                ours.append(our_rates(client, files, mebibytes))
            begins = first_progress(client, folder, 10)
    table = {}
    for index, way in enumerate(("up", "down")):
        table[f"{way}, raw gRPC, MB/s"] = statistics.median(pair[index] for pair in raw)
        table[f"{way}, ours with hash and store, MB/s"] = statistics.median(pair[index] for pair in ours)
        ratios = [mine[index] / theirs[index] for mine, theirs in zip(ours, raw, strict=True)]
        table[f"{way}, ours over raw (limit 0.4)"] = statistics.median(ratios)
    table["submit to first progress, median ms"] = 1000 * statistics.median(begins)
    table["submit to first progress, worst of 10 ms"] = 1000 * max(begins)
    table[f"first page of {jobs} ended jobs, ms"] = listing(folder / "jobs", jobs)
    return table


if __name__ == "__main__":
    main()
