"""Everything that can be wrong with a request's files, found before any work and told at once."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from void_plugin.errors import RequestError, ServerError, VoidError, from_code
from void_plugin.frames import FrameRange, contiguous, describe, spans
from void_plugin.request import INPUTS, RemovalRequest
from void_server.affected import Preset
from void_server.allowance import ANYTHING, Allowance
from void_server.beneath import Roots
from void_server.exr import Part
from void_server.footage import Footage
from void_server.jobfolder import make_folder
from void_server.tiles import Box

NEEDED = tuple(name for name in INPUTS if name not in ("plate", "clean_plate"))
"""Inputs that must exist on every frame of the shot range, beside the plate."""
LISTED = 12
"""Problems told at once; beyond this a list stops helping."""


@dataclass(frozen=True)
class PlateFacts:
    """What the plate's files say about the shot."""

    canvas: Box
    """Union of all data windows of the shot range, in EXR coordinates."""
    display: Box
    pixel_aspect: float


def resolve_ranges(request: RemovalRequest) -> RemovalRequest:
    """The request with its frames and shot range filled in from what lies on disk.

    The shot range is what was asked for; else the frames with context; else the contiguous run on disk around
    the frames. Raises RequestError or FrameError listing every missing frame as ranges.
    """
    plate = request.sequence("plate")
    if plate.is_still:
        frames = request.frames or FrameRange(1, 1)
        if len(frames) > 1:
            raise RequestError(
                f"The plate {plate.pattern} is one still, but frames {frames} were asked for; put %04d in the pattern.",
                "request.pattern",
            )
        return replace(request, frames=frames, shot_range=request.shot_range or frames)
    on_disk = plate.on_disk()
    whole, gaps = contiguous(on_disk)
    if whole is None:
        raise from_code(
            "frame.missing", f"No frame of the plate {plate.pattern} exists; check the folder and the pattern."
        )
    if request.shot_range is not None:
        return replace(request, frames=request.frames or request.shot_range)
    if request.frames is None:
        if gaps:
            raise from_code(
                "frame.missing",
                f"The plate {plate.pattern} has gaps: frames {describe(gaps)} are missing between {whole.first} "
                f"and {whole.last}. Render them or give --frames for a part without gaps.",
            )
        return replace(request, frames=whole, shot_range=whole)
    if request.context:
        wanted = request.frames.grown(request.context)
        on_disk = [frame for frame in on_disk if frame in wanted]
    return replace(request, shot_range=_run_around(request.frames, _complete(request, on_disk)))


def _complete(request: RemovalRequest, frames: Sequence[int]) -> list[int]:
    """Frames for which every matte exists as well: only these can be looked at."""
    names = [name for name in NEEDED if request.input(name) is not None]
    missing = {frame for name in names for frame in request.sequence(name).missing(frames)}
    return [frame for frame in frames if frame not in missing]


def _run_around(frames: FrameRange, available: list[int]) -> FrameRange:
    """The contiguous run that holds the frames asked for; the frames alone where one of them is missing."""
    return next((run for run in spans(available) if run.holds(frames)), frames)


