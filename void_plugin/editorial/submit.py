"""Running the removals of a version, one after the other; what is done already is left alone."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from void_plugin.editorial.jobs import Job
from void_plugin.errors import VoidError
from void_plugin.events import Failed, from_line
from void_plugin.frames import FrameRange
from void_plugin.request import RemovalRequest

DONE, FAILED, CANCELLED = 0, 1, 130
"""Exit codes of one removal, as of `void remove`."""


def run_jobs(jobs: Sequence[Job], run: Callable[[RemovalRequest], int], say: Callable[[str], None]) -> int:
    """Run all jobs that are not done; returns an exit code.

    `run` runs one request and returns its exit code. A job that fails does not keep the others from running; after one
    that was stopped no other starts. `say` hears in a line which job is next.
    """
    failed = 0
    for number, job in enumerate(jobs, 1):
        head = f"{job.name} ({number} of {len(jobs)}), frames {job.request.frames}"
        if is_done(job.request):
            say(f"{head}: done already")
            continue
        say(head)
        code = run(job.request)
        if code == CANCELLED:
            return CANCELLED
        failed += code != DONE
    if failed:
        say(f"{failed} of {len(jobs)} failed; the same command runs those again and nothing else.")
    return FAILED if failed else DONE


def is_done(request: RemovalRequest) -> bool:
    """True where all that a request asks for lies there, made by this very request."""
    try:
        told = json.loads((Path(request.job_folder()) / "result.json").read_text(encoding="utf-8"))
        made = FrameRange.parse(told["frames_asked"])
    except (OSError, ValueError, KeyError, TypeError, VoidError):
        return False  # there is none, or a half one: it is made again
    frames = request.frames
    if frames is None or not made.holds(frames):
        return False
    return not any(request.output_sequence(output).missing(frames) for output in request.outputs)


def why_not_done(request: RemovalRequest) -> str:
    """Why a removal has no result, as a sentence."""
    try:
        lines = (Path(request.job_folder()) / "events.jsonl").read_text(encoding="utf-8").splitlines()
        last = from_line(lines[-1]) if lines else None
    except (OSError, ValueError, VoidError):
        last = None
    if isinstance(last, Failed):
        return last.text
    return "It has not been made yet; run void otio submit again."
