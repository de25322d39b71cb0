"""Movies of the results of a version, each made once."""

import json
from collections.abc import Callable
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import Any

from void_plugin.editorial.delivery import Source, deliver, movie_path
from void_plugin.editorial.jobs import Version
from void_plugin.editorial.submit import is_done
from void_plugin.editorial.times import can_drop, exact_rate
from void_plugin.errors import RequestError, VoidError
from void_plugin.request import RemovalRequest

_LINEAR = ("default", "chromaticities")
"""Where the colour space of a plate may be known from that stand for linear light."""


def deliver_all(kind: str, version: Version, say: Callable[[str], None], warn: Callable[[str], None]) -> int:
    """Make the movie of each result of a version that is done; returns how many could not be made.

    `say` hears which is being made, `warn` what each loses or why it cannot be made, as a sentence.
    """
    failed = 0
    for job in version.data["jobs"]:
        request = version.request(job["name"])
        if not is_done(request):
            continue  # that it has no result is said elsewhere
        try:
            if request.outputs[0].kind != "comp":
                raise VoidError(
                    f"{job['name']} is a patch, and a movie holds whole frames; submit it with --output comp."
                )
            source = _source(version, job, request)
            say(f"{job['name']}: {movie_path(source.pattern, kind)}")
            for text in deliver(kind, source):
                warn(text)
        except VoidError as error:
            warn(error.message)
            failed += 1
    return failed


def _source(version: Version, job: Any, request: RemovalRequest) -> Source:
    name = job["name"]
    if request.outputs[0].kind != "comp":
        raise RequestError(f"{name} is a patch, and a movie holds whole frames; submit it with --output comp.")
    told = json.loads((Path(request.job_folder()) / "result.json").read_text(encoding="utf-8"))
    if told["colour"]["from"] in _LINEAR:
        raise RequestError(
            f"Nothing says how the frames of {name} are encoded, so they were taken for scene-linear, and a movie "
            "would clip them; say their colour space with --colour."
        )
    pattern, frames = version.outputs(name)
    media = job["shots"][0]["media"]
    rate = exact_rate(media["rate"])
    start = floor(Fraction(media["start"])) + frames.first - media["first"]
    drop = bool(media.get("drop", can_drop(rate)))
    return Source(name, pattern, frames, rate, start, drop, int(media.get("matrix", 0)), request.colour)
