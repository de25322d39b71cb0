"""How fast is VOID on a GPU, against its floor and against Netflix's own code with the same weights?

    python benchmarks/gpu_void.py [--stages ADMCBP] [--steps 30,50] [--weights FOLDER] [--upstream CHECKOUT]
    python benchmarks/gpu_void.py --stages AE         197 frames: a command of its own, to stay below 8 minutes
    python benchmarks/gpu_void.py --device cpu        everything at tiny size, to see that it runs

A: what the device can do at most. B: one call of the transformer. C: the VAE. D: 85 frames end to end. E: 197 frames.
M: memory of every mode. P: the second pass. They are run in the order given, and each has its table as soon as it is
done. Without --weights, random weights of full size (32 GB) are written to --folder. Rates are counted work over time;
`x floor` is the time over that of the counted work at the rate of a large matrix product in the same run, for
milliseconds (burst) or seconds on end (steady).
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
from gpu.measure import FULL, TINY, Rates, Row, Size, as_table

from void_plugin.config import Config
from void_server.engines.void.parts import open_models
from void_server.engines.void.weights import Weights

FULL_BYTES = 33 << 30
"""Room that random weights of full size need."""
MODES = ("offload", "swap", "full", "fp8")
TITLES = {
    "A": "what the device can do",
    "B": "one call of the transformer",
    "C": "the VAE",
    "D": "one window",
    "E": "a long clip",
    "M": "memory",
    "P": "the second pass",
}


def measure(options: argparse.Namespace) -> Iterator[Table]:
    if options.device == "cuda" and not torch.cuda.is_available():
        print("skipped: no CUDA device")
        return
    size = FULL if options.device == "cuda" else TINY
    if options.quick and size is FULL:
        size = Size(**{**asdict(FULL), "steps": (4, 4), "warm_ups": 1, "repeats": 3})
    if options.steps:
        size = Size(**{**asdict(size), "steps": options.steps})
    device = torch.device(options.device)
    dtype = torch.bfloat16 if size.name == "full" else torch.float32
    rates = Rates()
    with scratch(options) as folder:
        weights: Weights | None = None
        upstream: Any = None
        for stage in options.stages:
            if stage != "A" and weights is None:
                weights = Weights(options.weights or random_weights(size, folder, options.device, dtype))
                upstream = upstream_of(options, weights, device, dtype)
            rows = []
            for row in run(stage, options, size, weights, upstream, device, dtype, rates):
                print(f"{stage} {row}", file=sys.stderr, flush=True)
                rows.append(row)
            if stage == "A":
                rates = kernels.rates_of(rows)
            table = as_table(stage, TITLES[stage], rows, rates, size.name)
            if options.device == "cuda":
                table.notes.append(f"{torch.cuda.get_device_name()}, cuDNN {torch.backends.cudnn.version()}.")
            yield table


def run(
    stage: str,
    options: argparse.Namespace,
    size: Size,
    weights: Weights | None,
    upstream: Any,
    device: torch.device,
    dtype: torch.dtype,
    rates: Rates,
) -> Iterator[Row]:
    """The rows of a stage as they come; all but A need weights."""
    if weights is None:
        return kernels.ceilings(size, device, dtype)
    machine = Config(weights=str(weights.folder), device=device.type, memory="full")
    if stage in "DE":
        return clips.whole(size.short if stage == "D" else size.long, size, machine, upstream)
    if stage == "M":
        return clips.modes(size, machine, options.modes)
    if stage == "P":
        return clips.second(size, machine, upstream)
    memory = open_models(machine, weights, size.raster).networks.memory
    if stage == "B":
        return kernels.forwards(size, memory, upstream, dtype, rates)
    return kernels.codec(size, memory, upstream)


def random_weights(size: Size, scratch: Path, device: str, dtype: torch.dtype) -> Path:
    """A weights folder of this size. Ends the program where the disk has no room."""
    from tinyvoid import build_weights, full_spec, tiny_spec

    if size.name == "full" and shutil.disk_usage(scratch).free < FULL_BYTES:
        sys.exit(f"skipped: random weights need {FULL_BYTES >> 30} GiB in {scratch.parent}; name another with --folder")
    spec = full_spec() if size.name == "full" else tiny_spec()
    return build_weights(scratch, dtype=str(dtype).rpartition(".")[2], spec=spec, device=device)


def upstream_of(options: argparse.Namespace, weights: Weights, device: torch.device, dtype: torch.dtype) -> Any:
    """Upstream's code, or None, said why."""
    if options.upstream is None:
        print("upstream is skipped: no checkout given with --upstream", file=sys.stderr)
        return None
    from gpu.upstream import Upstream

    try:
        return Upstream(options.upstream, weights, device, dtype)
    except ImportError as error:
        print(f"upstream is skipped: {error}", file=sys.stderr)
        return None


def steps_of(text: str) -> tuple[int, int]:
    """Denoising steps of both passes, from two numbers with a comma between."""
    first, second = (int(number) for number in text.split(","))
    return first, second


def main(arguments: Sequence[str] | None = None) -> int:
    parser = build_parser(__doc__, rounds=1)
    parser.add_argument("--stages", default="ADMCBP", help="some of ABCDEMP, in the order to run (%(default)s)")
    parser.add_argument("--steps", type=steps_of, help="denoising steps of both passes (30,50)")
    parser.add_argument("--modes", nargs="+", default=MODES, choices=MODES, help="memory modes of stage M")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--weights", type=Path, help="folder of real weights")
    parser.add_argument("--upstream", type=Path, help="a checkout of github.com/Netflix/void-model")
    return answer(parser, measure, arguments, PACKAGES[4:6])


if __name__ == "__main__":
    sys.exit(main())
