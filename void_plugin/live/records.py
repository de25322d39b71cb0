"""What job.json of a version folder remembers of a clip, so that another run can go on with it or place its result."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from void_plugin.errors import HostError, VoidError
from void_plugin.frames import FrameRange, ImageSequence
from void_plugin.jobrecord import JobRecord
from void_plugin.live.routes import FILES, MOVIE, Plate
from void_plugin.live.timelinefacts import Context, LiveShot

KEY = "timeline"
"""Where it stands among the facts of a job."""
MANAGED = "davinciYRGBColorManagedv2"


@dataclass(frozen=True)
class Placing:
    """All that is needed to lay a result over its clip."""

    job: str
    """Our name for the job, which stands on the clip's marker too."""
    project: str
    timeline: str
    """Ids of both."""
    shot: str
    """Id of the clip."""
    name: str
    record: tuple[int, int]
    left: int | None
    """Where the clip lay, and what of its media it showed first, when it was sent; None where a frame of the timeline
    is no frame of the media."""
    route: str
    used: str
    """Numbers of the result's files that the clip showed then."""
    delivered: str
    """Numbers of all files of the result."""
    version: int = 0
    pattern: str = ""
    """Of the result, below the version folder."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """How the editor is to read the result: fps, input_colour, data_level, alpha_mode, par, reel."""
    copies: bool = False
    """True where the result gets grade and sizing of its clip, since they are not in its pixels."""
    flaws: tuple[str, ...] = ()
    """What is to be looked at in its frames, as sentences: handles that could not be delivered, a faint matte."""
    exported: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What the editor has rendered, `plate` and `matte`, each with its pattern, and what is baked into it."""

    @property
    def frames(self) -> FrameRange:
        """Numbers of the files that the clip showed."""
        return FrameRange.parse(self.used)

    def with_export(self, what: str, pattern: str, baked: bool, flaws: Sequence[str] = ()) -> Self:
        """The same once there are frames of something; a plate says whether grade and sizing are in it."""
        exported = {**self.exported, what: {"pattern": pattern, "baked": baked}}
        copies = self.copies if what == "matte" else not baked
        return replace(self, exported=exported, copies=copies, flaws=(*self.flaws, *flaws))

    def has_export(self, what: str) -> bool:
        """True where what was rendered is still there."""
        pattern = str(self.exported.get(what, {}).get("pattern", ""))
        return bool(pattern) and not ImageSequence(pattern).missing(self.frames)

    def args(self, folder: Path) -> dict[str, Any]:
        """What the host is told so that it places the result in a version folder."""
        whole = FrameRange.parse(self.delivered)
        pattern = (folder / self.pattern).as_posix()
        return {
            "project": self.project,
            "timeline": self.timeline,
            "shot": self.shot,
            "record": list(self.record),
            "left": self.left,
            "files": {"pattern": pattern, "first": whole.first, "last": whole.last},
            "offset": self.frames.first - whole.first,
            "name": f"{self.name}_VOID_v{self.version:03d}",
            "version": self.version,
            "job": self.job,
            **self.tags,
            "copy_transform": self.copies,
            "copy_grade": self.copies,
            "scratch": False,
        }

    def facts(self, context: Context) -> dict[str, Any]:
        """The facts of a job that hold it, with those of the project."""
        about = {"project": dict(context.project), "colour": dict(context.colour), "cut": dict(context.timeline)}
        return {KEY: asdict(self), **about}

    @classmethod
    def of(cls, facts: Mapping[str, Any], folder: Path) -> Self:
        """Read it from the facts of a job. Raises HostError where there is none."""
        data = facts.get(KEY)
        try:
            found = cls(**data)  # type: ignore[arg-type]
            return replace(found, record=(int(found.record[0]), int(found.record[1])), flaws=tuple(found.flaws))
        except (TypeError, ValueError, IndexError) as error:
            raise HostError(f"{folder} was not made for a timeline; send the clip again.", "host.folder") from error


def record_of(folder: Path) -> tuple[JobRecord, Placing]:
    """job.json of a version folder and what it remembers of its clip. Raises HostError."""
    record = JobRecord.load(folder)
    return record, Placing.of(record.facts, folder)


def keep(folder: Path, placing: Placing, context: Context, error: VoidError) -> None:
    """Let a reserved folder stay with what was exported into it, marked as failed. Raises VoidError."""
    record = JobRecord.load(folder)
    replace(record, facts=placing.facts(context)).ours().failed(error).save(folder)


def tags_of(shot: LiveShot, plate: Plate, context: Context) -> dict[str, str]:
    """How the editor is to read a result: as the clip's own files, or as what it has rendered itself."""
    if plate.route == FILES:
        return dict(shot.source.tags)
    if plate.route == MOVIE:  # decoded to the whole range, without alpha
        return {**shot.source.tags, "data_level": "Full", "alpha_mode": "None"}
    # What comes in as it went out: the two transforms cancel.
    managed = context.colour.get("colorScienceMode") == MANAGED
    colour = context.colour.get("colorSpaceOutput", "") if managed else ""
    tags = {"fps": f"{context.rate:g}", "input_colour": colour, "data_level": "Full", "alpha_mode": "None"}
    return {**tags, "reel": shot.source.tags.get("reel", "")}
