"""How much memory does a job take at most, and does a longer shot take more?

    python benchmarks/memory.py [--quick] [--frames 100] [--json FILE] [--results FILE]

`void-server task all --workers 1` on 100 and on 400 frames of 3840x2160: `recover` to patches, and `identity-raster`,
whose fills come from VOID's raster, to whole frames. The memory of the process and of its readers is added up ten
times a second (proportional set size, so that shared pixels count once). Limits: 4 GiB, and 400 frames take at most
1.2 times what 100 take.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator, Sequence

from benching import programs
from benching.command import answer, build_parser, scratch
from benching.figures import Figure
from benching.machine import peak
from benching.pans import MATTE, write_pan
from benching.tables import Table, Verdict

LIMIT, LIMIT_GIB = 1.2, 4.0
JOBS = (("recover", "patch"), ("identity-raster", "comp"))


def measure(options: argparse.Namespace) -> Iterator[Table]:
    few = 6 if options.quick else options.frames
    size, matte = ((540, 960), (105, 65)) if options.quick else ((2160, 3840), MATTE)
    columns = ("job", f"{few} frames, GiB", f"{4 * few} frames, GiB", "ratio")
    table = Table("memory", f"Memory at most, {size[1]}x{size[0]}, one worker", columns)
    with scratch(options) as folder:
        shots = {count: write_pan(folder / str(count), size, count, matte) for count in (few, 4 * few)}
        for engine, kind in JOBS:
            most = {}
            for count, pan in shots.items():
                out = folder / "out"
                saved = folder / "request.json"
                saved.write_text(pan.request(out, engine, kind).to_json())
                command = programs.void_server("task", "all", str(saved), "--workers", "1")
                most[count] = peak(command)[0] / 2**30
                shutil.rmtree(out)
            ratio = most[4 * few] / most[few]
            table.add(f"{engine}, {kind}", most[few], most[4 * few], ratio)
            table.verdicts.append(Verdict(f"{engine}, {4 * few} frames over {few}", Figure((ratio,)), LIMIT))
            if engine == "recover":
                table.verdicts.append(Verdict("recover, GiB", Figure((most[4 * few],)), LIMIT_GIB))
    yield table


def main(arguments: Sequence[str] | None = None) -> int:
    parser = build_parser(__doc__, rounds=1)
    parser.add_argument("--frames", type=int, default=100)
    return answer(parser, measure, arguments)


if __name__ == "__main__":
    sys.exit(main())
