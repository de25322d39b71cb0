"""An export on the fake Resolve, step by step, with what must be true of Resolve afterwards."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fakes.resolve import Bench, Knobs, Scene, difference, scenes

from void_plugin.errors import HostError
from void_plugin.hosts.resolve_api import Resolve
from void_plugin.hosts.resolve_export import Export
from void_plugin.hosts.resolve_memory import Memory

MOST_POLLS = 100
Make = Callable[..., "Stage"]


class Stage:
    """A scene in the fake, with an Export on it whose time stands still unless a test moves it."""

    def __init__(self, scene: Scene, folder: Path, **knobs: Any) -> None:
        self.bench = Bench(scene.data, Knobs(**knobs))
        self.scene, self.folder, self.now = scene, folder, 0.0
        self.memory = Memory(str(folder / "memory"))
        self.resolve = Resolve(self.bench.resolve)
        self.before = self.bench.state()
        self.export = self.another()
        (folder / "out").mkdir(exist_ok=True)

    def another(self) -> Export:
        """The Export of another process."""
        return Export(self.resolve, self.memory, lambda: self.now, lambda seconds: None)

    def args(self, **changes: Any) -> dict[str, Any]:
        shot = self.scene.track(1)["items"][0]
        first, last = shot["start"], shot["start"] + shot["duration"] - 1
        folder = str(self.folder / "out")
        found = {"shot": shot["id"], "what": "plate", "track": 1, "folder": folder, "name": "sh010"}
        return {**found, "first": first, "last": last, "preset": "VOID Plate", **changes}

    def begin(self, **changes: Any) -> dict[str, Any]:
        return self.export.begin(self.args(**changes))

    def render(self, job: str) -> dict[str, Any]:
        """Poll until it is over."""
        for _ in range(MOST_POLLS):
            found = self.export.poll(job)
            if found["state"] != "rendering":
                return found
        raise AssertionError("it never ended")

    def whole(self, **changes: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        """Begin, render and end; returns the three answers."""
        begun = self.begin(**changes)
        return begun, self.render(begun["job"]), self.export.end(begun["job"])

    def files(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "out").iterdir())

    def assert_as_before(self) -> None:
        """Nothing of the project, the queue, the presets, the marks or the page has changed, and nothing is noted."""
        assert difference(self.before, self.bench.state()) == []
        assert self.memory.all() == []
        self.bench.verify()


def mean(path: Path) -> float:
    import OpenImageIO as oiio

    return float(oiio.ImageBuf(str(path)).get_pixels(oiio.FLOAT).mean())


def story(on: Stage) -> list[str]:
    """Begin, poll, end; a HostError of begin or poll is an answer too."""
    texts = []
    try:
        job = on.begin(what="matte", track=3)["job"]
        try:
            on.render(job)
        except HostError as error:
            texts.append(error.message)
        texts += on.export.end(job)["failed"]
    except HostError as error:
        texts.append(error.message)
    return texts


def small(folder: Path) -> Scene:
    """As little as has everything: a shot, a title over it, a matte that is muted, a job of the user's, a page."""
    folder.mkdir()
    scene = scenes.Scene(folder)
    shot = scene.sequence("sh010", 6)
    scene.place(shot, 86400, 2)
    scene.generator("Text", 86400, 2, track=2)
    matte = scene.add_track("VOID MATTE")
    scene.track(matte, enabled=False)
    scene.place(shot, 86400, 2, track=matte)
    scene.user_jobs(1)
    scene.data["page"] = "color"
    return scene
