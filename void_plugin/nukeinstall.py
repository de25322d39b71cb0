"""`void nuke install` and `uninstall`: the plug-in in a user's Nuke folder, with nothing for Nuke's own Python.

One block in the folder's init.py adds `void_plugin` beside it to Nuke's plug-in path. Nuke then reads init.py and
menu.py in there by itself, so that the user's menu.py is left alone.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from void_plugin import __version__
from void_plugin.config import config_path
from void_plugin.errors import HostError
from void_plugin.hostfolder import HostFolder
from void_plugin.hosthalf import host_files
from void_plugin.hostpython import absolute_python, check_configuration, check_python, configure_python, try_sidecar
from void_plugin.markerblock import has_block, with_block, without_block
from void_plugin.progress import print_table
from void_plugin.userfiles import read_for_change, remove, replace, telling

INIT = "init.py"
"""The file that every Nuke reads from its folders, also one without windows; menu.py then follows by itself."""


class Installed(NamedTuple):
    """What an installation did."""

    folder: str
    replaced: str
    """Version that was there before; empty for none."""
    files: int
    changed: tuple[str, ...]
    """Which of `folder`, `configuration` and `init.py` were not so already."""
    kept: tuple[str, ...]
    """Paths in the folder that are somebody else's."""


class Uninstalled(NamedTuple):
    """What was taken away."""

    was_there: bool
    kept: tuple[str, ...]
    """Paths that are somebody else's, or changed by them."""
    init: str
    """What became of init.py: `removed`, `cleared` of our block, or `untouched`."""


def run(options: argparse.Namespace, environment: Mapping[str, str]) -> bool:
    """Run one of the two commands and print what it did. Raises VoidError with nothing half done."""
    folder = nuke_folder(options.nuke_dir, environment)
    if options.action == "uninstall":
        _print_uninstalled(folder, uninstall(folder), environment)
        return True
    python = absolute_python(options.python or sys.executable, environment)
    check_python(python, environment)
    seconds = try_sidecar(python, environment)
    done = install(folder, python, environment)
    if options.json:
        about = {**done._asdict(), "version": __version__, "python": python, "seconds_to_answer": round(seconds, 3)}
        print(json.dumps({**about, "nuke_dir": str(folder), "config": config_path(environment)}, indent=2))
    else:
        _print_installed(folder, done, python, seconds, environment)
    return True


def nuke_folder(given: str | None, environment: Mapping[str, str]) -> Path:
    """The user's Nuke folder, where Nuke itself looks for it: `.nuke` below HOME, which it heeds on Windows too."""
    if given:
        return Path(os.path.abspath(os.path.expanduser(given)))
    return Path(environment.get("HOME") or os.path.expanduser("~")) / ".nuke"


def install(folder: Path, python: str, environment: Mapping[str, str]) -> Installed:
    """Put the plug-in into a Nuke folder, or the present version in place of another; the last step switches it on.

    Raises VoidError, as far as possible before anything is changed.
    """
    files = {name: path.read_bytes() for name, path in host_files("nuke").items()}
    if not folder.parent.is_dir():
        raise HostError(f"There is no folder {folder.parent} for the Nuke folder {folder}.", "host.folder")
    with telling(folder):
        folder.mkdir(exist_ok=True)
    ours = HostFolder(folder, "nuke")
    ours.recover()
    before = ours.receipt()
    init = folder / INIT
    content = read_for_change(init)
    text = with_block(content or b"", _lines(ours.path), str(init))
    check_configuration(environment)

    was_ours = before is not None and INIT in before.created and has_block(content or b"", str(init))
    created = [INIT] if content is None or was_ours else []
    changed, kept = [], []
    if not ours.holds(files, created):
        kept = ours.put(files, created)
        changed.append("folder")
    if configure_python(python, environment):
        changed.append("configuration")
    if text != content:
        replace(init, text)
        changed.append(INIT)
    return Installed(str(ours.path), before.version if before else "", len(files), tuple(changed), tuple(kept))


def uninstall(folder: Path) -> Uninstalled:
    """Take out of a Nuke folder what `install` put there, and nothing else. Raises HostError where it cannot."""
    ours = HostFolder(folder, "nuke")
    if not folder.is_dir():
        return Uninstalled(False, (), "untouched")
    ours.recover()
    receipt = ours.receipt()
    init = folder / INIT
    content = read_for_change(init)
    rest = without_block(content or b"", str(init))
    what = "untouched"
    # First what switches it on, so that no Nuke looks for what is half gone.
    if content is not None and rest != content:
        if not rest and receipt is not None and INIT in receipt.created:
            remove(init)
            what = "removed"
        else:
            replace(init, rest)
            what = "cleared"
    kept = ours.take_away()
    return Uninstalled(receipt is not None or what != "untouched", tuple(kept), what)


def _lines(folder: Path) -> list[str]:
    """The block in init.py: plain ASCII whatever the folder is called, and never a reason for Nuke not to start."""
    return [
        "try:",
        "    import nuke",
        f"    nuke.pluginAddPath({folder.as_posix()!a})",
        "except Exception as void_plugin_error:",
        "    print('void_plugin: not loaded: {}'.format(void_plugin_error))",
    ]


def _print_installed(
    folder: Path, done: Installed, python: str, seconds: float, environment: Mapping[str, str]
) -> None:
    before = f"in place of {done.replaced}" if done.replaced not in ("", __version__) else "new"
    if done.replaced == __version__:
        before = "put there again"
    about = f"void_plugin {__version__}, {done.files} files, {before if 'folder' in done.changed else 'as it was'}"
    where = f"{'written to' if 'configuration' in done.changed else 'as it was in'} {config_path(environment)}"
    rows = [
        ("plug-in", f"{done.folder} ({about})"),
        ("start-up", f"{folder / INIT} ({'our block written' if INIT in done.changed else 'as it was'})"),
        ("Python", f"{python} ({where})"),
        ("self-test", f"the sidecar answered after {seconds:.1f} s"),
    ]
    rows += [("kept", f"{Path(done.folder, name)}, which is not ours") for name in done.kept]
    other = environment.get("VOID_PLUGIN_PYTHON")
    if other and other != python:
        rows.append(("note", f"$VOID_PLUGIN_PYTHON is set to {other}, and wins over the configuration"))
    rows.append(("next", "start Nuke anew; VoidRemove is in the menu VOID"))
    print_table(Console(), rows)


def _print_uninstalled(folder: Path, done: Uninstalled, environment: Mapping[str, str]) -> None:
    ours = HostFolder(folder, "nuke").path
    kept = [("kept", f"{ours / name}, which is not ours or was changed") for name in done.kept]
    if not done.was_there:
        print(f"There was no void_plugin in {folder}.")
        print_table(Console(), kept)
        return
    init = {
        "removed": "removed, since it held nothing else",
        "cleared": "our block removed, the rest as it was",
        "untouched": "as it was, without a block of ours",
    }
    rows = [("plug-in", f"{ours} ({'what is ours removed' if done.kept else 'removed'})")]
    rows += [("start-up", f"{folder / INIT} ({init[done.init]})"), *kept]
    rows.append(("kept", f"{config_path(environment)}, which other hosts read too"))
    print_table(Console(), rows)
