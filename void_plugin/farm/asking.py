"""Starts a queue manager's program and waits for what it says."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TypeVar

from void_plugin.errors import FarmError
from void_plugin.programs import child_environment, kill_group, own_group, void_command

T = TypeVar("T")

_POLL_SECONDS = 0.2
ANSWER_SECONDS = 180.0
"""How long a program may take to answer a question; what moves files may take as long as it needs."""


@dataclass(frozen=True)
class Answer:
    """What a program said, and how it ended."""

    status: int
    text: str
    """From stdout."""
    complaint: str
    """From stderr."""

    @property
    def last_words(self) -> str:
        """The last line with words, of the complaint where there is one."""
        lines = [line.strip() for line in (self.complaint or self.text).splitlines() if line.strip()]
        return lines[-1] if lines else ""


def ask(command: Sequence[str], environment: Mapping[str, str], seconds: float | None = ANSWER_SECONDS) -> Answer:
    """Run a command to its end.

    Raises FarmError: `farm.program` where it cannot be started, `farm.unreachable` where it does not end in time.
    """
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=child_environment(command, environment),
            **own_group(),
        )
    except OSError as error:
        raise FarmError(
            f"The program {command[0]} cannot be started: {error.strerror or error}. Install it, or name it in the "
            "site file.",
            "farm.program",
        ) from error
    with process:
        try:
            text, complaint = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as error:
            kill_group(process)
            raise FarmError(
                f"The program {command[0]} did not answer within {seconds:.0f} seconds; is its queue manager there?",
                "farm.unreachable",
            ) from error
        except BaseException:  # Ctrl-C: the child has its own process group and would live on
            kill_group(process)
            raise
    return Answer(process.returncode, text.decode("utf-8", "replace"), complaint.decode("utf-8", "replace"))


def ask_submit(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    is_cancelled: Callable[[], bool],
    holds: Sequence[int] = (),
) -> Answer:
    """What `void submit` says, in a process of its own, which keeps the open files of `holds`.

    A cancel lets it end as by Ctrl-C, which takes back what it has half submitted; its answer is waited for.
    Raises FarmError where it cannot be started.
    """
    command = void_command("submit", *arguments)
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=child_environment(command, environment),
            pass_fds=holds,
            **own_group(),
        )
    except OSError as error:
        raise FarmError(f"void submit cannot be started: {error.strerror or error}.", "farm.program") from error
    asked = False
    while True:
        try:
            text, complaint = process.communicate(timeout=_POLL_SECONDS)
            return Answer(process.returncode, text.decode("utf-8", "replace"), complaint.decode("utf-8", "replace"))
        except subprocess.TimeoutExpired:
            if is_cancelled() and not asked:
                asked = True
                with contextlib.suppress(OSError):
                    process.send_signal(getattr(signal, "CTRL_BREAK_EVENT", signal.SIGINT))


def within(seconds: float, farm: str, act: Callable[[], T]) -> T:
    """What a question to a farm gives, for somebody who waits no longer than so many seconds.

    Raises what it raises, FarmError with `farm.unreachable` where it takes longer; then it ends by itself later.
    """
    found: SimpleQueue[tuple[T, None] | tuple[None, BaseException]] = SimpleQueue()

    def run() -> None:
        try:
            found.put((act(), None))
        except BaseException as error:  # the end of this thread: raised again where it is waited for
            found.put((None, error))

    threading.Thread(target=run, name=f"ask {farm}", daemon=True).start()
    try:
        answer, failure = found.get(timeout=seconds)
    except Empty as error:
        raise FarmError(
            f"The farm {farm} did not answer within {seconds:g} seconds; look whether it can be reached from here.",
            "farm.unreachable",
        ) from error
    if failure is not None:
        raise failure
    return answer  # type: ignore[return-value]
