"""Movies behind clips: opened once, and their frames decoded here rather than rendered by the editor."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from void_plugin.errors import FrameError
from void_plugin.frames import FrameRange

if TYPE_CHECKING:
    from void_plugin.editorial.movies import Movie, Movies

RAW = (".braw", ".r3d", ".crm", ".ari", ".arx", ".nev", ".rmf", ".cine", ".dng")
"""Endings of what only the editor develops as its user has set it, even where PyAV can open it."""
AT_ONCE = 24
"""Frames that are decoded between two looks whether to go on."""


class Films:
    """The movies of one action, each opened once."""

    def __init__(self) -> None:
        self._movies: Movies | None = None
        self._failed: dict[str, str] = {}

    def open(self, path: str) -> "Movie":
        """A movie that can be decoded frame by frame. Raises FrameError with the reason where it cannot be here."""
        if path.lower().endswith(RAW):
            raise FrameError("its media is raw camera data, which is as the editor develops it")
        if path in self._failed:
            raise FrameError(self._failed[path])
        try:
            return self._opened().open(path)
        except FrameError as error:
            self._failed[path] = error.message
            raise

    def _opened(self) -> "Movies":
        if self._movies is None:
            try:
                from void_plugin.editorial.movies import Movies
            except ModuleNotFoundError as error:
                if error.name not in ("av", "numpy", "OpenImageIO"):
                    raise
                raise FrameError("its media is a movie, and PyAV is not installed here (void_plugin[otio])") from error
            self._movies = Movies()
        return self._movies


def decoded(movie: "Movie", frames: FrameRange, folder: Path, check: Callable[[], None]) -> str:
    """The frames of a movie as EXR files below a folder; returns their pattern. `check` raises where it is to end.

    Raises FrameError or ServerError.
    """
    from void_plugin.editorial.movieframes import decode, pattern_for

    for first in range(frames.first, frames.last + 1, AT_ONCE):
        check()
        decode(movie, range(first, min(first + AT_ONCE, frames.last + 1)), folder, _unsaid)
    return pattern_for(movie, folder)


def _unsaid(text: str) -> None:
    """What is decoded is told as an event of its clip."""
