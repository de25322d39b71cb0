"""Programs that the client starts on this machine: `void-server`, in a process group of its own.

The client never imports the server; it starts its command, which may live in another Python.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from void_plugin.config import Config
from void_plugin.errors import JobError, ServerError

EXIT_OUT_OF_MEMORY = 71
"""Exit code of a program that ran out of memory and could still say so."""


def server_command(config: Config, environment: Mapping[str, str]) -> tuple[str, ...]:
    """The command that starts `void-server`: the configured one, else beside this Python, else on PATH.

    Raises ServerError where there is none.
    """
    if config.server_command:
        return config.server_command
    beside = Path(sys.executable).parent / ("void-server.exe" if sys.platform == "win32" else "void-server")
    if beside.is_file():
        return (str(beside),)
    found = shutil.which("void-server", path=environment.get("PATH"))
    if found:
        return (found,)
    raise ServerError(
        "The program void-server is neither beside this Python nor on PATH; install it with "
        "pip install 'void_plugin[server]', or name its command in $VOID_SERVER_COMMAND."
    )


def ask_server(
    config: Config, environment: Mapping[str, str], arguments: Sequence[str], seconds: float | None = None
) -> Any:
    """The JSON value that `void-server` prints as its last line for these arguments.

    Raises ServerError where it cannot start or takes more than so many seconds, JobError with its own last sentence
    where it fails.
    """
    command = [*server_command(config, environment), *arguments]
    with start_program(command, environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            output, complaint = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as error:
            kill_group(process)
            raise ServerError(
                f"void-server {' '.join(arguments)} has not answered within {seconds:g} seconds; try again, because "
                "the first time after a start of the machine takes longer.",
                "server.timeout",
            ) from error
        except BaseException:  # Ctrl-C: the child has its own process group and would live on
            kill_group(process)
            raise
    words = [line for line in complaint.decode("utf-8", "replace").splitlines() if line.strip()]
    if process.returncode:
        raise JobError(
            words[-1] if words else f"void-server {' '.join(arguments)} ended with exit code {process.returncode}.",
            "job.memory" if process.returncode in (-9, EXIT_OUT_OF_MEMORY) else "job.crashed",
        )
    lines = output.decode("utf-8", "replace").strip().split("\n")
    try:
        return json.loads(lines[-1])
    except ValueError as error:
        raise ServerError(
            f"void-server {' '.join(arguments)} did not answer in JSON; install the same version of void_plugin for "
            "the client and the server."
        ) from error


def start_program(
    command: Sequence[str], environment: Mapping[str, str], stdin: int, stderr: "int | IO[bytes]"
) -> "subprocess.Popen[bytes]":
    """Start a command with its output on a pipe, out of reach of the terminal's Ctrl-C.

    Raises ServerError where it cannot be started.
    """
    try:
        return subprocess.Popen(
            command,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=child_environment(command, environment),
            **own_group(),
        )
    except OSError as error:
        raise ServerError(
            f"void-server cannot be started as {' '.join(command[:3])}: {error.strerror or error}; correct "
            "$VOID_SERVER_COMMAND or server_command in the configuration."
        ) from error


def void_command(*arguments: str) -> list[str]:
    """Our own command line, in this Python and as isolated as this process: never from the folder that it stands in."""
    return [sys.executable, "-I" if sys.flags.isolated else "-P", "-m", "void_plugin.cli", *arguments]


def own_group() -> dict[str, Any]:
    """What Popen is told so that a child has a process group of its own, which `kill_group` ends."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"process_group": 0}


def child_environment(command: Sequence[str], environment: Mapping[str, str]) -> dict[str, str]:
    """The environment a child gets: ours, without the variables that would lead another Python to our modules."""
    ours = dict(environment)
    program = Path(shutil.which(command[0], path=environment.get("PATH")) or command[0])
    if program.parent.absolute() != Path(sys.executable).parent.absolute():
        for name in ("PYTHONPATH", "PYTHONHOME"):
            ours.pop(name, None)
    return ours


def kill_group(process: "subprocess.Popen[bytes]") -> None:
    """End a child and, where the system knows groups, everything it started; nothing where it is gone already."""
    if process.poll() is not None:
        return
    with contextlib.suppress(OSError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
