"""A Slurm farm of three nodes on this machine: two with a GPU of different kinds, one without.

Slurm is real, with everything that depends on a cluster left out: no munge, no accounting, no cgroups, and GPUs that
are links to /dev/null. It runs as whoever runs the tests, on free ports, and dies with them.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol", "sinfo", "setpriv")
GPU_NODES = {"gpu1": ("h200", "vram141"), "gpu2": ("l4", "vram24")}
NODES = (*GPU_NODES, "cpu1")
TABLE = """
partition = "gpu"
cpu_partition = "cpu"
gpus = [
    {name = "vram24", vram_mib = 23034},
    {name = "vram141", vram_mib = 143771},
]
"""
"""What `[farm.slurm]` of a site file says of this farm."""
PATIENCE = 240.0
"""Seconds after which something that must happen is taken not to; nothing is measured against it."""

# config_overrides: the nodes have more cores and memory than the machine. cred_expire: a requeued job waits that long.
CONFIGURATION = """
ClusterName=voidfarm
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/none
CredType=cred/none
AuthInfo=cred_expire=5
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
ReturnToService=2
SlurmdTimeout=10
KillWait=60
MinJobAge=3600
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
GresTypes=gpu
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
SlurmctldPort={port}
"""


@dataclass
class SlurmFarm:
    """The farm; `environment` is that of somebody who uses it."""

    folder: Path
    _daemons: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """Jobs have a temporary folder of their own: numbers begin anew with each farm."""
        outside = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "SBATCH_"))}
        return {**outside, "PATH": search_path(), "SLURM_CONF": self._configuration, "TMPDIR": str(self.scratch)}

    @property
    def scratch(self) -> Path:
        """Where jobs have their temporary files."""
        return self.folder / "tmp"

    def boot(self) -> None:
        """Start the controller and the nodes, and wait until they are idle."""
        for name in ("state", "spool", "tmp"):
            (self.folder / name).mkdir()
        host, ports = socket.gethostname().split(".")[0], free_ports(1 + len(NODES))
        lines = [CONFIGURATION.format(host=host, user=getpass.getuser(), folder=self.folder, port=ports[0])]
        gpus = []
        for name, port in zip(NODES, ports[1:], strict=True):
            line = f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=4 RealMemory=256000"
            if name in GPU_NODES:
                kind, feature = GPU_NODES[name]
                device = self.folder / f"nvidia{len(gpus)}"
                device.symlink_to("/dev/null")  # Slurm wants a character device
                gpus.append(f"NodeName={name} Name=gpu Type={kind} File={device}")
                line += f" Gres=gpu:{kind}:1 Feature={feature}"
            lines.append(line)
        lines.append("PartitionName=gpu Nodes=gpu[1-2] Default=YES State=UP")
        lines.append("PartitionName=cpu Nodes=cpu1 State=UP")
        (self.folder / "slurm.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (self.folder / "gres.conf").write_text("\n".join(gpus) + "\n", encoding="utf-8")
        self._start("slurmctld", "slurmctld", "-D")
        for name in NODES:
            self.start_node(name)
        idle = ["idle"] * len(NODES)
        self.wait_until(lambda: self._ask("sinfo", "-h", "-N", "-o", "%T").stdout.split() == idle, "three idle nodes")

    def start_node(self, name: str) -> None:
        """Start the daemon of a node."""
        self._start(name, "slurmd", "-D", "-N", name)

    def lose_node(self, name: str) -> None:
        """What a power cut does to a node: its daemon and everything that runs on it are gone at once."""
        self._daemons[name].kill()
        self._daemons.pop(name).wait()
        self._end_jobs(SLURMD_NODENAME=name)
        self.run("scontrol", "update", f"nodename={name}", "state=down", "reason=lost")

    def bring_back(self, name: str) -> None:
        """Start a lost node, and have it take jobs again."""
        self.start_node(name)

        def is_back() -> bool:
            self._ask("scontrol", "update", f"nodename={name}", "state=resume")  # refused where it is back already
            return self.run("sinfo", "-h", "-n", name, "-o", "%T").strip() in ("idle", "mixed", "allocated")

        self.wait_until(is_back, f"the return of {name}")

    def run(self, *command: str) -> str:
        """What one of Slurm's programs prints; it must succeed."""
        done = self._ask(*command)
        assert done.returncode == 0, f"{command}: {done.stderr}\n{self.last_words()}"
        return done.stdout

    def processes(self, **environment: str) -> list[int]:
        """Processes of jobs on this farm, which have these variables in their environment."""
        wanted = {f"{name}={value}" for name, value in {"SLURM_CONF": self._configuration, **environment}.items()}
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal() and int(entry.name) != os.getpid():
                variables = set(read(entry / "environ").split("\0"))
                if wanted <= variables and any(item.startswith("SLURM_JOB_ID=") for item in variables):
                    found.append(int(entry.name))
        return found

    def wait_until(self, happened: Callable[[], object], what: str = "") -> None:
        """Look again and again whether something has happened."""
        end = time.monotonic() + PATIENCE
        while not happened():
            if time.monotonic() > end:
                pytest.fail(f"{what or 'what was waited for'} did not happen\n{self.last_words()}")
            time.sleep(0.2)

    def last_words(self) -> str:
        """The ends of the daemons' logs."""
        return "\n".join(f"{path.name}: {read(path)[-1500:]}" for path in sorted(self.folder.glob("*.log")))

    def shut_down(self) -> None:
        """End the daemons, and whatever jobs have left."""
        for process in self._daemons.values():
            process.terminate()
        for process in self._daemons.values():
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._end_jobs()

    def _end_jobs(self, **environment: str) -> None:
        """Kill what jobs started, and Slurm's own process above each, which would wait for its daemon for ever."""
        for pid in self.processes(**environment):
            parent = parent_of(pid)
            if command_of(parent).startswith("slurmstepd"):
                kill(parent)
            kill(pid)

    def _start(self, name: str, *command: str) -> None:
        # In the foreground and with us as parent, so that a killed test run leaves no farm behind.
        words = ["setpriv", "--pdeathsig", "KILL", "--", *command, "-f", self._configuration]
        with open(self.folder / f"{name}.out", "wb") as log:
            self._daemons[name] = subprocess.Popen(
                words, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def _ask(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )

    @property
    def _configuration(self) -> str:
        return str(self.folder / "slurm.conf")


def search_path() -> str:
    """$PATH and where Debian keeps daemons, which only root looks."""
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


@pytest.fixture(scope="session")
def slurm_farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmFarm]:
    """The farm, booted once: conftest keeps all tests that use it in one process."""
    absent = [program for program in PROGRAMS if shutil.which(program, path=search_path()) is None]
    if absent:
        reason = f"{', '.join(absent)} not installed: apt-get install slurmctld slurmd slurm-client"
        if "slurm" in re.split(r"[\s,]+", os.environ.get("VOID_REQUIRE", "")):
            pytest.fail(f"VOID_REQUIRE names slurm, and it is not here: {reason}")
        pytest.skip(reason)
    farm = SlurmFarm(tmp_path_factory.mktemp("slurm"))
    try:
        farm.boot()
        yield farm
    finally:
        farm.shut_down()


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports: list[int] = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def parent_of(pid: int) -> int:
    match = re.search(r"^PPid:\s+(\d+)", read(Path(f"/proc/{pid}/status")), re.MULTILINE)
    return int(match[1]) if match else 0


def command_of(pid: int) -> str:
    return read(Path(f"/proc/{pid}/cmdline")).replace("\0", " ")


def read(path: Path) -> str:
    """A file's text; empty where it is gone, or is not ours to read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
