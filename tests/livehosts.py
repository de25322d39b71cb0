"""A strict stand-in for the host of an editor: answers what the driver of `live` asks, and nothing else.

host = LiveHost(shot_row(tmp_path))
result = host.run(desk, "remove", pick="selected", dry_run=True)
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from void_plugin.desk import Desk
from void_plugin.errors import HostError
from void_plugin.hostcall import HostCall
from void_plugin.live.session import timeline
from void_plugin.live.timelinefacts import LiveShot

START, LENGTH, FIRST = 86400, 6, 1001
"""Where a shot begins on the timeline, how long it is, and the number of the first file of its media."""
CONTEXT: dict[str, Any] = {
    "product": "DaVinci Resolve Studio",
    "studio": True,
    "version": [21, 0, 4],
    "project": {"name": "Feature", "id": "project-1"},
    "timeline": {
        "name": "Reel 3",
        "id": "timeline-1",
        "rate": "24",
        "drop": False,
        "start": START,
        "end": START + 100,
        "width": 64,
        "height": 36,
    },
    "page": "edit",
    "playhead": START,
    "rendering": False,
    "collaborative": False,
    "colour": {"colorScienceMode": "davinciYRGB"},
    "problems": [],
}


def files(folder: Path, name: str, numbers: range, suffix: str = "exr") -> str:
    """Empty-looking files of a sequence; returns their pattern."""
    folder.mkdir(parents=True, exist_ok=True)
    pattern = (folder / f"{name}.%04d.{suffix}").as_posix()
    for number in numbers:
        Path(pattern % number).write_bytes(b"a frame")
    return pattern


def shot_row(pattern: str = "", **changes: Any) -> dict[str, Any]:
    """A clip as the host tells of it: 24 files, of which it shows six from the fifth on; `media` changes its media."""
    media = {
        "id": "clip-1",
        "kind": "sequence",
        "pattern": pattern,
        "first": FIRST,
        "last": FIRST + 23,
        "fps": 24.0,
        "start_tc": "00:00:00:00",
        "resolution": [36, 64],
        "par": "Square",
        "input_colour": "",
        "data_level": "Auto",
        "alpha_mode": "None",
        "reel": "A001",
        **changes.pop("media", {}),
    }
    row = {
        "id": "item-1",
        "name": "sh010.[1001-1024].exr",
        "track": 1,
        "track_name": "Video 1",
        "locked": False,
        "record": [START, START + LENGTH],
        "media": media,
        "left": 4,
        "retimed": False,
        "transformed": False,
        "attached_mattes": [],
        "matte_track": None,
        "fusion": False,
        "savers": [],
        "generator": False,
        "offline": False,
        "note": "",
        "void": None,
        "problems": [],
    }
    return {**row, **changes}


def shot(pattern: str = "", **changes: Any) -> LiveShot:
    """The same as the driver sees it."""
    return LiveShot.of(shot_row(pattern, **changes))


class LiveHost:
    """Answers by a table; every question is kept in `asked`. A question that nobody foresaw fails the test."""

    def __init__(self, *rows: dict[str, Any], **answers: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.told: list[str] = []
        self.events: list[dict[str, Any]] = []
        self.faults: list[str] = []
        self.answers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "leftovers": lambda args: {"restored": [], "failed": []},
            "context": lambda args: CONTEXT,
            "shots": lambda args: {"shots": list(rows)},
            "timeline_otio": refused("no OTIO here"),
            "tell": self._tell,
            "mark": lambda args: {},
            **answers,
        }

    def _tell(self, args: dict[str, Any]) -> dict[str, Any]:
        self.told.append(args["text"])
        return {}

    def ask(self, name: str, args: Any, seconds: float) -> dict[str, Any]:
        self.asked.append((name, dict(args)))
        if name not in self.answers:
            self.faults.append(f"nobody answers {name}")
            raise HostError(f"nobody answers {name}")
        return self.answers[name](dict(args))

    def names(self) -> list[str]:
        return [name for name, _ in self.asked]

    def of(self, name: str) -> list[dict[str, Any]]:
        """The arguments of each question of that name."""
        return [args for asked, args in self.asked if asked == name]

    def call(self, action: str, **options: Any) -> HostCall:
        return HostCall("timeline", {"action": action, "options": options}, self.events.append, self.ask)

    def run(self, desk: Desk, action: str, **options: Any) -> dict[str, Any]:
        """The result of an action; fails the test where something was asked that nobody answers."""
        result = timeline(desk, self.call(action, **options))
        assert not self.faults, self.faults
        return result


def refused(text: str, code: str = "host.failed") -> Callable[[dict[str, Any]], dict[str, Any]]:
    """An answer that is an error."""

    def answer(args: dict[str, Any]) -> dict[str, Any]:
        raise HostError(text, code)

    return answer
