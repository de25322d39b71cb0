"""A movie as the media of a clip: which time of the clip its first frame is, and how many there are."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

from void_plugin.editorial.media import ZERO, Media
from void_plugin.editorial.movies import FIRST, Movie
from void_plugin.editorial.times import frames_of
from void_plugin.errors import RequestError


def media_of_movie(media: Media, clip: Any, movie: Movie) -> tuple[Media, list[str]]:
    """The media of a clip after a look into its movie, and what is to be known of it.

    Raises RequestError where timeline and movie count frames in ways that do not fit.
    """
    if media.assumed:
        start = _start(clip, movie)
        whole = replace(media, first=FIRST, start=start, count=movie.count, written_rate=float(movie.rate))
        return replace(whole, assumed=start == 0 and movie.start is None), []
    remarks = []
    if media.rate != movie.rate and media.count != movie.count:
        raise RequestError(
            f"The timeline counts {media.count} frames of {media.written_rate:g} a second in {movie.path}, which has "
            f"{movie.count} of {float(movie.rate):.5g}; relink it in the editor."
        )
    if media.rate != movie.rate:
        remarks.append(
            f"it runs at {float(movie.rate):.5g} frames a second, and the timeline plays it at {media.written_rate:g}"
        )
    elif _holds(movie, media.start):  # a part of it, as a subclip is
        media = replace(media, start=Fraction(movie.start or 0))
    elif abs(media.count - movie.count) > 1:
        remarks.append(f"the timeline says that it has {media.count} frames, and it has {movie.count}")
    return replace(media, first=FIRST, count=movie.count), remarks


def _start(clip: Any, movie: Movie) -> Fraction:
    """The time of the first frame where the timeline does not say it: its timecode, or 0, as the clip counts."""
    if movie.start is None:
        return ZERO
    begin = clip.source_range and frames_of(clip.source_range.start_time, movie.rate)
    counted = begin is not None and begin < movie.count and not _holds(movie, begin)
    return ZERO if counted else Fraction(movie.start)


def _holds(movie: Movie, time: Fraction) -> bool:
    return movie.start is not None and movie.start <= time < movie.start + movie.count
