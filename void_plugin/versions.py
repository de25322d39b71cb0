"""The version folders of a node: `v001`, `v002` ... beside `test` and `preview`; reserving, listing, removing them."""

import contextlib
import logging
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from void_plugin.claim import claimed, is_claimed
from void_plugin.errors import HostError, VoidError
from void_plugin.jobrecord import NAME as RECORD
from void_plugin.jobrecord import JobRecord
from void_plugin.localfiles import disk_error, undisturbed
from void_plugin.manifest import is_finished, read_manifest

TEST, PREVIEW = "test", "preview"
"""Folders that have no number: each new one takes the place of the one before."""
_NUMBERED = re.compile(r"v(\d{3,9})\Z")
_TRASH = re.compile(r"\.(v\d{3,9}|test|preview)-[0-9a-f]{8}\.deleted\Z")
_TRIES = 5
_TRY_SECONDS = 0.2

log = logging.getLogger(__name__)


def numbered(output: Path) -> list[tuple[int, Path]]:
    """The version folders in an output folder, whatever they hold, by number. Raises ServerError."""
    try:
        names = os.listdir(output)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise HostError(f"{output} cannot be read: {error.strerror or error}.", "host.folder") from error
    found = [(int(match.group(1)), output / name) for name in names if (match := _NUMBERED.match(name))]
    return sorted(found)


def reserve(output: Path, record: JobRecord) -> tuple[int, Path]:
    """Make the next version folder, which nobody else has made, and its job.json. Raises ServerError."""
    number = max((number for number, _ in numbered(output)), default=0)
    while True:
        number += 1
        folder = output / f"v{number:03d}"
        try:
            _make(folder)
        except OSError as error:
            if isinstance(error, FileExistsError) and output.is_dir():  # another node or machine was faster
                continue
            raise disk_error(error, output) from error
        _begin(folder, replace(record, version=number))
        return number, folder


def renew(folder: Path, record: JobRecord) -> Path:
    """Make an empty `test` or `preview` folder in place of the one before.

    Raises HostError where that is still being made, or is a folder of somebody else's.
    """
    if folder.exists():
        _refuse_foreign(folder)
        if is_claimed(folder):
            raise HostError(f"{folder} is still being made; wait for it, or cancel it.", "host.taken")
        remove_folder(folder)
    try:
        _make(folder)
    except OSError as error:
        raise disk_error(error, folder.parent) from error
    _begin(folder, record)
    return folder


def _make(folder: Path) -> None:
    """Make a version folder that is not there yet, and what it lies in. Raises OSError."""
    undisturbed(lambda: folder.mkdir(parents=True))


def _begin(folder: Path, record: JobRecord) -> None:
    try:
        record.save(folder)
    except VoidError:  # a full disk lets us make a folder, but not fill it
        folder.rmdir()
        raise


def give_back(folder: Path) -> None:
    """Remove a folder that was reserved and in which nothing was started; nothing where it is gone.

    Raises HostError where it is more than reserved.
    """
    if not folder.exists():
        return
    record = JobRecord.load(folder)
    if record.state != "reserved" or is_finished(folder):
        raise HostError(f"{folder} is not only reserved, it is {record.state}; it was kept.", "host.folder")
    remove_folder(folder)


def listing(output: Path) -> list[dict[str, Any]]:
    """The version folders with what they are, by number."""
    return [_row(number, folder) for number, folder in numbered(output)]


def delete(output: Path, folders: Sequence[Path]) -> dict[str, Any]:
    """Remove version folders of an output folder; what cannot go is told and keeps none of the others."""
    deleted: list[str] = []
    kept: list[dict[str, str]] = []
    total = 0
    for folder in folders:
        try:
            _refuse_elsewhere(output, folder)
            _refuse_foreign(folder)
            record = _record_of(folder)
            if record and record.state == "farm" and not is_finished(folder):
                raise HostError(f"{folder} is on the farm; cancel it there first.", "host.taken")
            with claimed(folder, record.whose if record else "somebody"):
                size = size_of(folder)
            remove_folder(folder)
        except VoidError as error:
            kept.append({"folder": folder.as_posix(), "text": error.message})
        else:
            deleted.append(folder.as_posix())
            total += size
    return {"deleted": deleted, "bytes": total, "kept": kept}


