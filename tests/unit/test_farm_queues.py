"""What is made of the answers of queue managers, and of their tables in the site file."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from farms import fixed_bundles, plan_of, request_of, void_units

from void_plugin.errors import FarmError
from void_plugin.farm import Bundle, Farm, JobRef, JobStatus, Options, Site, StepStatus, open_farm
from void_plugin.farm.opencue import name_for_cuebot
from void_plugin.farm.packing import LOADS, seconds_of
from void_plugin.farm.site import PathMapping
from void_plugin.farm.sitetable import GpuKind, smallest
from void_plugin.farm.taskscript import task_script
from void_plugin.farm.telling import in_sequence
from void_plugin.farm.template import make_bundle
from void_plugin.frames import FrameRange
from void_plugin.settings import RenderSettings

QUEUES = ("opencue", "deadline-cloud", "deadline10")
STEPS = [("Solve", 4), ("Compose", 2), ("Verify", 1)]


def farm_of(name: str, environment: Mapping[str, str] | None = None, **table: Any) -> Farm:
    return open_farm(name, Site(path="site.toml", sections={name: table}), environment or {})


# -- the site's table -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", QUEUES)
@pytest.mark.parametrize("value", [3, ["", "a"], "text", {"a": 1}, None])
def test_a_value_of_the_wrong_kind_is_named_with_its_key(name: str, value: object) -> None:
    key = "python" if name == "opencue" else "command"
    (finding,) = farm_of(name, **{key: value}).doctor()
    assert finding.code == "farm.site" and key in finding.text and "site.toml" in finding.text
    assert repr(value) in finding.text


@pytest.mark.parametrize(
    "kind", [{"name": "gpu48"}, {"name": "gpu48", "vram_mib": "48"}, {"name": 1, "vram_mib": 2}, "gpu48"]
)
def test_a_kind_of_gpu_has_a_name_and_its_memory(kind: object) -> None:
    with pytest.raises(FarmError, match="gpus"):
        farm_of("opencue", gpus=[kind]).translate(fixed_bundles()["recover"].bundle, Options())


def test_the_smallest_kind_that_is_enough_is_taken() -> None:
    kinds = [GpuKind("b", 80000), GpuKind("a", 48000), GpuKind("c", 24000)]
    assert [smallest(kinds, asked) for asked in (1, 24000, 24001, 48001)] == [kinds[2], kinds[2], kinds[1], kinds[0]]
    assert smallest(kinds, 80001) is None and smallest([], 1) is None


@pytest.mark.parametrize("name", ["slurm", "opencue", "deadline10"])
def test_a_worker_is_told_of_no_path_that_it_knows_by_another_name(name: str) -> None:
    site = Site(path="site.toml", path_mapping=(PathMapping("/shows", "/mnt/shows"),))
    bundle = fixed_bundles()["packed"].bundle
    artefacts = open_farm(name, site, {}).translate(bundle, Options())
    # Parameters are mapped on the worker, and submitting reads the files here.
    parameters = r"--job-param '[^']*'|--path-mapping-rules '[^']*'"
    texts = [re.sub(parameters, "", text) for text in artefacts.files.values()]
    texts += [word for command in artefacts.commands for word in command if word.startswith("--")]
    found = [line for text in texts for line in text.splitlines() if re.search(r"(?<!/mnt)/shows", line)]
    # What Deadline shows to people is as they know it.
    assert [line for line in found if not line.startswith(("Comment=", "OutputDirectory"))] == []
    assert any("/mnt/shows/xy/sh010/comp/.void" in text for text in texts)


@pytest.mark.parametrize("name", ["opencue", "deadline10"])
def test_more_memory_than_any_gpu_of_the_site_has_is_told_with_both_figures(name: str) -> None:
    made = fixed_bundles()["generated"].bundle
    farm = farm_of(name, gpus=[{"name": "gpu24", "vram_mib": 24000}, {"name": "gpu48", "vram_mib": 48000}])
    (finding,) = [finding for finding in farm.check(made, Options()) if finding.code == "vram"]
    assert finding.level == "error" and "80000 MiB" in finding.text and "up to 48000" in finding.text


# -- what is counted for a whole job -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("done", "running", "failed", "states"),
    [
        (0, 0, 0, ["queued", "queued", "queued"]),
        (0, 2, 0, ["running", "queued", "queued"]),
        (3, 0, 0, ["running", "queued", "queued"]),
        (4, 0, 0, ["succeeded", "queued", "queued"]),
        (5, 1, 0, ["succeeded", "running", "queued"]),
        (3, 0, 1, ["failed", "queued", "queued"]),
        (2, 1, 1, ["running", "queued", "queued"]),
        (7, 0, 0, ["succeeded", "succeeded", "succeeded"]),
    ],
)
def test_counts_of_a_job_belong_to_the_step_at_work(done: int, running: int, failed: int, states: list[str]) -> None:
    steps = in_sequence(STEPS, done, running, failed)
    assert [step.state for step in steps] == states
    assert sum(step.done for step in steps) == done
    assert sum(step.running for step in steps) == running and sum(step.failed for step in steps) == failed


# -- OpenCue -----------------------------------------------------------------------------------------------------


def cue_status(folder: Path, facts: Mapping[str, Any] | None = None, **told: Any) -> JobStatus:
    """What a job of four solving and one verifying task stands as, where OpenCue's Python answers so."""
    answer = {"name": "n", "state": "PENDING", "paused": False, "layers": {}, **told}
    (folder / "answer.json").write_text(json.dumps(answer))
    show = f"print(open({str(folder / 'answer.json')!r}).read())"
    farm = farm_of("opencue", {"XDG_STATE_HOME": str(folder)}, python=[sys.executable, "-c", show])
    bundle = replace(fixed_bundles()["recover"].bundle, folder=str(folder), job_folder=str(folder))
    ref = farm.records.add("1", bundle, {"steps": [["Solve", 4], ["Verify", 1]], **(facts or {})})
    return farm.status(ref)


