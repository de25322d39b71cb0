"""What a host application has to offer so that one button can run a whole removal in it.

The story of the button (`story`) knows no host: it asks a `Host` for what only the application can do. Everything here
runs inside the host's process: standard library only, Python 3.7, and never anything that touches the file system.
"""

from abc import ABC, abstractmethod
from typing import Any, Callable, Dict, List, Mapping, NamedTuple

from void_plugin.hosts.states import NodeState


class Problem(NamedTuple):
    """One thing that is wrong before anything began: an `error` stops the action, a `warning` does not."""

    level: str
    text: str


class Wanted(NamedTuple):
    """What the user's settings ask for, and what is wrong with it as far as the host can tell."""

    problems: List[Problem]
    prepare: Dict[str, Any]
    """Arguments of the sidecar's call `prepare`; empty where too little is known to ask it."""

    def errors(self) -> List[Problem]:
        """The problems that stop the action."""
        return [problem for problem in self.problems if problem.level == "error"]


class Host(ABC):
    """One node or clip of a host application, as one press of the button needs it.

    All methods but `post` are called on the host's main thread. They raise HostError with a sentence for the user, or
    Cancelled where the user stopped the host's own work; whatever else they raise is reported as a fault.
    """

    @abstractmethod
    def post(self, function: Callable[..., None], *arguments: Any) -> None:
        """Run a function on the main thread soon, in order; returns at once. Safe from any thread."""

    @abstractmethod
    def gather(self) -> Wanted:
        """Read what the user asks for and check what can be checked here."""

    @abstractmethod
    def render(self, folder: str) -> Dict[str, Any]:
        """Write the input images below a reserved version folder; returns the arguments of the sidecar's `start`.

        Leaves the document as it was, also where it raises.
        """

    @abstractmethod
    def remember(self, folder: str) -> None:
        """Note in the document which version folder is being worked on, so that it can be taken up; empty for none.

        Nothing that the user could undo.
        """

    @abstractmethod
    def apply(self, folder: str, manifest: Mapping[str, Any]) -> None:
        """Show the result of a version, as one step that the user can undo."""

    @abstractmethod
    def show(self, state: NodeState) -> None:
        """Show a state; does nothing where the node is gone. Never marks the document as modified."""

    @abstractmethod
    def tell(self, text: str) -> None:
        """Put a sentence before the user who pressed the button."""
