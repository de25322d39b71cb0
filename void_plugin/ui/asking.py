"""The panel's calls to its sidecar, with answers on the thread of the window."""

from collections.abc import Callable, Mapping
from typing import Any

from void_plugin.bridge import Sidecar
from void_plugin.errors import VoidError
from void_plugin.ui.poster import Poster

Then = Callable[[Mapping[str, Any]], None]
Otherwise = Callable[[VoidError], None]


class Asking:
    """Asks without waiting."""

    def __init__(self, sidecar: Sidecar, poster: Poster, failed: Otherwise) -> None:
        """`failed` hears of errors that a call has no answer of its own to."""
        self.sidecar, self._poster, self._failed = sidecar, poster, failed

    def ask(
        self,
        name: str,
        args: Mapping[str, Any],
        then: Then = lambda answer: None,
        otherwise: Otherwise | None = None,
        timeout: float | None = 60.0,
        heard: Then | None = None,
    ) -> int:
        """Make a call; one of the two functions is run once it is answered, `heard` for each event before.

        Returns its number.
        """

        def done(result: Mapping[str, Any] | None, error: VoidError | None) -> None:
            if error is not None:
                self._poster.post(otherwise or self._failed, error)
            else:
                self._poster.post(then, result or {})

        def event(told: Mapping[str, Any]) -> None:
            if heard is not None:
                self._poster.post(heard, told)

        return self.sidecar.call(name, dict(args), done=done, event=event, timeout=timeout)
