"""Frames of movies as the plates of shots, decoded where they are not there yet."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from void_plugin.editorial.movieframes import decode
from void_plugin.editorial.shots import Shot
from void_plugin.errors import FrameError

FOLDER = "plates"
"""Where frames of movies lie, beside the versions, so that each is decoded once for all of them."""


def take_plates(shots: Iterable[Shot], folder: Path, say: Callable[[str], None]) -> None:
    """Decode what shots look at of their movies below a folder, and let their plates be these frames.

    A shot whose movie fails gets a problem. Raises ServerError where nothing can be written.
    """
    for shot in shots:
        if shot.movie is None or shot.media is None or shot.range is None or shot.problems:
            continue
        try:
            pattern = decode(shot.movie, shot.range.looked_at, folder, say)
        except FrameError as error:
            shot.problems.append(error.message)
            continue
        shot.media = replace(shot.media, kind="sequence", pattern=pattern)
