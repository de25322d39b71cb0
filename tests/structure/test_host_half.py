"""What a host loads runs on every Python that a host may have, with nothing installed."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from pythons import HOST_VERSIONS, ROOT, host_python

PACKAGE = ROOT / "void_plugin"
GROUND = ("__init__", "config", "errors", "events", "frames", "request", "settings")
BRIDGE = ("bridge", "childprocess", "endings", "hostanswers", "launch", "lineprotocol", "sidecarprocess")
HOSTS = tuple(str(path.relative_to(PACKAGE).with_suffix("")) for path in sorted(PACKAGE.glob("hosts/**/*.py")))
FILES = (*GROUND, *BRIDGE, *HOSTS)
# What speaks to one host imports that host's module, which is nowhere but there.
ALONE = [name for name in FILES if not Path(name).name.startswith(("nuke", "resolve"))]


@pytest.fixture(scope="module")
def host_half(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the host half and nothing else, as an installer copies them to a host."""
    folder = tmp_path_factory.mktemp("host half ü")
    for name in FILES:
        target = folder / "void_plugin" / f"{name}.py"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PACKAGE / f"{name}.py", target)
    return folder


@pytest.fixture(scope="module", params=HOST_VERSIONS, ids=lambda version: ".".join(map(str, version)))
def python(request: pytest.FixtureRequest) -> str:
    """Each CPython that a host may have."""
    version: tuple[int, int] = request.param
    found = host_python(version)
    if found is None:
        pytest.skip(f"there is no CPython {version[0]}.{version[1]} under pyenv or on PATH")
    return found


def bare(python: str, folder: Path, script: str) -> str:
    """What a script prints in a Python with nothing but its own library and the host half."""
    start = f"import sys; sys.path.insert(0, {str(folder)!r}); sys.dont_write_bytecode = True\n"
    command = [python, "-I", "-S", "-W", "error", "-c", start + script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_host_half_loads_only_the_standard_library(python: str, host_half: Path) -> None:
    names = [name.replace(os.sep, ".").replace(".__init__", "") for name in ALONE if name != "__init__"]
    script = f"""
before = set(sys.modules)
import importlib, os
for name in {names!r}:
    importlib.import_module("void_plugin." + name)
own = os.path.dirname(os.path.abspath(os.__file__))
for name in sorted(set(sys.modules) - before):
    path = getattr(sys.modules[name], "__file__", None)
    if path and not path.startswith(own) and not path.startswith({str(host_half)!r}):
        print(name, path)
"""
    assert bare(python, host_half, script) == ""


def test_importing_the_bridge_starts_nothing(python: str, host_half: Path) -> None:
    script = """
import threading
import void_plugin.bridge
sidecar = void_plugin.bridge.Sidecar(["/no/such/python"], log_folder="/no/such/folder")
print(threading.active_count(), sidecar.log.startswith("/no/such/folder"))
"""
    assert bare(python, host_half, script) == "1 True\n"


def test_a_host_of_any_python_reaches_the_sidecar(
    python: str, host_half: Path, void_python: str, tmp_path: Path
) -> None:
    script = f"""
import os
from void_plugin.bridge import Sidecar
from void_plugin.errors import HostError
environment = dict(os.environ, VOID_PLUGIN_PYTHON={void_python!r}, XDG_STATE_HOME={str(tmp_path)!r})
sidecar = Sidecar(environment=environment, host="test")
assert sidecar.ask("ping", {{}}, 60) == {{}}
assert sidecar.ask("versions", {{"output": "/no\\u00fc\\nwhere"}}, 60) == {{"versions": []}}
try:
    sidecar.ask("manifest", {{"folder": "/no\\u00fc\\nwhere"}}, 60)
except HostError as error:
    print(error.code)
sidecar.close()
assert not [name for name in sys.modules if name.partition(".")[0] in ("grpc", "google", "numpy")]
"""
    assert bare(python, host_half, script) == "host.folder\n"


@pytest.mark.parametrize("name", FILES)
def test_the_host_half_is_written_for_the_oldest_host(name: str) -> None:
    source = (PACKAGE / f"{name}.py").read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 7))
    assert "from __future__ import annotations" not in source
