"""A whole removal in the fake Resolve, as its sidecar asks for it, and what must be true of the project afterwards.

show = Show(tmp_path)
show.remove(show.host(bench))
as_it_was(show.before, bench)
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fakes.resolve import Bench, Scene
from resolveplaces import changed, files, wanted

from void_plugin.hosts.resolve_api import Resolve
from void_plugin.hosts.resolve_host import ResolveHost
from void_plugin.hosts.resolve_memory import Memory

Step = Callable[[ResolveHost], None]
MOST_POLLS = 50
"""So often is a render asked how far it is before it is given up."""


def asks(name: str, args: dict[str, Any]) -> Step:
    """A step that is one question."""

    def step(host: ResolveHost) -> None:
        host.answer(name, args)

    return step


class Show:
    """A timeline with a shot of four frames under a title, its matte on a track, the user's own queue and markers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "out").mkdir()
        self.scene = scene = Scene(folder)
        plate = scene.sequence("sh010", 8)
        self.shot = scene.place(plate, 86400, 4, offset=2)
        scene.generator("Text", 86400, 4, track=2, kind="title")
        matte = scene.add_track("VOID MATTE")
        scene.track(matte, enabled=False)
        scene.place(scene.matte("roto", 8), 86400, 4, offset=2, track=matte)
        roto = scene.project["clips"][scene.timeline["tracks"]["video"][2]["items"][0]["media"]]
        scene.composition(self.shot, roto, savers=("VOID_MATTE", "Saver1"))
        scene.select(self.shot)
        scene.mark(self.shot, 2, "VOID", note="prompt: the boom")
        scene.preset()
        scene.user_jobs(2)
        other = scene.add_timeline("Reel 4")
        scene.place(plate, 86400, 4, timeline=other)
        scene.data["page"] = "fusion"
        self.versions = [
            wanted(scene, self.shot, files(folder, name, 8), job=name, version=number, name=name)
            for number, name in ((1, "v001"), (2, "v002"))
        ]
        self.before = Bench(scene.data).state()

    def host(self, bench: Bench, name: str = "memory") -> ResolveHost:
        return ResolveHost(Resolve(bench.resolve), Memory(str(self.folder / name)), lambda text: None)

    def remove(self, host: ResolveHost) -> None:
        """The session that a sidecar drives: export, send, place two versions, and a round trip on a scratch track."""
        for _, step in self.steps():
            step(host)

    def steps(self) -> list[tuple[str, Step]]:
        """The same in steps, between which nothing is kept but what is in Resolve."""
        saver = ["Composition 1", "VOID_MATTE"]
        steps: list[tuple[str, Step]] = [
            ("context", asks("context", {})),
            ("shots", asks("shots", {"pick": "selected"})),
            ("plate", lambda host: self.export(host, "plate", 1)),
            ("matte", lambda host: self.export(host, "matte", 3)),
            ("saver", lambda host: self.export(host, "matte", 1, saver=saver)),
        ]
        for args in self.versions:
            job = {"shot": self.shot["id"], "job": args["job"], "folder": "/f"}
            name = args["name"]
            steps += [
                (f"send {name}", asks("mark", {**job, "state": "sent", "note": ""})),
                (f"jobs {name}", asks("jobs", {})),
                (f"place {name}", asks("place", args)),
                (f"done {name}", asks("mark", {**job, "state": "done", "note": ""})),
            ]
        return [*steps, ("round trip", self.round_trip)]

    def round_trip(self, host: ResolveHost) -> None:
        scratch = host.answer("place", {**self.versions[0], "scratch": True, "job": "round-trip"})
        host.answer("unplace", {"item": scratch["item"]})

    def export(self, host: ResolveHost, what: str, number: int, **more: Any) -> None:
        args: dict[str, Any] = {"shot": self.shot["id"], "what": what, "track": number, **more}
        args["folder"] = str(self.folder / "out")
        begun = host.answer(
            "export_begin", {**args, "name": what, "first": 86400, "last": 86400, "preset": "VOID Plate"}
        )
        try:
            for _ in range(MOST_POLLS):
                if host.answer("export_poll", {"job": begun["job"]})["state"] != "rendering":
                    break
        finally:
            ended = host.answer("export_end", {"job": begun["job"]})
        assert ended["failed"] == []


def as_it_was(before: dict[str, Any], bench: Bench) -> None:
    assert changed(before, bench) == []
    assert not [name for name in bench.state()["presets"] if name.startswith("VOID_restore_")]
    assert [job["id"] for job in bench.state()["project"]["render"]["jobs"]] == [
        job["id"] for job in before["project"]["render"]["jobs"]
    ]
