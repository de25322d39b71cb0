"""What does a bigger plate cost when the matte stays the same size, and how much memory does a long 4K shot need?

    python benchmarks/scaling.py [--quick] [--json FILE] [--folder DIR] [--skip-memory]

Size: the same textured pan is rendered at 1920x1080 and at 7680x4320 with a matte of the same pixels, and goes
through the whole job with one worker. Time in the image reader processes (reading and writing) is taken out; the
ratio of the rest is the answer. Both sizes alternate, the least of the runs counts.

Memory: 100 frames of 3840x2160 through `void-server task all --workers 1`; the memory of the process and its
readers is added up five times a second (proportional set size, so shared pixels count once).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from void_plugin.config import Config
from void_plugin.request import ImageInput, Output, RemovalRequest
from void_server.eventlog import EventLog
from void_server.exr import FIXED_DATE, ImageFiles, NewPart
from void_server.jobfolder import JobFolder
from void_server.runner import Job
from void_server.tiles import Box

MATTE = (420, 260)
"""Height and width of the object in pixels, whatever the plate."""
SMALL, LARGE = (1080, 1920), (4320, 7680)
MEMORY_SIZE = (2160, 3840)
LIMIT_RATIO, LIMIT_GIB = 2.5, 4.0


class TimedFiles:
    """Image files that add up the seconds spent in them."""

    def __init__(self, files: ImageFiles) -> None:
        self._files = files
        self.seconds = 0.0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._files, name)
        if name not in ("header", "read", "write"):
            return method

        def timed(*arguments: Any) -> Any:
            begun = time.perf_counter()
            try:
                return method(*arguments)
            finally:
                self.seconds += time.perf_counter() - begun

        return timed


def write_plates(folder: Path, size: tuple[int, int], count: int) -> RemovalRequest:
    """A textured world that pans by two pixels a frame, and an object that crosses 40 pixels a frame."""
    folder.mkdir(parents=True, exist_ok=True)
    height, width = size
    random = np.random.default_rng(7)
    world = np.zeros((height, width + 2 * count, 3), np.float32)
    for cell in (6, 24, 150):
        cells = random.random((height // cell + 2, world.shape[1] // cell + 2, 3), np.float32)
        world += cv2.resize(cells, (world.shape[1], height), interpolation=cv2.INTER_LINEAR) * np.float32(0.2)
    half = world.astype(np.float16)
    box = Box(0, 0, width, height)
    with ImageFiles(2) as files:
        for index in range(count):
            plate = half[:, 2 * index : 2 * index + width].copy()
            matte = np.zeros((height, width, 1), np.float16)
            y, x = height // 3, width // 4 + 40 * index % (width // 2)
            matte[y : y + MATTE[0], x : x + MATTE[1]] = 1
            plate[y : y + MATTE[0], x : x + MATTE[1]] = [0.8, 0.1, 0.05]
            for name, pixels, channels in (("plate", plate, "RGB"), ("matte", matte, "A")):
                part = NewPart(
                    channels=tuple((channel, "half") for channel in channels),
                    data=box,
                    display=box,
                    compression="none" if name == "plate" else "zip",
                    attributes=(("DateTime", "string", FIXED_DATE), ("colorInteropID", "string", "lin_ap1_scene")),
                    pixels=pixels,
                )
                files.write(str(folder / f"{name}.{1001 + index}.exr"), [part])
    return RemovalRequest(
        plate=ImageInput(str(folder / "plate.%04d.exr")),
        object_matte=ImageInput(str(folder / "matte.%04d.exr")),
        outputs=(Output("patch", str(folder / "out" / "patch.%04d.exr")),),
        engine="recover",
    )


def time_job(request: RemovalRequest) -> tuple[float, float]:
    """Seconds of one whole job with one worker, and how many of them were reading and writing."""
    with tempfile.TemporaryDirectory() as out:
        fresh = RemovalRequest(
            plate=request.plate,
            object_matte=request.object_matte,
            outputs=(Output("patch", str(Path(out) / "patch.%04d.exr")),),
            engine="recover",
        )
        folder = JobFolder(fresh.job_folder())
        log = EventLog(folder, "benchmark", None)
        with Job(fresh, folder, log, Config(), 1) as job:
            timed = TimedFiles(job.files)
            job.files = timed  # type: ignore[assignment]
            job.footage.files = timed  # type: ignore[assignment]
            begun = time.perf_counter()
            job.run()
            total = time.perf_counter() - begun
        log.close()
    return total, timed.seconds


def measure_size(folder: Path, count: int, runs: int) -> dict[str, Any]:
    """The ratio of processing time at 8K to that at HD."""
    small, large = write_plates(folder / "hd", SMALL, count), write_plates(folder / "8k", LARGE, count)
    rows: list[tuple[tuple[float, float], tuple[float, float]]] = []
    for _ in range(runs):
        rows.append((time_job(small), time_job(large)))
    hd, uhd = ([total - io for total, io in side] for side in zip(*rows, strict=True))
    ratio = min(uhd) / min(hd)
    print(f"{count} frames, matte {MATTE[1]}x{MATTE[0]}, one worker, {runs} runs each")
    print("plate       processing s/frame   reading+writing s/frame")
    for name, side in (("1920x1080", [row[0] for row in rows]), ("7680x4320", [row[1] for row in rows])):
        processing = min(total - io for total, io in side) / count
        print(f"{name:11} {processing:18.3f} {min(io for _, io in side) / count:25.3f}")
    print(f"ratio of processing: {ratio:.2f} (limit {LIMIT_RATIO})")
    return {"frames": count, "ratio": round(ratio, 3), "hd_seconds": hd, "8k_seconds": uhd}


def tree_bytes(root: int) -> int:
    """Memory of a process and its children, shared pages divided among those that share them."""
    listing = subprocess.run(["ps", "-o", "pid=", "--ppid", str(root)], capture_output=True, text=True, check=False)
    total = 0
    for pid in [root, *(int(text) for text in listing.stdout.split())]:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except (OSError, ProcessLookupError):
            continue
        total += sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))
    return total


def measure_memory(folder: Path, count: int) -> dict[str, Any]:
    """The high-water mark of a long 4K job with one worker."""
    request = write_plates(folder / "4k", MEMORY_SIZE, count)
    path = folder / "4k" / "request.json"
    path.write_text(request.to_json())
    begun = time.perf_counter()
    child = subprocess.Popen([sys.executable, "-m", "void_server", "task", "all", str(path), "--workers", "1"])
    peak = 0
    while child.poll() is None:
        peak = max(peak, tree_bytes(child.pid))
        time.sleep(0.2)
    seconds = time.perf_counter() - begun
    if child.returncode:
        raise SystemExit(f"the 4K job failed with {child.returncode}")
    print(
        f"{count} frames of {MEMORY_SIZE[1]}x{MEMORY_SIZE[0]}, one worker: {peak / 2**30:.2f} GiB at most "
        f"(limit {LIMIT_GIB}), {count / seconds:.2f} frames/s with reading and writing"
    )
    return {"frames": count, "peak_gib": round(peak / 2**30, 3), "seconds": round(seconds, 1)}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer frames and runs: shows that it works")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    parser.add_argument("--folder", type=Path, help="where plates are written; default a temporary folder")
    parser.add_argument("--skip-memory", action="store_true")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        figures: dict[str, Any] = {"size": measure_size(folder, 4 if options.quick else 8, 1 if options.quick else 3)}
        if not options.skip_memory:
            figures["memory"] = measure_memory(folder, 6 if options.quick else 100)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
