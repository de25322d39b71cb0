"""What was made for the shots of a version, found again in a timeline that may have been cut on since."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from void_plugin.editorial.conform import Result
from void_plugin.editorial.delivery import movie_path
from void_plugin.editorial.jobs import Version, source_of
from void_plugin.editorial.media import media_of
from void_plugin.editorial.ranges import source_range
from void_plugin.editorial.submit import is_done, why_not_done
from void_plugin.editorial.walk import Cut, Place, is_results, real_path
from void_plugin.errors import RequestError, VoidError
from void_plugin.request import RemovalRequest


@dataclass(frozen=True)
class Collected:
    """Results and failures by the path of their clip, and what is to be known."""

    results: Mapping[tuple[int, ...], Result]
    failed: Mapping[tuple[int, ...], str]
    warnings: tuple[str, ...]


def collect(cut: Cut, folder: str, version: Version, kind: str = "") -> Collected:
    """The results of a version for the clips of a timeline; relative paths of media are taken from `folder`.

    `kind` makes results be referred to as movies of that kind, which are there already. A clip that was moved is found
    by its name and by what it shows. Raises RequestError where none of the shots can be found.
    """
    results: dict[tuple[int, ...], Result] = {}
    failed: dict[tuple[int, ...], str] = {}
    warnings: list[str] = []
    for job in version.data["jobs"]:
        request = version.request(job["name"])
        done = is_done(request)
        for row in job["shots"]:
            named = [one for one in cut.clips() if one.name == row["clip"] and not _is_ours(cut, one)]
            place = _found(cut, row, named)
            if place is None and named:
                warnings.append(
                    f"{row['name']}: the clip has moved, and which of the {len(named)} that are called {row['clip']!r} "
                    "it is cannot be told; it is left out. Submit the timeline again as a new version."
                )
            elif place is None:
                warnings.append(f"{row['name']}: no clip {row['clip']!r} is in the timeline any more; it is left out.")
            elif not done:
                failed[place.path] = why_not_done(request)
                warnings.append(f"{row['name']} has no result: {failed[place.path]}")
            else:
                try:
                    found = _result(cut, folder, version, row, job["name"], request, place, warnings)
                    results[place.path] = replace(found, movie=_movie(found, kind)) if kind else found
                except VoidError as error:
                    failed[place.path] = error.message
                    warnings.append(f"{row['name']} has no result that fits: {error.message}")
    if not results and not failed:
        raise RequestError("None of the shots is in this timeline; name the one that was submitted.")
    return Collected(results, failed, tuple(warnings))


def _found(cut: Cut, row: Mapping[str, Any], named: Sequence[Place]) -> Place | None:
    """The clip of a shot among those of its name: best one that shows the same, and best where it lay."""
    path = real_path(cut.timeline, tuple(row["path"]))
    same = [place for place in named if source_of(place, cut.rate) == row.get("source")]
    for places in (same, named):
        there = [place for place in places if place.path == path]
        if there or len(places) == 1:
            return (there or places)[0]
    return None


def _is_ours(cut: Cut, place: Place) -> bool:
    return is_results(cut.timeline.tracks[place.path[0]])


def _result(
    cut: Cut,
    folder: str,
    version: Version,
    row: Mapping[str, Any],
    job: str,
    request: RemovalRequest,
    place: Place,
    warnings: list[str],
) -> Result:
    own, told = media_of(place.item, folder), row["media"]
    if own.kind == "movie" and told.get("movie") == own.pattern:
        # What the timeline does not say of a movie, or says of a part, was found in the movie itself.
        rate = told["rate"] if own.assumed else own.written_rate
        own = replace(own, start=Fraction(told["start"]), written_rate=rate)
    media = replace(own, kind=told["kind"], pattern=told["pattern"], first=told["first"], count=told["count"])
    if own.kind != "sequence":
        media = replace(media, schema="image_sequence")  # a movie's way of naming files says nothing about frames
    if own.written_rate != told["rate"] or abs(own.start - Fraction(told["start"])) > Fraction(1, 1000):
        raise RequestError("The clip shows other media than when it was submitted; submit the timeline again.")
    pattern, made = version.outputs(job)
    used = source_range(cut, place, media, 0, 0)
    if not made.holds(used.used):
        raise RequestError(
            f"The cut now shows frames {used.used}, and {made} were made; submit the timeline again as a new version."
        )
    partial = bool(any(row["short"]) or row["beyond"])
    if partial:
        warnings.append(f"{row['name']} has fewer handles or frames than were asked for.")
    facts = dict(_facts(request))
    facts.update(job=job, first=media.first, count=media.count, instead=own.pattern != media.pattern)
    if "movie" in told:
        facts.update(start=float(media.start), rate=media.written_rate)
    facts["made"] = str(made)
    return Result(media, pattern, made, partial=partial, facts=facts)


def _movie(result: Result, kind: str) -> str:
    path = movie_path(result.pattern, kind)
    if not path.is_file():
        raise RequestError(f"There is no movie {path}; make it with --deliver {kind}.")
    return str(path)


def _facts(request: RemovalRequest) -> Iterator[tuple[str, Any]]:
    """What is noted on a clip: enough to know later how it was made, and no path."""
    told = json.loads((Path(request.job_folder()) / "result.json").read_text(encoding="utf-8"))
    yield "engine", str(told.get("engine", ""))
    yield "plan", str(told.get("plan_key", ""))
    yield "seed", request.settings.seed
    yield "prompt", request.prompt
    colour = told.get("colour")
    yield "colour", str(colour.get("space", "")) if isinstance(colour, dict) else ""
    summary = told.get("summary")
    yield "shares", str(summary.get("shares", "")) if isinstance(summary, dict) else ""
