"""The rendered inputs of a version: are they all there, and what were they."""

import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from void_plugin.errors import FrameError
from void_plugin.frames import Digest, FrameRange, ImageSequence
from void_plugin.request import RemovalRequest
from void_plugin.transfer import input_files

FOLDER = "inputs"
"""Folder of a version that holds what the host has rendered for it; gone once the version is finished."""

Check = Callable[[], None]
"""Raises where the work is to end."""


def check_sequences(files: Mapping[str, tuple[str, FrameRange]], check: Check) -> None:
    """Raise FrameError for the first frame of these patterns, by name, that is missing, empty or unreadable."""
    for name, (pattern, frames) in files.items():
        sequence = ImageSequence(pattern)
        for frame in frames:
            check()
            check_file(name, sequence.path(frame))


def check_request(request: RemovalRequest, check: Check) -> None:
    """Raise FrameError for what a job would look at and that is missing, empty or unreadable."""
    for file in input_files(request):
        check()
        check_file(file.input.replace("_", " "), file.path)


def check_file(name: str, path: str) -> None:
    """Raise FrameError where a file of an input is missing, empty or unreadable."""
    try:
        with open(path, "rb") as stream:
            first = stream.read(1)
    except FileNotFoundError as error:
        raise FrameError(f"The {name} {path} is missing; render the inputs again.", "frame.missing") from error
    except OSError as error:
        raise FrameError(
            f"The {name} {path} cannot be read: {error.strerror or error}; correct its rights, or render it again.",
            "frame.unreadable",
        ) from error
    if not first:
        raise FrameError(
            f"The {name} {path} is empty; look whether the disk is full, then render the inputs again.",
            "frame.unreadable",
        )


def digest_of(folder: Path, requests: Mapping[str, RemovalRequest], check: Check) -> str:
    """SHA-256 over all input files: those in the version folder by what they hold, others by name, size and time.

    The others are plates that lie on disk anyway, and may be terabytes. Raises FrameError where one has gone.
    """
    state = hashlib.sha256()
    inputs = os.path.join(os.path.abspath(folder), FOLDER, "")
    for view, request in sorted(requests.items()):
        for file in input_files(request):
            check()
            path = os.path.abspath(file.path)
            what = _content(path) if path.startswith(inputs) else _stamp(path)
            state.update(f"{view}\n{file.input}\n{file.frame}\n{what}\n".encode("utf-8", "surrogateescape"))
    return state.hexdigest()


def _content(path: str) -> str:
    try:
        return Digest.of_file(path).sha256
    except OSError as error:
        raise FrameError(f"{path} cannot be read: {error.strerror or error}.", "frame.unreadable") from error


def _stamp(path: str) -> str:
    try:
        found = os.stat(path)
    except OSError as error:
        raise FrameError(f"{path} cannot be read: {error.strerror or error}.", "frame.unreadable") from error
    return f"{path}\n{found.st_size}\n{found.st_mtime_ns}"
