"""`void otio` from a timeline to a conformed one: real plates, a private server, the real engine `recover`."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import edits
import numpy as np
import OpenImageIO as oiio
import opentimelineio as otio
import pytest
from edits import RATE, Range, Time
from shots import Shot, bits, build_shot, load_exr

from void_plugin.editorial.adapters import to_text

FRAMES = 16


@pytest.fixture
def shot(tmp_path: Path) -> Shot:
    """Plates as /plates/sh010/sh010.%04d.exr, mattes as /mattes/sh010/sh010.%04d.exr."""
    made = build_shot(tmp_path / "made", count=FRAMES, size=(54, 96), pan=2)
    for frame in made.frames:
        for source, kind in (("plate", "plates"), ("object_matte", "mattes")):
            for name in ("sh010", "sh020"):
                folder = tmp_path / kind / name
                folder.mkdir(parents=True, exist_ok=True)
                shutil.copy(made.folder / f"{source}.{frame}.exr", folder / f"{name}.{frame}.exr")
    return made


@pytest.fixture
def edit(shot: Shot, tmp_path: Path) -> Path:
    """An edit of two shots with a dissolve, the first of them picked by its marker."""
    plates = str(tmp_path / "plates")
    first = edits.clip("sh010", 86403, 8, media=FRAMES, folder=plates, origin=86400)
    first.markers.append(otio.schema.Marker("VOID", Range(Time(86404, RATE), Time(1, RATE)), "RED"))
    second = edits.clip("sh020", 86404, 6, media=FRAMES, folder=plates, origin=86400)
    made = edits.timeline([edits.gap(5), first, edits.dissolve(2, 2), second])
    path = tmp_path / "cut.otio"
    path.write_text(to_text(made))
    return path


class Void:
    """Runs `void otio` as a user does, without a configured server."""

    def __init__(self, folder: Path) -> None:
        (folder / "home").mkdir()
        self.environment = {
            **os.environ,
            "VOID_SERVER_COMMAND": f'"{sys.executable}" -m void_server',
            "VOID_CONFIG": str(folder / "home" / "config.json"),
            "XDG_STATE_HOME": str(folder / "home"),
        }
        (folder / "home" / "config.json").write_text("{}")
        self.folder = folder

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "void_plugin.cli", "otio", *arguments],
            capture_output=True,
            text=True,
            env=self.environment,
            cwd=self.folder,
            timeout=240,
        )


@pytest.fixture
def void(tmp_path: Path) -> Void:
    return Void(tmp_path)


def digests(folder: Path) -> dict[str, str]:
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.rglob("*.exr"))}


SUBMIT = ("--matte-root", "mattes", "--handles", "2", "--context", "3", "--engine", "recover", "--workers", "1")


def test_an_edit_goes_all_the_way_and_its_own_tracks_stay_as_they_were(void: Void, edit: Path, tmp_path: Path) -> None:
    before, plates = edit.read_bytes(), digests(tmp_path / "plates")
    shown = void("shots", "cut.otio", "--matte-root", "mattes", "--handles", "2", "--context", "3", "--json")
    assert shown.returncode == 0, shown.stderr
    (row,) = json.loads(shown.stdout)["shots"]
    # Eight frames from index 3 on, two more in the dissolve, two handles at each end, three of context at the first.
    assert (row["used"], row["delivered"], row["looked_at"]) == ("1004-1013", "1002-1015", "1001-1016")
    assert row["timecode"] == "01:00:00:05" and row["reasons"] == ["marker 'VOID'"]

    made = void("submit", "cut.otio", *SUBMIT)
    assert made.returncode == 0, made.stderr
    results = sorted((tmp_path / "cut_VOID" / "v001" / "sh010").glob("*.exr"))
    assert [path.name for path in results] == [f"sh010_v001.{frame}.exr" for frame in range(1002, 1016)]
    for path in results:
        frame = path.name.split(".")[1]
        plate = load_exr(tmp_path / "plates" / "sh010" / f"sh010.{frame}.exr")
        matte = load_exr(tmp_path / "mattes" / "sh010" / f"sh010.{frame}.exr").planes["A"]
        result = load_exr(path)
        far = np.ones(matte.shape, bool)
        ys, xs = np.nonzero(matte)
        far[max(0, ys.min() - 12) : ys.max() + 13, max(0, xs.min() - 12) : xs.max() + 13] = False
        for name in "RGB":
            assert (bits(result.planes[name])[far] == bits(plate.planes[name])[far]).all()
        assert any((result.planes[name] != plate.planes[name]).any() for name in "RGB")
        assert result.attributes["smpte:TimeCode"] == plate.attributes["smpte:TimeCode"]

    conformed = void("conform", "cut.otio")
    assert conformed.returncode == 0, conformed.stderr
    assert edit.read_bytes() == before and digests(tmp_path / "plates") == plates
    source, out = read(edit), read(tmp_path / "cut_VOID_v001.otio")
    assert [track.name for track in out.tracks] == ["Video 1", "VOID v001"]
    assert out.tracks[0].to_json_string() == source.tracks[0].to_json_string()
    lead, result, fade, stub = out.tracks[1]
    assert result.name == "sh010_VOID_v001" and result.source_range == source.tracks[0][1].source_range
    assert lead.duration().value == 5 and fade.is_equivalent_to(source.tracks[0][2]) and stub.duration().value == 2
    reference = result.media_reference
    assert reference.start_frame == 1002 and reference.available_range == Range(Time(86401, RATE), Time(14, RATE))
    assert result.metadata["void"]["engine"] == "recover"

    checked = void("check", "cut_VOID_v001.otio", "--against", "cut.otio")
    assert checked.returncode == 0, checked.stderr
    (tmp_path / "cut_VOID" / "v001" / "sh010" / "sh010_v001.1005.exr").unlink()
    checked = void("check", "cut_VOID_v001.otio", "--against", "cut.otio")
    assert checked.returncode == 1 and "lacks frames 1005" in checked.stderr

    again = void("submit", "cut.otio", *SUBMIT)
    assert again.returncode == 0 and "done already" not in again.stderr, "what is missing is made again"
    again = void("submit", "cut.otio", *SUBMIT)
    assert again.returncode == 0 and "done already" in again.stderr and again.stdout == ""
    assert void("check", "cut_VOID_v001.otio", "--against", "cut.otio").returncode == 0
    assert void("conform", "cut.otio").returncode == 1, "nothing is overwritten unless told so"
    assert void("conform", "cut.otio", "--overwrite").returncode == 0


def test_tiff_with_png_mattes_goes_all_the_way_and_comes_back_as_exr(void: Void, edit: Path, tmp_path: Path) -> None:
    for path in [*(tmp_path / "plates" / "sh010").glob("*.exr"), *(tmp_path / "mattes" / "sh010").glob("*.exr")]:
        planes = load_exr(path).planes
        names, ending = ("RGB", ".tif") if "plates" in str(path) else ("A", ".png")
        values = np.stack([np.clip(planes[name].astype(np.float32), 0, 1) for name in names], axis=-1)
        spec = oiio.ImageSpec(values.shape[1], values.shape[0], len(names), "uint16")
        output = oiio.ImageOutput.create(str(path.with_suffix(ending)))
        assert output.open(str(path.with_suffix(ending)), spec) and output.write_image(values)
        output.close()
        path.unlink()
    edit.write_text(edit.read_text().replace('"name_suffix": ".exr"', '"name_suffix": ".tif"'))

    made = void("submit", "cut.otio", *SUBMIT)
    assert made.returncode == 0, made.stderr
    assert "taken for g24_rec709_display, or name another with --colour" in made.stderr
    conformed = void("conform", "cut.otio")
    assert conformed.returncode == 0, conformed.stderr
    result = read(tmp_path / "cut_VOID_v001.otio").tracks[1][1]
    reference = result.media_reference
    assert (reference.name_suffix, reference.start_frame) == (".exr", 1002)
    assert reference.available_range == Range(Time(86401, RATE), Time(14, RATE))
    plates = tmp_path / "cut_VOID" / "plates"
    assert {path.name[:5] for path in plates.iterdir()} == {"sh010"} and len(list(plates.rglob("*.exr"))) == 2 * 16
    assert void("check", "cut_VOID_v001.otio", "--against", "cut.otio").returncode == 0


def read(path: Path) -> Any:
    return otio.adapters.read_from_file(str(path))


def test_requests_are_job_folders_that_void_remove_takes(void: Void, edit: Path, tmp_path: Path) -> None:
    made = void("submit", "cut.otio", *SUBMIT, "--dry-run")
    assert made.returncode == 0, made.stderr
    (path,) = made.stdout.split()
    request = json.loads(Path(path).read_text())
    assert (request["frames"], request["shot_range"], request["handles"]) == ("1002-1015", "1001-1016", 2)
    assert request["outputs"][0]["kind"] == "comp" and Path(path).parent.parent.name == ".void"
    assert not list((tmp_path / "cut_VOID").rglob("*.exr"))
    failed = void("conform", "cut.otio")
    assert failed.returncode == 1 and "has not been made yet" in failed.stderr
    out = read(tmp_path / "cut_VOID_v001.otio")
    assert [(marker.color, marker.name) for marker in out.tracks.markers] == [("RED", "VOID v001 failed: sh010")]


def test_other_settings_need_a_number_of_their_own(void: Void, edit: Path, tmp_path: Path) -> None:
    assert void("submit", "cut.otio", *SUBMIT).returncode == 0
    kept = digests(tmp_path / "cut_VOID")
    other = void("submit", "cut.otio", *SUBMIT, "--prompt", "an empty street")
    assert other.returncode == 1 and "--version" in other.stderr
    assert digests(tmp_path / "cut_VOID") == kept
    second = void("submit", "cut.otio", *SUBMIT, "--prompt", "an empty street", "--version", "2")
    assert second.returncode == 0, second.stderr
    assert void("conform", "cut.otio", "--jobs", "cut_VOID/v001").returncode == 0
    done = void("conform", "cut_VOID_v001.otio")
    assert done.returncode == 0, done.stderr
    out = read(tmp_path / "cut_VOID_v002.otio")
    assert [(track.name, track.enabled) for track in out.tracks] == [
        ("Video 1", True),
        ("VOID v001", False),
        ("VOID v002", True),
    ]
    assert void("check", "cut_VOID_v002.otio", "--against", "cut_VOID_v001.otio").returncode == 0


def test_what_stands_in_the_way_is_said_of_every_shot(void: Void, edit: Path, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "mattes" / "sh020")
    shown = void("shots", "cut.otio", "--all", "--matte-root", "mattes")
    assert shown.returncode == 1
    assert "sh020 has no matte" in shown.stderr and "sh010 has no" not in shown.stderr
    shutil.rmtree(tmp_path / "plates" / "sh010")
    shown = void("shots", "cut.otio", "--matte-root", "mattes")
    assert shown.returncode == 1 and "sh010 is offline" in shown.stderr.replace("of sh010 is", "sh010 is")
    sent = void("submit", "cut.otio", *SUBMIT)
    assert sent.returncode == 1 and "No shot can be sent" in sent.stderr
    assert not (tmp_path / "cut_VOID").exists()
