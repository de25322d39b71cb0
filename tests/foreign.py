"""Programs that tests need in a Python of their own, because what they pin does not go together with ours.

Each is a virtual environment below the temporary folder, made once for a set of requirements. It is made where
$VOID_REQUIRE names it; otherwise a test uses one that is there and is skipped where none is.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest

PLACE = Path(tempfile.gettempdir()) / f"void-foreign-{os.getuid()}"
"""Asked for at once: tests give programs other temporary folders."""
REQUIREMENTS: Mapping[str, tuple[str, ...]] = {
    "deadline-cloud": ("deadline==0.60.10",),
    # pyoutline imports packaging without saying so.
    "opencue": (
        "opencue-pyoutline==1.37.0",
        "opencue-pycue==1.37.0",
        "opencue-rqd==1.37.0",
        "packaging",
    ),
}


def foreign_bin(name: str) -> Path:
    """The folder of programs of one environment. Skips the test where it is not there and not required."""
    needs = REQUIREMENTS[name]
    digest = hashlib.sha256("\n".join((sys.version, *needs)).encode()).hexdigest()[:12]
    folder = PLACE / f"{name}-{digest}"
    if not (folder / "bin").is_dir():
        if not is_required(name):
            pytest.skip(f"{name} is not installed for tests; VOID_REQUIRE={name} installs it")
        _make(folder, needs)
    return folder / "bin"


def is_required(name: str) -> bool:
    """True where $VOID_REQUIRE names it: then what is absent fails a test and does not skip it."""
    return name in os.environ.get("VOID_REQUIRE", "").replace(",", " ").split()


def _make(folder: Path, needs: tuple[str, ...]) -> None:
    folder.parent.mkdir(mode=0o755, exist_ok=True)
    if folder.parent.stat().st_uid != os.getuid():
        pytest.fail(f"{folder.parent} is another user's")
    with open(folder.parent / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests that run side by side want the same one
        if folder.is_dir():
            return
        made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".new-"))
        pip = [sys.executable, "-m", "pip", "--python", str(made / "bin" / "python"), "install", "-qq"]
        try:
            subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(made)], check=True)
            subprocess.run([*pip, "--disable-pip-version-check", *needs], check=True)
            # Scripts name the folder they were made in, so they are told the final one before it is there.
            for script in (made / "bin").iterdir():
                if script.is_file() and not script.is_symlink():
                    script.write_bytes(script.read_bytes().replace(bytes(made), bytes(folder)))
            made.rename(folder)
        finally:
            shutil.rmtree(made, ignore_errors=True)
