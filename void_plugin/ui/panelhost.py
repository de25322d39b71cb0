"""What one press of a button in the panel needs from it: the same as from any host, so the same story runs it."""

from collections.abc import Callable, Mapping
from typing import Any

from void_plugin.errors import VoidError
from void_plugin.hosts import Host, Problem, Wanted
from void_plugin.hosts.states import NodeState
from void_plugin.ui.panelshot import PanelShot
from void_plugin.ui.poster import Poster


class PanelHost(Host):
    """One action on one shot: `remove`, `farm`, `test` or `preview`."""

    def __init__(
        self,
        shot: PanelShot,
        action: str,
        frame: int,
        server: str,
        poster: Poster,
        shown: Callable[[NodeState], None],
        applied: Callable[[], None],
        told: Callable[[str], None],
        farm: str = "",
    ) -> None:
        """`shown` hears of each state, `applied` of a result that the shot now has, `told` of sentences.

        The action `farm` puts the job on a farm by its name.
        """
        self._shot, self._action, self._frame, self._server = shot, action, frame, server
        self._poster, self._shown, self._applied, self._told = poster, shown, applied, told
        self._on_farm = {"farm": farm} if action == "farm" else {}

    def post(self, function: Callable[..., None], *arguments: Any) -> None:
        """Run a function on the thread of the window soon."""
        self._poster.post(function, *arguments)

    def gather(self) -> Wanted:
        """Check the request as it stands."""
        shot = self._shot
        problems = []
        try:
            shot.request.settings.check()
        except VoidError as error:
            problems.append(Problem("error", error.message))
        frames = [self._frame] if self._action == "test" else list(shot.frames)
        for name, lost in shot.missing.items():
            here = [frame for frame in lost if frame in frames]
            if here and name != "clean_plate":
                what = name.replace("_", " ")
                text = f"The {what} of {shot.name} lacks {len(here)} frames, the first is {here[0]}; render them."
                problems.append(Problem("error", text))
        return Wanted(
            problems,
            {
                "output": shot.output, "name": shot.name, "uuid": shot.uuid, "script": shot.path,
                "frames": str(shot.frames), "bytes": 0, "engine": shot.request.engine, "server": self._server,
                "views": [shot.view], "test": self._action == "test",
                "kind": "preview" if self._action == "preview" else "remove",
                "on_farm": self._action == "farm", **self._on_farm,
            },
        )  # fmt: skip

    def render(self, folder: str) -> dict[str, Any]:
        """The inputs are files already."""
        shot = self._shot
        request = shot.asked(self._action, self._frame, folder)
        return {
            "folder": folder,
            "kind": "preview" if self._action == "preview" else "remove",
            "requests": {shot.view: request.to_dict()},
            "node": {"uuid": shot.uuid, "name": shot.name, "script": shot.path},
            "facts": {},
            "server": self._server,
            **self._on_farm,
        }

    def remember(self, folder: str) -> None:
        """The version folders themselves say what is under way; the panel looks there when it opens a request."""

    def apply(self, folder: str, manifest: Mapping[str, Any]) -> None:
        """Show the version."""
        self._shot.take(folder, manifest)
        self._applied()

    def show(self, state: NodeState) -> None:
        """Show a state."""
        self._shot.state = state
        self._shown(state)

    def tell(self, text: str) -> None:
        """Put a sentence where it is seen."""
        self._told(text)
