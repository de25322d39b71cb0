"""Version folders: reserving, holding, listing and removing them, whatever lies in them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from void_plugin import claim
from void_plugin.claim import claimed, is_claimed
from void_plugin.errors import FrameError, HostError, JobError, ServerError
from void_plugin.jobrecord import STATES, JobRecord, now, user_name
from void_plugin.manifest import commit, is_finished, read_manifest, together
from void_plugin.versions import delete, give_back, listing, numbered, remove_folder, renew, reserve, sweep

ROOT = Path(__file__).parents[2]
RECORD = JobRecord(node={"uuid": "u1", "name": "VoidRemove1"}, frames="1001-1004", made=now()).ours()
OUTCOME = {
    "patch": "patch/a.%04d.exr",
    "cleanplate": "",
    "overlay": "",
    "result": "patch/.void/a/result.json",
    "engine": "recover",
    "summary": {"frames": 4, "recovered": 0.1, "shares": "all"},
    "warnings": [],
}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a folder to become free."""
    monkeypatch.setattr(claim, "PATIENCE_SECONDS", 0.0)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """A folder whose name is none for a command line."""
    folder = tmp_path / "out put ü\nx"
    folder.mkdir()
    return folder


def finished(folder: Path, record: JobRecord = RECORD) -> dict[str, Any]:
    return commit(folder, replace(record, views={"main": OUTCOME}, requests={"main": {}}), "abc", 1.5)


# -- numbers ------------------------------------------------------------------------------------------------------


def test_a_version_gets_the_number_after_the_highest_whatever_that_holds(output: Path) -> None:
    assert [reserve(output, RECORD) for _ in range(2)] == [(1, output / "v001"), (2, output / "v002")]
    (output / "v017").mkdir()
    (output / "v018").touch()
    for other in ("v19", "v020x", "version_030", "w040", "test", ".v050"):
        (output / other).mkdir()
    assert reserve(output, RECORD)[0] == 19
    assert [number for number, _ in numbered(output)] == [1, 2, 17, 18, 19]
    assert JobRecord.load(output / "v019").version == 19
    (output / "v1000").mkdir()
    assert reserve(output, RECORD)[1].name == "v1001"


def test_many_at_once_get_different_numbers(output: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(lambda _: reserve(output, RECORD)[0], range(40)))
    assert sorted(numbers) == list(range(1, 41))


@pytest.mark.skipif(sys.platform == "win32", reason="not everybody may make a link there")
def test_where_a_folder_cannot_be_made_nothing_is_left(output: Path) -> None:
    nowhere = output / "nowhere"
    nowhere.symlink_to(output / "not mounted")
    with pytest.raises(ServerError, match="Cannot write into"):
        reserve(nowhere, RECORD)
    assert list(output.iterdir()) == [nowhere]


