"""How near do mattes from key frames come to known ones, with one key frame in twelve?

    python benchmarks/keyframes.py [--quick] [--data FOLDER] [--json FILE]

Intersection over union of each frame's matte (at a half) with the known one: the mean and the worst frame. The clips
are those of the data folder beside the checkout, the others the demo's scenes. A key is a box with a margin of 6 %; on
the glass, whose foot shows the table, there is a zigzag over it as well.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "server"), str(ROOT / "tests")]

from keyedscenes import KeyedScene, clip, synthetic  # noqa: E402

LIMIT = 0.9


def scenes(data: Path, quick: bool) -> Iterator[tuple[str, KeyedScene]]:
    """What there is to measure, by name, one after the other."""
    for name, lines in (("lime", True), ("moving_ball", False)):
        if (data / "clips" / name).is_dir():
            yield name, clip(data / "clips" / name, lines)
    for camera in ("pan",) if quick else ("pan", "handheld", "static", "dolly", "parallax"):
        yield camera, synthetic(camera, 25 if quick else 37)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one synthetic scene only")
    parser.add_argument("--data", metavar="FOLDER", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--json", metavar="FILE", help="write the figures there")
    options = parser.parse_args()
    facts = {}
    for name, scene in scenes(options.data, options.quick):
        begun = time.perf_counter()
        found = scene.likeness()
        seconds = (time.perf_counter() - begun) / len(found)
        facts[name] = {"mean": statistics.mean(found), "worst": min(found), "frames": len(found), "seconds": seconds}
        print(
            f"{name:12} {len(found):3} frames  IoU {facts[name]['mean']:.3f}, worst {min(found):.3f} (frame "
            f"{found.index(min(found))})  {seconds:.2f} s a frame",
            flush=True,
        )
    if options.json:
        Path(options.json).write_text(json.dumps(facts, indent=2) + "\n")
    sys.exit(any(fact["mean"] < LIMIT for fact in facts.values()))


if __name__ == "__main__":
    main()
