"""The Python that hosts start their sidecar with: which it is, whether it will do, and where it is written down."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from void_plugin import __version__
from void_plugin.bridge import Sidecar
from void_plugin.config import config_path, load_config
from void_plugin.errors import HostError
from void_plugin.launch import clean_environment, sidecar_command
from void_plugin.userfiles import read_for_change, replace

CHECK_SECONDS = 60.0
"""For one start of a Python, also the first one from a slow disk."""
_SCRIPT = "import void_plugin; print(void_plugin.__version__); import void_plugin.sidecalls"


def absolute_python(given: str, environment: Mapping[str, str]) -> str:
    """The path of a Python that was named as people do: by path, or as a command on PATH.

    Links are not followed: the Python of a virtual environment is one. Raises HostError where there is none.
    """
    found = shutil.which(os.path.expanduser(given), path=environment.get("PATH"))
    if found is None:
        raise HostError(
            f"There is no program {given}; name the Python in which void_plugin is installed, such as "
            "~/void/bin/python, with --python.",
            "host.python",
        )
    return os.path.abspath(found)


def check_python(python: str, environment: Mapping[str, str]) -> None:
    """Make sure that a Python has this version of void_plugin and all that it needs. Raises HostError where not."""
    command = [python, "-I", "-X", "utf8", "-c", _SCRIPT]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=clean_environment(environment),
            timeout=CHECK_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        why = f"has not answered within {CHECK_SECONDS:g} seconds"
        if isinstance(error, OSError):
            why = f"cannot be started: {error.strerror or error}"
        raise HostError(f"{python} {why}; name another Python with --python.", "host.python") from error
    version = done.stdout.decode("utf-8", "replace").strip()
    words = [line.strip() for line in done.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    if done.returncode and not version:
        raise HostError(
            f"{python} cannot load void_plugin ({words[-1] if words else 'it says nothing'}); install it there, or "
            "name the Python that has it with --python.",
            "host.python",
        )
    if version != __version__:
        raise HostError(
            f"{python} has void_plugin {version}, this is {__version__}; both sides must be of one version, so run "
            "the void command that lies beside that Python.",
            "host.python",
        )
    if done.returncode:
        raise HostError(
            f"{python} has void_plugin but not all that it needs ({words[-1] if words else 'it says nothing'}); "
            "install it there with pip, which brings the rest.",
            "host.python",
        )


def try_sidecar(python: str, environment: Mapping[str, str]) -> float:
    """Start the sidecar as a host would, greet it, and end it; how many seconds until it answered.

    Raises VoidError where it does not.
    """
    sidecar = Sidecar(sidecar_command(python), environment, f"void {__version__}")
    began = time.monotonic()
    try:
        sidecar.ask("ping", {}, CHECK_SECONDS)
        return time.monotonic() - began
    finally:
        sidecar.close()


def check_configuration(environment: Mapping[str, str]) -> bytes:
    """The configuration as it is on disk, empty where there is none.

    Raises VoidError where it cannot be read or must not be changed.
    """
    content = read_for_change(Path(config_path(environment)))
    if content is None:
        return b""
    load_config(environment)
    return content


def configure_python(python: str, environment: Mapping[str, str]) -> bool:
    """Write a Python into the configuration, which keeps whatever else it holds; False where it is there already.

    Raises VoidError as `check_configuration`, and where the file cannot be written.
    """
    content = check_configuration(environment)
    values = json.loads(content) if content else {}
    if values.get("python") == python:
        return False
    values["python"] = python
    text = json.dumps(values, indent=2, ensure_ascii=False) + "\n"
    replace(Path(config_path(environment)), text.encode("utf-8"))
    return True
