"""`python -m void_plugin.sidecar`: answers a host in JSON lines, and ends with it.

Each call runs in a thread of its own. The hello comes before anything is imported that takes time. Whatever else is
printed here goes to stderr, which is the log.
"""

import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, Any

from void_plugin import __version__
from void_plugin.desk import Desk
from void_plugin.errors import Cancelled, HostError, VoidError, from_code
from void_plugin.hostcall import HostCall
from void_plugin.launch import LOG
from void_plugin.lineprotocol import PROTOCOL, line_of, messages

LEAVE_SECONDS = 15.0
"""How long calls may take to end once the host has gone; a private server needs up to ten for its checkpoint."""

Function = Callable[[Desk, HostCall], dict[str, Any]]
Find = Callable[[str], Function | None]

log = logging.getLogger(__name__)


class Pipe:
    """The lines to the host; safe to use from many threads."""

    def __init__(self, read: IO[bytes], write: int) -> None:
        self.read = read
        self._write, self._lock = write, threading.Lock()

    @classmethod
    def of_stdio(cls) -> "Pipe":
        """Take stdin and stdout away from everybody else: what is printed goes to the log from now on."""
        read, write = os.dup(0), os.dup(1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        sys.stdout = sys.stderr
        return cls(os.fdopen(read, "rb"), write)

    def say(self, message: Mapping[str, Any]) -> None:
        """Write one line; nobody reads it once the host has gone. Raises HostError where it is too long."""
        left = memoryview(line_of(dict(message)))
        with self._lock:
            try:
                while left:
                    left = left[os.write(self._write, left) :]
            except OSError as error:
                log.warning("the host does not listen any more: %s", error)


class Loop:
    """Reads what the host asks until it goes."""

    def __init__(self, pipe: Pipe, desk: Desk, find: Find, log_path: str = "") -> None:
        """`find` gives the function behind the name of a call."""
        self._pipe, self._desk, self._find, self._log_path = pipe, desk, find, log_path
        self._lock = threading.Lock()
        self._calls: dict[int, HostCall] = {}
        self._threads: set[threading.Thread] = set()
        self._asks: dict[int, SimpleQueue[Mapping[str, Any]]] = {}
        self._asked = 0

    def run(self) -> None:
        """Say hello, answer to the end of stdin, and leave everything so that it can be taken up again."""
        mine = {"protocol": PROTOCOL, "version": __version__, "host": "", "pid": os.getpid(), "log": self._log_path}
        self._pipe.say({"hello": mine})
        heard = messages(self._pipe.read, log.warning)
        first = next(heard, None)
        if first is None:
            return
        theirs = first.get("hello")
        if not isinstance(theirs, dict) or theirs.get("protocol") != PROTOCOL:
            self._pipe.say({"refused": _refusal(theirs)})
            return
        log.info("hello to %s, void_plugin %s, process %s", *(theirs.get(key) for key in ("host", "version", "pid")))
        try:
            for message in heard:
                self._hear(message)
        except KeyboardInterrupt:  # run by hand
            log.info("interrupted")
        self._leave()

    def _hear(self, message: Mapping[str, Any]) -> None:
        number, name, args = message.get("id"), message.get("call"), message.get("args")
        if "ask" in message:
            self._answered(message)
        elif type(number) is not int or not isinstance(name, str) or number in self._calls:
            log.warning("a line that asks for nothing was passed over: %.300r", message)
        elif name == "ping":
            self._pipe.say({"id": number, "result": {}})
        elif name == "cancel":
            self._cancel(args)
            self._pipe.say({"id": number, "result": {}})
        else:
            call = HostCall(
                name, args if isinstance(args, dict) else {}, lambda event: self._tell(number, event), self.ask
            )
            thread = threading.Thread(target=self._answer, args=(number, call), name=f"{name} {number}", daemon=True)
            with self._lock:
                self._calls[number] = call
                self._threads.add(thread)
            thread.start()

    def _cancel(self, args: Any) -> None:
        number = args.get("call") if isinstance(args, dict) else None
        with self._lock:
            call = self._calls.get(number) if isinstance(number, int) else None
        if call is not None:
            call.cancel()

    # -- in the thread of a call -----------------------------------------------------------------------------

    def _answer(self, number: int, call: HostCall) -> None:
        try:
            self._pipe.say({"id": number, "result": self._run(call)})
        except Cancelled:
            if not call.left:
                self._pipe.say({"id": number, "result": {"cancelled": True}})
        except VoidError as error:
            log.warning("%s: %s", call.name, error.message)
            self._pipe.say({"id": number, "error": {"code": error.code, "text": error.message}})
        except Exception as error:  # the top of this thread: a fault of ours must not leave the host waiting
            log.exception("%s failed", call.name)
            text = f"The sidecar failed in {call.name} ({error!r}); send a report with its log {self._log_path}."
            self._pipe.say({"id": number, "error": {"code": "host.failed", "text": text}})
        finally:
            with self._lock:
                del self._calls[number]
                self._threads.discard(threading.current_thread())

    def _run(self, call: HostCall) -> dict[str, Any]:
        function = self._find(call.name)
        if function is None:
            raise HostError(
                f"This sidecar (void_plugin {__version__}) knows no call {call.name!r}; install the same version for "
                "the host and its sidecar with `void nuke install` or `void resolve install`.",
                "host.call",
            )
        return function(self._desk, call)

    def _tell(self, number: int, event: Mapping[str, Any]) -> None:
        self._pipe.say({"id": number, "event": event})

    # -- asking the host -------------------------------------------------------------------------------------

    def ask(self, name: str, args: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """What the host answers. Raises the VoidError that it answers with, or HostError where it does not in time."""
        answers: SimpleQueue[Mapping[str, Any]] = SimpleQueue()
        with self._lock:
            self._asked += 1
            number = self._asked
            self._asks[number] = answers
        try:
            self._pipe.say({"ask": number, "call": name, "args": dict(args)})
            answer = answers.get(timeout=seconds)
        except Empty as error:
            raise HostError(f"The host has not answered {name} within {seconds:g} seconds.") from error
        finally:
            with self._lock:
                del self._asks[number]
        refusal, result = answer.get("error"), answer.get("result")
        if isinstance(refusal, dict):
            raise from_code(str(refusal.get("code")), str(refusal.get("text")))
        if not isinstance(result, dict):
            raise HostError(f"The host gave {name} an answer that is none.", "host.protocol")
        return result

    def _answered(self, message: Mapping[str, Any]) -> None:
        number = message["ask"]
        with self._lock:
            answers = self._asks.get(number) if type(number) is int else None
        if answers is not None:
            answers.put(message)

    # -- the end ---------------------------------------------------------------------------------------------

    def _leave(self) -> None:
        with self._lock:
            calls, threads = list(self._calls.values()), list(self._threads)
        log.info("the host has gone, with %d calls under way", len(calls))
        for call in calls:
            call.leave()
        until = time.monotonic() + LEAVE_SECONDS
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))


