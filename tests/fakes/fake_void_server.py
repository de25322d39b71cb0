"""A working model of `void-server task all`, small enough to read: it speaks the event protocol and nothing else.

How it behaves is chosen by the `prompt` of the request, the only field of a request that the client passes on
untouched and that no check looks at.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from void_plugin.errors import EXIT_STOPPED
from void_plugin.events import Event, Failed, Finished, FrameReady, Progressed, Started, Stopped, Warned, to_line
from void_plugin.request import RemovalRequest

asked_to_stop = threading.Event()
numbers = iter(range(1, 1_000_000))


def say(kind: type[Event], **values: object) -> None:
    print(to_line(kind(job="job-1", number=next(numbers), **values)), flush=True)


def watch_stdin() -> None:
    # os.read and not sys.stdin: a thread inside sys.stdin's lock makes the interpreter abort at exit.
    while os.read(0, 1024):
        pass
    asked_to_stop.set()


def run(request: RemovalRequest, folder: Path) -> int:
    behaviour = request.prompt
    assert request.frames is not None
    if behaviour == "die-at-once":
        print("ModuleNotFoundError: No module named 'cv2'", file=sys.stderr)
        return 3
    say(Started, engine="identity", device="cpu", folder=str(folder), frames=str(request.frames), reason="It is asked.")
    if behaviour == "refuse":
        say(Failed, code="request.matte_empty", text="The matte of sh010 is empty on frames 1001-1004.")
        return 65
    if behaviour == "garbage":
        print("libpng warning: something about iCCP", flush=True)
        print("[1, 2, 3]", flush=True)
        print(json.dumps({"kind": "Applauded", "schema": 1, "job": "job-1", "number": 2}), flush=True)
        sys.stdout.buffer.write(b"\xff\xfe not text\n")
        sys.stdout.flush()
    say(Warned, code="request.matte_empty", frame=1003, text="The matte is empty.")
    for index, frame in enumerate(request.frames):
        say(Progressed, step="solve", fraction=index / len(request.frames), text=f"frame {frame}")
        if asked_to_stop.is_set():
            (folder / "checkpoint").write_text(str(frame))
            say(Stopped)
            return EXIT_STOPPED
        if behaviour in ("slow", "deaf"):
            time.sleep(0.1)
        if index == 1:
            if behaviour == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            if behaviour == "crash":
                os.kill(os.getpid(), signal.SIGSEGV)
            if behaviour == "memory":
                return 71
            if behaviour == "traceback":
                raise ArithmeticError("the solver met a singular matrix")
            if behaviour == "silent":
                return 0
            if behaviour == "stopped-by-the-farm":
                return EXIT_STOPPED
            if behaviour == "heir":  # leaves a process behind that holds the pipe open
                subprocess.Popen([sys.executable, "-c", "import time; time.sleep(20)"], stdin=subprocess.DEVNULL)
                return 5
        say(FrameReady, frame=frame, path=request.output_sequence(request.outputs[0]).path(frame), coverage=0.5)
    shares = {"untouched": 0.9, "recovered": 0.08, "generated": 0.02}
    say(Finished, result=str(folder / "result.json"), summary=shares)
    return 0


def answer(arguments: list[str]) -> int:
    """The short commands that print one JSON value."""
    if arguments[0] == "engines":
        print(json.dumps([{"name": "recover", "available": True, "reason": "", "devices": ["cpu"]}]))
    elif arguments[0] == "doctor":
        print(json.dumps({"version": "9.9", "ocio": {"config": "studio", "spaces": 55}, "opencv": "5.0"}))
    elif arguments[:2] == ["demo", "make"]:
        folder = Path(arguments[arguments.index("--out") + 1])
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("plate", "object_matte", "affected_matte"):
            for frame in range(1001, 1004):
                (folder / f"{name}.{frame}.exr").touch()
        patterns = {name: str(folder / f"{name}.%04d.exr") for name in ("plate", "object_matte", "affected_matte")}
        print("making frames")
        print(json.dumps({**patterns, "frames": "1001-1003"}))
    elif arguments[:2] == ["demo", "report"]:
        print(json.dumps({"psnr": 51.25, "worst_psnr": 44.0, "coverage": 0.987, "fps": 3.0, "sheet": "sheet.png"}))
    else:
        print(f"void-server: unknown command {arguments[0]}", file=sys.stderr)
        return 64
    return 0


def main(arguments: list[str]) -> int:
    if arguments[:2] != ["task", "all"]:
        return answer(arguments)
    path = Path(arguments[2])
    assert "--events" in arguments and "--watch-stdin" in arguments, arguments
    request = RemovalRequest.load(str(path))
    if request.prompt == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, lambda number, frame: asked_to_stop.set())
        threading.Thread(target=watch_stdin, daemon=True).start()
    (path.parent / "arguments.json").write_text(json.dumps(arguments))
    (path.parent / "pid").write_text(str(os.getpid()))
    return run(request, path.parent)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
