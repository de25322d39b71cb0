"""Where processor time goes, told apart by the functions that spend it."""

from __future__ import annotations

import os
import pkgutil
import re
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

PARTS = (
    ("read", "void_server.exr:ImageFiles.read"),
    ("read headers", "void_server.exr:ImageFiles.header"),
    ("write", "void_server.exr:ImageFiles.write"),
    ("load fills", "void_server.solve:load_fill"),
    ("mattes, weights, labels", "void_server.view:PlateFrames._make_crop"),
    ("upscale", "void_server.tiles:enlarged"),
    ("encode colour", "void_server.colour:Colour.to_engine"),
    ("decode colour", "void_server.colour:Colour.from_engine"),
    ("merge", "void_server.compose:merge_over"),
    ("compose, the rest", "void_server.compose:Composer.write"),
    ("SHA-256 of the file", "void_server.results:file_facts"),
)
"""What is told apart, and by which function."""


class Stopwatch:
    """Processor seconds by part, each second for the innermost one; for one thread and its reader."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._running: list[str] = []
        self._since = 0.0

    def _switch(self) -> None:
        now = processor_seconds()
        if self._running:
            self.seconds[self._running[-1]] = self.seconds.get(self._running[-1], 0.0) + now - self._since
        self._since = now

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, which tells when it begins and ends."""

        def run(*arguments: Any, **named: Any) -> Any:
            self._switch()
            self._running.append(name)
            try:
                return function(*arguments, **named)
            finally:
                self._switch()
                self._running.pop()

        return run

    def watch(self, patches: ExitStack) -> None:
        """Put timed functions wherever the originals are known by name."""
        for name, place in PARTS:
            function, short = pkgutil.resolve_name(place), re.split("[.:]", place)[-1]
            within = place.removesuffix(short)
            holders = [pkgutil.resolve_name(within[:-1])] if within.endswith(".") else void_modules()
            for holder in holders:
                if getattr(holder, short, None) is function:
                    patches.enter_context(mock.patch.object(holder, short, self.timed(name, function)))


def void_modules() -> list[ModuleType]:
    """All modules of ours that are loaded."""
    return [module for name, module in list(sys.modules.items()) if name.startswith("void_server")]


def processor_seconds() -> float:
    """Seconds that this process and its children have computed, which other work on the machine does not change."""
    total = time.process_time()
    for task in Path("/proc").glob(f"{os.getpid()}/task/*/children"):
        for pid in task.read_text().split():
            for thread in Path(f"/proc/{pid}/task").glob("*/schedstat"):
                total += int(thread.read_text().split()[0]) / 1e9
    return total
