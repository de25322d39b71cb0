"""The worker process by itself: its protocol, and what ends it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from benches import SECONDS, eventually, gone, slow, slow_environment
from shots import Shot, build_shot, run_in_process

from void_plugin.frames import Digest, FrameRange
from void_plugin.request import Output, RemovalRequest

COMMAND = (sys.executable, "-m", "void_server.worker")


class Child:
    """A worker started by this test."""

    def __init__(self, environment: dict[str, str], *flags: str) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "--device", "cpu", "--parent", str(os.getpid()), "--workers", "2", *flags],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            process_group=0,
        )

    def order(self, **order: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        self.process.stdin.flush()

    def run(self, request: RemovalRequest, job: str = "j1", **changes: Any) -> None:
        order: dict[str, Any] = {"do": "run", "job": job, "kind": "remove", "request": request.to_dict()}
        order |= {"digests": None, "roots": None, "max_pixels": 0, "engine": "", "reason": ""}
        self.order(**{**order, **changes})

    def until(self, *said: str) -> list[dict[str, Any]]:
        """Everything told until a message of that kind, which is the last."""
        assert self.process.stdout is not None
        found = []
        for line in self.process.stdout:
            found.append(json.loads(line))
            if found[-1]["say"] in said:
                return found
        pytest.fail(f"the worker ended before it said {said}: {found}")

    def events(self) -> list[dict[str, Any]]:
        """The events of the job at work until it is done, then how it was done."""
        return [message["event"] for message in self.until("done") if message["say"] == "event"]

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None and not stream.closed:
                stream.close()


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    made = Child(slow_environment(tmp_path))
    yield made
    made.close()


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event["kind"] for event in events]


def test_a_ready_worker_names_its_engines(child: Child) -> None:
    ready = child.until("ready")[-1]
    facts = {engine["name"]: engine for engine in ready["engines"]}
    assert ready["device"] == "cpu"
    assert facts["recover"]["available"] and facts["slow"]["available"]
    assert not facts["void"]["available"] and facts["void"]["reason"].endswith(".")
    assert facts["identity-raster"]["raster"] == [384, 672] and facts["identity-raster"]["longest_clip"] > 0


def memory_of(child: Child) -> str:
    facts = {engine["name"]: engine for engine in child.until("ready")[-1]["engines"]}
    assert facts["recover"]["memory"] == ""
    memory: str = facts["lean"]["memory"]
    child.close()
    return memory


def test_flags_and_the_environment_say_where_weights_are_and_how_memory_is_used(tmp_path: Path) -> None:
    environment = {**slow_environment(tmp_path), "VOID_WEIGHTS": "/env", "VOID_MEMORY": "offload"}
    assert memory_of(Child(environment)) == "offload from /env"
    assert memory_of(Child(environment, "--weights", "/flag", "--memory", "auto")) == "auto from /flag"


def test_a_job_gives_the_same_bytes_as_in_one_process(child: Child, shot: Shot) -> None:
    child.run(shot.request(outputs=(Output("patch", shot.out("a")), Output("comp", shot.out("b")))))
    events = child.events()
    assert kinds(events)[:2] == ["Started", "Progressed"] and kinds(events)[-1] == "Finished"
    ready = [event for event in events if event["kind"] == "FrameReady"]
    assert sorted((event["frame"], event["output"]) for event in ready) == [
        (frame, output) for frame in shot.frames for output in (0, 1)
    ]
    assert all(Digest.of_file(event["path"]).sha256 == event["digest"] for event in ready)
    other = (Output("patch", shot.out("a", "other")), Output("comp", shot.out("b", "other")))
    run_in_process(shot.request(outputs=other))
    for event in ready:
        assert Path(event["path"]).read_bytes() == Path(event["path"].replace("/out/", "/other/")).read_bytes()


def test_work_begins_with_a_word_before_any_file_is_looked_at(child: Child, shot: Shot) -> None:
    child.run(shot.request(outputs=(Output("patch", "/proc/no/such/folder/x.%04d.exr"),)))
    events = child.events()
    assert kinds(events) == ["Started", "Progressed", "Failed"]
    assert events[0]["engine"] == "recover" and events[0]["device"] == "cpu"
    assert events[-1]["code"] == "server.unwritable"


def test_one_worker_does_one_job_after_another(child: Child, shot: Shot) -> None:
    for job in ("j1", "j2"):
        child.run(shot.request(engine="identity", outputs=(Output("comp", shot.out(job)),)), job=job)
    for job in ("j1", "j2"):
        done = child.until("done")[-1]
        assert done == {"say": "done", "job": job, "outcome": "succeeded"}


def test_what_is_wrong_arrives_as_a_failed_event(child: Child, shot: Shot) -> None:
    os.unlink(shot.plate % 1003)
    child.run(shot.request(frames=FrameRange(1001, 1008)))
    messages = child.until("done")
    assert messages[-1]["outcome"] == "failed"
    last = [message["event"] for message in messages if message["say"] == "event"][-1]
    assert last["code"] == "frame.missing" and "1003" in last["text"]


def test_a_fault_of_an_engine_is_said_and_the_worker_goes_on(child: Child, shot: Shot) -> None:
    child.run(slow(shot, do="error", at=1002))
    last = child.events()[-1]
    assert (last["kind"], last["code"]) == ("Failed", "job.engine") and "the engine is broken" in last["text"]
    child.run(shot.request(engine="identity"), job="j2")
    assert child.events()[-1]["kind"] == "Finished"


def test_a_cancel_stops_the_job_named_and_no_other(child: Child, shot: Shot) -> None:
    child.run(slow(shot, step=0.3))
    child.order(do="cancel", job="another")
    first = child.until("event")
    child.order(do="cancel", job="j1")
    messages = first + child.until("done")
    assert messages[-1]["outcome"] == "cancelled"
    assert [message["event"]["kind"] for message in messages if message["say"] == "event"][-1] == "Cancelled"
    child.run(shot.request(engine="identity"), job="j2")
    assert child.events()[-1]["kind"] == "Finished"


def test_the_engine_that_the_server_chose_runs(child: Child, shot: Shot) -> None:
    child.run(shot.request(engine="auto"), engine="identity", reason="Because.")
    started = child.events()[0]
    assert (started["engine"], started["reason"]) == ("identity", "Because.")


def test_a_preview_needs_no_engine_that_can_run_here(child: Child, shot: Shot) -> None:
    child.run(shot.request(engine="absent"))
    last = child.events()[-1]
    assert last["code"] == "job.engine_unavailable" and "no GPU here" in last["text"]
    child.run(shot.request(engine="absent", frames=FrameRange(1002, 1002)), job="j2", kind="preview")
    events = child.events()
    assert [event["frame"] for event in events if event["kind"] == "FrameReady"] == [1002]
    assert events[-1]["kind"] == "Finished"


@pytest.mark.parametrize("how", ["stop", "end of orders"])
def test_a_stopped_worker_keeps_what_is_finished_and_tells_no_last_event(child: Child, shot: Shot, how: str) -> None:
    child.run(slow(shot, step=0.3))
    messages = child.until("event")
    if how == "stop":
        child.order(do="stop")
    else:
        assert child.process.stdin is not None
        child.process.stdin.close()
    messages += child.until("done")
    assert messages[-1]["outcome"] == "stopped"
    told = [message["event"]["kind"] for message in messages if message["say"] == "event"]
    assert not {"Cancelled", "Failed", "Finished"} & set(told)
    assert child.process.wait(SECONDS) == 0


def test_beats_tell_how_long_a_job_has_been_quiet(child: Child, shot: Shot) -> None:
    child.run(slow(shot, do="hang", at=1001))
    child.until("event")
    assert eventually(lambda: child.until("beat")[-1]["quiet_seconds"] > 1.5, "a quiet job")


def test_beats_tell_the_steps_of_the_engine(child: Child, shot: Shot) -> None:
    child.run(slow(shot, step=0.01))
    steps = [step for message in child.until("done") if message["say"] == "beat" for step in message["steps"]]
    assert len(steps) == len(shot.frames) and all(step >= 0.01 for step in steps)


def test_without_memory_the_worker_ends_and_says_so_by_its_status(child: Child, shot: Shot) -> None:
    child.run(slow(shot, do="memory", at=1002))
    assert child.process.wait(SECONDS) == 71


def test_paths_outside_the_roots_are_refused(child: Child, shot: Shot, tmp_path: Path) -> None:
    (tmp_path / "allowed").mkdir()
    child.run(shot.request(), roots=[str(tmp_path / "allowed")])
    last = child.events()[-1]
    assert (last["kind"], last["code"]) == ("Failed", "request.path")
    child.run(shot.request(engine="identity"), roots=[str(shot.folder)], job="j2")
    assert child.events()[-1]["kind"] == "Finished"


def test_frames_that_are_too_large_are_refused_with_the_figures(child: Child, shot: Shot) -> None:
    child.run(shot.request(), max_pixels=192 * 108 - 1)
    last = child.events()[-1]
    assert last["code"] == "server.limit" and "192x108" in last["text"]


def test_uploaded_files_are_told_apart_by_their_digests(child: Child, tmp_path: Path) -> None:
    shot = build_shot(tmp_path / "small", count=2)
    digests = {"plate": {"1001": "a" * 64, "1002": "b" * 64}, "object_matte": {"1001": "c" * 64, "1002": "d" * 64}}
    keys = []
    for number, job in enumerate(("j1", "j2", "j3")):
        for frame in shot.frames:  # other times, which say nothing where there is a digest
            os.utime(shot.plate % frame, ns=(number, number))
        digests["plate"]["1001"] = ("a" if number < 2 else "e") * 64
        child.run(shot.request(engine="identity"), digests=digests, job=job)
        assert child.events()[-1]["kind"] == "Finished"
        keys.append(json.loads((Path(shot.request(engine="identity").job_folder()) / "plan.json").read_text())["key"])
    assert keys[0] == keys[1] != keys[2]


def test_two_processes_never_work_in_one_folder(child: Child, shot: Shot, tmp_path: Path) -> None:
    request = slow(shot, step=3600)
    child.run(request)
    other = Child(slow_environment(tmp_path))
    eventually(lambda: (Path(request.job_folder()) / "plan.json").exists(), "a plan")
    other.run(request)
    last = other.events()[-1]
    other.close()
    assert last["code"] == "server.busy" and str(request.job_folder()) in last["text"]


def test_temporary_files_of_a_killed_run_are_swept_up(child: Child, shot: Shot) -> None:
    request = shot.request(engine="identity")
    out, folder = shot.folder / "out", Path(request.job_folder())
    folder.mkdir(parents=True)
    dead = subprocess.Popen(["true"])  # nobody asks how it ended, as where an orphan's new parent does not care
    eventually(lambda: gone(dead.pid), "its end")
    left = [out / f".result.1002.exr.{dead.pid}.tmp", folder / f".plan.json.1.{dead.pid}.tmp"]
    left += [folder / f".request.json-ab_d12cd.{dead.pid}.tmp"]  # a client's
    kept = [out / f".result.1002.exr.{os.getpid()}.tmp", out / f".other.1002.exr.{dead.pid}.tmp"]
    for path in left + kept:
        path.write_bytes(b"half")
    child.run(request)
    assert child.events()[-1]["kind"] == "Finished"
    assert not any(path.exists() for path in left) and all(path.exists() for path in kept)
    dead.wait()


def test_a_torn_line_in_the_event_log_spoils_no_other(child: Child, shot: Shot) -> None:
    request = shot.request(engine="identity")
    folder = Path(request.job_folder())
    folder.mkdir(parents=True)
    (folder / "events.jsonl").write_text('{"kind": "Started", "sche')
    child.run(request)
    child.events()
    lines = (folder / "events.jsonl").read_text().splitlines()
    assert json.loads(lines[1])["kind"] == "Started"
    assert [json.loads(line)["number"] for line in lines[1:]] == list(range(2, len(lines) + 1))


PARENT = """
import json, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-m", "void_server.worker", "--device", "cpu", "--parent", "{parent}"],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0)
print(child.pid, flush=True)
child.stdin.write(open({order!r}, "rb").read())
child.stdin.flush()
for line in child.stdout:
    message = json.loads(line)
    if message["say"] == "event" and message["event"]["kind"] == "FrameReady":
        break
