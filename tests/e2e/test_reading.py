"""What a job reads and keeps: every plate once, whoever of its workers asks first, and no more than is looked at."""

from __future__ import annotations

import gc
import threading
import weakref
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from fakes.painter_engine import PainterEngine
from shots import Shot, build_shot, run_in_process

from void_plugin.config import Config as MachineConfig
from void_plugin.request import Output
from void_plugin.settings import RenderSettings
from void_server.colour import PINNED_CONFIG, Config
from void_server.engines import Fill, Kept
from void_server.exr import ImageFile, ImageFiles, Part
from void_server.looks import Look, Looks
from void_server.runner import Warm
from void_server.tiles import Box


class CountedFiles(ImageFiles):
    """Image files that count how often each was decoded."""

    def __init__(self, workers: int) -> None:
        super().__init__(workers)
        self.decoded: Counter[str] = Counter()
        self._counting = threading.Lock()

    def read(self, file: ImageFile, part: Part, channels: Sequence[str], box: Box | None = None) -> Any:
        with self._counting:
            self.decoded[Path(file.path).name] += 1
        return super().read(file, part, channels, box)


@pytest.fixture
def shot(tmp_path: Path) -> Shot:
    return build_shot(tmp_path / "moving", count=16, pan=3)


@pytest.mark.parametrize(
    ("engine", "kind", "workers"),
    [
        ("identity", "patch", 1),
        ("identity", "comp", 3),
        ("identity-raster", "patch", 3),
        ("identity-raster", "comp", 3),
    ],
)
def test_every_plate_is_decoded_once_for_solving_and_composing(
    shot: Shot, engine: str, kind: str, workers: int
) -> None:
    request = shot.request(engine=engine, outputs=(Output(kind, shot.out(kind)),))
    run_in_process(request, workers=workers)  # plans, which later runs keep
    for path in (shot.folder / "out").rglob("*.exr"):
        path.unlink()
    (job,) = (shot.folder / "out" / ".void").iterdir()
    for path in [*job.rglob("fill.*"), *job.rglob("manifest.json"), *job.rglob("frames/*")]:
        path.unlink()
    with CountedFiles(workers) as files:
        run_in_process(request, workers=workers, warm=Warm(files, Config(PINNED_CONFIG), Kept()))
        plates = {name: times for name, times in files.decoded.items() if name.startswith("plate")}
    assert len(plates) == 16 and set(plates.values()) == {1}


def test_nothing_of_a_written_unit_takes_room_from_the_next_one(shot: Shot, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []
    made: list[weakref.ref[Look]] = []
    held: list[int] = []
    look, solve = Looks._make, PainterEngine.solve

    def looking(looks: Looks, frame: int) -> Look:
        found = look(looks, frame)
        looked.append(frame)
        made.append(weakref.ref(found))
        return found

    def solving(engine: PainterEngine, *rest: Any) -> Iterator[Fill]:
        gc.collect()
        held.append(sum(each() is not None for each in made))
        return solve(engine, *rest)

    monkeypatch.setattr(Looks, "_make", looking)
    monkeypatch.setattr(PainterEngine, "solve", solving)
    machine = MachineConfig(engines={"painter": "fakes.painter_engine:PainterEngine"})
    settings = RenderSettings(source="generated")
    run_in_process(shot.request(engine="painter", settings=settings), workers=1, machine=machine)
    assert len(held) > 1 and set(held) == {0}
    assert sorted(looked) == list(range(1001, 1017)), "within a unit each frame is looked at once"
