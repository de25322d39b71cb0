"""The clips of a timeline that a removal can be about, each with all that is known of it and what is in the way."""

from typing import Any, Callable, Dict, List, NamedTuple, Optional

from void_plugin.errors import HostError
from void_plugin.hosts import resolve_tags as tags
from void_plugin.hosts.resolve_api import CODE, Item, MediaPool, Project, Resolve, Timeline, items_by_track
from void_plugin.hosts.resolve_context import gate, problem, rate_of_timeline
from void_plugin.hosts.resolve_saver import names_of
from void_plugin.hosts.resolve_sources import holes, is_offline, media_of, pattern_of
from void_plugin.hosts.resolve_timecode import Rate, frame_of

MATTE_TRACK = "VOID MATTE"
"""Any clip on a track of this name is the matte of what lies under it."""
WORD = "VOID"
"""How the name of a marker begins that picks a clip."""
RESTING = {
    "Pan": 0,
    "Tilt": 0,
    "ZoomX": 1,
    "ZoomY": 1,
    "RotationAngle": 0,
    "Pitch": 0,
    "Yaw": 0,
    "FlipX": False,
    "FlipY": False,
    "CropLeft": 0,
    "CropRight": 0,
    "CropTop": 0,
    "CropBottom": 0,
    "Distortion": 0,
}
"""Properties of an item that say where its picture lands, as they are where it was left alone."""
SOLID, NORMAL = 100, 0
"""Opacity and composite mode of an item that was left alone."""


class Placed(NamedTuple):
    """An item and where it is."""

    track: int
    item: Item
    start: int
    end: int


class Shelf(NamedTuple):
    """All items of a timeline, read once."""

    timeline: Timeline
    names: Dict[int, str]
    locked: Dict[int, bool]
    placed: List[Placed]


def shelf(timeline: Timeline) -> Shelf:
    """Read a timeline. Ghosts, which have no start, are left out."""
    tracks = range(1, timeline.tracks() + 1)
    names = {track: timeline.track_name(track) for track in tracks}
    locked = {track: timeline.is_track_locked(track) for track in tracks}
    placed = [
        Placed(track, item, item.start(), item.end()) for track, item in items_by_track(timeline) if not item.is_ghost()
    ]
    return Shelf(timeline, names, locked, placed)


def shots(resolve: Resolve, pick: str) -> Dict[str, Any]:
    """The clips that are `selected`, at the `playhead`, that have `markers`, or `all`. Raises HostError."""
    project, timeline = gate(resolve)
    chooser = PICKS.get(pick)
    if chooser is None:
        raise HostError("Clips cannot be picked by {!r}, only by {}.".format(pick, ", ".join(sorted(PICKS))), CODE)
    found = shelf(timeline)
    rate, pool = rate_of_timeline(timeline), project.pool()
    rows = [_row(found, one, rate, pool) for one in chooser(found) if _is_shot(found, one)]
    return {"shots": [row for row in rows if row is not None]}


def is_matte_track(name: str) -> bool:
    """True for the track that holds mattes."""
    return name.strip().upper() == MATTE_TRACK


def _is_shot(found: Shelf, one: Placed) -> bool:
    """False for mattes, and for results of ours: those are picked by the clip that they lie over."""
    name, clip = found.names[one.track], one.item.media()
    ours = _is_ours(name) and clip is not None and tags.values(clip.third_party(tags.KEY)) is not None
    return not ours and not is_matte_track(name)


# -- picking ---------------------------------------------------------------------------------------------------


def _selected(found: Shelf) -> List[Placed]:
    """Also nothing where this Resolve cannot tell what is selected."""
    wanted = {item.id() for item in found.timeline.selected_items() or []}
    return [one for one in found.placed if one.item.id() in wanted]


def _at_playhead(found: Shelf) -> List[Placed]:
    """What is shown there; where that is a matte or on a track of results, what is shown below it."""
    item = found.timeline.current_item()
    wanted = item.id() if item is not None else None
    here = [one for one in found.placed if one.item.id() == wanted]
    name = found.names[here[0].track] if here else ""
    if not _is_ours(name) and not is_matte_track(name):
        return here
    frame = frame_of(found.timeline.playhead(), rate_of_timeline(found.timeline))
    if frame is None or not here[0].start <= frame < here[0].end:  # past midnight, say
        frame = here[0].start
    return _topmost(found, frame)


