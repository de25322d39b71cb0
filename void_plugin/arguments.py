"""The options of `void`, and the request that they describe."""

import argparse
from typing import TYPE_CHECKING, Any

from void_plugin import __version__
from void_plugin.errors import RequestError
from void_plugin.farmarguments import add_farm, count
from void_plugin.otioarguments import add_otio
from void_plugin.resolvearguments import add_resolve
from void_plugin.settings import CHOICES

if TYPE_CHECKING:
    from void_plugin.request import RemovalRequest

MATTES = {"matte": "object_matte", "affected": "affected_matte", "holdout": "holdout_matte", "exclude": "exclude_matte"}
"""Options that name a matte, and the input of the request each becomes."""
STATES = ("queued", "running", "succeeded", "failed", "cancelled")
_BESIDE = ("command", "verbose", "request", "workers", "json", "server", "transfer")
"""Options that say nothing about what is wanted, only how and where it is made."""


def build_parser() -> argparse.ArgumentParser:
    """All commands and options of `void`."""
    parser = argparse.ArgumentParser(prog="void", description="Remove an object from a shot: EXR frames in, EXR out.")
    parser.add_argument("--version", action="version", version=f"void {__version__}")
    parser.add_argument("--verbose", action="store_true", help="say on stderr what happens inside")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    remove = commands.add_parser("remove", help="remove an object from a plate")
    remove.description = (
        "Remove an object from a plate. Patterns may be written with %04d, ####, @@@@ or $F4. "
        "Ctrl-C stops at a checkpoint; the same command resumes."
    )
    _add_images_and_frames(remove)
    _add_result(remove)
    _add_run(remove)
    preview = commands.add_parser("preview", help="show what would be removed, without removing it")
    preview.description = (
        "Write each frame with the object in red, the affected pixels in green, both at once in yellow and the holdout "
        "in blue over it; with an engine that sees part of the frame, with the outline of that part in white."
    )
    _add_images_and_frames(preview)
    preview.add_argument("--out", metavar="PATTERN", help="EXR or PNG files to write")
    preview.add_argument("--engine", metavar="NAME", help="whose view; auto, void or recover (auto)")
    preview.add_argument("--void-raster", metavar="WIDTHxHEIGHT", help="what VOID works at (672x384)")
    _add_run(preview)
    demo = commands.add_parser("demo", help="make a shot with known truth, remove its object and measure the result")
    demo.add_argument("--out", default="void_demo", help="folder for everything it makes (%(default)s)")
    demo.add_argument("--scene", help="which synthetic scene")
    demo.add_argument("--frames", type=count, metavar="N", help="how many frames")
    demo.add_argument("--width", type=count, metavar="PIXELS", help="width of the plate")
    demo.add_argument("--engine", default="recover", help="engine to use (%(default)s)")
    demo.add_argument("--workers", type=count, metavar="N", help="threads to use; default one a core")
    _add_server(demo, transfer=True)
    _add_jobs(commands)
    _add_nuke(commands)
    _add_windows(commands)
    add_farm(commands)
    add_otio(commands)
    add_resolve(commands)
    for name, text in (
        ("doctor", "what this machine and the configured server can run, and why not the rest"),
        ("engines", "the engines of the configured server, else of this machine"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("--json", action="store_true", help="print JSON")
        _add_server(command)
    return parser


def _add_images_and_frames(parser: argparse.ArgumentParser) -> None:
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
    add("--affected-preset", choices=CHOICES["affected_preset"], help="in place of --affected: from the object (none)")
    add("--affected-angle", type=float, metavar="DEGREES", help="lean of a shadow, to the right above 0; default both")
    add("--affected-path", metavar="'X,Y X,Y ...'", help="where things will move, in plate pixels, for the preset path")
    add = parser.add_argument_group("frames").add_argument
    add("--frames", metavar="1001-1024", help="frames to deliver; default all on disk")
    add("--shot-range", metavar="1001-1100", help="frames that feed every estimate; default all on disk")
    add("--context", type=count, metavar="N", help="frames around --frames that may be looked at; default all")
    add("--handles", type=count, metavar="N", help="frames beyond the cut, delivered as well")


def _add_result(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("result").add_argument
    add("--out", metavar="PATTERN", help="EXR files to write")
    add("--output", choices=("patch", "comp"), help="only what changed, or the whole frame (patch)")
    add("--also-output", action="append", metavar="KIND=PATTERN", help="one more output, such as comp=c.%%04d.exr")
    add("--compression", metavar="NAME", help="EXR compression; default that of the plate")
    add("--coverage-channel", action="store_true", default=None, help="add void.coverage: the share of real pixels")
    add("--weight-channel", action="store_true", default=None, help="add void.matte: how much of a pixel is new")
    add(
        "--change-channel", action="store_true", default=None, help="add void.change: where a generated picture differs"
    )
    add(
        "--source-channel",
        action="store_true",
        default=None,
        help="add void.source: 0 plate, 0.5 recovered, 1 generated",
    )
    add("--grain", choices=CHOICES["grain"], help="grain on what is new: made, taken from the plate, or none (synth)")
    add = parser.add_argument_group("engine").add_argument
    add("--engine", metavar="NAME", help="auto, void or recover (auto)")
    add("--prompt", metavar="TEXT", help="the background after the removal, in words")
    add("--encoding", metavar="NAME", help="srgb_knee, acescct, srgb or an OCIO colour space")
    add("--seed", type=int, metavar="N", help="seeds whatever is invented")
    add("--source", choices=CHOICES["source"], help="real pixels first, none, or nothing else (hybrid)")
    add("--recover-affected", choices=("keep", "fill"), help="what recover does under the affected matte (keep)")
    add("--recover-grain", choices=("source", "clean"), help="keep the grain of one source, or average it (source)")
    add = parser.add_argument_group("engine void").add_argument
    add("--void-passes", type=int, choices=(1, 2), help="1, or 2 for a second pass that is steadier in time (1)")
    add("--void-steps", type=count, metavar="N", help="denoising steps of the first pass (30)")
    add("--void-pass2-steps", type=count, metavar="N", help="denoising steps of the second pass (50)")
    add("--void-guidance", type=float, metavar="X", help="how strongly the prompt leads the second pass (6)")
    add("--void-mask-levels", choices=CHOICES["void_mask_levels"], help="what the second pass is told (three)")
    add("--void-short-clips", choices=CHOICES["void_short_clips"], help="below 85 frames: pad, or run short (pad)")
    add("--void-last-window", choices=CHOICES["void_last_window"], help="its length on long clips (short)")
    add("--void-all-windows", action="store_true", default=None, help="also run windows without a matte")
    add("--void-flow", choices=CHOICES["void_flow"], help="optical flow of the second pass (dis)")
    add("--void-raster", metavar="WIDTHxHEIGHT", help="what VOID works at (672x384)")
    add("--detail", choices=CHOICES["detail"], help="refine the result tile by tile at twice the raster (off)")
    add(
        "--rate", choices=CHOICES["rate"], help="physics shows the model 12 frames a second, as it was trained (native)"
    )
    add("--fps", type=float, metavar="N", help="frames a second of the shot; default what the plate says, else 24")


def _add_run(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("this run").add_argument
    add("--shot", metavar="NAME", help="name of the shot, for messages")
    add("--priority", type=count, metavar="0-100", help="place in the queue, higher first (50)")
    add("--request", metavar="FILE", help="run a saved request.json as it is")
    add("--workers", type=count, metavar="N", help="threads of a private server; default one a core")
    add("--json", action="store_true", help="print the events as JSON lines, nothing else")
    _add_server(parser, transfer=True)


def _add_server(parser: argparse.ArgumentParser, transfer: bool = False) -> None:
    # An empty address is meant: a private server in spite of a configured one.
    parser.add_argument("--server", metavar="ADDRESS", help="host:port or unix:/path; '' for this machine alone")
    if transfer:
        choices = ("auto", "paths", "upload")
        parser.add_argument("--transfer", choices=choices, help="how pixels get to the server (auto)")


def _add_jobs(commands: Any) -> None:
    jobs = commands.add_parser("jobs", help="list your jobs, newest first")
    jobs.add_argument("--all", action="store_true", help="those of everyone, for supervisors")
    jobs.add_argument("--state", action="append", choices=STATES, help="only these; may be repeated")
    jobs.add_argument("--limit", type=count, default=20, metavar="N", help="how many at most (%(default)s)")
    status = commands.add_parser("status", help="say how a job stands")
    status.add_argument("job", metavar="JOB", help="its id, from `void jobs`")
    status.add_argument("--watch", action="store_true", help="follow it to its end; Ctrl-C leaves it alone")
    cancel = commands.add_parser("cancel", help="stop jobs and keep what is finished")
    delete = commands.add_parser("delete", help="forget jobs that have ended, with what the server keeps for them")
    for command in (cancel, delete):
        command.add_argument("jobs", nargs="+", metavar="JOB", help="ids, from `void jobs`")
    for command in (jobs, status, cancel, delete):
        command.add_argument("--json", action="store_true", help="print JSON")
        _add_server(command)


def _add_windows(commands: Any) -> None:
    panel = commands.add_parser("panel", help="see the mask before, the progress during and the result after")
    panel.add_argument("requests", nargs="*", metavar="REQUEST", help="request.json files to open")
    panel.add_argument(
        "--choose", metavar="FILE", help="let the user choose among the shots of a JSON file, as scripts of editors ask"
    )
    _add_server(panel)
    monitor = commands.add_parser("monitor", help="watch the jobs of a server and of farms, and act on them")
    monitor.description = (
        "Without an option, the configured server and all farms that jobs were submitted to from here; with one, only "
        "what it names."
    )
    monitor.add_argument("--farm", metavar="NAME", help="the jobs on this farm")
    _add_server(monitor)


def _add_nuke(commands: Any) -> None:
    nuke = commands.add_parser("nuke", help="put the VoidRemove node into Nuke, or take it out")
    actions = nuke.add_subparsers(dest="action", required=True, metavar="ACTION")
    install = actions.add_parser("install", help="put the plug-in into a Nuke folder, or this version in its place")
    install.description = (
        "Copy the plug-in into the Nuke folder, add one block to its init.py, and write into the configuration which "
        "Python has void_plugin. Nothing goes into Nuke's own Python. Again, it brings the plug-in up to date."
    )
    uninstall = actions.add_parser("uninstall", help="take out of a Nuke folder what install put there")
    for command in (install, uninstall):
        command.add_argument("--nuke-dir", metavar="DIR", help="the Nuke folder; default .nuke in your home")
    install.add_argument("--python", metavar="PY", help="the Python that has void_plugin; default the one of this void")
    install.add_argument("--json", action="store_true", help="print JSON")


def check_usage(options: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """End the program with a usage error where options of `remove` or `preview` contradict each other or lack."""
    preview = options.command == "preview"
    beside = {*_BESIDE, "out"} if preview else {*_BESIDE}
    names = [name for name, value in vars(options).items() if name not in beside and value is not None]
    given = [f"--{name.replace('_', '-')}" for name in names]
    if options.request and given:
        parser.error(f"--request runs a saved request as it is; leave out {', '.join(sorted(given))}")
    if options.request:
        if preview and options.out is None:
            parser.error("--out is needed, so that a preview does not go where the results lie")
        return
    for name in ("plate", "out"):
        if getattr(options, name) is None:
            parser.error(f"--{name} is needed" + ("" if preview and name == "out" else " (or --request)"))
    if options.matte is None and options.quadmask is None:
        parser.error("--matte or --quadmask is needed to say what to remove")


def request_from(options: argparse.Namespace) -> "RemovalRequest":
    """The request that the options of `remove` or `preview` describe, or the saved one.

    Raises RequestError for what cannot be read.
    """
    from dataclasses import fields, replace

    from void_plugin.frames import FrameRange
    from void_plugin.patterns import to_pattern
    from void_plugin.request import ImageInput, Output, RemovalRequest
    from void_plugin.settings import RenderSettings

    preview = options.command == "preview"
    if options.request:
        saved = RemovalRequest.load(options.request)
        # A preview never goes where the results of the saved request lie.
        return replace(saved, outputs=(Output("comp", to_pattern(options.out)),)) if preview else saved
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
    outputs = [Output("comp" if preview else options.output or "patch", to_pattern(options.out))]
    for extra in () if preview else options.also_output or ():
        kind, equals, pattern = extra.partition("=")
        if not equals:
            raise RequestError(
                f"--also-output {extra} names no kind; write it like comp=comp.%04d.exr.", "request.output"
            )
        outputs.append(Output(kind, to_pattern(pattern)))
    names = [item.name for item in fields(RenderSettings)]
    settings = {name: value for name in names if (value := getattr(options, name, None)) is not None}
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
        prompt=getattr(options, "prompt", None) or "",
        engine=getattr(options, "engine", None) or "auto",
        priority=RemovalRequest.priority if options.priority is None else options.priority,
        settings=RenderSettings(**settings),
        **inputs,
    )