@pytest.mark.skipif(sys.platform == "win32", reason="no file can be forbidden to grow there")
def test_on_a_disk_that_is_full_no_version_is_left_half_made(output: Path) -> None:
    script = f"""
import resource, signal, sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from void_plugin.errors import VoidError
from void_plugin.jobrecord import JobRecord
from void_plugin.versions import reserve
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
try:
    reserve(Path({str(output)!r}), JobRecord())
except VoidError as error:
    sys.exit(error.message)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stderr.startswith("Cannot write into")
    assert list(output.iterdir()) == []


# -- test frames and previews -------------------------------------------------------------------------------------


def test_a_test_frame_takes_the_place_of_the_one_before(output: Path) -> None:
    folder = renew(output / "test", RECORD)
    (folder / "patch").mkdir()
    (folder / "patch" / "old.exr").touch()
    assert renew(output / "test", RECORD) == folder
    assert [path.name for path in folder.iterdir()] == ["job.json"] and len(list(output.iterdir())) == 1


def test_a_test_frame_never_takes_the_place_of_what_is_not_ours(output: Path) -> None:
    (output / "test").mkdir()
    (output / "test" / "holiday.jpg").touch()
    with pytest.raises(HostError, match="holds files that void_plugin has not made, so it was kept"):
        renew(output / "test", RECORD)
    (output / "preview").touch()
    with pytest.raises(HostError, match="is no folder"):
        renew(output / "preview", RECORD)
    assert (output / "test" / "holiday.jpg").exists()


def test_a_test_frame_that_is_still_being_made_is_not_taken_away(output: Path, quick: None) -> None:
    folder = renew(output / "test", RECORD)
    with claimed(folder, "ann on box7"), pytest.raises(HostError, match="still being made") as caught:
        renew(folder, RECORD)
    assert caught.value.code == "host.taken"
    renew(folder, RECORD)


# -- holding a folder ---------------------------------------------------------------------------------------------


def test_a_folder_is_held_by_one_and_free_when_that_one_dies(output: Path, quick: None) -> None:
    _, folder = reserve(output, RECORD)
    script = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from void_plugin.claim import claimed
with claimed(Path({str(folder)!r}), ""):
    print("held", flush=True)
    sys.stdin.read()
"""
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "held\n"
        assert is_claimed(folder)
        with (
            pytest.raises(HostError, match="worked on by ann on box7; wait for it") as caught,
            claimed(folder, "ann on box7"),
        ):
            pass
        other.kill()
    assert caught.value.code == "host.taken" and not is_claimed(folder)
    with claimed(folder, ""):
        assert is_claimed(folder)


def test_somebody_who_only_looks_does_not_keep_another_from_holding(output: Path) -> None:
    _, folder = reserve(output, RECORD)
    looking = threading.Event()

    def look() -> None:
        while not looking.is_set():
            is_claimed(folder)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for _ in range(20):
            with claimed(folder, ""):
                pass
    finally:
        looking.set()
        thread.join()


def test_storage_without_locks_holds_nobody_up(
    output: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_locks(descriptor: int) -> None:
        raise OSError(next(iter(claim._NO_LOCKS)), "no locks")

    monkeypatch.setattr(claim, "lock", no_locks)
    with claimed(output, "ann"), claimed(output, "bob"):
        assert "knows no locks" in caplog.text


# -- job.json and manifest.json -----------------------------------------------------------------------------------


@pytest.mark.parametrize("state", STATES)
def test_a_record_is_read_back_as_it_was_written(output: Path, state: str) -> None:
    record = replace(RECORD, state=state, views={"main": OUTCOME}, began=1.5, error={"code": "job.engine", "text": "x"})
    record.save(output)
    assert JobRecord.load(output) == record
    data = json.loads((output / "job.json").read_text())
    (output / "job.json").write_text(json.dumps({**data, "mood": "good", "began": 1}))
    assert JobRecord.load(output) == replace(record, began=1), "fields of a later version are passed over"


@pytest.mark.parametrize(
    ("text", "words", "code"),
    [
        ("", r"job\.json is damaged \(Expecting value", "host.folder"),
        ('{"schema": 1, "state": "runn', r"job\.json is damaged", "host.folder"),
        ("[" * 100_000, r"job\.json is damaged", "host.folder"),
        ("[1]", "it has no schema", "host.folder"),
        ('{"state": "running"}', "it has no schema", "host.folder"),
        ('{"schema": true}', "it has no schema", "host.folder"),
        ('{"schema": 1, "state": "dancing"}', "damaged; delete this version", "host.folder"),
        ('{"schema": 1, "pid": "7"}', "pid is '7'", "host.folder"),
        ('{"schema": 1, "requests": {"main": 3}}', "damaged; delete this version", "host.folder"),
        (
            '{"schema": 2, "plugin": "7.0"}',
            r"by a newer void_plugin \(7\.0, schema 2; this one reads 1\)",
            "host.newer",
        ),
    ],
)
def test_a_record_that_cannot_be_used_says_why(output: Path, text: str, words: str, code: str) -> None:
    (output / "job.json").write_text(text)
    with pytest.raises(HostError, match=words) as caught:
        JobRecord.load(output)
    assert caught.value.code == code


def test_a_record_that_is_not_text_is_damaged(output: Path) -> None:
    (output / "job.json").write_bytes(b"\xff\xfe")
    with pytest.raises(HostError, match="damaged"):
        JobRecord.load(output)
    (output / "job.json").unlink()
    with pytest.raises(HostError, match=r"has no job\.json"):
        JobRecord.load(output)
    (output / "job.json").mkdir()
    with pytest.raises(HostError, match="cannot be read"):
        JobRecord.load(output)


def test_a_manifest_is_read_back_and_a_newer_one_refused(output: Path) -> None:
    assert not is_finished(output)
    manifest = finished(output)
    assert is_finished(output) and read_manifest(output) == manifest
    assert (manifest["frames"], manifest["engine"], manifest["version"]) == ("1001-1004", "recover", 0)
    assert manifest["views"]["main"]["patch"] == "patch/a.%04d.exr" and manifest["inputs"] == {"digest": "abc"}
    (output / "manifest.json").write_text(json.dumps({**manifest, "schema": 9, "plugin": "9.9"}))
    with pytest.raises(HostError, match=r"written by a newer void_plugin \(9\.9, schema 9.*update void_plugin") as it:
        read_manifest(output)
    assert it.value.code == "host.newer"


def test_the_summaries_of_all_views_are_taken_together() -> None:
    left = {"frames": 4, "recovered": 0.2, "lowest_coverage": 0.9, "engine": "recover", "odd": True}
    right = {"frames": 4, "recovered": 0.4, "lowest_coverage": 0.5, "engine": "void"}
    found = together([left, right])
    assert found == {
        "frames": 8,
        "recovered": pytest.approx(0.3),
        "lowest_coverage": 0.5,
        "engine": "recover",
        "odd": True,
    }
    assert together([left]) == left and together([]) == {}


def test_the_user_has_a_name_even_where_the_system_knows_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert user_name()
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 4_000_000_000)
    assert user_name() == "unknown"


