"""The process that runs jobs on one device: JSON lines in on stdin, JSON lines out on stdout, a log on stderr.

Started by `devices` as `python -m void_server.worker`, which ends it when it hangs and starts another when it dies.
The kernel ends it with the server, whatever becomes of that: nothing outlives the server.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import IO, TYPE_CHECKING, Any

from void_plugin.config import CHOICES, Config, load_config
from void_plugin.errors import Cancelled, JobError, ServerError, VoidError
from void_plugin.events import Event, Failed, Progressed, Started, Stopped, to_line
from void_plugin.request import RemovalRequest
from void_plugin.settings import RenderSettings
from void_server.lifeline import Channel, Life, bind_to_parent
from void_server.processes import ready_for_pictures

if TYPE_CHECKING:
    from void_server.allowance import Allowance
    from void_server.eventlog import EventLog
    from void_server.runner import Warm

EXIT_OUT_OF_MEMORY = 71
"""As `void-server task` ends: the server counts it as memory that ran out."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Task:
    """One job as the server sends it."""

    job: str
    order: Mapping[str, Any]
    cancelled: threading.Event = field(default_factory=threading.Event)


class Voice:
    """Tells a job's events, and writes them into its folder as soon as that is open."""

    def __init__(self, tell: Callable[[Event], None]) -> None:
        self.tell = tell
        self.log: EventLog | None = None

    def end(self, event: Event) -> None:
        """Tell the last event of a job that did not succeed."""
        if self.log is None:
            self.tell(event)
            return
        with contextlib.suppress(ServerError):  # a full disk: told it was
            self.log.emit(event)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run jobs until stdin ends or says stop."""
    parser = argparse.ArgumentParser(prog="python -m void_server.worker", description=__doc__)
    parser.add_argument("--device", required=True, help="name of the device, for events")
    parser.add_argument("--parent", type=int, default=0, help="process with which this one ends")
    parser.add_argument("--workers", type=int, default=0, help="threads a job may use; default: all cores")
    parser.add_argument("--cache-bytes", type=int, default=0, help="bytes of decoded plate to keep in memory")
    parser.add_argument("--weights", default="", help="folder of VOID's weights")
    parser.add_argument("--memory", default="", choices=CHOICES["memory"], help="how VOID uses its GPU")
    options = parser.parse_args(arguments)
    bind_to_parent(options.parent)
    ready_for_pictures()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    channel = Channel.of_stdout()
    life = Life()
    threading.Thread(target=life.beat, args=(channel,), daemon=True).start()
    try:
        machine = load_config(os.environ)
    except VoidError as error:
        print(error.message, file=sys.stderr)
        return error.exit_code
    machine = replace(
        machine,
        workers=options.workers or machine.workers or os.cpu_count() or 1,
        cache_bytes=options.cache_bytes or machine.cache_bytes,
        weights=options.weights or machine.weights,
        memory=options.memory or machine.memory,
    )
    Worker(options.device, machine, channel, life).serve(sys.stdin.buffer)
    return 0


class Worker:
    """Runs one job after another and tells what happens."""

    def __init__(self, device: str, machine: Config, channel: Channel, life: Life) -> None:
        self._device, self._machine = device, machine
        self._channel, self._life = channel, life
        self._stop = threading.Event()
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._known: dict[str, Task] = {}
        self._warm: Warm | None = None
        self._warm_roots: tuple[str, ...] = ()

    def serve(self, orders: IO[bytes]) -> None:
        """Do as told until the orders end; then what runs is stopped with a checkpoint."""
        self._warm_up(())
        self._channel.say({"say": "ready", "device": self._device, "engines": engine_facts(self._machine)})
        threading.Thread(target=self._listen, args=(orders,), daemon=True).start()
        while (task := self._tasks.get()) is not None:
            outcome = self._run(task)
            self._known.pop(task.job, None)
            self._life.rest(self._channel)
            self._channel.say({"say": "done", "job": task.job, "outcome": outcome})
        if self._warm is not None:
            self._warm.files.close()

    def _listen(self, orders: IO[bytes]) -> None:
        for line in orders:
            order = json.loads(line)
            if order["do"] == "run":
                task = self._known[order["job"]] = Task(order["job"], order)
                self._tasks.put(task)
            elif order["do"] == "cancel" and order["job"] in self._known:
                self._known[order["job"]].cancelled.set()
            elif order["do"] == "stop":
                break
        self._stop.set()
        self._tasks.put(None)

    # -- one job ---------------------------------------------------------------------------------------------

    def _run(self, task: Task) -> str:
        """Run a job, tell its last event, and say in one word how it ended."""
        self._life.begin()
        voice = Voice(lambda event: self._tell(task, event))
        with contextlib.ExitStack() as stack:
            try:
                self._work(task, voice, stack)
                return "succeeded"
            except Cancelled:
                if not task.cancelled.is_set():
                    return "stopped"
                voice.end(Stopped())
                return "cancelled"
            except VoidError as error:
                failure = error
            except MemoryError:
                traceback.print_exc()
                # What is left of this process cannot be trusted with another job.
                os._exit(EXIT_OUT_OF_MEMORY)
            except Exception as error:  # the process boundary: the user must learn of it in one sentence
                traceback.print_exc()
                failure = JobError(
                    f"The worker failed unexpectedly ({type(error).__name__}: {error}); its log has the details."
                )
            voice.end(Failed(code=failure.code, text=failure.message))
            return "failed"

    def _work(self, task: Task, voice: Voice, stack: contextlib.ExitStack) -> None:
        if task.order["kind"] == "task":
            self._farm_task(task, voice)
            return
        from void_server import preview
        from void_server.allowance import Allowance
        from void_server.beneath import Roots
        from void_server.eventlog import EventLog
        from void_server.jobfolder import JobFolder
        from void_server.runner import Job

        order = task.order
        request = RemovalRequest.from_json(json.dumps(order["request"]))
        roots = None if order["roots"] is None else Roots(order["roots"])
        allowance = Allowance(
            roots, order["max_pixels"], order["digests"], order["engine"], order["reason"], self._device
        )
        looks_only = order["kind"] == "preview"
        told = self._announce(request, allowance, voice, not looks_only)
        folder = JobFolder(request.job_folder())
        if roots is not None:
            folder = JobFolder.opened(request.job_folder(), roots.folders)
            stack.callback(folder.close)
        voice.log = EventLog(folder, task.job, None, voice.tell, told)
        stack.callback(voice.log.close)
        job = Job(
            request=request,
            folder=folder,
            log=voice.log,
            machine=self._machine,
            workers=self._machine.workers,
            cancelled=lambda: self._is_cancelled(task),
            allowance=allowance,
            warm=self._warm_up(() if roots is None else roots.folders),
            stepped=self._life.stepped,
            runs_engine=not looks_only,
        )
        with job:
            if looks_only:
                preview.run(job, announced=True)
            else:
                job.run(announced=True)

    def _farm_task(self, task: Task, voice: Voice) -> None:
        """Run a step of a farm's job, which says where everything lies."""
        from void_server.farmorder import Order
        from void_server.farmtask import FarmTask

        FarmTask(
            order=Order.from_dict(task.order["order"]),
            machine=self._machine,
            workers=self._machine.workers,
            tell=voice.tell,
            cancelled=lambda: self._is_cancelled(task),
            warm=self._warm_up(()),
            device=self._device,
            stepped=self._life.stepped,
        ).run()

    def _announce(self, request: RemovalRequest, allowance: Allowance, voice: Voice, runs: bool) -> list[Event]:
        """Say that work has begun before any file is looked at: storage can be slow, and people wait."""
        from void_server.runner import pick_engine

        engine, reason = pick_engine(request, self._machine, allowance, runs)
        frames = request.frames or request.shot_range
        events: list[Event] = [
            Started(
                engine=engine,
                device=self._device,
                folder=request.job_folder(),
                frames="" if frames is None else str(frames),
                reason=reason,
            ),
            Progressed(step="plan"),
        ]
        for event in events:
            voice.tell(event)
        return events

    def _is_cancelled(self, task: Task) -> bool:
        self._life.sign()
        return task.cancelled.is_set() or self._stop.is_set()

    def _tell(self, task: Task, event: Event) -> None:
        self._life.sign()
        self._channel.say({"say": "event", "job": task.job, "event": json.loads(to_line(event))})

    def _warm_up(self, roots: tuple[str, ...]) -> Warm | None:
        """What stays open between jobs; None where the colour config cannot be read, as the job then says."""
        from void_server.colour import Config as ColourConfig
        from void_server.engines import Kept
        from void_server.exr import ImageFiles
        from void_server.runner import Warm

        before = self._warm
        if before is not None and roots == self._warm_roots:
            return before
        try:
            colour = ColourConfig.chosen(os.environ, self._machine.ocio) if before is None else before.colour
        except VoidError as error:
            logger.warning("%s", error.message)
            return None
        if before is not None:
            before.files.close()
        kept = Kept() if before is None else before.kept
        self._warm, self._warm_roots = Warm(ImageFiles(self._machine.workers, roots), colour, kept), roots
        return self._warm


