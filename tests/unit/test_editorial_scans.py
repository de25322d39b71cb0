"""DPX, TIFF, PNG and the like as plates and mattes: their code values as EXR, under their own numbers."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import edits
import numpy as np
import OpenImageIO as oiio
import opentimelineio as otio
import pytest
from edits import RATE, Range, Time
from reels import NTSC24

from void_plugin.editorial import exrfiles
from void_plugin.editorial.jobs import Making, jobs_of
from void_plugin.editorial.picks import Wanted
from void_plugin.editorial.plates import take_plates
from void_plugin.editorial.scans import take, take_matte
from void_plugin.editorial.shots import Wishes, find_shots
from void_plugin.editorial.walk import Cut
from void_plugin.errors import FrameError
from void_plugin.frames import FrameRange, ImageSequence

CODE = (0x01020304, 0)


def quiet(text: str) -> None:
    """Hears nothing."""


def scan(path: Path, pixels: Any, kind: str, bits: int = 0) -> None:
    """Write whole numbers as they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    spec = oiio.ImageSpec(pixels.shape[1], pixels.shape[0], pixels.shape[2], kind)
    spec.attribute("oiio:UnassociatedAlpha", 1)
    if bits:
        spec.attribute("oiio:BitsPerSample", bits)
        spec.attribute("smpte:TimeCode", "timecode", CODE)
    output = oiio.ImageOutput.create(str(path))
    assert output.open(str(path), spec) and output.write_image(pixels), output.geterror()
    output.close()


def codes(seed: int, channels: int, most: int) -> Any:
    kind = np.uint8 if most < 256 else np.uint16
    return np.random.default_rng(seed).integers(0, most + 1, (9, 16, channels)).astype(kind)


@pytest.mark.parametrize(
    ("ending", "kind", "channels", "most"),
    [
        (".png", "uint8", 3, 255),
        (".png", "uint16", 4, 65535),
        (".tif", "uint16", 3, 65535),
        (".tif", "uint8", 1, 255),
        (".tga", "uint8", 4, 255),
        (".bmp", "uint8", 3, 255),
    ],
)
def test_code_values_are_kept_as_they_are(tmp_path: Path, ending: str, kind: str, channels: int, most: int) -> None:
    written = codes(1, channels, most)
    scan(tmp_path / f"a.1001{ending}", written, kind)
    pattern = take(f"{tmp_path}/a.%04d{ending}", [1001], NTSC24, tmp_path / "plates", quiet)
    pixels, facts = exrfiles.read(ImageSequence(pattern).path(1001))
    due = (written / most).astype(np.float32)
    due = np.concatenate([due] * 3, axis=-1) if channels == 1 else due
    assert pixels.shape == due.shape and np.abs(pixels - due).max() <= (1e-6 if most > 255 else 2**-12)
    assert facts["colorInteropID"] == "unknown" and facts["FramesPerSecond"] == (24000, 1001)


def test_a_dpx_of_ten_bits_keeps_its_values_and_its_timecode(tmp_path: Path) -> None:
    written = codes(2, 3, 1023)
    scan(tmp_path / "a.0001.dpx", (written.astype(np.uint32) * 65535 // 1023).astype(np.uint16), "uint16", 10)
    pattern = take(f"{tmp_path}/a.%04d.dpx", [1], Fraction(24), tmp_path / "plates", quiet)
    pixels, facts = exrfiles.read(ImageSequence(pattern).path(1))
    assert np.abs(pixels - written / 1023).max() < 1 / 1024
    assert tuple(facts["smpte:TimeCode"]) == CODE


def test_only_what_is_wanted_is_taken_and_only_what_was_rendered_again_is_taken_again(tmp_path: Path) -> None:
    for number in range(1, 5):
        scan(tmp_path / f"a.{number:04d}.png", codes(number, 3, 255), "uint8")
    said: list[str] = []

    def taken(*numbers: int) -> Any:
        pattern = take(f"{tmp_path}/a.%04d.png", numbers, Fraction(24), tmp_path / "plates", said.append)
        return [exrfiles.read(ImageSequence(pattern).path(number))[0] for number in numbers]

    taken(2, 3)
    taken(1, 2, 3)
    scan(tmp_path / "a.0002.png", codes(9, 3, 255), "uint8")
    os.utime(tmp_path / "a.0002.png", ns=(1, 1))  # older than what was made from the file before it
    (again,) = taken(2)
    assert np.abs(again - codes(9, 3, 255) / 255).max() < 2**-12
    assert [text.split(" of ")[0] for text in said] == ["taking frames 2-3", "taking frames 1", "taking frames 2"]
    assert not list(tmp_path.rglob(".*"))


@pytest.mark.parametrize("opaque", [True, False])
def test_a_matte_is_its_alpha_or_where_that_is_opaque_its_red(tmp_path: Path, opaque: bool) -> None:
    written = codes(3, 4, 255)
    if opaque:
        written[..., 3] = 255
    scan(tmp_path / "m.png", written, "uint8")
    pattern = take_matte(f"{tmp_path}/m.png", FrameRange(1001, 1010), tmp_path / "plates", quiet)
    source = oiio.ImageInput.open(pattern)
    names, pixels = source.spec().channelnames, source.read_image("float")
    source.close()
    assert tuple(names) == ("A",) and np.abs(pixels[..., 0] - written[..., 0 if opaque else 3] / 255).max() < 2**-12


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.0001.dpx").write_bytes(b"no dpx")
    with pytest.raises(FrameError, match=r"a\.0001\.dpx cannot be read .*; render it again"):
        take(f"{tmp_path}/a.%04d.dpx", [1], Fraction(24), tmp_path / "plates", quiet)


@pytest.mark.parametrize("where", ["folder", "note", "track"])
def test_a_clip_of_tiff_with_png_mattes_is_a_shot(tmp_path: Path, where: str) -> None:
    for number in range(1001, 1031):
        scan(tmp_path / "p" / "a" / f"a.{number}.tif", codes(number, 3, 65535), "uint16")
        scan(tmp_path / "m" / "a" / f"a.{number}.png", codes(number, 1, 255), "uint8")
    plate, matte = (edits.clip("a", 10, 5, media=30, folder=f"{tmp_path}/{kind}") for kind in "pm")
    plate.media_reference.name_suffix, matte.media_reference.name_suffix = ".tif", ".png"
    marker = otio.schema.Marker("VOID", Range(Time(11, RATE), Time(1, RATE)), "RED")
    marker.comment = "matte: m/a/a.####.png" if where == "note" else ""
    plate.markers.append(marker)
    base = edits.timeline([plate], [matte]) if where == "track" else edits.timeline([plate])
    base.tracks[-1].name = "VOID MATTE" if where == "track" else ""
    wishes = Wishes(handles=2, context=1, matte_root=str(tmp_path / "m") if where == "folder" else "")
    (shot,), _ = find_shots(Cut(base), str(tmp_path), Wanted.usual(), wishes)
    assert not shot.problems and any("taken for g24_rec709_display" in text for text in shot.warnings)
    take_plates([shot], tmp_path / "plates", quiet)
    (job,) = jobs_of([shot], tmp_path / "v001", 1, Making())
    request = job.request
    assert str(request.frames) == "1009-1017" and request.colour == "g24_rec709_display"
    assert request.object_matte is not None
    for pattern in (request.plate.pattern, request.object_matte.pattern):
        assert ImageSequence(pattern).on_disk() == list(range(1008, 1019)) and pattern.endswith(".exr")
