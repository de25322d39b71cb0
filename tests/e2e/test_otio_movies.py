"""`void otio` on a movie, as a user runs it: frames out of it, the real engine `recover`, a movie of the result."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import edits
import numpy as np
import opentimelineio as otio
import pytest
from edits import RATE, Range, Time
from reels import Planes, write_movie
from shots import bits, build_shot, load_exr

from void_plugin.editorial import exrfiles
from void_plugin.editorial.adapters import to_text
from void_plugin.editorial.moviepixels import to_frame
from void_plugin.editorial.movies import open_movie

FRAMES, SIZE = 16, (128, 256)
SUBMIT = ("--matte-root", "mattes", "--handles", "2", "--context", "3", "--engine", "recover", "--workers", "1")


@pytest.fixture
def edit(tmp_path: Path) -> Path:
    """An edit of six frames of a ProRes movie, and mattes numbered as its frames."""
    shot = build_shot(tmp_path / "made", count=FRAMES, size=SIZE, pan=2)
    pictures = []
    (tmp_path / "mattes").mkdir()
    for number, frame in enumerate(shot.frames, 1):
        linear, _ = exrfiles.read(str(shot.folder / f"plate.{frame}.exr"))
        pictures.append(np.clip(linear, 0, 1) ** np.float32(1 / 2.4))
        shutil.copy(shot.folder / f"object_matte.{frame}.exr", tmp_path / "mattes" / f"A001.{number:04d}.exr")

    def picture(layout: str, size: tuple[int, int], number: int) -> Planes:
        frame, _ = to_frame(pictures[number - 1], layout, 1)
        return [np.frombuffer(plane, np.uint16).reshape(plane.height, -1)[:, : plane.width] for plane in frame.planes]

    write_movie(
        tmp_path / "A001.mov",
        "prores_ks",
        "yuv444p10le",
        FRAMES,
        size=SIZE,
        rate=Fraction(RATE),
        options={"profile": "4444"},
        timecode="01:00:00:00",
        picture=picture,
    )
    reference = otio.schema.ExternalReference(str(tmp_path / "A001.mov"), Range(Time(86400, RATE), Time(FRAMES, RATE)))
    clip = otio.schema.Clip("A001.mov", reference, Range(Time(86404, RATE), Time(6, RATE)))
    clip.markers.append(otio.schema.Marker("VOID", Range(Time(86404, RATE), Time(1, RATE)), "RED"))
    path = tmp_path / "cut.otio"
    path.write_text(to_text(edits.timeline([edits.gap(5), clip])))
    return path


def void(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `void otio` without a configured server."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    (home / "config.json").write_text("{}")
    environment = {
        **os.environ,
        "VOID_SERVER_COMMAND": f'"{sys.executable}" -m void_server',
        "VOID_CONFIG": str(home / "config.json"),
        "XDG_STATE_HOME": str(home),
    }
    command = [sys.executable, "-m", "void_plugin.cli", "otio", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, timeout=240)


def read(path: Path) -> Any:
    return otio.adapters.read_from_file(str(path))


def test_a_movie_goes_all_the_way_and_comes_back_as_one(edit: Path, tmp_path: Path) -> None:
    before, source = edit.read_bytes(), (tmp_path / "A001.mov").read_bytes()
    shown = void(tmp_path, "shots", "cut.otio", "--matte-root", "mattes", "--handles", "2", "--context", "3", "--json")
    assert shown.returncode == 0, shown.stderr
    (row,) = json.loads(shown.stdout)["shots"]
    assert (row["used"], row["delivered"], row["looked_at"]) == ("5-10", "3-12", "1-15")
    assert not (tmp_path / "cut_VOID").exists()

    made = void(tmp_path, "submit", "cut.otio", *SUBMIT, "--deliver", "prores4444")
    assert made.returncode == 0, made.stderr
    assert "decoding frames 1-15 of" in made.stderr
    (plates,) = (tmp_path / "cut_VOID" / "plates").iterdir()
    results = sorted((tmp_path / "cut_VOID" / "v001" / "A001").glob("*.exr"))
    assert [path.name for path in results] == [f"A001_v001.{number:04d}.exr" for number in range(3, 13)]
    for path in results:
        number = path.name.split(".")[1]
        plate, result = load_exr(plates / f"A001.{number}.exr"), load_exr(path)
        matte = load_exr(tmp_path / "mattes" / f"A001.{number}.exr").planes["A"]
        far = np.ones(matte.shape, bool)
        ys, xs = np.nonzero(matte)
        far[max(0, ys.min() - 12) : ys.max() + 13, max(0, xs.min() - 12) : xs.max() + 13] = False
        for name in "RGB":
            assert (bits(result.planes[name])[far] == bits(plate.planes[name])[far]).all()
        assert any((result.planes[name] != plate.planes[name]).any() for name in "RGB")
        for name in ("smpte:TimeCode", "colorInteropID"):
            assert result.attributes[name] == plate.attributes[name]

    movie = open_movie(str(tmp_path / "cut_VOID" / "v001" / "A001" / "A001_v001_prores4444.mov"))
    assert (movie.count, movie.rate, movie.start, movie.colour) == (10, RATE, 86402, "g24_rec709_display")

    again = void(tmp_path, "submit", "cut.otio", *SUBMIT)
    assert again.returncode == 0 and "decoding" not in again.stderr and "done already" in again.stderr

    # Referring to the frames
    conformed = void(tmp_path, "conform", "cut.otio")
    assert conformed.returncode == 0, conformed.stderr
    out = read(tmp_path / "cut_VOID_v001.otio")
    result = out.tracks[1][1]
    assert result.source_range == read(edit).tracks[0][1].source_range
    reference = result.media_reference
    assert isinstance(reference, otio.schema.ImageSequenceReference)
    assert (reference.start_frame, reference.available_range) == (3, Range(Time(86402, RATE), Time(10, RATE)))
    assert void(tmp_path, "check", "cut_VOID_v001.otio", "--against", "cut.otio").returncode == 0

    # Referring to a movie, which conform makes where it is not there
    conformed = void(tmp_path, "conform", "cut.otio", "--overwrite", "--deliver", "dnxhr")
    assert conformed.returncode == 0, conformed.stderr
    reference = read(tmp_path / "cut_VOID_v001.otio").tracks[1][1].media_reference
    assert reference.target_url.endswith("/cut_VOID/v001/A001/A001_v001_dnxhr.mov")
    assert reference.available_range == Range(Time(86402, RATE), Time(10, RATE))
    assert void(tmp_path, "check", "cut_VOID_v001.otio", "--against", "cut.otio").returncode == 0
    assert edit.read_bytes() == before and (tmp_path / "A001.mov").read_bytes() == source

    # What check is for
    shorter = Path(reference.target_url)
    write_movie(shorter, "dnxhd", "yuv422p10le", 9, size=SIZE, options={"profile": "dnxhr_hqx"}, rate=Fraction(RATE))
    wrong = void(tmp_path, "check", "cut_VOID_v001.otio", "--against", "cut.otio")
    assert wrong.returncode == 1 and "has 9 frames of 24 a second, not the 10 of 24" in wrong.stderr
    shorter.unlink()
    wrong = void(tmp_path, "check", "cut_VOID_v001.otio", "--against", "cut.otio")
    assert wrong.returncode == 1 and "is offline" in wrong.stderr


def test_a_timeline_that_says_nothing_of_its_movie_comes_back_too(edit: Path, tmp_path: Path) -> None:
    timeline = read(edit)
    timeline.tracks[0][1].media_reference.available_range = None
    edit.write_text(to_text(timeline))
    made = void(tmp_path, "submit", "cut.otio", *SUBMIT)
    assert made.returncode == 0, made.stderr
    conformed = void(tmp_path, "conform", "cut.otio")
    assert conformed.returncode == 0, conformed.stderr
    reference = read(tmp_path / "cut_VOID_v001.otio").tracks[1][1].media_reference
    assert (reference.start_frame, reference.available_range) == (3, Range(Time(86402, RATE), Time(10, RATE)))


def test_a_patch_has_no_movie(edit: Path, tmp_path: Path) -> None:
    refused = void(tmp_path, "submit", "cut.otio", *SUBMIT, "--output", "patch", "--deliver", "dnxhr")
    assert refused.returncode == 1 and "whole frames" in refused.stderr
    assert not (tmp_path / "cut_VOID").exists()
