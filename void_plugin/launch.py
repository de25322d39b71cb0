"""What a host starts its sidecar with: which Python, which environment, which log."""

import contextlib
import os
import re
import time
from typing import IO, Dict, List, Mapping

from void_plugin.config import config_path, load_config, state_folder
from void_plugin.endings import last_line
from void_plugin.errors import HostError

KEEP = "VOID_KEEP_ENVIRONMENT"
"""Set to 1, the sidecar gets the environment of its host as it is."""
LOG = "VOID_SIDECAR_LOG"
"""Tells the sidecar where its own stderr goes, so that it can name the place in its sentences."""
LOGS_KEPT = 10
MOST_LOG_BYTES = 4 << 20
"""A log that is longer than this at a start is set aside for a new one."""

_RECORD = re.compile(r"\d{4}-\d\d-\d\d ")
# Beside everything that begins with PYTHON: what leads another Python or another Qt to the host's own files.
# PATH, LD_LIBRARY_PATH and LD_PRELOAD stay: a studio sets those for the whole session, not for one Python.
_LEAKING = (
    "VIRTUAL_ENV",
    "__PYVENV_LAUNCHER__",
    "QT_PLUGIN_PATH",
    "QT_QPA_PLATFORM_PLUGIN_PATH",
    "QML_IMPORT_PATH",
    "QML2_IMPORT_PATH",
)


def find_python(environment: Mapping[str, str]) -> str:
    """The Python that runs the sidecar: $VOID_PLUGIN_PYTHON, else `python` of the configuration.

    Raises HostError where there is none, RequestError where the configuration cannot be read. It is never the Python
    of the host, which inside Nuke is Nuke.
    """
    python = load_config(environment).python
    if python:
        return os.path.expanduser(python)
    raise HostError(
        "No Python with void_plugin is known here; run `void nuke install` or `void resolve install` with it once, "
        "which writes {}, or name it in $VOID_PLUGIN_PYTHON.".format(config_path(environment)),
        "host.python",
    )


def sidecar_command(python: str) -> List[str]:
    """The command that runs the sidecar in a Python, out of reach of anybody's modules but its own."""
    return [python, "-I", "-X", "utf8", "-m", "void_plugin.sidecar"]


def clean_environment(environment: Mapping[str, str]) -> Dict[str, str]:
    """The environment of the sidecar: the host's, without what was meant for the host's own Python and Qt."""
    if environment.get(KEEP) == "1":
        return dict(environment)
    kept = {name: value for name, value in environment.items() if not name.upper().startswith("PYTHON")}
    for name in _LEAKING:
        kept.pop(name, None)
    # `-I` says both to the sidecar; these are for what it starts.
    kept.update(PYTHONNOUSERSITE="1", PYTHONUTF8="1")
    return kept


class SidecarLog:
    """The file that gets the sidecar's stderr, and what the bridge has to say; one for each host process."""

    def __init__(self, folder: str) -> None:
        """Nothing is touched before `open`."""
        self.path = os.path.join(folder, "sidecar-{}.log".format(os.getpid()))
        self._start = 0

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "SidecarLog":
        """The log in its usual place."""
        return cls(os.path.join(state_folder(environment), "logs"))

    def open(self) -> IO[bytes]:
        """The log for another sidecar to write to; what is old goes. Raises HostError where it cannot be written."""
        folder = os.path.dirname(self.path)
        try:
            os.makedirs(folder, exist_ok=True)
            if os.path.exists(self.path) and os.path.getsize(self.path) > MOST_LOG_BYTES:
                os.replace(self.path, self.path[: -len(".log")] + "-before.log")
            stream = open(self.path, "ab")  # noqa: SIM115 - for whoever asked
        except OSError as error:
            raise HostError(
                "The log {} of the sidecar cannot be written: {}; free some space, or correct the rights of {}.".format(
                    self.path, error.strerror or error, folder
                ),
                "host.sidecar",
            ) from error
        self._start = os.path.getsize(self.path)
        with contextlib.suppress(OSError):  # whoever may write there may not list it: then logs pile up
            self._forget_old(folder)
        return stream

    def note(self, text: str) -> None:
        """Add a line of the bridge's own. A log that has gone meanwhile is no reason to stop."""
        with contextlib.suppress(OSError), open(self.path, "a", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write("{} bridge: {}\n".format(time.strftime("%Y-%m-%d %H:%M:%S"), text))

    def last_words(self) -> str:
        """The last line since `open` that nobody logged on purpose; empty where there is none."""
        try:
            return last_line(self.path, self._start, _RECORD)
        except OSError:  # the log has gone meanwhile
            return ""

    def _forget_old(self, folder: str) -> None:
        names = [name for name in os.listdir(folder) if name.startswith("sidecar-") and name.endswith(".log")]
        paths = [os.path.join(folder, name) for name in names]
        ages = {}
        for path in paths:
            with contextlib.suppress(OSError):  # another host was faster
                ages[path] = os.path.getmtime(path)
        ages.pop(self.path, None)
        for path in sorted(ages, key=lambda path: ages[path])[: -(LOGS_KEPT - 1)]:
            with contextlib.suppress(OSError):  # in use, which on Windows keeps it
                os.remove(path)
