"""`Sidecar`: a host's way to everything that needs more than a host may load, over the lines of one child process.

One thread owns the process and the calls, and calls back the host. Everybody else leaves it a wish, so that nobody
waits here, and nothing is touched by two threads at once.
"""

import itertools
import os
import queue
import threading
import time
from typing import Any, Callable, Dict, Mapping, Optional, Sequence

from void_plugin.childprocess import Message
from void_plugin.errors import HostError, VoidError, from_code
from void_plugin.hostanswers import Answer, HostAnswers
from void_plugin.launch import SidecarLog
from void_plugin.lineprotocol import line_of
from void_plugin.sidecarprocess import Limits, Owner, SidecarProcess

Done = Callable[[Optional[Dict[str, Any]], Optional[VoidError]], None]
"""Takes the result of a call, or the error in its place."""
Told = Callable[[Dict[str, Any]], None]
"""Takes an event of a call."""
USUAL = Limits()


class _Call:
    """One call until it is answered."""

    def __init__(self, name: str, line: bytes, done: Optional[Done], told: Optional[Told], until: float) -> None:
        self.name, self.line, self.done, self.told, self.until = name, line, done, told, until


class Sidecar:
    """The sidecar of one host process: started by the first call, and again by the next one where it has died."""

    def __init__(
        self,
        command: Optional[Sequence[str]] = None,
        environment: Optional[Mapping[str, str]] = None,
        host: str = "",
        log_folder: Optional[str] = None,
        limits: Limits = USUAL,
    ) -> None:
        """`command` and `environment` are this machine's by default; `host` is such as `nuke 15.1v2`."""
        ours = os.environ.copy() if environment is None else dict(environment)
        self._log = SidecarLog(log_folder) if log_folder else SidecarLog.of(ours)
        self._numbers = itertools.count(1)
        self._answers = HostAnswers(self._log.note)
        self._wishes: "queue.SimpleQueue[Optional[Callable[[], None]]]" = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: Optional[threading.Thread] = None
        self._closed = False
        # The owning thread's own:
        self._calls: Dict[int, _Call] = {}
        owner = Owner(self._wish, self._ready, self._hear, self._lost)
        self._process = SidecarProcess(owner, command, ours, host, self._log, limits)

    # -- for the host, from any thread -----------------------------------------------------------------------

    @property
    def log(self) -> str:
        """Path of the log, for sentences; it need not exist yet."""
        return self._log.path

    def call(
        self,
        name: str,
        args: Mapping[str, Any],
        done: Optional[Done] = None,
        event: Optional[Told] = None,
        timeout: Optional[float] = None,
    ) -> int:
        """Ask for something and return the number of the call at once.

        `event` hears what happens meanwhile, then `done` the result or the error, once; both in the bridge's thread,
        which must not be held up. After `timeout` seconds the call is cancelled and ends with HostError.
        Raises HostError after `close` and for arguments that are too long, TypeError for what is no JSON.
        """
        number = next(self._numbers)
        until = float("inf") if timeout is None else time.monotonic() + timeout
        call = _Call(name, line_of({"id": number, "call": name, "args": dict(args)}), done, event, until)
        if not self._wish(lambda: self._begin(number, call)):
            raise HostError("The sidecar of this session was closed; nothing more can be asked.", "host.sidecar")
        return number

    def ask(
        self, name: str, args: Mapping[str, Any], timeout: Optional[float] = None, event: Optional[Told] = None
    ) -> Dict[str, Any]:
        """Ask for something and wait for the result. Raises VoidError; not for a thread that must not wait."""
        if threading.current_thread() is self._thread:
            raise HostError("The thread that brings answers cannot wait for one.", "host.call")
        answers: "queue.SimpleQueue[Any]" = queue.SimpleQueue()
        self.call(name, args, lambda result, error: answers.put((result, error)), event, timeout)
        result, error = answers.get()
        if error is not None:
            raise error
        return dict(result)

    def cancel(self, number: int) -> None:
        """Wish that a call ends soon, the second time at once; it ends with the result `{"cancelled": true}`."""
        self._wish(lambda: self._cancel(number))

    def answering(self, name: str, function: Answer) -> None:
        """Answer what the sidecar asks by that name; in a thread of its own, which may wait and may raise VoidError."""
        self._answers.add(name, function)

    def close(self, timeout: float = 5.0) -> None:
        """End the sidecar: its stdin first, after so many seconds the process. Calls that wait end with HostError."""
        with self._lock:
            if self._thread is not None and not self._closed:
                self._wishes.put(lambda: self._process.finish(timeout))
                self._wishes.put(None)
            self._closed = True
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _wish(self, wish: Callable[[], None]) -> bool:
        """Let the owning thread do something; False after `close`."""
        with self._lock:
            if self._closed:
                return False
            if self._thread is None:
                self._thread = threading.Thread(target=self._own, name="sidecar bridge", daemon=True)
                self._thread.start()
            self._wishes.put(wish)
            return True

    # -- in the owning thread --------------------------------------------------------------------------------

    def _own(self) -> None:
        while True:
            deadlines = [call.until for call in self._calls.values()]
            nearest = min([*deadlines, *self._process.deadlines(bool(self._calls))], default=float("inf"))
            left = None if nearest == float("inf") else max(0.0, nearest - time.monotonic())
            try:
                wish = self._wishes.get(timeout=left)
            except queue.Empty:
                self._check_deadlines()
                continue
            if wish is None:
                return
            wish()

    def _check_deadlines(self) -> None:
        now = time.monotonic()
        for number, call in [(number, call) for number, call in self._calls.items() if call.until <= now]:
            if self._process.greeted:
                self._cancel(number)
            text = "The sidecar has not answered {} in time; its log is {}.".format(call.name, self._log.path)
            self._settle(number, None, HostError(text, "host.sidecar"))
        self._process.check(bool(self._calls), self._line("ping", {}))

    def _begin(self, number: int, call: _Call) -> None:
        if not self._calls:
            self._process.awaited()
        self._calls[number] = call
        if self._process.greeted:
            self._process.send(call.line)
        elif not self._process.life:
            try:
                self._process.start()
            except VoidError as error:
                self._settle(number, None, error)

    def _cancel(self, number: int) -> None:
        if number in self._calls and self._process.greeted:
            self._process.send(self._line("cancel", {"call": number}))
        else:  # nothing was sent yet
            self._settle(number, {"cancelled": True}, None)

    def _line(self, name: str, args: Dict[str, Any]) -> bytes:
        """A call whose answer nobody waits for."""
        return line_of({"id": next(self._numbers), "call": name, "args": args})

    def _ready(self) -> None:
        for call in self._calls.values():
            self._process.send(call.line)

    def _hear(self, message: Message) -> None:
        if "ask" in message:
            asked = (self._process.life, message)
            threading.Thread(target=self._answer, args=asked, name="sidecar asks", daemon=True).start()
            return
        number, error = message.get("id"), message.get("error")
        call = self._calls.get(number) if type(number) is int else None
        if number is None or call is None:  # late, or of a newer sidecar
            return
        if isinstance(message.get("event"), dict):
            if call.told is not None:
                self._guard(call.told, message["event"])
        elif isinstance(message.get("result"), dict):
            self._settle(number, message["result"], None)
        elif isinstance(error, dict):
            self._settle(number, None, from_code(str(error.get("code")), str(error.get("text"))))
        elif "result" in message or "error" in message:
            text = "The sidecar gave {} an answer that is none; its log is {}.".format(call.name, self._log.path)
            self._settle(number, None, HostError(text, "host.protocol"))

    def _settle(self, number: int, result: Optional[Dict[str, Any]], error: Optional[VoidError]) -> None:
        """End a call; nothing where it has ended already."""
        call = self._calls.pop(number, None)
        if call is not None and call.done is not None:
            self._guard(call.done, result, error)

    def _lost(self, error: HostError) -> None:
        for number in list(self._calls):
            self._settle(number, None, error)

    def _guard(self, function: Callable[..., Any], *values: Any) -> None:
        try:
            function(*values)
        except Exception as error:  # the host's own code must not take the bridge with it
            self._log.note("the host failed in {!r}: {!r}".format(function, error))

    def _answer(self, life: int, message: Message) -> None:
        """Answer what one process has asked; in a thread of its own, because the host may take its time."""
        line = self._answers.line(message)
        self._wish(lambda: self._process.send(line, life))
