"""The GPUs that a process on a farm may use: how much memory they have, and who uses them.

What is found is what `nvidia-smi` says, cut down to what the farm gave us in $CUDA_VISIBLE_DEVICES. CUDA itself, which
takes seconds to load, is not asked.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from void_plugin.errors import JobError, ServerError

LOCKS = "/tmp"
"""Where locks of GPUs lie: one place for all users and sessions of a machine, whatever $TMPDIR each of them has."""
_SMI_SECONDS = 30.0
_QUERY = ("--query-gpu=uuid,name,memory.total", "--format=csv,noheader,nounits")


@dataclass(frozen=True)
class Gpu:
    """A GPU, or a part of one."""

    uuid: str
    """As CUDA_VISIBLE_DEVICES takes it."""
    name: str
    total_mib: int
    """Its memory; 0 where that is not told, as of a part of a GPU."""


def farm_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment with the GPUs that a farm gave named as CUDA understands it."""
    given = dict(environment)
    if "CUE_GPU_CORES" in given and "CUDA_VISIBLE_DEVICES" not in given:  # OpenCue's own word for them
        given["CUDA_VISIBLE_DEVICES"] = given["CUE_GPU_CORES"]
    return given


def visible_gpus(environment: Mapping[str, str]) -> list[Gpu]:
    """The GPUs that CUDA would show here, in its order. Raises ServerError where the driver does not answer."""
    there = _all_gpus(environment)
    if "CUDA_VISIBLE_DEVICES" not in environment:
        return there
    found: list[Gpu] = []
    for word in environment["CUDA_VISIBLE_DEVICES"].split(","):
        name = word.strip()
        if name.startswith("MIG-"):
            found.append(Gpu(name, "a part of a GPU", 0))
            continue
        if name.isdecimal():
            named = there[int(name) : int(name) + 1]
        else:
            named = [gpu for gpu in there if name and gpu.uuid.startswith(name)]
        if not named:
            break  # as CUDA does: nothing behind a name that is none
        found.append(named[0])
    return found


def large_enough(gpus: Sequence[Gpu], asked_mib: int) -> list[Gpu]:
    """The GPUs with at least so much memory. Raises JobError where there is none."""
    if not gpus:
        raise JobError(
            f"The task asks for a GPU with {asked_mib} MiB, and this worker shows it none; check the request for GPUs "
            "in the site file, $CUDA_VISIBLE_DEVICES and nvidia-smi.",
            "job.engine_unavailable",
        )
    fit = [gpu for gpu in gpus if gpu.total_mib == 0 or gpu.total_mib >= asked_mib]
    if not fit:
        found = ", ".join(f"{gpu.name} with {gpu.total_mib} MiB" for gpu in gpus)
        raise JobError(
            f"The task asks for a GPU with {asked_mib} MiB and found {found}; send it to a larger GPU, or submit it "
            "with less memory: --memory swap, offload or fp8, or --vram.",
            "job.memory",
        )
    return fit


class GpuLock:
    """Keeps a GPU for one daemon of this machine; whatever ends the process, lets go of it."""

    def __init__(self, gpu: Gpu, folder: str = LOCKS) -> None:
        self.path = os.path.join(folder, f"void-gpu-{gpu.uuid.replace('/', '_')}.lock")
        self._descriptor = -1

    def take(self) -> bool:
        """True where it is ours now; returns at once. Raises ServerError where no lock can be made."""
        while True:
            try:
                descriptor = self._opened()
            except OSError as error:
                raise ServerError(
                    f"{self.path} cannot be made ({error.strerror or error}); see to its rights.", "server.start"
                ) from error
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # The one before may have removed the file after it was opened here.
                if os.path.samestat(os.fstat(descriptor), os.stat(self.path)):
                    self._descriptor = descriptor
                    return True
            except BlockingIOError:
                os.close(descriptor)
                return False
            except FileNotFoundError:
                pass
            os.close(descriptor)

    def release(self) -> None:
        """Give it back and leave nothing."""
        if self._descriptor < 0:
            return
        with contextlib.suppress(OSError):  # another user's file, in a folder where only its owner may remove it
            os.unlink(self.path)
        os.close(self._descriptor)
        self._descriptor = -1

    def _opened(self) -> int:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        with contextlib.suppress(FileExistsError):
            os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644))
        return os.open(self.path, flags)


def _all_gpus(environment: Mapping[str, str]) -> list[Gpu]:
    program = shutil.which("nvidia-smi", path=environment.get("PATH"))
    if program is None:
        return []
    try:
        asked = subprocess.run(
            [program, *_QUERY],
            env=dict(environment),
            capture_output=True,
            text=True,
            timeout=_SMI_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServerError(f"{program} does not list the GPUs ({error}); repair the driver.", "server.start") from error
    rows = [[word.strip() for word in line.split(",")] for line in asked.stdout.splitlines()]
    # Without a driver or a GPU it says so in words.
    return [Gpu(row[0], row[1], int(row[2])) for row in rows if len(row) == 3 and row[2].isdecimal()]