# -- giving back, listing, deleting -------------------------------------------------------------------------------


def test_only_what_is_no_more_than_reserved_is_given_back(output: Path) -> None:
    _, folder = reserve(output, RECORD)
    (folder / "inputs").mkdir()
    give_back(folder)
    give_back(folder)
    assert list(output.iterdir()) == []
    _, folder = reserve(output, RECORD)
    replace(RECORD, state="running").save(folder)
    with pytest.raises(HostError, match="it is running; it was kept"):
        give_back(folder)
    RECORD.save(folder)
    finished(folder)
    with pytest.raises(HostError, match="not only reserved"):
        give_back(folder)


def test_every_kind_of_folder_is_listed_as_what_it_is(output: Path) -> None:
    for state in ("reserved", "running", "failed", "done"):
        _, folder = reserve(output, RECORD)
        record = replace(RECORD, state=state)
        (record.failed(FrameError("The plate is gone.")) if state == "failed" else record).save(folder)
    (output / "v004" / "patch").mkdir()
    (output / "v004" / "patch" / "a.exr").write_bytes(b"x" * 1000)
    for number in (5, 6, 7, 8, 9):
        (output / f"v{number:03d}").mkdir()
    finished(output / "v005")
    (output / "v006" / "manifest.json").write_text('{"schema": 7}')
    (output / "v007" / "manifest.json").write_text("{")
    (output / "v008" / "job.json").write_text('{"schema": 7}')
    (output / "v010").touch()
    rows = listing(output)
    assert [row["version"] for row in rows] == list(range(1, 11))
    states = ["reserved", "running", "failed", "broken", "done", "newer", "broken", "newer", "broken", "broken"]
    assert [row["state"] for row in rows] == states
    assert rows[0]["text"].startswith("Reserved by ") and "not finished yet" in rows[1]["text"]
    assert rows[2]["text"] == "The plate is gone." and "manifest is missing" in rows[3]["text"]
    assert rows[4]["text"] == "all" and "newer void_plugin" in rows[5]["text"]
    assert all(row["folder"] == (output / f"v{row['version']:03d}").as_posix() for row in rows)
    assert rows[3]["bytes"] > 1000 and {row["frames"] for row in rows[:5]} == {"1001-1004"}
    assert all(row["made"][:2] == "20" for row in rows) and set(rows[0]) == set(rows[9])


