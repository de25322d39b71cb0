"""The panel's shots and jobs, without a window: what is open, what runs, and what a server can do."""

import itertools
from collections import deque
from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from void_plugin.bridge import Sidecar
from void_plugin.errors import VoidError
from void_plugin.hosts import states
from void_plugin.hosts.states import NodeState
from void_plugin.hosts.story import Story
from void_plugin.request import RemovalRequest
from void_plugin.ui.asking import Asking
from void_plugin.ui.connection import Health
from void_plugin.ui.panelhost import PanelHost
from void_plugin.ui.panelshot import TOUCHED, PanelShot
from void_plugin.ui.poster import Poster

HEALTH_MS = 2000
"""How often the server is asked whether it is there; with the deadline of that call (`soon`), one that goes or hangs is
told within five seconds."""


class Work(QObject):
    """Everything that the window shows and asks for."""

    opened = Signal(object)
    """A shot that was opened."""
    shot_changed = Signal(object)
    """A shot whose state, request or result has changed."""
    pictures_changed = Signal(object)
    """A shot of which there is something else to see."""
    job_began = Signal(str, object, str)
    """Key, shot and action of a job."""
    job_changed = Signal(str, object)
    """Key and state of a job."""
    job_ended = Signal(str, object, object)
    """Key, shot and last state of a job."""
    health_changed = Signal(object)
    recent_changed = Signal(list)
    presets_changed = Signal(object)
    complained = Signal(str)
    """A sentence for the user."""

    def __init__(self, sidecar: Sidecar, server: str = "", parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._poster = Poster(self)
        self._sidecar = sidecar
        self.asking = Asking(sidecar, self._poster, lambda error: self.complained.emit(error.message))
        self.server = server
        self.shots: dict[str, PanelShot] = {}
        self._to_open: deque[str] = deque()
        """The first is being opened."""
        self.presets: Mapping[str, Mapping[str, Any]] = {}
        self.health = Health(None)
        self._jobs: dict[str, tuple[Story, PanelShot, str, int]] = {}
        self._farms: dict[str, str] = {}
        self._numbers = itertools.count(1)
        self._asked = False
        self._timer = QTimer(self)
        self._timer.setInterval(HEALTH_MS)
        self._timer.timeout.connect(self._look_after_server)

    def start(self) -> None:
        """Ask for what is known from before, and whether the server is there."""
        self.ask_health()
        self._timer.start()
        self.asking.ask("recent", {}, lambda answer: self.recent_changed.emit(list(answer["paths"])))
        self._ask_presets()

    def close(self) -> None:
        """Leave: jobs on a server go on, those of this machine stop where they can be taken up."""
        self._timer.stop()
        self._sidecar.close()

    # -- shots -----------------------------------------------------------------------------------------------

    def open(self, path: str) -> None:
        """Open a request file, after those that were asked for before."""
        self._to_open.append(path)
        if len(self._to_open) == 1:
            self._open_first()

    def set_request(self, shot: PanelShot, request: RemovalRequest) -> None:
        """Take other settings for a shot."""
        shot.request = request
        self.shot_changed.emit(shot)

    def save(self, shot: PanelShot, path: str) -> None:
        """Write the request of a shot as it now is."""
        self.asking.ask("save_request", {"path": path, "request": shot.request.to_dict()})

    def take_mattes(self, shot: PanelShot, folder: str, patterns: Mapping[str, str], missing: list[int]) -> None:
        """Work with painted mattes, and leave a request for them in their folder."""
        shot.take_mattes(patterns, missing)
        self.save(shot, f"{folder}/{TOUCHED}")
        self.shot_changed.emit(shot)
        self.pictures_changed.emit(shot)

    def _open_first(self) -> None:
        path = self._to_open[0]
        known = next((shot for shot in self.shots.values() if shot.path == path), None)
        if known is not None:
            self.opened.emit(known)
            self._open_following()
        else:
            self.asking.ask("open_request", {"path": path}, self._opened, self._not_opened)

    def _open_following(self) -> None:
        self._to_open.popleft()
        if self._to_open:
            self._open_first()

    def _not_opened(self, error: VoidError) -> None:
        self.complained.emit(error.message)
        self._open_following()

    def _opened(self, answer: Mapping[str, Any]) -> None:
        try:
            shot = PanelShot.of_answer(answer)
        except VoidError as error:
            self._not_opened(error)
            return
        self.shots[shot.uuid] = shot
        self.opened.emit(shot)
        self.asking.ask("recent", {}, lambda found: self.recent_changed.emit(list(found["paths"])))
        self._look_for_versions(shot, answer["versions"])
        self._open_following()

    def _look_for_versions(self, shot: PanelShot, versions: list[Mapping[str, Any]]) -> None:
        """Show the newest version, and take up one that an earlier panel has begun."""
        done = [one for one in versions if one["state"] == "done"]
        if done:
            folder = str(done[-1]["folder"])
            self.asking.ask(
                "manifest", {"folder": folder}, lambda answer: self.show_version(shot, folder, answer["manifest"])
            )
        running = [one for one in versions if one["state"] == "running"]
        if running:
            self._begin(shot, "remove", shot.frames.first, str(running[-1]["folder"]))
        for one in versions:
            if one["state"] == "farm":
                self._begin(shot, "farm", shot.frames.first, str(one["folder"]))

    def show_version(self, shot: PanelShot, folder: str, manifest: Mapping[str, Any]) -> None:
        """Show a finished version of a shot."""
        shot.take(folder, manifest)
        shot.state = states.done(states.result_line(folder, manifest), states.details_of(folder, manifest))
        self.shot_changed.emit(shot)
        self.pictures_changed.emit(shot)

    # -- what a farm makes -----------------------------------------------------------------------------------

    def on_farms(self) -> list[tuple[str, PanelShot, str]]:
        """Key, shot and version folder of what farms make."""
        return [(key, job[1], job[0].folder) for key, job in self._jobs.items() if job[0].state.kind == "farm"]

    def farm_told(self, key: str, state: NodeState) -> None:
        """Take note of how a job stands that a farm has, or had."""
        story, shot, _, _ = self._jobs[key]
        story.state = state
        if not self.is_busy(shot):
            shot.state = state
        self.job_changed.emit(key, state)
        self.shot_changed.emit(shot)
        if state.kind != "farm":
            self.job_ended.emit(key, shot, state)

    def farm_done(self, key: str, folder: str, manifest: Mapping[str, Any]) -> None:
        """Show the version that a farm has made."""
        shot = self._jobs[key][1]
        self.show_version(shot, folder, manifest)
        self.farm_told(key, shot.state)

    # -- jobs ------------------------------------------------------------------------------------------------

    def run(self, shot: PanelShot, action: str, frame: int, farm: str = "") -> str:
        """Begin `remove`, `test`, `preview`, or `farm` on the farm of a name; returns the key of the job."""
        return self._begin(shot, action, frame, farm=farm)

    def cancel(self, key: str) -> None:
        """Stop a job; a second time at once. One that a farm has is cancelled there, by a job of its own."""
        story, shot, _, frame = self._jobs[key]
        if story.state.kind == "farm":
            self._begin(shot, "farm", frame, story.folder, withdraw=True)
        else:
            story.cancel()

    def retry(self, key: str) -> None:
        """Run a job once more; a version that failed is taken up, so that what is finished is not done again."""
        story, shot, action, frame = self._jobs[key]
        failed = story.state.kind == "failed" and action == "remove"
        farm = self._farms.get(key, "")
        self._begin(shot, action, frame, story.folder if failed else "", again=True, farm=farm)

    def is_busy(self, shot: PanelShot) -> bool:
        """True while a job of a shot runs."""
        return any(mine is shot and not story.is_over for story, mine, _, _ in self._jobs.values())

    @property
    def running(self) -> int:
        """How many jobs run."""
        return sum(not story.is_over for story, _, _, _ in self._jobs.values())

    def jobs(self) -> list[str]:
        """The keys of all jobs, the oldest first."""
        return list(self._jobs)

    def action_of(self, key: str) -> str:
        """Which kind of job has a key: remove, test or preview."""
        return self._jobs[key][2]

    def folder_of(self, key: str) -> str:
        """The version folder of a job; empty before it has one."""
        return self._jobs[key][0].folder if key in self._jobs else ""

    def _begin(
        self,
        shot: PanelShot,
        action: str,
        frame: int,
        folder: str = "",
        again: bool = False,
        farm: str = "",
        withdraw: bool = False,
    ) -> str:
        key = f"job{next(self._numbers)}"
        self._farms[key] = farm

        def shown(state: NodeState) -> None:
            self.job_changed.emit(key, state)
            self.shot_changed.emit(shot)

        host = PanelHost(
            shot, action, frame, self.server, self._poster, shown,
            lambda: self.pictures_changed.emit(shot), self.complained.emit, farm,
        )  # fmt: skip
        story = Story(host, self._sidecar, shot.uuid if not folder else "", lambda ended: self._ended(key))
        self._jobs[key] = story, shot, action, frame
        self.job_began.emit(key, shot, action)
        if withdraw:
            story.withdraw(folder)
        elif folder:
            story.attach(folder, again)
        elif action == "farm":
            story.submit()
        else:
            story.begin()
        return key

    def _ended(self, key: str) -> None:
        story, shot, _, _ = self._jobs[key]
        self.job_ended.emit(key, shot, story.state)

    # -- the server ------------------------------------------------------------------------------------------

    def use_server(self, address: str) -> None:
        """Work on another server; empty for this machine."""
        self.server = address
        self.health = Health(None)
        self._asked = False
        self.ask_health()

    def _look_after_server(self) -> None:
        """Ask again, save of this machine, which cannot go away and starts a program for each answer."""
        if self.health.facts.get("address") or not self.health.is_good:
            self.ask_health()

    def ask_health(self) -> None:
        """Ask the server what it can run, unless it is being asked."""
        if self._asked:
            return
        self._asked = True
        server = self.server
        self.asking.ask(
            "capabilities", {"server": server, "soon": bool(server) and self.health.is_good},
            lambda facts: self._healthy(server, Health(facts)),
            lambda error: self._healthy(server, Health(None, error.code, error.message)),
            30.0,
        )  # fmt: skip

    def _healthy(self, server: str, health: Health) -> None:
        if server != self.server:
            return
        self._asked = False
        self.health = health
        self.health_changed.emit(health)

    # -- presets ---------------------------------------------------------------------------------------------

    def save_preset(self, name: str, values: Mapping[str, Any]) -> None:
        """Save settings by name."""
        self.asking.ask("save_preset", {"name": name, "values": dict(values)}, lambda answer: self._ask_presets())

    def delete_preset(self, name: str) -> None:
        """Forget settings."""
        self.asking.ask("delete_preset", {"name": name}, lambda answer: self._ask_presets())

    def _ask_presets(self) -> None:
        self.asking.ask("presets", {}, self._take_presets)

    def _take_presets(self, answer: Mapping[str, Any]) -> None:
        self.presets = answer["presets"]
        self.presets_changed.emit(list(self.presets))
