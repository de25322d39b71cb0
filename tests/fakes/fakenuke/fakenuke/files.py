"""Watches the host process's own file access: which call, on which thread; and makes each as slow as is ordered.

What is watched: `open`, the calls of `os` and `os.path` that reach a disk, `shutil`, `pathlib`, and the start of
processes. Not watched: what Python's import system does by itself, reading and writing of a file already open, and
what the fake does in Nuke's place.
"""

import builtins
import contextlib
import functools
import io
import os
import pathlib
import shutil
import subprocess
import threading
import time
from collections import namedtuple

from .bench import BENCH

FileCall = namedtuple("FileCall", "name what thread main")
"""One file access: the call, its first argument, the thread's name, whether that is the main thread."""

_WATCHED = """
os: access chmod link listdir lstat makedirs mkdir open readlink remove removedirs rename renames replace rmdir
    scandir stat statvfs symlink truncate unlink utime walk
os.path: exists getatime getctime getmtime getsize isdir isfile islink ismount lexists realpath samefile
shutil: copy copy2 copyfile copyfileobj copymode copystat copytree disk_usage move rmtree which
pathlib.Path: chmod exists glob is_dir is_file is_symlink iterdir lstat mkdir open read_bytes read_text rename replace
    resolve rglob rmdir samefile stat symlink_to touch unlink write_bytes write_text
subprocess.Popen: __init__
"""
_OWNERS = {
    "os": os,
    "os.path": os.path,
    "shutil": shutil,
    "pathlib.Path": pathlib.Path,
    "subprocess.Popen": subprocess.Popen,
}


class Watch(object):
    """The file access of this process, from `begin` to `end`."""

    def __init__(self):
        self.calls = []
        self._originals = []
        self._seconds = 0.0
        self._local = threading.local()

    def begin(self, seconds=0.0):
        """Begins to note every access, each of which takes `seconds` longer."""
        self._seconds = seconds
        if self._originals:
            return
        for owner in (builtins, io):
            self._patch("builtins", owner, "open")
        names = ""
        for word in _WATCHED.split():
            if word.endswith(":"):
                names = word[:-1]
            else:
                self._patch(names, _OWNERS[names], word)

    def end(self):
        """Lets go."""
        while self._originals:
            owner, name, original = self._originals.pop()
            setattr(owner, name, original)

    def _patch(self, owner_name, owner, name):
        original = getattr(owner, name, None)
        if original is not None:
            self._originals.append((owner, name, original))
            setattr(owner, name, self._watched("{}.{}".format(owner_name, name), original))

    def _watched(self, label, original):
        about = 1 if label.startswith("subprocess") else 0

        @functools.wraps(original)
        def call(*args, **kwargs):
            # One access calls others: only the outermost counts. An open of a number is of a pipe, not of a file.
            if getattr(self._local, "busy", False) or BENCH.inside or (args and type(args[0]) is int):
                return original(*args, **kwargs)
            self._local.busy = True
            try:
                thread = threading.current_thread()
                what = args[about] if len(args) > about else ""
                self.calls.append(FileCall(label, str(what), thread.name, thread is BENCH.main))
                if self._seconds:
                    time.sleep(self._seconds)
                return original(*args, **kwargs)
            finally:
                self._local.busy = False

        return call

    @contextlib.contextmanager
    def aside(self):
        """What the test itself does with files here is not noted."""
        before = getattr(self._local, "busy", False)
        self._local.busy = True
        try:
            yield
        finally:
            self._local.busy = before
