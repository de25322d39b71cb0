"""A farm of one host with OpenCue: the stand-in Cuebot of tests/fakes and a real RQD, which runs real frames.

RQD runs no frame as root. Where root runs the tests, everything of OpenCue runs in a user namespace in which it is
another user; the files it sees stay the same.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from foreign import foreign_bin, is_required

CUEBOT = Path(__file__).parent / "fakes" / "cuebot.py"
MARK = "VOID_TEST_CUE"
"""A variable that all frames of a farm have."""
PATIENCE = 60.0
"""Seconds after which a program that does not start fails the test."""
SMI = """#!/bin/sh
case "$*" in
*uuid*) echo '{uuid}, A small one, 8192'; echo 'GPU-of-somebody-else, A large one, 81920' ;;
*) echo '8192 MiB, 8000 MiB, 2'; echo '81920 MiB, 80000 MiB, 2' ;;
esac
"""
"""The host's nvidia-smi: what our worker asks, and what RQD asks."""


class Frame:
    """A process of a frame."""

    def __init__(self, entry: Path) -> None:
        self._entry = entry

    @property
    def environment(self) -> list[bytes]:
        try:
            return (self._entry / "environ").read_bytes().split(b"\0")
        except OSError:
            return []  # it has just ended, or is none of ours

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(self._entry.name), signal.SIGKILL)


class CueFarm:
    """Cuebot and RQD, below a folder; use as a context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.logs = folder, folder / "logs"
        self.bin = foreign_bin("opencue")
        self._as_user = _as_user()
        self.python = [*self._as_user, str(self.bin / "python")]
        self.environment = {**os.environ, "USER": "artist", "LOGNAME": "artist", "HOME": str(folder), MARK: str(folder)}
        self._programs: list[subprocess.Popen[bytes]] = []
        self.cuebot = ""
        self.gpu = f"GPU-{uuid.uuid4()}"
        """The first of the host's GPUs, which RQD hands out first."""

    def __enter__(self) -> CueFarm:
        self.logs.mkdir(parents=True)
        while not self._begins():  # another program took the port that was free a moment ago
            self._end()
            assert "bind" in self.said(), self.said()
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
        for frame in self.frames():
            frame.kill()  # RQD does not take its frames along

    def frames(self) -> list[Frame]:
        """What RQD's frames still have running."""
        mark = f"{MARK}={self.folder}".encode()
        return [frame for path in Path("/proc").glob("[0-9]*") if mark in (frame := Frame(path)).environment]

    def said(self) -> str:
        """What the programs complained about."""
        return "\n".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("*.err")))

    def reports(self) -> list[dict[str, Any]]:
        """The frames that RQD reported: name, exit code, signal."""
        path = self.logs / "reports.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []

    def _begins(self) -> bool:
        """Start both on a port that is free; True once RQD listens, False where it ended."""
        port = free_port()
        bot = self._start([*self.python, str(CUEBOT), "--rqd", str(port), "--logs", str(self.logs)], "cuebot")
        assert bot.stdout is not None
        self.cuebot = f"127.0.0.1:{int(bot.stdout.readline())}"
        rqd = self._start([*self._as_user, str(self.bin / "rqd"), "--nimbyoff", "-c", str(self._conf(port))], "rqd")
        until(lambda: rqd.poll() is not None or _listens(port), "rqd does not start", self.said)
        return rqd.poll() is None

    def _end(self) -> None:
        while self._programs:
            program = self._programs.pop()
            program.kill()
            program.communicate()

    def _start(self, command: list[str], name: str) -> subprocess.Popen[bytes]:
        path = f"{self._smi()}:{self.environment['PATH']}"
        with open(self.folder / f"{name}.err", "wb") as complaints:
            program = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=complaints, env={**self.environment, "PATH": path}
            )
        self._programs.append(program)
        return program

    def _conf(self, port: int) -> Path:
        # RQD takes a host of OVERRIDE_CUEBOT without a port and adds CUEBOT_GRPC_PORT.
        host, bot = self.cuebot.split(":")
        path = self.folder / "rqd.conf"
        path.write_text(
            f"[Override]\nOVERRIDE_CUEBOT={host}\nCUEBOT_GRPC_PORT={bot}\nRQD_GRPC_PORT={port}\n"
            "OVERRIDE_HOSTNAME=host1\nOVERRIDE_CORES=2\nOVERRIDE_IS_DESKTOP=false\nOVERRIDE_MEMORY=8000000\n"
            "RQD_USE_PATH_ENV_VAR=true\nRQD_USE_ALL_HOST_ENV_VARS=true\nGPU=true\n"
        )
        return path

    def _smi(self) -> Path:
        """A folder with an nvidia-smi, so that the host has a GPU to hand out."""
        folder = self.folder / "bin"
        folder.mkdir(exist_ok=True)
        program = folder / "nvidia-smi"
        program.write_text(SMI.format(uuid=self.gpu))
        program.chmod(0o755)
        return folder


def until(true: Callable[[], bool], problem: str, said: Callable[[], str] = str) -> None:
    """Wait for something; how long it takes decides nothing."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, f"{problem}: {said()}"
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def _as_user() -> list[str]:
    """What starts a program as somebody who is not root."""
    for program in ("/usr/bin/time", *(["unshare"] if os.getuid() == 0 else [])):
        if shutil.which(program) is None:
            _absent(f"the program {program} is not here")
    if os.getuid():
        return []
    namespace = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
    if subprocess.run([*namespace, "true"], stderr=subprocess.DEVNULL).returncode:
        _absent("root runs the tests, and this machine lets nobody make a user namespace")
    return namespace


def _absent(reason: str) -> None:
    (pytest.fail if is_required("opencue") else pytest.skip)(f"RQD cannot run here: {reason}")
