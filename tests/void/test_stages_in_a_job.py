"""The detail stage and the physics rate in whole jobs: from EXR to EXR."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soak
from shots import bits, build_shot, load_exr, merged, run_in_process

from void_plugin.config import Config
from void_plugin.events import FrameReady
from void_plugin.frames import FrameRange
from void_plugin.request import Output
from void_plugin.settings import RenderSettings
from void_server.jobfolder import read_json

BOTH = RenderSettings(
    source="generated", void_raster="48x32", void_steps=3, void_short_clips="short", rate="physics", detail="tiled"
)


def test_every_frame_comes_out_and_nothing_changes_outside_the_matte(machine: Config, tmp_path: Path) -> None:
    shot = build_shot(tmp_path, count=6, size=(108, 192), pan=2)
    outputs = (Output("patch", shot.out()),)
    request = shot.request(engine="void", settings=BOTH, outputs=outputs)
    done = run_in_process(request, machine=machine)
    assert sorted(event.frame for event in done.events if isinstance(event, FrameReady)) == list(shot.frames)
    assert not [warning.code for warning in done.warnings if warning.code in ("rate_assumed", "detail_skipped")]
    for frame in shot.frames:
        plate, patch = load_exr(shot.plate % frame), load_exr(shot.out() % frame)
        alpha = patch.over(plate.data, "A")
        assert (alpha > 0).any() and np.isfinite(patch.planes["R"].astype(np.float32)).all()
        for name, values in merged(patch, plate).items():
            assert (bits(values)[alpha == 0] == bits(plate.planes[name])[alpha == 0]).all()
    result = read_json(done.folder / "result.json")
    assert result["settings"]["fps"] == 24
    between = [entry["patch"]["facts"]["interpolated"] for entry in result["frames"].values()]
    assert between == [0, 1, 0, 1, 0, 0]
    # Part of the shot, asked for alone, is the same part.
    alone = shot.request(
        engine="void",
        settings=BOTH,
        outputs=(Output("patch", shot.out(folder="alone")),),
        frames=FrameRange(1002, 1003),
        shot_range=shot.frames,
    )
    run_in_process(alone, machine=machine)
    wanted, found = soak.digests(tmp_path / "out"), soak.digests(tmp_path / "alone")
    assert len(found) == 2 and found.items() <= wanted.items()
