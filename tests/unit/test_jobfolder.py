"""A job's folder: whole files or none, and for a server one that no link leads out of."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from void_plugin.errors import RequestError, ServerError, VoidError
from void_server import analysis
from void_server.beneath import told
from void_server.jobfolder import (
    JobFolder,
    make_folder,
    open_file,
    read_json,
    remove_folder,
    replacing,
    write_json,
    write_text,
)


@pytest.fixture(params=["anywhere", "held"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[JobFolder]:
    """A job folder, once as a user's own and once as a server holds it."""
    roots = [str(tmp_path)] if request.param == "held" else None
    with JobFolder.opened(tmp_path / "out" / ".void" / "shot-1", roots) as opened:
        yield opened


@pytest.fixture
def job(tmp_path: Path) -> Iterator[JobFolder]:
    """A held job folder, beside a folder with a secret."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "plan.json").write_text('{"secret": 1}')
    with JobFolder.opened(tmp_path / "job", [str(tmp_path / "job")]) as opened:
        yield opened


def test_files_are_written_and_read_back(folder: JobFolder) -> None:
    folder.create()
    for path in (folder.plan, folder.unit_manifest("ab12"), folder.frame_manifest("comp", 1001)):
        write_json(path, {"b": [1, "ö"], "a": None})
        assert path.exists() and read_json(path) == {"b": [1, "ö"], "a": None}
    found = sorted(str(path.relative_to(folder.path)) for path in folder.path.rglob("*") if path.is_file())
    assert found == ["frames/comp.1001.json", "plan.json", "units/ab12/manifest.json"]


def test_a_file_is_replaced_in_one_step_or_not_at_all(folder: JobFolder) -> None:
    folder.create()
    write_text(folder.plan, "old")
    with pytest.raises(KeyboardInterrupt), replacing(folder.plan) as stream:
        stream.write(b"half of the new")
        stream.flush()
        assert folder.plan.read_text() == "old"
        raise KeyboardInterrupt
    assert folder.plan.read_text() == "old" and os.listdir(folder.path) == ["plan.json"]


def test_a_folder_is_removed_with_all_that_is_in_it(folder: JobFolder) -> None:
    write_text(folder.unit("a") / "deep" / "x", "x")
    remove_folder(folder.unit("a"))
    remove_folder(folder.unit("a"))
    assert os.listdir(folder.path / "units") == []


def test_the_estimates_of_a_shot_are_kept_as_they_are(folder: JobFolder) -> None:
    arrays = {"mean": np.arange(12, dtype=np.float32).reshape(3, 4), "mask": np.eye(3, dtype=bool)}
    digests = analysis.save(folder, arrays)
    assert analysis.is_there(folder, digests) and sorted(os.listdir(folder.path / "analysis")) == [
        "mask.npy",
        "mean.npy",
    ]
    back = analysis.load(folder, digests)
    assert all((back[name] == arrays[name]).all() and back[name].dtype == arrays[name].dtype for name in arrays)


def resident(name: str) -> int:
    """Bytes of a mapped file that count as memory of this process."""
    found, inside = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        words = line.split()
        if not words[0].endswith(":"):
            inside = line.endswith(name)
        elif inside and words[0] == "Rss:":
            found += int(words[1]) << 10
    return found


def test_estimates_that_were_looked_at_take_no_memory_once_they_are_let_go(folder: JobFolder) -> None:
    saved = np.arange(1 << 20, dtype=np.float32)
    arrays = analysis.load(folder, analysis.save(folder, {"luma": saved}))
    assert arrays["luma"].sum() == saved.sum() and resident("luma.npy") >= saved.nbytes
    analysis.let_go([*arrays.values(), np.zeros(3)])
    assert resident("luma.npy") == 0
    assert (arrays["luma"] == saved).all()


def test_a_step_that_comes_too_early_is_told_so_without_inner_names(folder: JobFolder) -> None:
    folder.create()
    with pytest.raises(RequestError, match="is not there; run the step before") as caught:
        read_json(folder.plan)
    assert caught.value.message.startswith(str(folder.path / "plan.json"))
    write_text(folder.plan, "{")
    with pytest.raises(RequestError, match="cannot be read") as caught:
        read_json(folder.plan)
    assert caught.value.message.startswith(str(folder.path / "plan.json"))


def test_a_file_in_place_of_a_folder_is_named_without_inner_names(folder: JobFolder) -> None:
    write_text(folder.path / "units", "in the way")
    for attempt in (lambda: make_folder(folder.unit("a")), lambda: write_text(folder.unit("a") / "x", "x")):
        with pytest.raises(VoidError, match="units") as caught:
            attempt()
        assert "/proc" not in caught.value.message


def test_a_text_is_appended_through_a_descriptor(folder: JobFolder) -> None:
    folder.create()
    for line in ("one\n", "two\n"):
        with os.fdopen(open_file(folder.events, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "a") as stream:
            stream.write(line)
    assert folder.events.read_text() == "one\ntwo\n"


# -- held ---------------------------------------------------------------------------------------------------------


def test_a_held_folder_keeps_its_name_for_people(job: JobFolder, tmp_path: Path) -> None:
    assert job.path == tmp_path / "job" and job.plan != tmp_path / "job" / "plan.json"
    assert told(str(job.plan)) == str(tmp_path / "job" / "plan.json")
    assert told(f"{job.unit('a')} is full.") == f"{tmp_path}/job/units/a is full."


@pytest.mark.parametrize("path", ["{base}/../out", "{base}/link/job", "/etc/void"])
def test_a_job_folder_outside_is_refused(tmp_path: Path, path: str) -> None:
    base, outside = tmp_path / "shows", tmp_path / "outside"
    base.mkdir()
    outside.mkdir()
    (base / "link").symlink_to(outside)
    with pytest.raises(RequestError, match="outside the folders") as caught:
        JobFolder.opened(path.format(base=base), [str(base)])
    assert caught.value.code == "request.path" and os.listdir(outside) == []


def test_a_job_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(VoidError, match="file/job"):
        JobFolder.opened(tmp_path / "file" / "job", [str(tmp_path)])
    with pytest.raises(ServerError, match="file/job"):
        JobFolder.opened(tmp_path / "file" / "job", None).create()


@pytest.mark.parametrize(
    "attempt",
    [
        lambda job: read_json(job.plan),
        lambda job: read_json(job.unit("x") / "plan.json"),
        lambda job: write_json(job.unit_manifest("x"), {}),
        lambda job: make_folder(job.unit("x")),
        lambda job: make_folder(job.unit("x") / "more"),
        lambda job: remove_folder(job.unit("x")),
        lambda job: analysis.save(job, {"mean": np.zeros(3)}),
        lambda job: analysis.load(job, ["mean"]),
        lambda job: os.close(open_file(job.events, os.O_WRONLY | os.O_APPEND | os.O_CREAT)),
    ],
)
def test_nothing_in_a_held_folder_is_reached_through_a_link(
    job: JobFolder, tmp_path: Path, attempt: Callable[[JobFolder], object]
) -> None:
    secret = tmp_path / "secret"
    (secret / "x").mkdir()
    (secret / "x" / "plan.json").write_text("{}")
    np.save(secret / "mean.npy", np.ones(3))
    before = sorted(secret.rglob("*"))
    for name, target in (("plan.json", "plan.json"), ("units", ""), ("analysis", ""), ("events.jsonl", "new")):
        (job.path / name).symlink_to(secret / target)
    with pytest.raises((VoidError, OSError)) as caught:
        attempt(job)
    assert "secret" not in str(caught.value) and "/proc" not in str(caught.value)
    assert sorted(secret.rglob("*")) == before


def test_a_link_in_place_of_a_file_is_replaced_and_what_it_leads_to_stays(job: JobFolder, tmp_path: Path) -> None:
    (job.path / "plan.json").symlink_to(tmp_path / "secret" / "plan.json")
    write_json(job.plan, {"new": 1})
    assert json.loads((tmp_path / "secret" / "plan.json").read_text()) == {"secret": 1}
    assert read_json(job.plan) == {"new": 1} and not (job.path / "plan.json").is_symlink()


def test_a_held_folder_stays_the_job_s_own_when_another_takes_its_name(job: JobFolder, tmp_path: Path) -> None:
    (tmp_path / "job").rename(tmp_path / "moved")
    (tmp_path / "job").symlink_to(tmp_path / "secret")
    write_json(job.plan, {"new": 1})
    assert read_json(job.plan) == {"new": 1} and (tmp_path / "moved" / "plan.json").exists()
    assert json.loads((tmp_path / "secret" / "plan.json").read_text()) == {"secret": 1}


def test_closing_a_folder_twice_is_harmless(job: JobFolder) -> None:
    job.close()
    job.close()
