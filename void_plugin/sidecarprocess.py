"""The process behind the bridge: its start, its hello, its signs of life, its end, and the pause after that."""

import os
import time
from typing import Any, Callable, Iterator, Mapping, NamedTuple, Optional, Sequence

from void_plugin import __version__
from void_plugin.childprocess import Child, Message
from void_plugin.endings import how_it_ended
from void_plugin.errors import HostError
from void_plugin.launch import LOG, SidecarLog, clean_environment, find_python, sidecar_command
from void_plugin.lineprotocol import PROTOCOL, line_of


class Limits(NamedTuple):
    """How long each step may take, in seconds."""

    hello: float = 10.0
    """From the start to the sidecar's hello."""
    silence: float = 30.0
    """While a call waits, a sidecar that has said nothing for so long is asked whether it lives."""
    sign: float = 30.0
    """How long it may take to say so."""
    early: float = 5.0
    """A sidecar that ends within so long of its start is not started again at once."""
    pause: float = 1.0
    """How long it is not, and twice as long after each further such end. A call waits for this first pause."""
    longest_pause: float = 30.0


class Owner(NamedTuple):
    """What whoever has the process is told; all in the owner's thread."""

    wish: Callable[[Callable[[], None]], Any]
    """Runs something in that thread; the one that is called from any."""
    ready: Callable[[], None]
    """It has said hello and can be asked."""
    hear: Callable[[Message], None]
    """It has said something after its hello."""
    lost: Callable[[HostError], None]
    """It has ended, or was ended, for this reason."""


