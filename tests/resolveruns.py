"""Removals in the fake Resolve from its script to its timeline: our host, a real sidecar, real or private servers.

run = Runs(tmp_path, void_python)
scene, shot = moving_scene(tmp_path)
result = run("remove", bench, place=True)
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from fakes.resolve import Bench, Scene
from servers import Server
from shots import Shot, bits, build_shot, load_exr

from void_plugin.bridge import Sidecar
from void_plugin.hosts.resolve_api import Resolve
from void_plugin.hosts.resolve_host import serve

SIZE = (54, 96)
"""(height, width) of the plates."""
FRAMES = 12
"""Frames of a plate on the disk; the timeline shows those from the third on."""
FIRST, LEFT, LENGTH = 1001, 2, 6
FAR = 12
"""Pixels from the matte beyond which nothing may change."""


class Runs:
    """Runs actions as a menu script would, on a machine of its own."""

    def __init__(self, folder: Path, python: str, server: Server | None = None) -> None:
        """Without a server, each run has a private one, as on a machine where none is configured."""
        (folder / "home").mkdir()
        (folder / "home" / "config.json").write_text("{}")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("VOID_", "RESOLVE_"))}
        self.environment = {
            **kept,
            "VOID_PLUGIN_PYTHON": python,
            "VOID_SERVER_COMMAND": f'"{python}" -m void_server',
            "VOID_CONFIG": str(folder / "home" / "config.json"),
            "XDG_STATE_HOME": str(folder / "home"),
            "VOID_WORKERS": "1",
        }
        if server is not None:
            self.use(server)
        self.told: list[str] = []
        self.events: list[dict[str, Any]] = []

    def use(self, server: Server) -> None:
        """Let the next runs go to a server."""
        self.environment.update(VOID_SERVER=server.address, VOID_TOKEN_FILE=str(server.state / "token"))

    def sidecar(self) -> Sidecar:
        return Sidecar(environment=self.environment, host="fake resolve")

    def __call__(
        self, action: str, bench: Bench, /, at: Callable[[dict[str, Any]], None] | None = None, **options: Any
    ) -> dict[str, Any]:
        """The result of an action, whose host runs in this thread; `at` hears its events."""
        sidecar = self.sidecar()
        given = {"engine": "recover", **options} if action == "remove" else options

        def hear(event: dict[str, Any]) -> None:
            self.events.append(event)
            if at is not None:
                at(event)

        try:
            return serve(Resolve(bench.resolve), action, given, self.told.append, sidecar, hear, self.environment)
        finally:
            sidecar.close(30)


class Moving:
    """A scene in which a square crosses a panning set: its plate on Video 1, its matte on the disk."""

    def __init__(self, folder: Path, *, matte_track: bool = False, rate: str = "24", **media: Any) -> None:
        self.shot = build_shot(folder / "made", count=FRAMES, size=SIZE, pan=2)
        self.scene = Scene(folder, rate=rate)
        settings = self.scene.project["settings"]
        settings.update(timelineResolutionWidth=str(SIZE[1]), timelineResolutionHeight=str(SIZE[0]))
        self.plate = self.scene.sequence("sh010", FRAMES, draw=drawn(self.shot, "plate"), size=SIZE[::-1], **media)
        self.matte = self.scene.sequence("sh010_roto", FRAMES, draw=drawn(self.shot, "matte"), size=SIZE[::-1])
        self.start = self.scene.timeline["start"] + 10
        self.item = self.scene.place(self.plate, self.start, LENGTH, offset=LEFT)
        self.scene.select(self.item)
        if matte_track:
            number = self.scene.add_track("VOID MATTE")
            self.scene.place(self.matte, self.start, LENGTH, offset=LEFT, track=number)

    def result(self, clip: dict[str, Any], at: int) -> Path:
        """The file of a result that the timeline shows at a frame of the shot, counted from 0."""
        return Path(clip["path"] % (clip["first"] + at))


def drawn(shot: Shot, kind: str) -> Any:
    """Draws the frames of a shot on the disk into a scene."""

    def draw(index: int, width: int, height: int) -> Any:
        if kind == "matte":
            plane = load_exr(shot.matte % (FIRST + index)).planes["A"]
            return np.repeat(plane[..., None], 3, axis=2).astype(np.float32)
        planes = load_exr(shot.plate % (FIRST + index)).planes
        return np.stack([planes[name] for name in "RGB"], -1).astype(np.float32)

    return draw


def same_far_away(plate: Path, result: Path, matte: Path) -> bool:
    """True where a result is its plate, bit for bit, farther than `FAR` from its matte, and another near it."""
    before, after = load_exr(plate), load_exr(result)
    ys, xs = np.nonzero(load_exr(matte).planes["R"])
    far = np.ones(SIZE, bool)
    far[max(0, ys.min() - FAR) : ys.max() + FAR + 1, max(0, xs.min() - FAR) : xs.max() + FAR + 1] = False
    assert far.mean() > 0.3
    unchanged = all((bits(before.planes[name])[far] == bits(after.planes[name])[far]).all() for name in "RGB")
    return unchanged and any((before.planes[name] != after.planes[name]).any() for name in "RGB")