def layer(**counts: int) -> dict[str, int]:
    return {"total": 4, "succeeded": 0, "running": 0, "waiting": 0, "dead": 0, "eaten": 0, **counts}


FINISHED, CANCELLED = {"state": "FINISHED"}, {"cancelled": True}
DONE, WAITS = layer(succeeded=4), layer()
VERIFIED = {**layer(succeeded=1), "total": 1}


@pytest.mark.parametrize(
    ("told", "facts", "state", "words"),
    [
        ({"layers": {"solve": layer(waiting=4), "verify": WAITS}}, {}, "queued", ""),
        ({"layers": {"solve": layer(running=2, waiting=2), "verify": WAITS}}, {}, "running", "Solve 0 of 4"),
        ({"layers": {"solve": layer(dead=1, running=1), "verify": WAITS}}, {}, "running", ""),
        ({"layers": {"solve": layer(dead=1, succeeded=3), "verify": WAITS}}, {}, "failed", "1 of 4 tasks of Solve"),
        ({"layers": {"solve": layer(waiting=4), "verify": WAITS}, "paused": True}, {}, "queued", "paused"),
        ({"layers": {"solve": DONE, "verify": VERIFIED}, **FINISHED}, {}, "succeeded", ""),
        ({"layers": {"solve": layer(succeeded=1), "verify": WAITS}, **FINISHED}, {}, "cancelled", "killed"),
        ({"layers": {"solve": layer(eaten=4), "verify": VERIFIED}, **FINISHED}, {}, "failed", "4 of 4"),
        ({"layers": {"solve": layer(dead=2), "verify": WAITS}}, CANCELLED, "running", "being killed"),
        (
            {"layers": {"solve": layer(dead=2), "verify": WAITS}, "state": "FINISHED"},
            {"cancelled": True},
            "cancelled",
            "",
        ),
    ],
)
def test_a_job_of_cuebot_stands_as_its_frames_do(
    tmp_path: Path, told: dict[str, Any], facts: dict[str, Any], state: str, words: str
) -> None:
    status = cue_status(tmp_path, facts, **told)
    assert status.state == state and words in status.text, status
    assert [step.total for step in status.steps] == [4, 1]


