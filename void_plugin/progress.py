"""How a job looks to the person who started it: JSON lines, plain lines, or a bar with a table at the end."""

import time
from abc import ABC, abstractmethod
from types import TracebackType
from typing import IO, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from void_plugin.errors import RequestError
from void_plugin.events import Event, Finished, FrameReady, Progressed, Queued, Started, Uploading, Warned, to_line
from void_plugin.frames import FrameRange, describe

LOW_COVERAGE = 0.9
"""Below this share of real pixels a frame is named in the summary with advice; above it the eye rarely objects."""

SHARES = ("untouched", "recovered", "generated")
"""Keys of `Finished.summary` that divide the pixels of all frames between them, each 0..1."""


class Tally:
    """What the events so far add up to."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self.engine = ""
        self.reason = ""
        self.folder = ""
        self.total = 0
        self.coverage: dict[int, float] = {}
        self.warnings = 0
        self.finished: Finished | None = None

    def add(self, event: Event) -> None:
        """Take one event into account."""
        if isinstance(event, Started):
            self.engine, self.reason, self.folder = event.engine, event.reason, event.folder
            self.total = _count(event.frames)
        elif isinstance(event, FrameReady):
            self.coverage[event.frame] = event.coverage  # a frame may come as patch and as comp
        elif isinstance(event, Warned):
            self.warnings += 1
        elif isinstance(event, Finished):
            self.finished = event

    def done(self) -> str:
        """Frames finished, out of how many where that is known."""
        return f"{len(self.coverage)}/{self.total}" if self.total else str(len(self.coverage))

    def rows(self, outputs: list[str]) -> list[tuple[str, str]]:
        """The summary as names and values, in reading order."""
        summary = self.finished.summary if self.finished else {}
        rows = [("engine", self.engine + (f" ({self.reason})" if self.reason else ""))]
        rows.append(("frames", f"{len(self.coverage)} ({describe(self.coverage)})" if self.coverage else "0"))
        rows += [("output", pattern) for pattern in outputs]
        if all(isinstance(summary.get(name), (int, float)) for name in SHARES):
            rows.append(("pixels", ", ".join(f"{summary[name]:.1%} {name}" for name in SHARES)))
        if summary.get("shares"):
            rows.append(("what is new", str(summary["shares"])))
        if self.coverage:
            frame = min(self.coverage, key=lambda number: (self.coverage[number], number))
            lowest = self.coverage[frame]
            text = f"{lowest:.0%} on frame {frame}"
            if lowest < LOW_COVERAGE and self.engine != "void":
                text += ": background not seen in this range; extend the range or use VOID"
            rows.append(("lowest coverage", text))
        if self.warnings:
            rows.append(("warnings", str(self.warnings)))
        seconds = time.monotonic() - self._began
        rows.append(("time", f"{seconds:.1f} s, {len(self.coverage) / max(seconds, 1e-6):.2f} frames/s"))
        return rows


class Display(ABC):
    """Shows the events of one job; a context manager, so that a terminal is left as it was."""

    def __init__(self) -> None:
        self.tally = Tally()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def show(self, event: Event) -> None:
        """Show one event."""
        self.tally.add(event)
        self._show(event)

    @abstractmethod
    def _show(self, event: Event) -> None: ...

    @abstractmethod
    def summary(self, outputs: list[str]) -> None:
        """Say what a finished job came to."""


class JsonLines(Display):
    """One event a line and nothing else, for programs."""

    def __init__(self, stream: IO[str]) -> None:
        super().__init__()
        self._stream = stream

    def _show(self, event: Event) -> None:
        print(to_line(event), file=self._stream, flush=True)

    def summary(self, outputs: list[str]) -> None:
        """Nothing: the last event holds it."""


class PlainLines(Display):
    """One short line for each thing worth a line, for log files and pipes."""

    def __init__(self, stream: IO[str]) -> None:
        super().__init__()
        self._stream = stream
        self._steps: set[str] = set()
        self._frames: set[int] = set()
        self._tenths = -1

    def _show(self, event: Event) -> None:
        if isinstance(event, Progressed):
            if event.step not in self._steps:  # solving and composing take turns, so a change alone means little
                self._say(f"step {event.step}")
            self._steps.add(event.step)
        elif isinstance(event, FrameReady):
            if event.frame not in self._frames:  # it comes once for each output
                self._say(f"frame {event.frame} ({self.tally.done()}), coverage {event.coverage:.0%}")
            self._frames.add(event.frame)
        elif isinstance(event, Uploading):
            tenths = event.done * 10 // max(1, event.total)  # a line a file would bury everything else
            if tenths != self._tenths:
                self._say(f"uploaded {event.done}/{event.total} files")
            self._tenths = tenths
        else:
            text = _sentence(event)
            if text:
                self._say(text)

    def summary(self, outputs: list[str]) -> None:
        """The summary, one `name: value` a line."""
        for name, value in self.tally.rows(outputs):
            self._say(f"{name}: {value}")

    def _say(self, text: str) -> None:
        print(text, file=self._stream, flush=True)


class Bar(Display):
    """A progress bar that stays at the bottom, with warnings above it and a table at the end."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TextColumn("{task.fields[count]}"),
            TimeRemainingColumn(),
            console=console,
        )
        self._phase: type[Event] = Started
        self._task = self._bar.add_task("starting", total=1.0, count="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def _show(self, event: Event) -> None:
        if isinstance(event, Progressed):
            self._update(Progressed, event.step, event.fraction, f"{self.tally.done()} frames")
        elif isinstance(event, FrameReady):
            self._bar.update(self._task, count=f"{self.tally.done()} frames")
        elif isinstance(event, Uploading):
            share = event.done / max(1, event.total)
            self._update(Uploading, "uploading", share, f"{event.done}/{event.total} files")
        elif isinstance(event, Queued):
            self._update(Queued, _sentence(event), 0.0, "")
        elif isinstance(event, Finished):
            self._update(Progressed, "done", 1.0, f"{self.tally.done()} frames")
        else:
            text = _sentence(event)
            if text:
                style = "yellow" if isinstance(event, Warned) else ""
                self._bar.console.print(escape(text), style=style, highlight=False)

    def _update(self, phase: type[Event], text: str, done: float, count: str) -> None:
        if phase is not self._phase:  # uploading tells nothing about how long the rest takes
            self._bar.reset(self._task, total=1.0)
        self._phase = phase
        self._bar.update(self._task, description=escape(text), completed=done, count=count)

    def summary(self, outputs: list[str]) -> None:
        """The summary as a table."""
        print_table(self._console, self.tally.rows(outputs))


def display_for(console: Console, as_json: bool) -> Display:
    """The display that fits: JSON lines when asked for, a bar on a terminal, plain lines elsewhere."""
    if as_json:
        return JsonLines(console.file)
    return Bar(console) if console.is_terminal else PlainLines(console.file)


def print_table(console: Console, rows: list[tuple[str, str]]) -> None:
    """Names and values in two columns, or as `name: value` lines where there is no terminal to fit them to."""
    if not console.is_terminal:
        for name, value in rows:
            print(f"{name}: {value}", file=console.file)
        return
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(escape(name), escape(value))
    console.print(table)


def _sentence(event: Event) -> str:
    if isinstance(event, Started):
        why = f": {event.reason}" if event.reason else ""
        return f"{event.engine} on {event.device or 'this machine'}{why}"
    if isinstance(event, Warned):
        frame = "" if event.frame is None else f" (frame {event.frame})"
        return f"warning: {event.text}{frame}"
    if isinstance(event, Queued):
        before = f"{event.position} before this one" if event.position else "next in line"
        return f"waiting, {before}" + (f", about {span(event.eta_seconds)}" if event.eta_seconds > 0 else "")
    return ""


def span(seconds: float) -> str:
    """A length of time as people say it: `40 s`, `5 min`, `2.5 h`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _count(frames: str) -> int:
    """How many frames a description such as `1001-1004, 1007` names; 0 where it cannot be read."""
    try:
        return sum(len(FrameRange.parse(part)) for part in frames.split(",")) if frames else 0
    except RequestError:
        return 0
