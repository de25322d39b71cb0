"""The Pythons that a test may run things in: those a host could have, and one that the sidecar could have."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HOST_VERSIONS = tuple((3, minor) for minor in range(7, 14))
"""Nuke 13 has 3.7; 3.13 is what comes next."""


def host_python(version: tuple[int, int]) -> str | None:
    """A CPython of this version under pyenv or on PATH; None where there is none."""
    name = f"python{version[0]}.{version[1]}"
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found = sorted((root / "versions").glob(f"{version[0]}.{version[1]}.*/bin/{name}"))
    candidates = [str(path) for path in found]
    on_path = shutil.which(name)
    if on_path:
        candidates.append(on_path)
    return next((candidate for candidate in reversed(candidates) if _is(candidate, version)), None)


@functools.lru_cache(maxsize=1)
def interpreters() -> dict[str, str]:
    """Those of the hosts' Pythons that are here, by `3.7` to `3.13`."""
    found = {f"{major}.{minor}": host_python((major, minor)) for major, minor in HOST_VERSIONS}
    return {name: python for name, python in found.items() if python}


def _is(python: str, version: tuple[int, int]) -> bool:
    # A shim of pyenv is there whether or not a Python is behind it.
    script = "import sys, platform; print(platform.python_implementation(), *sys.version_info[:2])"
    answer = subprocess.run([python, "-I", "-S", "-c", script], capture_output=True, text=True, check=False)
    return answer.stdout.split() == ["CPython", *map(str, version)]


def sidecar_python(folder: Path, *more: Path) -> str:
    """A Python in which this checkout is installed, and nothing that could be another; `more` is importable too.

    Unlike the one that runs the tests it knows the checkout also with `-I`, whatever is installed there.
    """
    builder = venv.EnvBuilder(symlinks=os.name != "nt", with_pip=False)
    builder.create(folder)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    places = [ROOT, ROOT / "server", *more, Path(sysconfig.get_path("purelib"))]
    command = [str(python), "-I", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = Path(subprocess.check_output(command, text=True).strip())
    (site / "checkout.pth").write_text("".join(f"{place}\n" for place in places), encoding="utf-8")
    return str(python)