class SidecarProcess:
    """One process at a time, in the hands of one thread."""

    def __init__(
        self,
        owner: Owner,
        command: Optional[Sequence[str]],
        environment: Mapping[str, str],
        host: str,
        log: SidecarLog,
        limits: Limits,
    ) -> None:
        """Starts nothing; without a command, the Python of the configuration runs it."""
        self._owner, self._command, self._environment = owner, command, environment
        self._host, self._log, self._limits = host, log, limits
        self._child: Optional[Child] = None
        self._life = 0
        self._greeted = False
        self._started = self._heard_at = self._not_before = 0.0
        self._asked_at: Optional[float] = None
        self._early_ends = 0
        self._last_end = ""

    @property
    def life(self) -> int:
        """Which process it is now, 0 for none."""
        return self._life if self._child is not None else 0

    @property
    def greeted(self) -> bool:
        """True from its hello until it is lost."""
        return self._child is not None and self._greeted

    def start(self) -> None:
        """Start it. Raises VoidError where there is no Python for it, or it has ended too often of late."""
        pause = self._not_before - time.monotonic()
        if pause > self._limits.pause:
            raise HostError(
                "{} It is not started again for another {:.0f} seconds.".format(self._last_end, pause), "host.sidecar"
            )
        time.sleep(max(0.0, pause))  # its owner has nothing else to do: there is no process
        command = self._command or sidecar_command(find_python(self._environment))
        environment = dict(clean_environment(self._environment), **{LOG: self._log.path})
        self._life += 1
        life = self._life  # what an earlier process still had to say is nobody's business
        with self._log.open() as log:
            try:
                self._child = Child(
                    command,
                    environment,
                    log,
                    lambda message: self._owner.wish(lambda: self._hear(life, message)),
                    lambda: self._owner.wish(lambda: self._ended(life)),
                    self._log.note,
                )
            except OSError as error:
                raise HostError(
                    "The sidecar cannot be started with {}: {}; run `void nuke install` again (for Resolve "
                    "`void resolve install`), or correct $VOID_PLUGIN_PYTHON.".format(
                        command[0], error.strerror or error
                    ),
                    "host.python",
                ) from error
        self._greeted, self._asked_at = False, None
        self._started = self._heard_at = time.monotonic()
        hello = {"protocol": PROTOCOL, "version": __version__, "host": self._host, "pid": os.getpid()}
        self._child.send(line_of({"hello": hello}))

    def send(self, line: bytes, life: int = 0) -> None:
        """Write a line to it; lost where it has ended, or is not the one that is meant."""
        if self._child is not None and life in (0, self._life):
            self._child.send(line)

    def finish(self, seconds: float) -> None:
        """Let it end by itself, and end it after so many seconds."""
        if self._child is not None:
            self._child.close()
            self._child.wait(seconds)
        self._give_up("The sidecar was closed.")

    # -- deadlines -------------------------------------------------------------------------------------------

    def awaited(self) -> None:
        """Somebody waits for it again: what it did not say before does not count."""
        self._heard_at = time.monotonic()

    def deadlines(self, busy: bool) -> Iterator[float]:
        """Moments of the monotonic clock at which to call `check`; busy while somebody waits for an answer."""
        if self._child is None:
            return
        if not self._greeted:
            yield self._started + self._limits.hello
        elif self._asked_at is not None:
            yield self._asked_at + self._limits.sign
        elif busy:
            yield self._heard_at + self._limits.silence

    def check(self, busy: bool, ping: bytes) -> None:
        """Do what a deadline asks for: `ping` is sent to a process that is silent."""
        now = time.monotonic()
        if self._child is None or not any(deadline <= now for deadline in self.deadlines(busy)):
            return
        if not self._greeted:
            text = "The sidecar has not said hello {:g} seconds after its start, so it was ended; its log is {}."
            self._give_up(text.format(self._limits.hello, self._log.path))
        elif self._asked_at is not None:
            self._give_up("The sidecar no longer answers, so it was ended; its log is {}.".format(self._log.path))
        else:
            self._asked_at = now
            self._child.send(ping)

    # -- what it says, and its end ---------------------------------------------------------------------------

    def _hear(self, life: int, message: Message) -> None:
        if life != self._life or self._child is None:
            return
        self._heard_at, self._asked_at = time.monotonic(), None
        if "refused" in message:
            self._give_up(str(message["refused"]), "host.protocol")
        elif "hello" in message:
            self._greet(message["hello"])
        elif self._greeted:
            self._owner.hear(message)
        else:
            self._log.note("what came before the hello was passed over: {!r}".format(message)[:300])

    def _greet(self, hello: Any) -> None:
        theirs = hello.get("protocol") if isinstance(hello, dict) else None
        if theirs != PROTOCOL:
            self._give_up(
                "The sidecar speaks protocol {!r}, this plug-in (void_plugin {}) speaks {}; install the same version "
                "of both with `void nuke install` or `void resolve install`.".format(theirs, __version__, PROTOCOL),
                "host.protocol",
            )
        elif not self._greeted:
            self._greeted = True
            self._owner.ready()

    def _ended(self, life: int) -> None:
        """It has closed its stdout, most likely because it has ended."""
        if life != self._life or self._child is None:
            return
        status = self._child.wait(2.0)
        how = "closed its output" if status is None else how_it_ended(status)
        words = self._log.last_words().rstrip(".")
        text = "The sidecar {}{}{}.".format(
            how, "" if self._greeted else " before it was ready", " and said: {}".format(words) if words else ""
        )
        if not self._greeted and "No module named" in words:
            text += " Install void_plugin in that Python, or name another with `void nuke install` (for Resolve "
            text += "`void resolve install`) or $VOID_PLUGIN_PYTHON."
        self._give_up("{} Its log is {}.".format(text, self._log.path))

    def _give_up(self, text: str, code: str = "host.sidecar") -> None:
        if self._child is not None:
            self._child.kill()
        now = time.monotonic()
        self._early_ends = self._early_ends + 1 if now < self._started + self._limits.early else 0
        pause = self._limits.pause * 2.0 ** (self._early_ends - 1) if self._early_ends else 0.0
        self._not_before = now + min(self._limits.longest_pause, pause)
        self._last_end, self._child = text, None
        self._log.note(text)
        self._owner.lost(HostError(text, code))
