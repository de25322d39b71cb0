"""How quickly does the viewer show a frame, how much memory does browsing take, and does the window stay alive?

    python benchmarks/viewer.py [--quick] [--rounds 40] [--json FILE] [--results FILE]

Scrubbing: the time from asking for a random frame of 1080p to having its picture, in a window of 1920x1080, beside
OpenImageIO reading the same file alone. Browsing: 200 frames of 4K shown one after the other and then played; the
largest resident memory of window and decoder together (their own pages and what they share, each once), and how long
the thread of the window was away at worst. Pictures have grain, since flat ones would read too quickly.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
from benching.command import answer, build_parser, scratch
from benching.figures import Figure
from benching.machine import PACKAGES
from benching.tables import Table, Verdict
from films import film, ramp
from PySide6.QtCore import QEventLoop
from PySide6.QtWidgets import QApplication
from watchdog import Watchdog

from void_plugin.frames import FrameRange
from void_plugin.ui.decoderclient import DecoderClient
from void_plugin.ui.shotpictures import ShotPictures, Source
from void_plugin.ui.viewer import Viewer

SCRUB_LIMIT, BROWSE_LIMIT, GAP_LIMIT = 0.100, 3 << 30, 0.050
"""Seconds, bytes, seconds."""
DISTINCT = 6


def grained(height: int, width: int) -> Any:
    """A picture as a plate compresses."""
    noise = np.random.default_rng(1).normal(0, 0.01, (height, width, 3))
    return (ramp(height, width).astype(np.float32) + noise).astype(np.float16)


def shot_of(folder: Path, height: int, width: int, count: int) -> ShotPictures:
    """A shot of `count` frames, a few files under many names."""
    picture = grained(height, width)
    pattern = film(
        folder, "plate", range(1, DISTINCT + 1), lambda frame: np.roll(picture, frame * 7, 1), compression="zip"
    )
    for frame in range(DISTINCT + 1, count + 1):
        os.link(pattern % (1 + (frame - 1) % DISTINCT), pattern % frame)
    return ShotPictures(FrameRange(1, count), {"plate": Source(pattern)})


def until(application: QApplication, done: Any) -> None:
    """Run the event loop until something holds."""
    while not done():
        application.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents, 5)


def resident(pids: list[int]) -> int:
    """Bytes in memory of some processes, what they share counted once for all."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) << 10
    return total


def scrub(
    application: QApplication, viewer: Viewer, shot: ShotPictures, rounds: int
) -> tuple[list[float], list[float]]:
    """Seconds to a picture, and to the file read alone, for random frames."""
    viewer.set_shot(shot)
    until(application, viewer.is_settled)
    shown, alone = [], []
    order = random.Random(1).sample(list(shot.frames), rounds)
    for frame in order:
        begun = time.perf_counter()
        viewer.set_frame(frame)
        until(application, viewer.is_settled)
        shown.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        buffer = oiio.ImageBuf(shot.sources["plate"].pattern % frame)
        buffer.read(0, 0, True, oiio.HALF)
        alone.append(time.perf_counter() - begun)
    return shown, alone


def browse(application: QApplication, viewer: Viewer, decoder: DecoderClient, shot: ShotPictures) -> dict[str, float]:
    """Show every frame, then play; memory at its highest, and the window's longest absence."""
    viewer.set_shot(shot)
    watchdog = Watchdog()
    until(application, viewer.is_settled)
    watchdog.start()
    assert decoder.process_id is not None
    most, begun = 0, time.perf_counter()
    for frame in shot.frames:
        viewer.set_frame(frame)
        until(application, viewer.is_settled)
        most = max(most, resident([os.getpid(), decoder.process_id]))
    seconds = time.perf_counter() - begun
    seen: list[int] = []
    viewer.frame_changed.connect(seen.append)
    viewer.playback.forward()
    until(application, lambda: len(seen) >= 48)
    rate = viewer.playback.measured
    most = max(most, resident([os.getpid(), decoder.process_id]))
    viewer.playback.stop()
    watchdog.stop()
    return {
        "frames": len(shot.frames), "bytes": most, "seconds_a_frame": seconds / len(shot.frames), "fps_played": rate,
        "worst_gap": watchdog.worst_gap, "worst_busy": watchdog.worst_busy,
    }  # fmt: skip


def measure(options: argparse.Namespace) -> Iterator[Table]:
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    application = QApplication([])
    with scratch(options) as folder:
        small = shot_of(folder / "1080p", 1080, 1920, 48)
        large = shot_of(folder / "4k", 2160, 3840, 40 if options.quick else 200)
        decoder = DecoderClient()
        viewer = Viewer(decoder)
        viewer.resize(1920, 1080)
        viewer.show()
        pictures, files = scrub(application, viewer, small, min(options.rounds, len(small.frames)))
        browsed = browse(application, viewer, decoder, large)
        decoder.close()
    shown, alone = (Figure(tuple(1000 * value for value in found)) for found in (pictures, files))
    table = Table("viewer.scrub", "Scrubbing 1080p in the viewer", ("what", "ms", "over reading the file"))
    table.add("OpenImageIO reads the file", alone, 1.0)
    table.add("to the picture", shown, shown.over(alone))
    table.verdicts.append(Verdict("to a picture, ms", shown, 1000 * SCRUB_LIMIT))
    table.notes.append(f"{len(pictures)} random frames.")
    yield table
    held = Table("viewer.browse", f"Browsing {browsed['frames']} frames of 4K", ("what", "figure", "of its limit"))
    for name, value, limit in (
        ("memory at most, GiB", browsed["bytes"] / 2**30, BROWSE_LIMIT / 2**30),
        ("the window busy at most, ms", 1000 * browsed["worst_busy"], 1000 * GAP_LIMIT),
    ):
        held.add(name, value, value / limit)
        held.verdicts.append(Verdict(name, Figure((value,)), limit))
    held.add("frames a second when played, of 24", browsed["fps_played"], browsed["fps_played"] / 24)
    yield held


def main(arguments: Sequence[str] | None = None) -> int:
    return answer(build_parser(__doc__, rounds=40), measure, arguments, PACKAGES[:2] + PACKAGES[6:])


if __name__ == "__main__":
    sys.exit(main())
