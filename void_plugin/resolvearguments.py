"""The options of `void resolve`."""

import argparse

from void_plugin.farmarguments import count

ACTIONS = {"remove": "remove", "collect": "collect", "jobs": "jobs", "round-trip": "check", "clean": "clean"}
"""Commands that act on the timeline that is open, and what each is called there."""
INSTALLER = ("install", "uninstall", "check")


def add_resolve(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `void resolve` and what it can do."""
    resolve = commands.add_parser("resolve", help="remove objects on the timeline that is open in DaVinci Resolve")
    resolve.description = (
        "Works on the DaVinci Resolve Studio that runs on this machine, where Preferences > System > General > "
        "External scripting using must be Local. For the free edition export the timeline as .otio and use `void otio`."
    )
    actions = resolve.add_subparsers(dest="resolve", required=True, metavar="ACTION")
    remove = actions.add_parser("remove", help="send clips of the open timeline")
    _add_picks(remove)
    _add_wishes(remove)
    collect = actions.add_parser("collect", help="place the results that are ready")
    collect.add_argument("--wait", action="store_true", help="stay until all have ended, and place those too")
    collect.add_argument("--retry", action="store_true", help="go on with those that have failed")
    jobs = actions.add_parser("jobs", help="say how what was sent from this timeline stands")
    trip = actions.add_parser("round-trip", help="take three frames out and in again, and measure the difference")
    _add_picks(trip)
    _add_route(trip)
    clean = actions.add_parser("clean", help="remove everything that void_plugin has added to the project")
    for command in (remove, collect, jobs, trip, clean):
        command.add_argument("--python", metavar="PY", help="the Python that may load Resolve's library")
        command.add_argument("--json", action="store_true", help="print the result as JSON, and nothing else")
    _add_installer(actions)


def _add_picks(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("which clips").add_argument
    picks = ("auto", "selected", "playhead", "markers", "all")
    add("--pick", choices=picks, default="auto", help="selected ones, else at the playhead, else with a marker (auto)")
    add("--clip", action="append", default=[], metavar="NAME", help="only those of these names")


def _add_route(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("pixels").add_argument
    add("--plate", choices=("auto", "files", "render"), default="auto", help="the clip's files or movie, or rendered")
    add("--preset", default="VOID Plate", metavar="NAME", help="render preset to use where there is one (%(default)s)")
    add("--output", metavar="DIR", help="folder of all results; default VOID beside the media")


def _add_wishes(parser: argparse.ArgumentParser) -> None:
    _add_route(parser)
    add = parser.add_argument_group("what each needs").add_argument
    add("--matte", default="", metavar="PATTERN", help="matte; {shot} is the clip's name; fusion:NAME a Saver")
    add("--matte-root", metavar="DIR", help="mattes as DIR/CLIP/CLIP.####.exr or DIR/CLIP.####.exr")
    add("--handles", type=count, default=8, metavar="N", help="frames beyond the cut, delivered (%(default)s)")
    add("--context", type=count, default=48, metavar="N", help="frames beyond those, only looked at (%(default)s)")
    add("--all-context", dest="context", action="store_const", const=-1, help="look at all of the media")
    add("--engine", default="auto", metavar="NAME", help="auto, void or recover (%(default)s)")
    add("--prompt", default="", metavar="TEXT", help="the background, where the note of a marker says none")
    add("--colour", default="", metavar="SPACE", help="colour space of the plates; default what the project says")
    add("--setting", action="append", default=[], metavar="NAME=VALUE", help="one more setting, such as seed=7")
    add = parser.add_argument_group("this run").add_argument
    add("--dry-run", action="store_true", help="say what would be done, and do nothing")
    add("--panel", action="store_true", help="look at the clips in a panel first: mask, settings, which to send")
    add("--farm", default="", metavar="NAME", help="let a farm do the jobs; `default` is the one of the site file")
    add("--place", action="store_true", help="place results as soon as they are there, also while you work")
    add("--no-wait", dest="wait", action="store_false", help="leave the jobs to the server, and collect later")
    add("--retry", action="store_true", help="go on with jobs that have failed, with what was rendered for them")
    add("--priority", type=count, default=50, metavar="0-100", help="place in the queue, higher first (%(default)s)")
    add("--server", default="", metavar="ADDRESS", help="host:port or unix:/path; default the configured one")


def _add_installer(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    install = actions.add_parser("install", help="put the scripts into the menu Workspace > Scripts, or bring them up")
    uninstall = actions.add_parser("uninstall", help="take out of the menu what install put there")
    check = actions.add_parser("check", help="say whether the scripts are installed as they should be")
    for command in (install, uninstall, check):
        where = command.add_mutually_exclusive_group()
        where.add_argument("--system", action="store_true", help="for all users of this machine, not for you alone")
        where.add_argument(
            "--scripts-dir", metavar="DIR", help="Resolve's folder Fusion/Scripts, where it is elsewhere"
        )
    install.add_argument("--python", metavar="PY", help="the Python that has void_plugin; default the one of this void")
    for command in (install, check):
        command.add_argument("--json", action="store_true", help="print JSON")
