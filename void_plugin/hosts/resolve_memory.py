"""What was changed in Resolve and must be put back, kept in a file for the case that nobody lives to do it."""

import contextlib
import json
import os
import time
from typing import Any, Dict, List, Mapping, NamedTuple

from void_plugin.config import state_folder
from void_plugin.errors import HostError
from void_plugin.hosts.resolve_calls import CODE

FRESH_SECONDS = 60.0
"""A record that was touched since is of a process that lives."""
OLD_SECONDS = 30 * 86400.0
UNDER_WAY = "Another export of VOID is under way; wait until it is done."
_ENDING = ".restore.json"


class Kept(NamedTuple):
    """A record and its file."""

    path: str
    state: Dict[str, Any]


class Memory:
    """The records of one user."""

    def __init__(self, folder: str) -> None:
        """Nothing is touched before the first record."""
        self._folder = folder

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Memory":
        """In the usual place."""
        return cls(os.path.join(state_folder(environment), "resolve"))

    def keep(self, name: str, state: Mapping[str, Any]) -> None:
        """Write or write again the record of a name. Raises HostError where it cannot be written."""
        path = self._path(name)
        try:
            os.makedirs(self._folder, exist_ok=True)
            with open(path + ".part", "w", encoding="utf-8") as stream:
                json.dump(state, stream)
            os.replace(path + ".part", path)
        except OSError as error:
            raise HostError(
                "What is to be restored in Resolve cannot be noted in {} ({}); free some space, or correct the rights "
                "of that folder.".format(path, error.strerror or error),
                CODE,
            ) from error

    def claim(self, name: str, state: Mapping[str, Any]) -> None:
        """Write the first record of an export. Raises HostError where it cannot be, or beside another export."""
        self.keep(name, state)
        try:
            self.check(state["project"]["id"], name)  # of two that begin at once, the later one sees the other
        except HostError:
            self.forget(name)
            raise

    def check(self, project: str, own: str = "") -> None:
        """Raise HostError where a process that seems to live exports from a project, under another name.

        What it has changed for its render, a second export would take for what the user had.
        """
        for kept in self.all():
            its = kept.state.get("project", {}).get("id")
            if its == project and kept.path != self._path(own) and self.is_fresh(kept):
                raise HostError(UNDER_WAY, CODE)

    def leave(self, name: str, state: Mapping[str, Any]) -> None:
        """Keep a record for a later run, as nobody works on it any more. Raises HostError."""
        self.keep(name, state)
        then = time.time() - 2 * FRESH_SECONDS
        with contextlib.suppress(OSError):  # without, it seems to be of a process that lives, for a minute
            os.utime(self._path(name), (then, then))

    def touch(self, name: str) -> None:
        """Show that its process lives."""
        with contextlib.suppress(OSError):  # without, a second process may take it for one that was left
            os.utime(self._path(name))

    def forget(self, name: str) -> None:
        """Delete the record of a name; nothing where there is none."""
        with contextlib.suppress(OSError):  # what is restored once more does no harm
            os.remove(self._path(name))

    def expire(self, kept: Kept) -> None:
        """Forget a record that is so old that nobody will miss what it would put back."""
        if time.time() - float(kept.state.get("since", 0.0)) > OLD_SECONDS:
            with contextlib.suppress(OSError):
                os.remove(kept.path)

    def names(self) -> List[str]:
        """What all records are kept under."""
        return [os.path.basename(kept.path)[: -len(_ENDING)] for kept in self.all()]

    def all(self) -> List[Kept]:
        """Every record that can be read, the oldest first; others are of no use to anybody."""
        found = []
        with contextlib.suppress(OSError):  # none was ever written
            for name in sorted(os.listdir(self._folder)):
                path = os.path.join(self._folder, name)
                with contextlib.suppress(OSError, ValueError):
                    if name.endswith(_ENDING):
                        with open(path, encoding="utf-8") as stream:
                            state = json.load(stream)
                        if isinstance(state, dict):
                            found.append(Kept(path, state))
        return sorted(found, key=lambda kept: kept.state.get("since", 0.0))

    def is_fresh(self, kept: Kept) -> bool:
        """True where its process seems to live."""
        try:
            return time.time() - os.path.getmtime(kept.path) < FRESH_SECONDS
        except OSError:
            return False

    def _path(self, name: str) -> str:
        return os.path.join(self._folder, name + _ENDING)
