"""Taking back what was begun, where a later step of it fails."""

from types import TracebackType
from typing import Callable, List, Optional, Tuple, Type

from void_plugin.errors import HostError

Step = Callable[[], None]


class Undo:
    """Around steps that belong together: where one fails, those before are taken back, the last first.

    A step that takes back looks at what is there, because a call that failed may have done its work all the same.
    It is tried twice: once is how often Resolve refuses for no reason.
    """

    def __init__(self) -> None:
        self._steps: List[Tuple[str, Step]] = []

    def add(self, what: str, step: Step) -> None:
        """`what` would be left behind if `step` could not take it back; such as `the track VOID`."""
        self._steps.append((what, step))

    def __enter__(self) -> "Undo":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        if error is None:
            return
        left = [text for text in (self._taken_back(what, step) for what, step in reversed(self._steps)) if text]
        if left and isinstance(error, HostError):
            text = "{} Left behind: {}.".format(error.message, "; ".join(left))
            raise HostError(text, error.code) from error

    @staticmethod
    def _taken_back(what: str, step: Step) -> str:
        """Empty where it was; else the sentence that says what is left."""
        try:
            step()
            return ""
        except HostError:
            try:
                step()
                return ""
            except HostError as failure:
                return "{} ({})".format(what, failure.message.rstrip("."))
