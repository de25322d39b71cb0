"""Turns on a host's main thread, where a render may run an event loop of its own in the middle of our work."""

from contextlib import contextmanager
from typing import Any, Callable, Iterator, List, Tuple


class Turns:
    """Runs what is posted to the main thread, but never in the middle of a render of ours."""

    def __init__(self, post: Callable[..., None]) -> None:
        """`post` runs a function on the main thread soon."""
        self._post = post
        self._rendering = False
        self._waiting: List[Tuple[Callable[..., None], Tuple[Any, ...]]] = []

    def post(self, function: Callable[..., None], *arguments: Any) -> None:
        """Run a function on the main thread soon, after what was posted before; safe from any thread."""
        self._post(self._run, function, arguments)

    def _run(self, function: Callable[..., None], arguments: Tuple[Any, ...]) -> None:
        if self._rendering:
            self._waiting.append((function, arguments))
        else:
            function(*arguments)

    @contextmanager
    def render(self) -> Iterator[None]:
        """What comes meanwhile waits for the end; on the main thread."""
        self._rendering = True
        try:
            yield
        finally:
            self._rendering = False
            waiting, self._waiting = self._waiting, []
            for function, arguments in waiting:
                self.post(function, *arguments)
