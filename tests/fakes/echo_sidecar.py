"""The real loop of a sidecar with calls that only a test has: what comes in goes out, is asked, printed, waited for."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

from void_plugin.desk import Desk  # noqa: E402
from void_plugin.errors import FrameError  # noqa: E402
from void_plugin.hostcall import HostCall  # noqa: E402
from void_plugin.sidecar import Loop, Pipe  # noqa: E402


def echo(desk: Desk, call: HostCall) -> dict[str, Any]:
    """The arguments, as an event and as the result."""
    values = call.mapping("values")
    call.tell(values)
    return values


def ask_back(desk: Desk, call: HostCall) -> dict[str, Any]:
    """What the host answers to the arguments."""
    return call.ask(call.text("name"), call.mapping("values"), float(call.whole("seconds", 60)))


def environment(desk: Desk, call: HostCall) -> dict[str, Any]:
    return dict(os.environ)


def noise(desk: Desk, call: HostCall) -> dict[str, Any]:
    """Prints on every stdout there is, and looks for something on stdin."""
    print("from Python")
    os.write(1, b"from C\n")
    os.system("echo from a child")
    return {"read": sys.stdin.read() if call.flag("read") else os.read(0, 10).decode()}


def refuse(desk: Desk, call: HostCall) -> dict[str, Any]:
    raise FrameError("The plate a.1001.exr is damaged.", "frame.unreadable")


def fail(desk: Desk, call: HostCall) -> dict[str, Any]:
    raise ZeroDivisionError("a fault of ours")


def wait(desk: Desk, call: HostCall) -> dict[str, Any]:
    """Until it is cancelled, or its host has gone; tells which into a file."""
    call.tell({"kind": "Waiting", "pid": os.getpid()})
    while not call.ended:
        time.sleep(0.01)
    if call.left and "note" in call.mapping("notes", {}):
        Path(call.mapping("notes")["note"]).write_text("left")
    call.check()
    return {}


def large(desk: Desk, call: HostCall) -> dict[str, Any]:
    return {"text": "x" * call.whole("bytes")}


CALLS = {
    "echo": echo,
    "ask_back": ask_back,
    "environment": environment,
    "noise": noise,
    "refuse": refuse,
    "fail": fail,
    "wait": wait,
    "large": large,
}

if __name__ == "__main__":
    Loop(Pipe.of_stdio(), Desk(os.environ), CALLS.get, "echo.log").run()