def engine_facts(machine: Config) -> list[dict[str, Any]]:
    """What the server must know of every configured engine to offer it."""
    from void_server.engines import ENGINES, Setup, engine_class, open_engine

    facts: list[dict[str, Any]] = []
    for name in [*ENGINES, *machine.engines]:
        about: dict[str, Any] = {
            "name": name,
            "available": False,
            "reason": "",
            "devices": [],
            "raster": None,
            "longest_clip": 0,
            "needs_prompt": False,
            "digest": "",
            "memory": "",
        }
        try:
            engine_class(name, machine.engines)
        except JobError as error:
            about["reason"] = error.message
        else:
            engine = open_engine(name, Setup(RenderSettings(), machine=machine))
            limits, ready = engine.limits(), engine.readiness()
            about.update(
                available=ready.problem is None,
                reason=ready.problem or "",
                memory=ready.memory,
                devices=list(limits.devices),
                raster=None if limits.raster is None else list(limits.raster),
                longest_clip=0 if limits.lengths is None else limits.lengths.maximum,
                needs_prompt=limits.needs_prompt,
                digest=engine.digest() if ready.problem is None else "",
            )
        facts.append(about)
    return facts


if __name__ == "__main__":
    status = main()
    for stream in (sys.stdout, sys.stderr):  # both are the log by now
        stream.flush()
    # All that counts lies in files. Taking half a gigabyte of pictures apart piece by piece holds up whoever waits.
    os._exit(status)
