"""What is remembered of jobs: on disk, for the next client, and of farms for a while."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from void_plugin.ended import AGAIN_SECONDS, Ended
from void_plugin.errors import JobError
from void_plugin.farm import JobRef, JobStatus
from void_plugin.jobbook import KEEP_SECONDS, JobBook
from void_plugin.request import ImageInput, Output, RemovalRequest


def request(pattern: str) -> RemovalRequest:
    return RemovalRequest(
        plate=ImageInput("/p/p.%04d.exr"), object_matte=ImageInput("/m/m.%04d.exr"), outputs=(Output("patch", pattern),)
    )


def test_a_job_is_found_by_the_next_client_with_its_request_and_its_version(tmp_path: Path) -> None:
    version = tmp_path / "out" / "v004"
    (version / "patch" / "left").mkdir(parents=True)
    (version / "job.json").write_text("{}")
    wanted = request(f"{version}/patch/left/sh010.%04d.exr")
    JobBook(tmp_path).note("j1", "box:1", "remove", wanted)
    JobBook(tmp_path).note("j2", "box:1", "remove", request(f"{tmp_path}/loose/sh010.%04d.exr"))
    found, loose = JobBook(tmp_path).needed("j1"), JobBook(tmp_path).needed("j2")
    assert found.request == wanted and found.version == found.folder == version.as_posix()
    assert loose.version == "" and loose.folder == f"{tmp_path.as_posix()}/loose"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 2}', '{"schema": 1, "request": {}}'])
def test_what_cannot_be_read_is_not_known(tmp_path: Path, text: str) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "j1.json").write_text(text)
    book = JobBook(tmp_path)
    assert book.find("j1") is None and book.find("../j1") is None
    with pytest.raises(JobError, match="was not submitted by this user"):
        book.needed("j1")


def test_a_job_that_is_noted_later_is_found(tmp_path: Path) -> None:
    book = JobBook(tmp_path)
    assert book.find("j1") is None
    JobBook(tmp_path).note("j1", "box:1", "remove", request("/out/a.%04d.exr"))
    assert book.find("j1") is not None


def test_old_jobs_are_forgotten(tmp_path: Path) -> None:
    book = JobBook(tmp_path)
    book.note("old", "box:1", "remove", request("/out/a.%04d.exr"))
    before = time.time() - KEEP_SECONDS - 10
    os.utime(tmp_path / "jobs" / "old.json", (before, before))
    book.note("new", "box:1", "remove", request("/out/a.%04d.exr"))
    assert [path.name for path in (tmp_path / "jobs").iterdir()] == ["new.json"]


def test_the_end_of_a_job_on_a_farm_is_remembered_and_a_failure_for_a_while() -> None:
    now = [0.0]
    ended = Ended(lambda: now[0])
    statuses = {state: JobStatus(JobRef("local", state), state) for state in ("running", "succeeded", "failed")}
    for status in statuses.values():
        ended.keep(status)
    assert ended.find(JobRef("local", "running")) is None
    assert ended.find(JobRef("local", "failed")) == statuses["failed"]
    now[0] = AGAIN_SECONDS + 1
    assert ended.find(JobRef("local", "failed")) is None
    assert ended.find(JobRef("local", "succeeded")) == statuses["succeeded"]
