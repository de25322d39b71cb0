"""What a site says of its Slurm cluster: `[farm.slurm]` of the site file, checked, and which GPUs a task may have.

[farm.slurm]
partition = "gpu"
cpu_partition = "cpu"
gpus = [
    {memory_mib = 23034, feature = "vram24", gres = "gpu:l4"},
    {memory_mib = 143771, feature = "vram141", gres = "gpu:h200"},
]
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Any

from void_plugin.errors import FarmError
from void_plugin.farm.bundle import Needs
from void_plugin.farm.site import Site

SHORTEST_LIMIT = 10
"""Minutes: a task is told of its end some minutes before, and must get something done until then."""
_TEXTS = ("partition", "cpu_partition", "account", "qos", "urgent_qos")
_LISTS = ("setup", "options")
_WORD = re.compile(r"[A-Za-z0-9_.:/-]+")


@dataclass(frozen=True)
class GpuKind:
    """One kind of GPU that the cluster has."""

    memory_mib: int
    feature: str = ""
    """Feature of the nodes that have it."""
    gres: str = ""
    """What it is called as a resource, such as `gpu:h200`."""


@dataclass(frozen=True)
class SlurmSite:
    """The table; everything may be left out."""

    partition: str = ""
    """Where tasks with a GPU run; empty takes the cluster's default."""
    cpu_partition: str = ""
    """Where the others run; empty takes `partition`."""
    account: str = ""
    qos: str = ""
    urgent_qos: str = ""
    """QOS of jobs with a priority above 50: Slurm lets users only lower a priority."""
    time_limit: int = 0
    """Minutes that a task may ask for at most; one that needs longer goes on after a requeue. 0 is no bound."""
    at_once: int = 0
    """Tasks of one step that run side by side at most; 0 is no bound."""
    setup: tuple[str, ...] = ()
    """Lines of bash that a worker runs first, such as `module load void`."""
    options: tuple[str, ...] = ()
    """More options of sbatch for every step."""
    gpus: tuple[GpuKind, ...] = ()
    """All kinds of GPU, so that memory can be asked for, which Slurm does not know."""

    def place(self, needs: Needs) -> list[str]:
        """Options of sbatch that put a task on a node with what it needs, save features.

        Raises FarmError where no kind of GPU has the memory.
        """
        found = ["--nodes=1", "--ntasks=1", f"--cpus-per-task={max(1, needs.cores)}"]
        if needs.memory_mib:
            found.append(f"--mem={needs.memory_mib}M")
        partition = self.partition_of(needs)
        if partition:
            found.append(f"--partition={partition}")
        if needs.gpus:
            found.append(f"--gres={self._gres(needs)}:{needs.gpus}")
        return found

    def partition_of(self, needs: Needs) -> str:
        """Where a task runs; empty is the cluster's default."""
        return self.partition if needs.gpus else self.cpu_partition or self.partition

    def constraint(self, needs: Needs, tags: tuple[str, ...]) -> str:
        """Features that a node must have, as `--constraint` takes them; empty where any will do.

        Raises FarmError where no kind of GPU has the memory.
        """
        kinds = self.fitting(needs)
        wanted = list(tags)
        if kinds and all(kind.feature for kind in kinds):
            features = list(dict.fromkeys(kind.feature for kind in kinds))
            wanted.insert(0, features[0] if len(features) == 1 else f"({'|'.join(features)})")
        return "&".join(wanted)

    def fitting(self, needs: Needs) -> list[GpuKind]:
        """Kinds of GPU with enough memory, smallest first; none where a task needs none or no kind is known.

        Raises FarmError where no kind is large enough.
        """
        if not needs.gpus or not self.gpus:
            return []
        kinds = sorted(self.gpus, key=lambda kind: kind.memory_mib)
        found = [kind for kind in kinds if kind.memory_mib >= needs.vram_mib]
        if not found:
            raise FarmError(
                f"A GPU with {needs.vram_mib} MiB is needed, and the largest in [farm.slurm] has "
                f"{kinds[-1].memory_mib} MiB; set memory to offload in the site file, or ask for less with --vram.",
                "farm.refused",
            )
        return found

    def _gres(self, needs: Needs) -> str:
        kinds = self.fitting(needs)
        names = [kind.gres for kind in kinds if kind.gres]
        if not names:
            return "gpu"
        # Slurm knows no "this resource or that one": where features do not tell the kinds apart, the smallest is taken.
        return names[0].split(":")[0] if all(kind.feature for kind in kinds) else names[0]


def slurm_site(site: Site) -> SlurmSite:
    """The table of a site. Raises FarmError naming what cannot be used."""
    known = [item.name for item in fields(SlurmSite)]
    table = site.section("slurm", known)
    return SlurmSite(**{key: _value(site.path, key, value) for key, value in table.items()})


def _value(path: str, key: str, value: Any) -> Any:
    if key in _TEXTS:
        if isinstance(value, str) and (not value or _WORD.fullmatch(value)):
            return value
    elif key in _LISTS:
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
    elif key == "gpus":
        if isinstance(value, list):
            return tuple(_kind(path, item) for item in value)
    elif type(value) is int and (value == 0 or value >= (SHORTEST_LIMIT if key == "time_limit" else 1)):
        return value
    raise FarmError(f"The site file {path} has the unusable value {value!r} for {key} in [farm.slurm].", "farm.site")


def _kind(path: str, item: Any) -> GpuKind:
    if isinstance(item, dict) and set(item) <= {"memory_mib", "feature", "gres"}:
        memory, names = item.get("memory_mib"), [item.get("feature", ""), item.get("gres", "")]
        are_names = any(names) and all(isinstance(name, str) and _WORD.fullmatch(name or "none") for name in names)
        if type(memory) is int and memory > 0 and are_names:
            return GpuKind(memory, *names)
    raise FarmError(
        f"The site file {path} has the unusable value {item!r} for gpus in [farm.slurm]; each needs memory_mib, and a "
        "feature or a gres.",
        "farm.site",
    )