print("working", flush=True)
time.sleep(3600)
"""


def test_worker_and_readers_end_with_a_killed_parent(shot: Shot, tmp_path: Path) -> None:
    order = {"do": "run", "job": "j", "kind": "remove", "request": slow(shot, step=0.2).to_dict(), "digests": None}
    order |= {"roots": None, "max_pixels": 0, "engine": "", "reason": ""}
    (tmp_path / "order").write_text(json.dumps(order) + "\n")
    script = PARENT.replace('"{parent}"', "str(__import__('os').getpid())").format(order=str(tmp_path / "order"))
    parent = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=slow_environment(tmp_path)
    )
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    assert parent.stdout.readline() == "working\n"
    listing = subprocess.run(["ps", "-o", "pid=", "--ppid", str(worker)], capture_output=True, text=True, check=True)
    readers = [int(text) for text in listing.stdout.split()]
    assert readers and not gone(worker)
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    eventually(lambda: all(gone(pid) for pid in (worker, *readers)), "the end of the worker and its readers")


def test_a_worker_whose_parent_is_gone_already_does_not_start(tmp_path: Path) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    command = [*COMMAND, "--device", "cpu", "--parent", str(dead.pid)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False)
    assert done.returncode == 0 and not done.stdout


def test_a_reader_at_a_file_that_never_ends_is_ended_by_the_kernel() -> None:
    # Its parent, which would end it sooner, may have been killed.
    script = (
        "import os, time, void_server.exr_child as reader\n"
        "reader.LONGEST_SECONDS = 1\n"
        "reader.answer = lambda *_: time.sleep(3600)\n"
        "reader.main()\n"
    )
    memory = os.memfd_create("test")
    done = subprocess.run(
        [sys.executable, "-c", script, str(memory)], input=b"{}\n", pass_fds=[memory], timeout=SECONDS, check=False
    )
    os.close(memory)
    assert done.returncode == -signal.SIGALRM
