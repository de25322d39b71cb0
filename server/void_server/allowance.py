"""What a server lets one job do, as values that every step of the job can be given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from void_server.beneath import Roots


@dataclass(frozen=True)
class Allowance:
    """Where a job may read and write, how large frames may be, and which files it stands on."""

    roots: Roots | None = None
    """Folders below which every file is opened; None opens them as this user can."""
    max_pixels: int = 0
    """Most pixels of one frame; 0 means any number."""
    digests: Mapping[str, Mapping[str, str]] | None = None
    """SHA-256 by input and frame number where files were uploaded: they say more than sizes and times."""
    engine: str = ""
    """The engine that the server chose; empty leaves the choice to the request."""
    reason: str = ""
    """Why it chose that one."""
    device: str = ""
    """Name of the device this runs on; empty takes the engine's own word."""


ANYTHING = Allowance()
"""The allowance of a job that somebody runs on their own machine."""
