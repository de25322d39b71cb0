"""The folder of ours below a host's own: put there whole, replaced whole, taken away without anybody else's files.

A receipt in it, `installed.json`, tells what was put there, with the SHA-256 of each file. Whatever differs from that
is somebody else's and stays.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from void_plugin import __version__
from void_plugin.errors import HostError
from void_plugin.hosthalf import PACKAGE
from void_plugin.userfiles import telling

RECEIPT = "installed.json"
SCHEMA = 1


class Receipt(NamedTuple):
    """What an installation wrote down about itself."""

    version: str
    """Of void_plugin."""
    files: dict[str, str]
    """SHA-256 of each file by its path in the folder, with slashes."""
    created: list[str]
    """Names of the host's start-up files that were not there before."""


class HostFolder:
    """The folder `void_plugin` below the folder of a host."""

    def __init__(self, host_folder: Path, host: str) -> None:
        """`host` is such as `nuke`, for sentences. Nothing is touched yet."""
        self._host_folder, self._host = host_folder, host
        self.path = host_folder / PACKAGE
        # Beside it, so that taking its place is one rename. A killed run leaves these for the next one.
        self._new = host_folder / f".{PACKAGE}.new"
        self._old = host_folder / f".{PACKAGE}.old"

    def recover(self) -> None:
        """Clear up after a run that was killed: what was in place is in place again, what was half there is gone."""
        with telling(self._host_folder):
            if self._old.exists() and not self.path.exists():
                os.rename(self._old, self.path)
            for left in (self._old, self._new):
                if left.exists():
                    shutil.rmtree(left)

    def receipt(self) -> Receipt | None:
        """What is installed; None where nothing is, or what is there is somebody else's.

        Raises HostError for the folder of a newer void_plugin.
        """
        with telling(self._host_folder):
            if self.path.is_symlink() or not (self.path / RECEIPT).is_file():
                return None
            return _receipt((self.path / RECEIPT).read_bytes(), self.path, self._host)

    def is_foreign(self) -> bool:
        """True where something is in its place that `put` did not make. Raises HostError as `receipt`."""
        with telling(self._host_folder):
            if self.path.is_dir() and not self.path.is_symlink():
                return any(self.path.iterdir()) and self.receipt() is None
            return os.path.lexists(self.path)

    def holds(self, files: Mapping[str, bytes], created: list[str]) -> bool:
        """True where exactly these files are installed, unchanged."""
        receipt = self.receipt()
        if receipt != Receipt(__version__, _digests(files), created):
            return False
        return all(self._is_as_written(name, receipt) for name in files)

    def put(self, files: Mapping[str, bytes], created: list[str]) -> list[str]:
        """Make the folder hold these files, in one step; returns the paths in it of what else it keeps.

        Files that we did not write stay; those of ours that somebody has changed stay beside the new ones as
        `NAME.changed`. Raises HostError, also where the folder is foreign; then what was there before is there still.
        """
        receipt = self.receipt()
        if self.is_foreign():
            raise HostError(
                f"{self.path} was not made by void {self._host} install, so it was left as it is; move it away and run "
                "the same command again.",
                "host.folder",
            )
        with telling(self._host_folder):
            try:
                for name, content in files.items():
                    target = self._new / name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(content)
                about = {"schema": SCHEMA, "version": __version__, "files": _digests(files), "created": created}
                (self._new / RECEIPT).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
                kept = list(self._carry_over(receipt)) if receipt is not None else []
                if self.path.exists():
                    os.rename(self.path, self._old)
                os.rename(self._new, self.path)
            except OSError:
                if self._old.exists() and not self.path.exists():
                    os.rename(self._old, self.path)
                shutil.rmtree(self._new, ignore_errors=True)
                raise
        shutil.rmtree(self._old, ignore_errors=True)  # what stays is for the next run
        return kept

    def take_away(self) -> list[str]:
        """Remove what we wrote; returns the paths in the folder of what is left, of others or changed by them.

        Raises HostError as `receipt`, and where something cannot be removed.
        """
        receipt = self.receipt()
        if receipt is None and self.is_foreign():
            return ["."]
        with telling(self._host_folder):
            left = [] if receipt is None else [name for name in self._all() if not self._is_ours(name, receipt)]
            for name in sorted(set(self._all()) - {*left, RECEIPT}):
                (self.path / name).unlink()
            for folder in sorted((path for path in self.path.rglob("*") if path.is_dir()), reverse=True):
                if not folder.is_symlink() and not any(folder.iterdir()):
                    folder.rmdir()
            # The receipt goes last, so that a run that was killed can be repeated.
            (self.path / RECEIPT).unlink(missing_ok=True)
            if not left and self.path.exists():
                self.path.rmdir()
        return left

    def _all(self) -> Iterator[str]:
        """The paths of all files and links in the folder."""
        for place, folders, names in os.walk(self.path):
            for name in (*names, *(name for name in folders if os.path.islink(os.path.join(place, name)))):
                yield Path(place, name).relative_to(self.path).as_posix()

    def _is_ours(self, name: str, receipt: Receipt) -> bool:
        if name == RECEIPT:
            return True
        path = Path(name)
        if path.suffix == ".pyc" and path.parent.name == "__pycache__":  # left by a host that imported a module of ours
            return (path.parent.parent / path.name.split(".")[0]).with_suffix(".py").as_posix() in receipt.files
        return self._is_as_written(name, receipt)

    def _is_as_written(self, name: str, receipt: Receipt) -> bool:
        path = self.path / name
        if path.is_symlink() or not path.is_file():
            return False
        return receipt.files.get(name) == sha256(path.read_bytes()).hexdigest()

    def _carry_over(self, receipt: Receipt) -> Iterator[str]:
        for name in sorted(self._all()):
            if self._is_ours(name, receipt):
                continue
            kept = name if name not in receipt.files else f"{name}.changed"
            while os.path.lexists(self._new / kept):
                kept += ".changed"
            (self._new / kept).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(self.path / name, self._new / kept, follow_symlinks=False)
            yield kept


def _digests(files: Mapping[str, bytes]) -> dict[str, str]:
    return {name: sha256(content).hexdigest() for name, content in files.items()}


def _receipt(content: bytes, folder: Path, host: str) -> Receipt | None:
    """None for what is none. Raises HostError for one that a later version wrote."""
    try:
        values = json.loads(content)
    except ValueError:
        return None
    if not isinstance(values, dict) or not isinstance(values.get("schema"), int):
        return None
    if values["schema"] > SCHEMA:
        raise HostError(
            f"{folder} was made by void_plugin {values.get('version')}, which is newer than this one; take it out with "
            f"the void {host} uninstall of that version first.",
            "host.newer",
        )
    files, created = values.get("files"), values.get("created")
    if not isinstance(files, dict) or not isinstance(created, list):
        return None
    return Receipt(str(values.get("version")), {str(name): str(digest) for name, digest in files.items()}, created)
