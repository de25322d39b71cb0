"""The steps of a painting in a file, so that neither a painter that dies nor a panel takes them along.

A record is a line of JSON, of a matte with its new tiles after it. A step is its mattes and then its name: what a crash
has cut short counts for nothing.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from void_plugin.localfiles import lock
from void_plugin.pictures.painting import Painting, Sheet, Step
from void_plugin.pictures.planes import Place, Plane, Values, box_of, frozen

FORMAT = 1
"""Raised where a record changes its meaning; files of another number are left alone."""
FORGOTTEN_SECONDS = 60 * 86_400.0
"""For how long strokes that were never saved wait for somebody who opens their request again."""
_ENDING = ".steps"
_STEPS = ("matte", "step", "undo", "redo")
_HELD = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
"""What a file says that another process has locked."""

Record = Mapping[str, Any]


class Journal:
    """A file that only one painter writes; it stays where that one dies."""

    def __init__(self, path: Path, stream: io.BufferedRandom) -> None:
        self.path, self._stream = path, stream

    @classmethod
    def taken(cls, folder: Path, about: object, fits: Callable[[list[Record]], bool]) -> Journal:
        """One about something, such as a shot: one that nobody holds any more, or a new one.

        `fits` says by the records that are no steps whether an old one is wanted; others are left alone.
        Raises OSError.
        """
        key = hashlib.sha256(json.dumps([FORMAT, about], sort_keys=True).encode()).hexdigest()[:16]
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _forget_old(folder)
        left = sorted(folder.glob(f"{key}-*{_ENDING}"))
        fresh = (folder / f"{key}-{number}{_ENDING}" for number in range(len(left) + 100))
        for path in [*left, *fresh]:
            stream = _held(path)
            if stream is None:
                continue
            found = cls(path, stream)
            said = found.said()
            if not said or fits(said):
                return found
            found.close()
        raise OSError(errno.EBUSY, "it is in use by too many panels")

    # -- writing ---------------------------------------------------------------------------------------------

    def note(self, what: str, step: Step) -> None:
        """Write that a step was made (`step`), taken back (`undo`) or made again (`redo`). Raises OSError."""
        if what == "step":
            for sheet, plane in step.after.items():
                self._write_matte(sheet, plane, step.before[sheet])
        self.say({"do": what, "name": step.name})

    def say(self, record: Record) -> None:
        """Write something else that has happened. Raises OSError."""
        self._put(record)
        self._stream.flush()

    def _write_matte(self, sheet: Sheet, plane: Plane, before: Plane | None) -> None:
        old: Mapping[Place, Values] = before.tiles if before is not None else {}
        new = {place: tile for place, tile in plane.tiles.items() if old.get(place) is not tile}
        packed = zlib.compress(b"".join(tile.tobytes() for tile in new.values()), 1)
        self._put({
            "do": "matte", "frame": sheet[0], "label": sheet[1], "kind": plane.kind, "over_file": plane.over_file,
            "grown": len(new) < len(plane.tiles), "places": list(new), "bytes": len(packed), "sum": zlib.crc32(packed),
        })  # fmt: skip
        self._stream.write(packed)

    def _put(self, record: Record) -> None:
        self._stream.write(json.dumps(record).encode("ascii") + b"\n")

    # -- reading ---------------------------------------------------------------------------------------------

    def said(self) -> list[Record]:
        """The records that are no steps; none of a new file. Raises OSError."""
        return [record for _, record, _ in self._records() if record["do"] not in _STEPS]

    def replay(self, painting: Painting, said: Callable[[Record], None]) -> None:
        """Do again what is written; `said` hears of records that are no steps.

        What a crash has cut short is taken out. Raises OSError.
        """
        mattes: dict[Sheet, Plane] = {}
        whole = 0
        for end, record, packed in self._records():
            what = record["do"]
            if what == "matte":
                sheet = (int(record["frame"]), str(record["label"]))
                mattes[sheet] = _matte(record, packed, painting.size, painting.held(sheet))
                continue
            if what == "step":
                painting.replace(str(record["name"]), mattes)
            elif what == "undo":
                painting.undo()
            elif what == "redo":
                painting.redo()
            else:
                said(record)
            mattes = {}
            whole = end
        self._stream.seek(whole)
        self._stream.truncate()

    def _records(self) -> Iterator[tuple[int, dict[str, Any], bytes]]:
        """Where each record ends, the record, and what comes with it, up to the first that is not whole."""
        self._stream.seek(0)
        for line in iter(self._stream.readline, b""):
            try:
                record = json.loads(line) if line.endswith(b"\n") else None
            except ValueError:
                return
            if not isinstance(record, dict) or "do" not in record:
                return
            packed = self._stream.read(int(record.get("bytes", 0)))
            if len(packed) != record.get("bytes", 0) or zlib.crc32(packed) != record.get("sum", 0):
                return
            yield self._stream.tell(), record, packed

    # -- the end ---------------------------------------------------------------------------------------------

    def clear(self) -> None:
        """Begin anew. Raises OSError."""
        self._stream.seek(0)
        self._stream.truncate()

    def close(self) -> None:
        """Leave it to whoever paints next."""
        with contextlib.suppress(OSError):  # a full disk has been told
            self._stream.close()

    def discard(self) -> None:
        """Take it away."""
        with contextlib.suppress(OSError):
            if os.name == "nt":  # which lets nobody take away what is open
                self.clear()
                self._stream.close()
            self.path.unlink(missing_ok=True)
        self.close()


def _forget_old(folder: Path) -> None:
    """Take away what nobody has come back for."""
    for path in folder.glob(f"*{_ENDING}"):
        with contextlib.suppress(FileNotFoundError):  # another panel does the same
            if time.time() - path.stat().st_mtime > FORGOTTEN_SECONDS:
                stream = _held(path)
                if stream is not None:
                    Journal(path, stream).discard()


def _held(path: Path) -> io.BufferedRandom | None:
    """The file, for this process alone; None where another has it."""
    stream = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600), "r+b")
    try:
        lock(stream.fileno())
        if os.path.samestat(os.fstat(stream.fileno()), os.stat(path)):
            return stream
    except FileNotFoundError:  # taken away between the two
        pass
    except OSError as error:
        if error.errno not in _HELD:
            return stream  # storage without locks; a state folder is on a disk of this machine as a rule
    stream.close()
    return None


def _matte(record: Record, packed: bytes, size: tuple[int, int], before: Plane | None) -> Plane:
    """The matte of a record, over the one before it."""
    flat = np.frombuffer(zlib.decompress(packed), record["kind"])
    tiles: dict[Place, Values] = dict(before.tiles) if record["grown"] and before is not None else {}
    begin = 0
    for row, column in record["places"]:
        x0, y0, x1, y1 = box_of((row, column), size)
        count = (y1 - y0) * (x1 - x0)
        tiles[row, column] = frozen(flat[begin : begin + count].reshape(y1 - y0, x1 - x0))
        begin += count
    return Plane(size, str(record["kind"]), bool(record["over_file"]), tiles)