def test_a_folder_that_is_not_there_has_no_versions(output: Path) -> None:
    assert listing(output / "nowhere") == []
    (output / "file").touch()
    with pytest.raises(HostError, match="cannot be read: Not a directory"):
        listing(output / "file")


def test_deleting_takes_versions_and_nothing_else(output: Path, quick: None) -> None:
    folders = [reserve(output, RECORD)[1] for _ in range(3)]
    (folders[0] / "patch").mkdir()
    (folders[0] / "patch" / "a.exr").write_bytes(b"x" * 1000)
    (output / "v007").mkdir()
    (output / "v007" / "mine.nk").touch()
    (output / "keep").mkdir()
    elsewhere = output.parent / "elsewhere"
    elsewhere.mkdir()
    _, foreign = reserve(elsewhere, RECORD)
    (output / "v008").symlink_to(foreign, target_is_directory=True)
    asked = [folders[0], output / "v005", output / "v007", output / "keep", foreign, output / "v008", folders[2]]
    with claimed(folders[1], ""):
        found = delete(output, [*asked, folders[1], output / ".." / elsewhere.name / "v001"])
    assert found["deleted"] == [folders[0].as_posix(), folders[2].as_posix()] and found["bytes"] > 1000
    reasons = {Path(kept["folder"]).name: kept["text"] for kept in found["kept"][:6]}
    assert "does not exist" in reasons["v005"] and "has not made" in reasons["v007"]
    assert "no version folder" in reasons["keep"] and "is no folder" in reasons["v008"]
    assert "being worked on" in reasons["v002"] and len(found["kept"]) == 7
    assert foreign.exists() and sorted(path.name for path in output.iterdir()) == ["keep", "v002", "v007", "v008"]


def test_what_an_interrupted_removal_left_is_swept(output: Path) -> None:
    trash = output / ".v003-0123abcd.deleted"
    (trash / "patch").mkdir(parents=True)
    for other in (".v003-xyz.deleted", ".hidden", "v001"):
        (output / other).mkdir()
    sweep(output)
    assert sorted(path.name for path in output.iterdir()) == [".hidden", ".v003-xyz.deleted", "v001"]


def test_a_folder_into_which_somebody_still_writes_goes_all_the_same(output: Path) -> None:
    _, folder = reserve(output, RECORD)
    (folder / "patch").mkdir()
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            try:
                (folder / "patch" / f"{number}.exr").touch()
            except OSError:
                return

    thread = threading.Thread(target=write)
    thread.start()
    try:
        remove_folder(folder)
    finally:
        stop.set()
        thread.join()
    assert list(output.iterdir()) == []
    remove_folder(folder)


def test_a_folder_that_may_not_be_removed_says_so(output: Path) -> None:
    _, folder = reserve(output, RECORD)
    output.chmod(0o500)
    if os.access(output, os.W_OK):
        pytest.skip("nothing is forbidden to this user")
    try:
        with pytest.raises(ServerError, match="Cannot write into"):
            remove_folder(folder)
    finally:
        output.chmod(0o700)


@pytest.fixture(autouse=True)
def short_tries(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("void_plugin.versions._TRY_SECONDS", 0.02)
    yield


def test_a_failed_record_keeps_the_error(output: Path) -> None:
    RECORD.failed(JobError("Memory ran out.", "job.memory")).save(output)
    assert JobRecord.load(output).error == {"code": "job.memory", "text": "Memory ran out."}
