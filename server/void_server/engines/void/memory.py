"""Which of VOID's networks lie in the memory of the device at the same time, and what happens when that runs out.

    full     all of them, so that the next job begins at once
    swap     the VAE and one transformer; the text encoder leaves as soon as the prompt is encoded
    offload  only the one in use
    fp8      as swap, with the transformer's weights in float8: not the same pixels, never chosen by itself

A network that has left is read from disk again, mostly from the system's file cache: copies in host memory would only
double that. The first three give the same bytes.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from typing import TypeVar

import torch
from torch import nn

from void_plugin.errors import JobError
from void_server.engines import Warn

T = TypeVar("T")
Load = Callable[[torch.device], nn.Module]

TEXT, VAE = "text", "vae"
STEPS_DOWN: Mapping[str, str] = {"full": "swap", "swap": "offload", "fp8": "offload"}
"""The mode to go on with when one runs out of memory."""
DECODE_BYTES, DENOISE_BYTES, CONTEXT_BYTES = 11_700_000_000, 2_400_000_000, 1_500_000_000
"""Working memory at 384x672: the VAE's decoder, the transformer with guidance, CUDA itself (performance.md 1.7)."""
COUNTED_AREA = 384 * 672
FP8_SHARE = 0.58
"""Size of a transformer whose blocks are in float8, of that in bfloat16 (performance.md 1.7)."""


def transformer(pass_number: int) -> str:
    """Name of the network of a pass."""
    return f"pass{pass_number}"


class Memory:
    """Puts networks on a device as a mode allows, one call at a time."""

    def __init__(self, mode: str, device: torch.device, loads: Mapping[str, Load]) -> None:
        self.mode, self.device = mode, device
        self._loads = loads
        self._here: dict[str, nn.Module] = {}

    def run(self, name: str, work: Callable[[nn.Module], T], warn: Warn) -> T:
        """Call `work` with a network on the device, and again in a leaner mode where memory ran out.

        Raises JobError where there is no leaner mode.
        """
        while True:
            try:
                # Searching the fastest kernel by timing would make the choice, and so the bytes, a matter of luck.
                # What is not said here is off: without `enabled` the VAE takes ten times as long.
                with torch.no_grad(), torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
                    return work(self._placed(name))
            except torch.OutOfMemoryError as error:
                shortage = str(error).partition("\n")[0]
            # Only here, out of the handler, has the failed call let go of what it held.
            self._step_down(name, shortage, warn)

    def release(self) -> None:
        """Take everything off the device."""
        self._keep(set())

    @property
    def resident(self) -> set[str]:
        """Names of the networks on the device."""
        return set(self._here)

    def _placed(self, name: str) -> nn.Module:
        if self.mode == "offload":
            self._keep({name})
        elif self.mode != "full":
            # The VAE runs beside whichever transformer is there, so that the next clip finds it.
            self._keep({name, VAE} if name != VAE else set(self._here) - {TEXT})
        if name not in self._here:
            self._here[name] = self._loads[name](self.device)
        return self._here[name]

    def _keep(self, names: set[str]) -> None:
        leaving = set(self._here) - names
        for name in leaving:
            del self._here[name]
        if leaving:
            gc.collect()
            if self.device.type == "cuda":
                torch.cuda.empty_cache()

    def _step_down(self, name: str, shortage: str, warn: Warn) -> None:
        mode = STEPS_DOWN.get(self.mode)
        if mode is None:
            self.release()
            raise JobError(
                f"VOID ran out of memory on {self.device} with only the network {name} there ({shortage}); close what "
                "else uses the device, or lower the raster with --void-raster.",
                "job.memory",
            )
        warn(
            "memory_mode",
            None,
            f"VOID ran out of memory on {self.device} in the mode {self.mode}; it goes on in the mode {mode}, which is "
            "slower and gives the same result.",
        )
        self.mode = mode
        self.release()


def needed_bytes(mode: str, sizes: Mapping[str, int], raster: tuple[int, int]) -> int:
    """About how much free memory a mode takes; `sizes` are the bytes of each network's weights."""
    scale = raster[0] * raster[1] / COUNTED_AREA
    decode, denoise = DECODE_BYTES * scale, DENOISE_BYTES * scale
    passes = [size for name, size in sizes.items() if name not in (TEXT, VAE)]
    text, vae, one = sizes[TEXT], sizes[VAE], max(passes)
    if mode == "full":
        needed = text + vae + sum(passes) + max(decode, denoise)
    elif mode == "offload":
        needed = max(text, vae + decode, one + denoise)
    else:
        needed = vae + max(text, one * (FP8_SHARE if mode == "fp8" else 1) + max(decode, denoise))
    return int(needed + CONTEXT_BYTES)


def choose_mode(asked: str, sizes: Mapping[str, int], raster: tuple[int, int], free: int) -> str:
    """The mode to run in: the one asked for, or for `auto` the first that fits into the free memory."""
    if asked != "auto":
        return asked
    return next((mode for mode in ("full", "swap") if needed_bytes(mode, sizes, raster) <= free), "offload")
