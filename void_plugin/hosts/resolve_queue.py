"""One render job of ours in the user's queue: what is rendered, how far it is, and that it goes again.

Nothing here touches a job of anybody else.
"""

import time
from typing import Callable, List, Tuple

from void_plugin.errors import HostError
from void_plugin.hosts.resolve_api import CODE, Project
from void_plugin.hosts.resolve_render import JobStatus
from void_plugin.hosts.resolve_snapshot import State

EXR = "exr"
CODECS = ("RGBHalfZIP", "RGBHalfPIZ", "RGBHalf", "RGBHalfZIP1", "RGBHalfRLE", "RGBFloatZIP", "RGBFloat")
"""Ids of codecs, the best first: all without loss. Their labels differ between versions, these do not."""
KNOWN_PRESETS = ("H.264 Master", "ProRes 422 HQ", "H.265 Master", "YouTube - 1080p", "YouTube 1080p")
"""Presets of Resolve's own that hold a picture: what settings leave open comes from the preset loaded last."""
TRIES = 5
STOP_SECONDS = 20.0
_WAIT = 0.2
READY, RUNNING, COMPLETE, FAILED, CANCELLED = "Ready", "Rendering", "Complete", "Failed", "Cancelled"


def choose_format(project: Project) -> Tuple[str, str]:
    """Set OpenEXR with the best codec there is, and return the ids of both. Raises HostError.

    What a preset has chosen stays where it is one of ours.
    """
    formats = project.render_formats()
    if EXR not in formats.values():
        raise HostError(
            "This Resolve renders no OpenEXR (Project.GetRenderFormats gives {}); use the source files, or update "
            "Resolve.".format(", ".join(sorted(formats.values())) or "nothing"),
            CODE,
        )
    current = project.render_format()
    if current.get("format") == EXR and current.get("codec") in CODECS:
        return EXR, current["codec"]
    there = project.render_codecs(EXR).values()
    codec = next((codec for codec in CODECS if codec in there), None)
    if codec is None:
        raise HostError(
            "Resolve offers no lossless OpenEXR codec (Project.GetRenderCodecs gives {}); use the source files, or "
            "update Resolve.".format(", ".join(sorted(there)) or "nothing"),
            CODE,
        )
    project.set_render_format(EXR, codec)
    return EXR, codec


def load_base(project: Project, wanted: str) -> bool:
    """Load the user's preset where it is there, and say so; else a known one of Resolve's that holds a picture."""
    there = project.render_presets()
    if wanted and wanted in there:
        project.load_render_preset(wanted)
        return True
    known = next((name for name in KNOWN_PRESETS if name in there), None)
    if known is not None:
        project.load_render_preset(known)
    return False


def ours(project: Project, state: State) -> List[str]:
    """Ids of the jobs that an export has added: the one it knows of, and new ones that write to its folder."""
    there = project.render_jobs()
    found = [job for job, folder in there.items() if job not in state["jobs"] and _same(folder, state["folder"])]
    return sorted(set(found) | ({state["job"]} & set(there)))


def _same(first: str, second: str) -> bool:
    return bool(second) and first.replace("\\", "/").rstrip("/") == second.replace("\\", "/").rstrip("/")


def forget_jobs(project: Project, state: State, sleep: Callable[[float], None] = time.sleep) -> List[str]:
    """Stop and delete the jobs of an export; returns what is left, as sentences. Never raises for what is refused."""
    wrong = ""
    for _ in range(TRIES):
        try:
            left = ours(project, state)
            if not left:
                return []
            for job in left:
                _stop(project, job, sleep)
                project.delete_render_job(job)
            wrong = "Resolve keeps the render job {} (Project.DeleteRenderJob); delete it on the Deliver page.".format(
                ", ".join(left)
            )
        except HostError as error:
            wrong = error.message
    try:
        return [wrong] if ours(project, state) else []
    except HostError as error:
        return [error.message]


def _stop(project: Project, job: str, sleep: Callable[[float], None]) -> None:
    """Stop a render that is of this very job: one that has all frames may stay at Rendering for ever."""
    if not _runs(project.render_status(job)) or not project.is_rendering():
        return
    project.stop_render()
    waited = 0.0
    while project.is_rendering() and waited < STOP_SECONDS:
        sleep(_WAIT)
        waited += _WAIT


def _runs(status: JobStatus) -> bool:
    """True for a job that is being rendered; where Resolve says so in another language, that it has an ETA tells."""
    if status.percent >= 100 or status.status in (READY, COMPLETE, FAILED, CANCELLED):
        return False
    return status.status == RUNNING or status.eta_ms > 0
