"""The last step of a version, whoever has rendered it: its manifest, which makes it one."""

import contextlib
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from void_plugin.claim import claimed
from void_plugin.errors import VoidError
from void_plugin.inputfiles import FOLDER, Check, digest_of
from void_plugin.jobrecord import NAME as RECORD
from void_plugin.jobrecord import JobRecord
from void_plugin.localfiles import left_in
from void_plugin.manifest import NAME as MANIFEST
from void_plugin.manifest import commit, read_manifest
from void_plugin.request import RemovalRequest

_OURS = (RECORD, MANIFEST, "request.json")
"""Files of a version folder that only who holds it writes."""


def complete(
    folder: Path, record: JobRecord, requests: Mapping[str, RemovalRequest], seconds: float, check: Check
) -> dict[str, Any]:
    """Commit a version all of whose views have finished, let its inputs go, and return its manifest.

    The folder is held by the caller. Raises VoidError where that is not possible, and what `check` raises.
    """
    digest = digest_of(folder, requests, check)
    manifest = commit(folder, record, digest, max(0.0, seconds))
    replace(record, state="done").save(folder)
    _let_inputs_go(folder)
    _remove(left_in(folder, _OURS))
    return manifest


def completed(folder: Path, held: bool = False) -> dict[str, Any]:
    """The manifest of a version that is complete; `held` by the caller or not. Raises HostError where it is damaged."""
    manifest = read_manifest(folder)
    _let_inputs_go(folder)  # whoever committed it may have died just before
    left = left_in(folder, _OURS)
    if left and held:
        _remove(left)
    elif left:
        with contextlib.suppress(VoidError), claimed(folder, ""):  # who holds it does the same
            _remove(left)
    return manifest


def _let_inputs_go(folder: Path) -> None:
    shutil.rmtree(folder / FOLDER, ignore_errors=True)  # not worth an error now that all is there


def _remove(left: list[Path]) -> None:
    for path in left:
        with contextlib.suppress(OSError):
            path.unlink()
