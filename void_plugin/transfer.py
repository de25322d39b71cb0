"""How pixels get to a server and back: by path where both sides see the same files, else up and down in parallel."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from void_plugin.answers import ServerInfo
from void_plugin.client import Uploaded, VoidClient
from void_plugin.config import Config
from void_plugin.digests import Digests
from void_plugin.errors import Cancelled, FrameError
from void_plugin.frames import Digest, FrameRange, ImageSequence, describe
from void_plugin.request import INPUTS, RemovalRequest
from void_plugin.wire import machine_digest

STREAMS = 4
"""Files that travel at once."""
BATCH = 32
"""Files that are digested ahead of those that travel, so that a file is read twice while the system still has it."""
TELL_SECONDS = 0.2

# -- by path ------------------------------------------------------------------------------------------------------


def why_not_by_path(request: RemovalRequest, config: Config, server: ServerInfo) -> str:
    """Why the server cannot read and write the files of a request itself, as a sentence; empty where it can."""
    if not server.roots:
        return "It reads and writes no files by path for you; ask whoever runs it for --allow-root."
    sequences = [request.sequence(name) for name in INPUTS if request.input(name) is not None]
    sequences += [request.output_sequence(output) for output in request.outputs]
    folders = list(dict.fromkeys(os.path.abspath(sequence.folder) for sequence in sequences))
    if server.machine_digest == machine_digest():
        outside = [folder for folder in folders if not _below(server.roots, os.path.realpath(folder))]
        reason = f"outside the folders that it may use ({', '.join(server.roots)})"
    else:
        outside = folders
        reason = "on this machine, and in none of the folders that both share (shared_roots in the configuration)"
    outside = [folder for folder in outside if not _below(map(os.path.abspath, config.shared_roots), folder)]
    return f"{outside[0]} lies {reason}." if outside else ""


def _below(roots: "Iterator[str] | Sequence[str]", folder: str) -> bool:
    wanted = os.path.normcase(folder)
    return any(wanted == root or wanted.startswith(os.path.join(root, "")) for root in map(os.path.normcase, roots))


# -- up -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class InputFile:
    """One file of an input of a request."""

    input: str
    frame: int
    path: str


def input_files(request: RemovalRequest) -> list[InputFile]:
    """Every file that a job may look at, whatever part of the shot is asked for.

    Raises FrameError naming all frames that are missing.
    """
    plate = request.sequence("plate")
    frames = [request.frames.first if request.frames else 1] if plate.is_still else _frames_looked_at(request, plate)
    wanted = request.shot_range or request.frames or FrameRange(frames[0], frames[-1])
    files: list[InputFile] = []
    problems: list[str] = []
    for name in INPUTS:
        if request.input(name) is None:
            continue
        sequence, label = request.sequence(name), name.replace("_", " ")
        if sequence.is_still:
            there, missing = frames[:1], [] if os.path.isfile(sequence.pattern) else frames[:1]
        else:
            on_disk = set(sequence.on_disk())
            there = [frame for frame in frames if frame in on_disk]
            missing = [frame for frame in wanted if frame not in on_disk]
        if name == "clean_plate":  # for any of the frames, but not for none
            missing = [] if there else list(wanted)
        if missing:
            what = "does not exist" if sequence.is_still else f"lacks frames {describe(missing)}"
            problems.append(f"The {label} {sequence.pattern} {what}; render what is missing or choose another range.")
        files += [InputFile(name, frame, sequence.path(frame)) for frame in there]
    if problems:
        raise FrameError("\n".join(problems), "frame.missing")
    return files


def _frames_looked_at(request: RemovalRequest, plate: ImageSequence) -> list[int]:
    on_disk = plate.on_disk()
    if request.shot_range is not None:
        return [frame for frame in on_disk if frame in request.shot_range]
    if request.frames is not None and request.context:
        around = request.frames.grown(request.context)
        return [frame for frame in on_disk if frame in around]
    return on_disk


def send(
    client: VoidClient,
    files: Sequence[InputFile],
    digests: Digests,
    tell: Callable[[int, int], None],
    stopped: Callable[[], bool],
) -> list[Uploaded]:
    """Bring to the server what it does not have; `tell` learns how many of the files are there, out of how many."""
    uploaded: list[Uploaded] = []
    progress = _Progress(len(files), tell)
    asked: set[Digest] = set()
    sending: set[Future[None]] = set()

    def digest(file: InputFile) -> Digest:
        if stopped():
            raise Cancelled
        return digests.of(file.path)

    def upload(path: str, wanted: Digest) -> None:
        if stopped():
            raise Cancelled
        client.upload(path, wanted)
        progress.add(1)

    with _pool(min(STREAMS, os.cpu_count() or 1)) as hashers, _pool(STREAMS) as senders:
        for start in range(0, len(files), BATCH):
            batch = files[start : start + BATCH]
            found = list(hashers.map(digest, batch))
            uploaded += [Uploaded(file.input, file.frame, item) for file, item in zip(batch, found, strict=True)]
            fresh = {item: file.path for file, item in zip(batch, found, strict=True) if item not in asked}
            asked.update(fresh)
            missing = client.find_missing(list(fresh)) if fresh else []
            progress.add(len(batch) - len(missing))
            sending |= {senders.submit(upload, fresh[item], item) for item in missing}
            sending = _settle(sending, BATCH)
        _settle(sending, 0)
    return uploaded


def _settle(futures: set[Future[None]], most: int) -> set[Future[None]]:
    """Wait until at most so many are left; raises what one of them raised."""
    while len(futures) > most:
        done, futures = wait(futures, return_when=FIRST_COMPLETED)
        for future in done:
            future.result()
    return futures


@contextmanager
def _pool(count: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that begin nothing new once the block is left."""
    pool = ThreadPoolExecutor(count)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


class _Progress:
    """Counts files and tells now and then."""

    def __init__(self, total: int, tell: Callable[[int, int], None]) -> None:
        self._total, self._tell = total, tell
        self._lock = threading.Lock()
        self._done = 0
        self._told_at = time.monotonic()
        tell(0, total)

    def add(self, count: int) -> None:
        with self._lock:
            self._done += count
            now = time.monotonic()
            if count and (self._done == self._total or now - self._told_at >= TELL_SECONDS):
                self._told_at = now
                self._tell(self._done, self._total)


# -- down ---------------------------------------------------------------------------------------------------------


class Downloads:
    """Fetches results side by side while the job goes on; a context manager, which drops what has not begun."""

    def __init__(self, client: VoidClient) -> None:
        self._client = client
        self._pool = ThreadPoolExecutor(STREAMS)
        self._futures: set[Future[None]] = set()

    def __enter__(self) -> "Downloads":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def fetch(self, sha256: str, path: Path, then: Callable[[], None]) -> None:
        """Begin to fetch a file, then call `then` from another thread. Raises what an earlier fetch raised."""
        for future in [future for future in self._futures if future.done()]:
            future.result()
            self._futures.remove(future)
        self._futures.add(self._pool.submit(self._fetch, sha256, path, then))

    def wait(self) -> None:
        """Wait for everything that was begun; raises what one of them raised."""
        self._futures = _settle(self._futures, 0)

    def _fetch(self, sha256: str, path: Path, then: Callable[[], None]) -> None:
        # Left alone where it is the same, so that a host that shows it does not load it again.
        if not path.is_file() or Digest.of_file(str(path)).sha256 != sha256:
            self._client.download(sha256, path)
        then()
