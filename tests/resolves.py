"""What tests of the Resolve host stand on: benches that end their test when a script did what none may do.

def test_something(resolves, tmp_path):
    bench = resolves(scenes.cut(tmp_path), exr_never_complete=True)
    ... host code with bench.resolve ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes.resolve import Bench, Knobs, Scene, process
from fakes.resolve.bench import WATCHED

Resolves = Callable[..., Bench]


@pytest.fixture(autouse=True)
def no_forbidden_calls() -> Iterator[None]:
    """Fails every test in which a script of ours made a call that none may make, whatever came of it."""
    benches: list[Bench] = []
    token = WATCHED.set(benches)
    yield
    WATCHED.reset(token)
    found = [call for bench in benches for call in bench.forbidden()]
    assert not found, "never to be called: " + ", ".join(found)


@pytest.fixture
def resolves() -> Iterator[Resolves]:
    """Makes benches of scenes, with knobs by name. Afterwards fails on every forbidden call, name or argument."""
    made: list[Bench] = []

    def bench(scene: Scene, **knobs: Any) -> Bench:
        made.append(Bench(scene.data, Knobs(**knobs)))
        return made[-1]

    yield bench
    for one in made:
        one.verify()


class Outside:
    """A Resolve that other processes talk to: its world lies in a file, `environment` leads them there."""

    def __init__(self, path: Path, scene: Scene, knobs: Knobs) -> None:
        self.path = path
        process.save(path, Bench(scene.data, knobs))
        self.environment = process.environment(path)

    def bench(self) -> Bench:
        """What the last process left."""
        return process.load(self.path)

    def forgive(self) -> None:
        """Forgets the calls and breaches so far."""
        Path(f"{self.path}.calls").unlink(missing_ok=True)

    def state(self) -> dict[str, Any]:
        return self.bench().state()


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Callable[..., Outside]]:
    """As `resolves`, for scripts in processes of their own."""
    made: list[Outside] = []

    def world(scene: Scene, **knobs: Any) -> Outside:
        made.append(Outside(tmp_path / f"resolve{len(made)}.json", scene, Knobs(**knobs)))
        return made[-1]

    yield world
    for one in made:
        one.bench().verify()
