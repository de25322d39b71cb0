"""Painted mattes as files: whole versions beside the request, and nothing of the artist's touched."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from films import film, ramp

from void_plugin.errors import Cancelled, FrameError, RequestError, ServerError
from void_plugin.frames import FrameRange
from void_plugin.pictures import mattefiles
from void_plugin.pictures.brush import Brush
from void_plugin.pictures.mattefiles import MatteFiles, frames_of, save
from void_plugin.pictures.painting import Painting
from void_plugin.pictures.reading import read

SIZE = (60, 90)
FRAMES = FrameRange(1001, 1004)


def disc(frame: int) -> Any:
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    return (np.hypot(x - 20 - (frame - 1001) * 5, y - 30) < 9).astype(np.float16)[..., None] * np.float16(0.75)


@pytest.fixture
def files(tmp_path: Path) -> MatteFiles:
    plate = film(tmp_path, "plate", FRAMES, lambda frame: ramp(*SIZE, frame))
    matte = film(tmp_path, "matte", FRAMES, disc, channels=("A",))
    return MatteFiles(plate, {"remove": (matte, ())})


def painted(files: MatteFiles, frame: int = 1002, label: str = "remove") -> Painting:
    model = Painting(SIZE, lambda number, name: files.matte(number, name, SIZE))
    model.begin(frame, label, (70, 50), Brush(6.0, 1.0))
    model.end()
    return model


def write(files: MatteFiles, model: Painting, folder: Path, **more: Any) -> mattefiles.Version:
    return save(files, model.touched(), (), list(FRAMES), SIZE, folder, **more)


def alpha(pattern: str, frame: int) -> Any:
    found = read(pattern, frame)
    assert found.names == ("A",)
    return found.pixels[..., 0]


def test_a_version_has_every_frame_and_the_artists_files_stay(files: MatteFiles, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    model = painted(files)
    version = write(files, model, tmp_path / "sh010_mattes")
    assert version.folder == tmp_path / "sh010_mattes" / "v001" and version.missing == ()
    assert list(version.patterns) == ["remove"], "nothing was painted that is affected"
    for frame in FRAMES:
        matte = alpha(version.patterns["remove"], frame)
        assert matte.tobytes() == model.matte(frame, "remove").tobytes() and matte.dtype == np.float16
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
    assert stat.S_IMODE(version.folder.stat().st_mode) & 0o055, "others of the show can read it"


def test_each_saving_is_a_new_version(files: MatteFiles, tmp_path: Path) -> None:
    model = painted(files)
    folder = tmp_path / "mattes"
    first = write(files, model, folder)
    kept = {path.name: path.read_bytes() for path in first.folder.iterdir()}
    (folder / "v007").mkdir()
    model.undo()
    second = save(files, model.touched(), tuple(first.patterns), list(FRAMES), SIZE, folder)
    assert second.folder.name == "v008"
    assert {path.name: path.read_bytes() for path in first.folder.iterdir()} == kept
    assert alpha(second.patterns["remove"], 1002).tobytes() == disc(1002)[..., 0].tobytes(), "what was undone is gone"


def test_affected_begins_empty_and_is_written_for_every_frame(files: MatteFiles, tmp_path: Path) -> None:
    version = write(files, painted(files, label="affected"), tmp_path / "mattes")
    assert list(version.patterns) == ["affected"]
    assert [bool(alpha(version.patterns["affected"], frame).any()) for frame in FRAMES] == [False, True, False, False]


def test_a_float_matte_stays_one(tmp_path: Path, files: MatteFiles) -> None:
    fine = film(tmp_path, "fine", FRAMES, lambda frame: disc(frame).astype(np.float32) / 3, channels=("R", "A")[1:])
    files = MatteFiles(files.plate, {"remove": (fine, ())})
    version = write(files, painted(files), tmp_path / "mattes")
    assert alpha(version.patterns["remove"], 1001).tobytes() == (disc(1001)[..., 0].astype(np.float32) / 3).tobytes()


def test_the_display_window_is_that_of_the_plate(tmp_path: Path, files: MatteFiles) -> None:
    cut = film(tmp_path, "cut", FRAMES, lambda frame: disc(frame)[10:50, 5:80], ("A",), (10, 5), SIZE)
    files = MatteFiles(files.plate, {"remove": (cut, ())})
    version = write(files, painted(files), tmp_path / "mattes")
    assert read(version.patterns["remove"], 1001).size == SIZE
    assert np.array_equal(alpha(version.patterns["remove"], 1001)[10:50, 5:80], disc(1001)[10:50, 5:80, 0])


def test_frames_without_a_matte_can_be_painted_and_others_still_have_none(files: MatteFiles, tmp_path: Path) -> None:
    for frame in (1002, 1003):
        os.remove(files.mattes["remove"][0] % frame)
    version = write(files, painted(files), tmp_path / "mattes")
    assert version.missing == (1003,)
    assert sorted(path.name for path in version.folder.iterdir()) == [
        f"remove.{frame}.exr" for frame in (1001, 1002, 1004)
    ]
    assert alpha(version.patterns["remove"], 1002)[50, 70] == 1


def test_a_quadmask_becomes_two_mattes(tmp_path: Path, files: MatteFiles) -> None:
    codes = np.full((*SIZE, 1), 255, np.float16)
    codes[:20], codes[20:30], codes[30:40] = 0, 63, 127
    for scale in (1, 255):
        ready = film(tmp_path, f"quad{scale}", FRAMES, lambda frame: (codes / scale).astype(np.float16), ("R",))  # noqa: B023
        of_quad = MatteFiles(files.plate, {}, (ready, ()))
        model = Painting(SIZE, lambda number, name: of_quad.matte(number, name, SIZE))  # noqa: B023
        assert (model.matte(1001, "remove")[:, 0] == (np.arange(60) < 30)).all()
        assert (model.matte(1001, "affected")[:, 0] == ((np.arange(60) >= 20) & (np.arange(60) < 40))).all()
        version = write(of_quad, painted(of_quad), tmp_path / f"mattes{scale}")
        assert list(version.patterns) == ["remove", "affected"], "both take the place of the quadmask"


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EIO])
def test_a_disk_that_refuses_is_told_and_nothing_half_written_is_left(
    files: MatteFiles, tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrote = mattefiles.write
    count = [0]

    def full(path: Path, pixels: Any) -> None:
        count[0] += 1
        if count[0] == 3:
            raise OSError(number, os.strerror(number))
        wrote(path, pixels)

    monkeypatch.setattr(mattefiles, "write", full)
    folder = tmp_path / "mattes"
    with pytest.raises(ServerError) as raised:
        write(files, painted(files), folder)
    assert str(folder) in raised.value.message and leftovers(folder) == []
    assert raised.value.code == ("server.disk_full" if number == errno.ENOSPC else "server.unwritable")
    assert "save the mattes again" in raised.value.message


def test_a_really_full_disk_is_told(files: MatteFiles, tmp_path: Path) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full here")
    path = tmp_path / "full.exr"
    path.symlink_to("/dev/full")
    with pytest.raises(OSError) as raised:
        mattefiles.write(path, np.random.default_rng(1).random((400, 400)).astype(np.float32))
    assert raised.value.errno == errno.ENOSPC


def test_a_folder_that_cannot_be_made_is_told(files: MatteFiles, tmp_path: Path) -> None:
    (tmp_path / "mattes").write_text("a file of somebody")
    with pytest.raises(ServerError, match="mattes"):
        write(files, painted(files), tmp_path / "mattes")


@pytest.mark.parametrize("make", [lambda: True, lambda: False])
def test_saving_can_be_cancelled(files: MatteFiles, tmp_path: Path, make: Callable[[], bool]) -> None:
    folder, told = tmp_path / "mattes", list[float]()
    if make():
        with pytest.raises(Cancelled):
            write(files, painted(files), folder, progress=told.append, cancelled=lambda: len(told) > 1)
        assert leftovers(folder) == []
    else:
        write(files, painted(files), folder, progress=told.append)
        assert told == [0.25, 0.5, 0.75, 1.0]


def test_a_broken_matte_is_named_and_nothing_is_written(files: MatteFiles, tmp_path: Path) -> None:
    path = Path(files.mattes["remove"][0] % 1003)
    model = painted(files)
    path.write_bytes(b"nothing")
    with pytest.raises(FrameError, match=str(path)):
        write(files, model, tmp_path / "mattes")
    assert leftovers(tmp_path / "mattes") == []


def test_a_matte_of_another_size_is_refused(files: MatteFiles, tmp_path: Path) -> None:
    other = film(tmp_path, "other", FRAMES, lambda frame: disc(frame)[:50], channels=("A",))
    with pytest.raises(FrameError, match="90x50, but the plate is 90x60"):
        painted(MatteFiles(files.plate, {"remove": (other, ())}))


def test_nothing_painted_is_nothing_to_save(files: MatteFiles, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="Nothing was painted"):
        write(files, Painting(SIZE, lambda frame, label: None), tmp_path / "mattes")
    assert not (tmp_path / "mattes").exists()


def test_a_version_has_the_frames_that_feed_estimates_too() -> None:
    assert frames_of(FrameRange(5, 6), FrameRange(4, 7), [2, 3, 4]) == [2, 3, 4, 5, 6, 7]
