"""Tells the C library how a process that moves frames uses memory; for programs, called once at their start."""

import ctypes
import sys

ARENA_MAX, MMAP_THRESHOLD, TRIM_THRESHOLD = -8, -3, -1
"""Parameters of glibc's mallopt(3)."""


def keep_memory_together() -> None:
    """Let all threads share two heaps, in which pieces of up to 32 MiB stay; does nothing where glibc is not.

    With a heap for each of hundreds of threads, what they once needed would never be given back. And chunks of a
    mebibyte that are fetched from the kernel anew for each message cost a third of an upload in new pages alone.
    """
    if not sys.platform.startswith("linux"):
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        for parameter, value in ((ARENA_MAX, 2), (MMAP_THRESHOLD, 32 << 20), (TRIM_THRESHOLD, 64 << 20)):
            library.mallopt(parameter, value)
