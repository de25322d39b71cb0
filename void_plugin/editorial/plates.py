"""Frames of what is no EXR as the plates and mattes of shots, made where they are not there yet."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from void_plugin.editorial import scans
from void_plugin.editorial.mattes import Matte
from void_plugin.editorial.movieframes import decode, decode_matte
from void_plugin.editorial.scans import is_scan
from void_plugin.editorial.shots import Shot
from void_plugin.errors import FrameError
from void_plugin.frames import FrameRange

FOLDER = "plates"
"""Where frames of movies and scans lie, beside the versions, so that each is decoded once for all of them."""


def take_plates(shots: Iterable[Shot], folder: Path, say: Callable[[str], None]) -> None:
    """Write what shots look at of their movies and scans below a folder, and let plates and mattes be these frames.

    A shot whose frames cannot be read gets a problem. Raises ServerError where nothing can be written.
    """
    for shot in shots:
        if shot.media is None or shot.range is None or shot.problems:
            continue
        frames = shot.range.looked_at
        try:
            if shot.movie is not None:
                shot.media = replace(shot.media, kind="sequence", pattern=decode(shot.movie, frames, folder, say))
            elif is_scan(shot.media.pattern):
                pattern = scans.take(shot.media.pattern, frames, shot.media.rate, folder, say)
                shot.media = replace(shot.media, pattern=pattern)
            shot.mattes = {field: _taken(matte, frames, folder, say) for field, matte in shot.mattes.items()}
        except FrameError as error:
            shot.problems.append(error.message)


def _taken(matte: Matte, frames: FrameRange, folder: Path, say: Callable[[str], None]) -> Matte:
    if matte.movie is not None:
        return replace(matte, pattern=decode_matte(matte.movie, frames, matte.shift, folder, say))
    if is_scan(matte.pattern):
        return replace(matte, pattern=scans.take_matte(matte.pattern, frames, folder, say))
    return matte
