"""Step one, at submit: `void-server task plan` on this machine, and what it says of the units.

The shot is looked at once, here, because a queue manager wants to know all tasks before the first one runs.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from void_plugin import __version__
from void_plugin.config import Config
from void_plugin.endings import how_it_ended
from void_plugin.errors import Cancelled, FarmError, from_code
from void_plugin.events import Failed, Warned, from_line
from void_plugin.farm.jobs import Finding
from void_plugin.farm.site import Site
from void_plugin.programs import kill_group, server_command, start_program
from void_plugin.request import RemovalRequest

FACTS_VERSION = 1
"""Layout of the line that `void-server task plan --events` prints about its plan."""


@dataclass(frozen=True)
class Unit:
    """One solve of the plan."""

    index: int
    key: str
    engine: str
    device: str
    """`cpu`, or what kind of GPU it needs."""
    count: int
    """Frames it delivers."""
    needs: tuple[int, ...] = ()
    """Units that must be solved before it; they stand before it."""
    solved: bool = False


@dataclass(frozen=True)
class Plan:
    """What a client knows of a plan."""

    folder: str
    """The job folder."""
    key: str
    engine: str
    real_engine: str
    """The engine whose real pixels come first; empty where there is none."""
    frames: str
    """Frames that are delivered."""
    shot_range: str
    """Frames that are looked at."""
    units: tuple[Unit, ...]
    """Those that the frames need, in an order in which they can be solved."""
    findings: tuple[Finding, ...] = ()
    """What planning warned about."""


@dataclass(frozen=True)
class Planner:
    """Plans requests, from as many threads as wanted."""

    config: Config
    environment: Mapping[str, str]
    site: Site
    workers: int = 0
    """Threads of each plan; 0 takes a core each."""
    _running: set[subprocess.Popen[bytes]] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _ended: threading.Event = field(default_factory=threading.Event)

    def meant(self, request: RemovalRequest) -> RemovalRequest:
        """The request as it is planned: what `auto` means may be the site's to say, and decides the job folder."""
        is_sites = request.engine == "auto" and bool(self.site.engine)
        return replace(request, engine=self.site.engine) if is_sites else request

    def plan(self, request: RemovalRequest) -> Plan:
        """Plan a request in its job folder. Raises the error that planning ended with, Cancelled after `end`,
        FarmError where no temporary file can be written.

        What `auto` means is decided here once, by the site or by what this machine can run: workers follow the plan.
        """
        try:
            with tempfile.TemporaryDirectory(prefix="void-") as folder:
                lines, status, last_words = self._planned(self.meant(request), Path(folder))
        except OSError as error:
            raise FarmError(
                f"Planning cannot write its temporary files: {error.strerror or error}; free some space there, or "
                "name another folder in $TMPDIR.",
                "farm.plan",
            ) from error
        return _read(lines, status, last_words)

    def end(self) -> None:
        """End all that is being planned, and plan nothing more."""
        with self._lock:
            self._ended.set()
            for process in self._running:
                kill_group(process)

    def _planned(self, request: RemovalRequest, folder: Path) -> tuple[list[str], int, str]:
        """The lines of a plan, its exit status, and the last that it said on stderr."""
        file = folder / "request.json"
        file.write_text(request.rooted().to_json(), encoding="utf-8")
        command = [*server_command(self.config, self.environment), "task", "plan", str(file), "--events"]
        if self.workers:
            command += ["--workers", str(self.workers)]
        command += ["--memory", self.site.memory]  # the same as on the workers: fp8 gives other pixels
        with open(folder / "log", "w+b") as log:
            lines, status = self._run(command, log)
            log.seek(0)
            words = [line for line in log.read().decode("utf-8", "replace").splitlines() if line.strip()]
        return lines, status, words[-1] if words else ""

    def _run(self, command: list[str], log: Any) -> tuple[list[str], int]:
        with self._started(command, log) as process:
            assert process.stdout is not None
            lines = [line.decode("utf-8", "replace") for line in process.stdout]
            status = process.wait()
        if self._ended.is_set():  # what it says of its end is our doing
            raise Cancelled
        return lines, status

    @contextmanager
    def _started(self, command: list[str], log: Any) -> Iterator[subprocess.Popen[bytes]]:
        """A program at work, which `end` can find."""
        with self._lock:
            if self._ended.is_set():
                raise Cancelled
            process = start_program(command, self.environment, stdin=subprocess.DEVNULL, stderr=log)
            self._running.add(process)
        with process:
            try:
                yield process
            except BaseException:  # Ctrl-C: the child has its own process group and would live on
                kill_group(process)
                raise
            finally:
                with self._lock:
                    self._running.discard(process)


def _read(lines: list[str], status: int, last_words: str) -> Plan:
    findings: list[Finding] = []
    facts: dict[str, Any] | None = None
    for line in lines:
        data = json.loads(line)
        if data.get("kind") == "Planned":
            facts = data
            continue
        event = from_line(line)
        if isinstance(event, Failed):
            raise from_code(event.code, event.text)
        if isinstance(event, Warned):
            findings.append(Finding("warning", event.text, event.code))
    if status or facts is None:
        said = f" and said: {last_words.rstrip('.')}" if last_words else ""
        raise FarmError(f"Planning {how_it_ended(status)}{said}.", "farm.plan")
    if facts.get("facts_version") != FACTS_VERSION:
        raise FarmError(
            f"void-server here is version {facts.get('version')} and void_plugin is {__version__}; install the same "
            "version of both.",
            "farm.plan",
        )
    if facts["version"] != __version__:
        text = f"void-server here is version {facts['version']} and void_plugin is {__version__}."
        findings.append(Finding("warning", text, "version"))
    units = tuple(
        Unit(
            item["index"],
            item["key"],
            item["engine"],
            item["device"],
            item["count"],
            tuple(item["needs"]),
            item["solved"],
        )
        for item in facts["units"]
    )
    names = ("folder", "key", "engine", "real_engine", "frames", "shot_range")
    return Plan(**{name: facts[name] for name in names}, units=units, findings=tuple(findings))