def remove_folder(folder: Path) -> None:
    """Remove a folder of ours: it is gone from its place at once, and then from the disk. Raises ServerError."""
    trash = folder.with_name(f".{folder.name}-{uuid.uuid4().hex[:8]}.deleted")
    # On Windows somebody may have one of its files open for a moment.
    if _done_in_the_end(folder, lambda: folder.rename(trash)):
        # A server that was told to stop may still write its last file.
        _done_in_the_end(trash, lambda: shutil.rmtree(trash))


def _done_in_the_end(folder: Path, act: Callable[[], object]) -> bool:
    """Try something with a folder until nothing is in its way; False where the folder is gone. Raises ServerError."""
    for left in reversed(range(_TRIES)):
        try:
            act()
            return True
        except FileNotFoundError:
            return False
        except OSError as error:
            if not left:
                raise disk_error(error, folder) from error
        time.sleep(_TRY_SECONDS)
    raise AssertionError("the last try returns or raises")


def sweep(output: Path) -> None:
    """Remove what is left of removals that were cut short."""
    for name in os.listdir(output):
        if _TRASH.match(name):
            shutil.rmtree(output / name, ignore_errors=True)


def size_of(folder: Path) -> int:
    """Bytes of all files in a folder."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):  # a temporary file that has gone since
                total += os.lstat(os.path.join(place, name)).st_size
    return total


# -- what a folder is ---------------------------------------------------------------------------------------------


def _row(number: int, folder: Path) -> dict[str, Any]:
    row = {
        "version": number,
        "folder": folder.as_posix(),
        "state": "broken",
        "text": "",
        "frames": "",
        "bytes": size_of(folder),
        "made": _changed(folder),
    }
    try:
        row.update(_facts(folder))
    except HostError as error:
        row.update(state="newer" if error.code == "host.newer" else "broken", text=error.message)
    return row


def _facts(folder: Path) -> dict[str, Any]:
    if is_finished(folder):
        manifest = read_manifest(folder)
        summary = manifest.get("summary")
        text = summary.get("shares") if isinstance(summary, dict) else ""
        known = {key: str(manifest.get(key) or "") for key in ("frames", "made")}
        return {"state": "done", "text": str(text or ""), **known}
    record = JobRecord.load(folder)
    texts = {
        "reserved": f"Reserved by {record.whose}; nothing was started.",
        "running": f"Begun by {record.whose}, and not finished yet.",
        "farm": f"On the farm as {', '.join(record.job_names) or 'a job without a name yet'}, by {record.whose}.",
        "failed": record.error.get("text", ""),
        "done": "Finished, but its manifest is missing.",
    }
    state = "broken" if record.state == "done" else record.state
    return {"state": state, "text": texts[record.state], "frames": record.frames, "made": record.made}


def _record_of(folder: Path) -> JobRecord | None:
    """Its job.json, or None where that cannot be read."""
    try:
        return JobRecord.load(folder)
    except HostError:
        return None


def _changed(folder: Path) -> str:
    try:
        return datetime.fromtimestamp(folder.stat().st_mtime).astimezone().isoformat(timespec="seconds")
    except OSError:  # deleted since it was listed
        return ""


def _refuse_elsewhere(output: Path, folder: Path) -> None:
    known = _NUMBERED.match(folder.name) or folder.name in (TEST, PREVIEW)
    if not known or Path(os.path.abspath(folder)).parent != Path(os.path.abspath(output)):
        raise HostError(f"{folder} is no version folder of {output}; it was kept.", "host.folder")


def _refuse_foreign(folder: Path) -> None:
    """Raise HostError for a folder that holds things, but nothing of ours, or that is no folder."""
    if folder.is_symlink() or not folder.is_dir():
        what = "is no folder" if os.path.lexists(folder) else "does not exist"
        raise HostError(f"{folder} {what}; correct the path.", "host.folder")
    try:
        ours = (folder / RECORD).exists() or is_finished(folder)
        if ours or not any(folder.iterdir()):
            return
    except OSError as error:
        raise HostError(f"{folder} cannot be read: {error.strerror or error}.", "host.folder") from error
    raise HostError(
        f"{folder} holds files that void_plugin has not made, so it was kept; choose another output folder, or remove "
        "it by hand.",
        "host.folder",
    )
