"""`void-server task STEP JOB --farm`: a task of a farm as its worker runs it, from the command line to the exit code.

Says what goes on in lines that OpenJD reads, tries again what a moment can mend, and leaves with a code that tells a
farm whether another try or another worker can help.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import traceback
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from void_plugin.config import Config
from void_plugin.errors import EXIT_STOPPED, Cancelled, JobError, RequestError, VoidError
from void_plugin.frames import describe
from void_server.daemonclient import VARIABLE, DaemonLink
from void_server.farmorder import STEPS, Order, is_done, read_plan
from void_server.gpus import farm_environment, large_enough, visible_gpus
from void_server.lifeline import stop_at_end
from void_server.openjdlines import Lines
from void_server.options import mapping_rules
from void_server.processes import session_owner, when_gone
from void_server.settings import map_path
from void_server.stop import Stop
from void_server.visibility import Patience

PAUSES = (2.0, 8.0)
"""Seconds before each time that a task is tried again, here: queue managers may drop what waits for a failed task."""
EXIT_TRY_AGAIN = 75
MOST_UNITS = 1 << 20
"""More than any shot has; a slip of the pen must not fill the memory."""
ORPHAN_SECONDS = 20.0
"""How long a task may take to write its checkpoint once the process that began its session is gone."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what a task takes on a farm."""
    farm = parser.add_argument_group("on a farm")
    farm.add_argument("--farm", action="store_true", help="run as a task of a farm: OpenJD's lines on stdout, leases, "
                      "patience with network storage, retries")  # fmt: skip
    farm.add_argument("--root", action="append", default=[], metavar="NAME=PATH", help="folder of a root of the "
                      "request on this worker (may be repeated)")  # fmt: skip
    farm.add_argument("--path-mapping", metavar="FILE", help="path mapping rules of OpenJD, for roots not given")
    farm.add_argument("--key", default="", help="key of the plan, or of the unit, that the task was submitted for")
    farm.add_argument("--daemon", metavar="FILE", help="connection file of the daemon that keeps the model "
                      f"loaded; default: ${VARIABLE}")  # fmt: skip
    farm.add_argument("--vram", type=int, default=0, metavar="MIB", help="memory that the GPU must have")
    farm.add_argument("--wait-for-files", type=float, default=60.0, metavar="SECONDS", help="for files of others that "
                      "are not there yet; default: 60")  # fmt: skip
    farm.add_argument("--owner-pid", type=int, metavar="PID", help="process with which the task ends; 0 is none; "
                      "default: the one that began this session, none under nohup")  # fmt: skip


def run(options: argparse.Namespace, machine: Config) -> int:
    """Run a task and return its exit code; this is where errors become `openjd_fail` and codes."""
    os.environ.update(farm_environment(os.environ))
    task = _Worker(options, machine, Lines(sys.stdout))
    task.listen()
    try:
        task.run()
        return 0
    except Cancelled:
        task.lines.status("stopped; what is finished is kept, and the same task goes on from there")
        return EXIT_STOPPED
    except VoidError as error:
        failure: VoidError = error
    except MemoryError:
        failure = JobError(
            "The task ran out of memory; lower --workers or --cache-bytes or send it to a worker that has more. "
            "Finished units are kept.",
            "job.memory",
        )
    except Exception as error:  # the process boundary: whoever looks at the farm must learn of it in one sentence
        traceback.print_exc()
        failure = JobError(
            f"void-server failed unexpectedly ({type(error).__name__}: {error}); the log has the details."
        )
    task.lines.fail(failure.message)
    return failure.exit_code


