"""`HostCall`: one call of the host while the sidecar answers it, with its arguments and the wish to end it."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol, TypeVar

from void_plugin.errors import Cancelled, HostError

T = TypeVar("T")
Ask = Callable[[str, Mapping[str, Any], float], dict[str, Any]]


class Job(Protocol):
    """What runs for a call, and can be ended."""

    def cancel(self) -> None:
        """End it soon; the second time at once."""

    def leave(self) -> None:
        """End because the host has gone."""


class HostCall:
    """One call; safe to use from many threads."""

    def __init__(self, name: str, args: Mapping[str, Any], tell: Callable[[dict[str, Any]], None], ask: Ask) -> None:
        """`tell` takes events for the host, `ask` brings the host's answer to a question."""
        self.name, self.tell, self.ask = name, tell, ask
        self._args = args
        self._lock = threading.Lock()
        self._cancels = 0
        self._left = False
        self._job: Job | None = None

    # -- what was asked --------------------------------------------------------------------------------------

    def text(self, key: str, default: str | None = None) -> str:
        """A text among the arguments, which must be there unless there is a default."""
        return self._value(key, str, "text", default)

    def whole(self, key: str, default: int | None = None) -> int:
        """A whole number among the arguments."""
        return self._value(key, int, "a whole number", default)

    def has(self, key: str) -> bool:
        """True where something was given by this name."""
        return key in self._args

    def flag(self, key: str) -> bool:
        """A switch among the arguments, off unless it is given."""
        return self._value(key, bool, "true or false", False)

    def texts(self, key: str) -> list[str]:
        """A list of texts among the arguments."""
        found: list[Any] = self._value(key, list, "a list", None)
        if not all(isinstance(item, str) for item in found):
            raise self._wrong(key, "a list of texts")
        return found

    def mapping(self, key: str, default: dict[str, Any] | None = None) -> dict[str, Any]:
        """An object among the arguments."""
        return self._value(key, dict, "an object", default)

    def instead(self, args: Mapping[str, Any]) -> "HostCall":
        """The same call with other arguments, for what it amounts to."""
        self._args = args
        return self

    def _value(self, key: str, kind: type[T], what: str, default: T | None) -> T:
        if key not in self._args and default is not None:
            return default
        found = self._args.get(key)
        # True is an int to Python, but no number to anybody else.
        if not isinstance(found, kind) or (isinstance(found, bool) and kind is not bool):
            raise self._wrong(key, what)
        return found

    def _wrong(self, key: str, what: str) -> HostError:
        return HostError(
            f"The call {self.name} must give {key} as {what}, not {self._args.get(key)!r}; install the same version of "
            "void_plugin for the host and its sidecar.",
            "host.call",
        )

    # -- the wish to end it ----------------------------------------------------------------------------------

    @property
    def left(self) -> bool:
        """True once the host has gone: the work is to be left so that it can be taken up again."""
        return self._left

    @property
    def ended(self) -> bool:
        """True once it is to end, for whatever reason."""
        return self._left or self._cancels > 0

    def cancel(self) -> None:
        """End it soon; the second time at once."""
        with self._lock:
            self._cancels += 1
            if self._job is not None:
                self._job.cancel()

    def leave(self) -> None:
        """End it because the host has gone: private servers stop, jobs on others go on."""
        with self._lock:
            self._left = True
            if self._job is not None:
                self._job.leave()

    def check(self) -> None:
        """Raise Cancelled where it is to end."""
        if self.ended:
            raise Cancelled

    @contextlib.contextmanager
    def running(self, job: Job) -> Iterator[None]:
        """Hand the wish to end, also one from before, to a job for as long as it runs."""
        with self._lock:
            self._job = job
            for _ in range(self._cancels):
                job.cancel()
            if self._left:
                job.leave()
        try:
            yield
        finally:
            with self._lock:
                self._job = None
