"""Generated pictures go back into plates of every kind, and what was not asked for keeps its bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from shots import bits, load_exr, merged, run_in_process, save_exr

from void_plugin.config import Config
from void_plugin.request import ImageInput, Output, RemovalRequest
from void_plugin.settings import RenderSettings

MACHINE = Config(engines={"painter": "fakes.painter_engine:PainterEngine"})
FRAMES = (1001, 1002, 1003)
SETTINGS = RenderSettings(source="generated")


def write(
    folder: Path,
    size: tuple[int, int],
    mattes: NDArray[np.float32] | dict[int, NDArray[np.float32]],
    *,
    origin: tuple[int, int] = (0, 0),
    display: tuple[int, int, int, int] | None = None,
    aspect: float = 1.0,
    frames: Sequence[int] = FRAMES,
) -> RemovalRequest:
    """A grainy plate of this data window with a matte on all frames, or one for each."""
    random = np.random.default_rng(6)
    cells = random.random((size[0] // 6 + 2, size[1] // 6 + 2, 3), np.float32)
    set_ = 0.2 + 0.5 * cv2.resize(cells, size[::-1], interpolation=cv2.INTER_CUBIC)
    for frame in frames:
        matte = mattes[frame] if isinstance(mattes, dict) else mattes
        plate = set_ + random.normal(0, 0.01, (*size, 3))
        plate = plate * (1 - matte[..., None]) + np.float32([0.8, 0.1, 0.05]) * matte[..., None]
        attributes: dict[str, Any] = {"colorInteropID": "lin_ap1_scene", "PixelAspectRatio": aspect}
        where: dict[str, Any] = {"origin": origin, "display": display}
        save_exr(folder / f"plate.{frame}.exr", plate.astype(np.float16), attributes=attributes, **where)
        save_exr(folder / f"matte.{frame}.exr", matte.astype(np.float16), ["A"], **where)
    return RemovalRequest(
        plate=ImageInput(str(folder / "plate.%04d.exr")),
        object_matte=ImageInput(str(folder / "matte.%04d.exr")),
        outputs=(Output("patch", str(folder / "out/p.%04d.exr")), Output("comp", str(folder / "out/c.%04d.exr"))),
        engine="painter",
        settings=SETTINGS,
    )


def blob(size: tuple[int, int], x: float, y: float, radius: float) -> NDArray[np.float32]:
    rows, columns = np.mgrid[0 : size[0], 0 : size[1]]
    hard = (np.hypot(columns - x * size[1], rows - y * size[0]) < radius).astype(np.float32)
    soft = cv2.GaussianBlur(hard, (0, 0), 1.0)
    return np.where(soft > 0.01, soft, 0).astype(np.float32)


CASES = {
    "plain": {"size": (108, 192), "place": (0.5, 0.5, 16)},
    "anamorphic": {"size": (108, 96), "place": (0.5, 0.5, 14), "aspect": 2.0},
    "narrow pixels": {"size": (108, 288), "place": (0.4, 0.5, 16), "aspect": 0.667},
    "overscan": {"size": (124, 208), "place": (0.1, 0.2, 14), "origin": (-8, -8), "display": (0, 0, 192, 108)},
    "a part of the frame": {
        "size": (80, 130),
        "place": (0.5, 0.5, 14),
        "origin": (41, 17),
        "display": (0, 0, 192, 108),
    },
    "at the edge": {"size": (108, 192), "place": (0.0, 0.6, 20)},
    "in the corner": {"size": (109, 193), "place": (1.0, 1.0, 24)},
    "smaller than the raster": {"size": (40, 71), "place": (0.5, 0.5, 8)},
    "odd": {"size": (127, 301), "place": (0.31, 0.47, 17)},
}


@pytest.mark.parametrize("name", CASES)
def test_any_plate_takes_a_generated_picture_and_keeps_its_bits_outside(tmp_path: Path, name: str) -> None:
    case = dict(CASES[name])
    size, (x, y, radius) = case.pop("size"), case.pop("place")  # type: ignore[misc]
    matte = blob(size, x, y, radius)  # type: ignore[arg-type, has-type]
    ran = run_in_process(write(tmp_path, size, matte, **case), machine=MACHINE)  # type: ignore[arg-type]
    for frame in FRAMES:
        plate = load_exr(tmp_path / f"plate.{frame}.exr")
        patch, comp = load_exr(tmp_path / f"out/p.{frame}.exr"), load_exr(tmp_path / f"out/c.{frame}.exr")
        assert (comp.data, comp.display) == (plate.data, plate.display) and patch.display == plate.display
        alpha, put = patch.over(plate.data, "A"), merged(patch, plate)
        far = cv2.distanceTransform((matte <= 0).astype(np.uint8), cv2.DIST_L2, 5) > max(1.5, 12 * size[1] / 1920)
        assert (alpha[far] == 0).all() and (alpha[matte > 0.5] > 0.99).all()
        for channel in "RGB":
            assert (bits(put[channel]) == bits(comp.planes[channel])).all()
            assert (bits(comp.planes[channel]) == bits(plate.planes[channel]))[far].all()
        # The painter paints grey: the red object is gone and no edge of it stays.
        core = matte > 0.5
        red, blue = (comp.planes[channel].astype(np.float32) for channel in "RB")
        assert np.abs(red - blue)[core].mean() < 0.1
        assert np.isfinite(np.stack([comp.planes[channel] for channel in "RGB"]).astype(np.float32)).all()
    assert not {"frame.verify", "job.crashed"} & {event.code for event in ran.warnings}


def test_grain_makes_new_pixels_as_restless_as_the_plate(tmp_path: Path) -> None:
    size = (216, 384)
    matte = blob(size, 0.5, 0.5, 40)
    run_in_process(write(tmp_path, size, matte), machine=MACHINE)
    frames = [load_exr(tmp_path / f"out/c.{frame}.exr").planes["G"].astype(np.float32) for frame in FRAMES]
    step = (frames[1] - frames[0]) / np.sqrt(2)
    inside, outside = matte > 0.99, matte == 0
    assert step[inside].std() == pytest.approx(float(step[outside].std()), rel=0.12)
    # Nothing of one frame's grain is there in the next.
    first, second = frames[1] - frames[0], frames[2] - frames[1]
    assert np.corrcoef(first[inside], second[inside])[0, 1] == pytest.approx(-0.5, abs=0.08)


@pytest.mark.parametrize(("count", "size"), [(3, (160, 288)), (6, (432, 768))], ids=["too little plate", "plate"])
def test_every_kind_of_grain_is_its_own_and_the_same_again(tmp_path: Path, count: int, size: tuple[int, int]) -> None:
    found, said, frames = {}, {}, range(1001, 1001 + count)
    for name, grain, workers in (("a", "synth", 1), ("b", "synth", 3), ("c", "scatter", 2), ("d", "off", 2)):
        request = write(tmp_path / name, size, blob(size, 0.5, 0.5, 30), frames=frames)
        ran = run_in_process(
            replace(request, settings=replace(SETTINGS, grain=grain)), machine=MACHINE, workers=workers
        )
        found[name] = [load_exr(tmp_path / name / f"out/p.{frame}.exr").planes["R"] for frame in frames]
        said[name] = {event.code for event in ran.warnings}
    assert all((bits(one) == bits(two)).all() for one, two in zip(found["a"], found["b"], strict=True))
    levels = {name: float(np.std(np.diff([each.astype(np.float32) for each in found[name]], axis=0))) for name in found}
    assert levels["d"] < 0.3 * levels["a"] and levels["c"] == pytest.approx(levels["a"], rel=0.2)
    # Where the plate has too little to take from, grain is made instead, and that is said.
    made = (bits(found["a"][0]) == bits(found["c"][0])).all()
    assert ("scatter_not_here" in said["c"]) == made == (count == 3)


def test_an_artists_clean_plate_gets_no_grain(tmp_path: Path) -> None:
    size = (216, 384)
    made = write(tmp_path, size, blob(size, 0.5, 0.5, 30))
    clean = ImageInput(str(tmp_path / "clean.%04d.exr"))
    flat = np.full((*size, 3), 0.25, np.float16)
    for frame in FRAMES[:2]:
        save_exr(tmp_path / f"clean.{frame}.exr", flat, attributes={"colorInteropID": "lin_ap1_scene"})
    settings = RenderSettings(recover_grain="clean")
    run_in_process(replace(made, engine="recover", clean_plate=clean, settings=settings))
    for frame in FRAMES:
        patch = load_exr(tmp_path / f"out/p.{frame}.exr")
        core = patch.planes["A"] == 1
        spread = float(patch.planes["G"].astype(np.float32)[core].std())
        assert spread < 0.001 if frame in FRAMES[:2] else spread > 0.004


def test_recovered_pixels_are_as_restless_as_the_plate_and_their_grain_does_not_stand_still(tmp_path: Path) -> None:
    size, frames = (216, 384), range(1001, 1013)
    mattes = {frame: blob(size, 0.1 + 0.07 * (frame - 1001), 0.5, 24) for frame in frames}
    request = write(tmp_path, size, mattes, frames=frames)
    run_in_process(replace(request, settings=RenderSettings(source_channel=True)), machine=MACHINE)
    steps, around, last = [], [], None
    for frame in frames:
        patch = load_exr(tmp_path / f"out/p.{frame}.exr")
        picture = load_exr(tmp_path / f"out/c.{frame}.exr").planes["G"].astype(np.float32)
        whole = (0, 0, size[1], size[0])
        real = (patch.over(whole, "void.source") == 0.5) & (patch.over(whole, "A") > 0.99)
        assert real.any()
        if last is not None:
            steps.append((picture - last[0])[real & last[1]])
            around.append((picture - last[0])[(mattes[frame] == 0) & (mattes[frame - 1] == 0)])
        last = picture, real
    # A camera that is locked off: what changes from frame to frame is grain.
    assert np.concatenate(steps).std() == pytest.approx(float(np.concatenate(around).std()), rel=0.1)