@pytest.mark.parametrize(
    ("text", "name"),
    [("sh010 void 1001-1048", "sh010_void_1001_1048"), ("Straße 7/b", "stra_e_7_b"), ("a", "shot_a"), ("", "shot_")],
)
def test_names_are_what_cuebot_takes(text: str, name: str) -> None:
    assert name_for_cuebot(text) == name


def test_two_submissions_of_a_shot_have_two_names() -> None:
    bundle = fixed_bundles()["recover"].bundle
    farm = farm_of("opencue", python=["python"])
    first, again = (
        json.loads(farm.translate(replace(bundle, folder=folder), Options()).files["opencue/job.json"])["name"]
        for folder in ("/show/.void/a/farm/1", "/show/.void/a/farm/2")
    )
    assert first != again and first.startswith("sh010_recover")


def test_a_tag_that_cuebot_would_refuse_is_refused_before() -> None:
    farm = farm_of("opencue", python=["/nowhere/python"])
    texts = [finding.text for finding in farm.check(fixed_bundles()["recover"].bundle, Options(tags=("a b", "gpu48")))]
    assert any("not a b." in text for text in texts)


def test_the_tags_of_a_submission_stand_for_those_of_the_site() -> None:
    farm = farm_of("opencue", python=["python"], tags=["general"], gpus=[{"name": "gpu48", "vram_mib": 48000}])
    for options, tags in ((Options(), [["general"], ["gpu48"]]), (Options(tags=("mine",)), [["mine"], ["mine"]])):
        job = json.loads(farm.translate(fixed_bundles()["packed"].bundle, options).files["opencue/job.json"])
        assert [layer["tags"] for layer in job["layers"][:2]] == tags


# -- both ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["opencue", "deadline10"])
def test_a_task_that_loads_the_model_anew_is_five_loads_long(name: str) -> None:
    """Queue managers without sessions: `keeps_sessions` is what a submission packs by."""
    frames = FrameRange(1, 3000)
    request = request_of(engine="void", frames=frames, settings=RenderSettings(source="generated", void_steps=20))
    units = [replace(unit, needs=()) for unit in void_units(frames)]
    keeps = farm_of(name).keeps_sessions
    made = make_bundle(request, plan_of(request, units), Site(), "/b", keeps_sessions=keeps)
    (solve,) = [step for step in made.bundle.steps if step.name == "Solve"]
    each = seconds_of(units[1], request, Site().rates)
    tasks = [spanned(task["Units"]) for task in solve.tasks]
    assert 1 < len(tasks) < len(units) and each < LOADS * Site().rates.load
    assert all(count * each >= LOADS * Site().rates.load for count in tasks[:-1]), tasks


def spanned(text: str) -> int:
    """How many numbers `0-3,7` names."""
    return sum(len(FrameRange.parse(part)) for part in text.split(","))


def test_a_script_has_no_task_but_those_of_its_step() -> None:
    bundle: Bundle = fixed_bundles()["packed"].bundle
    for step in bundle.steps:
        lines = [line for line in task_script(bundle, Site(), step).splitlines() if line[:1].isdecimal()]
        assert [line.partition(")")[0] for line in lines] == [str(number) for number in range(len(step.tasks))]


def test_a_reference_is_kept_with_what_a_status_needs(tmp_path: Path) -> None:
    status = cue_status(tmp_path, layers={"solve": layer(waiting=4), "verify": WAITS})
    assert status.ref == JobRef("opencue", "1")
    assert status.steps[0] == StepStatus("Solve", "queued", 4)
