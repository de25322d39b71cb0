"""Where the mattes of a clip come from: files, one attached to its media, a track called VOID MATTE, a Fusion Saver."""

import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from void_plugin.editorial.folders import mattes_in
from void_plugin.editorial.notes import Note
from void_plugin.errors import FrameError, RequestError
from void_plugin.frames import FrameRange, ImageSequence, contiguous, describe
from void_plugin.live.choices import Choices
from void_plugin.live.routes import RENDER, Plate
from void_plugin.live.timelinefacts import LiveShot
from void_plugin.localfiles import disk_error
from void_plugin.patterns import to_pattern

TRACK = "VOID MATTE"
"""A track of this name shows what is to be removed."""
SAVER = "VOID_MATTE"
"""A Saver of this name in a clip's Fusion composition writes what is to be removed."""
FUSION = "fusion:"
"""How a note begins that names another Saver."""
_BRACKETS = re.compile(r"\[(\d+)-\d+\](?=\.[^./]+\Z)")
_NUMBER = re.compile(r"(?<=[._-])\d+(?=\.[^./]+\Z)")


@dataclass(frozen=True)
class Mattes:
    """The mattes of a clip."""

    files: Mapping[str, str] = field(default_factory=dict)
    """Patterns by input of the request."""
    shift: Mapping[str, int] = field(default_factory=dict)
    """What is to be added to the numbers of those files that are not numbered as the plate."""
    track: int | None = None
    """The track to render, where there are no files."""
    saver: tuple[str, str] | None = None
    """Composition and name of the Saver to render, where there is no track either."""
    why: str = ""
    """Which of the ways it is, for people."""

    @property
    def rendered(self) -> bool:
        """True where the editor has to render it."""
        return self.track is not None or self.saver is not None


def mattes_of(shot: LiveShot, plate: Plate, note: Note, choices: Choices) -> Mattes:
    """The mattes of a clip by the first way that leads to one. Raises RequestError, with all ways, where none does."""
    if note.mattes:
        return _named(shot, plate, note)
    if choices.matte_root:
        files = mattes_in(choices.matte_root, [*dict.fromkeys((shot.name, shot.clip, shot.clip.split(".")[0]))])
        if "object_matte" in files:
            return _numbered(shot, plate, files, f"files in {choices.matte_root}")
    if shot.attached:
        attached = sequence_of(shot.attached[0])
        return _numbered(shot, plate, {"object_matte": attached}, "the matte attached to its media")
    if shot.matte_track is not None:
        return Mattes(track=shot.matte_track, why=f"the track {TRACK}")
    if any(name == SAVER for _, name in shot.savers):
        return _of_saver(shot, SAVER)
    raise RequestError(
        f"{shot.clip} has no matte: name files in the note of its marker (matte: PATTERN), attach a clip matte to its "
        f"media, lay a clip over it on a video track called {TRACK}, or name a Saver of its Fusion composition {SAVER}."
    )


def fitted(plate: Plate, mattes: Mattes) -> Plate:
    """The plate, with handles and context ending where a matte ends."""
    if mattes.rendered:  # over what the timeline shows, and no more
        return replace(plate, delivered=plate.used, looked_at=plate.used)
    delivered, looked_at = plate.delivered, plate.looked_at
    for name, pattern in mattes.files.items():
        if ImageSequence(pattern).is_still:
            continue
        drawn = {number + mattes.shift.get(name, 0) for number in ImageSequence(pattern).on_disk()}
        delivered = plate.used.widened(delivered, drawn)
        looked_at = delivered.widened(looked_at, drawn)
    return replace(plate, delivered=delivered, looked_at=looked_at)


def renumbered(mattes: Mattes, frames: FrameRange, folder: Path, check: Callable[[], None]) -> dict[str, str]:
    """The patterns to send: those whose numbers are the plate's as they are, links or copies of the others.

    `frames` are the numbers of the plate that are looked at. Raises ServerError where the folder cannot be written.
    """
    patterns = dict(mattes.files)
    for name, shift in mattes.shift.items():
        source = ImageSequence(mattes.files[name])
        target = ImageSequence((folder / f"{name}.%0{digits(frames)}d.exr").as_posix())
        for frame in frames:
            check()
            link(source.path(frame - shift), target.path(frame))
        patterns[name] = target.pattern
    return patterns


