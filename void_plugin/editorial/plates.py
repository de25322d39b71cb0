"""Frames of movies as the plates and mattes of shots, decoded where they are not there yet."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from void_plugin.editorial.movieframes import decode, decode_matte
from void_plugin.editorial.shots import Shot
from void_plugin.errors import FrameError

FOLDER = "plates"
"""Where frames of movies lie, beside the versions, so that each is decoded once for all of them."""


def take_plates(shots: Iterable[Shot], folder: Path, say: Callable[[str], None]) -> None:
    """Decode what shots look at of their movies below a folder, and let plates and mattes be these frames.

    A shot whose movie fails gets a problem. Raises ServerError where nothing can be written.
    """
    for shot in shots:
        if shot.media is None or shot.range is None or shot.problems:
            continue
        frames = shot.range.looked_at
        try:
            if shot.movie is not None:
                shot.media = replace(shot.media, kind="sequence", pattern=decode(shot.movie, frames, folder, say))
            shot.mattes = {
                field: replace(matte, pattern=decode_matte(matte.movie, frames, matte.shift, folder, say))
                if matte.movie is not None
                else matte
                for field, matte in shot.mattes.items()
            }
        except FrameError as error:
            shot.problems.append(error.message)
