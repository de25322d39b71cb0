"""Equal work gives equal bytes: after a kill, for a part of the range, with any number of workers."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from shots import Shot, build_shot, run_in_process

from void_plugin.errors import Cancelled
from void_plugin.events import FrameReady, Stopped, from_line
from void_plugin.frames import FrameRange
from void_plugin.request import ImageInput, Output
from void_plugin.settings import RenderSettings


def outputs(folder: Path) -> dict[str, str]:
    """File name and SHA-256 of everything delivered."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.exr"))}


@pytest.fixture
def moving(tmp_path: Path) -> Shot:
    """A panning shot of twelve frames: three units."""
    return build_shot(tmp_path / "moving", count=12, pan=3)


def test_two_runs_and_any_number_of_workers_give_identical_bytes(moving: Shot) -> None:
    run_in_process(moving.request(), workers=1)
    first = outputs(moving.folder / "out")
    shutil.rmtree(moving.folder / "out")
    run_in_process(moving.request(), workers=4)
    assert outputs(moving.folder / "out") == first
    assert len(first) == 12


@pytest.mark.parametrize("engine", ["recover", "identity-raster"])
def test_a_part_of_the_range_rendered_alone_equals_the_full_render(moving: Shot, engine: str) -> None:
    run_in_process(moving.request(engine=engine))
    full = outputs(moving.folder / "out")
    shutil.rmtree(moving.folder / "out")
    run_in_process(moving.request(engine=engine, frames=FrameRange(1005, 1008)))
    part = outputs(moving.folder / "out")
    assert sorted(part) == [f"result.{frame}.exr" for frame in range(1005, 1009)]
    assert all(full[name] == digest for name, digest in part.items())


def test_asking_for_more_frames_later_redoes_none(moving: Shot) -> None:
    run_in_process(moving.request(frames=FrameRange(1001, 1004)))
    folder = Path(moving.request().job_folder())
    before = {path: path.stat().st_mtime_ns for path in folder.glob("units/*/manifest.json")}
    assert len(before) == 1
    run_in_process(moving.request())
    after = {path: path.stat().st_mtime_ns for path in folder.glob("units/*/manifest.json")}
    assert len(after) == 3 and all(after[path] == stamp for path, stamp in before.items())


def test_a_changed_plate_frame_is_noticed(moving: Shot) -> None:
    run_in_process(moving.request())
    before = outputs(moving.folder / "out")
    other = build_shot(moving.folder.parent / "other", count=12, pan=3, seed=9)
    shutil.copy(other.plate % 1004, moving.plate % 1004)
    run_in_process(moving.request())
    assert outputs(moving.folder / "out") != before


def test_a_changed_setting_is_noticed(moving: Shot) -> None:
    run_in_process(moving.request())
    one = set((moving.folder / "out/.void").iterdir())
    run_in_process(moving.request(settings=RenderSettings(recover_grain="clean")))
    assert len(set((moving.folder / "out/.void").iterdir())) == len(one) + 1


def start(request_path: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "void_server", "task", "all", str(request_path), "--events", "--workers", "1"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def wait_for_unit(child: "subprocess.Popen[str]") -> None:
    """Read events until the first frame is delivered, so that at least one unit is committed."""
    assert child.stdout is not None
    for line in child.stdout:
        if isinstance(from_line(line), FrameReady):
            return
    pytest.fail("the job ended before its first frame")


def test_a_killed_run_started_again_finishes_with_identical_bytes(moving: Shot) -> None:
    run_in_process(moving.request())
    wanted = outputs(moving.folder / "out")
    shutil.rmtree(moving.folder / "out")
    path = moving.folder / "request.json"
    path.write_text(moving.request().to_json())
    child = start(path)
    wait_for_unit(child)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    folder = Path(moving.request().job_folder())
    committed = {item: item.stat().st_mtime_ns for item in folder.glob("units/*/manifest.json")}
    assert committed
    child = start(path)
    child.communicate(timeout=120)
    assert child.returncode == 0
    assert outputs(moving.folder / "out") == wanted
    assert all(item.stat().st_mtime_ns == stamp for item, stamp in committed.items())
    assert not list((moving.folder / "out").glob(".result*")), "no temporary file is left"


def test_a_terminated_run_stops_with_a_checkpoint_and_says_so(moving: Shot) -> None:
    path = moving.folder / "request.json"
    path.write_text(moving.request().to_json())
    child = start(path)
    wait_for_unit(child)
    child.terminate()
    assert child.stdout is not None
    with child.stdout:
        rest = child.stdout.read()  # with what was read ahead, which `communicate` would lose
    child.wait(60)
    if child.returncode == 0:
        pytest.skip("the job was faster than the signal")
    assert child.returncode == 143
    assert isinstance(from_line(rest.splitlines()[-1]), Stopped)


def test_no_reader_process_outlives_a_killed_job(moving: Shot) -> None:
    path = moving.folder / "request.json"
    path.write_text(moving.request().to_json())
    child = start(path)
    wait_for_unit(child)
    listing = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(child.pid)], capture_output=True, text=True, check=False
    )
    readers = [int(text) for text in listing.stdout.split()]
    assert readers
    child.kill()
    child.communicate()
    deadline = time.monotonic() + 10
    while any(os.path.exists(f"/proc/{pid}/status") and alive(pid) for pid in readers):
        assert time.monotonic() < deadline, "a reader process was left behind"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_cancelled_job_keeps_what_it_finished(moving: Shot) -> None:
    with pytest.raises(Cancelled):
        run_in_process(moving.request(), workers=1, stop_after=60)
    ran = run_in_process(moving.request(), workers=1)
    assert len({event.frame for event in ran.events if isinstance(event, FrameReady)}) == 12


def test_context_limits_what_is_looked_at(moving: Shot) -> None:
    run_in_process(moving.request(frames=FrameRange(1005, 1006), context=2))
    import json

    plan = json.loads(
        (Path(moving.request(frames=FrameRange(1005, 1006), context=2).job_folder()) / "plan.json").read_text()
    )
    assert plan["shot_range"] == "1003-1008"


def test_the_plan_names_no_absolute_path(moving: Shot) -> None:
    run_in_process(moving.request(object_matte=ImageInput(moving.matte), outputs=(Output("comp", moving.out("comp")),)))
    folder = Path(moving.request(outputs=(Output("comp", moving.out("comp")),)).job_folder())
    for name in ("plan.json", "result.json"):
        assert str(moving.folder) not in (folder / name).read_text()
