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

from void_plugin.errors import FrameError, RequestError, ServerError
from void_server.beneath import held
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


@pytest.mark.parametrize("name", ["look.png", "LOOK.1001.PNG"])
def test_a_png_is_written_where_the_name_says_so(files: ImageFiles, tmp_path: Path, name: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    whole = Box(0, 0, 30, 20)
    part = NewPart(tuple((channel, "byte") for channel in "RGB"), whole, whole, "", (), pixels)
    written = {files.write(str(tmp_path / name), [part]) for _ in range(2)}
    assert written == {(tmp_path / name).stat().st_size} and os.listdir(tmp_path) == [name]
    source = oiio.ImageInput.open(str(tmp_path / name))
    assert source and source.format_name() == "png" and (source.read_image(oiio.UINT8) == pixels).all()
    source.close()


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


# -- below folders only ---------------------------------------------------------------------------------------


@pytest.fixture
def show(tmp_path: Path) -> Path:
    """A folder that may be used, beside one that may not; both hold a plate."""
    for name in ("show", "secret"):
        (tmp_path / name).mkdir()
        save_exr(tmp_path / name / "plate.exr", np.full((8, 8, 3), 0.5, np.float16))
    return tmp_path / "show"


@pytest.fixture
def below(show: Path) -> Iterator[ImageFiles]:
    with ImageFiles(1, [str(show)]) as pool:
        yield pool


def test_below_its_folders_a_reader_reads_and_writes_as_anywhere(
    files: ImageFiles, below: ImageFiles, show: Path
) -> None:
    pixels = np.stack([EVERY_HALF, EVERY_HALF[::-1], EVERY_HALF.T], axis=-1)
    for pool, name in ((files, "anywhere.exr"), (below, "below.exr")):
        size = pool.write(str(show / name), [new_part(np.ascontiguousarray(pixels))])
        assert size == (show / name).stat().st_size
    assert (show / "anywhere.exr").read_bytes() == (show / "below.exr").read_bytes()
    (show / "link.exr").symlink_to("below.exr")
    for name in ("below.exr", "link.exr"):
        file = ImageFile(str(show / name))
        back = below.read(file, below.header(file)[0], ["R", "G", "B"])
        assert (bits(back) == bits(np.ascontiguousarray(pixels))).all()
    assert sorted(os.listdir(show)) == ["anywhere.exr", "below.exr", "link.exr", "plate.exr"]


def test_a_new_file_has_the_permissions_that_the_user_gives_to_new_files(below: ImageFiles, show: Path) -> None:
    below.write(str(show / "a.exr"), [new_part(np.zeros((8, 8, 3), np.float16))])
    (show / "plain").touch()
    assert (show / "a.exr").stat().st_mode == (show / "plain").stat().st_mode


@pytest.mark.parametrize("way", ["{secret}/plate.exr", "{show}/../secret/plate.exr", "{show}/out/plate.exr"])
def test_a_file_outside_is_neither_read_nor_written(below: ImageFiles, show: Path, way: str) -> None:
    secret = show.parent / "secret"
    (show / "out").symlink_to(secret)
    before = (secret / "plate.exr").read_bytes()
    path = way.format(show=show, secret=secret)
    part = new_part(np.zeros((8, 8, 3), np.float16))
    for attempt in (
        lambda: below.header(ImageFile(path, "plate", 7)),
        lambda: below.write(path, [part]),
        lambda: below.write(os.path.join(os.path.dirname(path), "new.exr"), [part]),
    ):
        with pytest.raises(RequestError, match="outside the folders this server may use") as caught:
            attempt()
        assert caught.value.code == "request.path" and "/proc" not in caught.value.message
    assert (secret / "plate.exr").read_bytes() == before and os.listdir(secret) == ["plate.exr"]


def test_a_result_replaces_a_link_and_never_what_it_leads_to(below: ImageFiles, files: ImageFiles, show: Path) -> None:
    secret = show.parent / "secret" / "plate.exr"
    before = secret.read_bytes()
    for pool in (below, files):
        (show / "clean.exr").unlink(missing_ok=True)
        (show / "clean.exr").symlink_to(secret)
        pool.write(str(show / "clean.exr"), [new_part(np.zeros((8, 8, 3), np.float16))])
        assert not (show / "clean.exr").is_symlink() and secret.read_bytes() == before


def test_a_link_in_place_of_the_temporary_file_is_not_written_through(below: ImageFiles, show: Path) -> None:
    below.header(ImageFile(str(show / "plate.exr")))
    with below._child() as child:
        number = child._process.pid
    secret = show.parent / "secret" / "plate.exr"
    before = secret.read_bytes()
    (show / f".clean.exr.{number}.tmp").symlink_to(secret)
    below.write(str(show / "clean.exr"), [new_part(np.zeros((8, 8, 3), np.float16))])
    assert secret.read_bytes() == before and sorted(os.listdir(show)) == ["clean.exr", "plate.exr"]


def test_a_folder_held_by_handle_is_read_and_written_and_named_as_people_know_it(below: ImageFiles, show: Path) -> None:
    folder = os.open(show, os.O_RDONLY)
    try:
        path = os.path.join(held(folder), "units", "fill.exr")
        with pytest.raises(ServerError, match="No such file") as unwritable:
            below.write(path, [new_part(np.zeros((8, 8, 3), np.float16))])
        (show / "units").mkdir()
        below.write(path, [new_part(np.zeros((8, 8, 3), np.float16))])
        assert below.header(ImageFile(path))[0].names == ("R", "G", "B")
        (show / "units" / "fill.exr").write_bytes(b"broken")
        with pytest.raises(FrameError) as unreadable:
            below.header(ImageFile(path, "fill", 3))
    finally:
        os.close(folder)
    assert f"({show}/units/fill.exr)" in unreadable.value.message
    assert "/proc" not in unreadable.value.message + unwritable.value.message


def test_a_failed_write_below_leaves_the_old_file_and_names_it(below: ImageFiles, show: Path) -> None:
    before = (show / "plate.exr").read_bytes()
    wrong = new_part(np.zeros((8, 8, 3), np.float16), attributes=(("acesImageContainerFlag", "int", 1),))
    with pytest.raises(ServerError, match=r"show/plate\.exr") as caught:
        below.write(str(show / "plate.exr"), [wrong])
    assert (show / "plate.exr").read_bytes() == before and os.listdir(show) == ["plate.exr"]
    assert "/proc" not in caught.value.message


def message(files: ImageFiles, path: Path) -> str:
    with pytest.raises(FrameError) as caught:
        file = ImageFile(str(path))
        part = files.header(file)[0]
        files.read(file, part, part.names[:1])
    return f"{caught.value.code}: {caught.value.message}"


@pytest.mark.parametrize(
    "content", [None, b"", b"hello" * 50, b"\x76\x2f\x31\x01" + bytes(50)], ids=["none", "empty", "text", "magic"]
)
@pytest.mark.parametrize("name", ["a.exr", "a.tif", "a"])
def test_what_is_wrong_with_a_file_is_told_in_the_same_words_below_folders(
    files: ImageFiles, below: ImageFiles, show: Path, name: str, content: bytes | None
) -> None:
    if content is not None:
        (show / name).write_bytes(content)
    assert message(below, show / name) == message(files, show / name)


def test_other_formats_are_refused_by_name_below_folders(files: ImageFiles, below: ImageFiles, show: Path) -> None:
    for name in ("a.tif", "a.exr"):
        out = oiio.ImageOutput.create("tif")
        assert out and out.open(str(show / name), oiio.ImageSpec(4, 4, 3, oiio.UINT8))
        assert out.write_image(np.zeros((4, 4, 3), np.uint8)) and out.close()
        assert message(below, show / name) == message(files, show / name)
        assert "is a tiff file" in message(below, show / name)


def test_real_damaged_files_are_refused_in_the_same_words_below_folders(files: ImageFiles, data: Path) -> None:
    data = data.resolve()  # roots are real folders
    with ImageFiles(1, [str(data)]) as below:
        for path in sorted((data / "exr" / "reject").iterdir()):
            assert message(below, path) == message(files, path)
