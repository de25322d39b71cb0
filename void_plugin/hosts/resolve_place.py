"""A result onto the timeline: imported, put above its shot as a clip or as a take of ours, and read back.

Nothing that Resolve answers is believed: what lies on the timeline afterwards is what counts. Where that is wrong it
is corrected once, then taken back. A place that failed leaves nothing behind.
"""

from typing import Any, Dict, List, Mapping, NamedTuple, Optional

from void_plugin.errors import HostError
from void_plugin.hosts import resolve_lay as lay
from void_plugin.hosts import resolve_tracks as tracks
from void_plugin.hosts.resolve_api import CODE, Clip, Item, Project, Resolve, Timeline, find_item
from void_plugin.hosts.resolve_results import (
    COLOR,
    Files,
    Results,
    describe,
    drop_bins,
    remove_clips,
    tag_of,
)
from void_plugin.hosts.resolve_tracks import Span
from void_plugin.hosts.resolve_undo import Undo
from void_plugin.hosts.resolve_visit import check, visit

TRANSFORM = (
    "ZoomGang",  # first: while it is on, one zoom changes the other
    "Pan",
    "Tilt",
    "ZoomX",
    "ZoomY",
    "RotationAngle",
    "AnchorPointX",
    "AnchorPointY",
    "Pitch",
    "Yaw",
    "FlipX",
    "FlipY",
    "CropLeft",
    "CropRight",
    "CropTop",
    "CropBottom",
    "CropSoftness",
    "CropRetain",
    "Distortion",
    "Scaling",
    "ResizeFilter",
)
"""The properties of an item that say where its picture lands."""


