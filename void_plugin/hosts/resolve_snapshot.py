"""What an export changes in Resolve, read before and put back after: each part on its own, the last one first.

Resolve shows its render settings to nobody, so they are kept as a temporary preset, which is loaded and deleted.
"""

import itertools
import os
import time
from functools import partial
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from void_plugin.errors import HostError
from void_plugin.hosts.resolve_api import CODE, Bin, Project, Resolve, Timeline, refused
from void_plugin.hosts.resolve_context import gate

PRESETS = "VOID_restore_"
"""How the names of our temporary presets begin."""
TRIES = 3
"""A call may be refused once or twice for no reason."""
SETTINGS, TEMPORARY = "render settings", "temporary render preset"
FORMAT, MODE, MARKS = "render format", "render mode", "in and out marks"

State = Dict[str, Any]
Restored = Tuple[List[str], List[str]]
"""What is as before, by name; and what is not, as sentences."""


def read(resolve: Resolve, project: Project, timeline: Timeline, taken: Sequence[str] = ()) -> State:
    """All that an export may change, as plain values that outlive this process. Changes nothing. Raises HostError.

    `taken` are the names of records that must stay: one may be left of an export whose preset has gone.
    """
    pool_bin = project.pool().current()
    tracks = range(1, timeline.tracks() + 1)
    return {
        "since": time.time(),
        "preset": _free_name([*project.render_presets(), *taken]),
        "saved": False,
        "project": {"id": project.id(), "name": project.name()},
        "timeline": {"id": timeline.id(), "name": timeline.name()},
        "page": resolve.page(),
        "playhead": timeline.playhead(),
        "bin": pool_bin.id() if pool_bin is not None else "",
        "marks": timeline.marks(),
        "tracks": {str(track): timeline.is_track_enabled(track) for track in tracks},
        "mode": project.render_mode(),
        "format": project.render_format(),
        "jobs": sorted(project.render_jobs()),
        "folder": "",
        "job": "",
        "done": [],
    }


def _free_name(taken: List[str]) -> str:
    names = ("{}{}_{}".format(PRESETS, os.getpid(), number) for number in itertools.count(1))
    return next(name for name in names if name not in taken)


def restore(resolve: Resolve, state: State, parts: Optional[Sequence[str]] = None) -> Restored:
    """Put back everything that is not yet, or only the parts of these names; `done` of the state gets what is.

    Never raises for what Resolve refuses.
    """
    found: List[Project] = []
    wrong = tried(lambda: found.append(project_of(resolve, state)))
    if wrong:
        return [], [wrong]
    restored, failed = [], []
    state.setdefault("done", [])
    for name, step in _steps(resolve, found[-1], state):
        if name in state["done"] or (parts is not None and name not in parts):
            continue
        if name == TEMPORARY and SETTINGS not in state["done"]:
            continue  # it is needed as long as the settings are not as before
        wrong = tried(step)
        if wrong:
            failed.append("The {} could not be restored: {}".format(name, wrong))
        else:
            if name == SETTINGS:  # which has changed these
                state["done"] = [other for other in state["done"] if other not in (FORMAT, MODE, MARKS)]
            state["done"].append(name)
            restored.append(name)
    return restored, failed


def tried(step: Callable[[], None]) -> str:
    """Empty where a step went well at last, else why not."""
    text = ""
    for _ in range(TRIES):
        try:
            step()
            return ""
        except HostError as error:
            text = error.message
    return text


def project_of(resolve: Resolve, state: State) -> Project:
    """The project of a state. Raises HostError where it is not the one that is open."""
    project = resolve.project() if resolve.is_studio() else None
    if project is None or project.id() != state["project"]["id"]:
        raise HostError(
            "The project {} is not open in Resolve; open it, and run VOID again to have its settings restored.".format(
                state["project"]["name"]
            ),
            CODE,
        )
    return project


