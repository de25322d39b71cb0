"""What a server has to compute on, and what the rest of it learns of that."""

from __future__ import annotations

import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from void_plugin.errors import ServerError
from void_server.jobrows import JobRow

LOADING, IDLE, BUSY, DOWN = "LOADING", "IDLE", "BUSY", "DOWN"
"""Where a worker stands: it starts, waits for a job, works on one, or has ended and is started again soon."""

GPU_FOLDER = Path("/proc/driver/nvidia/gpus")
"""Where the NVIDIA driver lists what it drives."""
_SMI_SECONDS = 30.0


@dataclass(frozen=True)
class EngineFacts:
    """An engine as this server can offer it."""

    name: str
    available: bool
    reason: str
    """Why it cannot run, as a sentence; empty where it can."""
    devices: tuple[str, ...]
    """Devices of this server that can run it."""
    kinds: tuple[str, ...]
    """Kinds of device that it is made for, such as `cpu` and `cuda`."""
    raster: tuple[int, int] | None
    """(height, width) it works at; None means that of the plate."""
    longest_clip: int
    needs_prompt: bool
    digest: str
    memory: str = ""
    """How it uses the memory of its device, such as `swap`."""


@dataclass(frozen=True)
class DeviceStatus:
    """A device and its worker process."""

    name: str
    state: str = LOADING
    job_id: str = ""
    restarts: int = 0
    engines: tuple[str, ...] = ()
    """Names of the engines that its worker can run."""
    pid: int = 0
    """The worker's process; 0 where there is none."""


class Observer(ABC):
    """Is told what the devices do, from their threads, one call at a time a device."""

    @abstractmethod
    def devices_changed(self, statuses: Sequence[DeviceStatus]) -> None:
        """A worker stands elsewhere than before."""

    @abstractmethod
    def job_ended(self, row: JobRow, outcome: str, seconds: float, frames: int) -> None:
        """A device ended a job, with the seconds of work of all attempts and the frames told in the last one."""

    @abstractmethod
    def step(self, engine: str, seconds: float) -> None:
        """An engine did one step of its work."""

    @abstractmethod
    def worker_restarted(self, device: str) -> None:
        """A worker had to be started again."""


@dataclass(frozen=True)
class Place:
    """A device to run a worker on."""

    name: str
    environment: Mapping[str, str]
    """Variables of its worker, beside those of the server."""


def places(names: Sequence[str], environment: Mapping[str, str], gpus: Path = GPU_FOLDER) -> list[Place]:
    """The devices behind the names of a configuration: `auto`, `cpu`, `cuda` (all of them) or `cuda:N`.

    Each `cpu` is one more worker. Raises ServerError for another name and for a GPU that is not there.
    """
    visible = cuda_devices(environment, gpus) if any(name != "cpu" for name in names) else []
    wanted: list[str] = []
    for name in names:
        if name in ("auto", "cuda"):
            wanted += [f"cuda:{index}" for index in range(len(visible))]
        if name in ("auto", "cpu"):
            wanted.append("cpu")
        elif name.startswith("cuda:") and name[5:].isdecimal() and int(name[5:]) < len(visible):
            wanted.append(name)
        elif name not in ("auto", "cuda"):
            have = ", ".join(["cpu", *(f"cuda:{index}" for index in range(len(visible)))])
            raise ServerError(f"There is no device {name!r} here; choose of auto, {have}.", "server.start")
    if not wanted:
        raise ServerError("No CUDA device is here; check nvidia-smi, or add the device cpu.", "server.start")
    found: list[Place] = []
    for name in wanted:
        if name == "cpu":
            before = sum(place.name.startswith("cpu") for place in found)
            # A CPU worker that saw the GPUs would take memory there.
            found.append(Place(f"cpu:{before}" if before else "cpu", {"CUDA_VISIBLE_DEVICES": ""}))
        elif name not in [place.name for place in found]:
            # By bus, or CUDA numbers the fastest first, unlike every other tool.
            shown = {"CUDA_VISIBLE_DEVICES": visible[int(name[5:])], "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
            found.append(Place(name, shown))
    return found


def cuda_devices(environment: Mapping[str, str], gpus: Path = GPU_FOLDER) -> list[str]:
    """What CUDA may use, each as CUDA_VISIBLE_DEVICES names it; found without loading CUDA."""
    if not gpus.is_dir():
        return []
    if "CUDA_VISIBLE_DEVICES" in environment:
        return [name.strip() for name in environment["CUDA_VISIBLE_DEVICES"].split(",") if name.strip()]
    program = shutil.which("nvidia-smi", path=environment.get("PATH"))
    if program is None:
        return [str(index) for index in range(len(list(gpus.iterdir())))]
    try:
        listed = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=_SMI_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServerError(
            f"{program} does not list the GPUs ({error}); repair the driver or start with --devices cpu.",
            "server.start",
        ) from error
    # A container can see fewer than the driver has.
    return [str(index) for index in range(sum(line.startswith("GPU ") for line in listed.stdout.splitlines()))]


def engine_facts(told: Mapping[str, Any], device: str) -> EngineFacts:
    """An engine as the worker of a device describes it."""
    return EngineFacts(
        name=told["name"],
        available=told["available"],
        reason=told["reason"],
        devices=(device,) if told["available"] else (),
        kinds=tuple(kind.partition(":")[0] for kind in told["devices"]),
        raster=None if told["raster"] is None else (told["raster"][0], told["raster"][1]),
        longest_clip=told["longest_clip"],
        needs_prompt=told["needs_prompt"],
        digest=told["digest"],
        memory=told["memory"],
    )


def merged(facts: Sequence[EngineFacts]) -> list[EngineFacts]:
    """One entry an engine: available where any device can run it, its memory told by device where they differ."""
    found: dict[str, list[EngineFacts]] = {}
    for item in facts:
        found.setdefault(item.name, []).append(item)
    entries: list[EngineFacts] = []
    for items in found.values():
        able = [item for item in items if item.available]
        shown = (able or items)[0]
        if len({item.memory for item in able}) > 1:
            by_device = ", ".join(f"{item.memory} on {item.devices[0]}" for item in able if item.memory)
            shown = replace(shown, memory=by_device)
        entries.append(replace(shown, devices=tuple(device for item in able for device in item.devices)))
    return entries
