"""Native reads by region, atomic writes, hostile files: through real child processes."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest
from shots import bits, load_exr, save_exr

from void_plugin.errors import FrameError, ServerError
from void_server.exr import FIXED_DATE, ImageFile, ImageFiles, NewPart, output_compression
from void_server.tiles import Box

EVERY_HALF = np.arange(65536, dtype=np.uint16).view(np.float16).reshape(256, 256)


@pytest.fixture
def files() -> Iterator[ImageFiles]:
    with ImageFiles(2) as pool:
        yield pool


def new_part(pixels: np.ndarray, compression: str = "zip", **changes: object) -> NewPart:
    box = Box(0, 0, pixels.shape[1], pixels.shape[0])
    names = ("R", "G", "B", "A")[: pixels.shape[2]]
    values: dict[str, object] = {
        "channels": tuple((name, "half") for name in names),
        "data": box,
        "display": box,
        "compression": compression,
        "attributes": (("DateTime", "string", FIXED_DATE),),
        "pixels": pixels,
    }
    return NewPart(**{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("compression", ["none", "rle", "zips", "zip", "piz"])
def test_every_half_code_survives_reading_and_writing(files: ImageFiles, tmp_path: Path, compression: str) -> None:
    pixels = np.stack([EVERY_HALF, EVERY_HALF[::-1], EVERY_HALF.T], axis=-1)
    path = str(tmp_path / "all.exr")
    files.write(path, [new_part(np.ascontiguousarray(pixels), compression)])
    part = files.header(ImageFile(path))[0]
    back = files.read(ImageFile(path), part, ["R", "G", "B"])
    assert back.dtype == np.float16 and (bits(back) == bits(np.ascontiguousarray(pixels))).all()
    assert (bits(load_exr(path).planes["R"]) == bits(EVERY_HALF)).all()


@pytest.mark.parametrize("tiled", [False, True])
def test_a_region_is_the_same_as_cutting_it_from_the_whole(files: ImageFiles, tmp_path: Path, tiled: bool) -> None:
    random = np.random.default_rng(4)
    pixels = random.random((150, 220, 4)).astype(np.float16)
    path = tmp_path / "part.exr"
    spec = oiio.ImageSpec(220, 150, 4, oiio.HALF)
    spec.x, spec.y = -17, 23
    if tiled:
        spec.tile_width, spec.tile_height = 64, 32
    out = oiio.ImageOutput.create(str(path))
    assert out and out.open(str(path), spec) and out.write_image(pixels) and out.close()
    file = ImageFile(str(path))
    part = files.header(file)[0]
    for _ in range(25):
        x0, y0 = random.integers(-17, 202), random.integers(23, 172)
        box = Box(int(x0), int(y0), int(random.integers(x0 + 1, 204)), int(random.integers(y0 + 1, 174)))
        got = files.read(file, part, ["B", "R"], box)
        want = pixels[box.y0 - 23 : box.y1 - 23, box.x0 + 17 : box.x1 + 17][..., [2, 0]]
        assert (bits(got) == bits(np.ascontiguousarray(want))).all()


def test_equal_pixels_give_equal_bytes(files: ImageFiles, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).random((40, 50, 3)).astype(np.float16)
    for name in ("a.exr", "b.exr"):
        files.write(str(tmp_path / name), [new_part(pixels)])
    assert (tmp_path / "a.exr").read_bytes() == (tmp_path / "b.exr").read_bytes()


def test_a_failed_write_leaves_the_old_file_and_nothing_else(files: ImageFiles, tmp_path: Path) -> None:
    pixels = np.zeros((8, 8, 3), np.float16)
    path = tmp_path / "kept.exr"
    files.write(str(path), [new_part(pixels)])
    before = path.read_bytes()
    wrong = new_part(pixels, attributes=(("acesImageContainerFlag", "int", 1),), compression="zip")
    with pytest.raises(ServerError, match=r"kept\.exr"):
        files.write(str(path), [wrong])
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["kept.exr"]


def test_a_reader_that_dies_costs_one_error_and_the_next_read_works(files: ImageFiles, tmp_path: Path) -> None:
    path = save_exr(tmp_path / "a.exr", np.ones((8, 8, 3), np.float16))
    file = ImageFile(str(path), "plate", 7)
    files.header(file)
    with files._child() as child:
        os.kill(child._process.pid, signal.SIGSEGV)
        child._process.wait()
    with pytest.raises(FrameError, match=r"Frame 7 of the plate .*a\.exr.* crashed the reader"):
        files.header(file)
    assert files.header(file)[0].names == ("R", "G", "B")


def test_many_threads_share_the_readers(files: ImageFiles, tmp_path: Path) -> None:
    paths = [save_exr(tmp_path / f"{i}.exr", np.full((30, 30, 3), i, np.float16)) for i in range(12)]

    def first(path: Path) -> float:
        file = ImageFile(str(path))
        return float(files.read(file, files.header(file)[0], ["G"]).max())

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(first, paths)) == [float(i) for i in range(12)]


def test_a_huge_header_is_refused_without_allocating(files: ImageFiles, data: Path) -> None:
    file = ImageFile(str(data / "exr/damaged/memory_DOS_1"))
    with pytest.raises(FrameError, match="memory_DOS_1"):
        files.read(file, files.header(file)[0], ["R"])


def test_other_formats_are_refused_by_name(files: ImageFiles, tmp_path: Path) -> None:
    path = tmp_path / "plate.tif"
    out = oiio.ImageOutput.create(str(path))
    assert (
        out
        and out.open(str(path), oiio.ImageSpec(4, 4, 3, oiio.UINT8))
        and out.write_image(np.zeros((4, 4, 3), np.uint8))
    )
    out.close()
    with pytest.raises(FrameError, match="tiff"):
        files.header(ImageFile(str(path)))


@pytest.mark.parametrize(
    ("codec", "wanted", "result"),
    [
        ("piz", "", "piz"),
        ("zips", "", "zips"),
        ("dwaa", "", "zip"),
        ("b44a", "", "zip"),
        ("pxr24", "", "zip"),
        ("none", "dwab", "dwab"),
    ],
)
def test_a_lossy_codec_is_never_inherited(
    files: ImageFiles, tmp_path: Path, codec: str, wanted: str, result: str
) -> None:
    path = save_exr(tmp_path / "c.exr", np.ones((16, 16, 3), np.float16), compression=codec)
    assert output_compression(files.header(ImageFile(str(path)))[0], wanted) == result
