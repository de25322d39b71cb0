"""The machine: what it is, which versions and commit run on it, and how much memory programs take."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from benching import ROOT

PACKAGES = ("numpy", "OpenImageIO", "opencv-python-headless", "grpcio", "torch", "diffusers", "PySide6-Essentials")
_POLL_SECONDS = 0.1


def about(packages: Sequence[str] = PACKAGES[:4]) -> dict[str, str]:
    """What figures depend on: machine, commit, versions."""
    facts = {
        "machine": f"{_processor()}, {os.cpu_count()} cores, {_memory_gib():.0f} GiB",
        "load before": f"{os.getloadavg()[0]:.1f}",
        "system": f"{platform.system()} {platform.release()}",
        "commit": _commit(),
        "Python": platform.python_version(),
    }
    for name in packages:
        with suppress(importlib.metadata.PackageNotFoundError):
            facts[name] = importlib.metadata.version(name)
    return facts


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def _commit() -> str:
    """The commit of this checkout, with a plus where files differ from it; `unknown` outside git."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--abbrev=10", "--exclude=*", "--dirty=+"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def tree(root: int) -> Iterator[int]:
    """A process and all that descend from it."""
    yield root
    for task in Path("/proc").glob(f"{root}/task/*/children"):
        with suppress(OSError):
            for pid in task.read_text().split():
                yield from tree(int(pid))


def tree_bytes(root: int) -> int:
    """Memory of a process and its descendants, shared pages divided among those that share them."""
    total = 0
    for pid in tree(root):
        with suppress(OSError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            total += sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))
    return total


def peak(command: Sequence[str]) -> tuple[int, float]:
    """The most bytes that a program and its children take, and its seconds; ends this one where that fails."""
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as child:
        most = 0
        while child.poll() is None:
            most = max(most, tree_bytes(child.pid))
            time.sleep(_POLL_SECONDS)
    if child.returncode:
        raise SystemExit(f"{' '.join(command)} failed with {child.returncode}")
    return most, time.perf_counter() - begun
