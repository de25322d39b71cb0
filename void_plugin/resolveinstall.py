"""`void resolve install`, `uninstall` and `check`: scripts for Resolve's menu, with nothing for Resolve's own Python.

What runs lies in a folder of ours beside Resolve's script folder, where no menu lists it. The scripts in the menu are
copies of those in there, so that one that its owner has changed is known and left alone.
"""

import os
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from void_plugin.errors import HostError
from void_plugin.hostfolder import HostFolder, Receipt
from void_plugin.hosthalf import SCRIPTS, host_files
from void_plugin.hostpython import check_configuration, configure_python
from void_plugin.userfiles import read_for_change, remove, replace, telling

HOST = "resolve"
MENU = ("Scripts", "Utility")
"""Where the menu looks, below Fusion's folder; what lies in `Utility` is shown on every page."""
_PLACE = b'FOLDER = ""'


class Installed(NamedTuple):
    """What an installation did."""

    folder: str
    replaced: str
    """Version that was there before; empty for none."""
    files: int
    changed: tuple[str, ...]
    """Which of `folder`, `configuration` and `menu` were not so already."""
    kept: tuple[str, ...]
    """Paths of what is somebody else's, or was changed by them."""


class Uninstalled(NamedTuple):
    """What was taken away."""

    was_there: bool
    kept: tuple[str, ...]
    """Paths of what is somebody else's, or was changed by them."""


def fusion_folder(given: str | None, everybody: bool, environment: Mapping[str, str], platform: str) -> Path:
    """The folder that holds `Scripts`, of this user or of all users (Blackmagic's scripting README)."""
    if given:
        return Path(os.path.abspath(os.path.expanduser(given))).parent
    home = Path(environment.get("HOME") or os.path.expanduser("~"))
    if platform == "win32":
        vendor = "Blackmagic Design/DaVinci Resolve"
        if everybody:
            return Path(environment.get("PROGRAMDATA") or "C:/ProgramData") / vendor / "Fusion"
        return Path(environment.get("APPDATA") or home / "AppData/Roaming") / vendor / "Support/Fusion"
    if platform == "darwin":
        root = Path("/") if everybody else home
        return root / "Library/Application Support/Blackmagic Design/DaVinci Resolve/Fusion"
    return Path("/opt/resolve/Fusion") if everybody else home / ".local/share/DaVinciResolve/Fusion"


def wanted_files(folder: Path) -> dict[str, bytes]:
    """What is to lie in our folder; the scripts in it know where that is, since Resolve does not tell them."""
    files = {name: path.read_bytes() for name, path in host_files(HOST).items()}
    place = f"FOLDER = {folder.as_posix()!a}".encode("ascii")
    for name in SCRIPTS[HOST]:
        if files[name].count(_PLACE) != 1:
            raise HostError(f"The script {name} of this void_plugin is damaged; install it anew.", "host.folder")
        files[name] = files[name].replace(_PLACE, place)
    return files


def install(fusion: Path, python: str, environment: Mapping[str, str]) -> Installed:
    """Put the scripts into the menu, or the present version in place of another.

    Raises VoidError, as far as possible before anything is changed.
    """
    ours, menu = HostFolder(fusion, HOST), fusion.joinpath(*MENU)
    files = wanted_files(ours.path)
    check_configuration(environment)
    with telling(fusion):
        made = [folder for folder in (menu, *menu.parents) if not folder.exists()]
        menu.mkdir(parents=True, exist_ok=True)
    ours.recover()
    before = ours.receipt()
    present = {name: read_for_change(menu / name) for name in SCRIPTS[HOST]}
    foreign = [
        str(menu / name) for name in SCRIPTS[HOST] if before is None and present[name] not in (None, files[name])
    ]
    if foreign:
        raise HostError(
            f"{foreign[0]} was not made by void resolve install, so it was left as it is; move it away and run the "
            "same command again.",
            "host.folder",
        )
    own = {name for name, content in present.items() if content is not None and _is_own(ours, before, name, content)}
    created = sorted(
        {*(before.created if before else ()), *(_below(folder, fusion) for folder in made if fusion in folder.parents)}
    )
    changed, kept = [], []
    if not ours.holds(files, created):
        kept = [str(ours.path / name) for name in ours.put(files, created)]
        changed.append("folder")
    if configure_python(python, environment):
        changed.append("configuration")
    for name, content in present.items():  # last, so that nothing in the menu leads to what is half there
        if content is not None and name not in own and content != files[name]:
            kept.append(str(menu / name))
        elif content != files[name]:
            replace(menu / name, files[name])
            changed.append("menu")
    once = tuple(dict.fromkeys(changed))
    return Installed(str(ours.path), before.version if before else "", len(files), once, tuple(kept))


def uninstall(fusion: Path) -> Uninstalled:
    """Take out what `install` put there, and nothing else. Raises HostError where it cannot."""
    ours, menu = HostFolder(fusion, HOST), fusion.joinpath(*MENU)
    if not fusion.is_dir():
        return Uninstalled(False, ())
    ours.recover()
    receipt = ours.receipt()
    kept = []
    for name in SCRIPTS[HOST]:
        content = read_for_change(menu / name) if receipt is not None else None
        if content is None:
            continue
        if _is_own(ours, receipt, name, content):
            remove(menu / name)
        else:
            kept.append(str(menu / name))
    kept += [str(ours.path / name) for name in ours.take_away()]
    for folder in sorted((receipt.created if receipt else []), reverse=True):
        _remove_empty(fusion / folder)
    return Uninstalled(receipt is not None, tuple(kept))


def faults(fusion: Path) -> Iterator[str]:
    """What is wrong with an installation, as sentences; nothing where it is as this version would make it."""
    ours, menu = HostFolder(fusion, HOST), fusion.joinpath(*MENU)
    receipt = ours.receipt() if fusion.is_dir() else None
    if receipt is None:
        yield f"The scripts are not installed in {fusion}; run void resolve install."
        return
    files = wanted_files(ours.path)
    if not ours.holds(files, receipt.created):
        yield f"{ours.path} is of version {receipt.version} or was changed; run void resolve install again."
    for name in SCRIPTS[HOST]:
        content = read_for_change(menu / name)
        if content != files[name]:
            what = "is missing" if content is None else "is not the one of this version"
            yield f"{menu / name} {what}; run void resolve install again."


def _is_own(ours: HostFolder, receipt: Receipt | None, name: str, content: bytes) -> bool:
    """True where a script in the menu is the copy that an installation put there."""
    return receipt is not None and receipt.files.get(name) == sha256(content).hexdigest()


def _below(folder: Path, fusion: Path) -> str:
    return Path(os.path.relpath(folder, fusion)).as_posix()


def _remove_empty(folder: Path) -> None:
    with telling(folder):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
