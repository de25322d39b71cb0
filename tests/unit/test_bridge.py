"""The bridge of a host, against real sidecar processes and against children that misbehave."""

from __future__ import annotations

import json
import os
import queue
import re
import subprocess
import sys
import threading
import time
import venv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pythons import ROOT
from servers import until

from void_plugin.bridge import Sidecar
from void_plugin.errors import FrameError, HostError, RequestError, VoidError
from void_plugin.launch import LOGS_KEPT, MOST_LOG_BYTES
from void_plugin.sidecarprocess import Limits

FAKES = ROOT / "tests" / "fakes"
SECONDS = 60.0
"""Far more than anything here takes."""
Make = Callable[..., Sidecar]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A user of their own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("VOID_", "XDG_"))}
    places = {"XDG_STATE_HOME": str(tmp_path / "state"), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    return {**kept, **places}


@pytest.fixture
def make(environment: dict[str, str], tmp_path: Path) -> Iterator[Make]:
    made: list[Sidecar] = []

    def sidecar(command: list[str] | None = None, **more: Any) -> Sidecar:
        more.setdefault("environment", environment)
        made.append(Sidecar(command, log_folder=str(tmp_path / "logs"), host="test 1.0", **more))
        return made[-1]

    yield sidecar
    for one in made:
        one.close(10)


@pytest.fixture
def echo(make: Make) -> Sidecar:
    return make([sys.executable, str(FAKES / "echo_sidecar.py")])


@pytest.fixture
def odd(make: Make, tmp_path: Path) -> Make:
    def sidecar(how: str, **more: Any) -> Sidecar:
        return make([sys.executable, str(FAKES / "odd_sidecar.py"), how, str(tmp_path / "notes")], **more)

    return sidecar


def heard(tmp_path: Path) -> list[dict[str, Any]]:
    """What an odd child was told, `{}` for each of its starts."""
    return [json.loads(line) for line in (tmp_path / "notes").read_text().splitlines()]


class Answers:
    """Takes what a call brings; waits for its end."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.threads: set[str] = set()
        self._ends: queue.SimpleQueue[tuple[Any, Any]] = queue.SimpleQueue()

    def event(self, data: dict[str, Any]) -> None:
        self.events.append(data)
        self.threads.add(threading.current_thread().name)

    def done(self, result: Any, error: Any) -> None:
        self.threads.add(threading.current_thread().name)
        self._ends.put((result, error))

    def end(self) -> tuple[Any, VoidError | None]:
        return self._ends.get(timeout=SECONDS)

    def until_event(self) -> dict[str, Any]:
        return until(lambda: self.events, what="an event")[0]


def gone(pid: int) -> bool:
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


# -- calls --------------------------------------------------------------------------------------------------------


def test_the_configured_python_runs_the_real_sidecar(make: Make, environment: dict[str, str], void_python: str) -> None:
    sidecar = make(environment={**environment, "VOID_PLUGIN_PYTHON": void_python})
    assert sidecar.ask("ping", {}, SECONDS) == {}
    assert sidecar.ask("versions", {"output": "/nowhere"}, SECONDS) == {"versions": []}
    log = Path(sidecar.log).read_text()
    assert f" at {void_python}" in log and "hello to test 1.0" in log and f"process {os.getpid()}" in log


def test_nothing_happens_before_the_first_call(make: Make, tmp_path: Path) -> None:
    sidecar = make(["/no/such/python"])
    assert list(tmp_path.iterdir()) == [] and sidecar.log.startswith(str(tmp_path / "logs"))
    sidecar.cancel(7)
    sidecar.close()
    assert list(tmp_path.iterdir()) == []


def test_a_call_returns_at_once_however_long_the_start_takes(odd: Make, tmp_path: Path) -> None:
    sidecar, answers = odd("waits"), Answers()
    numbers = [sidecar.call("work", {"n": n}, answers.done) for n in range(3)]
    assert len(set(numbers)) == 3
    (tmp_path / "notes.go").touch()
    assert [answers.end()[0] for _ in range(3)] == [{"args": {"n": n}} for n in range(3)]


def test_events_come_before_the_result_and_all_in_one_thread(echo: Sidecar) -> None:
    answers = Answers()
    echo.call("echo", {"values": {"kind": "Progressed"}}, answers.done, answers.event)
    assert answers.end() == ({"kind": "Progressed"}, None) and answers.events == [{"kind": "Progressed"}]
    assert answers.threads == {"sidecar bridge"}
    assert echo.ask("echo", {"values": {"a": 1}}, SECONDS, answers.event) == {"a": 1}
    assert answers.events[1:] == [{"a": 1}]


def test_a_refusal_arrives_as_the_error_that_it_was(echo: Sidecar) -> None:
    with pytest.raises(FrameError, match=r"^The plate a\.1001\.exr is damaged\.$") as caught:
        echo.ask("refuse", {}, SECONDS)
    assert caught.value.code == "frame.unreadable"


def test_a_fault_of_the_sidecar_ends_one_call_and_nothing_else(echo: Sidecar) -> None:
    with pytest.raises(HostError, match=r"failed in fail .*a fault of ours.*echo\.log"):
        echo.ask("fail", {}, SECONDS)
    assert echo.ask("echo", {"values": {}}, SECONDS) == {}


@pytest.mark.parametrize(
    ("name", "args", "words"),
    [
        ("dance", {}, "knows no call 'dance'"),
        ("echo", {}, "echo must give values as an object, not None"),
        ("echo", {"values": [1]}, "echo must give values as an object"),
        ("large", {"bytes": True}, "large must give bytes as a whole number, not True"),
        ("ask_back", {"name": 3}, "must give name as text"),
        ("large", {"bytes": 17 << 20}, "A message of 18 MB .* 17 MB is the most"),
    ],
)
def test_what_cannot_be_answered_says_why(echo: Sidecar, name: str, args: dict[str, Any], words: str) -> None:
    with pytest.raises(HostError, match=words):
        echo.ask(name, args, SECONDS)
    assert echo.ask("ping", {}, SECONDS) == {}


def test_arguments_that_cannot_travel_are_refused_where_they_are_given(echo: Sidecar) -> None:
    with pytest.raises(TypeError):
        echo.call("echo", {"values": {1, 2}})
    with pytest.raises(HostError, match="is the most"):
        echo.call("echo", {"values": {"text": "x" * (17 << 20)}})


def test_many_calls_run_at_once_and_each_gets_its_own_answer(echo: Sidecar) -> None:
    waiting, answers = Answers(), [Answers() for _ in range(50)]
    number = echo.call("wait", {}, waiting.done, waiting.event)
    waiting.until_event()
    for n, one in enumerate(answers):
        echo.call("echo", {"values": {"n": n}}, one.done, one.event)
    assert [one.end()[0] for one in answers] == [{"n": n} for n in range(50)]
    echo.cancel(number)
    assert waiting.end() == ({"cancelled": True}, None)


def test_a_call_that_is_cancelled_before_the_sidecar_is_ready_never_reaches_it(odd: Make, tmp_path: Path) -> None:
    sidecar, answers, other = odd("waits"), Answers(), Answers()
    number = sidecar.call("work", {}, answers.done)
    sidecar.call("work", {"other": True}, other.done)
    sidecar.cancel(number)
    assert answers.end() == ({"cancelled": True}, None)
    (tmp_path / "notes.go").touch()
    assert other.end()[0] == {"args": {"other": True}}
    assert [message["args"] for message in heard(tmp_path) if "call" in message] == [{"other": True}]


# -- any JSON, both ways ------------------------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
objects = st.dictionaries(st.text(), json_values, max_size=5)


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    """One echo for a whole property test, which answers the same way."""
    folder = str(tmp_path_factory.mktemp("logs"))
    sidecar = Sidecar([sys.executable, str(FAKES / "echo_sidecar.py")], dict(os.environ), log_folder=folder)
    sidecar.answering("same", lambda args: args)
    yield sidecar
    sidecar.close()


@settings(max_examples=200, deadline=None)
@given(objects)
def test_any_json_survives_the_way_there_and_back(lasting: Sidecar, values: dict[str, Any]) -> None:
    events: list[dict[str, Any]] = []
    assert lasting.ask("echo", {"values": values}, SECONDS, events.append) == values
    assert events == [values]


@settings(max_examples=200, deadline=None)
@given(objects)
def test_any_json_survives_what_the_sidecar_asks(lasting: Sidecar, values: dict[str, Any]) -> None:
    assert lasting.ask("ask_back", {"name": "same", "values": values}, SECONDS) == values


def test_a_path_that_is_no_text_survives(lasting: Sidecar) -> None:
    path = os.fsdecode(b"/shots/\xff sh010\n\\\x00")
    assert lasting.ask("echo", {"values": {"path": path}}, SECONDS) == {"path": path}


# -- what the sidecar asks ----------------------------------------------------------------------------------------


def test_the_sidecar_is_answered_with_results_and_errors(echo: Sidecar) -> None:
    def refuse(args: dict[str, Any]) -> dict[str, Any]:
        raise RequestError("There is no timeline.", "request.invalid")

    def fail(args: dict[str, Any]) -> dict[str, Any]:
        raise KeyError("a fault of the host")

    echo.answering("add", lambda args: {"sum": sum(args["numbers"])})
    echo.answering("refuse", refuse)
    echo.answering("fail", fail)
    assert echo.ask("ask_back", {"name": "add", "values": {"numbers": [1, 2]}}, SECONDS) == {"sum": 3}
    with pytest.raises(RequestError, match="There is no timeline"):
        echo.ask("ask_back", {"name": "refuse", "values": {}}, SECONDS)
    with pytest.raises(HostError, match=r"failed to answer 'fail'.*a fault of the host"):
        echo.ask("ask_back", {"name": "fail", "values": {}}, SECONDS)
    with pytest.raises(HostError, match="answers nothing called 'sing'"):
        echo.ask("ask_back", {"name": "sing", "values": {}}, SECONDS)


def test_a_host_that_takes_its_time_to_answer_holds_up_nobody(echo: Sidecar) -> None:
    answered, answers = threading.Event(), Answers()

    def slowly(args: dict[str, Any]) -> dict[str, Any]:
        return {"well": answered.wait(SECONDS)}

    echo.answering("slowly", slowly)
    echo.call("ask_back", {"name": "slowly", "values": {}}, answers.done)
    assert echo.ask("echo", {"values": {}}, SECONDS) == {}
    answered.set()
    assert answers.end() == ({"well": True}, None)


def test_a_host_that_does_not_answer_in_time_is_told_about(echo: Sidecar) -> None:
    answered = threading.Event()
    echo.answering("never", lambda args: {"well": answered.wait(SECONDS)})
    with pytest.raises(HostError, match="has not answered never within 0 seconds"):
        echo.ask("ask_back", {"name": "never", "values": {}, "seconds": 0}, SECONDS)
    answered.set()


# -- bad starts ---------------------------------------------------------------------------------------------------


def test_without_a_python_the_error_says_what_to_run(make: Make, tmp_path: Path) -> None:
    with pytest.raises(HostError, match=r"run `void nuke install`.*\$VOID_PLUGIN_PYTHON") as caught:
        make().ask("ping", {}, SECONDS)
    assert caught.value.code == "host.python" and str(tmp_path / "config") in caught.value.message


def test_the_python_may_be_named_in_the_configuration(make: Make, tmp_path: Path, void_python: str) -> None:
    sidecar = make()
    with pytest.raises(HostError, match="No Python"):
        sidecar.ask("ping", {}, SECONDS)
    folder = tmp_path / "config" / "void_plugin"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"python": void_python}))
    assert sidecar.ask("ping", {}, SECONDS) == {}, "it is looked up again at each start"
    (folder / "config.json").write_text("{")
    with pytest.raises(RequestError, match=r"config\.json cannot be read"):
        make().ask("ping", {}, SECONDS)


def test_a_python_that_is_not_there_is_named(make: Make, environment: dict[str, str], tmp_path: Path) -> None:
    sidecar = make(environment={**environment, "VOID_PLUGIN_PYTHON": str(tmp_path / "no python")})
    with pytest.raises(HostError, match="no python: No such file or directory; run `void nuke install` again"):
        sidecar.ask("ping", {}, SECONDS)


def test_a_python_without_void_plugin_says_so(make: Make, environment: dict[str, str], tmp_path: Path) -> None:
    venv.EnvBuilder(symlinks=True).create(tmp_path / "bare")
    sidecar = make(environment={**environment, "VOID_PLUGIN_PYTHON": str(tmp_path / "bare" / "bin" / "python")})
    with pytest.raises(HostError, match=r"before it was ready.*No module named.*Install void_plugin in that Python"):
        sidecar.ask("ping", {}, SECONDS)


def test_a_sidecar_that_ends_at_its_start_says_its_last_words(odd: Make) -> None:
    sidecar = odd("dies")
    with pytest.raises(HostError, match="exit code 1 before it was ready and said: the graphics card is on fire") as it:
        sidecar.ask("ping", {}, SECONDS)
    assert it.value.code == "host.sidecar" and sidecar.log in it.value.message


def test_a_sidecar_that_keeps_ending_is_started_less_and_less_often(odd: Make, tmp_path: Path) -> None:
    sidecar = odd("dies", limits=Limits(pause=0.05))
    for tries in range(1, 20):
        with pytest.raises(HostError, match="the graphics card is on fire") as caught:
            sidecar.ask("ping", {}, SECONDS)
        if "not started again for another" in caught.value.message:
            break
        assert len(heard(tmp_path)) == tries, "the first pause is waited for"
    assert 2 <= tries < 20 and len(heard(tmp_path)) == tries - 1


def test_a_sidecar_that_lived_long_is_started_again_at_once(odd: Make, tmp_path: Path) -> None:
    sidecar = odd("cut", limits=Limits(early=0.0, pause=SECONDS))
    for _ in range(3):
        with pytest.raises(HostError, match="ended with exit code 0"):
            sidecar.ask("work", {}, SECONDS)
    assert heard(tmp_path).count({}) == 3


def test_a_sidecar_that_says_nothing_is_ended(odd: Make) -> None:
    with pytest.raises(HostError, match=r"has not said hello 0\.3 seconds after its start, so it was ended"):
        odd("silent", limits=Limits(hello=0.3)).ask("ping", {}, SECONDS)


def test_a_sidecar_that_refuses_says_why(odd: Make) -> None:
    with pytest.raises(HostError, match="closed on Sundays") as caught:
        odd("refuses").ask("ping", {}, SECONDS)
    assert caught.value.code == "host.protocol"


def test_a_sidecar_of_another_protocol_is_not_spoken_to(odd: Make, tmp_path: Path) -> None:
    with pytest.raises(HostError, match=r"speaks protocol 99, this plug-in .* speaks 1; install the same version"):
        odd("newer").ask("ping", {}, SECONDS)
    assert heard(tmp_path) == [{}]


@pytest.mark.parametrize(
    ("hello", "words"),
    [
        (
            {"hello": {"protocol": 99, "version": "9.9", "host": "nuke 15.1v2"}},
            "nuke 15.1v2 .void_plugin 9.9. speaks 99",
        ),
        ({"hello": None}, "first line must be the hello"),
        ({"id": 1, "call": "ping"}, "first line must be the hello"),
    ],
)
def test_the_real_sidecar_refuses_a_host_of_another_protocol(
    void_python: str, hello: dict[str, Any], words: str
) -> None:
    command = [void_python, "-I", "-m", "void_plugin.sidecar"]
    done = subprocess.run(command, input=json.dumps(hello) + "\n", capture_output=True, text=True, timeout=SECONDS)
    first, second = map(json.loads, done.stdout.splitlines())
    assert first["hello"]["protocol"] == 1 and first["hello"]["pid"] > 0
    assert re.search(words, second["refused"]) and done.returncode == 0


# -- bad behaviour ------------------------------------------------------------------------------------------------


def test_what_is_no_message_is_passed_over_and_noted(odd: Make) -> None:
    sidecar = odd("garbage")
    sidecar.call("nothing", {})
    assert sidecar.ask("work", {}, SECONDS) == {"well": True}
    assert sidecar.ask("work", {}, SECONDS) == {"well": True}
    log = Path(sidecar.log).read_text()
    for words in ("Loading plug-ins", "no JSON object was passed over: b'[1, 2]", "recursion", "16777216 bytes"):
        assert words in log


def test_a_line_that_is_cut_short_is_an_end(odd: Make) -> None:
    sidecar = odd("cut")
    with pytest.raises(HostError, match="The sidecar ended with exit code 0"):
        sidecar.ask("work", {}, SECONDS)
    assert "cut short" in Path(sidecar.log).read_text()


def test_a_sidecar_that_closes_its_output_is_ended(odd: Make) -> None:
    with pytest.raises(HostError, match="The sidecar closed its output"):
        odd("closes its output").ask("work", {}, SECONDS)


def test_an_answer_that_is_no_object_is_an_error(odd: Make) -> None:
    with pytest.raises(HostError, match="an answer that is none") as caught:
        odd("answers in lists").ask("work", {}, SECONDS)
    assert caught.value.code == "host.protocol"


def test_a_sidecar_that_no_longer_answers_is_ended(odd: Make) -> None:
    sidecar = odd("deaf", limits=Limits(silence=0.1, sign=0.1))
    with pytest.raises(HostError, match="no longer answers, so it was ended"):
        sidecar.ask("work", {})


def test_a_slow_answer_is_waited_for_while_the_sidecar_lives(odd: Make) -> None:
    sidecar = odd("slow", limits=Limits(silence=0.05, sign=SECONDS))
    assert sidecar.ask("work", {})["pings"] >= 3


def test_a_call_with_a_time_limit_is_cancelled_and_its_late_answer_ignored(odd: Make, tmp_path: Path) -> None:
    sidecar, answers = odd("late"), Answers()
    sidecar.ask("ping", {}, SECONDS)
    number = sidecar.call("work", {}, answers.done, timeout=0.1)
    result, error = answers.end()
    assert result is None and error is not None and "has not answered work in time" in error.message
    until(lambda: {"call": number} in [message.get("args") for message in heard(tmp_path)], what="the cancel")
    assert sidecar.ask("ping", {}, SECONDS) == {}


def test_a_sidecar_that_does_not_read_holds_up_nobody(odd: Make) -> None:
    sidecar, answers = odd("stops reading"), Answers()
    for _ in range(20):
        sidecar.call("work", {"text": "x" * (1 << 20)}, answers.done)
    sidecar.close(0.2)
    assert all(answers.end()[1] is not None for _ in range(20))


def test_every_call_of_a_killed_sidecar_is_told_and_the_next_one_starts_another(echo: Sidecar) -> None:
    first, second = Answers(), Answers()
    echo.call("wait", {}, first.done, first.event)
    echo.call("wait", {}, second.done)
    os.kill(first.until_event()["pid"], 9)
    for answers in (first, second):
        result, error = answers.end()
        assert result is None and error is not None and error.code == "host.sidecar"
        assert "was killed by SIGKILL" in error.message and echo.log in error.message
    again = Answers()
    number = echo.call("wait", {}, again.done, again.event)
    assert again.until_event()["pid"] != first.events[0]["pid"]
    echo.cancel(number)
    assert again.end() == ({"cancelled": True}, None)


def test_a_host_that_fails_in_its_callback_is_noted_and_goes_on(echo: Sidecar) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("the panel is gone")

    echo.call("echo", {"values": {}}, fail, fail)
    assert echo.ask("echo", {"values": {"a": 1}}, SECONDS) == {"a": 1}
    assert Path(echo.log).read_text().count("the panel is gone") == 2


def test_waiting_in_the_thread_that_brings_answers_is_refused(echo: Sidecar) -> None:
    caught: queue.SimpleQueue[Exception] = queue.SimpleQueue()

    def done(result: Any, error: Any) -> None:
        try:
            echo.ask("ping", {}, SECONDS)
        except HostError as found:
            caught.put(found)

    echo.call("ping", {}, done)
    assert "cannot wait" in str(caught.get(timeout=SECONDS))


# -- the end ------------------------------------------------------------------------------------------------------


def test_closing_lets_the_sidecar_leave_its_work(echo: Sidecar, tmp_path: Path) -> None:
    answers = Answers()
    echo.call("wait", {"notes": {"note": str(tmp_path / "note")}}, answers.done, answers.event)
    pid = answers.until_event()["pid"]
    echo.close(SECONDS)
    assert gone(pid) and (tmp_path / "note").read_text() == "left"
    result, error = answers.end()
    assert result is None and error is not None and "was closed" in error.message
    echo.close()
    echo.cancel(1)
    with pytest.raises(HostError, match="nothing more can be asked"):
        echo.call("ping", {})


def test_closing_ends_a_sidecar_that_stays(odd: Make) -> None:
    sidecar = odd("stops reading")
    sidecar.call("work", {})
    began = time.monotonic()
    sidecar.close(0.1)
    assert time.monotonic() - began < SECONDS


def test_closing_from_a_callback_does_not_wait_for_itself(echo: Sidecar) -> None:
    closed = threading.Event()

    def done(result: Any, error: Any) -> None:
        echo.close()
        closed.set()

    echo.call("ping", {}, done)
    assert closed.wait(SECONDS)


def test_the_sidecar_of_a_host_that_dies_ends(tmp_path: Path) -> None:
    script = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
from void_plugin.bridge import Sidecar
sidecar = Sidecar([sys.executable, {str(FAKES / "echo_sidecar.py")!r}], log_folder={str(tmp_path)!r})
def told(event):
    print(event["pid"], flush=True)
    os._exit(1)
sidecar.call("wait", {{"notes": {{"note": {str(tmp_path / "note")!r}}}}}, event=told)
sidecar.ask("wait", {{}})
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=SECONDS)
    pid = int(done.stdout)
    until(lambda: gone(pid), what="the end of the sidecar")
    assert (tmp_path / "note").read_text() == "left"


# -- surroundings -------------------------------------------------------------------------------------------------

LEAKS = {
    "PYTHONPATH": "/nuke/lib", "PYTHONHOME": "/nuke", "PYTHONSTARTUP": "/nuke/start.py", "PYTHONEXECUTABLE": "nuke",
    "VIRTUAL_ENV": "/studio", "__PYVENV_LAUNCHER__": "/studio/python", "QT_PLUGIN_PATH": "/nuke/qt",
    "QT_QPA_PLATFORM_PLUGIN_PATH": "/nuke/qt", "QML2_IMPORT_PATH": "/nuke/qml",
}  # fmt: skip
KEPT = {"OCIO": "/studio/config.ocio", "LD_LIBRARY_PATH": "/studio/lib", "VOID_SERVER": "box:7476"}


def test_what_is_meant_for_the_python_of_the_host_does_not_reach_the_sidecar(
    make: Make, environment: dict[str, str]
) -> None:
    command = [sys.executable, "-I", str(FAKES / "echo_sidecar.py")]
    found = make(command, environment={**environment, **LEAKS, **KEPT}).ask("environment", {}, SECONDS)
    assert not set(LEAKS) & set(found) and KEPT.items() <= found.items()
    assert found["PYTHONNOUSERSITE"] == found["PYTHONUTF8"] == "1" and found["PATH"] == environment["PATH"]
    everything = {**environment, **LEAKS, "VOID_KEEP_ENVIRONMENT": "1"}
    found = make(command, environment=everything).ask("environment", {}, SECONDS)
    # Python itself takes that one away.
    assert {name: value for name, value in LEAKS.items() if name != "__PYVENV_LAUNCHER__"}.items() <= found.items()


def test_what_the_sidecar_and_its_children_print_goes_to_the_log(echo: Sidecar) -> None:
    assert echo.ask("noise", {}, SECONDS) == {"read": ""}
    assert echo.ask("noise", {"read": True}, SECONDS) == {"read": ""}, "stdin is nobody's but the loop's"
    log = Path(echo.log).read_text()
    assert all(words in log for words in ("from Python", "from C", "from a child"))


def test_only_so_many_logs_are_kept_and_none_grows_for_ever(echo: Sidecar) -> None:
    log = Path(echo.log)
    log.parent.mkdir()
    for number in range(30):
        old = log.parent / f"sidecar-x{number}.log"
        old.touch()
        os.utime(old, (number, number))
    (log.parent / "notes.txt").touch()
    log.write_bytes(b"x" * (MOST_LOG_BYTES + 1))
    echo.ask("ping", {}, SECONDS)
    names = sorted(path.name for path in log.parent.glob("sidecar-*.log"))
    assert len(names) == LOGS_KEPT and log.name in names and f"{log.stem}-before.log" in names
    assert "sidecar-x29.log" in names and "sidecar-x0.log" not in names and (log.parent / "notes.txt").exists()
    assert log.stat().st_size < MOST_LOG_BYTES


def test_a_log_that_cannot_be_written_is_named(make: Make, tmp_path: Path) -> None:
    (tmp_path / "logs").touch()
    with pytest.raises(HostError, match=r"The log .*logs.* cannot be written"):
        make([sys.executable]).ask("ping", {}, SECONDS)
