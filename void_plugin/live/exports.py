"""Renders of one track by the editor: started, followed, judged by their files, and what they changed restored."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from void_plugin.errors import Cancelled, HostError, VoidError
from void_plugin.frames import FrameRange
from void_plugin.hostcall import HostCall
from void_plugin.live.hostside import HostSide
from void_plugin.live.timelinefacts import LiveShot
from void_plugin.live.verify import Judge, Rendered, discard
from void_plugin.localfiles import disk_error

POLL_SECONDS = 0.25
"""How often the editor is asked how far it is."""
SAVER_SECONDS = 60.0
"""For each frame of a Saver, which the editor renders all at once and without an answer meanwhile."""


@dataclass(frozen=True)
class Export:
    """What one render is to be."""

    shot: LiveShot
    what: str
    """plate, matte, or result for what was placed."""
    track: int
    frames: FrameRange
    """Frames of the timeline."""
    folder: Path
    size: tuple[int, int] | None
    """(height, width) that it must have; None for any."""
    preset: str = ""
    numbers: FrameRange | None = None
    """Numbers that the files get; None for those of the timeline."""
    saver: tuple[str, str] | None = None
    """Composition and name of the Saver that writes it, in place of a track."""


@dataclass(frozen=True)
class Exported:
    """A render that may be used."""

    files: Rendered
    baked: bool
    """True where grade and sizing are in its pixels."""


class Exports:
    """Lets the editor render, one track after the other."""

    def __init__(self, call: HostCall, host: HostSide, judge: Judge, warn: Callable[[LiveShot, str], None]) -> None:
        """`warn` hears what is worth knowing of a clip."""
        self._call, self._host, self._judge, self._warn = call, host, judge, warn

    def run(self, export: Export) -> Exported:
        """Render, and restore the editor whatever happens. Raises VoidError, or Cancelled; then no file is left."""
        self._call.check()
        try:
            export.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise disk_error(error, export.folder) from error
        discard(export.folder, export.what)
        begun = self._host.export_begin(
            shot=export.shot.id,
            what=export.what,
            track=export.track,
            folder=export.folder.as_posix(),
            name=export.what,
            first=export.frames.first,
            last=export.frames.last,
            preset=export.preset,
            saver=list(export.saver or ()),
        )
        job = str(begun["job"])
        try:
            self._follow(export, job)
        except BaseException:
            self._end(export, job)
            discard(export.folder, export.what)
            raise
        # Before the files are judged: the editor is to be the user's again as soon as it has rendered.
        self._end(export, job)
        try:
            numbers = export.numbers or export.frames
            files = self._judge.rendered(export.folder, export.what, numbers, export.size, export.what)
        except BaseException:
            discard(export.folder, export.what)
            raise
        for warning in files.warnings:
            self._warn(export.shot, warning)
        return Exported(files, bool(begun.get("baked", True)))

    def _follow(self, export: Export, job: str) -> None:
        while True:
            self._call.check()
            told = self._host.export_poll(job, SAVER_SECONDS * len(export.frames) if export.saver else 0.0)
            state = str(told.get("state"))
            event = {"kind": "Exporting", "shot": export.shot.name, "what": export.what, "percent": told.get("percent")}
            self._call.tell({**event, "eta_ms": told.get("eta_ms"), "total": len(export.frames)})
            if state == "done":
                return
            if state == "cancelled":
                raise HostError(
                    f"Somebody has stopped the render of the {export.what} of {export.shot.clip} in Resolve."
                )
            if state != "rendering":
                text = str(told.get("text") or "it does not say why; look at its Deliver page")
                raise HostError(f"Resolve could not render the {export.what} of {export.shot.clip}: {text}")
            self._wait()

    def _wait(self) -> None:
        until = time.monotonic() + POLL_SECONDS
        while time.monotonic() < until and not self._call.ended:
            time.sleep(0.05)

    def _end(self, export: Export, job: str) -> None:
        """Restore the editor; what cannot be restored is told, and does not hide how the render went."""
        if self._host.gone:  # it restores itself
            return
        try:
            failed = self._host.export_end(job)
        except (VoidError, Cancelled) as error:
            failed = [error.message if isinstance(error, VoidError) else "it was cancelled"]
        for text in failed:
            self._warn(export.shot, f"Resolve was not wholly restored: {text}")
