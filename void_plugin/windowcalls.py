"""`panel`: opens the panel for a host, in a process of its own that goes on when the host ends."""

import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from typing import Any

from void_plugin.desk import Desk
from void_plugin.errors import HostError
from void_plugin.hostcall import HostCall
from void_plugin.programs import child_environment, void_command

SOON_SECONDS = 5.0
"""A panel that cannot open has said so within this time."""


def panel(desk: Desk, call: HostCall) -> dict[str, Any]:
    """Open the panel with some `requests`, files, on the `server` or the configured one.

    It outlives the host and this sidecar: somebody may close Nuke while the panel shows what the server does. Raises
    HostError with its own last sentence where it ends at once.
    """
    command = void_command("panel", *call.texts("requests"))
    if call.text("server", ""):
        command += ["--server", call.text("server")]
    with tempfile.TemporaryFile() as complaint:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=complaint,
                env=child_environment(command, desk.environment),
                **_detached(),
            )
        except OSError as error:
            raise HostError(f"The panel cannot be started: {error.strerror or error}.", "host.failed") from error
        try:
            code = process.wait(SOON_SECONDS)
        except subprocess.TimeoutExpired:
            threading.Thread(target=process.wait, name="panel", daemon=True).start()  # takes note of its end
            return {"pid": process.pid}
        complaint.seek(0)
        lines = [line for line in complaint.read().decode("utf-8", "replace").splitlines() if line.strip()]
    if code:
        raise HostError(lines[-1] if lines else f"The panel ended with exit code {code}.", "host.failed")
    return {"pid": process.pid}


def _detached() -> Mapping[str, Any]:
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.DETACHED_PROCESS}
    return {"start_new_session": True}


CALLS = {"panel": panel}