class _Worker:
    """One task: what it was told, and what it tells."""

    def __init__(self, options: argparse.Namespace, machine: Config, lines: Lines) -> None:
        self.lines = lines
        self._options, self._machine = options, machine
        self._stop = Stop(signal.SIGTERM, signal.SIGINT)

    def listen(self) -> None:
        """Stop, with a checkpoint, when whoever began this session is gone, as on a signal."""
        # Under nohup a task is to outlive the session that it was started in.
        outlives = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        owner = self._options.owner_pid
        if owner is None:
            owner = 0 if outlives else session_owner(os.environ)
        if owner:
            when_gone(owner, self._end_orphaned)
        if self._options.watch_stdin:
            stop_at_end(sys.stdin, self._stop)

    def run(self) -> None:
        """Do what was asked. Raises VoidError for what is wrong, Cancelled where it was stopped."""
        options = self._options
        if options.step not in STEPS:
            raise RequestError(f"On a farm each task does one step of a job: {', '.join(STEPS)}.")
        if options.events:
            raise RequestError("--farm has lines of its own on stdout; leave out --events.")
        units = tuple(sorted({unit for given in options.unit or () for unit in given}))
        order = Order(
            step=options.step,
            job=os.path.abspath(options.job),
            units=units if options.step == "solve" else (),
            frames=str(options.frames or "") if options.step == "compose" else "",
            key=options.key,
            wait_seconds=max(0.0, options.wait_for_files),
        )
        if order.step != "plan":
            plan = read_plan(order, Patience(order.wait_seconds, self._stop.is_set, self.lines.status))
            if is_done(order, plan):
                self.lines.status("cached")
                self.lines.progress(1.0)
                return
        order = replace(order, roots=self._roots(order))
        if order.step == "solve":
            self.lines.say(f"solves unit {describe(units)}" if units else "solves all units")
        for pause in (*PAUSES, None):
            try:
                self._attempt(order)
                break
            except VoidError as error:
                if pause is None or not _is_passing(error):
                    raise
                self.lines.status(f"{error.message} Trying again in {pause:g} seconds.")
            if self._stop.wait(pause):
                raise Cancelled
        self.lines.progress(1.0)

    def _roots(self, order: Order) -> dict[str, str]:
        """Where folders lie here: those given by name, and others by the rules."""
        given = _given_roots(self._options.root)
        if not self._options.path_mapping:
            return given
        rules = mapping_rules(self._options.path_mapping)
        known = order.request().roots
        return {**{name: map_path(rules, path) for name, path in known.items()}, **given}

    def _attempt(self, order: Order) -> None:
        daemon = self._options.daemon or os.environ.get(VARIABLE)
        if daemon and order.step == "solve":
            with DaemonLink(daemon) as link:
                link.run(order, self._stop.is_set, self._taken, self.lines.hear)
            return
        if order.step == "solve" and self._options.vram and self._machine.device == "cuda":
            large_enough(visible_gpus(os.environ), self._options.vram)
        from void_server.farmtask import FarmTask

        workers = self._machine.workers or os.cpu_count() or 1
        FarmTask(order, self._machine, workers, self.lines.hear, self._stop.is_set).run()

    def _taken(self, message: Mapping[str, Any]) -> None:
        self.lines.say(f"done by process {message['worker']}, which the daemon keeps on {message['device']}")

    def _end_orphaned(self) -> None:
        self._stop.set()
        timer = threading.Timer(ORPHAN_SECONDS, os._exit, (EXIT_STOPPED,))
        timer.daemon = True
        timer.start()


def _is_passing(error: VoidError) -> bool:
    """True for what a moment can mend; a worker that crashed was replaced by its daemon."""
    return error.exit_code == EXIT_TRY_AGAIN or error.code == "job.crashed"


def _given_roots(words: list[str]) -> dict[str, str]:
    """The folders of `--root NAME=PATH`. Raises RequestError for words of another form, or a path that is relative."""
    roots = {}
    for word in words:
        name, separator, path = word.partition("=")
        if not (name and separator and os.path.isabs(path)):
            raise RequestError(f"--root takes NAME=PATH with an absolute path, not {word!r}.", "request.path")
        roots[name] = os.path.normpath(path)
    return roots


def unit_numbers(text: str) -> tuple[int, ...]:
    """The numbers in a text such as `3` or `0-3,7`; argparse's error for any other text."""
    units: set[int] = set()
    for part in text.split(","):
        first, separator, last = part.partition("-")
        last = last if separator else first
        if not (first.isdecimal() and last.isdecimal() and int(first) <= int(last) < MOST_UNITS):
            raise argparse.ArgumentTypeError(f"units are written like 3 or 0-3,7, not {text!r}")
        units.update(range(int(first), int(last) + 1))
    return tuple(sorted(units))
