"""A timeline as Resolve exports it to OpenTimelineIO (genuine exports: OTIO's effects.otio and ayon-core's fixtures).

Bare paths, sequences without a trailing slash, source ranges absolute in the media's timecode but counted in the
timeline's rate, one Resolve Effect of each kind on every clip, upper-case marker colours, notes in the metadata.
"""

from __future__ import annotations

from .pictures import elsewhere

EFFECTS = ("Transform", "Cropping", "Dynamic Zoom", "Composite", "Lens Correction", "Retime and Scaling")


def write(path, timeline, project, rate, absolute=False):
    """Writes the file and returns True; False when that cannot be done, as Resolve says it."""
    return elsewhere("otiofile", "_write", [path, timeline, project["clips"], rate, absolute])


def _write(path, timeline, clips, rate, absolute):
    import opentimelineio as otio

    made = build(timeline, clips, rate, absolute)
    try:
        otio.adapters.write_to_file(made, path)
    except (OSError, otio.exceptions.OTIOError):
        return False
    return True


def build(timeline, clips, rate, absolute=False):
    """The opentimelineio Timeline of the plain data of a timeline; its markers count from its start or are absolute."""
    import opentimelineio as otio

    start = otio.opentime.RationalTime(timeline["start"], rate)
    made = otio.schema.Timeline(timeline["name"], global_start_time=start)
    made.metadata["Resolve_OTIO"] = {"Resolve OTIO Meta Version": "1.0"}
    for track in timeline["tracks"]["video"]:
        made.tracks.append(_track(otio, track, timeline["start"], clips, rate))
    for marker in timeline["markers"]:
        made.tracks.markers.append(_marker(otio, marker, marker["frame"] + absolute * timeline["start"], rate))
    return made


def _track(otio, track, start, clips, rate):
    made = otio.schema.Track(track["name"], kind="Video")
    made.metadata["Resolve_OTIO"] = {"Locked": track["locked"]}
    made.enabled = track["enabled"]
    time = otio.opentime.RationalTime
    transitions = {item["start"] + item["cut"]: item for item in track["items"] if item["kind"] == "transition"}
    at = start
    for item in track["items"]:
        if item["kind"] == "transition":
            continue
        if item["start"] > at:
            length = time(item["start"] - at, rate)
            made.append(otio.schema.Gap(source_range=otio.opentime.TimeRange(time(0, rate), length)))
        transition = transitions.get(item["start"])
        if transition:
            after = transition["duration"] - transition["cut"]
            made.append(
                otio.schema.Transition(
                    transition["name"], "SMPTE_Dissolve", time(transition["cut"], rate), time(after, rate)
                )
            )
        made.append(_clip(otio, item, clips.get(item["media"]), rate))
        at = item["start"] + item["duration"]
    return made


def _clip(otio, item, clip, rate):
    time, span = otio.opentime.RationalTime, otio.opentime.TimeRange
    # Absolute in the media's timecode, but counted in the timeline's rate: may be fractional.
    origin = (clip["start_tc"] + item["offset"]) / clip["fps"] * rate if clip else 0
    made = otio.schema.Clip(item["name"], _reference(otio, clip))
    made.source_range = span(time(origin, rate), time(item["duration"], rate))
    made.metadata["Resolve_OTIO"] = {"Link Group ID": 1}
    made.enabled = item["enabled"]
    for name in EFFECTS:
        effect = otio.schema.Effect(effect_name="Resolve Effect")
        effect.metadata["Resolve_OTIO"] = {"Effect Name": name, "Enabled": True, "Type": name, "Parameters": []}
        made.effects.append(effect)
    if item["ramp"]:
        made.effects.append(_ramp(otio, item, clip, rate))
    elif item["speed"] == 0:
        made.effects.append(otio.schema.FreezeFrame())
    elif item["speed"] != 1:
        made.effects.append(otio.schema.LinearTimeWarp(time_scalar=item["speed"]))
    for marker in item["markers"]:
        made.markers.append(_marker(otio, marker, origin + marker["frame"], rate))
    return made


def _ramp(otio, item, clip, rate):
    """A speed ramp: TimeEffect.1 with keys of seconds on the timeline and in the source (exports of 21.0.2.4)."""
    keys = []
    for passed in (0, item["duration"] // 2, item["duration"]):
        index = passed * item["speed"] * clip["fps"] / rate + item["ramp"] * passed * passed
        keys.append([passed / rate, index / clip["fps"], 0, 0.0, 0.0, 0.0, 0.0])
    effect = otio.schema.TimeEffect()
    effect.metadata["Resolve_OTIO"] = {"Key Frames": keys}
    return effect


def _reference(otio, clip):
    if clip is None or clip["kind"] not in ("sequence", "still", "movie"):
        return otio.schema.MissingReference()
    time, span = otio.opentime.RationalTime, otio.opentime.TimeRange
    fps = clip["fps"]
    available = span(time(clip["start_tc"], fps), time(clip["last"] - clip["first"] + 1, fps))
    if clip["kind"] != "sequence":
        return otio.schema.ExternalReference(clip["path"], available)
    folder, _, name = clip["path"].rpartition("/")
    prefix, _, rest = name.partition("%")
    digits, _, suffix = rest.partition("d")
    return otio.schema.ImageSequenceReference(
        target_url_base=folder,
        name_prefix=prefix,
        name_suffix=suffix,
        start_frame=clip["first"],
        frame_step=1,
        rate=fps,
        frame_zero_padding=int(digits or 1),
        available_range=available,
    )


def _marker(otio, marker, frame, rate):
    time = otio.opentime.RationalTime
    made = otio.schema.Marker(
        marker["name"],
        otio.opentime.TimeRange(time(frame, rate), time(marker["duration"], rate)),
        marker["color"].upper(),
    )
    made.metadata["Resolve_OTIO"] = {"Note": marker["note"], "Keywords": []}
    return made
