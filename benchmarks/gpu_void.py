"""How fast is VOID on a GPU, against its floor and against Netflix's own code with the same weights?

    python benchmarks/gpu_void.py [--stages ABCDM] [--weights FOLDER] [--upstream CHECKOUT] [--json FILE]
                                  [--results FILE]
    python benchmarks/gpu_void.py --stages E          197 frames: a command of its own, to stay below 8 minutes
    python benchmarks/gpu_void.py --device cpu        everything at tiny size, to see that it runs

A: what the device can do at most. B: one call of the transformer. C: the VAE. D: 85 frames end to end. E: 197 frames.
M: memory of every mode. Without --weights, random weights of full size (32 GB) are written to --folder. Rates are
counted work over time; `x floor` is the time over that of the counted work at the matrix rate of the same run.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from benching.command import answer, build_parser, scratch
from benching.machine import PACKAGES
from benching.tables import Table
from gpu import clips, kernels
from gpu.measure import FULL, TINY, Row, Size, as_table

from void_plugin.config import Config
from void_server.engines import Kept
from void_server.engines.void.parts import open_models
from void_server.engines.void.weights import Weights

FULL_BYTES = 33 << 30
"""Room that random weights of full size need."""
NEEDS_WEIGHTS = set("BCDEM")


def measure(options: argparse.Namespace) -> Iterator[Table]:
    if options.device == "cuda" and not torch.cuda.is_available():
        print("skipped: no CUDA device")
        return
    size = FULL if options.device == "cuda" else TINY
    if options.quick and size is FULL:
        size = Size(**{**asdict(FULL), "steps": (4, 4), "warm_ups": 1, "repeats": 3})
    with scratch(options) as folder:
        rows, gemm = run(options, size, folder)
    table = as_table(rows, gemm, size.name)
    if options.device == "cuda":
        table.notes.append(f"{torch.cuda.get_device_name()}, cuDNN {torch.backends.cudnn.version()}.")
    yield table


def run(options: argparse.Namespace, size: Size, scratch: Path) -> tuple[list[Row], float]:
    """The rows of all stages asked for, and the matrix rate in TFLOP/s."""
    rows: list[Row] = []
    device = torch.device(options.device)
    dtype = torch.bfloat16 if size.name == "full" else torch.float32
    gemm = 0.0
    if "A" in options.stages:
        rows, gemm = kernels.ceilings(size, device, dtype)
    if not NEEDS_WEIGHTS & set(options.stages):
        return rows, gemm
    weights = Weights(options.weights or random_weights(size, scratch, options.device, dtype))
    machine = Config(weights=str(weights.folder), device=options.device, memory="full")
    upstream = upstream_of(options, weights, device, dtype, rows)
    if set("BC") & set(options.stages):
        memory = open_models(machine, weights, size.raster).networks.memory
        rows += kernels.forwards(size, memory, upstream, dtype) if "B" in options.stages else []
        rows += kernels.codec(size, memory, upstream) if "C" in options.stages else []
        memory.release()
    for stage in "DE":
        if stage in options.stages:
            rows += clips.whole(stage, size, machine, Kept(), upstream)
    if "M" in options.stages:
        rows += clips.modes(size, machine)
    return rows, gemm


def random_weights(size: Size, scratch: Path, device: str, dtype: torch.dtype) -> Path:
    """A weights folder of this size. Ends the program where the disk has no room."""
    from tinyvoid import build_weights, full_spec, tiny_spec

    if size.name == "full" and shutil.disk_usage(scratch).free < FULL_BYTES:
        sys.exit(f"skipped: random weights need {FULL_BYTES >> 30} GiB in {scratch.parent}; name another with --folder")
    spec = full_spec() if size.name == "full" else tiny_spec()
    return build_weights(scratch, dtype=str(dtype).rpartition(".")[2], spec=spec, device=device)


def upstream_of(
    options: argparse.Namespace, weights: Weights, device: torch.device, dtype: torch.dtype, rows: list[Row]
) -> Any:
    """Upstream's code, or None with a row that says why not."""
    if options.upstream is None:
        rows.append(Row("", "upstream", note="skipped: no checkout given with --upstream"))
        return None
    from gpu.upstream import Upstream

    try:
        return Upstream(options.upstream, weights, device, dtype)
    except ImportError as error:
        rows.append(Row("", "upstream", note=f"skipped: {error}"))
        return None


def main(arguments: Sequence[str] | None = None) -> int:
    parser = build_parser(__doc__, rounds=1)
    parser.add_argument("--stages", default="ABCDM", help="some of ABCDEM (%(default)s)")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--weights", type=Path, help="folder of real weights")
    parser.add_argument("--upstream", type=Path, help="a checkout of github.com/Netflix/void-model")
    return answer(parser, measure, arguments, PACKAGES[4:6])


if __name__ == "__main__":
    sys.exit(main())
