"""How near do mattes from key frames come to known ones, with one key frame in twelve?

    python benchmarks/keyframes.py [--quick] [--data FOLDER] [--json FILE] [--results FILE]

Intersection over union of each frame's matte (at a half) with the known one: the mean and the worst frame. The clips
are those of the data folder beside the checkout, the others the demo's scenes. A key is a box with a margin of 6 %; on
the glass, whose foot shows the table, there is a zigzag over it as well.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from benching import ROOT
from benching.command import answer, build_parser
from benching.figures import Figure
from benching.tables import Table, Verdict
from keyedscenes import KeyedScene, clip, synthetic

LIMIT = 0.9


def scenes(data: Path, quick: bool) -> Iterator[tuple[str, KeyedScene]]:
    """What there is to measure, by name, one after the other."""
    for name, lines in (("lime", True), ("moving_ball", False)):
        if (data / "clips" / name).is_dir():
            yield name, clip(data / "clips" / name, lines)
    for camera in ("pan",) if quick else ("pan", "handheld", "static", "dolly", "parallax"):
        yield camera, synthetic(camera, 25 if quick else 37)


def measure(options: argparse.Namespace) -> Iterator[Table]:
    columns = ("clip", "frames", "mean", "worst frame", "at frame")
    table = Table("keyframes", "Mattes from one key frame in twelve: intersection over union", columns)
    for name, scene in scenes(options.data, options.quick):
        found = scene.likeness()
        mean = statistics.mean(found)
        table.add(name, len(found), mean, min(found), found.index(min(found)))
        table.verdicts.append(Verdict(f"{name}, mean", Figure((mean,)), LIMIT, least=True))
    yield table


def main(arguments: Sequence[str] | None = None) -> int:
    parser = build_parser(__doc__, rounds=1)
    parser.add_argument("--data", metavar="DIR", type=Path, default=ROOT.parent / "shared" / "data")
    return answer(parser, measure, arguments)


if __name__ == "__main__":
    sys.exit(main())
