"""Clips whose jobs a farm does: handed over, and looked after when they are collected."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from void_plugin.desk import Desk
from void_plugin.errors import Cancelled, VoidError
from void_plugin.farmsubmit import submit
from void_plugin.farmversion import glance
from void_plugin.hostcall import HostCall

DEFAULT = "default"
"""What people call the farm that the site file names."""
STATUS_SECONDS = 30.0
"""How long a queue manager may take to say how a job stands."""


def to_farm(desk: Desk, call: HostCall) -> dict[str, Any]:
    """Hand the job of a clip to a farm and leave it there, as one is left that a server has.

    Always raises: VoidError where the farm refuses it, else Cancelled with the call left.
    """
    submit(desk, call)
    call.leave()
    raise Cancelled


def farm_args(args: Mapping[str, Any], farm: str) -> dict[str, Any]:
    """The arguments of a job for a farm of this name."""
    return {**args, "farm": "" if farm == DEFAULT else farm}


def stands(folder: Path, environment: Mapping[str, str], check: Callable[[], None]) -> tuple[str, str] | None:
    """State and sentence of a version on a farm; None once it is complete, which is seen to here."""
    try:
        standing = glance(folder, environment, check, STATUS_SECONDS, fetch=True)
    except VoidError as error:
        return ("running" if error.code == "host.taken" else "failed"), error.message
    if standing.manifest is not None:
        return None
    return "running", f"On the farm as {', '.join(standing.jobs)}: {standing.state}. {standing.text}".rstrip()
