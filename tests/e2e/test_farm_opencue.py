"""OpenCue: pyoutline's own XML, and frames on a real RQD. The contract suite runs whole jobs on it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import xml.dom.minidom
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cues import CueFarm, until
from farmbenches import OpenCueBench
from farms import fixed_bundles, queue_artefacts
from foreign import foreign_bin

from void_plugin.errors import FarmError
from void_plugin.farm import JobRef, Options, errors_in
from void_plugin.farm.opencue import CHILD

QUEUES = Path(__file__).parents[1] / "golden" / "queues" / "opencue"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[OpenCueBench]:
    with OpenCueBench(tmp_path) as bench:
        yield bench


def spec(folder: Path, bundle: str) -> str:
    """The XML that pyoutline makes of a fixed bundle, an element a line and without the user who asks."""
    artefacts = queue_artefacts("opencue", fixed_bundles()[bundle].bundle)
    job = folder / "job.json"
    job.write_text(artefacts.files["opencue/job.json"])
    asked = [str(foreign_bin("opencue") / "python"), CHILD, "xml", str(job)]
    environment = {**os.environ, "USER": "artist", "LOGNAME": "artist", "HOME": str(folder)}
    answer = subprocess.run(asked, env=environment, check=True, capture_output=True, text=True)
    text = re.sub(r"<uid>\d+</uid>", "<uid>1000</uid>", json.loads(answer.stdout)["xml"])
    assert not list(folder.glob(".opencue*"))  # nothing of it is left in the user's home
    return xml.dom.minidom.parseString(text).toprettyxml(" ")


@pytest.mark.parametrize("bundle", ["hybrid", "generated", "packed"])
def test_the_job_in_the_words_of_cuebot_is_what_it_was(tmp_path: Path, bundle: str) -> None:
    """`python tests/e2e/test_farm_opencue.py` writes them anew; look at the difference."""
    assert spec(tmp_path, bundle) == (QUEUES / bundle / "job.xml").read_text()


def test_a_gpu_is_asked_for_in_the_unit_that_cuebot_reads(bench: OpenCueBench) -> None:
    """Cuebot keeps KiB, of all GPUs of a frame, but reads a number without a unit as GiB."""
    made = fixed_bundles()["generated"].bundle
    folder = bench.folder / "bundle"
    folder.mkdir()
    farm = bench.farm()
    ref = farm.submit(replace(made, folder=str(folder)), Options())
    told = pycue(
        bench.cue,
        f"""
layers = opencue.api.getJob({ref.id!r}).getLayers()
print(json.dumps([[x.name(), x.data.min_gpus, x.data.min_gpu_memory, x.data.min_memory] for x in layers]))""",
    )
    assert told == [
        ["solve", 2.0, 2 * 80000 * 1024, 65536 * 1024],
        ["compose", 0.0, 0, 8192 * 1024],
        ["verify", 0.0, 0, 8192 * 1024],
    ]
    farm.cancel(ref)


def test_a_task_that_fails_is_reported_tried_once_more_and_explained(bench: OpenCueBench) -> None:
    farm, ref = bench.submit(fail="solve", code=65)
    status = bench.ended(farm, ref)
    assert (status.state, status.steps[0].failed, status.steps[1].state) == ("failed", 2, "queued")
    assert "2 of 2 tasks of Solve failed" in status.text
    assert sorted((report["frame"], report["signal"]) for report in bench.cue.reports()) == [
        ("0000-solve", 0), ("0000-solve", 0), ("0001-solve", 0), ("0001-solve", 0),
    ]  # fmt: skip
    assert all(report["exit"] for report in bench.cue.reports())
    assert sum("The fake cannot solve" in line for line in farm.logs(ref)) >= 4
    farm.cancel(ref)  # takes the job, which would stay for ever, from the queue
    assert farm.status(ref).state == "failed"
    assert pycue(bench.cue, f"\nprint(json.dumps(opencue.api.getJob({ref.id!r}).state()))") == 1


def test_a_kill_leaves_nothing_behind(bench: OpenCueBench) -> None:
    """RQD sends SIGKILL to the frame's process group, in which what openjd starts no longer is."""
    farm, ref = bench.submit(seconds=600, deaf=True)
    until(lambda: any(call["what"] == "begun" for call in bench.calls()), "no task begins", bench.cue.said)
    show = str(bench.folder / "show")
    assert any("fake_worker.py" in line for line in programs(show))
    farm.cancel(ref)
    assert bench.ended(farm, ref).state == "cancelled"
    assert bench.cue.reports()[0]["signal"] == 9
    until(lambda: not programs(show), "processes are left", lambda: str(programs(show)))


def test_a_job_that_is_there_already_is_not_there_twice(bench: OpenCueBench) -> None:
    farm = bench.farm()
    bundle = bench.bundle(seconds=600)
    ref = farm.submit(bundle, Options())
    with pytest.raises(FarmError) as error:
        farm.submit(bundle, Options())
    assert error.value.code == "farm.refused" and "already pending" in error.value.message
    farm.cancel(ref)


def test_a_job_that_cuebot_has_forgotten_stands_as_unknown(bench: OpenCueBench) -> None:
    record = bench.farm().records
    record.add("00000000-0000-0000-0000-000000000000", bench.bundle(), {"steps": [["Solve", 2]], "name": "gone"})
    ref = JobRef(bench.name, "00000000-0000-0000-0000-000000000000")
    assert bench.farm().status(ref).state == "unknown"
    bench.farm().cancel(ref)


def test_no_cuebot_is_said(bench: OpenCueBench) -> None:
    bench.cue.cuebot = "127.0.0.1:9"
    (finding,) = errors_in(bench.farm().check(bench.bundle(), Options()))
    assert finding.code == "farm.unreachable" and "127.0.0.1:9" in finding.text
    with pytest.raises(FarmError) as error:
        bench.submit()
    assert error.value.code == "farm.unreachable" and error.value.retryable


def test_a_python_without_the_packages_is_said(bench: OpenCueBench) -> None:
    bench.cue.python = [sys.executable]
    (finding,) = errors_in(bench.farm().check(bench.bundle(), Options()))
    assert finding.code == "farm.program" and "lacks a package" in finding.text


@pytest.mark.skipif(os.getuid() != 0, reason="only root is refused")
def test_root_is_told_that_it_cannot_submit(bench: OpenCueBench) -> None:
    bench.cue.python = bench.cue.python[-1:]
    (finding,) = errors_in(bench.farm().check(bench.bundle(), Options()))
    assert finding.code == "farm.refused" and "root" in finding.text
    with pytest.raises(FarmError, match="root"):
        bench.submit()


def programs(marker: str) -> list[str]:
    """Command lines that name a folder, of all processes that there are."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue  # it has just ended
        if marker in line:
            found.append(line)
    return found


def pycue(cue: CueFarm, code: str) -> object:
    """What some lines print, run with pycue against the farm's Cuebot."""
    asked = [*cue.python, "-c", f"import json, opencue, opencue.api{code}"]
    environment = {**cue.environment, "CUEBOT_HOSTS": cue.cuebot}
    return json.loads(subprocess.run(asked, env=environment, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    import tempfile

    for name in ("hybrid", "generated", "packed"):
        with tempfile.TemporaryDirectory() as scratch:
            (QUEUES / name / "job.xml").write_text(spec(Path(scratch), name))
