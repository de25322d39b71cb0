"""What every engine promises, checked on all that are here. A new engine joins by being named in the table."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from shots import Shot, build_shot
from tinyvoid import build_weights

from void_plugin.config import Config as MachineConfig
from void_plugin.errors import Cancelled
from void_plugin.settings import RenderSettings
from void_server.colour import PINNED_CONFIG, Colour, Config
from void_server.engines import (
    AFFECTED,
    ENGINES,
    KEEP,
    OVERLAP,
    REMOVE,
    Engine,
    Fill,
    Frames,
    Kept,
    Setup,
    Unit,
    choose_engine,
    engine_class,
    open_engine,
    readiness,
)
from void_server.exr import ImageFiles
from void_server.footage import Footage
from void_server.quadmask import Reach
from void_server.raster import RasterFrames
from void_server.scenes import MemoryShelf
from void_server.tiles import Box
from void_server.view import PlateFrames

SETTINGS = RenderSettings(seed=5, void_raster="112x64", void_steps=2, void_short_clips="short")
"""Small enough for a tiny VOID on a CPU; other engines do not look at it."""


def nothing(_: float, __: str, *, window: int = 0, pass_number: int = 0) -> None:
    return None


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> MachineConfig:
    """A machine on which every engine can run."""
    return MachineConfig(weights=str(build_weights(tmp_path_factory.mktemp("weights"))), device="cpu")


@pytest.fixture(scope="module")
def kept() -> Kept:
    return Kept()


MakeEngine = Callable[..., Engine]


@pytest.fixture
def make(machine: MachineConfig, kept: Kept) -> MakeEngine:
    """Opens an engine by name, for a number of workers."""
    return lambda name, workers=1: open_engine(name, Setup(SETTINGS, workers=workers, machine=machine, kept=kept))


@pytest.fixture(scope="module")
def shot(tmp_path_factory: pytest.TempPathFactory) -> Shot:
    return build_shot(tmp_path_factory.mktemp("contract"), count=8, pan=2)


@pytest.fixture(scope="module")
def files() -> Iterator[ImageFiles]:
    with ImageFiles(2) as pool:
        yield pool


def view(shot: Shot, files: ImageFiles, engine: Engine) -> tuple[Frames, Box]:
    """The shot as `plan` would hand it to this engine, analysed."""
    height, width = shot.size
    canvas = Box(0, 0, width, height)
    config = Config(PINNED_CONFIG)
    base = PlateFrames(
        Footage(files, shot.request(), 1 << 28),
        list(shot.frames),
        canvas,
        Reach.for_width(width),
        engine.fills(),
        Colour(config, "ACEScg"),
    )
    limits = engine.limits()
    frames: Frames = base
    if limits.raster is not None:
        encoding = "srgb_knee" if limits.encoding == "encoded" else ""
        frames = RasterFrames(base, canvas, limits.raster, Colour(config, "ACEScg", encoding, 4.0), limits.snaps_grid)
    frames.analysis = engine.analyse(frames, nothing, lambda: False)
    return frames, canvas


def units(shot: Shot, engine: Engine, roi: Box) -> list[Unit]:
    numbers = tuple(shot.frames)
    if engine.limits().lengths is not None:
        return [Unit(0, "all", numbers, roi)]
    return [Unit(0, "first", numbers[:4], roi), Unit(1, "second", numbers[4:], roi)]


def solve(shot: Shot, files: ImageFiles, make: MakeEngine, name: str, workers: int = 1) -> dict[int, Fill]:
    engine = make(name, workers)
    frames, roi = view(shot, files, engine)
    return {
        fill.frame: fill
        for unit in units(shot, engine, roi)
        for fill in engine.solve(unit, frames, nothing, lambda: False, MemoryShelf())
    }


@pytest.mark.parametrize("name", ENGINES)
def test_each_frame_with_a_hole_is_filled_once_and_finite(
    shot: Shot, files: ImageFiles, make: MakeEngine, name: str
) -> None:
    engine = make(name, 2)
    frames, roi = view(shot, files, engine)
    whole = Box(0, 0, frames.size[1], frames.size[0])
    for unit in units(shot, engine, roi):
        fills = list(engine.solve(unit, frames, nothing, lambda: False, MemoryShelf()))
        assert [fill.frame for fill in fills] == [number for number in unit.frames if frames.hole(number) is not None]
        for fill in fills:
            assert whole.holds(fill.box)
            assert fill.pixels.shape == (*fill.box.size, 3) and fill.pixels.dtype == np.float32
            assert np.isfinite(fill.pixels).all()
            assert fill.confidence.shape == fill.box.size
            assert fill.confidence.min() >= 0 and fill.confidence.max() <= 1
            assert 0 <= fill.facts["coverage"] <= 1
            hole = frames.hole(fill.frame)
            assert hole is not None and fill.box.holds(hole), "every pixel that can be written has a fill"


@pytest.mark.parametrize("name", ENGINES)
def test_equal_work_gives_equal_pixels_for_any_number_of_workers(
    shot: Shot, files: ImageFiles, make: MakeEngine, name: str
) -> None:
    one, other = solve(shot, files, make, name, 1), solve(shot, files, make, name, 3)
    assert one.keys() == other.keys()
    assert all((one[frame].pixels == other[frame].pixels).all() for frame in one)


@pytest.mark.parametrize("name", ENGINES)
def test_a_unit_depends_on_no_other_unit(shot: Shot, files: ImageFiles, make: MakeEngine, name: str) -> None:
    engine = make(name)
    frames, roi = view(shot, files, engine)
    last = units(shot, engine, roi)[-1]
    alone = {fill.frame: fill for fill in engine.solve(last, frames, nothing, lambda: False, MemoryShelf())}
    together = solve(shot, files, make, name)
    assert all((alone[frame].pixels == together[frame].pixels).all() for frame in alone)


@pytest.mark.parametrize("name", ENGINES)
def test_a_stop_is_obeyed(shot: Shot, files: ImageFiles, make: MakeEngine, name: str) -> None:
    engine = make(name)
    frames, roi = view(shot, files, engine)
    with pytest.raises(Cancelled):
        list(engine.solve(units(shot, engine, roi)[0], frames, nothing, lambda: True, MemoryShelf()))


@pytest.mark.parametrize("name", ENGINES)
def test_progress_runs_from_zero_to_one_and_never_back(
    shot: Shot, files: ImageFiles, make: MakeEngine, name: str
) -> None:
    engine = make(name)
    frames, roi = view(shot, files, engine)
    told: list[float] = []

    def tell(done: float, _: str, *, window: int = 0, pass_number: int = 0) -> None:
        told.append(done)

    list(engine.solve(units(shot, engine, roi)[0], frames, tell, lambda: False, MemoryShelf()))
    assert told == sorted(told) and told[-1] == pytest.approx(1) and min(told) >= 0


@pytest.mark.parametrize("name", ENGINES)
def test_limits_are_plain_and_the_name_is_the_tables(make: MakeEngine, name: str) -> None:
    engine = make(name)
    assert engine.name == name and engine.limits().devices and engine.digest() and engine.readiness().problem is None
    assert set(engine.fills()) <= {REMOVE, OVERLAP, AFFECTED} - {KEEP}


@pytest.mark.parametrize("name", ENGINES)
def test_analysis_is_plain_arrays_that_can_be_saved(shot: Shot, files: ImageFiles, make: MakeEngine, name: str) -> None:
    engine = make(name)
    frames, _ = view(shot, files, engine)
    assert all(isinstance(array, np.ndarray) and not array.dtype.hasobject for array in frames.analysis.values())


def test_auto_takes_recover_where_void_cannot_run_and_says_why() -> None:
    nowhere = MachineConfig(weights="/nowhere")
    assert readiness("void", nowhere).problem is not None
    name, reason = choose_engine("auto", nowhere)
    assert name == "recover" and "VOID" in reason


def test_a_name_from_a_request_is_looked_up_and_never_imported() -> None:
    from void_plugin.errors import RequestError

    with pytest.raises(RequestError, match="no engine"):
        engine_class("os:system")


def test_the_machines_own_configuration_may_name_more_engines() -> None:
    more = {"mine": "void_server.engines.identity:IdentityEngine"}
    assert engine_class("mine", more).__name__ == "IdentityEngine"
