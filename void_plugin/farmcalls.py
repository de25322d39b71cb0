"""What windows ask about farms: which there are, what their jobs do, an end to some, a request onto one."""

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from void_plugin.config import Config, load_config
from void_plugin.desk import Desk
from void_plugin.errors import Cancelled, FarmError, VoidError
from void_plugin.farm import FARMS, Farm, JobRef, JobStatus, Record, Records, load_site, open_farm
from void_plugin.farm.asking import Answer, ask_submit, within
from void_plugin.farmversion import land
from void_plugin.hostcall import HostCall
from void_plugin.request import RemovalRequest

LISTED = 100
"""Jobs of one farm that are listed, the newest."""
STATUS_SECONDS = 20.0
"""How long a farm may take to say how its jobs stand, or to take one back."""
REQUEST = "request.json"


def farms(desk: Desk, call: HostCall) -> dict[str, Any]:
    """The names of the `farms` that a job can go to, and which is the site's, as `default`; empty without a site."""
    config = load_config(desk.environment)
    return {"farms": _names(config), "default": load_site(config.site).default if config.site else ""}


def farm_jobs(desk: Desk, call: HostCall) -> dict[str, Any]:
    """The `jobs` that this user has put on farms from here, the newest first; of one `farm` or of all.

    Each says how it stands, where its results lie and when it was submitted. Where a farm does not answer in time, its
    jobs are `unknown` and say why. The version of a host is committed once its job has succeeded.
    """
    config = load_config(desk.environment)
    farm = call.text("farm", "")
    names = _names(config)
    if farm and farm not in names:
        raise FarmError(f"There is no farm {farm!r}; known are {', '.join(names)}.", "farm.unknown")
    records = {name: Records(desk.environment, name).all()[-LISTED:] for name in ([farm] if farm else names)}
    asked = {name: found for name, found in records.items() if found}
    site = load_site(config.site)
    rows: list[dict[str, Any]] = []
    # One farm that is slow must not hold up what the others say.
    with ThreadPoolExecutor(max(1, len(asked)), thread_name_prefix="farm") as pool:
        opened = partial(open_farm, site=site, environment=desk.environment, more=config.farms)
        waiting = [pool.submit(_rows, desk, partial(opened, name), found) for name, found in asked.items()]
        for one in waiting:
            rows += one.result()
    return {"jobs": sorted(rows, key=lambda row: -row["submitted_at"])}


def farm_cancel(desk: Desk, call: HostCall) -> dict[str, Any]:
    """Cancel some `jobs`, each by its name such as `slurm:1234`; the result says why some were `refused`."""
    config = load_config(desk.environment)
    site = load_site(config.site)
    refused: dict[str, str] = {}
    for text in call.texts("jobs"):
        call.check()
        try:
            ref = JobRef.parse(text)
            farm = open_farm(ref.farm, site, desk.environment, config.farms)
            within(STATUS_SECONDS, farm.name, partial(farm.cancel, ref))
        except FarmError as error:
            refused[text] = error.message
    return {"refused": refused}


def farm_submit(desk: Desk, call: HostCall) -> dict[str, Any]:
    """Put a `request`, or the one in the file or job folder `path`, on a farm, as `void submit` does.

    `farm` is the site's by default and `priority` that of the request. With `dry_run` nothing is submitted. The result
    is what `void submit --json` prints of the one shot, with the `farm`; `job` is its name there. What keeps it from
    being submitted stands in its `findings`. Raises FarmError where the farm refuses, Cancelled once it is taken back.
    """
    with tempfile.TemporaryDirectory(prefix="void-") as folder:
        source = call.text("path", "")
        if not source:
            data = json.dumps(call.mapping("request"))
            request = RemovalRequest.from_json(data, "The request").rooted()
            source = str(Path(folder) / REQUEST)
            Path(source).write_text(request.to_json(), encoding="utf-8")
        arguments = [source, "--json"]
        if call.text("farm", ""):
            arguments += ["--farm", call.text("farm")]
        if call.whole("priority", -1) >= 0:
            arguments += ["--priority", str(call.whole("priority"))]
        if call.flag("dry_run"):
            arguments.append("--dry-run")
        return _submitted(desk, call, arguments)


# -- looking -------------------------------------------------------------------------------------------------------


def _rows(desk: Desk, opened: Callable[[], Farm], records: Sequence[Record]) -> list[dict[str, Any]]:
    """What is told of the jobs of one farm; as soon as one is not answered, no more are asked about."""
    rows, why = [], ""
    farm: Farm | None = None
    for record in reversed(records):
        status = desk.ended.find(record.ref)
        if status is None and not why:
            try:
                farm = farm or opened()
                status = _landed(desk, record, within(STATUS_SECONDS, farm.name, partial(farm.status, record.ref)))
                desk.ended.keep(status)
            except FarmError as error:
                if error.code in ("farm.unreachable", "farm.program", "farm.unknown"):
                    why = error.message  # it would be no different for the others
                status = JobStatus(record.ref, "unknown", text=error.message)
        rows.append(_row(record, status or JobStatus(record.ref, "unknown", text=why)))
    return rows


def _landed(desk: Desk, record: Record, status: JobStatus) -> JobStatus:
    """How a job stands, once the version that it was for, if any, is committed."""
    if status.state != "succeeded":
        return status
    try:
        land(record.job_folder, desk.environment)
    except VoidError as error:
        return replace(status, text=error.message)
    return status


def _row(record: Record, status: JobStatus) -> dict[str, Any]:
    return {
        **status.to_dict(),
        "name": record.name,
        "shot": record.shot,
        "folder": str(_results(Path(record.job_folder))),
        "job_folder": record.job_folder,
        "submitted_at": record.submitted,
        "again": status.state in ("failed", "cancelled") and (Path(record.job_folder) / REQUEST).is_file(),
    }


def _results(job_folder: Path) -> Path:
    """Where the frames lie whose job has this folder."""
    return job_folder.parent.parent if job_folder.parent.name == ".void" else job_folder


def _names(config: Config) -> list[str]:
    return list(dict.fromkeys([*FARMS, *config.farms]))


# -- submitting ----------------------------------------------------------------------------------------------------


def _submitted(desk: Desk, call: HostCall, arguments: Sequence[str]) -> dict[str, Any]:
    """What `void submit` says, in a process of its own, which can be stopped while it looks at the shot."""
    answer = ask_submit(arguments, desk.environment, lambda: call.ended)
    if call.ended and answer.status:
        raise Cancelled
    return _answer(answer)


def _answer(answer: Answer) -> dict[str, Any]:
    lines = [line for line in answer.complaint.splitlines() if line.strip()]
    refusal = lines[-1] if lines else f"void submit ended with exit code {answer.status}."
    try:
        told: Mapping[str, Any] = json.loads(answer.text)
        shot = dict(told["shots"][0])
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise FarmError(refusal, "farm.refused") from error
    wrong = any(finding["level"] == "error" for finding in shot["findings"])
    if answer.status and not wrong:  # the farm itself said no
        raise FarmError(refusal, "farm.refused")
    return {**shot, "farm": told["farm"], "rates": told["rates"]}


CALLS = {"farms": farms, "farm_jobs": farm_jobs, "farm_cancel": farm_cancel, "farm_submit": farm_submit}
