"""How quickly does the viewer show a frame, how much memory does browsing take, and does the window stay alive?

    python benchmarks/viewer.py [--quick] [--json FILE]

Scrubbing: the time from asking for a random frame of 1080p to having its picture, in a window of 1920x1080, beside
OpenImageIO reading the same file alone. Browsing: 200 frames of 4K shown one after the other and then played; the
largest resident memory of window and decoder together (their own pages and what they share, each once), and how long
the thread of the window was away at worst. Pictures have grain, since flat ones would read too quickly.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np  # noqa: E402
import OpenImageIO as oiio  # noqa: E402
from films import film, ramp  # noqa: E402
from PySide6.QtCore import QEventLoop  # noqa: E402
from PySide6.QtWidgets import QApplication  # noqa: E402
from watchdog import Watchdog  # noqa: E402

from void_plugin.frames import FrameRange  # noqa: E402
from void_plugin.ui.decoderclient import DecoderClient  # noqa: E402
from void_plugin.ui.shotpictures import ShotPictures, Source  # noqa: E402
from void_plugin.ui.viewer import Viewer  # noqa: E402

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


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer frames")
    parser.add_argument("--json", metavar="FILE", help="write the figures there")
    options = parser.parse_args()
    application = QApplication([])
    with tempfile.TemporaryDirectory() as folder:
        small = shot_of(Path(folder) / "1080p", 1080, 1920, 48)
        large = shot_of(Path(folder) / "4k", 2160, 3840, 40 if options.quick else 200)
        decoder = DecoderClient()
        viewer = Viewer(decoder)
        viewer.resize(1920, 1080)
        viewer.show()
        shown, alone = scrub(application, viewer, small, 16 if options.quick else 40)
        browsed = browse(application, viewer, decoder, large)
        decoder.close()
    median, worst, beside = (1e3 * value for value in (statistics.median(shown), max(shown), statistics.median(alone)))
    print(f"scrubbing 1080p: {median:.0f} ms to a picture (worst {worst:.0f}, limit {1e3 * SCRUB_LIMIT:.0f}),")
    print(f"  reading the file alone {beside:.0f} ms, ratio {median / beside:.2f}")
    print(f"browsing {browsed['frames']} frames of 4K: {browsed['bytes'] / 2**30:.2f} GiB at most (limit 3),")
    first = 1e3 * browsed["seconds_a_frame"]
    print(f"  {first:.0f} ms a frame the first time, then played at {browsed['fps_played']:.1f} fps")
    gap, busy = 1e3 * browsed["worst_gap"], 1e3 * browsed["worst_busy"]
    print(f"the window was away for at most {gap:.0f} ms, busy {busy:.0f} ms (limit {1e3 * GAP_LIMIT:.0f})")
    if options.json:
        facts = {"scrub": shown, "alone": alone, "browse": browsed}
        Path(options.json).write_text(json.dumps(facts, indent=2) + "\n")
    kept = median <= 1e3 * SCRUB_LIMIT and browsed["bytes"] <= BROWSE_LIMIT and browsed["worst_busy"] <= GAP_LIMIT
    sys.exit(not kept)


if __name__ == "__main__":
    main()
