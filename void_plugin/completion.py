"""The last step of a version, whoever has rendered it: its manifest, which makes it one."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from void_plugin.inputfiles import FOLDER, Check, digest_of
from void_plugin.jobrecord import JobRecord
from void_plugin.manifest import commit, read_manifest
from void_plugin.request import RemovalRequest


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
    return manifest


def completed(folder: Path) -> dict[str, Any]:
    """The manifest of a version that is complete. Raises HostError where it cannot be read."""
    manifest = read_manifest(folder)
    _let_inputs_go(folder)  # whoever committed it may have died just before
    return manifest


def _let_inputs_go(folder: Path) -> None:
    shutil.rmtree(folder / FOLDER, ignore_errors=True)  # not worth an error now that all is there