def _marked(found: Shelf) -> List[Placed]:
    """With a marker of the user's on the clip, or on the timeline over it: there the topmost clip that is shown."""
    wanted = [one.item.id() for one in found.placed if _note_of(one.item) is not None]
    start = found.timeline.start()
    for marker in found.timeline.markers():
        if _is_wish(marker.name, marker.data):
            wanted += [one.item.id() for one in _topmost(found, start + marker.frame)]
    return [one for one in found.placed if one.item.id() in wanted]


def _all(found: Shelf) -> List[Placed]:
    """Every clip but our own results."""
    return [one for one in found.placed if not _is_ours(found.names[one.track])]


PICKS: Dict[str, Callable[[Shelf], List[Placed]]] = {
    "selected": _selected,
    "playhead": _at_playhead,
    "markers": _marked,
    "all": _all,
}


def _topmost(found: Shelf, frame: int) -> List[Placed]:
    """The highest clip that is shown at a frame; none over a gap."""
    under = [one for one in found.placed if one.start <= frame < one.end and _is_shown(found, one)]
    return [max(under, key=lambda one: one.track)] if under else []


def _is_shown(found: Shelf, one: Placed) -> bool:
    """True for a clip with media that is switched on, as its track is, and that is no result or matte of ours."""
    name = found.names[one.track]
    if _is_ours(name) or is_matte_track(name) or not found.timeline.is_track_enabled(one.track):
        return False
    return one.item.media() is not None and one.item.is_enabled()


def _is_ours(track_name: str) -> bool:
    return tags.is_result_track(track_name) or track_name == tags.SCRATCH_TRACK


def _is_wish(name: str, data: str) -> bool:
    return name.upper().startswith(WORD) and not data.startswith(tags.PREFIX)


def _note_of(item: Item) -> Optional[str]:
    """The text of the user's own marker on a clip; None where there is none."""
    for marker in item.markers():
        if _is_wish(marker.name, marker.data):
            return marker.note
    return None


# -- what is known of a clip -----------------------------------------------------------------------------------


def _row(found: Shelf, one: Placed, rate: Rate, pool: MediaPool) -> Optional[Dict[str, Any]]:
    """One clip; None for a transition, which Resolve lists among the clips, with no media and no properties."""
    item, clip = one.item, one.item.media()
    if clip is None and not item.properties():
        return None
    properties = clip.properties() if clip is not None else {}
    media, comps = media_of(clip, properties), item.fusion_comps()
    kind = properties.get("Type", "")
    generator = clip is None or (media["kind"] == "none" and ("Generator" in kind or "Title" in kind))
    row: Dict[str, Any] = {
        "id": item.id(),
        "name": item.name(),
        "track": one.track,
        "track_name": found.names[one.track],
        "locked": found.locked[one.track],
        "record": [one.start, one.end],
        "media": media,
        "left": item.left_offset(),
        "retimed": None if generator else retimed(item.source_span(), one.end - one.start, media["fps"], rate.fps),
        "transformed": transformed(item.properties()),
        "attached_mattes": [pattern_of(path) for path in pool.mattes(clip)] if clip is not None else [],
        "matte_track": max((other.track for other in _mattes_over(found, one)), default=None),
        "fusion": bool(comps),
        "savers": [],
        "generator": generator,
        "offline": is_offline(properties),
        "note": _note_of(item) or "",
        "void": _ours_on(item),
    }
    row["problems"] = _problems(found, one, row, rate) + _blend(row["name"], item.properties())
    try:
        row["savers"] = names_of({name: item.fusion_comp(name) for name in comps})
    except HostError as error:  # nothing else of the clip depends on them
        row["problems"].append(problem("warning", error.message))
    return row


def transformed(properties: Dict[str, Any]) -> Optional[bool]:
    """Whether an item is moved, scaled, turned or cropped by its properties; None where it has none of them."""
    known = [(properties[key], resting) for key, resting in RESTING.items() if key in properties]
    return any(value != resting for value, resting in known) if known else None


