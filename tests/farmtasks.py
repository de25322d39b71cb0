"""What tests of farm tasks build on: a planned job, its tasks as real processes, and what they say."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benches import SECONDS, slow_environment
from servers import rest_of
from shots import Shot

from void_plugin.request import RemovalRequest

RUNNING: list[Running] = []
"""Every process that a test started; what is left of them ends with the test."""
SERVER = (sys.executable, "-P", "-m", "void_server")


@dataclass(frozen=True)
class Done:
    """A process that has ended."""

    code: int
    said: list[str]
    """Lines of stdout."""
    complaint: str
    """stderr."""

    def of(self, kind: str) -> list[str]:
        """What the lines of one kind say, as OpenJD reads them: progress, status, fail, env."""
        begin = f"openjd_{kind}: "
        return [line.removeprefix(begin) for line in self.said if line.startswith(begin)]


class Running:
    """A process that was started; `ended` waits for it."""

    def __init__(self, command: list[str], environment: Mapping[str, str], **how: Any) -> None:
        self.process = subprocess.Popen(
            command, env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how
        )
        self._said: list[str] = []
        RUNNING.append(self)

    @property
    def pid(self) -> int:
        return self.process.pid

    def until(self, part: str) -> str:
        """The first line from now on that has this part."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._said.append(line.rstrip("\n"))
            if part in line:
                return self._said[-1]
        raise AssertionError(f"it ended before it said {part!r}: {self._said}, {self.ended().complaint}")

    def terminate(self) -> None:
        self.process.terminate()

    def kill(self) -> None:
        self.process.kill()

    def close(self) -> None:
        """End it, where a test did not."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def ended(self) -> Done:
        rest, complaint = rest_of(self.process, SECONDS)
        return Done(self.process.returncode, [*self._said, *rest.splitlines()], complaint)


def ended_pid() -> int:
    """The number of a process that is gone."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@dataclass
class FarmJob:
    """One shot's job, and how its tasks are run on this machine."""

    shot: Shot
    request: RemovalRequest
    environment: dict[str, str]
    folder: Path = field(init=False)
    """The job folder."""

    def __post_init__(self) -> None:
        self.folder = Path(self.request.job_folder())

    def planned(self) -> FarmJob:
        """Plan it, as at submit."""
        path = self.shot.folder / "request.json"
        path.write_text(self.request.to_json())
        done = self.run("task", "plan", path)
        assert done.code == 0, done.complaint
        return self

    def start(self, *words: object, command: tuple[str, ...] = SERVER, **how: Any) -> Running:
        return Running([*command, *map(str, words)], self.environment, **how)

    def run(self, *words: object) -> Done:
        return self.start(*words).ended()

    def starting(self, step: str, *more: object, **how: Any) -> Running:
        """A farm task that begins; it looks for late files for ever unless told otherwise."""
        return self.start("task", step, self.folder, "--farm", "--workers", "2", *more, **how)

    def task(self, step: str, *more: object) -> Done:
        """A farm task that has ended; it waits for no files unless told to."""
        return self.starting(step, "--wait-for-files", "0", *more).ended()

    def must(self, step: str, *more: object) -> Done:
        done = self.task(step, *more)
        assert done.code == 0, (done.said, done.complaint)
        return done

    @property
    def plan(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "plan.json").read_text())
        return found

    @property
    def result(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "result.json").read_text())
        return found

    def unit(self, index: int) -> Path:
        return self.folder / "units" / str(self.plan["units"][index]["key"])

    def solved(self) -> list[int]:
        return [unit["index"] for unit in self.plan["units"] if (self.unit(unit["index"]) / "manifest.json").exists()]

    def leases(self) -> list[Path]:
        return [path for path in self.folder.rglob("*") if "lease" in path.name]

    def bytes(self) -> dict[str, str]:
        """SHA-256 of everything delivered, by file name."""
        out = Path(self.request.output_sequence(self.request.outputs[0]).folder)
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(out.glob("*.exr"))}


def farm_job(shot: Shot, request: RemovalRequest | None = None, **environment: str) -> FarmJob:
    """A planned job on a machine that knows the slow engine."""
    known = {**slow_environment(shot.folder.parent), **environment}
    return FarmJob(shot, request or shot.request(), known).planned()


def solve_whole(shot: Shot, request: RemovalRequest, **environment: str) -> tuple[dict[str, str], dict[str, Any]]:
    """What `task all` delivers for a request, and result.json; nothing of it is left."""
    job = FarmJob(shot, request, {**slow_environment(shot.folder.parent), **environment})
    path = shot.folder / "whole.json"
    path.write_text(request.to_json())
    done = job.run("task", "all", path, "--workers", "2")
    assert done.code == 0, done.complaint
    found = job.bytes(), job.result
    assert found[0]
    out = Path(request.output_sequence(request.outputs[0]).folder)
    out.rename(shot.folder / "whole")
    return found


def with_gpus(job: FarmJob, *rows: str) -> None:
    """Put an `nvidia-smi` on the job's PATH that lists these GPUs."""
    folder = job.shot.folder / "bin"
    folder.mkdir(exist_ok=True)
    program = folder / "nvidia-smi"
    program.write_text("#!/bin/sh\n" + "".join(f"echo '{row}'\n" for row in rows))
    program.chmod(0o755)
    job.environment["PATH"] = f"{folder}{os.pathsep}{job.environment['PATH']}"
    job.environment.pop("CUDA_VISIBLE_DEVICES", None)


def pause(pid: int) -> None:
    """Let a process stand still until it is told to go on."""
    os.kill(pid, signal.SIGSTOP)


def go_on(pid: int) -> None:
    os.kill(pid, signal.SIGCONT)
