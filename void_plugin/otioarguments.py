"""The options of `void otio`."""

import argparse

from void_plugin.farmarguments import count

DELIVERIES = ("prores4444", "dnxhr", "dnxhr444")
"""Kinds of movie that results can be delivered as; dnxhr is HQX."""


def add_otio(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `void otio` and what it can do."""
    otio = commands.add_parser("otio", help="shots out of an editor's timeline, and their results back into it")
    otio.description = (
        "Reads .otio, .otioz and whatever else OpenTimelineIO has adapters for; writes .otio. Without a pick, clips "
        "with a marker that begins with VOID and those on a track called VOID are taken."
    )
    actions = otio.add_subparsers(dest="otio", required=True, metavar="ACTION")
    shots = actions.add_parser("shots", help="show which clips are picked and what each needs")
    submit = actions.add_parser("submit", help="write a request for each shot and run them, one after the other")
    conform = actions.add_parser("conform", help="lay the results over the edit, on a new track, in a new file")
    check = actions.add_parser("check", help="prove that a conformed timeline is the edit with results over it")
    for command in (shots, submit, conform, check):
        command.add_argument("file", metavar="FILE", help="the timeline")
        command.add_argument("--timeline", metavar="NAME", help="which one, where the file holds several")
        command.add_argument("--rate", type=float, default=24.0, metavar="FPS", help="rate of an EDL (%(default)g)")
    for command in (shots, submit):
        _add_picks(command)
    shots.add_argument("--json", action="store_true", help="print JSON")
    _add_submit(submit)
    conform.add_argument(
        "--jobs", metavar="DIR", help="a version, or the folder of all; default the newest beside FILE"
    )
    conform.add_argument("--out", "-o", metavar="FILE", help="default FILE_VOID_v001.otio beside the edit")
    conform.add_argument("--placement", choices=("above", "own"), default="above", help="above all, or its own track")
    conform.add_argument("--sequence-ref", choices=("image_sequence", "external"), help="default as the edit has it")
    add_deliver(conform, "refer to results as movies of this kind, made beside their EXR where they are not there")
    conform.add_argument("--overwrite", action="store_true", help="replace an earlier conformed file")
    check.add_argument("--against", metavar="FILE", required=True, help="the edit that it was made from")
    check.add_argument("--json", action="store_true", help="print JSON")


def add_deliver(parser: argparse.ArgumentParser, text: str) -> None:
    """Add the option that asks for movies."""
    parser.add_argument("--deliver", choices=DELIVERIES, help=text)


def _add_picks(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("which clips").add_argument
    add("--marker", action="append", metavar="TEXT", help="marker whose name, keyword or note begins with this")
    add("--marker-colour", action="append", metavar="COLOUR", help="marker of this colour, such as RED")
    add("--clip", action="append", metavar="NAME", help="clips of this name; * stands for anything")
    add("--track", action="append", metavar="NAME", help="clips on tracks of this name; * stands for anything")
    add("--all", action="store_true", help="every clip")
    add = parser.add_argument_group("what each needs").add_argument
    add("--handles", type=count, default=8, metavar="N", help="frames beyond the cut, delivered (%(default)s)")
    add("--context", type=count, default=48, metavar="N", help="frames beyond those, only looked at (%(default)s)")
    add("--all-context", dest="context", action="store_const", const=None, help="look at all of the media")
    add("--matte-root", metavar="DIR", help="mattes as DIR/CLIP/CLIP.####.exr or DIR/CLIP.####.exr")
    add("--plate-root", metavar="DIR", help="EXR frames in place of clips that are none, named so")
    add("--non-drop", action="store_true", help="29.97 and 59.94 timecode without dropped numbers")


def _add_submit(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("result").add_argument
    add("--out", metavar="DIR", help="folder of all versions; default FILE_VOID beside the timeline")
    add("--version", type=count, default=1, metavar="N", help="number of this version (%(default)s)")
    add("--output", choices=("comp", "patch"), default="comp", help="the whole frame, or what changed (%(default)s)")
    add("--engine", default="auto", metavar="NAME", help="auto, void or recover (%(default)s)")
    add("--prompt", default="", metavar="TEXT", help="the background, where the note of a marker says none")
    add("--colour", default="", metavar="SPACE", help="colour space of the plates; default what the files say")
    add_deliver(parser, "also make a movie of each result, beside its EXR")
    add("--dry-run", action="store_true", help="write the requests, run nothing; void remove --request runs one")
    add = parser.add_argument_group("this run").add_argument
    add("--priority", type=count, default=50, metavar="0-100", help="place in the queue, higher first (%(default)s)")
    add("--workers", type=count, default=0, metavar="N", help="threads of a private server; default one a core")
    add("--server", metavar="ADDRESS", help="host:port or unix:/path; '' for this machine alone")
    add("--transfer", choices=("auto", "paths", "upload"), help="how pixels get to the server (auto)")
    add("--json", action="store_true", help="print the events as JSON lines, nothing else")
