"""Timecode and frame numbers, by the rules of SMPTE ST 12; separate from the product's, which it checks."""

from __future__ import annotations


def is_drop(fps):
    """Whether a rate has drop-frame timecode at all."""
    return round(fps, 2) in (29.97, 59.94)


def to_timecode(frame, fps, drop=False):
    """`01:00:00:00` for 86400 at 24; drop-frame writes `;` before the frames."""
    base = round(fps)
    if drop and is_drop(fps):
        dropped = base // 15
        tens, rest = divmod(frame, base * 600 - dropped * 9)
        frame += dropped * 9 * tens
        if rest >= dropped:
            frame += dropped * ((rest - dropped) // (base * 60 - dropped))
    seconds, frames = divmod(frame, base)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    mark = ";" if drop and is_drop(fps) else ":"
    return "{:02d}:{:02d}:{:02d}{}{:02d}".format(hours % 24, minutes, seconds, mark, frames)


def to_frame(timecode, fps, drop=False):
    """The other way; ValueError for what is no timecode."""
    base = round(fps)
    parts = [int(part) for part in timecode.replace(";", ":").split(":")]
    if len(parts) != 4:
        raise ValueError("no timecode: " + timecode)
    hours, minutes, seconds, frames = parts
    frame = ((hours * 60 + minutes) * 60 + seconds) * base + frames
    if (drop or ";" in timecode) and is_drop(fps):
        total = hours * 60 + minutes
        frame -= base // 15 * (total - total // 10)
    return frame
