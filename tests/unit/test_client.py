"""The client against a real child process, `tests/fakes/fake_void_server.py`."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from void_plugin import client as client_module
from void_plugin.client import ChildClient, ask_server, child_environment, server_command
from void_plugin.config import Config
from void_plugin.errors import JobError, ServerError
from void_plugin.events import Event, Failed, Finished, FrameReady, Started, Stopped, Warned, is_last
from void_plugin.frames import FrameRange
from void_plugin.removal import remove
from void_plugin.request import ImageInput, Output, RemovalRequest

FAKE = Path(__file__).parents[1] / "fakes" / "fake_void_server.py"
CONFIG = Config(server_command=(sys.executable, str(FAKE)))
ROOT = Path(__file__).parents[2]

needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="a child is not ended by signals there")


@pytest.fixture
def environment() -> dict[str, str]:
    # The fake imports void_plugin, which need not be installed where this runs from the checkout.
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}


@pytest.fixture
def request_for(tmp_path: Path) -> "Iterator[object]":
    def make(behaviour: str, frames: int = 4) -> RemovalRequest:
        for frame in range(1001, 1001 + frames):
            (tmp_path / f"plate.{frame}.exr").touch()
        return RemovalRequest(
            plate=ImageInput(str(tmp_path / "plate.%04d.exr")),
            object_matte=ImageInput(str(tmp_path / "matte.%04d.exr")),
            outputs=(Output("patch", str(tmp_path / "out" / "result.%04d.exr")),),
            prompt=behaviour,
        )

    yield make


def alive(request: RemovalRequest) -> bool:
    """True while the child of this request exists, as a process or as a zombie."""
    try:
        os.kill(int((Path(request.job_folder()) / "pid").read_text()), 0)
    except ProcessLookupError:
        return False
    return True


def check_order(events: list[Event]) -> None:
    numbers = [event.number for event in events]
    assert numbers == sorted(set(numbers)) and numbers[0] >= 1
    assert [is_last(event) for event in events] == [False] * (len(events) - 1) + [True]


def test_a_job_that_goes_well_tells_everything_and_ends_with_finished(request_for, environment) -> None:
    request = request_for("well")
    client = ChildClient(CONFIG, environment, workers=3)
    events = list(remove(request, client))
    check_order(events)
    assert isinstance(events[0], Started) and events[0].frames == "1001-1004"
    assert [event.frame for event in events if isinstance(event, FrameReady)] == [1001, 1002, 1003, 1004]
    assert any(isinstance(event, Warned) for event in events)
    assert isinstance(events[-1], Finished)
    assert not alive(request)


def test_the_job_folder_holds_the_rooted_request_and_the_arguments_are_as_agreed(request_for, environment) -> None:
    request = request_for("well")
    list(remove(request, ChildClient(CONFIG, environment, workers=3)))
    folder = Path(request.job_folder())
    saved = RemovalRequest.load(str(folder / "request.json"))
    assert saved.frames == FrameRange(1001, 1004)
    assert saved.plate.pattern == "<plate>/plate.%04d.exr"
    assert not list(folder.glob(".request-*"))
    arguments = json.loads((folder / "arguments.json").read_text())
    assert arguments == ["task", "all", str(folder / "request.json"), "--events", "--watch-stdin", "--workers", "3"]


def test_noise_on_the_childs_output_is_logged_and_unknown_kinds_are_skipped(request_for, environment) -> None:
    request = request_for("garbage")
    events = list(remove(request, ChildClient(CONFIG, environment)))
    check_order(events)
    assert isinstance(events[-1], Finished)
    log = (Path(request.job_folder()) / "log.txt").read_bytes()
    assert b"libpng warning" in log and b"not text" in log and b"Applauded" not in log


def test_an_error_of_the_server_arrives_with_its_code_and_sentence(request_for, environment) -> None:
    last = list(remove(request_for("refuse"), ChildClient(CONFIG, environment)))[-1]
    assert isinstance(last, Failed)
    assert (last.code, last.text) == ("request.matte_empty", "The matte of sh010 is empty on frames 1001-1004.")


@pytest.mark.parametrize(
    ("behaviour", "code", "said"),
    [
        pytest.param("killed", "job.memory", "--workers", marks=needs_signals),
        ("memory", "job.memory", "cache_bytes"),
        pytest.param("crash", "job.crashed", "SIGSEGV", marks=needs_signals),
        ("silent", "job.crashed", "exit code 0"),
        ("traceback", "job.crashed", "singular matrix"),
        ("die-at-once", "job.crashed", "No module named 'cv2'"),
    ],
)
def test_a_child_that_dies_without_a_word_gets_a_last_event_that_says_what_to_do(
    request_for, environment, behaviour: str, code: str, said: str
) -> None:
    request = request_for(behaviour)
    events = list(remove(request, ChildClient(CONFIG, environment)))
    check_order(events)
    last = events[-1]
    assert isinstance(last, Failed) and last.code == code
    assert said in last.text and str(Path(request.job_folder()) / "log.txt") in last.text
    if behaviour != "die-at-once":
        assert "after frame 1001" in last.text and "frame 1002" in last.text
    assert not alive(request)


def test_the_last_words_are_those_of_this_run_and_not_of_an_earlier_one(request_for, environment) -> None:
    request = request_for("silent")
    Path(request.job_folder()).mkdir(parents=True)
    (Path(request.job_folder()) / "log.txt").write_text("MemoryError: of yesterday\n")
    last = list(remove(request, ChildClient(CONFIG, environment)))[-1]
    assert isinstance(last, Failed) and "yesterday" not in last.text


def test_a_child_that_leaves_a_process_on_its_pipe_does_not_hold_us_up(request_for, environment) -> None:
    began = time.monotonic()
    last = list(remove(request_for("heir"), ChildClient(CONFIG, environment)))[-1]
    assert isinstance(last, Failed) and "exit code 5" in last.text
    assert time.monotonic() - began < 15


@needs_signals
def test_a_child_stopped_by_someone_else_counts_as_stopped(request_for, environment) -> None:
    assert isinstance(list(remove(request_for("stopped-by-the-farm"), ChildClient(CONFIG, environment)))[-1], Stopped)


def test_cancelling_lets_the_child_write_its_checkpoint(request_for, environment) -> None:
    request = request_for("slow", frames=200)
    client = ChildClient(CONFIG, environment)
    events: list[Event] = []
    for event in remove(request, client):
        events.append(event)
        if isinstance(event, FrameReady) and event.frame == 1002:
            client.cancel()
    check_order(events)
    assert isinstance(events[-1], Stopped)
    assert (Path(request.job_folder()) / "checkpoint").exists()
    assert not alive(request)


def test_a_client_cancelled_before_it_began_stops_at_once(request_for, environment) -> None:
    client = ChildClient(CONFIG, environment)
    client.cancel()
    assert isinstance(list(remove(request_for("slow", frames=200), client))[-1], Stopped)


@needs_signals
def test_a_child_that_does_not_listen_is_killed_after_its_time(request_for, environment, monkeypatch) -> None:
    monkeypatch.setattr(client_module, "STOP_SECONDS", 0.5)
    request = request_for("deaf", frames=600)
    client = ChildClient(CONFIG, environment)
    began = time.monotonic()
    for event in remove(request, client):
        if isinstance(event, FrameReady) and event.frame == 1002:
            client.cancel()
    assert isinstance(event, Stopped)
    assert 0.5 <= time.monotonic() - began < 8
    assert not alive(request)


@needs_signals
def test_cancelling_twice_kills_at_once(request_for, environment) -> None:
    request = request_for("deaf", frames=600)
    client = ChildClient(CONFIG, environment)
    began = time.monotonic()
    for event in remove(request, client):
        if isinstance(event, FrameReady) and event.frame in (1002, 1003):
            client.cancel()
    assert isinstance(event, Stopped)
    assert time.monotonic() - began < 8
    assert not alive(request)


def test_a_caller_that_walks_away_leaves_no_child_behind(request_for, environment) -> None:
    request = request_for("slow", frames=600)
    events = remove(request, ChildClient(CONFIG, environment))
    next(events)
    assert alive(request)
    events.close()  # type: ignore[attr-defined]
    assert not alive(request)


@needs_signals
def test_a_child_ends_when_its_client_is_killed(request_for, environment, tmp_path: Path) -> None:
    request = request_for("slow", frames=600)
    request_file = tmp_path / "saved.json"
    request_file.write_text(request.to_json())
    script = (
        "import os, sys\n"
        "from void_plugin.client import ChildClient\n"
        "from void_plugin.config import Config\n"
        "from void_plugin.removal import remove\n"
        "from void_plugin.request import RemovalRequest\n"
        f"client = ChildClient(Config(server_command=({sys.executable!r}, {str(FAKE)!r})), os.environ)\n"
        "for event in remove(RemovalRequest.load(sys.argv[1]), client):\n"
        "    print(event, flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(request_file)], env=environment, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        parent.kill()
    deadline = time.monotonic() + 10
    while alive(request) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(request)


def test_cancelling_from_another_thread_is_safe(request_for, environment) -> None:
    client = ChildClient(CONFIG, environment)
    timer = threading.Timer(1.0, client.cancel)
    timer.start()
    assert isinstance(list(remove(request_for("slow", frames=600), client))[-1], Stopped)
    timer.join()


def test_a_server_that_cannot_be_started_is_one_sentence(request_for, environment, tmp_path: Path) -> None:
    config = Config(server_command=(str(tmp_path / "no-such-program"),))
    (last,) = list(remove(request_for("well"), ChildClient(config, environment)))
    assert isinstance(last, Failed) and last.code == "server.unavailable"
    assert "no-such-program" in last.text and "$VOID_SERVER_COMMAND" in last.text


def test_a_server_that_is_not_installed_says_how_to_install_it(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(ServerError, match="pip install"):
        server_command(Config(), {"PATH": str(tmp_path)})


def test_the_server_beside_this_python_wins_over_path(monkeypatch, tmp_path: Path) -> None:
    name = "void-server.exe" if sys.platform == "win32" else "void-server"
    for folder in ("here", "path"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "here" / "python"))
    assert server_command(Config(), {"PATH": str(tmp_path / "path")}) == (str(tmp_path / "here" / name),)
    (tmp_path / "here" / name).unlink()
    assert server_command(Config(), {"PATH": str(tmp_path / "path")}) == (str(tmp_path / "path" / name),)


def test_another_python_is_not_led_to_our_modules(tmp_path: Path) -> None:
    ours = {"PYTHONPATH": "/show/lib", "PYTHONHOME": "/opt/host", "PATH": str(tmp_path), "SHOW": "x"}
    assert child_environment([str(tmp_path / "void-server")], ours) == {"PATH": str(tmp_path), "SHOW": "x"}
    assert child_environment([sys.executable], ours) == ours


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="nothing is unwritable for this user")
def test_an_unwritable_output_folder_is_named(request_for, environment, tmp_path: Path) -> None:
    request = request_for("well")
    (tmp_path / "out").mkdir(mode=0o500)
    (last,) = list(remove(request, ChildClient(CONFIG, environment)))
    assert isinstance(last, Failed) and last.code == "server.unwritable" and str(tmp_path / "out") in last.text


def test_a_file_in_the_place_of_the_output_folder_is_named(request_for, environment, tmp_path: Path) -> None:
    request = request_for("well")
    (tmp_path / "out").write_text("I am a file")
    (last,) = list(remove(request, ChildClient(CONFIG, environment)))
    assert isinstance(last, Failed) and last.code == "server.unwritable" and str(tmp_path / "out") in last.text


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no disk that is always full")
def test_a_full_disk_is_told_as_such() -> None:
    try:
        with open("/dev/full", "wb", buffering=0) as stream:
            stream.write(b"x")
    except OSError as error:
        found = client_module._disk_error(error, Path("/show/out"))
    assert found.code == "server.disk_full" and "/show/out" in found.message


def test_missing_plate_frames_are_told_before_anything_is_written(request_for, environment, tmp_path: Path) -> None:
    request = request_for("well", frames=6)
    for frame in (1002, 1003, 1005):
        (tmp_path / f"plate.{frame}.exr").unlink()
    for asked in (None, FrameRange(1001, 1006)):
        (last,) = list(remove(replace(request, frames=asked), ChildClient(CONFIG, environment)))
        assert isinstance(last, Failed) and last.code == "frame.missing"
        assert "1002-1003, 1005" in last.text and "plate.%04d.exr" in last.text
    assert not (tmp_path / "out").exists()


def test_a_plate_that_is_nowhere_is_told_with_its_pattern(request_for, environment, tmp_path: Path) -> None:
    request = replace(request_for("well"), plate=ImageInput(str(tmp_path / "plat.%04d.exr")))
    (last,) = list(remove(request, ChildClient(CONFIG, environment)))
    assert isinstance(last, Failed) and last.code == "frame.missing" and "plat.%04d.exr" in last.text


def test_asking_the_server_gives_its_last_line_as_a_value(environment) -> None:
    assert ask_server(CONFIG, environment, ["engines", "--json"])[0]["name"] == "recover"


def test_asking_something_it_does_not_know_gives_its_own_sentence(environment) -> None:
    with pytest.raises(JobError, match="unknown command dance"):
        ask_server(CONFIG, environment, ["dance"])


def test_an_answer_that_is_not_json_blames_the_versions(environment) -> None:
    config = Config(server_command=(sys.executable, "-c", "print('ready')"))
    with pytest.raises(ServerError, match="same version"):
        ask_server(config, environment, ["engines"])


@needs_signals
def test_the_signal_is_named_even_where_it_has_no_name() -> None:
    assert client_module._signal_name(signal.SIGSEGV) == "SIGSEGV"
    assert client_module._signal_name(99) == "signal 99"
