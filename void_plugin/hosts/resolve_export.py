"""Frames of one track of the timeline as OpenEXR files, rendered by Resolve, which afterwards is as it was before.

One at a time. Begin changes Resolve, poll says how far it is, end puts everything back; so does a begin that fails,
and `recover` for a process that did not live to do it.
"""

import time
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Tuple

from void_plugin.errors import HostError
from void_plugin.hosts import resolve_fusion as fusion
from void_plugin.hosts import resolve_snapshot as snapshot
from void_plugin.hosts.resolve_api import CODE, Project, Resolve, Timeline
from void_plugin.hosts.resolve_context import RENDERING, gate, rate_of_timeline, size_of_timeline
from void_plugin.hosts.resolve_memory import UNDER_WAY, Memory
from void_plugin.hosts.resolve_queue import (
    CANCELLED,
    COMPLETE,
    FAILED,
    choose_format,
    forget_jobs,
    load_base,
)
from void_plugin.hosts.resolve_shots import Placed, shelf, shot_of

START_SECONDS = 30.0
"""So long may a job be queued, or between two frames, without Resolve rendering anything."""
MOST_TRIES = 3
"""So many runs try to put back what one has left."""
SINGLE_CLIP = 1
BURN_IN = "DataBurnIn"
BAKED = "Grade and sizing are baked into this {}, because there is no render preset {!r}."
MATTE = "The matte is rendered as the track shows it."
PRESET = "Rendered with your preset {!r}."


class _Open:
    """An export that has begun."""

    def __init__(self, project: Project, state: snapshot.State, what: str, seen: float) -> None:
        self.project, self.state, self.what = project, state, what
        self.seen = seen
        """When Resolve was last seen to render."""
        self.saver: Optional[fusion.Wanted] = None
        """What a Fusion composition is to write, in place of a job of the queue."""


