"""AppendToTimeline: where the fake is as unkind as Resolve was measured to be (AYON, resolve-mcp's ledger)."""

from __future__ import annotations

import math

from ..media import frames_of


def new_item(key, name, kind, start, duration, media=None, offset=0, **more):
    """The data of an item; `duration` in record frames, `offset` in frames of the media."""
    made = {
        "id": key,
        "name": name,
        "kind": kind,
        "start": start,
        "duration": duration,
        "media": media,
        "offset": offset,
        "speed": 1.0,
        "ramp": 0.0,
        "enabled": True,
        "color": "",
        "markers": [],
        "properties": {},
        "grade": {},
        "fusion": {},
        "takes": [],
        "take": 0,
    }
    made.update(more)
    return made


def append(bench, entries):
    """The handles of what was placed, or seems to be: on the current timeline, the earlier item wins."""
    placed = []
    for entry in entries:
        item = _one(bench, entry)
        if item is not None:
            placed.append(bench.handle("TimelineItem", item["id"]))
        elif bench.knobs.append_returns_ghost:
            placed.append(bench.handle("TimelineItem", "ghost", ghost=True))
    return placed


def _one(bench, entry):
    world, knobs = bench.world, bench.knobs
    timeline, clip = world.timeline, bench.world.find("MediaPoolItem", entry["mediaPoolItem"]._key)
    if timeline is None or clip is None or knobs.append_refuses or entry.get("mediaType", 1) != 1:
        return None
    number = entry.get("trackIndex", 1)
    tracks = timeline["tracks"]["video"]
    if not 1 <= number <= len(tracks) or tracks[number - 1]["locked"]:
        return None
    items = tracks[number - 1]["items"]
    zero = zero_of(clip, knobs)
    first = entry.get("startFrame", zero) - zero
    stop = entry["endFrame"] + knobs.end_inclusive - zero if "endFrame" in entry else frames_of(clip)
    stop = min(stop, frames_of(clip))
    rate = float(timeline["settings"].get("timelineFrameRate", world.project["settings"]["timelineFrameRate"]))
    # Mixed rates floor the duration, which leaves a gap of a frame (resolve-mcp's ledger).
    duration = stop - first if _same(rate, clip["fps"]) else math.floor((stop - first) * rate / clip["fps"])
    if first < 0 or duration < 1:
        return None
    end = max([timeline["start"]] + [item["start"] + item["duration"] for item in items])
    start = entry["recordFrame"] + knobs.append_shift if "recordFrame" in entry else end
    if start < timeline["start"]:
        return None
    if any(item["start"] < start + duration and start < item["start"] + item["duration"] for item in items):
        if knobs.append_drops_on_overlap:
            return None
        start = end
    made = new_item(world.new_id("item"), clip["name"], "clip", start, duration, clip["id"], first)
    items.append(made)
    if knobs.append_moves_playhead:
        timeline["playhead"] = start + duration
    items.sort(key=lambda item: item["start"])
    return made


def zero_of(clip, knobs):
    """What a script calls the first frame of a clip."""
    return clip["first"] if knobs.frames_from_file and clip["kind"] == "sequence" else 0


def _same(one, other):
    return round(one, 3) == round(other, 3)
