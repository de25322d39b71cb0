"""Media of the pool: what a scene holds, and what an import finds on the disk."""

from __future__ import annotations

import os
import re

from . import pictures, timecode


def clip(key, name, kind, path="", first=0, last=0, fps=24.0, size=(0, 0), start_tc=0, pixels="", **more):
    """The data of a clip. `pixels` is the pattern of the EXR frames that a movie shows, numbered from `first`."""
    made = {
        "id": key,
        "name": name,
        "kind": kind,
        "path": path,
        "first": first,
        "last": last,
        "fps": fps,
        "start_tc": start_tc,
        "width": size[0],
        "height": size[1],
        "pixels": pixels or (path if kind in ("sequence", "still") else ""),
        "codec": {"sequence": "RGB half", "movie": "Apple ProRes 4444"}.get(kind, ""),
        "properties": {},
        "metadata": {},
        "third_party": {},
        "color": "",
        "markers": [],
        "mattes": [],
    }
    made.update(more)
    return made


def frames_of(clip):
    return clip["last"] - clip["first"] + 1


def bracketed(clip):
    """How Resolve names a sequence: `name.[1001-1048].exr`."""
    if clip["kind"] != "sequence":
        return clip["path"]
    head, _, rest = clip["path"].partition("%")
    digits = int(rest[: rest.index("d")] or 1)
    numbers = "[{:0{w}d}-{:0{w}d}]".format(clip["first"], clip["last"], w=digits)
    return head + numbers + rest[rest.index("d") + 1 :]


def imported(world, knobs, entry):
    """The clips that one path, or one dictionary of a numbered sequence, becomes; [] for what is not there."""
    if isinstance(entry, dict):
        path = entry["FilePath"]
        numbers = range(entry.get("StartIndex", 0), entry.get("EndIndex", -1) + 1)
        if not re.search(r"%0?\d*d", path) or not numbers:
            return []
        files = [path % number for number in numbers]
    else:
        path, numbers, files = entry, range(1), [entry]
    if not all(os.path.isfile(file) for file in (files[0], files[-1])):
        return []
    rate = knobs.import_fps or float(world.project["settings"]["timelineFrameRate"])
    width, height, code = pictures.facts_of(files[0])
    size, origin = (width, height), timecode.to_frame(code, rate) if code else 0
    if not isinstance(entry, dict) or knobs.import_individual_frames:
        kind = "still" if os.path.splitext(path)[1].lower() not in (".mov", ".mp4", ".mxf") else "movie"
        return [
            clip(world.new_id("clip"), os.path.basename(file), kind, file, fps=rate, size=size, start_tc=origin)
            for file in files
        ]
    made = clip(world.new_id("clip"), "", "sequence", path, numbers[0], numbers[-1], rate, size, origin)
    made["name"] = os.path.basename(bracketed(made))
    if knobs.import_data_level != "Auto":
        made["properties"]["Data Level"] = knobs.import_data_level
    return [made]
