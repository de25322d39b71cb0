"""A server of our own, started as a real program: `tests/fakes/fake_services.py`."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from void_plugin import private as private_module
from void_plugin.client import VoidClient
from void_plugin.config import Config
from void_plugin.errors import Cancelled, JobError, ServerError
from void_plugin.private import PrivateServer

ROOT = Path(__file__).parents[2]
CONFIG = Config(server_command=(sys.executable, str(ROOT / "tests" / "fakes" / "fake_services.py")))

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the server is a program for Linux")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path, "FAKE_LOG": str(tmp_path / "started.jsonl")}


def started(tmp_path: Path) -> dict[str, object]:
    (line,) = (tmp_path / "started.jsonl").read_text().splitlines()
    return json.loads(line)  # type: ignore[no-any-return]


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()


def begun(server: PrivateServer) -> Config:
    server.launch()
    return server.ready()


def wait_until(true: "object") -> None:
    deadline = time.monotonic() + 30
    while not true():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_it_answers_on_a_socket_of_its_own_and_leaves_nothing(environment: dict[str, str], tmp_path: Path) -> None:
    server = PrivateServer(CONFIG, environment, tmp_path / "job" / "log.txt", workers=3)
    config = begun(server)
    assert config.server.startswith("unix:") and config.transfer == "paths"
    folder = Path(server.state)
    assert oct((folder.stat().st_mode) & 0o777) == "0o700", "nobody else comes near its socket and token"
    with VoidClient.connect(config, {}, config.server) as client:
        assert client.engines().server.roots == ("/",)
    server.check()
    server.stop()
    found = started(tmp_path)
    assert gone(found["pid"]) and not folder.exists()  # type: ignore[arg-type]
    arguments = found["arguments"]
    assert isinstance(arguments, list) and arguments[:2] == ["serve", "--private"]
    assert arguments[arguments.index("--workers") + 1] == "3" and arguments[arguments.index("--allow-root") + 1] == "/"
    assert (tmp_path / "job" / "log.txt").exists()
    server.stop()
    server.check()


def test_a_temporary_folder_with_a_long_name_does_not_matter(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("deep" * 20) / ("deeper" * 20)
    deep.mkdir(parents=True)
    monkeypatch.setattr(private_module.tempfile, "tempdir", str(deep))
    server = PrivateServer(CONFIG, environment, tmp_path / "log.txt")
    try:
        assert len(begun(server).server) < 108
    finally:
        server.stop()
    assert list(deep.iterdir()) == []


def test_one_that_cannot_be_started_is_one_sentence(environment: dict[str, str], tmp_path: Path) -> None:
    server = PrivateServer(Config(server_command=(str(tmp_path / "no-such-program"),)), environment, tmp_path / "log")
    with pytest.raises(ServerError, match=r"no-such-program.*\$VOID_SERVER_COMMAND"):
        begun(server)
    assert not Path(server.state).exists()
    server.stop()


def test_one_that_dies_at_once_tells_its_last_words(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text("MemoryError: of yesterday\n")
    server = PrivateServer(CONFIG, {**environment, "FAKE_BROKEN": "1"}, tmp_path / "log.txt")
    with pytest.raises(ServerError) as caught:
        begun(server)
    assert caught.value.code == "server.start"
    assert "exit code 3 and said: ModuleNotFoundError: No module named 'cv2'." in caught.value.message
    assert str(tmp_path / "log.txt") in caught.value.message and "yesterday" not in caught.value.message
    server.stop()
    assert not Path(server.state).exists()


def test_one_that_never_listens_is_not_waited_for_for_ever(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(private_module, "START_SECONDS", 0.3)
    config = Config(server_command=(sys.executable, "-c", "import time; time.sleep(60)"))
    server = PrivateServer(config, environment, tmp_path / "log.txt")
    with pytest.raises(ServerError, match="not ready after"):
        begun(server)
    server.stop(0.0)
    assert not Path(server.state).exists()


def test_one_that_is_killed_is_noticed_and_says_what_to_do(environment: dict[str, str], tmp_path: Path) -> None:
    server = PrivateServer(CONFIG, environment, tmp_path / "log.txt")
    begun(server)
    os.kill(started(tmp_path)["pid"], signal.SIGKILL)  # type: ignore[arg-type]
    with pytest.raises(JobError) as caught:
        while True:
            server.check()
            time.sleep(0.01)
    assert caught.value.code == "job.memory"
    for said in ("SIGKILL", "--workers", "cache_bytes", "resumes", str(tmp_path / "log.txt")):
        assert said in caught.value.message
    server.stop()
    assert not Path(server.state).exists()


def test_one_that_does_not_listen_to_reason_is_killed(environment: dict[str, str], tmp_path: Path) -> None:
    for seconds, hurried in ((0.3, lambda: False), (60.0, lambda: True)):
        (tmp_path / "started.jsonl").unlink(missing_ok=True)
        server = PrivateServer(CONFIG, {**environment, "FAKE_STUBBORN": "1"}, tmp_path / "log.txt")
        begun(server)
        began = time.monotonic()
        server.stop(seconds, hurried)
        assert time.monotonic() - began < 20
        assert gone(started(tmp_path)["pid"]) and not Path(server.state).exists()  # type: ignore[arg-type]


def test_it_can_be_stopped_while_it_starts(environment: dict[str, str], tmp_path: Path) -> None:
    config = Config(server_command=(sys.executable, "-c", "import time; time.sleep(60)"))
    server = PrivateServer(config, environment, tmp_path / "log.txt")
    timer = threading.Timer(0.3, server.stop, (0.0,))
    timer.start()
    with pytest.raises(Cancelled):
        begun(server)
    timer.join()
    with pytest.raises(Cancelled):
        begun(server)


def test_it_ends_when_its_client_is_killed(environment: dict[str, str], tmp_path: Path) -> None:
    script = (
        "import os, sys, time\n"
        "from pathlib import Path\n"
        "from void_plugin.config import Config\n"
        "from void_plugin.private import PrivateServer\n"
        "server = PrivateServer(Config(server_command=tuple(sys.argv[1:])), os.environ, Path('log.txt'))\n"
        "server.launch()\nserver.ready()\n"
        "print('started', flush=True)\n"
        "time.sleep(60)\n"
    )
    command = [sys.executable, "-c", script, *CONFIG.server_command]
    with subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"started\n"
        parent.kill()
    pid = started(tmp_path)["pid"]
    wait_until(lambda: gone(pid))  # type: ignore[arg-type]
