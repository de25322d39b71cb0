"""Programs that tests need in a Python of their own, because what they pin does not go together with ours.

Each is a virtual environment below the temporary folder, made once for a set of requirements by the first test that
needs it, while others run. Where pip finds no index its tests are skipped, save where $VOID_REQUIRE names it.
"""

from __future__ import annotations

import fcntl
import functools
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
    """The folder of programs of one environment. Skips the test where it cannot be made and is not required."""
    folder, problem = _made(name)
    if problem:
        (pytest.fail if is_required(name) else pytest.skip)(f"{name} cannot be installed for tests: {problem}")
    return folder / "bin"


def is_required(name: str) -> bool:
    """True where $VOID_REQUIRE names it: then what is absent fails a test and does not skip it."""
    return name in os.environ.get("VOID_REQUIRE", "").replace(",", " ").split()


@functools.cache  # one that fails is not tried again for each test
def _made(name: str) -> tuple[Path, str]:
    """The folder of an environment, and why it is not there; empty where it is."""
    needs = REQUIREMENTS[name]
    digest = hashlib.sha256("\n".join((sys.version, *needs)).encode()).hexdigest()[:12]
    folder = PLACE / f"{name}-{digest}"
    PLACE.mkdir(mode=0o755, exist_ok=True)
    if PLACE.stat().st_uid != os.getuid():
        return folder, f"{PLACE} is another user's"
    with open(PLACE / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests that run side by side want the same one
        return folder, "" if folder.is_dir() else _make(folder, needs)


def _make(folder: Path, needs: tuple[str, ...]) -> str:
    """Make an environment; gives pip's last words where it cannot."""
    made = Path(tempfile.mkdtemp(dir=PLACE, prefix=".new-"))
    pip = [sys.executable, "-m", "pip", "--python", str(made / "bin" / "python"), "--disable-pip-version-check"]
    try:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(made)], check=True)
        install = [*pip, "install", "-qq", "--retries", "1", "--timeout", "10", *needs]
        done = subprocess.run(install, capture_output=True, text=True, check=False)
        if done.returncode:
            return done.stderr.strip().rpartition("\n")[2] or f"pip ended with {done.returncode}"
        # Scripts name the folder they were made in, so they are told the final one before it is there.
        for script in (made / "bin").iterdir():
            if script.is_file() and not script.is_symlink():
                script.write_bytes(script.read_bytes().replace(bytes(made), bytes(folder)))
        made.rename(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return ""
