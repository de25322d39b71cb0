"""The shapes that other programs read: a change here is a change of version, not an accident."""

import json
from pathlib import Path
from typing import Any

from shapes import shape
from shots import Shot, run_in_process

from void_plugin.request import Output

GOLDEN = Path(__file__).parent


def test_the_files_of_a_job_have_the_shapes_that_were_agreed(shot: Shot) -> None:
    """Rewrite tests/golden/formats.json by hand, together with the version number, when a shape must change."""
    request = shot.request(
        engine="identity", outputs=(Output("patch", shot.out()),), frames=shot.frames, shot_range=shot.frames
    )
    ran = run_in_process(request)
    found: dict[str, Any] = {}
    for name in ("request", "plan", "result"):
        found[name] = shape(json.loads((ran.folder / f"{name}.json").read_text()))
    for line in (ran.folder / "events.jsonl").read_text().splitlines():
        event = json.loads(line)
        found[f"event {event['kind']}"] = shape(event)
    unit = next(ran.folder.glob("units/*/manifest.json"))
    found["unit manifest"] = shape(json.loads(unit.read_text()))
    found["frame manifest"] = shape(json.loads(next(ran.folder.glob("frames/*.json")).read_text()))
    assert found == json.loads((GOLDEN / "formats.json").read_text()), json.dumps(found, indent=1)
