"""What the host says of its project, its timeline and the clips in it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from void_plugin.errors import HostError
from void_plugin.frames import FrameRange

NEAR = 0.006
"""How far two rates may be apart to be one: 23.98, 23.976 and 24000/1001 are."""
_RANGE = re.compile(r"[._-]?\[\d+-\d+\]")


@dataclass(frozen=True)
class Context:
    """The project and the timeline that are open; only what is asked for before anything begins."""

    project: Mapping[str, str]
    """Its name and id."""
    timeline: Mapping[str, Any]
    """name, id, rate, drop, start, end, width and height."""
    playhead: int | None
    colour: Mapping[str, str]
    """The settings of the project that say how pixels are encoded."""
    problems: tuple[Mapping[str, str], ...]
    product: str = ""
    """Which editor it is, with its version."""

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """Read the answer of the host. Raises HostError where it is none."""
        try:
            problems = tuple(dict(problem) for problem in data["problems"])
            playhead = None if data.get("playhead") is None else int(data["playhead"])
            colour = {str(key): str(value) for key, value in (data.get("colour") or {}).items()}
            version = ".".join(str(part) for part in data.get("version") or ())
            product = f"{data.get('product') or ''} {version}".strip()
            return cls(data.get("project") or {}, data.get("timeline") or {}, playhead, colour, problems, product)
        except (KeyError, TypeError, ValueError) as error:
            raise _unlike("context", error) from error

    @property
    def stops(self) -> list[str]:
        """Why nothing can be done here, as sentences."""
        return [problem["text"] for problem in self.problems if problem["level"] == "error"]

    @property
    def rate(self) -> float:
        """Frames a second of the timeline."""
        return float(self.timeline["rate"])

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the timeline."""
        return int(self.timeline["height"]), int(self.timeline["width"])


@dataclass(frozen=True)
class Source:
    """The media of a clip."""

    kind: str
    """sequence, movie, still or none."""
    pattern: str
    files: FrameRange | None
    """Numbers of its files, or of a movie's frames, from 1 on; None where it has none or nothing says how many."""
    fps: float
    size: tuple[int, int] | None
    """(height, width)."""
    colour: str
    tags: Mapping[str, str]
    """fps, input_colour, data_level, alpha_mode, par and reel as the host wants them back."""
    altered: tuple[str, ...] = ()
    """Attributes of it by which the editor changes its picture, such as a LUT."""

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """Read a part of the host's answer."""
        kind, size = str(data["kind"]), data.get("resolution")
        files = None
        if kind == "sequence" and data.get("first") is not None and data.get("last") is not None:
            files = FrameRange(int(data["first"]), int(data["last"]))
        elif kind == "movie" and data.get("frames"):
            files = FrameRange(1, int(data["frames"]))
        names = ("input_colour", "data_level", "alpha_mode", "par", "reel")
        tags = {name: str(data.get(name) or "") for name in names}
        return cls(
            kind,
            str(data.get("pattern") or "").replace("\\", "/"),
            files,
            float(data.get("fps") or 0.0),
            (int(size[0]), int(size[1])) if size else None,
            tags["input_colour"],
            {**tags, "fps": str(data.get("fps") or "")},
            tuple(str(name) for name in data.get("altered") or ()),
        )


@dataclass(frozen=True)
class LiveShot:
    """One clip of the timeline."""

    id: str
    name: str
    """A name that can be a folder; each in one answer once."""
    clip: str
    track: int
    track_name: str
    locked: bool
    record: tuple[int, int]
    """First frame of the timeline, and the frame after its last, with the timeline's own start counted in."""
    source: Source
    left: int | None
    """The frame of its media that it shows first, counted from the first, at full speed."""
    retimed: bool | None
    """None where the host cannot tell."""
    transformed: bool | None
    """True where it is moved, scaled, turned or cropped; None where the host cannot tell."""
    attached: tuple[str, ...]
    """Mattes that the editor has attached to its media."""
    matte_track: int | None
    fusion: bool
    savers: tuple[tuple[str, str], ...]
    """Composition and name of every Saver in its Fusion compositions."""
    generator: bool
    offline: bool
    note: str
    ours: Mapping[str, Any]
    """What a job of ours has written on its marker; empty for none."""
    problems: tuple[Mapping[str, str], ...]

    @property
    def length(self) -> int:
        """Frames of the timeline."""
        return self.record[1] - self.record[0]

    @property
    def frames(self) -> FrameRange:
        """Frames of the timeline, both ends included."""
        return FrameRange(self.record[0], self.record[1] - 1)

    @property
    def shown(self) -> FrameRange | None:
        """The files that it shows, where it shows them one after the other; None where that is not known."""
        if self.source.files is None or self.left is None or self.retimed:
            return None
        first = self.source.files.first + self.left
        return FrameRange(first, first + self.length - 1)

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """Read one row of the host's answer. Raises HostError where it is none."""
        try:
            record, left, track = data["record"], data.get("left"), data.get("matte_track")
            return cls(
                id=str(data["id"]),
                name=folder_name(str(data["name"])),
                clip=str(data["name"]),
                track=int(data["track"]),
                track_name=str(data.get("track_name") or ""),
                locked=bool(data.get("locked")),
                record=(int(record[0]), int(record[1])),
                source=Source.of(data["media"]),
                left=None if left is None else int(left),
                retimed=data.get("retimed"),
                transformed=data.get("transformed"),
                attached=tuple(str(path).replace("\\", "/") for path in data.get("attached_mattes") or ()),
                matte_track=None if track is None else int(track),
                fusion=bool(data.get("fusion")),
                savers=tuple((str(comp), str(saver)) for comp, saver in data.get("savers") or ()),
                generator=bool(data.get("generator")),
                offline=bool(data.get("offline")),
                note=str(data.get("note") or ""),
                ours=data.get("void") or {},
                problems=tuple(dict(problem) for problem in data.get("problems") or ()),
            )
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise _unlike("shots", error) from error


def shots_of(rows: Sequence[Mapping[str, Any]]) -> list[LiveShot]:
    """The clips of an answer, each under a name of its own."""
    found: list[LiveShot] = []
    for shot in map(LiveShot.of, rows):
        taken = {one.name for one in found}
        name, count = shot.name, 1
        while name in taken:
            count += 1
            name = f"{shot.name}_{count}"
        found.append(replace(shot, name=name))
    return found


def folder_name(text: str) -> str:
    """A name that can be a folder on every system, from that of a clip."""
    whole = _RANGE.sub("", text)
    stem = re.sub(r"\.[A-Za-z]\w{1,4}\Z", "", whole)
    return re.sub(r"[^A-Za-z0-9_-]+", "_", stem).strip("_")[:100] or "shot"


def same_rate(first: float, second: float) -> bool:
    """True for two ways to write one rate."""
    return abs(first - second) < NEAR


def _unlike(name: str, error: Exception) -> HostError:
    return HostError(
        f"The host's answer to {name} is not as expected ({error!r}); install the same version of both sides.",
        "host.protocol",
    )
