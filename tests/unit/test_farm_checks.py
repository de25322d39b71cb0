"""What is said of folders before anything is submitted."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from void_plugin.farm import Site
from void_plugin.farm.checks import check_request, check_together, input_files
from void_plugin.farm.jobs import Finding, errors_in
from void_plugin.farm.local import Local
from void_plugin.frames import FrameRange
from void_plugin.request import ImageInput, Output, RemovalRequest


class Far(Local):
    """Workers on other machines that share storage with this one."""

    is_here = False


class Uploading(Far):
    """Workers that share nothing."""

    carries_files = True


def shot(folder: Path, out: str = "comp") -> RemovalRequest:
    for name in ("plate", "roto"):
        (folder / name).mkdir(exist_ok=True)
        for frame in range(1001, 1004):
            (folder / name / f"{name}.{frame}.exr").write_bytes(b"x" * frame)
    return RemovalRequest(
        plate=ImageInput(str(folder / "plate" / "plate.%04d.exr")),
        object_matte=ImageInput(str(folder / "roto" / "roto.%04d.exr")),
        outputs=(Output("patch", str(folder / out / "r.%04d.exr")),),
        engine="recover",
    )


def found(request: RemovalRequest, kind: type[Local] = Local, site: Site | None = None) -> list[Finding]:
    return list(check_request(request, kind(site or Site(), {"XDG_STATE_HOME": "/nowhere"})))


def test_a_sound_request_is_not_objected_to(tmp_path: Path) -> None:
    assert found(shot(tmp_path)) == []


@pytest.mark.parametrize("out", ["plate", "plate/clean", "plate/../roto/deep/er"])
def test_an_output_below_an_input_is_an_error(tmp_path: Path, out: str) -> None:
    assert [finding.code for finding in found(shot(tmp_path, out))] == ["output_inside_input"]


def test_an_output_below_an_input_is_found_through_a_link(tmp_path: Path) -> None:
    request = shot(tmp_path, "elsewhere")
    os.symlink(tmp_path / "plate", tmp_path / "elsewhere")
    assert [finding.code for finding in found(request)] == ["output_inside_input"]


def test_a_folder_whose_name_only_begins_like_an_inputs_is_none_of_it(tmp_path: Path) -> None:
    assert found(shot(tmp_path, "plate_clean")) == []


def test_workers_elsewhere_must_see_every_folder(tmp_path: Path) -> None:
    request = shot(tmp_path)
    site = Site(shared_roots=(str(tmp_path / "plate"), str(tmp_path / "roto")))
    assert not errors_in(found(request, Far, replace(site, shared_roots=(str(tmp_path),))))
    (error,) = errors_in(found(request, Far, site))
    assert error.code == "not_shared" and str(tmp_path / "comp") in error.text
    assert found(request, Local, site) == []


def test_what_lies_elsewhere_is_uploaded_where_a_farm_does_that(tmp_path: Path) -> None:
    findings = found(shot(tmp_path), Uploading, Site(shared_roots=("/shows",)))
    assert {finding.code for finding in findings} == {"uploaded"} and not errors_in(findings)


def test_without_shared_roots_the_folders_are_named_for_a_person_to_check(tmp_path: Path) -> None:
    (finding,) = found(shot(tmp_path), Far)
    assert (finding.level, finding.code) == ("info", "shared_roots") and str(tmp_path / "roto") in finding.text


def test_the_same_output_of_two_requests_is_found_however_it_is_spelled(tmp_path: Path) -> None:
    first, second = shot(tmp_path), shot(tmp_path, "comp/../comp")
    assert len(list(check_together([first, second]))) == 1
    assert not list(check_together([first, shot(tmp_path, "other")]))


def test_files_are_counted_for_the_frames_that_are_looked_at(tmp_path: Path) -> None:
    request = replace(shot(tmp_path), clean_plate=ImageInput(str(tmp_path / "plate" / "plate.1001.exr")))
    files = input_files(request, FrameRange(1002, 1003))
    assert sum(files.values()) == 1001 + 2 * (1002 + 1003)
    assert sorted(Path(path).name for path in files) == [
        "plate.1001.exr", "plate.1002.exr", "plate.1003.exr", "roto.1002.exr", "roto.1003.exr",
    ]  # fmt: skip
