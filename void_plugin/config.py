"""What this machine is told about void_plugin: a JSON file written by the installer, and the environment.

The environment wins over the file, the file over the defaults. Nothing is read at import.
"""

import json
import os
import re
import shlex
import sys
from dataclasses import dataclass, field, fields
from typing import Any, Dict, Mapping, Tuple

from void_plugin.errors import RequestError

PINNED_CONFIG = "ocio://studio-config-v4.0.0_aces-v2.0_ocio-v2.5"
"""OpenColorIO configuration where neither $OCIO nor this machine names one; `latest` would not be reproducible."""


@dataclass(frozen=True)
class Config:
    """Settings of one machine; none of them changes pixels."""

    python: str = ""
    """Python in which void_plugin is installed; Nuke and Resolve start their sidecar with it."""
    server_command: Tuple[str, ...] = ()
    """Command that starts `void-server`; empty looks beside this Python, then on PATH."""
    workers: int = 0
    """Threads a job may use; 0 takes the number of cores."""
    cache_bytes: int = 1 << 30
    """How many bytes of decoded plate a job may keep in memory; `3G` may stand for a number."""
    engines: Mapping[str, str] = field(default_factory=dict)
    """More engines by name, each as `module:Class`."""
    farms: Mapping[str, str] = field(default_factory=dict)
    """More backends of `void submit` by name, each as `module:Class`."""
    site: str = ""
    """TOML file that says what the site's farm is like; empty takes the defaults."""
    server: str = ""
    """Address of the server that runs jobs: `host:port` or `unix:/path`; empty starts a private one for each job."""
    token_file: str = ""
    """File that holds this user's token; empty takes the one that a server of this user left on this machine."""
    tls_ca: str = ""
    """PEM file of the authority that signed the server's certificate; empty takes the system's for TLS addresses."""
    tls_cert: str = ""
    """PEM certificate of this client, for servers that ask for one."""
    tls_key: str = ""
    """PEM key of `tls_cert`."""
    insecure: bool = False
    """Send the token without TLS to another machine: only on a network where nobody listens."""
    transfer: str = "auto"
    """`paths`: the server reads and writes the files itself. `upload`: they travel. `auto` decides."""
    shared_roots: Tuple[str, ...] = ()
    """Folders that mean the same storage here and on the server, after the server's path mapping."""
    weights: str = ""
    """Folder of VOID's weights; empty takes `void_plugin/weights` among the user's data."""
    memory: str = "auto"
    """How VOID uses the memory of its GPU: `auto`, `full`, `swap`, `offload` or `fp8`."""
    device: str = "cuda"
    """What VOID runs on: `cuda`, or `cpu`, which is bearable only for tiny models."""
    compile: bool = False
    """Compiles VOID's transformer: minutes at the start, faster steps, and not quite the same pixels."""
    ocio: str = ""
    """OCIO config used where $OCIO is not set; empty takes the pinned ACES studio config."""


ENVIRONMENT: Dict[str, str] = {
    "python": "VOID_PLUGIN_PYTHON",
    "server_command": "VOID_SERVER_COMMAND",
    "workers": "VOID_WORKERS",
    "cache_bytes": "VOID_CACHE_BYTES",
    "site": "VOID_SITE",
    "server": "VOID_SERVER",
    "token_file": "VOID_TOKEN_FILE",
    "tls_ca": "VOID_TLS_CA",
    "tls_cert": "VOID_TLS_CERT",
    "tls_key": "VOID_TLS_KEY",
    "transfer": "VOID_TRANSFER",
    "weights": "VOID_WEIGHTS",
    "memory": "VOID_MEMORY",
    "device": "VOID_DEVICE",
    "compile": "VOID_COMPILE",
}
CHOICES: Dict[str, Tuple[str, ...]] = {
    "transfer": ("auto", "paths", "upload"),
    "memory": ("auto", "full", "swap", "offload", "fp8"),
    "device": ("cuda", "cpu"),
}
"""What the settings that are one of a few words can be."""


def config_path(environment: Mapping[str, str]) -> str:
    """Where the file is: $VOID_CONFIG, else the platform's own place for user settings."""
    if environment.get("VOID_CONFIG"):
        return environment["VOID_CONFIG"]
    if sys.platform == "win32":
        base = environment.get("APPDATA", os.path.expanduser("~"))
    elif sys.platform == "darwin":
        base = os.path.expanduser("~/Library/Application Support")
    else:
        base = environment.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return os.path.join(base, "void_plugin", "config.json")


def state_folder(environment: Mapping[str, str]) -> str:
    """Where a server of this user keeps its state, and this user's clients find its token and address."""
    base = environment.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(base, "void_plugin")


def byte_count(value: Any) -> int:
    """A number of bytes as people write it: 53687091200, or 50G with K, M, G and T for powers of 1024.

    Raises ValueError for anything else.
    """
    match = re.match(r"([0-9]{1,18})([KMGT]?)\Z", str(value)) if type(value) in (int, str) else None
    if match is None:
        raise ValueError("{!r} is no number of bytes, such as 53687091200 or 50G".format(value))
    return int(match.group(1)) << 10 * " KMGT".index(match.group(2) or " ")


def load_config(environment: Mapping[str, str]) -> Config:
    """The configuration of this machine.

    Raises RequestError where the file is not JSON, has an unknown key, or a value has the wrong type.
    """
    path = config_path(environment)
    values: Dict[str, Any] = {}
    if os.path.exists(path):
        try:
            with open(path, encoding="utf-8") as stream:
                values = json.load(stream)
        except (OSError, ValueError) as error:
            raise RequestError("The configuration {} cannot be read: {}.".format(path, error)) from error
        if not isinstance(values, dict):
            raise RequestError("The configuration {} must hold one JSON object.".format(path))
    elif environment.get("VOID_CONFIG"):
        raise RequestError("$VOID_CONFIG names {}, which does not exist.".format(path))
    known = [item.name for item in fields(Config)]
    for key in values:
        if key not in known:
            raise RequestError(
                "The configuration {} has the unknown key {!r}; known are {}.".format(path, key, ", ".join(known))
            )
    for key, variable in ENVIRONMENT.items():
        if environment.get(variable):
            values[key] = environment[variable]
    return Config(**{key: _value(key, value, path) for key, value in values.items()})


def _value(key: str, value: Any, path: str) -> Any:
    if key == "server_command":
        if isinstance(value, str):
            # Windows paths hold backslashes, which POSIX splitting would eat.
            return tuple(part.strip('"') for part in shlex.split(value, posix=sys.platform != "win32"))
        if isinstance(value, list) and all(isinstance(part, str) for part in value):
            return tuple(value)
    elif key in ("workers", "cache_bytes"):
        try:
            number = byte_count(value) if key == "cache_bytes" else int(value)
        except (TypeError, ValueError):
            number = -1
        if number >= 0:
            return number
    elif key in ("engines", "farms"):
        if isinstance(value, dict) and all(isinstance(part, str) for part in value.values()):
            return dict(value)
    elif key == "shared_roots":
        if isinstance(value, list) and all(isinstance(part, str) for part in value):
            return tuple(value)
    elif key in ("insecure", "compile"):
        if isinstance(value, bool):
            return value
        # The environment has only texts.
        if key in ENVIRONMENT and value in ("1", "true", "0", "false"):
            return value in ("1", "true")
    elif key in CHOICES:
        if value in CHOICES[key]:
            return value
    elif isinstance(value, str):
        return value
    raise RequestError(
        "The setting {} has the unusable value {!r} (in {} or the environment).".format(key, value, path)
    )
