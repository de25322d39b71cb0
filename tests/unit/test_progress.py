"""What the person who waits gets to see."""

import io

import pytest
from rich.console import Console

from void_plugin.events import Event, Finished, FrameReady, Progressed, Queued, Started, Uploading, Warned
from void_plugin.progress import Bar, PlainLines, span

STORY: list[Event] = [
    Uploading(done=0, total=40),
    *(Uploading(done=done, total=40) for done in range(1, 41)),
    Queued(position=3, eta_seconds=130),
    Queued(position=0),
    Started(engine="recover", device="cpu", frames="1001-1004"),
    Progressed(step="solve", fraction=0.5),
    Warned(code="server.unavailable", text="The server box:1 has not answered for 4 seconds."),
    FrameReady(frame=1001, coverage=1.0),
    FrameReady(frame=1001, coverage=1.0, output=1),
    Finished(),
]


def test_plain_lines_tell_of_an_upload_in_tenths_and_of_every_place_in_the_queue() -> None:
    stream = io.StringIO()
    lines = PlainLines(stream)
    for event in STORY:
        lines.show(event)
    said = stream.getvalue().splitlines()
    uploads = [line for line in said if line.startswith("uploaded")]
    assert uploads[0] == "uploaded 0/40 files" and uploads[-1] == "uploaded 40/40 files" and len(uploads) == 11
    assert "waiting, 3 before this one, about 2 min" in said and "waiting, next in line" in said
    assert said.count("frame 1001 (1/4), coverage 100%") == 1


def test_the_bar_counts_files_while_they_travel_and_frames_afterwards() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=120, _environ={})
    bar = Bar(console)
    seen = []
    with bar:
        for event in STORY:
            bar.show(event)
            task = bar._bar.tasks[0]
            seen.append((type(event).__name__, task.description, task.fields["count"], round(task.completed, 2)))
    assert seen[10] == ("Uploading", "uploading", "10/40 files", 0.25)
    assert ("Queued", "waiting, 3 before this one, about 2 min", "", 0.0) in seen
    assert ("Progressed", "solve", "0/4 frames", 0.5) in seen
    assert seen[-1] == ("Finished", "done", "1/4 frames", 1.0)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "has not answered" in shown and "recover on cpu" in shown


@pytest.mark.parametrize(("seconds", "text"), [(4, "4 s"), (99, "99 s"), (100, "2 min"), (9000, "2.5 h")])
def test_times_are_told_as_people_say_them(seconds: float, text: str) -> None:
    assert span(seconds) == text
