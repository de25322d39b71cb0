"""`void-server`: serves jobs, or runs one on this machine step by step or whole, and says what it can run."""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from void_plugin import __version__
from void_plugin.config import CHOICES, Config, byte_count, load_config
from void_plugin.errors import EXIT_STOPPED, Cancelled, JobError, VoidError
from void_plugin.events import Failed, Stopped
from void_plugin.frames import FrameRange
from void_server import daemoncommands, farmworker, models
from void_server import options as serving
from void_server.lifeline import stop_at_end
from void_server.processes import ready_for_pictures
from void_server.stop import Stop

if TYPE_CHECKING:
    from void_plugin.request import RemovalRequest
    from void_server.eventlog import EventLog
    from void_server.jobfolder import JobFolder

STEPS = ("plan", "solve", "compose", "verify", "all")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; this is where errors become sentences and codes."""
    ready_for_pictures()
    options = _parser().parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        machine = _machine(options, load_config(os.environ))
        if options.command == "task":
            return farmworker.run(options, machine) if options.farm else _task(options, machine)
        if options.command == "daemon":
            return daemoncommands.run(options)
        if options.command == "serve":
            return _serve(options)
        if options.command == "engines":
            return _engines(machine, options.json)
        if options.command == "models":
            return models.run(options, machine)
        if options.command == "doctor":
            return _doctor(machine, options.json)
        if options.command == "look":
            from void_server import look

            return look.run(options)
        from void_server import demo

        return demo.run(options)
    except VoidError as error:
        print(error.message, file=sys.stderr)
        return error.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="void-server", description=__doc__)
    parser.add_argument("--version", action="version", version=f"void-server {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    task = commands.add_parser("task", help="run one step of a job, or all of them")
    task.add_argument("step", choices=STEPS)
    task.add_argument("job", help="a request file or a job folder")
    task.add_argument(
        "--unit", type=farmworker.unit_numbers, action="append", help="solve only these units, for example 3 or 0-3,7"
    )
    task.add_argument("--frames", type=FrameRange.parse, help="compose only these frames, for example 1001-1010")
    task.add_argument("--events", action="store_true", help="print events on stdout, one JSON object a line")
    task.add_argument("--workers", type=int, help="threads to use; default: all cores")
    task.add_argument("--cache-bytes", type=byte_count, help="bytes of decoded plate to keep in memory, such as 3G")
    task.add_argument(
        "--watch-stdin", action="store_true", help="stop with a checkpoint when stdin ends (the starter died)"
    )
    _add_void(task)
    farmworker.add_arguments(task)
    daemoncommands.add_arguments(
        commands.add_parser("daemon", help="keep a model loaded between the tasks of a farm's session")
    )
    serving.add_arguments(commands.add_parser("serve", help="serve jobs over gRPC"))
    engines = commands.add_parser("engines", help="list the engines and why some cannot run here")
    engines.add_argument("--json", action="store_true")
    _add_void(engines)
    models.add_arguments(commands.add_parser("models", help="fetch and check the weights of VOID"))
    doctor = commands.add_parser("doctor", help="say what this installation has")
    doctor.add_argument("--json", action="store_true")
    demo = commands.add_parser("demo", help="make a synthetic shot with known truth, or report on its result")
    demo.add_argument("action", choices=("make", "report"))
    demo.add_argument("--out", required=True, help="folder of the demo")
    demo.add_argument("--scene", default="handheld")
    demo.add_argument("--frames", type=int, default=24)
    demo.add_argument("--width", type=int, default=960)
    demo.add_argument("--seed", type=int, default=1)
    look = commands.add_parser("look", help="say what frames hold, and by how much two sequences differ")
    look.add_argument("pattern", help="the frames, such as plate.%%04d.exr")
    look.add_argument("frames", type=FrameRange.parse, nargs="+", metavar="FRAMES", help="such as 1001-1003")
    look.add_argument("--against", metavar="PATTERN", help="other frames of the same numbers to compare with")
    return parser


def _add_void(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--weights", type=os.path.abspath, metavar="FOLDER", help="folder of VOID's weights")
    parser.add_argument("--memory", choices=CHOICES["memory"], help="how VOID uses its GPU")


def _machine(options: argparse.Namespace, machine: Config) -> Config:
    """The machine's configuration with what the options say instead."""
    names = ("workers", "cache_bytes", "weights", "memory")
    given = {name: value for name in names if (value := getattr(options, name, None))}
    return replace(machine, **given)


