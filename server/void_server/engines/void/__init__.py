"""`void` is Netflix's VOID: a video diffusion model that takes an object out together with what it did to the scene.

Nothing here imports torch before it has to: a machine is asked what it can do far more often than it does it.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from void_server.engines import Engine, EngineLimits, Fill, Frames, IsCancelled, Progress, Readiness, Shelf, Unit
from void_server.engines.void.options import LEAST_ENLARGEMENT, Options
from void_server.engines.void.prompt import advice
from void_server.engines.void.share import Share
from void_server.engines.void.weights import Weights, default_folder
from void_server.pixelmath import NumpyMath, PixelMath

if TYPE_CHECKING:
    from void_server.engines.void.flow import Flow
    from void_server.engines.void.parts import Models

VERSION = "2"
"""Raised whenever equal weights and requests give other pixels."""
PACKAGES = ("torch", "diffusers", "transformers", "sentencepiece", "safetensors")
NVIDIA = Path("/proc/driver/nvidia/gpus")
"""Where Linux lists NVIDIA's GPUs once their driver is loaded."""


class VoidEngine(Engine):
    """Generates what is behind the object, and the world as it would be without it."""

    name = "void"

    def limits(self) -> EngineLimits:
        """Works at a raster of its own; each unit shares frames with the one it continues."""
        return EngineLimits(
            raster=self._options.raster,
            lengths=self._options.shot_lengths,
            overlap=self._options.shot_overlap,
            stride=self._options.stride,
            generates=True,
            encoding="encoded",
            snaps_grid=True,
            devices=(self.setup.machine.device,),
        )

    def readiness(self) -> Readiness:
        """Whether packages, GPU and weights are here, the quickest question first, and how memory is used then."""
        machine = self.setup.machine
        missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
        if missing:
            return Readiness(f"VOID needs {', '.join(missing)}; install void_plugin[server,void].")
        if machine.device == "cuda" and not _has_gpu(os.environ):
            return Readiness("VOID needs an NVIDIA GPU, and there is none here.")
        problem = self._weights.problem(len(self._options.passes))
        if problem is not None:
            return Readiness(problem)
        from void_server.engines.void.parts import device_problem, memory_mode

        problem = device_problem(machine)
        if problem is not None:
            return Readiness(problem)
        return Readiness(memory=memory_mode(machine, self._weights, self._options.raster))

    def digest(self) -> str:
        """Names the weights by their content, and whatever else makes other pixels of the same request."""
        machine = self.setup.machine
        parts = [VERSION, self._weights.digest(len(self._options.passes))]
        parts += ["fp8"] if machine.memory == "fp8" else []
        parts += ["compiled"] if machine.compile else []
        return "+".join(parts)

    def maths(self) -> PixelMath:
        """On the GPU that the model runs on, where it is there."""
        if self.setup.machine.device != "cuda" or self.readiness().problem is not None:
            return NumpyMath()
        from void_server.engines.void.torchmath import TorchMath

        return TorchMath(self.setup.machine.device)

    def advice(self) -> Iterator[tuple[str, str]]:
        """What upstream advises about prompts, and what is not known of fp8."""
        yield from advice(self.setup.prompt)
        if self.setup.machine.memory == "fp8":
            yield (
                "fp8_unvalidated",
                "The memory mode fp8 rounds VOID's weights to 8 bits; nobody has compared it with the released weights "
                "in full precision yet. Look at the result closely.",
            )

    def solve(
        self, unit: Unit, frames: Frames, progress: Progress, cancelled: IsCancelled, shelf: Shelf
    ) -> Iterator[Fill]:
        from void_server.engines.void.solver import Solver

        options = self._options_for(frames)
        solver = Solver(
            unit=unit,
            frames=frames,
            options=options,
            prompt=self.setup.prompt,
            models=self._models(),
            flow=self._flow,
            workers=self.setup.workers,
            shelf=shelf,
            share=Share((*options.passes, *options.detail), progress, len(options.tiles)),
            cancelled=cancelled,
            warn=self.setup.warn,
        )
        yield from solver.fills()

    def _options_for(self, frames: Frames) -> Options:
        """The options, without a detail stage where the plate has no more detail to match."""
        options = self._options
        if not options.detail or frames.enlargement > LEAST_ENLARGEMENT:
            return options
        self.setup.warn(
            "detail_skipped",
            None,
            f"The detail stage is left out: around the object the plate has {frames.enlargement:.2f} pixels to one of "
            f"VOID's, and it pays above {LEAST_ENLARGEMENT:g} only.",
        )
        return replace(options, detail=())

    def _models(self) -> Models:
        """The loaded weights, kept between the jobs of this process."""
        from void_server.engines.void.parts import open_models

        return self.setup.kept.get("void", lambda: open_models(self.setup.machine, self._weights, self._options.raster))

    def _flow(self) -> Flow:
        from void_server.engines.void.flow import DisFlow, RaftFlow

        if self._options.flow == "raft":
            return RaftFlow(self._weights.raft, self.setup.machine.device)
        return DisFlow()

    @cached_property
    def _options(self) -> Options:
        return Options.of(self.setup.settings, self.setup.prompt)

    @property
    def _weights(self) -> Weights:
        folder = self.setup.machine.weights
        return Weights(Path(folder) if folder else default_folder(os.environ))


def _has_gpu(environment: Mapping[str, str]) -> bool:
    if environment.get("CUDA_VISIBLE_DEVICES", "all") in ("", "-1"):
        return False
    return NVIDIA.is_dir() and any(NVIDIA.iterdir())
