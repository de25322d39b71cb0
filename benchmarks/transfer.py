"""How fast do frames travel, beside raw gRPC?

    python benchmarks/transfer.py [--quick] [--megabytes 512] [--rounds 5] [--json FILE] [--results FILE]

Over loopback TCP with our client and server, hashing, verifying and storing, beside raw gRPC (bytes without messages or
files, 1 MiB chunks, a process of its own each side) in the same run, in turn; the ratio is that of the rounds. The
files lie in memory where the system has /dev/shm, so that what is measured is the code and not a disk.
"""

from __future__ import annotations

import argparse
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
from benching.command import answer, build_parser, scratch
from benching.figures import Figure
from benching.tables import Table, Verdict
from servers import Server

from void_plugin.client import VoidClient
from void_plugin.config import Config
from void_plugin.frames import Digest
from void_plugin.heap import keep_memory_together

CHUNK = 1 << 20
LIMIT = 0.4
"""Of our rate over that of raw gRPC, at least."""
COPIES = 3
"""Of every file: what is sent, what the server stores, and what comes back."""
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


def take_memory(path: Path, mebibytes: int) -> None:
    """Fill a file and remove it, so that the system has that much memory at hand.

    A virtual machine that has given memory back to its host gets it again at a tenth of the speed at which it is used
    (0.6 to 1.0 GB/s, then 5.5), and our rate, which needs new memory, halves by that; raw gRPC needs none.
    """
    block = bytes(CHUNK)
    with open(path, "wb") as file:
        for _ in range(mebibytes):
            file.write(block)
    path.unlink()


def measure(options: argparse.Namespace) -> Iterator[Table]:
    keep_memory_together()  # as `void` does
    mebibytes = 128 if options.quick else options.megabytes
    memory = Path("/dev/shm")
    if options.folder is None and os.access(memory, os.W_OK):
        options.folder = memory
    raw: list[tuple[float, float]] = []
    ours: list[tuple[float, float]] = []
    with scratch(options) as folder:
        files = folder / "files"
        files.mkdir()
        with Server(folder / "state", "--allow-root", str(folder)) as server:
            config = Config(token_file=str(server.state / "token"))
            with VoidClient.connect(config, os.environ, server.address) as client:
                client.engines()
                for _ in range(options.rounds):
                    raw.append(raw_rates(mebibytes))
                    take_memory(files / "taken", COPIES * mebibytes)
                    ours.append(our_rates(client, files, mebibytes))
    table = Table("transfer", "Frames over gRPC", ("way", "raw gRPC MB/s", "ours, hashed and stored, MB/s", "ratio"))
    for index, way in enumerate(("up", "down")):
        theirs, mine = (Figure(tuple(pair[index] for pair in rates)) for rates in (raw, ours))
        table.add(way, theirs, mine, mine.over(theirs))
        table.verdicts.append(Verdict(f"{way}, our rate over that of raw gRPC", mine.over(theirs), LIMIT, least=True))
    table.notes.append(f"{mebibytes} MiB in files of {FILE_MIB} MiB, {options.rounds} rounds in turn.")
    yield table


def main(arguments: Sequence[str] | None = None) -> int:
    parser = build_parser(__doc__, rounds=5)
    parser.add_argument("--megabytes", type=int, default=512, help="MiB moved in each round")
    parser.add_argument("--serve-raw", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--raw", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.serve_raw:
        serve_raw()
        return 0
    if options.raw:
        print_raw_rates(options.raw)
        return 0
    return answer(parser, measure, arguments)


if __name__ == "__main__":
    sys.exit(main())