def _task(options: argparse.Namespace, machine: Config) -> int:
    from void_server.eventlog import EventLog
    from void_server.runner import load_job_request

    stop = Stop(signal.SIGTERM, signal.SIGINT)
    if options.watch_stdin:
        stop_at_end(sys.stdin, stop)
    request, folder = load_job_request(options.job)
    log = EventLog(folder, request.request_id, sys.stdout if options.events else None)
    try:
        return _steps(options, machine, request, folder, log, stop)
    except Cancelled:
        logging.getLogger(__name__).info("stopped; finished units and frames are kept")
        log.emit(Stopped())
        return EXIT_STOPPED
    except VoidError as error:
        failure: VoidError = error
    except MemoryError:
        failure = JobError(
            "The job ran out of memory; lower --workers or --cache-bytes and run again, finished units are kept.",
            "job.memory",
        )
    except Exception as error:  # the process boundary: whoever started us must learn of it in one sentence
        traceback.print_exc()
        failure = JobError(
            f"void-server failed unexpectedly ({type(error).__name__}: {error}); the log has the details."
        )
    log.emit(Failed(code=failure.code, text=failure.message))
    if not options.events:
        print(failure.message, file=sys.stderr)
    return failure.exit_code


def _steps(
    options: argparse.Namespace,
    machine: Config,
    request: RemovalRequest,
    folder: JobFolder,
    log: EventLog,
    stop: Stop,
) -> int:
    from void_server.jobfolder import read_json
    from void_server.plan import Plan, plate_frames
    from void_server.planfacts import planned_line
    from void_server.runner import Job
    from void_server.verify import verify

    workers = machine.workers or os.cpu_count() or 1
    alone = options.step in ("plan", "all")  # farms run single units and frames side by side
    # A farm is planned for on a workstation, which need not be able to solve.
    runs = options.step != "plan"
    with Job(request, folder, log, machine, workers, stop.is_set, alone=alone, runs_engine=runs) as job:
        if options.step == "all":
            job.run()
            return 0
        if options.step == "plan":
            job.start()
            plan = job.plan()
            if options.events:
                print(planned_line(folder, plan, job.frames, job.engines), flush=True)
            print(f"{len(plan.units)} units for frames {plan.shot_range} in {folder.path}", file=sys.stderr)
            return 0
        plan = Plan.load(folder)
        if options.step == "solve":
            named = {index for given in options.unit or () for index in given}
            wanted = named or {unit.index for unit in plan.units_for(job.frames)}
            job.solve(plan, [unit for unit in plan.units if unit.index in wanted])
        elif options.step == "compose":
            job.compose(plan, options.frames or job.frames)
            job.finish(plan)
        else:
            frames = plate_frames(plan, job.engine, job.footage, job.colour)
            count = verify(read_json(folder.result)["frames"], job.request, frames, job.files)
            print(f"{count} files verified in {folder.path}", file=sys.stderr)
    return 0


def _serve(options: argparse.Namespace) -> int:
    from void_server.serve import serve

    return serve(serving.settings_from(options, os.environ), os.environ, sys.stdin, sys.stdout)


def _engines(machine: Config, as_json: bool) -> int:
    from void_server.worker import engine_facts

    rows = engine_facts(machine)
    if as_json:
        told = ("name", "available", "reason", "devices", "memory", "digest")
        print(json.dumps([{name: row[name] for name in told} for row in rows]))
        return 0
    for row in rows:
        state = row["reason"]
        if row["available"]:
            state = f"ready on {', '.join(row['devices'])}" + (f", memory {row['memory']}" if row["memory"] else "")
        print(f"{row['name']:16} {state}")
    return 0


def _doctor(machine: Config, as_json: bool) -> int:
    import cv2
    import numpy as np
    import OpenImageIO as oiio

    from void_server.colour import Config as ColourConfig

    config = ColourConfig.chosen(os.environ, machine.ocio)
    facts = {
        "version": __version__,
        "python": sys.version.split()[0],
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "openimageio": oiio.VERSION_STRING,
        "ocio": {"config": config.source, "spaces": len(config.names())},
        "workers": machine.workers or os.cpu_count() or 1,
        "cache_bytes": machine.cache_bytes,
    }
    print(json.dumps(facts) if as_json else "\n".join(f"{name:12} {value}" for name, value in facts.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
