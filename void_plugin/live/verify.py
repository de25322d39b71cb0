"""Frames that an editor has rendered for us: all of them, numbered on, of the right size, and not black.

The editor's own word is not enough: its renders may say that they are done before, after, or without being so.
"""

import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from void_plugin.config import Config
from void_plugin.errors import FrameError, JobError, ServerError
from void_plugin.frames import FrameRange, ImageSequence, contiguous, describe
from void_plugin.live.mattes import digits
from void_plugin.localfiles import disk_error
from void_plugin.programs import ask_server

SETTLE_SECONDS = 5.0
"""How long the last files may take to appear once the editor says that it is done."""
LOOK_SECONDS = 120.0
AT_ONCE = 100
"""Frames that are looked at with one start of a program."""
_POLL_SECONDS = 0.2
GREY = 0.5
"""A matte whose brightest value is below this was probably changed by colour management."""


@dataclass(frozen=True)
class Rendered:
    """A sequence of files that may be used."""

    pattern: str
    frames: FrameRange
    warnings: tuple[str, ...] = ()


class Judge:
    """Looks at what was rendered."""

    def __init__(self, config: Config, environment: Mapping[str, str], check: Callable[[], None]) -> None:
        """`check` raises where waiting is to end."""
        self._config, self._environment, self._check = config, environment, check

    def rendered(
        self, folder: Path, name: str, frames: FrameRange, size: tuple[int, int] | None, what: str
    ) -> Rendered:
        """The files `name` in a folder as a sequence with these numbers, whatever the editor has numbered them.

        `size` is (height, width), None for any. Raises FrameError where they cannot be used.
        """
        pattern = self._settled(folder, name, frames, what)
        first, middle, last = frames.first, (frames.first + frames.last) // 2, frames.last
        try:
            seen = self.look(pattern, sorted({first, middle, last}))
            if not any(row["most"] > 0 for row in seen):  # what is to go may come and go between those
                seen = self._brightest(pattern, frames) or seen
        except ServerError as error:  # a client without void-server: the server's own reading will tell
            return Rendered(pattern, frames, (f"The {what} was not looked at: {error.message}",))
        for row in seen:
            if size is not None and tuple(row["size"]) != size:
                height, width = row["size"]
                raise FrameError(
                    f"Resolve has rendered the {what} at {width}x{height}, and {size[1]}x{size[0]} are needed; look at "
                    "the render preset and at the timeline's resolution."
                )
        most = max(row["most"] for row in seen)
        if most <= 0:
            raise FrameError(
                f"Resolve has rendered the {what} black; look whether its track is switched on and shows something."
            )
        warnings: tuple[str, ...] = ()
        if what == "matte" and most < GREY:
            warnings = (f"The matte is nowhere brighter than {most:.2f}; switch colour management off for it.",)
        return Rendered(pattern, frames, warnings)

    def _brightest(self, pattern: str, frames: FrameRange) -> list[dict[str, Any]]:
        """The frames that hold anything of the first few that do; empty where all are black."""
        for begin in range(frames.first, frames.last + 1, AT_ONCE):
            self._check()
            rows = self.look(pattern, list(range(begin, min(begin + AT_ONCE, frames.last + 1))))
            if found := [row for row in rows if row["most"] > 0]:
                return found
        return []

    def look(self, pattern: str, frames: list[int], against: str = "") -> list[dict[str, Any]]:
        """What some frames hold, and by how much they differ from others of the same numbers.

        Raises ServerError where there is no void-server here, FrameError where a frame cannot be read.
        """
        others = ["--against", against] if against else []
        numbers = [str(frame) for frame in frames]
        try:
            told = ask_server(self._config, self._environment, ["look", pattern, *numbers, *others], LOOK_SECONDS)
        except JobError as error:  # what it says is about a frame
            raise FrameError(error.message) from error
        return list(told["frames"])

    def _settled(self, folder: Path, name: str, frames: FrameRange, what: str) -> str:
        until = time.monotonic() + SETTLE_SECONDS
        while True:
            self._check()
            try:
                return _adopted(folder, name, frames, what)
            except FrameError:
                if time.monotonic() > until:
                    raise
            time.sleep(_POLL_SECONDS)


def files_of(folder: Path, name: str) -> dict[int, Path]:
    """The EXR files of a name in a folder by number, with whatever joint and digits the editor has given them."""
    numbered = re.compile(re.escape(name) + r"[._-]?(\d+)\.exr\Z", re.IGNORECASE)
    try:
        names = os.listdir(folder)
    except OSError:
        return {}
    return {int(match.group(1)): folder / entry for entry in names if (match := numbered.match(entry))}


def discard(folder: Path, name: str) -> None:
    """Remove the files of a name. What cannot go stays."""
    for path in files_of(folder, name).values():
        try:
            path.unlink()
        except OSError:
            return


def _adopted(folder: Path, name: str, frames: FrameRange, what: str) -> str:
    """Give files the numbers that they should have, and return their pattern. Raises FrameError where one lacks."""
    found = files_of(folder, name)
    whole, gaps = contiguous(sorted(found))
    if whole is None:
        raise FrameError(f"Resolve has rendered no file of the {what} into {folder}; look at its Deliver page.")
    if gaps:
        raise FrameError(f"Resolve has left out frames {describe(gaps)} of the {what} in {folder}; run it again.")
    if len(whole) != len(frames):
        raise FrameError(
            f"Resolve has rendered {len(whole)} frames of the {what} ({whole}) where {len(frames)} were asked for "
            f"({frames}); look whether something marks another range."
        )
    empty = [number for number, path in found.items() if not path.stat().st_size]
    if empty:
        raise FrameError(f"Frames {describe(empty)} of the {what} in {folder} are empty; is the disk full?")
    target = ImageSequence((folder / f"{name}.%0{digits(frames)}d.exr").as_posix())
    try:
        moves = [(path, Path(target.path(number - whole.first + frames.first))) for number, path in found.items()]
        for path, wanted in moves:
            if path != wanted:
                path.rename(wanted.with_suffix(".moving"))
        for path, wanted in moves:
            if path != wanted:
                wanted.with_suffix(".moving").rename(wanted)
    except OSError as error:
        raise disk_error(error, folder) from error
    return target.pattern
