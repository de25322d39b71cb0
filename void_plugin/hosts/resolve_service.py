"""One call of the sidecar, and what it asks meanwhile: brought from the bridge's threads to the one that Resolve gave.

Only that thread may call Resolve.
"""

import queue
from functools import partial
from typing import Any, Callable, Dict, Mapping, Optional, Tuple

from void_plugin.bridge import Sidecar
from void_plugin.errors import HostError, VoidError
from void_plugin.hosts.resolve_calls import CODE
from void_plugin.hosts.resolve_commands import ResolveHost

CALL = "timeline"
POLL_SECONDS = 0.2
"""So that a wish to stop is heard where nothing happens."""


class _Asked:
    """A question of the sidecar's that waits for the main thread."""

    def __init__(self, name: str, args: Dict[str, Any]) -> None:
        self.name, self.args = name, args
        self.reply: "queue.SimpleQueue[Tuple[Optional[Dict[str, Any]], Optional[BaseException]]]" = queue.SimpleQueue()


class _Ended:
    """The end of the call."""

    def __init__(self, result: Optional[Dict[str, Any]], error: Optional[VoidError]) -> None:
        self.result, self.error = result, error


class Service:
    """One call of the sidecar, and what it asks meanwhile."""

    def __init__(self, host: ResolveHost, sidecar: Sidecar) -> None:
        """The sidecar is the caller's to close."""
        self._host, self._sidecar = host, sidecar
        self._waiting: "queue.SimpleQueue[Any]" = queue.SimpleQueue()
        self._over = False
        self._stops = 0
        for name in host.commands:
            sidecar.answering(name, partial(self._ask, name))

    def stop(self, *_: Any) -> None:
        """Wish that the call ends soon, the second time at once; fit for a signal."""
        self._stops += 1

    def run(self, action: str, options: Mapping[str, Any], event: Callable[[Dict[str, Any]], None]) -> Dict[str, Any]:
        """Make the call and serve it to its end; an export that is open then is put back. Raises VoidError."""
        number = self._sidecar.call(
            CALL,
            {"action": action, "options": dict(options)},
            lambda result, error: self._waiting.put(_Ended(result, error)),
            event,
        )
        try:
            ended = self._serve(number)
        finally:
            self._over = True
            self._turn_away()
            left = self._host.export.close()
        if ended.error is not None:
            if left:
                text = "{} {}".format(ended.error.message, " ".join(left))
                raise type(ended.error)(text, ended.error.code) from ended.error
            raise ended.error
        if left:
            raise HostError(" ".join(left), CODE)
        return ended.result or {}

    def _serve(self, number: int) -> _Ended:
        heard = 0
        while True:
            try:
                item = self._waiting.get(timeout=POLL_SECONDS)
            except queue.Empty:
                item = None
            except KeyboardInterrupt:
                self._stops += 1
                item = None
            while heard < self._stops:
                heard += 1
                self._sidecar.cancel(number)
            if isinstance(item, _Ended):
                return item
            if isinstance(item, _Asked):
                try:
                    item.reply.put((self._host.answer(item.name, item.args), None))
                except Exception as error:  # the asking thread turns it into an answer
                    item.reply.put((None, error))

    def _turn_away(self) -> None:
        while True:
            try:
                item = self._waiting.get_nowait()
            except queue.Empty:
                return
            if isinstance(item, _Asked):
                item.reply.put((None, _closed()))

    def _ask(self, name: str, args: Dict[str, Any]) -> Dict[str, Any]:
        """In a thread of the bridge's: leave the question to the main thread and wait."""
        asked = _Asked(name, args)
        self._waiting.put(asked)
        if self._over:  # nobody may be left to see it
            self._turn_away()
        result, error = asked.reply.get()
        if error is not None:
            raise error
        return result or {}


def _closed() -> HostError:
    return HostError("The script in Resolve has ended.", "host.call")
