"""The action `check`: three frames out of the editor and in again, as a job would, and by how much they differ then.

What it measures are levels, colour, rate, numbering and end frames of this project in this version of the editor; its
report is what belongs into a report of a fault.
"""

import contextlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from void_plugin import __version__
from void_plugin.desk import Desk
from void_plugin.errors import HostError, VoidError
from void_plugin.frames import FrameRange, ImageSequence
from void_plugin.hostcall import HostCall
from void_plugin.jobrecord import now
from void_plugin.live.choices import Choices
from void_plugin.live.exports import Export, Exports
from void_plugin.live.films import Films, decoded
from void_plugin.live.hostside import HostSide
from void_plugin.live.mattes import digits, link
from void_plugin.live.plans import output_of, picked
from void_plugin.live.records import Placing, tags_of
from void_plugin.live.remove import refuse
from void_plugin.live.routes import RENDER, Plate, plate_of
from void_plugin.live.timelinefacts import LiveShot
from void_plugin.live.truth import look
from void_plugin.live.verify import Judge
from void_plugin.localfiles import disk_error, write_whole
from void_plugin.serverfacts import config_for

FOLDER = "roundtrip"
REPORT = "report.json"
FRAMES = 3
ALLOWED = "1/1024"
"""Differences up to this are not counted (`void-server look`)."""


class RoundTrip:
    """One try on the first clip that is picked."""

    def __init__(self, desk: Desk, call: HostCall, host: HostSide, choices: Choices) -> None:
        self._call, self._host, self._choices = call, host, choices
        self._context = host.context()
        self._warnings: list[str] = []
        self._judge = Judge(config_for(desk.environment, ""), desk.environment, call.check)
        self._exports = Exports(call, host, self._judge, lambda shot, text: self._warnings.append(text))

    def run(self) -> dict[str, Any]:
        """Try it, take it away again, and tell the numbers. Raises VoidError, or Cancelled."""
        refuse(self._context)
        shot = picked(self._host, self._choices)[0]
        sights, why_blind = look(self._host, [shot])
        if why_blind:
            self._warnings.append(why_blind)
        plate = plate_of(shot, sights.get(shot.id), self._context, self._choices, 0, Films())
        frames = _middle(shot.frames)
        folder = _emptied(output_of(shot, self._context, self._choices) / FOLDER)
        rows = self._tried(shot, plate, frames, folder)
        return self._told(shot, plate, folder, rows)

    def _tried(self, shot: LiveShot, plate: Plate, frames: FrameRange, folder: Path) -> list[dict[str, Any]]:
        preset = self._choices.preset
        first = self._exports.run(Export(shot, "plate", shot.track, frames, folder / "first", None, preset))
        copies = plate.route != RENDER or not first.baked
        files, numbers = first.files.pattern, frames
        if plate.route != RENDER:
            shift = plate.used.first - shot.record[0]
            files, numbers = plate.pattern, FrameRange(frames.first + shift, frames.last + shift)
        if plate.movie is not None:
            files = decoded(plate.movie, numbers, folder / "movie", self._call.check)
        placing = self._placing(shot, plate, frames, numbers, copies)
        for number in numbers:
            link(ImageSequence(files).path(number), ImageSequence((folder / placing.pattern).as_posix()).path(number))
        placed = self._host.place({**placing.args(folder), "scratch": True})
        self._warnings += [str(text) for text in placed.get("warnings") or ()]
        try:
            again = Export(shot, "result", int(placed["track"]), frames, folder / "second", None, preset)
            second = self._exports.run(again)
        finally:
            self._take_away(str(placed["item"]))
        return self._judge.look(first.files.pattern, [*frames], second.files.pattern)

    def _placing(self, shot: LiveShot, plate: Plate, frames: FrameRange, numbers: FrameRange, copies: bool) -> Placing:
        return Placing(
            job=FOLDER,
            project=str(self._context.project.get("id", "")),
            timeline=str(self._context.timeline.get("id", "")),
            shot=shot.id,
            name=shot.name,
            record=(frames.first, frames.last + 1),
            left=None,
            route=plate.route,
            used=str(numbers),
            delivered=str(numbers),
            pattern=f"placed/{shot.name}_VOID_check.%0{digits(numbers)}d.exr",
            tags=tags_of(shot, plate, self._context),
            copies=copies,
        )

    def _take_away(self, item: str) -> None:
        if self._host.gone:
            return
        try:
            self._host.unplace(item)
        except VoidError as error:
            self._warnings.append(f"what was tried is still on the timeline: {error.message}")

    def _told(self, shot: LiveShot, plate: Plate, folder: Path, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        largest, over = max(row["largest"] for row in rows), sum(row["over"] for row in rows)
        good = over == 0
        text = (
            f"{shot.clip}: {len(rows)} frames came back with a largest difference of {largest:.6f}, and {over} pixels "
        )
        text += f"differ by more than {ALLOWED}."
        if not good:
            text += (
                " Levels, colour or sizing are not the same on the way back; send the report along when you ask why."
            )
        report = {
            "void_plugin": __version__,
            "made": now(),
            "product": self._context.product,
            "timeline": dict(self._context.timeline),
            "colour": dict(self._context.colour),
            "clip": shot.clip,
            "record": list(shot.record),
            "source": {"pattern": shot.source.pattern, "size": shot.source.size, **shot.source.tags},
            "plate": {"route": plate.route, "why": plate.why},
            "frames": [dict(row) for row in rows],
            "good": good,
            "warnings": self._warnings,
        }
        write_whole(folder / REPORT, json.dumps(report, indent=1, sort_keys=True) + "\n")
        for name in ("first", "second", "placed", "movie"):
            shutil.rmtree(folder / name, ignore_errors=True)
        state = "passed" if good else "failed"
        row = {"name": shot.name, "state": state, "text": text, "folder": folder.as_posix(), "warnings": self._warnings}
        where = f"The numbers are in {(folder / REPORT).as_posix()}."
        return {"ok": good, "text": where, "rows": [row], "largest": largest, "over": over}


def _middle(frames: FrameRange) -> FrameRange:
    first = frames.first + max(0, (len(frames) - FRAMES) // 2)
    return FrameRange(first, min(first + FRAMES - 1, frames.last))


def _emptied(folder: Path) -> Path:
    """An empty folder for this try, in place of the last one's. Raises HostError for a folder that is not ours."""
    if folder.exists() and any(entry.name not in _OURS for entry in folder.iterdir()):
        raise HostError(f"{folder} holds files that are not of a round trip; move it away.", "host.folder")
    try:
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
    except OSError as error:
        raise disk_error(error, folder) from error
    return folder


_OURS = ("first", "second", "placed", "movie", REPORT)