class Wanted(NamedTuple):
    """What is to be placed, and where its shot lay when it was sent."""

    project: str
    timeline: str
    shot: str
    span: Span
    left: Optional[int]
    files: Files
    offset: int
    name: str
    version: int
    job: str
    scratch: bool

    @classmethod
    def of(cls, args: Mapping[str, Any]) -> "Wanted":
        """From the arguments of the command `place`. Raises HostError for what is missing or no number."""
        try:
            files, (start, end), left = args["files"], args["record"], args.get("left")
            return cls(
                project=str(args["project"]),
                timeline=str(args["timeline"]),
                shot=str(args["shot"]),
                span=Span(int(start), int(end)),
                left=None if left is None else int(left),
                files=Files(str(files["pattern"]), int(files["first"]), int(files["last"])),
                offset=int(args["offset"]),
                name=str(args["name"]),
                version=int(args["version"]),
                job=str(args["job"]),
                scratch=bool(args.get("scratch")),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise HostError("A result cannot be placed by what is said of it: {!r}.".format(error), CODE) from error

    def tag(self) -> Dict[str, Any]:
        """By what the clip is known again."""
        kind = "scratch" if self.scratch else "result"
        return {"job": self.job, "shot": self.shot, "version": self.version, "kind": kind}


def place(resolve: Resolve, args: Mapping[str, Any]) -> Dict[str, Any]:
    """Put a result on the timeline above its shot. Raises HostError, and then nothing of it is left.

    The result has `as` (clip or take), `track`, `record`, `item` (its id), `warnings`, and `complete`: False where the
    frames lie there and one of the warnings is that they look otherwise than they should.
    """
    wanted = Wanted.of(args)
    project = open_project(resolve, wanted.project)
    timeline = project.find_timeline(wanted.timeline)
    if timeline is None:
        raise gone("timeline", wanted, "in the project {}".format(project.name()))
    with visit(resolve, project, timeline) as left, Undo() as undo:
        answer = _Placing(project, timeline, wanted, args, undo).run()
    answer["warnings"] += left
    return answer


def open_project(resolve: Resolve, unique: str) -> Project:
    """The project that is open, which must be that one. Raises HostError."""
    project = resolve.project()
    if project is None or project.id() != unique:
        name = "no project" if project is None else "the project " + project.name()
        raise HostError("Resolve has {} open; open the one that the shot was sent from.".format(name), CODE)
    return project


class _Placing:
    """One result on its way to the current timeline."""

    def __init__(
        self, project: Project, timeline: Timeline, wanted: Wanted, args: Mapping[str, Any], undo: Undo
    ) -> None:
        self._pool, self._timeline, self._wanted, self._args = project.pool(), timeline, wanted, args
        self._undo = undo
        self._warnings: List[str] = []
        self._flaws: List[str] = []

    def run(self) -> Dict[str, Any]:
        wanted, timeline = self._wanted, self._timeline
        found = find_item(timeline, wanted.shot)
        if found is None:
            raise gone("clip", wanted, "on the timeline {}".format(timeline.name()))
        below, shot = found
        # A round trip takes a few frames of its shot, a result covers all of it.
        span = wanted.span if wanted.scratch else Span(shot.start(), shot.end())
        there = tracks.result_of(timeline, wanted.shot, span, wanted.scratch)
        clip = self._clip()
        offset = self._offset_now(shot, span, clip)
        if there is not None:
            track, before = there
            item = lay.add_take(timeline, before, clip, lay.aim(timeline, clip, track, span, offset), self._undo)
        else:
            track = tracks.free_track(timeline, below, span, wanted.scratch, self._undo)
            item = lay.append(self._pool, timeline, clip, lay.aim(timeline, clip, track, span, offset), self._undo)
        self._finish(shot, item, below, track, span)
        kind = "take" if item.takes() else "clip"
        about = {"warnings": self._flaws + self._warnings, "complete": not self._flaws}
        return {"as": kind, "track": track, "record": list(span), "item": item.id(), **about}

    def _clip(self) -> Clip:
        """The result in the media pool, with all that it takes over from its plate."""
        results = Results(self._pool, self._timeline.name())
        tag = self._wanted.tag()
        clip = results.find(tag) or results.bring(self._wanted.files, tag, self._undo)
        flaws, warnings = describe(clip, self._wanted.name, self._args)
        self._flaws += flaws
        self._warnings += warnings
        return clip

    def _offset_now(self, shot: Item, span: Span, clip: Clip) -> int:
        """Index of the first file that the shot shows now. Raises HostError where it shows what was not delivered."""
        wanted, left = self._wanted, shot.left_offset()
        slip = 0 if wanted.left is None or left is None else left - wanted.left
        if span == wanted.span and not slip:
            return wanted.offset
        offset = wanted.offset + slip
        needed = lay.aim(self._timeline, clip, 0, span, offset).frames(span.length)
        known = wanted.left is not None or span.length == wanted.span.length
        if not known or offset < 0 or offset + needed > wanted.files.frames:
            text = "{} was trimmed since it was sent and now shows frames that were not delivered; send it again."
            raise HostError(text.format(wanted.name), CODE)
        text = "{} was moved or trimmed since it was sent; the result is placed where it is now."
        self._warnings.append(text.format(wanted.name))
        return offset

    def _finish(self, shot: Item, item: Item, below: int, track: int, span: Span) -> None:
        """What may fail without the result being wrong, each with a warning."""
        say, name = self._warnings.append, self._wanted.name
        if not item.set_color(COLOR):
            say("Resolve's TimelineItem.SetClipColor did not colour {} on the timeline.".format(name))
        if self._args.get("copy_transform"):
            self._flaws += copy_transform(shot, item, name)
        if self._args.get("copy_grade") and not shot.copy_grade_to([item]):
            self._flaws.append("Resolve's TimelineItem.CopyGrades refused for {}; copy the grade by hand.".format(name))
        hidden = tracks.covering(self._timeline, below, track, span)
        if hidden:
            say("{} lies over the shot of {} and is hidden by the result.".format(", ".join(hidden), name))
        if not self._timeline.is_track_enabled(track):
            say("The track {} is switched off, so {} is not seen.".format(self._timeline.track_name(track), name))


def copy_transform(shot: Item, item: Item, name: str) -> List[str]:
    """Give an item the position, size, crop and scaling of another; returns what Resolve did not keep."""
    wanted, present = shot.properties(), item.properties()
    lost = []
    for key in TRANSFORM:
        if key in wanted and wanted[key] != present.get(key) and not item.set_property(key, wanted[key]):
            lost.append(key)
    text = "Resolve's TimelineItem.SetProperty did not keep {} for {}; copy them by hand."
    return [text.format(", ".join(lost), name)] if lost else []


def gone(what: str, wanted: Wanted, where: str) -> HostError:
    """The error for a shot or a timeline that the user has deleted meanwhile."""
    text = "The {} that {} belongs to is no longer {}; take that back with undo, or use the files {}."
    return HostError(text.format(what, wanted.name, where, wanted.files.pattern), CODE)


def unplace(resolve: Resolve, args: Mapping[str, Any]) -> Dict[str, Any]:
    """Take the scratch of a round trip off its timeline, with its clip, its track and its bin. Raises HostError.

    One that is no longer there is no error; an item that is something else is.
    """
    project = resolve.project()
    for timeline in project.timelines() if project is not None else ():
        found = find_item(timeline, str(args.get("item") or ""))
        if project is not None and found is not None:
            with visit(resolve, project, timeline) as left:
                _unplace(project, timeline, *found)
            check(left)
    return {}


def _unplace(project: Project, timeline: Timeline, track: int, item: Item) -> None:
    clips = tracks.clips_of(item)  # those of a round trip that was broken off are its other takes
    if not clips or any((tag_of(clip) or {}).get("kind") != "scratch" for clip in clips):
        text = "{} on track {} is no scratch of a round trip, so it is not removed."
        raise HostError(text.format(item.name(), track), CODE)
    if timeline.is_track_locked(track):
        raise tracks.locked(timeline, track)
    pool = project.pool()

    def rest() -> None:
        timelines = project.timelines()
        remove_clips(pool, [clip for clip in clips if not any(tracks.showing(one, clip) for one in timelines)])
        drop_bins(pool, [timeline.name()])

    with Undo() as undo:
        undo.add("the clip of {}".format(item.name()), rest)  # nothing would lead to it once its item is gone
        tracks.remove_with_track(timeline, track, [item])
        rest()