def _steps(resolve: Resolve, project: Project, state: State) -> List[Tuple[str, Callable[[], None]]]:
    """The parts in the order in which they are put back: tracks and marks need the timeline, which needs no page."""

    def timeline() -> Optional[Timeline]:
        return _current(project, state)

    return [
        (SETTINGS, lambda: _load_preset(project, state)),
        (FORMAT, lambda: _restore_format(project, state)),
        (MODE, lambda: project.set_render_mode(state["mode"])),
        (TEMPORARY, lambda: project.delete_render_preset(state["preset"])),
        ("timeline", lambda: _restore_timeline(project, state)),
        ("video tracks", lambda: _restore_tracks(timeline(), state)),
        (MARKS, lambda: _restore_marks(timeline(), state)),
        ("playhead", lambda: _restore_playhead(timeline(), state)),
        ("bin", lambda: _restore_bin(project, state)),
        ("page", lambda: _restore_page(resolve, state)),
    ]


def _current(project: Project, state: State) -> Optional[Timeline]:
    """The timeline of a state, made the current one: others answer falsely about their tracks. Raises HostError.

    None where the user has deleted it meanwhile: then there is nothing on it to put back.
    """
    current = project.timeline()
    if current is not None and current.id() == state["timeline"]["id"]:
        return current
    there = project.timelines()
    if not there:  # which is no answer: it had one
        raise refused("Project.GetTimelineCount", [], "finds no timeline")
    found = next((timeline for timeline in there if timeline.id() == state["timeline"]["id"]), None)
    if found is not None:
        project.open_timeline(found)
    return found


def _restore_timeline(project: Project, state: State) -> None:
    _current(project, state)


def _restore_page(resolve: Resolve, state: State) -> None:
    if state["page"]:  # there is none without windows
        resolve.open_page(state["page"])


def _load_preset(project: Project, state: State) -> None:
    if state["saved"]:
        project.load_render_preset(state["preset"])


def _restore_format(project: Project, state: State) -> None:
    """Loading a preset does not always bring them along."""
    wanted = state["format"]
    if wanted.get("format") and wanted.get("codec") and project.render_format() != wanted:
        project.set_render_format(wanted["format"], wanted["codec"])


def _restore_tracks(timeline: Optional[Timeline], state: State) -> None:
    count = timeline.tracks() if timeline is not None else 0
    for number, enabled in sorted(state["tracks"].items()):
        if timeline is None or int(number) > count:  # the user has deleted it meanwhile
            continue
        if timeline.is_track_enabled(int(number)) != enabled:
            timeline.enable_track(int(number), enabled)


def _restore_marks(timeline: Optional[Timeline], state: State) -> None:
    if timeline is not None and state["marks"] is not None:
        timeline.set_marks({kind: (int(pair[0]), int(pair[1])) for kind, pair in state["marks"].items()})


def _restore_playhead(timeline: Optional[Timeline], state: State) -> None:
    wanted = state["playhead"]
    if timeline is not None and wanted and timeline.playhead() != wanted and not timeline.move_playhead(wanted):
        raise refused("Timeline.SetCurrentTimecode", [wanted], "left it at {}".format(timeline.playhead()))


def _restore_bin(project: Project, state: State) -> None:
    pool = project.pool()
    current = pool.current()
    if not state["bin"] or (current is not None and current.id() == state["bin"]):
        return
    found = _find_bin(pool.root(), state["bin"])
    if found is not None:  # one that was deleted meanwhile cannot be open
        pool.open(found)


def _find_bin(folder: Bin, unique: str) -> Optional[Bin]:
    if folder.id() == unique:
        return folder
    return next(filter(None, (_find_bin(inner, unique) for inner in folder.bins())), None)


def sweep(resolve: Resolve, kept: List[str]) -> Restored:
    """Delete temporary presets of ours that no record speaks of."""
    restored, failed = [], []
    project = gate(resolve)[0]
    for name in project.render_presets():
        if name.startswith(PRESETS) and name not in kept:
            wrong = tried(partial(project.delete_render_preset, name))
            if wrong:
                failed.append(wrong)
            else:
                restored.append("{} {}".format(TEMPORARY, name))
    return restored, failed