class Export:
    """The exports of one host process."""

    def __init__(
        self,
        resolve: Resolve,
        memory: Memory,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`memory` keeps what must be put back."""
        self._resolve, self._memory, self._clock, self._sleep = resolve, memory, clock, sleep
        self._open: Optional[_Open] = None

    def begin(self, args: Mapping[str, Any]) -> Dict[str, Any]:
        """Change Resolve as an export needs it and start the render. Raises HostError with everything put back."""
        if self._open is not None:
            raise HostError("An export is open already; end it first.", "host.call")
        project, timeline = gate(self._resolve)
        if project.is_rendering():
            raise HostError(RENDERING, CODE)
        self._memory.check(project.id())
        if args.get("saver"):
            return self._begin_saver(project, timeline, args)
        wanted = _Wanted(project, timeline, args)
        changes = wanted.changes()
        state = snapshot.read(self._resolve, project, timeline, self._memory.names())
        state["folder"] = wanted.folder
        self._memory.claim(state["preset"], state)
        with self._undone(project, state):
            self._prepare(project, timeline, state, changes)
            result = self._render(project, timeline, state, wanted)
        self._open = _Open(project, state, wanted.what, self._clock())
        return result

    def _begin_saver(self, project: Project, timeline: Timeline, args: Mapping[str, Any]) -> Dict[str, Any]:
        wanted = fusion.Wanted(project, timeline, args)
        state = wanted.state()
        self._memory.claim(state["preset"], state)
        with self._undone(project, state):
            wanted.prepare()
        self._open = _Open(project, state, str(args["what"]), self._clock())
        self._open.saver = wanted
        return fusion.begun(state)

    @contextmanager
    def _undone(self, project: Project, state: snapshot.State) -> Iterator[None]:
        """What fails inside is put back; what then stays otherwise, the error says."""
        try:
            yield
        except BaseException as error:
            left = self._put_back(project, state)[1]
            if left and isinstance(error, HostError):
                raise HostError("{} {}".format(error.message, " ".join(left)), error.code) from error
            raise

    def _prepare(
        self, project: Project, timeline: Timeline, state: snapshot.State, changes: List[Tuple[int, bool]]
    ) -> None:
        project.save_render_preset(state["preset"])
        state["saved"] = True
        self._memory.keep(state["preset"], state)
        if state["page"]:  # there is none without windows
            self._resolve.open_page("edit")
        if not state["playhead"]:  # the Fusion page does not say
            state["playhead"] = timeline.playhead()
            self._memory.keep(state["preset"], state)
        for track, enabled in changes:
            timeline.enable_track(track, enabled)

    def _render(self, project: Project, timeline: Timeline, state: snapshot.State, wanted: "_Wanted") -> Dict[str, Any]:
        own_preset = load_base(project, wanted.preset)
        project.set_render_mode(SINGLE_CLIP)
        codec = choose_format(project)[1]
        _set_settings(project, wanted.settings(timeline, own_preset))
        state["job"] = project.add_render_job()
        self._memory.keep(state["preset"], state)
        project.start_render(state["job"])
        text = PRESET.format(wanted.preset) if own_preset else BAKED.format(wanted.what, wanted.preset or "VOID Plate")
        if wanted.what == "matte":
            text = MATTE
        return {"job": state["job"], "codec": codec, "baked": not own_preset, "text": text}

    def poll(self, job: str) -> Dict[str, Any]:
        """How far the render is. Whether the files are right, only the files can say."""
        found = self._opened(job)
        self._memory.touch(found.state["preset"])
        if found.saver is not None:
            return self._poll_saver(found, found.saver)
        if job not in found.project.render_jobs():
            return _progress("cancelled", 0, 0, "The render job was deleted in Resolve.")
        status, rendering = found.project.render_status(job), found.project.is_rendering()
        text = "Resolve renders the {}: {} %.".format(found.what, status.percent)
        if status.status == FAILED:
            why = status.error.rstrip(".") or "it does not say why"
            return _progress(
                "failed", status.percent, 0, "Resolve could not render the {}: {}.".format(found.what, why)
            )
        if status.status == CANCELLED:
            return _progress("cancelled", status.percent, 0, "The render was stopped in Resolve.")
        # A job of EXR files may stay at Rendering with all of its frames written.
        if status.status == COMPLETE or (status.percent >= 100 and not rendering):
            return _progress("done", 100, 0, "Resolve has rendered the {}.".format(found.what))
        if rendering:
            found.seen = self._clock()
        elif self._clock() - found.seen > START_SECONDS:
            text = "Resolve does not go on with the {} (at {} %, {!r}); see that it shows no dialog, and try again."
            return _progress("failed", status.percent, 0, text.format(found.what, status.percent, status.status))
        return _progress("rendering", status.percent, status.eta_ms, text)

    def _poll_saver(self, found: _Open, saver: fusion.Wanted) -> Dict[str, Any]:
        """All of it at once: no other way to render a composition is known to keep what moves through its frames."""
        try:
            saver.render()
        except HostError as error:
            return _progress("failed", 0, 0, error.message)
        return _progress("done", 100, 0, "Fusion has rendered the {}.".format(found.what))

    def end(self, job: str) -> Dict[str, Any]:
        """Put everything back, whatever has become of the render; nothing where that was done. Never raises."""
        found, self._open = self._open, None
        if found is None or found.state["job"] != job:
            self._open = found
            return {"restored": [], "failed": []}
        restored, failed = self._put_back(found.project, found.state)
        return {"restored": restored, "failed": failed}

    def close(self) -> List[str]:
        """End what is open, because nobody else will; returns what could not be put back."""
        return [] if self._open is None else list(self.end(self._open.state["job"])["failed"])

    def recover(self) -> Dict[str, Any]:
        """Put back what processes have left that did not live to do it, and sweep temporary presets of ours."""
        restored: List[str] = []
        failed: List[str] = []
        kept: List[str] = [] if self._open is None else [self._open.state["preset"]]
        project = gate(self._resolve)[0]
        for record in self._memory.all():
            state = record.state
            if state["preset"] in kept:
                continue
            if self._memory.is_fresh(record) and project.is_rendering():
                kept.append(state["preset"])
                failed.append(UNDER_WAY)
                continue
            if state["project"]["id"] != project.id():  # until that is open, or for good
                kept.append(state["preset"])
                self._memory.expire(record)
                continue
            state["tries"] = state.get("tries", 0) + 1
            done, left = self._put_back(project, state)
            restored += done
            failed += left
            if left and state["tries"] < MOST_TRIES:
                kept.append(state["preset"])
            elif left:  # what could not be done so often never can
                self._memory.forget(state["preset"])
        done, left = snapshot.sweep(self._resolve, kept)
        return {"restored": restored + done, "failed": failed + left}

    def _put_back(self, project: Project, state: snapshot.State) -> snapshot.Restored:
        """Delete our job and restore the rest; the record goes where nothing is left to do."""
        if fusion.KEY in state:
            restored, failed = fusion.restore(self._resolve, state)
        else:
            left = forget_jobs(project, state, self._sleep)
            restored, failed = snapshot.restore(self._resolve, state)
            failed = left + failed
        if not failed:
            self._memory.forget(state["preset"])
            return restored, failed
        try:
            self._memory.leave(state["preset"], state)
        except HostError as error:
            failed.append(error.message)
        return restored, failed

    def _opened(self, job: str) -> _Open:
        if self._open is None or self._open.state["job"] != job:
            raise HostError("No export with the render job {!r} is open.".format(job), "host.call")
        return self._open


class _Wanted:
    """What an export is asked for, checked against the timeline."""

    def __init__(self, project: Project, timeline: Timeline, args: Mapping[str, Any]) -> None:
        self.what, self.preset = str(args["what"]), str(args.get("preset") or "")
        self.folder, self.name = str(args["folder"]), str(args["name"])
        self.first, self.last = int(args["first"]), int(args["last"])
        self._timeline = timeline
        self._all = shelf(timeline)
        self._shot: Placed = shot_of(project, timeline, str(args["shot"]))
        # The plate's own track is where its clip lies now; mattes and what a round trip has placed lie elsewhere.
        self._track = self._shot.track if self.what == "plate" else int(args["track"])
        if self.first > self.last:
            raise HostError("Frames {}-{} are none to export.".format(self.first, self.last), "host.call")
        if self._track not in self._all.names:
            raise HostError("The timeline has no video track {}; look at its tracks.".format(self._track), CODE)
        if self.what == "plate" and not self._shot.item.is_enabled():
            raise HostError("{} is switched off; enable the clip.".format(self._shot.item.label()), CODE)

    def changes(self) -> List[Tuple[int, bool]]:
        """Which tracks are to be shown or muted, so that nothing but the wanted one is seen. Raises HostError.

        Those that show nothing there stay as they are, and so do locked ones: they are the user's to change.
        """
        over = {one.track for one in self._all.placed if one.start <= self.last and self.first < one.end}
        found = []
        for track in sorted(over | {self._track}):
            wanted = track == self._track
            if self._timeline.is_track_enabled(track) == wanted:
                continue
            if self._all.locked[track]:
                text = "The track {} is locked and would have to be {} for the render (Timeline.SetTrackEnable); {} it."
                what = ("shown", "show") if wanted else ("muted", "unlock or mute")
                raise HostError(text.format(self._all.names[track] or track, *what), CODE)
            found.append((track, wanted))
        return found

    def settings(self, timeline: Timeline, own_preset: bool) -> Dict[str, Any]:
        """The render settings; the size is left to a preset of the user's, which may render source resolution."""
        found: Dict[str, Any] = {
            "SelectAllFrames": False,
            "MarkIn": self.first,
            "MarkOut": self.last,
            "TargetDir": self.folder,
            "CustomName": self.name.rstrip(".") + ".",
            "ExportVideo": True,
            "ExportAudio": False,
            "ExportAlpha": False,
            "ExportSubtitle": False,
            "FrameRate": rate_of_timeline(timeline).fps,
            BURN_IN: "None",
        }
        width, height = size_of_timeline(timeline)
        if not own_preset and width and height:
            found.update(FormatWidth=width, FormatHeight=height)
        return found


def _set_settings(project: Project, settings: Dict[str, Any]) -> None:
    """Set them all at once; a Resolve that is too old for the switch of burn-ins refuses all because of it."""
    try:
        project.set_render_settings(settings)
    except HostError:
        project.set_render_settings({key: value for key, value in settings.items() if key != BURN_IN})


def _progress(state: str, percent: int, eta_ms: int, text: str) -> Dict[str, Any]:
    return {"state": state, "percent": percent, "eta_ms": eta_ms, "text": text}
