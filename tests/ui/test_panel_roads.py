"""The panel's ways out and in: onto a farm, and from an editor's timeline; a real sidecar and the farm `local`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import edits
import farmruns
import opentimelineio as otio
import pytest
from edits import RATE, Range, Time
from panels import Panel, environment_of, panel, until
from PySide6.QtCore import Qt
from shots import Shot, build_shot

from void_plugin.editorial.adapters import to_text
from void_plugin.request import Output
from void_plugin.ui.farmdialog import FarmDialog
from void_plugin.ui.timelinedialog import TimelineDialog

FRAMES = 8


@pytest.fixture
def shot(tmp_path: Path) -> Shot:
    return build_shot(tmp_path / "plates", count=FRAMES, size=(54, 96), pan=2)


@pytest.fixture
def mary(tmp_path: Path, void_python: str) -> dict[str, str]:
    """A user whose site has the farm `local`, and whose sidecar knows this tree."""
    folder = tmp_path / "mary"
    made = environment_of(folder, void_python)
    made.update(farmruns.machine(folder, "local", {}), VOID_PLUGIN_PYTHON=void_python)
    for name in ("config.json", "site.toml"):  # what is run is run by a Python that knows this tree, and nothing else
        text = (folder / name).read_text().replace(sys.executable, void_python).replace("fakes.slow", "slow")
        (folder / name).write_text(text)
    return made


def request_file(shot: Shot, **changes: Any) -> str:
    """Write a request whose results go beside the plates; returns its path."""
    outputs = (Output("patch", str(shot.folder.parent / "out" / "sh010.%04d.exr")),)
    path = shot.folder.parent / "sh010.json"
    path.write_text(shot.request(outputs=outputs, shot="sh010", frames=shot.frames, **changes).to_json())
    return str(path)


@pytest.fixture
def before(qapp: Any, tmp_path: Path, shot: Shot, mary: dict[str, str]) -> Iterator[Panel]:
    """A panel with one shot, whose results go beside its plates."""
    path = request_file(shot)
    with panel([path], "", mary, tmp_path / "shots") as person:
        person.opened()
        yield person


def asked(person: Panel) -> FarmDialog:
    """The dialog of the farm, once it has said what it would take."""
    person.window.actions_by_name["farm"].trigger()
    dialog = person.window.findChildren(FarmDialog)[-1]
    until(lambda: "units" in dialog.facts.text() or dialog.findings.text(), "what it would take")
    return dialog


def test_a_shot_goes_to_the_farm_and_its_version_is_shown_once_it_is_there(before: Panel, tmp_path: Path) -> None:
    window = before.window
    window.farm_watch.every(500)
    dialog = asked(before)
    assert dialog.farm.currentText() == "local" and dialog.submit.isEnabled()
    assert "GPU hours: 0.00" in dialog.facts.text() and dialog.findings.text() == ""
    before.picture("farm_dialog", dialog)
    dialog.priority.setValue(80)
    known = set(window.work.jobs())
    dialog.submit.click()
    (key,) = set(window.work.jobs()) - known
    until(lambda: key in before.ended, f"submitting ({before.said})")
    assert before.ended[key].kind == "farm" and "local:" in before.ended[key].text
    before.picture("farm_under_way")
    until(lambda: before.ended[key].kind == "done", f"the version ({before.said})")
    assert window.shot is not None and window.shot.folder == str(tmp_path / "out" / "v001")
    assert json.loads((tmp_path / "out" / "v001" / "manifest.json").read_text())["frames"] == "1001-1008"
    before.settled()
    assert window.viewer.kind == "result"


def test_what_keeps_a_shot_from_a_farm_is_said_before_anything_is_submitted(before: Panel, shot: Shot) -> None:
    Path(shot.plate % (shot.frames.first + 2)).unlink()
    dialog = asked(before)
    assert "lacks frames" in dialog.findings.text() and not dialog.submit.isEnabled()
    dialog.reject()
    assert not before.window.work.jobs()


def test_a_job_on_the_farm_is_cancelled_from_the_panel(
    qapp: Any, tmp_path: Path, shot: Shot, mary: dict[str, str]
) -> None:
    prompt = json.dumps({"at": shot.frames.first + 4, "until": str(tmp_path / "never")})
    path = request_file(shot, engine="slow", prompt=prompt)
    with panel([path], "", mary, tmp_path / "shots") as person:
        person.opened()
        person.window.farm_watch.every(500)
        person.window.run("farm", "local")
        (key,) = person.window.work.jobs()
        until(lambda: key in person.ended, f"submitting ({person.said})")
        assert person.ended[key].kind == "farm", person.ended[key].full_text()
        assert person.window.jobs.cancel.isEnabled()
        person.window.jobs.cancel.click()
        until(lambda: person.ended[key].kind == "cancelled", f"the end on the farm ({person.said})")
        assert not (tmp_path / "out" / "v001").exists()


def test_a_version_on_a_farm_is_taken_up_by_the_next_panel(
    qapp: Any, tmp_path: Path, shot: Shot, mary: dict[str, str]
) -> None:
    path = request_file(shot)
    with panel([path], "", mary, tmp_path / "shots") as person:
        person.opened()
        person.window.run("farm", "local")
        (key,) = person.window.work.jobs()
        until(lambda: key in person.ended, f"submitting ({person.said})")
    with panel([path], "", mary, tmp_path / "shots") as person:
        person.window.farm_watch.every(500)
        until(lambda: person.window.shot is not None and person.window.shot.folder, f"the version ({person.said})")
        assert person.window.shot is not None and person.window.shot.folder.endswith("v001")


# -- timelines -----------------------------------------------------------------------------------------------------


@pytest.fixture
def edit(shot: Shot, tmp_path: Path) -> Path:
    """Three clips: one with mattes, one without, one switched off; the first two are marked."""
    plates, mattes = tmp_path / "media", tmp_path / "mattes" / "sh010"
    mattes.mkdir(parents=True)
    for frame in shot.frames:
        for name in ("sh010", "sh020", "sh030"):
            (plates / name).mkdir(parents=True, exist_ok=True)
            os.link(shot.folder / f"plate.{frame}.exr", plates / name / f"{name}.{frame}.exr")
        os.link(shot.folder / f"object_matte.{frame}.exr", mattes / f"sh010.{frame}.exr")
    clips = [
        edits.clip(name, 86401, 4, media=FRAMES, folder=str(plates), origin=86400)
        for name in ("sh010", "sh020", "sh030")
    ]
    for clip in clips[:2]:
        clip.markers.append(otio.schema.Marker("VOID", Range(Time(86402, RATE), Time(1, RATE)), "RED"))
    clips[2].enabled = False
    path = tmp_path / "cut.otio"
    path.write_text(to_text(edits.timeline(clips)))
    return path


def lines(dialog: TimelineDialog) -> dict[str, tuple[bool, str]]:
    """Whether each shot can be ticked, and what is said of it."""
    items = [dialog.shots.topLevelItem(place) for place in range(dialog.shots.topLevelItemCount())]
    tick = int(Qt.ItemDataRole.CheckStateRole)
    return {item.text(0): (item.data(0, tick) is not None, item.text(3)) for item in items if item}


def test_shots_of_a_timeline_are_chosen_and_opened(qapp: Any, tmp_path: Path, edit: Path, mary: dict[str, str]) -> None:
    with panel([], "", mary, tmp_path / "shots") as person:
        dialog = person.window.dialogs.open_timeline(str(edit))
        until(lambda: dialog.shots.topLevelItemCount() == 2, f"the shots ({dialog.said.text()})")
        assert [can for can, _ in lines(dialog).values()] == [False, False]
        assert not dialog.go.isEnabled() and "matte" in lines(dialog)["sh010"][1]
        dialog.mattes.setText(str(tmp_path / "mattes"))
        until(lambda: dialog.go.isEnabled(), "a shot that can be opened")
        dialog.everything.setChecked(True)
        until(lambda: dialog.shots.topLevelItemCount() == 3, "every clip")
        assert [can for can, _ in lines(dialog).values()] == [True, False, False]
        assert lines(dialog)["sh030"][1] == "It is left out: it is switched off."
        assert dialog.go.text() == "&Open 1 shot" and dialog.chosen() == ["sh010"]
        dialog.shots.setCurrentItem(dialog.shots.topLevelItem(1))
        assert dialog.said.text() == lines(dialog)["sh020"][1]
        person.picture("timeline", dialog)
        dialog.go.click()
        person.opened()
        assert person.window.shot is not None and person.window.shot.name == "sh010"
        assert person.window.shot.path.startswith(str(tmp_path / "cut_VOID" / "v001"))
        state = person.run("remove")
        assert state.kind == "done", state.full_text()
    conformed = farmruns.void({**os.environ, **mary}, "otio", "conform", str(edit))
    assert conformed.returncode == 0, conformed.stderr
    made = otio.adapters.read_from_file(str(tmp_path / "cut_VOID_v001.otio"))
    assert ["sh010_VOID_v001", f"{tmp_path}/cut_VOID/v001/sh010/v001/comp"] in [
        [clip.name, clip.media_reference.target_url_base.rstrip("/").removeprefix("file://")]
        for clip in made.tracks[-1].find_clips()
    ]


def test_a_file_that_is_no_timeline_is_told(qapp: Any, tmp_path: Path, mary: dict[str, str]) -> None:
    (tmp_path / "cut.otio").write_text("no timeline")
    with panel([], "", mary, tmp_path / "shots") as person:
        dialog = person.window.dialogs.open_timeline(str(tmp_path / "cut.otio"))
        until(lambda: "export it again" in dialog.said.text(), f"a sentence ({dialog.said.text()})")
        assert not dialog.go.isEnabled()
