"""The `void` command: what a compositor types.

Exit codes: 0 done, 1 an error that is told in one sentence, 2 wrong usage, 130 cancelled.

Only the parser is built at import; a command imports what it needs when it runs, so that `void --help` is quick.
"""

import argparse
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING

from void_plugin.arguments import build_parser, check_usage, request_from
from void_plugin.config import Config, load_config
from void_plugin.errors import HostError, RequestError, VoidError

if TYPE_CHECKING:
    from void_plugin.removal import Client
    from void_plugin.request import RemovalRequest

DONE, FAILED, USAGE, CANCELLED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.DEBUG if options.verbose else logging.WARNING, stream=sys.stderr)
    if not options.verbose:  # gRPC's own lines would stand beside our sentences
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        if options.command in ("remove", "preview"):
            return _remove(options, parser)
        if options.command == "demo":
            return _demo(options)
        if options.command in ("doctor", "engines"):
            from void_plugin import doctor

            show = doctor.show_engines if options.command == "engines" else doctor.show_machine
            return DONE if show(_config(options), os.environ, options.json) else FAILED
        if options.command == "nuke":
            from void_plugin import nukeinstall

            return DONE if nukeinstall.run(options, os.environ) else FAILED
        if options.command == "resolve":
            from void_plugin import resolvecommands

            return resolvecommands.run(options, os.environ)
        if options.command in ("submit", "farm"):
            from void_plugin import farmcommands

            act = farmcommands.submit if options.command == "submit" else farmcommands.run
            return DONE if act(options, _config(options), os.environ) else FAILED
        if options.command == "otio":
            return _otio(options)
        if options.command in ("panel", "monitor"):
            return _window(options)
        from void_plugin import jobcommands

        return DONE if jobcommands.run(options, _config(options), os.environ) else FAILED
    except VoidError as error:
        print(error.message, file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return CANCELLED
    except BrokenPipeError:
        # The reader of our output has gone (`| head`); Python must not complain again while it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def _window(options: argparse.Namespace) -> int:
    try:
        from void_plugin.ui import app, monitorapp
    except ImportError as error:
        raise HostError(
            f"The windows need PySide6 and what it needs of the system ({error}); install 'void_plugin[ui]'."
        ) from error
    if options.command == "monitor":
        return monitorapp.monitor(options.server, options.farm, os.environ)
    if options.choose:
        return app.choose(options.choose, options.server, os.environ)
    return app.panel(options.requests, options.server, os.environ)


def _config(options: argparse.Namespace) -> Config:
    """The configuration of this machine with what the options say about the server."""
    config = load_config(os.environ)
    if getattr(options, "server", None) is not None:
        config = replace(config, server=options.server)
    if getattr(options, "transfer", None):
        config = replace(config, transfer=options.transfer)
    return config


def _remove(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    check_usage(options, parser)
    from void_plugin.events import Failed, to_line

    try:
        request = request_from(options)
        if options.command == "remove":
            request.check_results()
        config = _config(options)
    except VoidError as error:
        if options.json:  # whoever reads the events must not wait for a last one
            print(to_line(Failed(number=1, code=error.code, text=error.message)), flush=True)
        raise
    return _run(request, config, options.workers or 0, options.command, options.json)


def _run(request: "RemovalRequest", config: Config, workers: int, kind: str, as_json: bool) -> int:
    """Run a request, show it, and return the exit code."""
    from rich.console import Console

    from void_plugin.events import Failed, Finished, is_last
    from void_plugin.heap import keep_memory_together
    from void_plugin.progress import display_for
    from void_plugin.removal import remove
    from void_plugin.serverjob import ServerJob

    client = ServerJob(config, os.environ, workers, kind)
    promise = "Telling the server to stop the job; Ctrl-C again leaves at once."
    if not config.server:
        promise = "Stopping after the work at hand; Ctrl-C again stops at once."
    events = contextlib.closing(remove(request, client))
    keep_memory_together()
    with _stopping(client, promise), display_for(Console(), as_json) as display, events as told:
        for last in told:
            display.show(last)
            if is_last(last):
                break
    # Below the bar, which is gone by now.
    if isinstance(last, Finished):
        display.summary([request.output_sequence(output).pattern for output in request.outputs])
        return DONE
    if isinstance(last, Failed):
        print(last.text, file=sys.stderr)
        return FAILED
    print("Stopped. Finished frames are kept; the same command resumes.", file=sys.stderr)
    return CANCELLED


@contextlib.contextmanager
def _stopping(client: "Client", promise: str) -> Iterator[None]:
    """Turn Ctrl-C and SIGTERM into `client.cancel()` for as long as a job runs."""
    told = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal told
        if not told:
            # os.write, because print may be interrupted by this very handler.
            os.write(2, f"\n{promise}\n".encode())
        told = True
        client.cancel()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_OF_OTIO = {"opentimelineio": "OpenTimelineIO", "av": "PyAV", "numpy": "NumPy", "OpenImageIO": "OpenImageIO"}
"""What only `void otio` loads, by the name it is imported by."""


def _otio(options: argparse.Namespace) -> int:
    try:
        from void_plugin.editorial import commands
    except ModuleNotFoundError as error:
        if error.name not in _OF_OTIO:
            raise
        needed = _OF_OTIO[error.name]
        raise RequestError(f"void otio needs {needed}: pip install 'void_plugin[otio]'.") from error

    def run_one(request: "RemovalRequest") -> int:
        return _run(request, _config(options), options.workers, "remove", options.json)

    return commands.run(options, run_one)


def _demo(options: argparse.Namespace) -> int:
    from void_plugin import demo

    config = _config(options)
    made = demo.make(config, os.environ, options.out, options.scene, options.frames, options.width)
    request = demo.request(made, options.out, options.engine)
    code = _run(request, config, options.workers or 0, "remove", as_json=False)
    if code == DONE:
        demo.report(config, os.environ, options.out)
    return code


if __name__ == "__main__":
    sys.exit(main())
