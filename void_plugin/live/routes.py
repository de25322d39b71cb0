"""Where the plate of a clip comes from: its own files as they are, its movie, or frames that the editor renders.

Whatever is not certain is rendered: then what is sent is what the editor shows.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from void_plugin.errors import FrameError
from void_plugin.frames import FrameRange, ImageSequence, describe
from void_plugin.live.choices import Choices
from void_plugin.live.films import Films
from void_plugin.live.timelinefacts import Context, LiveShot, same_rate

if TYPE_CHECKING:
    from void_plugin.editorial.movies import Movie
    from void_plugin.editorial.sights import Sight

FILES, MOVIE, RENDER = "files", "movie", "render"
"""The routes of a plate: its own files, frames of its movie that are decoded here, frames that the editor renders."""
LEVELS = {True: ("", "auto", "full"), False: ("", "auto", "video")}
"""Data levels of a clip that are those of its movie, by whether that has the full range."""


@dataclass(frozen=True)
class Plate:
    """The plate of a clip; ranges are numbers of its files, which for a render are frames of the timeline."""

    route: str
    pattern: str
    """Of its own files; empty for what is not there yet."""
    used: FrameRange
    """What the timeline shows."""
    delivered: FrameRange
    """The same with handles."""
    looked_at: FrameRange
    """The same with context."""
    why: str = ""
    """Why it is rendered, for people."""
    source: FrameRange | None = None
    """The files of its media that the timeline shows, where it shows each once, in order."""
    steady: bool = False
    """True where each frame of the timeline is the next one of its media."""
    movie: "Movie | None" = None
    """Whose frames it is, on that route."""


def plate_of(
    shot: LiveShot, sight: "Sight | None", context: Context, choices: Choices, handles: int, films: Films
) -> Plate:
    """The plate of a clip. Files are looked at, and nothing is written."""
    why, movie = next(_doubts(shot, sight, context), ""), None
    if shot.source.kind == "movie" and not why and choices.plate != RENDER:
        movie, why = _movie_of(shot, films)
    if choices.plate == RENDER:
        why = why or "as you asked"
    steady = same_rate(shot.source.fps, context.rate) and (sight.speed == 1 if sight else shot.retimed is False)
    shown = shot.shown if steady else None
    if why or shown is None:
        return replace(rendered_plate(shot, why or "it is no image sequence"), source=shown, steady=steady)
    present = set(range(1, movie.count + 1)) if movie else set(ImageSequence(shot.source.pattern).on_disk())
    delivered = shown.widened(shown.grown(handles), present)
    around = handles + choices.context if choices.context >= 0 else len(present)
    looked_at = delivered.widened(shown.grown(around), present)
    route, pattern = (MOVIE, "") if movie else (FILES, shot.source.pattern)
    return Plate(route, pattern, shown, delivered, looked_at, source=shown, steady=True, movie=movie)


def rendered_plate(shot: LiveShot, why: str) -> Plate:
    """The plate of a clip as the editor renders it: what the timeline shows and no more."""
    return Plate(RENDER, "", shot.frames, shot.frames, shot.frames, why)


def warnings_of(shot: LiveShot, sight: "Sight | None", plate: Plate, handles: int) -> Iterator[str]:
    """What is worth knowing of a clip whose plate is found."""
    if sight is not None and any(sight.dissolves):
        yield "a transition touches it, and results are cut hard; void otio keeps transitions"
    if plate.route == RENDER:
        yield f"Resolve renders its plate: {plate.why}"
    yield from plate.movie.remarks if plate.movie else ()
    missing = short_of(plate, handles)
    if missing:
        yield missing


def short_of(plate: Plate, handles: int) -> str:
    """What is missing of the handles, as a sentence; a plate that the editor renders never has any."""
    if plate.route == RENDER:
        return ""
    before = handles - (plate.used.first - plate.delivered.first)
    after = handles - (plate.delivered.last - plate.used.last)
    if not before and not after:
        return ""
    return f"There are fewer handles than asked for: {before} frames missing before, {after} after."


def _doubts(shot: LiveShot, sight: "Sight | None", context: Context) -> Iterator[str]:
    """Why the files of a clip are not what the timeline shows, or may not be."""
    source = shot.source
    if source.kind not in ("sequence", "movie"):
        yield f"its media is a {source.kind}" if source.kind != "none" else "it has no media of its own"
    elif source.kind == "sequence" and not source.pattern.lower().endswith(".exr"):
        yield "its media are not EXR"
    if source.altered:
        yield f"its media is changed by clip attributes ({', '.join(source.altered)})"
    if shot.fusion:
        yield "it has a Fusion composition"
    if not same_rate(source.fps, context.rate):
        yield f"its media runs at {source.fps:g}, the timeline at {context.rate:g}"
    if sight is not None and sight.speed != 1:
        yield sight.text or f"it plays at {float(sight.speed or 0):.0%}"
    if sight is None and shot.retimed is None:
        yield "nothing says whether it is retimed"
    if shot.retimed:
        yield "it is retimed"
    shown = shot.shown
    if shown is None or source.files is None:
        yield "nothing says which of its files it shows"
        return
    if sight is not None and sight.first_file not in (None, shown.first):
        yield f"by its timecode it shows file {sight.first_file} first, by its trim {shown.first}"
    if not source.files.holds(shown):
        yield f"it shows files {shown}, and its media has {source.files}"
    if source.kind == "movie":
        return
    lost = ImageSequence(source.pattern).missing(shown)
    if len(lost) == len(shown):
        yield "its files cannot be seen from here"
    elif lost:
        yield f"its files {describe(lost)} are missing"


def _movie_of(shot: LiveShot, films: Films) -> "tuple[Movie | None, str]":
    """The movie of a clip that can be decoded as the editor shows it; or why not."""
    source = shot.source
    try:
        movie = films.open(source.pattern)
    except FrameError as error:
        return None, error.message.rstrip(".")
    why = ""
    if source.files is not None and len(source.files) != movie.count:
        why = f"Resolve counts {len(source.files)} frames in its movie, which has {movie.count}"
    elif not same_rate(source.fps, float(movie.rate)):
        why = f"Resolve plays its movie at {source.fps:g} frames a second, and it has {float(movie.rate):.5g}"
    elif movie.turn:
        why = f"players turn its movie by {movie.turn} degrees"
    elif source.size not in (None, movie.size):
        why = "Resolve reads its movie at another size"
    elif source.tags.get("data_level", "").strip().lower() not in LEVELS[movie.full]:
        why = f"its data level is set to {source.tags['data_level']}, which its movie does not say"
    return (None, why) if why else (movie, "")
