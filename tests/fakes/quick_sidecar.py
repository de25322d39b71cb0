"""The real loop and the real version folders of a sidecar, whose jobs are done as soon as their inputs are there.

$QUICK_SIDECAR holds a file with a JSON object that says by call what is to go wrong: `die`, `wait`, `queue` (which says
so once and nothing more), or a sentence that is the error. A call that died once works the next time. What is submitted
to a farm is there as soon as somebody asks, unless `farm` says how it stands instead.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

from void_plugin import sidecar, versions  # noqa: E402
from void_plugin.desk import Desk  # noqa: E402
from void_plugin.errors import Cancelled, FrameError, HostError, ServerError  # noqa: E402
from void_plugin.hostcall import HostCall  # noqa: E402
from void_plugin.jobrecord import JobRecord, now  # noqa: E402
from void_plugin.manifest import commit, is_finished, read_manifest  # noqa: E402
from void_plugin.request import INPUTS, RemovalRequest  # noqa: E402
from void_plugin.sidecalls import CALLS  # noqa: E402

ENGINES = ("identity", "recover", "void")


def _orders(name: str, call: HostCall) -> None:
    """Do what the test wants to go wrong in this call."""
    _obey(name, _ordered(name), call)


def _ordered(name: str) -> str:
    """What the test wants to go wrong in this call."""
    order: str = json.loads(Path(os.environ["QUICK_SIDECAR"]).read_text()).get(name, "")
    return order


def _obey(name: str, order: str, call: HostCall) -> None:
    if order == "die":
        file = Path(os.environ["QUICK_SIDECAR"])
        orders = json.loads(file.read_text())
        del orders[name]
        file.write_text(json.dumps(orders))
        os._exit(9)
    if order == "wait":
        for step in range(100000):
            call.tell({"kind": "Progressed", "step": "solve", "fraction": min(0.9, step / 100), "view": "main"})
            call.check()
            time.sleep(0.02)
    elif order == "queue":
        call.tell({"kind": "Queued", "position": 3, "eta_seconds": -1.0, "view": "main"})
        while True:
            call.check()
            time.sleep(0.02)
    elif order:
        raise ServerError(order)


def prepare(desk: Desk, call: HostCall) -> dict[str, Any]:
    """Reserve a folder without looking at disk or server."""
    _orders("prepare", call)
    record = JobRecord(kind=call.text("kind"), frames=call.text("frames"), node={"uuid": call.text("uuid")}, made=now())
    output = Path(call.text("output"))
    output.mkdir(parents=True, exist_ok=True)
    version = 0
    if call.text("kind") == "preview":
        folder = versions.renew(output / "preview", record.ours())
    elif call.flag("test"):
        folder = versions.renew(output / "test", record.ours())
    else:
        version, folder = versions.reserve(output, record.ours())
    desk.reserve(folder)
    return {"problems": [], "version": version, "folder": folder.as_posix()}


def start(desk: Desk, call: HostCall) -> dict[str, Any]:
    """Look whether the inputs are there, and say that all is done."""
    folder = Path(call.text("folder"))
    return _finish(call, folder, _begun(desk, call, folder, "running"))


def submit(desk: Desk, call: HostCall) -> dict[str, Any]:
    """Say that the farm has it."""
    folder = Path(call.text("folder"))
    _begun(desk, call, folder, "farm")
    try:
        _orders("submit", call)
    except BaseException:
        if not call.left:
            versions.remove_folder(folder)
        raise
    return {"farm": {"jobs": ["quick:1"], "state": "queued", "fraction": 0.0, "text": ""}}


def cancel_farm(desk: Desk, call: HostCall) -> dict[str, Any]:
    """Take it back at once."""
    _orders("cancel_farm", call)
    versions.remove_folder(Path(call.text("folder")))
    raise Cancelled


def _begun(desk: Desk, call: HostCall, folder: Path, state: str) -> JobRecord:
    record = JobRecord.load(folder)
    desk.begun(folder)
    requests = call.mapping("requests")
    values = {**record.__dict__, "state": state, "requests": requests}
    if state == "farm":
        values["farm"] = {"name": "quick", "jobs": {"main": {"job": "quick:1", "folder": "patch/.void/q"}}}
    record = JobRecord(**{**values, "node": {**record.node, **call.mapping("node")}})
    record.save(folder)
    return record


def attach(desk: Desk, call: HostCall) -> dict[str, Any]:
    """Go on with what was started."""
    _orders("attach", call)
    folder = Path(call.text("folder"))
    if is_finished(folder):
        return {"manifest": read_manifest(folder)}
    record = JobRecord.load(folder)
    stands = json.loads(Path(os.environ["QUICK_SIDECAR"]).read_text()).get("farm")
    if record.state == "farm" and stands:
        return {"farm": stands}
    if record.state == "reserved":
        return {"reserved": call.flag("reserved")}
    if record.user != JobRecord().ours().user:
        raise HostError(f"{folder} is a job of {record.whose}; only they can take it up.", "host.taken")
    return _finish(call, folder, record)


def _finish(call: HostCall, folder: Path, record: JobRecord) -> dict[str, Any]:
    order = _ordered("start")  # before the test hears that it has started, and goes on to its next orders
    call.tell({"kind": "Started", "engine": "recover", "view": "main"})
    try:
        _obey("start", order, call)
    except ServerError as error:
        record.failed(error).save(folder)
        raise
    except BaseException:
        if not call.left:
            versions.remove_folder(folder)
        raise
    outcomes = {}
    for view, data in record.requests.items():
        request = RemovalRequest.from_json(json.dumps(data))
        for name in INPUTS:
            if request.input(name) is not None:
                missing = request.sequence(name).missing(request.shot_range or ())
                if missing:
                    raise FrameError(f"The {name} has no frame {missing[0]}.", "frame.missing")
        kind = "overlay" if record.kind == "preview" else "patch"
        pattern = os.path.relpath(request.outputs[0].pattern, folder)
        outcome: dict[str, Any] = {"patch": "", "cleanplate": "", "overlay": "", "result": "", kind: pattern}
        outcomes[view] = {**outcome, "engine": "recover", "summary": {"shares": "100 % recovered"}, "warnings": []}
    done = JobRecord(**{**record.__dict__, "views": outcomes, "state": "done"})
    return {"manifest": commit(folder, done, "", 1.0)}


def capabilities(desk: Desk, call: HostCall) -> dict[str, Any]:
    """Three engines."""
    _orders("capabilities", call)
    engines = [{"name": name, "available": name != "void", "reason": "no GPU"} for name in ENGINES]
    return {"engines": engines, "devices": [], "server": {"version": "1"}, "address": "box:1", "stale": False}


def panel(desk: Desk, call: HostCall) -> dict[str, Any]:
    """A panel that opens nothing."""
    _orders("panel", call)
    Path(os.environ["QUICK_SIDECAR"]).with_name("panels").write_text(" ".join(["opened", *call.texts("requests")]))
    return {"pid": os.getpid()}


if __name__ == "__main__":
    ours = {"prepare": prepare, "start": start, "attach": attach, "capabilities": capabilities}
    ours.update(submit=submit, cancel_farm=cancel_farm, panel=panel)
    pipe = sidecar.Pipe.of_stdio()
    sidecar.Loop(pipe, Desk(os.environ), {**CALLS, **ours}.get).run()
    os._exit(0)
