"""What a viewer shows at a record frame, as layers of pictures: takes, speeds, dissolves, grades, sizing, colour."""

from __future__ import annotations

from .timeline import source_index

_CURVES = {"Linear": 1.0, "Gamma 2.2": 2.2, "Gamma 2.4": 2.4, "sRGB": 2.2, "Log": 3.0, "No ": 1.0, "ACES": 1.0}


def layers(world, job, frame):
    """The layers of a job's timeline at a frame, from the top, until one covers all; `weight` is what each adds."""
    timeline = world.timeline_by(job["timeline"])
    found, left = [], 1.0
    for track in reversed(timeline["tracks"]["video"]):
        if track["enabled"] and left > 0:
            shown = _of_track(world, timeline, track, frame, job["hidden"])
            for layer in shown:
                layer["weight"] *= left
            left -= sum(layer["weight"] for layer in shown)
            found += shown
    return found


def rate_of(world, timeline):
    return float(timeline["settings"].get("timelineFrameRate", world.project["settings"]["timelineFrameRate"]))


def _of_track(world, timeline, track, frame, hidden):
    shown = [item for item in track["items"] if item["enabled"] and item["kind"] != "transition"]
    rate = rate_of(world, timeline)
    for transition in track["items"]:
        if transition["kind"] != "transition" or not _covers(transition, frame):
            continue
        cut = transition["start"] + transition["cut"]
        before = [item for item in shown if item["start"] + item["duration"] == cut]
        after = [item for item in shown if item["start"] == cut]
        weight = (frame - transition["start"] + 1) / (transition["duration"] + 1)
        if before and after:
            pair = ((before[0], 1 - weight), (after[0], weight))
            return [_layer(world, item, frame, rate, hidden, share) for item, share in pair]
    return [_layer(world, item, frame, rate, hidden, 1.0) for item in shown if _covers(item, frame)]


def _covers(item, frame):
    return item["start"] <= frame < item["start"] + item["duration"]


def _layer(world, item, frame, rate, hidden, weight):
    properties = {} if hidden["disable_sizing"] else item["properties"]
    layer = {
        "weight": weight * item["properties"].get("Opacity", 100.0) / 100,
        "gain": 1.0 if hidden["flat_pass"] else item["grade"].get("gain", 1.0),
        "flip": [bool(properties.get("FlipX")), bool(properties.get("FlipY"))],
        "shift": [round(properties.get("Pan", 0)), round(properties.get("Tilt", 0))],
        "power": 1.0,
        "video_levels": False,
    }
    clip = world.clip(item["media"]) if item["media"] else None
    if clip is None or not clip["pixels"]:
        return dict(layer, solid=item.get("solid", 0.5))
    number = clip["first"] + source_index(item, clip, frame, rate)
    layer["power"] = _power(world.project["settings"], clip["properties"])
    layer["video_levels"] = clip["properties"].get("Data Level") == "Video"
    return dict(layer, path=clip["pixels"] % number if "%" in clip["pixels"] else clip["pixels"])


def _power(settings, properties):
    """A stand-in for colour management: what differs between input and output space becomes a power; 1 cancels out.

    Without management nothing happens to pixels at all, whatever a clip says it is.
    """
    mode = settings["colorScienceMode"]
    if mode == "davinciYRGB":
        return 1.0
    aces = mode.startswith("aces")
    space = properties.get("IDT") if aces else properties.get("Input Color Space")
    if not space or space == "Project":
        space = settings["colorAcesIDT" if aces else "colorSpaceInput"]
    output = settings["colorAcesODT" if aces else "colorSpaceOutput"]
    return 1.0 if space == output else _curve(space) / _curve(output)


def _curve(space):
    return next((power for name, power in _CURVES.items() if name in space), 2.0)