class Preflight:
    """Checks every file of a request; collects what is wrong and raises it in one error."""

    def __init__(
        self, footage: Footage, request: RemovalRequest, workers: int, allowance: Allowance = ANYTHING
    ) -> None:
        if request.shot_range is None or request.frames is None:
            raise RequestError("The request has no resolved frame range.", "request.range")
        self.footage, self.request, self.workers, self.allowance = footage, request, workers, allowance
        self.shot_range, self.frames = request.shot_range, request.frames
        self._problems: list[VoidError] = []

    def run(self) -> PlateFacts:
        """Raise the error that names all problems, or return what the plate says."""
        self._outputs()
        self._preset()
        self._missing()
        self._raise()
        plate = self._headers("plate", lambda frame: self.footage.plate_part(frame)[0])
        for name in NEEDED:
            if self.footage.has(name):
                self._matte(name, plate)
        if self.footage.has("clean_plate"):
            self._clean_plate(plate)
        self._raise()
        facts = self._plate_facts(plate)
        self._raise()
        return facts

    def _missing(self) -> None:
        for name in INPUTS:
            if not self.footage.has(name) or name == "clean_plate":
                continue
            sequence = self.footage.sequence(name)
            missing = sequence.missing(self.shot_range)
            if not missing:
                continue
            label = name.replace("_", " ")
            if len(missing) == len(self.shot_range):
                there = sequence.on_disk()
                has = f"it has frames {describe(there)}" if there else "no frame of it exists"
                text = f"The {label} {sequence.pattern} has none of the frames {self.shot_range}; {has}."
            else:
                text = f"The {label} {sequence.pattern} is missing frames {describe(missing)} of {self.shot_range}."
            self._add("frame.missing", f"{text} Render them or choose another range.")

    def _headers(self, name: str, part: Callable[[int], Part]) -> dict[int, Part]:
        """The part in use of every frame; unreadable files are collected."""
        found: dict[int, Part] = {}

        def look(frame: int) -> VoidError | Part:
            try:
                return part(frame)
            except VoidError as error:
                return error

        frames = list(self.shot_range)
        if self.footage.sequence(name).is_still:
            frames = frames[:1]
        with ThreadPoolExecutor(self.workers) as pool:
            for frame, outcome in zip(frames, pool.map(look, frames), strict=True):
                if isinstance(outcome, VoidError):
                    self._problems.append(outcome)
                else:
                    found[frame] = outcome
        self._refuse_large(name, found)
        return found

    def _refuse_large(self, name: str, parts: dict[int, Part]) -> None:
        most = self.allowance.max_pixels
        large = [frame for frame, part in parts.items() if most and max(part.data.area, part.display.area) > most]
        if large:
            part = parts[large[0]]
            box = part.data if part.data.area >= part.display.area else part.display
            self._add(
                "server.limit",
                f"Frames {describe(large)} of the {name.replace('_', ' ')} ({self.footage.sequence(name).pattern}) are "
                f"{box.width}x{box.height}, that is {box.area / 1e6:.1f} million pixels, and this server takes at most "
                f"{most / 1e6:.1f}; scale them down or ask whoever runs it.",
            )

    def _matte(self, name: str, plate: dict[int, Part]) -> None:
        headers = self._headers(name, lambda frame: self.footage.matte_part(name, frame)[0])
        wrong = [
            frame
            for frame, part in headers.items()
            if frame in plate and part.display.size != plate[frame].display.size
        ]
        if wrong:
            frame = wrong[0]
            matte, shot = headers[frame].display, plate[frame].display
            self._add(
                "request.matte_size",
                f"The {name.replace('_', ' ')} is {matte.width}x{matte.height} on frames {describe(wrong)}, but the "
                f"plate is {shot.width}x{shot.height} ({self.footage.sequence(name).path(frame)}); render the matte "
                "at the plate's format.",
            )

    def _clean_plate(self, plate: dict[int, Part]) -> None:
        sequence = self.footage.sequence("clean_plate")
        there = [frame for frame in self.shot_range if not sequence.missing([frame])]
        if not there:
            self._add(
                "frame.missing",
                f"The clean plate {sequence.pattern} has no frame in {self.shot_range}; leave it out or "
                "fix its pattern.",
            )
        for frame in there:
            try:
                part = self.footage.plate_part(frame, "clean_plate")[0]
            except VoidError as error:
                self._problems.append(error)
                continue
            self._refuse_large("clean_plate", {frame: part})
            if frame in plate and part.display.size != plate[frame].display.size:
                self._add(
                    "request.matte_size",
                    f"Frame {frame} of the clean plate ({sequence.path(frame)}) is {part.display.width}x"
                    f"{part.display.height}, but the plate is {plate[frame].display.width}x"
                    f"{plate[frame].display.height}; render it at the plate's format.",
                )

    def _plate_facts(self, plate: dict[int, Part]) -> PlateFacts:
        first = plate[self.shot_range.first]
        odd = [
            frame
            for frame, part in plate.items()
            if part.display.size != first.display.size or abs(part.pixel_aspect - first.pixel_aspect) > 1e-3
        ]
        if odd:
            part = plate[odd[0]]
            self._add(
                "request.range",
                f"The plate changes format: frames {describe(odd)} are {part.display.width}x{part.display.height} "
                f"(pixel aspect {part.pixel_aspect:g}), frame {self.shot_range.first} is {first.display.width}x"
                f"{first.display.height} ({first.pixel_aspect:g}); send one format a shot.",
            )
        canvas = first.data
        for part in plate.values():
            canvas = canvas.joined(part.data)
        return PlateFacts(canvas, first.display, first.pixel_aspect)

    def _preset(self) -> None:
        try:
            Preset.of(self.request)
        except RequestError as error:
            self._problems.append(error)

    def _outputs(self) -> None:
        for output in self.request.outputs:
            sequence = self.request.output_sequence(output)
            if sequence.is_still and len(self.frames) > 1:
                self._add(
                    "request.output",
                    f"The output {sequence.pattern} has no frame number for frames {self.frames}; put %04d in "
                    "the name.",
                )
            try:
                make_folder_checked(os.path.abspath(sequence.folder), self.allowance.roots)
            except VoidError as error:
                self._problems.append(error)

    def _add(self, code: str, text: str) -> None:
        self._problems.append(from_code(code, text))

    def _raise(self) -> None:
        if not self._problems:
            return
        lines = [problem.message for problem in self._problems]
        told = lines[:LISTED]
        if len(lines) > LISTED:
            told.append(f"… and {len(lines) - LISTED} more like these.")
        raise from_code(self._problems[0].code, "\n".join(told))


def make_folder_checked(folder: str, roots: Roots | None = None) -> None:
    """Make an output folder and prove that a file can be written there. Raises ServerError saying why not."""
    try:
        handle = open_folder(folder, roots)
        try:
            probe = f".void_{os.getpid()}_{threading.get_ident()}.tmp"
            os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=handle))
            os.unlink(probe, dir_fd=handle)
        finally:
            os.close(handle)
    except OSError as error:
        code = "server.disk_full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "server.unwritable"
        raise ServerError(
            f"Cannot write into {folder}: {error.strerror or error}. Choose another output folder.", code
        ) from error


def open_folder(folder: str, roots: Roots | None) -> int:
    """A handle of an output folder, made where it is missing, and below the roots where there are any."""
    if roots is not None:
        return roots.open_folder(folder, create=True)
    make_folder(Path(folder))
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
