"""The lines that a farm task says: as OpenJD's own reader takes them, few, and never two in one."""

from __future__ import annotations

import io
import os
import re

import pytest

from void_plugin.events import Event, Finished, FrameReady, Progressed, Started, Warned
from void_server.openjdlines import Lines

LINE = re.compile(r"^openjd_(?:(progress)|(status)|(fail)|(env)): (.+)$")
"""How the specification (2023-09) and openjd-sessions 0.13 find messages."""


def said(*events: Event) -> list[str]:
    stream = io.StringIO()
    lines = Lines(stream)
    for event in events:
        lines.hear(event)
    return stream.getvalue().splitlines()


def test_every_kind_of_message_is_one_that_openjd_reads() -> None:
    stream = io.StringIO()
    lines = Lines(stream)
    lines.progress(0.5)
    lines.status("loading")
    lines.fail("The disk is full.")
    lines.variable("VOID_DAEMON", "/tmp/a b/daemon.json")
    found = [match for line in stream.getvalue().splitlines() if (match := LINE.match(line))]
    assert [match.lastindex and match.group(5) for match in found] == [
        "50", "loading", "The disk is full.", "VOID_DAEMON=/tmp/a b/daemon.json",
    ]  # fmt: skip


def test_a_sentence_of_many_lines_stays_one_message() -> None:
    stream = io.StringIO()
    Lines(stream).fail("Frame 1 is missing.\nopenjd_env: PATH=/evil\r\n… and 3 more.")
    (line,) = stream.getvalue().splitlines()
    assert line == "openjd_fail: Frame 1 is missing. openjd_env: PATH=/evil … and 3 more."


def test_percents_are_whole_and_never_told_twice_or_backwards() -> None:
    stream = io.StringIO()
    lines = Lines(stream)
    for fraction in (0.0, 0.001, 0.5, 0.2, 0.509, 0.999, 1.0, 7.0):
        lines.progress(fraction)
    assert [line.split()[-1] for line in stream.getvalue().splitlines()] == ["0", "50", "99", "100"]


@pytest.mark.parametrize(
    ("step", "fractions", "percents"),
    [
        ("plan", (0.0, 0.125, 0.25), ["0", "50", "100"]),
        ("solve", (0.4, 0.7, 1.0), ["0", "50", "100"]),
        ("compose", (0.85, 0.925, 1.0), ["0", "50", "100"]),
    ],
)
def test_a_task_that_does_one_step_counts_from_0_to_100(
    step: str, fractions: tuple[float, ...], percents: list[str]
) -> None:
    lines = said(*(Progressed(step=step, fraction=fraction + 1e-9) for fraction in fractions))
    assert [line.removeprefix("openjd_progress: ") for line in lines] == percents


def test_what_goes_on_in_a_step_is_told_now_and_then() -> None:
    steps = [Progressed(step="solve", unit=3, fraction=0.4, text=f"pass 1, step {number}") for number in range(90)]
    assert said(*steps) == ["openjd_progress: 0", "openjd_status: unit 3: pass 1, step 0"]


def test_what_is_waited_for_is_always_told() -> None:
    lines = said(Started(engine="slow", device="cpu"), Progressed(text="Waiting for the plan."))
    assert lines == ["openjd_status: slow on cpu", "openjd_status: Waiting for the plan."]


def test_warnings_frames_and_results_are_for_people() -> None:
    lines = said(Warned(text="The matte is empty."), FrameReady(frame=7, path="/out/7.exr"), Finished(result="/r.json"))
    assert lines == ["warning: The matte is empty.", "frame 7: /out/7.exr", "result: /r.json"]


def test_nobody_who_listens_is_no_reason_to_fail() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        lines = Lines(stream)
        lines.status("to nobody")
        lines.status("still to nobody")
