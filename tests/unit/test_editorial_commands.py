"""`void otio` as it is typed: exit codes, what is printed where, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import edits
import opentimelineio as otio
import pytest
from edits import RATE, Range, Time

from void_plugin import cli
from void_plugin.arguments import build_parser
from void_plugin.editorial import commands
from void_plugin.editorial.adapters import to_text
from void_plugin.request import RemovalRequest


@pytest.fixture
def cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An edit whose first of two clips is marked, with plates and mattes as empty files."""
    monkeypatch.chdir(tmp_path)
    for name in "ab":
        for frame in range(1001, 1061):
            for kind in ("p", "m"):
                path = tmp_path / kind / name / f"{name}.{frame}.exr"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
    base = edits.timeline([edits.clip(name, 20, 10, media=60, folder=str(tmp_path / "p")) for name in "ab"])
    base.tracks[0][0].markers.append(otio.schema.Marker("VOID", Range(Time(21, RATE), Time(1, RATE)), "RED"))
    (tmp_path / "cut.otio").write_text(to_text(base))
    return tmp_path / "cut.otio"


def void(*arguments: str) -> int:
    return cli.main(["otio", *arguments])


def test_shots_are_one_line_each_and_warnings_go_to_stderr(cut: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert void("shots", "cut.otio", "--matte-root", "m", "--handles", "25") == 0
    said = capsys.readouterr()
    assert said.out == "a\t01:00:00:00\tVideo 1\t1021-1030\t1001-1055\t100%\tlook at the warnings\n"
    assert said.err == "warning: a: there are fewer handles than asked for: 5 frames missing before, 0 after\n"


def test_a_shot_that_cannot_be_sent_is_a_failure(cut: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert void("shots", "cut.otio") == 1
    said = capsys.readouterr()
    assert "cannot be sent" in said.out and said.err.startswith("a has no matte; give one in the note of its marker")


def test_nothing_picked_says_how_to_pick(cut: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert void("shots", "cut.otio", "--clip", "z*") == 1
    assert capsys.readouterr().err.startswith("No clip is picked: give a clip a marker that begins with VOID")


def test_submit_runs_what_can_be_sent_and_tells_the_rest(cut: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (cut.parent / "m" / "b").iterdir():
        path.unlink()
    ran: list[str] = []

    def run_one(request: RemovalRequest) -> int:
        ran.append(request.shot)
        return 0

    options = build_parser().parse_args(["otio", "submit", "cut.otio", "--all", "--matte-root", "m"])
    assert commands.run(options, run_one) == 1 and ran == ["a"]
    said = capsys.readouterr().err
    assert "b has no matte" in said and "a (1 of 1), frames 1013-1038" in said
    data = json.loads((cut.parent / "cut_VOID" / "v001" / "shots.json").read_text())
    assert [job["name"] for job in data["jobs"]] == ["a"] and data["schema"] == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("conform", "cut.otio"), "holds no submitted version; run void otio submit first"),
        (("conform", "cut.otio", "--jobs", "v001", "-o", "cut.edl"), "v001 holds no submitted version"),
        (("check", "cut.otio", "--against", "none.otio"), "none.otio does not exist"),
        (("shots", "none.otio"), "none.otio does not exist"),
    ],
)
def test_what_is_missing_is_a_sentence(
    cut: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert void(*arguments) == 1
    assert said in capsys.readouterr().err


def test_the_edit_itself_is_never_overwritten(cut: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert void("submit", "cut.otio", "--matte-root", "m", "--dry-run") == 0
    before = cut.read_bytes()
    for more in ((), ("--overwrite",)):
        assert void("conform", "cut.otio", "-o", "cut.otio", *more) == 1
        assert "exists" in capsys.readouterr().err
    assert void("conform", "cut.otio", "-o", "cut.edl") == 1
    assert "written as OTIO" in capsys.readouterr().err and cut.read_bytes() == before


@pytest.mark.parametrize("jobs", ["cut_VOID", "cut_VOID/v001"])
def test_a_version_is_named_by_its_folder_or_by_that_of_all(
    cut: Path, capsys: pytest.CaptureFixture[str], jobs: str
) -> None:
    assert void("submit", "cut.otio", "--matte-root", "m", "--dry-run") == 0
    assert void("conform", "cut.otio", "--jobs", jobs) == 1  # nothing was made yet
    told = capsys.readouterr()
    assert "a has no result: It has not been made yet" in told.err and "0 results on no track" in told.out


def test_a_check_of_the_edit_against_itself_finds_no_results(cut: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert void("check", "cut.otio", "--against", "cut.otio", "--json") == 1
    (finding,) = json.loads(capsys.readouterr().out)
    assert finding["text"] == "it holds no results that the edit did not hold."


@pytest.mark.parametrize(
    ("module", "name"), [("opentimelineio", "OpenTimelineIO"), ("av", "PyAV"), ("OpenImageIO", "OpenImageIO")]
)
def test_without_its_packages_the_command_says_what_to_install(tmp_path: Path, module: str, name: str) -> None:
    script = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from void_plugin import cli; sys.exit(cli.main(['otio', 'shots', 'cut.otio']))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path)
    assert (ran.returncode, ran.stderr) == (1, f"void otio needs {name}: pip install 'void_plugin[otio]'.\n")


def test_help_does_not_load_opentimelineio() -> None:
    script = "import sys, void_plugin.cli as cli; cli.build_parser(); print('opentimelineio' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "False\n"


def row(data: Any) -> Any:
    return data["shots"][0]


def test_drop_frame_timecode_is_written_unless_told_otherwise(cut: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = otio.adapters.read_from_file(str(cut))
    base.global_start_time = Time(107892, 29.97)
    for item in base.tracks[0]:
        begin = item.source_range.start_time.value
        item.source_range = Range(Time(begin, 29.97), Time(10, 29.97))
        item.media_reference.available_range = Range(Time(0, 29.97), Time(60, 29.97))
    base.tracks[0][0].markers[0].marked_range = Range(Time(21, 29.97), Time(1, 29.97))
    cut.write_text(to_text(base))
    for more, timecode in (((), "01:00:00;00"), (("--non-drop",), "00:59:56:12")):
        assert void("shots", "cut.otio", "--matte-root", "m", "--json", *more) == 0
        assert row(json.loads(capsys.readouterr().out))["timecode"] == timecode
    base.global_start_time = Time(108000, 29.97)  # a whole hour only where no number was dropped
    cut.write_text(to_text(base))
    assert void("shots", "cut.otio", "--matte-root", "m", "--json") == 0
    assert row(json.loads(capsys.readouterr().out))["timecode"] == "01:00:00:00"