def _refusal(theirs: Any) -> str:
    if not isinstance(theirs, dict):
        return f"This is the sidecar of void_plugin {__version__}; its first line must be the hello of a host."
    return (
        f"The sidecar (void_plugin {__version__}) speaks protocol {PROTOCOL}, the plug-in in {theirs.get('host')} "
        f"(void_plugin {theirs.get('version')}) speaks {theirs.get('protocol')}; install the same version of both "
        "with `void nuke install` or `void resolve install`."
    )


def _release(folders: Collection[Path]) -> None:
    """Give back what was reserved and never used."""
    if not folders:
        return
    from void_plugin.versions import give_back

    for folder in folders:
        try:
            give_back(folder)
        except VoidError as error:
            log.warning("%s was not given back: %s", folder, error.message)


def find_call(name: str) -> Function | None:
    """The function behind a call; the first look imports them all."""
    from void_plugin import sidecalls

    return sidecalls.CALLS.get(name)


def main() -> None:
    """Serve one host until its end, then end, whatever still hangs somewhere."""
    pipe = Pipe.of_stdio()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(threadName)s: %(message)s")
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # gRPC's own lines would bury ours
    log.info("void_plugin %s on Python %s at %s", __version__, sys.version.split()[0], sys.executable)
    desk = Desk(os.environ)
    Loop(pipe, desk, find_call, os.environ.get(LOG, "")).run()
    releasing = threading.Thread(target=_release, args=(desk.leave(),), daemon=True)
    releasing.start()
    releasing.join(LEAVE_SECONDS)
    # A thread that waits for a dead disk must not keep this process alive when its host has gone.
    logging.shutdown()
    os._exit(0)


if __name__ == "__main__":
    main()