def retimed(span: Optional[int], duration: int, media_fps: Optional[float], timeline_fps: float) -> Optional[bool]:
    """What the script calls witness of a speed change: yes, no, or None where they cannot tell.

    The media frames that Resolve names are off by one at times, so a difference of one proves nothing.
    """
    if media_fps is not None and abs(media_fps - timeline_fps) > 0.01:
        return True
    if span is None or abs(span - duration) == 1:
        return None
    return span != duration


def _mattes_over(found: Shelf, one: Placed) -> List[Placed]:
    """What lies on matte tracks over a clip."""
    return [
        other
        for other in found.placed
        if is_matte_track(found.names[other.track]) and other.start < one.end and one.start < other.end
    ]


def _ours_on(item: Item) -> Optional[Dict[str, Any]]:
    """What a marker of ours on the clip says of its job."""
    for marker in item.markers():
        values = tags.values(marker.data)
        if values is not None:
            return values
    return None


def _problems(found: Shelf, one: Placed, row: Dict[str, Any], rate: Rate) -> List[Dict[str, str]]:
    name, media, result = row["name"], row["media"], []
    if row["generator"]:
        result.append(problem("error", "{} is a generator or a title, with no footage to clean.".format(name)))
    elif row["offline"]:
        result.append(problem("error", "The media of {} is offline; relink it in the media pool.".format(name)))
    if media["fps"] is not None and abs(media["fps"] - rate.fps) > 0.01:
        text = "{} has {:g} frames a second and the timeline {:g}, so the plate is rendered by Resolve."
        result.append(problem("warning", text.format(name, media["fps"], rate.fps)))
    if holes(media):
        text = "The sequence of {} has {} files for {} numbers, so the plate is rendered by Resolve."
        numbers = media["last"] - media["first"] + 1
        result.append(problem("warning", text.format(name, media["frames"], numbers)))
    if row["locked"]:
        text = "{} is on the locked track {}, which stays as it is."
        result.append(problem("warning", text.format(name, row["track_name"] or one.track)))
    if row["matte_track"] is not None and not _is_covered(
        one, [other for other in _mattes_over(found, one) if other.track == row["matte_track"]]
    ):
        text = "The clips on the track {} do not cover all of {}; the rest is taken as nothing to remove."
        result.append(problem("warning", text.format(MATTE_TRACK, name)))
    return result


def _blend(name: str, properties: Dict[str, Any]) -> List[Dict[str, str]]:
    """What is to be said where a clip is laid over what is below it otherwise than as it is."""
    said, mode = properties.get("Opacity"), properties.get("CompositeMode", NORMAL)
    opacity = said if isinstance(said, (int, float)) else SOLID
    if opacity == SOLID and mode == NORMAL:
        return []
    how = "at {:g} % opacity".format(opacity) if opacity != SOLID else "in another composite mode"
    text = "{} is blended {} with what lies below it, and its result is not: look at it, and set both as you need them."
    return [problem("warning", text.format(name, how))]


def _is_covered(one: Placed, others: List[Placed]) -> bool:
    frame = one.start
    for other in sorted(others, key=lambda other: other.start):
        if other.start > frame:
            return False
        frame = max(frame, other.end)
    return frame >= one.end


# -- the timeline as a file ------------------------------------------------------------------------------------


def timeline_otio(resolve: Resolve, path: str) -> Dict[str, Any]:
    """Write the current timeline as OTIO, which knows of speed and transitions. Changes nothing. Raises HostError."""
    timeline = gate(resolve)[1]
    timeline.export(path, resolve.constant("EXPORT_OTIO"), resolve.constant("EXPORT_NONE"))
    return {"path": path}


def shot_of(project: Project, timeline: Timeline, unique: str) -> Placed:
    """The clip of an id on the current timeline. Raises HostError where it is gone."""
    for track, item in items_by_track(timeline):
        if unique and item.id() == unique:
            return Placed(track, item, item.start(), item.end())
    raise HostError(
        "The clip {!r} is no longer on the timeline {} of {}; open the timeline that has it, and try again.".format(
            unique, timeline.name(), project.name()
        ),
        CODE,
    )
