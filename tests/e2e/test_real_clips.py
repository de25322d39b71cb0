"""The main job on real footage: `void remove` on clips turned into EXR plates, as a user runs it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from shots import bits, load_exr, merged, save_exr

COUNT = 6
WIDTH = 640
RGB = ("R", "G", "B")


@pytest.fixture(scope="module")
def plates(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    made: dict[str, Path] = {}

    def make(clip: str) -> Path:
        if clip not in made:
            folder = tmp_path_factory.mktemp(clip)
            tool = data.parent / "tools/make_plates.py"
            size = ["--count", str(COUNT), "--width", str(WIDTH)]
            subprocess.run([sys.executable, str(tool), str(data / "clips" / clip), str(folder), *size], check=True)
            made[clip] = folder
        return made[clip]

    return make


def remove(folder: Path, name: str, kind: str, *more: str) -> list[dict[str, object]]:
    """Run the command with --json; returns its events."""
    command = [sys.executable, "-m", "void_plugin.cli", "remove", "--json", "--engine", "recover", "--output", kind]
    command += ["--plate", str(folder / "plate.####.exr"), "--matte", str(folder / "object_matte.$F4.exr")]
    command += ["--affected", str(folder / "affected_matte.%04d.exr"), "--out", str(folder / name / f"{kind}.%04d.exr")]
    # The server of this very Python, whatever else is on PATH.
    environment = {**os.environ, "VOID_SERVER_COMMAND": f'"{sys.executable}" -m void_server'}
    done = subprocess.run([*command, *more], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def far(matte: np.ndarray) -> np.ndarray:
    """Farther from the matte than 12 px at 1920 wide."""
    distance = cv2.distanceTransform((matte <= 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return distance > 12 * matte.shape[1] / 1920


def either_matte(folder: Path, frame: int) -> np.ndarray:
    mattes = [load_exr(folder / f"{name}.{frame}.exr").planes["A"] for name in ("object_matte", "affected_matte")]
    return np.maximum(*mattes)


@pytest.mark.slow
@pytest.mark.parametrize("clip", ["lime", "moving_ball"])
def test_a_real_clip_comes_back_whole_and_exact_outside(plates: Callable[[str], Path], clip: str) -> None:
    folder = plates(clip)
    events = remove(folder, "out", "patch")
    remove(folder, "out", "comp")
    assert events[-1]["kind"] == "Finished"
    assert [event["number"] for event in events] == list(range(1, len(events) + 1))
    for kind in ("patch", "comp"):
        assert len(list((folder / "out").glob(f"{kind}.*.exr"))) == COUNT
    changed = 0
    for frame in range(1001, 1001 + COUNT):
        plate = load_exr(folder / f"plate.{frame}.exr")
        comp = load_exr(folder / f"out/comp.{frame}.exr")
        over = merged(load_exr(folder / f"out/patch.{frame}.exr"), plate)
        outside = far(either_matte(folder, frame))
        for name in RGB:
            assert (bits(comp.planes[name]) == bits(plate.planes[name]))[outside].all()
            assert (bits(over[name]) == bits(plate.planes[name]))[outside].all()
            changed += int((bits(comp.planes[name]) != bits(plate.planes[name])).sum())
        assert comp.attributes["smpte:TimeCode"] == plate.attributes["smpte:TimeCode"]
    assert changed


@pytest.mark.slow
def test_a_real_clip_under_a_holdout_keeps_every_code(plates: Callable[[str], Path]) -> None:
    folder = plates("lime")
    shape = load_exr(folder / "plate.1001.exr").planes["R"].shape
    holdout = np.zeros(shape, np.float16)
    holdout[shape[0] // 2 :] = 0.5
    for frame in range(1001, 1001 + COUNT):
        save_exr(folder / f"front.{frame}.exr", holdout, ["A"])
    remove(folder, "held", "comp", "--holdout", str(folder / "front.%04d.exr"))
    for frame in range(1001, 1001 + COUNT):
        plate, comp = load_exr(folder / f"plate.{frame}.exr"), load_exr(folder / f"held/comp.{frame}.exr")
        for name in RGB:
            assert (bits(comp.planes[name]) == bits(plate.planes[name]))[holdout > 0].all()


@pytest.mark.slow
def test_a_real_clip_with_a_matte_at_the_frame_edge_is_exact_outside(plates: Callable[[str], Path]) -> None:
    folder = plates("moving_ball")
    shape = load_exr(folder / "plate.1001.exr").planes["R"].shape
    mattes = {}
    for frame in range(1001, 1001 + COUNT):
        matte = np.zeros(shape, np.float16)
        matte[-80:, -120 + 10 * (frame - 1001) :] = 1
        mattes[frame] = matte
        save_exr(folder / f"corner.{frame}.exr", matte, ["A"])
    remove(
        folder,
        "corner",
        "comp",
        "--matte",
        str(folder / "corner.%04d.exr"),
        "--affected",
        str(folder / "corner.%04d.exr"),
    )
    for frame, matte in mattes.items():
        plate, comp = load_exr(folder / f"plate.{frame}.exr"), load_exr(folder / f"corner/comp.{frame}.exr")
        for name in RGB:
            assert (bits(comp.planes[name]) == bits(plate.planes[name]))[far(matte)].all()
