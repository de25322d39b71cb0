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
from types import FrameType
from typing import TYPE_CHECKING, Any

from void_plugin import __version__
from void_plugin.config import load_config
from void_plugin.errors import RequestError, VoidError

if TYPE_CHECKING:
    from void_plugin.client import Client
    from void_plugin.request import RemovalRequest

DONE, FAILED, USAGE, CANCELLED = 0, 1, 2, 130

MATTES = {"matte": "object_matte", "affected": "affected_matte", "holdout": "holdout_matte", "exclude": "exclude_matte"}
"""Options that name a matte, and the input of the request each becomes."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.DEBUG if options.verbose else logging.WARNING, stream=sys.stderr)
    try:
        if options.command == "remove":
            return _remove(options, parser)
        if options.command == "demo":
            return _demo(options)
        from void_plugin import doctor

        show = doctor.show_engines if options.command == "engines" else doctor.show_machine
        return DONE if show(load_config(os.environ), os.environ, options.json) else FAILED
    except VoidError as error:
        print(error.message, file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return CANCELLED
    except BrokenPipeError:
        # The reader of our output has gone (`| head`); Python must not complain again while it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def build_parser() -> argparse.ArgumentParser:
    """All commands and options of `void`."""
    parser = argparse.ArgumentParser(prog="void", description="Remove an object from a shot: EXR frames in, EXR out.")
    parser.add_argument("--version", action="version", version=f"void {__version__}")
    parser.add_argument("--verbose", action="store_true", help="say on stderr what happens inside")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_remove(commands.add_parser("remove", help="remove an object from a plate"))
    demo = commands.add_parser("demo", help="make a shot with known truth, remove its object and measure the result")
    demo.add_argument("--out", default="void_demo", help="folder for everything it makes (%(default)s)")
    demo.add_argument("--scene", help="which synthetic scene")
    demo.add_argument("--frames", type=_count, metavar="N", help="how many frames")
    demo.add_argument("--width", type=_count, metavar="PIXELS", help="width of the plate")
    demo.add_argument("--engine", default="recover", help="engine to use (%(default)s)")
    demo.add_argument("--workers", type=_count, metavar="N", help="threads to use; default one a core")
    for name, text in (("doctor", "what this machine can run, and why not the rest"), ("engines", "the engines here")):
        commands.add_parser(name, help=text).add_argument("--json", action="store_true", help="print JSON")
    return parser


def _add_remove(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Remove an object from a plate. Patterns may be written with %04d, ####, @@@@ or $F4. "
        "Ctrl-C stops at a checkpoint; the same command resumes."
    )
    add = parser.add_argument_group("images").add_argument
    add("--plate", metavar="PATTERN", help="the photographed frames")
    add("--matte", metavar="PATTERN", help="matte of the object to remove")
    add("--affected", metavar="PATTERN", help="matte of what the object did to the scene, such as its shadow")
    add("--holdout", metavar="PATTERN", help="matte of what stands in front and is never written")
    add("--exclude", metavar="PATTERN", help="matte of what is never sampled from")
    add("--clean-plate", metavar="PATTERN", help="your own fill, for any of the frames")
    add("--quadmask", metavar="PATTERN", help="a ready quadmask in place of --matte and --affected")
    add("--plate-channels", metavar="rgb|R,G,B", help="layer or channel names of the plate")
    add("--matte-channel", metavar="NAME", help="channel that holds the mattes")
    add("--view", metavar="NAME", help="view of a stereo plate, such as left")
    add("--colour", metavar="SPACE", help="colour space of the plate; default what the files say")
    add = parser.add_argument_group("frames").add_argument
    add("--frames", metavar="1001-1024", help="frames to deliver; default all on disk")
    add("--shot-range", metavar="1001-1100", help="frames that feed every estimate; default all on disk")
    add("--context", type=_count, metavar="N", help="frames around --frames that may be looked at; default all")
    add("--handles", type=_count, metavar="N", help="frames beyond the cut, delivered as well")
    add = parser.add_argument_group("result").add_argument
    add("--out", metavar="PATTERN", help="EXR files to write")
    add("--output", choices=("patch", "comp"), help="only what changed, or the whole frame (patch)")
    add("--also-output", action="append", metavar="KIND=PATTERN", help="one more output, such as comp=c.%%04d.exr")
    add("--compression", metavar="NAME", help="EXR compression; default that of the plate")
    add("--coverage-channel", action="store_true", default=None, help="add the channel void.coverage")
    add = parser.add_argument_group("engine").add_argument
    add("--engine", metavar="NAME", help="auto, void or recover (auto)")
    add("--prompt", metavar="TEXT", help="the background after the removal, in words")
    add("--encoding", metavar="NAME", help="srgb_knee, acescct, srgb or an OCIO colour space")
    add("--seed", type=int, metavar="N", help="seeds whatever is invented")
    add("--recover-affected", choices=("keep", "fill"), help="what recover does under the affected matte (keep)")
    add("--recover-grain", choices=("source", "clean"), help="keep the grain of one source, or average it (source)")
    add = parser.add_argument_group("this run").add_argument
    add("--shot", metavar="NAME", help="name of the shot, for messages")
    add("--request", metavar="FILE", help="run a saved request.json as it is")
    add("--workers", type=_count, metavar="N", help="threads to use; default one a core")
    add("--json", action="store_true", help="print the events as JSON lines, nothing else")


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{number} is negative")
    return number


def _remove(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    _check_usage(options, parser)
    from void_plugin.client import ChildClient
    from void_plugin.events import Failed, to_line

    try:
        request = _request(options)
        client = ChildClient(load_config(os.environ), os.environ, options.workers or 0)
    except VoidError as error:
        if options.json:  # whoever reads the events must not wait for a last one
            print(to_line(Failed(number=1, code=error.code, text=error.message)), flush=True)
        raise
    return _run(request, client, options.json)


def _check_usage(options: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    beside = {"command", "verbose", "request", "workers", "json"}
    names = [name for name, value in vars(options).items() if name not in beside and value is not None]
    given = [f"--{name.replace('_', '-')}" for name in names]
    if options.request and given:
        parser.error(f"--request runs a saved request as it is; leave out {', '.join(sorted(given))}")
    if not options.request:
        for name in ("plate", "out"):
            if getattr(options, name) is None:
                parser.error(f"--{name} is needed (or --request)")
        if options.matte is None and options.quadmask is None:
            parser.error("--matte or --quadmask is needed to say what to remove")


def _request(options: argparse.Namespace) -> "RemovalRequest":
    """The request that the options describe, or the saved one."""
    from void_plugin.frames import FrameRange
    from void_plugin.patterns import to_pattern
    from void_plugin.request import ImageInput, Output, RemovalRequest, RenderSettings

    if options.request:
        return RemovalRequest.load(options.request)
    matte_channels = (options.matte_channel,) if options.matte_channel else ()
    inputs: dict[str, Any] = {
        field: ImageInput(to_pattern(getattr(options, name)), matte_channels)
        for name, field in MATTES.items()
        if getattr(options, name)
    }
    if options.quadmask:
        inputs["quadmask"] = ImageInput(to_pattern(options.quadmask))
    plate_channels = tuple(name.strip() for name in (options.plate_channels or "").split(",") if name.strip())
    if options.clean_plate:
        inputs["clean_plate"] = ImageInput(to_pattern(options.clean_plate), plate_channels)
    outputs = [Output(options.output or "patch", to_pattern(options.out))]
    for extra in options.also_output or ():
        kind, equals, pattern = extra.partition("=")
        if not equals:
            raise RequestError(
                f"--also-output {extra} names no kind; write it like comp=comp.%04d.exr.", "request.output"
            )
        outputs.append(Output(kind, to_pattern(pattern)))
    names = ("seed", "encoding", "recover_affected", "recover_grain", "compression", "coverage_channel")
    settings = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    return RemovalRequest(
        plate=ImageInput(to_pattern(options.plate), plate_channels),
        outputs=tuple(outputs),
        frames=FrameRange.parse(options.frames) if options.frames else None,
        shot_range=FrameRange.parse(options.shot_range) if options.shot_range else None,
        handles=options.handles or 0,
        context=options.context or 0,
        shot=options.shot or "",
        view=options.view or "",
        colour=options.colour or "",
        prompt=options.prompt or "",
        engine=options.engine or "auto",
        settings=RenderSettings(**settings),
        **inputs,
    )


def _run(request: "RemovalRequest", client: "Client", as_json: bool) -> int:
    """Run a request, show it, and return the exit code."""
    from rich.console import Console

    from void_plugin.events import Failed, Finished, is_last
    from void_plugin.progress import display_for
    from void_plugin.removal import remove

    with _stopping(client), display_for(Console(), as_json) as display:
        for last in remove(request, client):
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
def _stopping(client: "Client") -> Iterator[None]:
    """Turn Ctrl-C and SIGTERM into `client.cancel()` for as long as a job runs."""
    told = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal told
        if not told:
            # os.write, because print may be interrupted by this very handler.
            os.write(2, b"\nStopping after the work at hand; Ctrl-C again stops at once.\n")
        told = True
        client.cancel()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _demo(options: argparse.Namespace) -> int:
    from void_plugin import demo
    from void_plugin.client import ChildClient

    config = load_config(os.environ)
    made = demo.make(config, os.environ, options.out, options.scene, options.frames, options.width)
    request = demo.request(made, options.out, options.engine)
    code = _run(request, ChildClient(config, os.environ, options.workers or 0), as_json=False)
    if code == DONE:
        demo.report(config, os.environ, options.out)
    return code


if __name__ == "__main__":
    sys.exit(main())
