"""Which files travel, which way, and how often."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fakes.fake_services import MAGIC, TOKEN, FakeServer, sha256

from void_plugin.answers import ServerInfo
from void_plugin.client import Uploaded, VoidClient
from void_plugin.config import Config
from void_plugin.digests import Digests
from void_plugin.errors import Cancelled, FrameError, ServerError
from void_plugin.frames import Digest, FrameRange
from void_plugin.request import ImageInput, Output, RemovalRequest
from void_plugin.transfer import Downloads, InputFile, input_files, send, why_not_by_path
from void_plugin.wire import machine_digest


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer() as running:
        yield running


@pytest.fixture
def client(server: FakeServer, tmp_path: Path) -> Iterator[VoidClient]:
    (tmp_path / "token").write_text(TOKEN)
    with VoidClient.connect(Config(token_file=str(tmp_path / "token")), {}, server.address) as connected:
        yield connected


def touch(folder: Path, name: str, frames: range) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    for frame in frames:
        (folder / f"{name}.{frame}.exr").write_bytes(MAGIC + f"{name} {frame}".encode())
    return str(folder / f"{name}.%04d.exr")


def shot(folder: Path, **changes: object) -> RemovalRequest:
    values: dict[str, object] = {
        "plate": ImageInput(touch(folder, "plate", range(1001, 1011))),
        "object_matte": ImageInput(touch(folder, "matte", range(1001, 1011))),
        "outputs": (Output("patch", str(folder / "out" / "result.%04d.exr")),),
        "frames": FrameRange(1003, 1004),
    }
    values.update(changes)
    return RemovalRequest(**values)  # type: ignore[arg-type]


def frames_of(files: list[InputFile], name: str) -> list[int]:
    return [file.frame for file in files if file.input == name]


# -- which files --------------------------------------------------------------------------------------------------


def test_everything_on_disk_feeds_the_estimates_so_everything_travels(tmp_path: Path) -> None:
    files = input_files(shot(tmp_path))
    assert frames_of(files, "plate") == frames_of(files, "object_matte") == list(range(1001, 1011))
    assert all(Path(file.path).is_file() for file in files)


def test_a_shot_range_and_a_context_limit_what_travels(tmp_path: Path) -> None:
    assert frames_of(input_files(shot(tmp_path, shot_range=FrameRange(1002, 1005))), "plate") == [
        1002,
        1003,
        1004,
        1005,
    ]
    assert frames_of(input_files(shot(tmp_path, context=1)), "object_matte") == [1002, 1003, 1004, 1005]


def test_a_matte_for_the_frames_asked_for_is_enough(tmp_path: Path) -> None:
    matte = ImageInput(touch(tmp_path, "short", range(1003, 1006)))
    files = input_files(shot(tmp_path, object_matte=matte))
    assert frames_of(files, "object_matte") == [1003, 1004, 1005]
    assert len(frames_of(files, "plate")) == 10


def test_missing_frames_are_told_together_before_anything_travels(tmp_path: Path) -> None:
    matte = ImageInput(touch(tmp_path, "short", range(1004, 1006)))
    holdout = ImageInput(str(tmp_path / "nothing.exr"))
    clean = ImageInput(str(tmp_path / "clean.%04d.exr"))
    request = shot(tmp_path, object_matte=matte, holdout_matte=holdout, clean_plate=clean)
    with pytest.raises(FrameError) as caught:
        input_files(replace(request, shot_range=FrameRange(1001, 1004)))
    lines = caught.value.message.split("\n")
    assert caught.value.code == "frame.missing" and len(lines) == 3
    assert "object matte" in lines[0] and "1001-1003" in lines[0]
    assert "nothing.exr does not exist" in lines[1]
    assert "clean plate" in lines[2]


def test_stills_travel_once(tmp_path: Path) -> None:
    touch(tmp_path, "one", range(1, 2))
    still = ImageInput(str(tmp_path / "one.1.exr"))
    files = input_files(shot(tmp_path, object_matte=still))
    assert [file.path for file in files if file.input == "object_matte"] == [still.pattern]
    alone = shot(tmp_path, plate=still, object_matte=still, frames=None)
    assert [(file.input, file.frame) for file in input_files(alone)] == [("plate", 1), ("object_matte", 1)]


def test_any_frame_of_a_clean_plate_travels(tmp_path: Path) -> None:
    clean = ImageInput(touch(tmp_path, "clean", range(1007, 1008)))
    assert frames_of(input_files(shot(tmp_path, clean_plate=clean)), "clean_plate") == [1007]


# -- by path or not -----------------------------------------------------------------------------------------------


def info(machine: str, *roots: str) -> ServerInfo:
    return ServerInfo("9.9", machine, roots, "artist", 10_000, 1 << 30)


def test_on_one_machine_paths_are_taken_where_the_server_may_use_every_folder(tmp_path: Path) -> None:
    request, here = shot(tmp_path / "show"), machine_digest()
    assert why_not_by_path(request, Config(), info(here, str(tmp_path))) == ""
    assert why_not_by_path(request, Config(), info(here, "/")) == ""
    assert "--allow-root" in why_not_by_path(request, Config(), info(here))
    outside = why_not_by_path(request, Config(), info(here, str(tmp_path / "sho"), str(tmp_path / "show" / "out")))
    assert f"{tmp_path / 'show'} lies outside" in outside, "a name that begins alike is another folder"
    (tmp_path / "link").symlink_to(tmp_path / "show")
    linked = shot(tmp_path / "link")
    assert why_not_by_path(linked, Config(), info(here, str(tmp_path / "show"))) == ""


def test_on_two_machines_paths_are_taken_only_where_both_share_every_folder(tmp_path: Path) -> None:
    request = shot(tmp_path / "show")
    there = info("another machine", "/mnt/show")
    assert "shared_roots" in why_not_by_path(request, Config(), there)
    assert "shared_roots" in why_not_by_path(request, Config(shared_roots=(str(tmp_path / "other"),)), there)
    assert why_not_by_path(request, Config(shared_roots=(str(tmp_path / "show"),)), there) == ""
    assert "--allow-root" in why_not_by_path(request, Config(shared_roots=("/",)), info("another machine"))
    elsewhere = replace(request, outputs=(Output("patch", str(tmp_path / "private" / "r.%04d.exr")),))
    assert "private" in why_not_by_path(elsewhere, Config(shared_roots=(str(tmp_path / "show"),)), there)


# -- digests ------------------------------------------------------------------------------------------------------


def test_a_digest_is_taken_again_only_where_the_file_differs(tmp_path: Path) -> None:
    path = tmp_path / "plate.exr"
    path.write_bytes(b"first")
    os.utime(path, ns=(0, 10**18))
    digests = Digests()
    assert digests.of(str(path)) == Digest(sha256(b"first"), 5)
    path.write_bytes(b"other")
    os.utime(path, ns=(0, 10**18))
    assert digests.of(str(path)).sha256 == sha256(b"first"), "size and time are the same"
    assert Digests(digests.known()).of(str(path)).sha256 == sha256(b"first"), "also in another run"
    os.utime(path, ns=(0, 10**18 + 1))
    assert digests.of(str(path)).sha256 == sha256(b"other")
    path.write_bytes(b"longer")
    os.utime(path, ns=(0, 10**18 + 1))
    assert digests.of(str(path)) == Digest(sha256(b"longer"), 6)


def test_a_file_written_a_moment_ago_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "plate.exr"
    path.write_bytes(b"first")
    digests = Digests()
    digests.of(str(path))
    assert digests.known() == {}


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(FrameError, match=r"none\.exr") as caught:
        Digests().of(str(tmp_path / "none.exr"))
    assert caught.value.code == "frame.unreadable"


# -- up -----------------------------------------------------------------------------------------------------------


def send_all(
    client: VoidClient, files: list[InputFile], stopped: Callable[[], bool] = lambda: False
) -> tuple[list[Uploaded], list[tuple[int, int]]]:
    told: list[tuple[int, int]] = []
    return send(client, files, Digests(), lambda done, total: told.append((done, total)), stopped), told


def test_only_what_is_missing_travels_and_equal_files_travel_once(
    client: VoidClient, server: FakeServer, tmp_path: Path
) -> None:
    files = input_files(shot(tmp_path))
    for file in files[5:]:
        if file.input == "object_matte":  # most mattes are empty, and empty ones are all alike
            Path(file.path).write_bytes(MAGIC + b"empty")
    uploaded, told = send_all(client, files)
    assert [(item.input, item.frame) for item in uploaded] == [(file.input, file.frame) for file in files]
    assert len(server.uploads) == len(set(server.uploads)) == 11
    assert told[0] == (0, 20) and told[-1] == (20, 20)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    server.uploads.clear()
    Path(files[0].path).write_bytes(MAGIC + b"changed")
    again, _ = send_all(client, files)
    assert server.uploads == [sha256(MAGIC + b"changed")]
    assert again[1:] == uploaded[1:]


def test_many_files_travel_in_batches(client: VoidClient, server: FakeServer, tmp_path: Path) -> None:
    touch(tmp_path, "many", range(1, 101))
    files = [InputFile("plate", frame, str(tmp_path / f"many.{frame}.exr")) for frame in range(1, 101)]
    _, told = send_all(client, files)
    assert len(server.uploads) == 100 and told[-1] == (100, 100)
    assert server.calls["FindMissingFrames"] == 4


def test_one_file_that_fails_ends_the_sending(client: VoidClient, server: FakeServer, tmp_path: Path) -> None:
    touch(tmp_path, "many", range(1, 101))
    files = [InputFile("plate", frame, str(tmp_path / f"many.{frame}.exr")) for frame in range(1, 101)]
    server.faults["UploadFrame"].append(ServerError("The disk is full: 3 MB are free.", "server.disk_full"))
    with pytest.raises(ServerError, match="3 MB"):
        send_all(client, files)
    assert len(server.uploads) < 100


def test_sending_stops_when_asked(client: VoidClient, server: FakeServer, tmp_path: Path) -> None:
    files = input_files(shot(tmp_path))
    with pytest.raises(Cancelled):
        send_all(client, files, lambda: len(server.uploads) > 2)
    assert len(server.uploads) < 20


# -- down ---------------------------------------------------------------------------------------------------------


def test_results_come_down_side_by_side_and_same_ones_are_left_alone(
    client: VoidClient, server: FakeServer, tmp_path: Path
) -> None:
    data = [MAGIC + str(number).encode() for number in range(12)]
    server.frames.update({sha256(item): item for item in data})
    (tmp_path / "0.exr").write_bytes(data[0])
    (tmp_path / "1.exr").write_bytes(b"of yesterday")
    os.utime(tmp_path / "0.exr", ns=(0, 0))
    done: list[int] = []
    with Downloads(client) as downloads:
        for number, item in enumerate(data):
            downloads.fetch(sha256(item), tmp_path / f"{number}.exr", lambda number=number: done.append(number))  # type: ignore[misc]
        downloads.wait()
    assert sorted(done) == list(range(12))
    assert all((tmp_path / f"{number}.exr").read_bytes() == item for number, item in enumerate(data))
    assert server.calls["DownloadFrame"] == 11 and (tmp_path / "0.exr").stat().st_mtime_ns == 0


def test_a_download_that_fails_is_raised_where_it_is_waited_for(
    client: VoidClient, server: FakeServer, tmp_path: Path
) -> None:
    told = threading.Event()
    with Downloads(client) as downloads:
        downloads.fetch(sha256(b"nothing"), tmp_path / "0.exr", told.set)
        with pytest.raises(FrameError):
            downloads.wait()
    with Downloads(client) as downloads:
        deadline = time.monotonic() + 30
        with pytest.raises(FrameError):
            while time.monotonic() < deadline:
                downloads.fetch(sha256(b"nothing"), tmp_path / "0.exr", told.set)
                time.sleep(0.05)
    assert not told.is_set()
    assert [path.name for path in tmp_path.iterdir()] == ["token"], "no part is left"
