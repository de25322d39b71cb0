"""What is painted and not saved outlives its painter: steps in a file, bit for bit, whatever cut that file short."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from films import film, ramp
from hypothesis import given, settings
from hypothesis import strategies as st

from void_plugin.pictures.brush import Brush
from void_plugin.pictures.journal import FORGOTTEN_SECONDS, Journal
from void_plugin.pictures.painting import LABELS, Painting
from void_plugin.pictures.planes import Plane
from void_plugin.pictures.sheets import Sheets

SIZE = (150, 200)
FRAMES = (1, 2, 3)
Open = Callable[[dict[str, Any]], Sheets]


def of_file(frame: int, label: str) -> Any:
    """A matte with odd values on two frames, in two types; no file on the third."""
    if frame == 3:
        return None
    values = np.random.default_rng((frame, len(label))).normal(0.5, 0.5, SIZE)
    values[0, 0] = np.nan
    return values.astype(np.float16 if label == "remove" else np.float32)


def bits(painting: Painting) -> list[bytes]:
    return [painting.matte(frame, label).tobytes() for frame in FRAMES for label in LABELS]


points = st.tuples(st.floats(-20, 220), st.floats(-20, 170))
acts = st.one_of(
    st.tuples(st.just("stroke"), st.sampled_from(FRAMES), st.sampled_from(LABELS), points, points, st.booleans()),
    st.tuples(st.just("copy"), st.sampled_from(FRAMES), st.sampled_from(FRAMES), st.sampled_from(LABELS)),
    st.tuples(st.just("whole"), st.sampled_from(LABELS), st.integers(0, 9)),
    st.tuples(st.sampled_from(["undo", "redo"])),
)


def act(painting: Painting, doing: tuple[Any, ...]) -> None:
    if doing[0] == "stroke":
        _, frame, label, begin, end, erase = doing
        painting.begin(frame, label, begin, Brush(12.0, 0.5), erase)
        painting.to(end)
        painting.end()
    elif doing[0] == "copy":
        painting.copy(*doing[1:])
    elif doing[0] == "whole":
        pixels = np.zeros(SIZE, np.float16)
        pixels[doing[2] : 60, 20:90] = 0.25  # 0 leaves most tiles out
        painting.replace("Matte from keyframes", {(frame, doing[1]): Plane.of_pixels(pixels) for frame in (1, 3)})
    else:
        getattr(painting, doing[0])()


def kept(folder: Path) -> tuple[Painting, Journal]:
    """A painting with all that a journal has of it."""
    painting, journal = Painting(SIZE, of_file), Journal.taken(folder, "sh010", lambda said: True)
    journal.replay(painting, lambda record: None)
    painting.watch(journal.note)
    return painting, journal


def end(painting: Painting, journal: Journal) -> None:
    """The painter ends."""
    painting.watch(lambda what, step: None)
    journal.close()


@settings(max_examples=25, deadline=None)
@given(st.lists(acts, max_size=8), st.lists(acts, max_size=3))
def test_what_was_done_is_there_again_with_all_that_can_be_undone(
    tmp_path_factory: pytest.TempPathFactory, doings: list[Any], more: list[Any]
) -> None:
    folder = tmp_path_factory.mktemp("unsaved")
    first, journal = kept(folder)
    for doing in doings:
        act(first, doing)
    end(first, journal)
    second, journal = kept(folder)
    for doing in more:
        act(first, doing)
        act(second, doing)
    end(second, journal)
    third, journal = kept(folder)
    end(third, journal)
    for again in (second, third):
        assert bits(again) == bits(first) and again.touched().keys() == first.touched().keys()
        assert (again.can_undo, again.can_redo) == (first.can_undo, first.can_redo)
    while first.can_undo:
        first.undo(), third.undo()
        assert bits(third) == bits(first)
    assert not third.can_undo and not third.touched()


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_a_file_that_was_cut_short_has_every_step_before_the_cut(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("unsaved")
    first, journal = kept(folder)
    ends, stages = [0], [bits(first)]
    for number in range(3):
        act(first, ("whole", "remove", number) if number == 1 else ("stroke", 1, "remove", (20, 20), (90, 70), False))
        act(first, ("stroke", 2, "affected", (20, 20 + number), (90, 70), number == 2))
        ends.append(journal.path.stat().st_size)
        stages.append(bits(first))
    journal.close()
    cut = data.draw(st.integers(0, ends[-1]), "cut")
    os.truncate(journal.path, cut)
    second, journal = kept(folder)
    whole = max(number for number, end in enumerate(ends) if end <= cut)
    assert bits(second) in (stages[whole], *_between(stages, whole))
    act(second, ("stroke", 3, "remove", (50, 50), (60, 60), False))
    journal.close()
    third, journal = kept(folder)
    journal.close()
    assert bits(third) == bits(second)


def _between(stages: list[list[bytes]], whole: int) -> list[list[bytes]]:
    """What there is where only the first of two steps is whole: the matte of the second is as it was."""
    if whole + 1 == len(stages):
        return []
    second = FRAMES.index(2) * len(LABELS) + LABELS.index("affected")
    after = list(stages[whole + 1])
    after[second] = stages[whole][second]
    return [after]


def test_what_somebody_else_still_paints_is_left_alone(tmp_path: Path) -> None:
    first, held = kept(tmp_path)
    act(first, ("stroke", 1, "remove", (20, 20), (90, 70), False))
    second, other = kept(tmp_path)
    assert other.path != held.path and not second.can_undo
    other.discard()
    held.discard()
    assert list(tmp_path.iterdir()) == []


def test_what_nobody_has_come_back_for_is_forgotten(tmp_path: Path) -> None:
    painting, journal = kept(tmp_path)
    act(painting, ("stroke", 1, "remove", (20, 20), (90, 70), False))
    long_ago = journal.path.stat().st_mtime - FORGOTTEN_SECONDS - 1
    os.utime(journal.path, (long_ago, long_ago))
    other = Journal.taken(tmp_path, "sh020", lambda said: True)
    assert journal.path.exists(), "a panel still paints there"
    end(painting, journal)
    Journal.taken(tmp_path, "sh030", lambda said: True).discard()
    other.discard()
    assert list(tmp_path.iterdir()) == []


# -- the sheets of a shot ------------------------------------------------------------------------------------------


@pytest.fixture
def message(tmp_path: Path) -> dict[str, Any]:
    """What a window says of a shot."""
    plate = film(tmp_path, "plate", FRAMES, lambda frame: ramp(*SIZE, frame))
    matte = film(tmp_path, "matte", FRAMES, lambda frame: np.full((*SIZE, 1), 0.5, np.float16), channels=("A",))
    said = {
        "say": "open", "shot": "uuid", "plate": plate, "frames": "1-3", "around": "", "quadmask": None,
        "mattes": {"remove": [matte, []], "affected": ["", []]}, "folder": str(tmp_path / "sh010_mattes"),
        "unsaved": str(tmp_path / "unsaved"), "again": False,
    }  # fmt: skip
    return json.loads(json.dumps(said))  # type: ignore[no-any-return]


@pytest.fixture
def opened() -> Iterator[Open]:
    """Opens shots as a painter does."""
    made: list[Sheets] = []

    def open_one(message: dict[str, Any]) -> Sheets:
        made.append(Sheets.of_message(message))
        return made[-1]

    yield open_one
    for sheets in made:
        sheets.leave(discard=True)


def stroke(sheets: Sheets, frame: int = 1) -> None:
    act(sheets.painting, ("stroke", frame, "remove", (20, 20), (90, 70), False))


def save(sheets: Sheets, folder: Path) -> dict[str, str]:
    """Save as the painter does, without the files."""
    patterns = {"remove": f"{folder}/v001/remove.%04d.exr"}
    sheets.saving(1)
    sheets.has_saved(1, patterns)
    return patterns


def crash(sheets: Sheets) -> None:
    """The process ends, and its lock with it."""
    assert sheets.journal is not None
    sheets.journal.close()


def test_only_what_is_not_saved_comes_back_when_a_request_is_opened(
    opened: Open, message: dict[str, Any], tmp_path: Path
) -> None:
    first = opened(message)
    stroke(first)
    save(first, tmp_path)
    crash(first)
    second = opened(message)
    assert not second.came_back and not second.painting.touched()
    stroke(second)
    crash(second)
    third = opened(message)
    assert third.came_back and third.unsaved() and third.painting.can_undo == "Paint"


def test_a_painter_that_is_started_again_has_also_what_is_saved(
    opened: Open, message: dict[str, Any], tmp_path: Path
) -> None:
    first = opened(message)
    stroke(first)
    patterns = save(first, tmp_path)
    stroke(first, 2)
    crash(first)
    now = {**message["mattes"], "remove": [patterns["remove"], []]}
    second = opened({**message, "mattes": now, "again": True})  # the request has the saved mattes
    assert second.came_back and second.files == first.files
    assert set(second.painting.touched()) == {(1, "remove"), (2, "remove")} and second.saved_labels == ("remove",)
    second.painting.undo()
    assert not second.unsaved()


def test_strokes_over_other_mattes_are_not_laid_over_these(
    opened: Open, message: dict[str, Any], tmp_path: Path
) -> None:
    first = opened(message)
    stroke(first)
    crash(first)
    other = film(tmp_path, "roto2", FRAMES, lambda frame: np.zeros((*SIZE, 1), np.float16), channels=("A",))
    second = opened({**message, "mattes": {**message["mattes"], "remove": [other, []]}})
    assert not second.came_back
    crash(second)
    assert opened(message).came_back  # and they are not lost


def test_leaving_takes_away_what_is_saved_or_not_wanted_and_keeps_the_rest(
    opened: Open, message: dict[str, Any], tmp_path: Path
) -> None:
    left = tmp_path / "unsaved"
    sheets = opened(message)
    stroke(sheets)
    sheets.leave(discard=False)
    assert len(list(left.iterdir())) == 1
    sheets = opened(message)
    assert sheets.came_back
    sheets.leave(discard=True)
    assert list(left.iterdir()) == []
    sheets = opened(message)
    stroke(sheets)
    save(sheets, tmp_path)
    sheets.leave(discard=False)
    assert list(left.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_told_and_painting_goes_on(
    opened: Open, message: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "unsaved").write_text("a file of somebody")
    sheets = opened(message)
    assert str(tmp_path / "unsaved") in sheets.problem and "save the mattes" in sheets.problem
    stroke(sheets)
    assert sheets.unsaved()


FULL = """
import json, resource, signal, sys
from void_plugin.pictures.brush import Brush
from void_plugin.pictures.sheets import Sheets
sheets = Sheets.of_message(json.loads(sys.argv[1]))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
size = sheets.journal.path.stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, size + 100))
for frame in (1, 2):
    sheets.painting.begin(frame, "remove", (50, 50), Brush(20.0, 0.1))
    sheets.painting.end()
print(json.dumps([sheets.problem, len(sheets.painting.touched()), sheets.journal is None]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of files are POSIX")
def test_a_disk_that_is_full_is_told_and_painting_goes_on(
    opened: Open, message: dict[str, Any], tmp_path: Path
) -> None:
    """A limit on the size of files refuses a write in the middle, as a full disk does."""
    done = subprocess.run([sys.executable, "-c", FULL, json.dumps(message)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    problem, painted, ended = json.loads(done.stdout)
    assert "not kept safe from a crash" in problem and painted == 2 and ended
    assert not opened(message).came_back  # a half step is none
