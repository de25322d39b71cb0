"""A void-server for tests of farms: its tasks do nothing but say so, and what `fake.json` in the job folder tells them.

`fake.json`, all keys optional: `seconds` a task takes, `until` (a file that tasks wait for), `fail` (name of a step
whose tasks fail, or `start` for the daemon), `code` they end with, `times` each fails before it succeeds, `deaf` (true
takes no notice of SIGTERM), `stops` (seconds that stopping takes), `tell` (variables of the environment that are
noted). Planning looks at no pixel: four frames each are a unit, and the JSON object $FAKE_PLAN says what else
(`device`, `solved`, `warn`, `fail`, `changes` of the line about the plan, `until` as for tasks, `tasks` for
`fake.json`; `meet`, a folder in which each plan leaves a file, named by its number and holding how many threads it has,
and waits until there are `count`). Verifying writes a file for each frame of a request that was planned, and a
result.json that lists them.

Every call is a line in `calls.jsonl` of the job folder: what was called, and how it went. Like the real one it ends
with its starter.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

STOPPED = 143


def main() -> int:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    task = commands.add_parser("task")
    task.add_argument("step", choices=("plan", "solve", "compose", "verify"))
    task.add_argument("job", type=Path)
    for name in ("--farm", "--events"):
        task.add_argument(name, action="store_true")
    for name in ("--unit", "--frames", "--key", "--daemon", "--memory", "--vram", "--workers"):
        task.add_argument(name)
    task.add_argument("--root", action="append")
    daemon = commands.add_parser("daemon")
    daemon.add_argument("action", choices=("start", "stop"))
    daemon.add_argument("--connection", type=Path, required=True)
    daemon.add_argument("--job", type=Path)
    for name in ("--memory", "--vram"):
        daemon.add_argument(name)
    options = parser.parse_args()
    if options.command == "daemon":
        return _daemon(options)
    if options.step == "plan":
        return _plan(options)
    assert options.farm and options.root
    threading.Thread(target=_end_with_starter, args=(os.getppid(),), daemon=True).start()
    return _task(options)


def _task(options: argparse.Namespace) -> int:
    told = _told(options.job)
    stopped = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        if not told.get("deaf"):
            stopped.set()

    signal.signal(signal.SIGTERM, stop)
    _note(options, "begun")
    print(f"openjd_status: {options.step} {options.unit or options.frames or ''}", flush=True)
    seconds, until = told.get("seconds", 0.0), Path(told.get("until", "/"))
    begun = time.monotonic()
    while (passed := time.monotonic() - begun) < seconds or not until.exists():
        print(f"openjd_progress: {min(100, 100 * passed / seconds if seconds else 50):.1f}", flush=True)
        if stopped.wait(min(0.05, seconds or 0.05)):
            time.sleep(told.get("stops", 0.0))
            print("openjd_status: stopped", flush=True)
            _note(options, "stopped")
            return STOPPED
    if told.get("fail") == options.step and _failed(options) < told.get("times", 1_000_000):
        print(f"openjd_fail: The fake cannot {options.step}.", flush=True)
        _note(options, "failed")
        return int(told.get("code", 65))
    if options.step == "verify":
        (options.job / "result.json").write_text(json.dumps(_result(options.job)))
    print("openjd_progress: 100", flush=True)
    print(f"did {options.step}", flush=True)
    _note(options, "done")
    return 0


def _result(job: Path) -> dict[str, Any]:
    """What result.json says, once the frames are written."""
    from void_plugin.request import RemovalRequest

    if not (job / "request.json").is_file():
        return {}
    request = RemovalRequest.load(str(job / "request.json"))
    frames: dict[str, Any] = {}
    for output in request.outputs:
        for frame in request.frames or ():
            path = Path(request.output_sequence(output).path(frame))
            path.write_text(f"{output.kind} {frame}")
            frames.setdefault(str(frame), {})[output.kind] = {"size": path.stat().st_size}
    summary = {"recovered": 0.1, "generated": 0.0, "shares": "100 % recovered", "engine": request.engine}
    warnings = [{"code": "fake", "frame": None, "text": "It is a fake."}]
    return {"engine": request.engine, "summary": summary, "warnings": warnings, "frames": frames}


def _plan(options: argparse.Namespace) -> int:
    from void_plugin import __version__
    from void_plugin.events import Failed, Warned, to_line
    from void_plugin.frames import FrameRange
    from void_plugin.request import RemovalRequest

    told = json.loads(os.environ.get("FAKE_PLAN", "{}"))
    if "fail" in told:
        print(to_line(Failed(code=told["fail"], text="The fake cannot plan.")))
        return 65
    if "meet" in told:
        _meet(Path(told["meet"]), told["count"], options.workers or "")
    if "warn" in told:
        print(to_line(Warned(code="fake", text=told["warn"])))
    request = RemovalRequest.load(str(options.job))
    assert request.frames is not None
    engine = "recover" if request.engine == "auto" else request.engine
    folder = Path(request.job_folder())
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "request.json").write_text(request.to_json())
    if "tasks" in told:
        (folder / "fake.json").write_text(json.dumps(told["tasks"]))
    while not Path(told.get("until", "/")).exists():
        time.sleep(0.05)
    starts = range(request.frames.first, request.frames.last + 1, 4)
    units = [
        {
            "index": index,
            "key": f"{index:032x}",
            "engine": engine,
            "device": told.get("device", "cpu"),
            "frames": str(FrameRange(start, min(start + 3, request.frames.last))),
            "count": min(4, request.frames.last - start + 1),
            "needs": [],
            "solved": index in told.get("solved", ()),
        }
        for index, start in enumerate(starts)
    ]
    facts = {
        "schema": 1,
        "kind": "Planned",
        "facts_version": 1,
        "version": __version__,
        "folder": str(folder),
        "key": "0" * 32,
        "engine": engine,
        "real_engine": "",
        "frames": str(request.frames),
        "shot_range": str(request.frames),
        "units": units,
    }
    print(json.dumps({**facts, **told.get("changes", {})}), flush=True)
    return 0


def _meet(folder: Path, count: int, threads: str) -> None:
    (folder / str(os.getpid())).write_text(threads)
    while len(list(folder.iterdir())) < count:
        time.sleep(0.02)


def _daemon(options: argparse.Namespace) -> int:
    if options.action == "stop":
        options.connection.unlink()
        return 0
    if _told(options.job).get("fail") == "start":
        print("openjd_fail: The fake cannot start.", flush=True)
        return 69
    options.connection.write_text("{}")
    print(f"openjd_env: VOID_DAEMON={options.connection}", flush=True)
    return 0


def _told(job: Path) -> dict[str, Any]:
    path = job / "fake.json"
    return json.loads(path.read_text()) if path.is_file() else {}


def _failed(options: argparse.Namespace) -> int:
    """How often this task has failed before."""
    calls = [json.loads(line) for line in (options.job / "calls.jsonl").read_text().splitlines()]
    same = [call for call in calls if all(call.get(name) == getattr(options, name) for name in ("unit", "frames"))]
    return sum(call["what"] == "failed" and call["step"] == options.step for call in same)


def _note(options: argparse.Namespace, what: str) -> None:
    call = {name: str(value) for name, value in vars(options).items() if value is not None}
    call |= {name: os.environ.get(name, "") for name in _told(options.job).get("tell", ())}
    line = json.dumps({**call, "what": what, "pid": os.getpid()}) + "\n"
    with open(options.job / "calls.jsonl", "a", encoding="utf-8") as stream:
        stream.write(line)  # short enough to be written in one piece, whoever else writes


def _end_with_starter(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
