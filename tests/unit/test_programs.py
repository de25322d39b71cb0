"""Starting programs: which, with which environment, and what their end means."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from void_plugin.config import Config
from void_plugin.errors import JobError, ServerError
from void_plugin.programs import (
    ask_server,
    child_environment,
    kill_group,
    server_command,
    start_program,
)

ROOT = Path(__file__).parents[2]
CONFIG = Config(server_command=(sys.executable, str(ROOT / "tests" / "fakes" / "fake_services.py")))

needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="a child is not ended by signals there")


@pytest.fixture
def environment() -> dict[str, str]:
    # The fake imports void_plugin, which need not be installed where this runs from the checkout.
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}


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


def test_asking_the_server_gives_its_last_line_as_a_value(environment: dict[str, str]) -> None:
    assert ask_server(CONFIG, environment, ["engines", "--json"])[0]["name"] == "recover"


def test_asking_something_it_does_not_know_gives_its_own_sentence(environment: dict[str, str]) -> None:
    with pytest.raises(JobError, match="unknown command dance"):
        ask_server(CONFIG, environment, ["dance"])


def test_an_answer_that_is_not_json_blames_the_versions(environment: dict[str, str]) -> None:
    config = Config(server_command=(sys.executable, "-c", "print('ready')"))
    with pytest.raises(ServerError, match="same version"):
        ask_server(config, environment, ["engines"])


def test_a_program_that_cannot_be_started_names_the_setting(environment: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=r"no-such-program.*\$VOID_SERVER_COMMAND"):
        start_program([str(tmp_path / "no-such-program")], environment, subprocess.DEVNULL, subprocess.DEVNULL)


@needs_signals
def test_killing_a_program_takes_what_it_started_with_it(environment: dict[str, str]) -> None:
    script = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; print(1, flush=True); time.sleep(60)'])\n"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    with start_program([sys.executable, "-c", script], environment, subprocess.DEVNULL, subprocess.DEVNULL) as process:
        assert process.stdout is not None
        pid = max(int(process.stdout.readline()) for _ in range(2))
        kill_group(process)
        process.wait()
        assert process.stdout.read() == b"", "both held the pipe"
    deadline = time.monotonic() + 20
    while alive(pid) and time.monotonic() < deadline:  # whoever inherits it may be slow to take note
        time.sleep(0.05)
    assert not alive(pid)
    kill_group(process)


def alive(pid: int) -> bool:
    """False for a zombie as well: nobody reaps the grandchild of a container without an init."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
