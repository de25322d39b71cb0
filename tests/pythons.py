"""The Python interpreters of this machine that stand for those inside hosts."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from pathlib import Path

VERSIONS = ("3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13")


@functools.lru_cache(maxsize=1)
def interpreters() -> dict[str, str]:
    """Paths of interpreters by version (`3.7` to `3.13`), from pyenv first, then from PATH."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = {}
    for version in VERSIONS:
        installed = sorted(pyenv.glob(f"{version}.*/bin/python"))
        candidates = [str(path) for path in installed] + [shutil.which(f"python{version}") or ""]
        for path in filter(None, candidates):
            if _answers(path, version):
                found[version] = path
                break
    return found


def _answers(path: str, version: str) -> bool:
    script = "import sys; print('.'.join(map(str, sys.version_info[:2])))"
    try:
        told = subprocess.run([path, "-S", "-c", script], capture_output=True, text=True, timeout=30)
    except OSError:
        return False
    return told.stdout.strip() == version
