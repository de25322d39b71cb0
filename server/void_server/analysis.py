"""The engine's shot-wide estimates on disk: one array a file, named and digested in plan.json."""

from __future__ import annotations

import errno
import hashlib
import mmap
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from void_server.jobfolder import JobFolder, make_folder, open_file, replacing, write_error


def save(folder: JobFolder, arrays: Mapping[str, NDArray[Any]]) -> dict[str, str]:
    """Write every array whole or not at all and return their SHA-256 by name."""
    digests = {}
    make_folder(folder.analysis)
    for name, array in sorted(arrays.items()):
        path = _path(folder, name)
        try:
            with replacing(path) as stream:
                np.save(stream, array, allow_pickle=False)
        except OSError as error:
            full = error.errno in (None, errno.ENOSPC)  # numpy tells a short write without a number
            raise write_error(str(path), array.nbytes, full, error.strerror or str(error)) from error
        digests[name] = hashlib.sha256(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data).hexdigest()
    return digests


def load(folder: JobFolder, names: Iterable[str]) -> dict[str, NDArray[Any]]:
    """The arrays, memory-mapped: threads and processes share one copy, and only what is looked at is read."""
    arrays = {}
    for name in names:
        descriptor = open_file(_path(folder, name))
        try:
            arrays[name] = np.load(f"/proc/self/fd/{descriptor}", mmap_mode="r")
        finally:
            os.close(descriptor)
    return arrays


def let_go(arrays: Iterable[NDArray[Any]]) -> None:
    """Give back the pages of arrays from `load` that were looked at; the system has them still for who asks again.

    Else they count as memory of this process, more of them with every frame.
    """
    for array in arrays:
        if isinstance(array.base, mmap.mmap):
            array.base.madvise(mmap.MADV_DONTNEED)


def is_there(folder: JobFolder, names: Iterable[str]) -> bool:
    """True where every array has its file."""
    return all(_path(folder, name).exists() for name in names)


def _path(folder: JobFolder, name: str) -> Path:
    return folder.analysis / f"{name}.npy"
