"""What a client remembers of the jobs it left with servers."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from void_plugin.attachment import Attachment, Attachments
from void_plugin.digests import KnownFile
from void_plugin.errors import ServerError
from void_plugin.frames import FrameRange
from void_plugin.request import ImageInput, Output, RemovalRequest
from void_plugin.settings import RenderSettings


def request() -> RemovalRequest:
    return RemovalRequest(
        plate=ImageInput("/show/plate.%04d.exr"),
        object_matte=ImageInput("/show/matte.%04d.exr"),
        outputs=(Output("patch", "/show/out/result.%04d.exr"),),
        frames=FrameRange(1001, 1004),
    )


def test_what_is_saved_is_loaded_and_can_be_forgotten(tmp_path: Path) -> None:
    attachments = Attachments(tmp_path)
    files = {"/show/plate.1001.exr": KnownFile(10, 20, "ab" * 32)}
    saved = Attachment("r1", "j1", "upload", {"plate/1001": "ab" * 32}, files)
    assert attachments.load("key") is None
    attachments.save("key", saved)
    assert attachments.load("key") == saved
    attachments.forget("key")
    attachments.forget("key")
    assert attachments.load("key") is None


def test_the_key_names_the_work_and_not_the_attempt(tmp_path: Path) -> None:
    key = Attachments(tmp_path).key
    same = key("box:1", "remove", request())
    assert same == key("box:1", "remove", replace(request(), request_id="r2", priority=80))
    assert same == key("box:1", "remove", request().rooted())
    others = {
        key("box:2", "remove", request()),
        key("box:1", "preview", request()),
        key("box:1", "remove", replace(request(), frames=FrameRange(1001, 1005))),
        key("box:1", "remove", replace(request(), settings=RenderSettings(seed=1))),
        key("box:1", "remove", replace(request(), outputs=(Output("patch", "/show/o/result.%04d.exr"),))),
    }
    assert len(others) == 5 and same not in others


def test_what_is_older_than_any_result_is_forgotten(tmp_path: Path) -> None:
    attachments = Attachments(tmp_path)
    attachments.save("old", Attachment("r1"))
    (old,) = (tmp_path / "attachments").iterdir()
    os.utime(old, (0, 0))
    attachments.save("new", Attachment("r2"))
    assert [path.name for path in (tmp_path / "attachments").iterdir()] == ["new.json"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"files": {}, "wrong": 1}', '{"files": {"a": 1}}'])
def test_one_that_cannot_be_read_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "attachments").mkdir()
    (tmp_path / "attachments" / "key.json").write_text(text)
    with pytest.raises(ServerError, match=r"key\.json.*delete it"):
        Attachments(tmp_path).load("key")
