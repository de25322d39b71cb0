"""What a site says of its Slurm cluster in `[farm.slurm]`, and which nodes a task may have.

[farm.slurm]
partition = "gpu"
cpu_partition = "cpu"
gpus = [
    {name = "vram24", vram_mib = 23034},
    {name = "vram141", vram_mib = 143771},
]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from void_plugin.errors import FarmError
from void_plugin.farm.bundle import Needs
from void_plugin.farm.site import Site
from void_plugin.farm.sitetable import GpuKind, read_table

SHORTEST_LIMIT = 10
"""Minutes: a task is told some minutes before its time is up, and must get something done until then."""
GRES = "gpu"
"""What Slurm calls GPUs."""


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
    """All kinds of GPU, because Slurm does not know their memory: a feature of the nodes, or a type as `gpu:l4`."""

    def partition_of(self, needs: Needs) -> str:
        """Where a task runs; empty is the cluster's default."""
        return self.partition if needs.gpus else self.cpu_partition or self.partition

    def place(self, needs: Needs, tags: Sequence[str]) -> list[str]:
        """Options of sbatch that put a task on a node with what it needs and all of these features.

        Raises FarmError where no kind of GPU has the memory.
        """
        found = ["--nodes=1", "--ntasks=1", f"--cpus-per-task={max(1, needs.cores)}"]
        if needs.memory_mib:
            found.append(f"--mem={needs.memory_mib}M")
        if partition := self.partition_of(needs):
            found.append(f"--partition={partition}")
        names = self._fitting(needs)
        features = [name for name in names if not _is_type(name)]
        wanted = list(tags)
        if features:
            wanted.insert(0, features[0] if len(features) == 1 else f"({'|'.join(features)})")
        if needs.gpus:
            # Slurm knows "this feature or that one", and nothing like it for types: there it is the smallest.
            found.append(f"--gres={GRES if features or not names else names[0]}:{needs.gpus}")
        if wanted:
            found.append(f"--constraint={'&'.join(wanted)}")
        return found

    def _fitting(self, needs: Needs) -> list[str]:
        """Names of the kinds of GPU with enough memory, smallest first; none where it does not matter."""
        if not needs.gpus or not self.gpus:
            return []
        kinds = sorted(self.gpus, key=lambda kind: kind.vram_mib)
        found = [kind.name for kind in kinds if kind.vram_mib >= needs.vram_mib]
        if not found:
            raise FarmError(
                f"A GPU with {needs.vram_mib} MiB is needed, and the largest in [farm.slurm] has {kinds[-1].vram_mib} "
                "MiB; set memory to offload in the site file, or ask for less with --vram.",
                "farm.refused",
            )
        return found


def slurm_site(site: Site) -> SlurmSite:
    """The table of a site. Raises FarmError naming what cannot be used."""
    table = read_table(site, "slurm", SlurmSite)
    if 0 < table.time_limit < SHORTEST_LIMIT:
        raise FarmError(
            f"The site file {site.path} has a time_limit of {table.time_limit} minutes in [farm.slurm], in which no "
            f"task gets anything done; give it {SHORTEST_LIMIT} or more.",
            "farm.site",
        )
    return table


def _is_type(name: str) -> bool:
    return name.startswith(f"{GRES}:")
