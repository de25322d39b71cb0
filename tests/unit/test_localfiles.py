"""Files that the client writes: whole or not at all, and what it says where that fails."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from void_plugin.errors import ServerError
from void_plugin.localfiles import disk_error, left_in, write_whole


def test_a_file_appears_whole_with_its_folder_and_replaces_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "request.json"
    for text in ("first", "sécond"):
        write_whole(path, text)
        assert path.read_bytes() == text.encode()
    assert [entry.name for entry in path.parent.iterdir()] == ["request.json"]


@pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")
def test_others_may_read_it_as_far_as_this_user_lets_them(tmp_path: Path) -> None:
    write_whole(tmp_path / "ours", "")
    (tmp_path / "plain").touch()
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="nothing is unwritable for this user")
def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir(mode=0o500)
    with pytest.raises(ServerError, match="out") as caught:
        write_whole(tmp_path / "out" / "request.json", "")
    assert caught.value.code == "server.unwritable"


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("I am a file")
    with pytest.raises(ServerError, match="out") as caught:
        write_whole(tmp_path / "out" / "job" / "request.json", "")
    assert caught.value.code == "server.unwritable"


def test_a_folder_in_the_place_of_the_file_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "request.json").mkdir()
    with pytest.raises(ServerError):
        write_whole(tmp_path / "request.json", "text")
    assert [entry.name for entry in tmp_path.iterdir()] == ["request.json"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no disk that is always full")
def test_a_full_disk_is_told_as_such() -> None:
    with pytest.raises(OSError) as caught, open("/dev/full", "wb", buffering=0) as stream:
        stream.write(b"x")
    found = disk_error(caught.value, Path("/show/out"))
    assert found.code == "server.disk_full" and "/show/out" in found.message


@pytest.mark.skipif(sys.platform == "win32", reason="nobody is killed there by a signal")
def test_what_a_killed_process_has_left_of_a_file_is_known_by_its_name(tmp_path: Path) -> None:
    script = f"""
import os, signal
from pathlib import Path
from void_plugin.localfiles import write_whole
os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
write_whole(Path({str(tmp_path)!r}) / "job" / "request.json", "whole")
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -signal.SIGKILL
    (left,) = (tmp_path / "job").iterdir()
    (tmp_path / "job" / ".request.json-theirs.tmp").touch()
    assert left_in(tmp_path, ["job.json"]) == [] and left_in(tmp_path, ["request.json"]) == [left]