def digits(frames: FrameRange) -> int:
    """How many digits file names of these numbers have."""
    return max(4, len(str(frames.first)), len(str(frames.last)))


def link(source: str, target: str) -> None:
    """Give a file a second name, or copy it where that cannot be. Raises FrameError or ServerError."""
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        try:
            os.link(source, target)
        except OSError:  # another disk, or one without links
            shutil.copyfile(source, target)
    except FileNotFoundError as error:
        raise FrameError(f"The file {source} has gone; render it again.", "frame.missing") from error
    except OSError as error:
        raise disk_error(error, Path(target).parent) from error


def sequence_of(path: str) -> str:
    """The pattern behind a path as editors write it: with a range in brackets, or the first file of many."""
    bracket = _BRACKETS.search(path)
    if bracket is not None:
        return f"{path[: bracket.start()]}%0{len(bracket.group(1))}d{path[bracket.end() :]}"
    pattern = to_pattern(path)
    number = _NUMBER.search(pattern)
    if number is None:
        return pattern
    many = f"{pattern[: number.start()]}%0{len(number.group())}d{pattern[number.end() :]}"
    return many if len(ImageSequence(many).on_disk()) > 1 else pattern


def _named(shot: LiveShot, plate: Plate, note: Note) -> Mattes:
    """What a note names: files beside the media, and for the matte itself also a Saver."""
    base = os.path.dirname(shot.source.pattern)
    written = dict(note.mattes)
    saver = written.pop("object_matte") if written.get("object_matte", "").startswith(FUSION) else ""
    files = {name: to_pattern(os.path.join(base, said)).replace("\\", "/") for name, said in written.items()}
    found = _numbered(shot, plate, files, "files")
    if not saver:
        return found
    made = _of_saver(shot, saver[len(FUSION) :].strip() or SAVER)
    return replace(found, saver=made.saver, why=made.why)


def _of_saver(shot: LiveShot, wanted: str) -> Mattes:
    """The matte of a Saver. Raises RequestError where there is none of that name."""
    for comp, name in shot.savers:
        if name == wanted:
            return Mattes(saver=(comp, name), why=f"the Saver {name} of its Fusion composition")
    there = ", ".join(name for _, name in shot.savers) or "none"
    raise RequestError(f"{shot.clip} has no Saver {wanted} in its Fusion compositions; there is {there}.")


def _numbered(shot: LiveShot, plate: Plate, files: Mapping[str, str], why: str) -> Mattes:
    """Files with what it takes to number them as the plate. Raises RequestError where they do not cover the clip."""
    shifts = {}
    for name, pattern in files.items():
        if not pattern.lower().endswith(".exr"):
            raise RequestError(f"The matte {pattern} of {shot.clip} is no EXR; render it as EXR.")
        sequence = ImageSequence(pattern)
        if sequence.is_still:
            if not os.path.isfile(pattern):
                raise RequestError(f"The matte {pattern} of {shot.clip} does not exist; correct its name.")
            continue
        shift = _shift(shot, plate, sequence)
        if shift:
            shifts[name] = shift
    return Mattes(files, shifts, why=why)


def _shift(shot: LiveShot, plate: Plate, sequence: ImageSequence) -> int:
    drawn = sequence.on_disk()
    have, wanted = set(drawn), plate.used
    if have >= {*wanted}:
        return 0
    shown = plate.source
    if plate.route == RENDER and shown is not None and have >= {*shown}:
        return wanted.first - shown.first
    whole, _ = contiguous(drawn)
    if whole is not None and len(drawn) == len(whole) == len(wanted):
        return wanted.first - whole.first  # one for each frame of the clip, numbered from anywhere
    lost = [frame for frame in (shown or wanted) if frame not in have]
    what = f"lacks frames {describe(lost)}" if have else "does not exist"
    raise RequestError(
        f"The matte {sequence.pattern} of {shot.clip} {what}; draw and render it for all {len(wanted)} frames of the "
        "clip, numbered as its media."
    )
