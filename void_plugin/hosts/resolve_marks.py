"""Our markers on the clips of a timeline of Resolve: what was sent, what came of it, and where its files are.

A job has one marker, found by its tag. Markers of the user's own, whatever they are called, are never changed.
"""

from typing import Any, Dict, List, Mapping, Optional, Tuple

from void_plugin.errors import HostError
from void_plugin.hosts import resolve_tags as tags
from void_plugin.hosts.resolve_api import (
    CODE,
    Item,
    Marker,
    Project,
    Resolve,
    Timeline,
    find_item,
    items_by_track,
    refused,
)
from void_plugin.hosts.resolve_tracks import locked
from void_plugin.hosts.resolve_undo import Undo
from void_plugin.hosts.resolve_visit import check, visit

COLORS = {"sent": "Yellow", "partial": "Yellow", "done": "Green", "failed": "Red"}
"""Colour of a marker by the state of its job; partial is placed, with something to look at."""
CANCELLED = "cancelled"
"""State of a job of which nothing is left, not even a marker."""
TRIES = 16
"""Frames of a clip that are tried: Resolve takes no second marker on a frame, and hides those of other takes."""


def mark(resolve: Resolve, args: Mapping[str, Any]) -> Dict[str, Any]:
    """Show the state of a job on its clip; a marker that it has there already is replaced. Raises HostError.

    The marker of a job that was cancelled is taken away.
    """
    state, shot = str(args.get("state")), str(args.get("shot"))
    color = COLORS.get(state)
    if color is None and state != CANCELLED:
        known = ", ".join(sorted([*COLORS, CANCELLED]))
        raise HostError("A job is marked as {}, not as {!r}.".format(known, state), CODE)
    project = _project(resolve)
    timeline, track, item = _find(project, shot)
    values = {"job": str(args.get("job")), "folder": str(args.get("folder")), "state": state}
    wanted: Optional[Marker] = None
    if color is None:
        old = [marker for marker, found in ours(item) if found.get("job") == values["job"]]
    else:
        wanted = Marker(0, color, tags.MARKER, str(args.get("note") or ""), 1, tags.tag(values))
        old = [one for one, found in ours(item) if found.get("job") == values["job"] or found.get("state") != "sent"]
    current = project.timeline()
    if current is not None and current.id() == timeline.id():
        _replace(timeline, track, item, old, wanted)
    else:
        with visit(resolve, project, timeline) as left:
            _replace(timeline, track, item, old, wanted)
        check(left)
    return {}


def _replace(timeline: Timeline, track: int, item: Item, old: List[Marker], wanted: Optional[Marker]) -> None:
    if timeline.is_track_locked(track):
        raise locked(timeline, track)
    with Undo() as undo:
        new = wanted.data if wanted is not None else ""
        undo.add("the marker of {}".format(item.name()), lambda: _put_back(item, old, new))
        for marker in old:
            _delete(item, marker.data)
        if wanted is not None:
            _add(item, wanted, [marker.frame for marker in old])


def jobs(resolve: Resolve) -> Dict[str, Any]:
    """All jobs that have a marker on the current timeline, by record frame."""
    timeline = _project(resolve).timeline()
    found = []
    for _, item in items_by_track(timeline) if timeline is not None else ():
        for _, values in ours(item):
            texts = {key: str(values.get(key) or "") for key in ("job", "folder", "state")}
            found.append(dict(texts, shot=item.id(), name=item.name(), record=[item.start(), item.end()]))
    return {"jobs": sorted(found, key=lambda one: one["record"])}


def ours(item: Item) -> List[Tuple[Marker, Dict[str, Any]]]:
    """Our markers on an item, with the values of their tags."""
    found = [(marker, tags.values(marker.data)) for marker in item.markers()]
    return [(marker, values) for marker, values in found if values is not None]


def remove_marks(item: Item) -> int:
    """Take all of our markers off an item; returns how many. Raises HostError where one stays."""
    found = ours(item)
    for marker, _ in found:
        _delete(item, marker.data)
    return len(found)


def _find(project: Project, shot: str) -> Tuple[Timeline, int, Item]:
    """A clip of any timeline: the user may have gone to another one since. Raises HostError."""
    for timeline in project.timelines():
        found = find_item(timeline, shot)
        if found is not None:
            return (timeline, *found)
    text = "The clip {!r} is no longer on any timeline of this project, so its job cannot be marked on it."
    raise HostError(text.format(shot), CODE)


def _project(resolve: Resolve) -> Project:
    project = resolve.project()
    if project is None:
        raise HostError("Resolve has no project open; open the one with the shots.", CODE)
    return project


def _add(item: Item, wanted: Marker, frames: List[int]) -> None:
    """Set a marker on one of some frames, else on the first free one that shows.

    A marker of an item stands at a frame of its clip: one before the frame that the item starts with is never seen.
    """
    first = item.left_offset() or 0
    taken = {marker.frame for marker in item.markers()}
    free = [first + index for index in range(min(TRIES + len(taken), item.duration())) if first + index not in taken]
    for frame in [frame for frame in frames if frame in free] + free[:TRIES]:
        item.add_marker(wanted._replace(frame=frame))
        if any(marker.data == wanted.data for marker in item.markers()):
            return
    why = "set no marker on {}".format(item.name())
    raise refused("TimelineItem.AddMarker", [first, wanted.color, wanted.name], why, "delete a marker of that clip")


def _delete(item: Item, data: str) -> None:
    if not item.delete_marker(data):
        raise refused(
            "TimelineItem.DeleteMarkerByCustomData", [data], "left the marker of {} there".format(item.name())
        )


def _put_back(item: Item, old: List[Marker], new: str) -> None:
    """What was there before; `new` is the tag of the marker that was to be set."""
    present = item.markers()
    for marker in present:
        if new and marker.data == new and marker not in old:
            _delete(item, new)
    for marker in old:
        if marker not in present and not item.add_marker(marker):
            raise refused("TimelineItem.AddMarker", [marker.frame, marker.color], "did not take it back")
