"""What one task of a farm is asked to do, and where the folders of its request lie on this worker."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from void_plugin.errors import FarmError, RequestError
from void_plugin.frames import Digest, FrameRange, describe
from void_plugin.request import INPUTS, RemovalRequest
from void_server.jobfolder import JobFolder
from void_server.planfile import PlanFile
from void_server.visibility import Patience

LONGEST_PART = 100
"""Characters of a list of units in a file name."""
STEPS = ("plan", "solve", "compose", "verify")
"""Steps that are tasks."""


@dataclass(frozen=True)
class Order:
    """One task; paths are absolute."""

    step: str
    job: str
    """The job folder."""
    units: tuple[int, ...] = ()
    """Units to solve; none means all."""
    frames: str = ""
    """Frames to compose; empty means all."""
    key: str = ""
    """Key of the plan that the task was submitted for; empty takes any."""
    roots: Mapping[str, str] = field(default_factory=dict)
    """Folders as they lie on this worker, by the name that the request has for them."""
    wait_seconds: float = 60.0
    """How long to wait for files that are not there yet."""

    @property
    def label(self) -> str:
        """Names the task among those of its job; fit for a file name."""
        part = describe(self.units).replace(", ", ",") if self.step == "solve" else self.frames
        if len(part) > LONGEST_PART:
            part = Digest.of_text(part).sha256[:12]
        return f"{self.step}-{part}" if part else self.step

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Order:
        """The order behind `to_dict`."""
        return cls(**{**data, "units": tuple(data["units"])})

    def request(self) -> RemovalRequest:
        """The request with its folders as they lie on this worker; the file stays as it is.

        Raises RequestError where it cannot be read, or has no root of a name that is given.
        """
        request = RemovalRequest.load(os.path.join(self.job, "request.json")).rooted()
        unknown = sorted(set(self.roots) - set(request.roots))
        if unknown:
            raise RequestError(
                f"The request of {self.job} has no root {', '.join(unknown)}; it has {', '.join(request.roots)}.",
                "request.pattern",
            )
        return replace(request, roots={**request.roots, **self.roots})


def used_roots(request: RemovalRequest) -> dict[str, str]:
    """The folders that a rooted request reads or writes, by name."""
    inputs = [given.pattern for name in INPUTS if (given := request.input(name)) is not None]
    names = {pattern[1 : pattern.index(">")] for pattern in (*inputs, *(output.pattern for output in request.outputs))}
    return {name: request.roots[name] for name in sorted(names)}


def check_folders(request: RemovalRequest, patience: Patience) -> None:
    """Raise FarmError for a folder of a rooted request that this worker does not have."""
    roots = used_roots(request)
    missing = patience.wait_for(list(roots.values()), "a folder")
    for name, path in roots.items():
        if path in missing:
            raise FarmError(
                f"This worker has no folder {path}, which is <{name}> of the request; mount it here, or give its path "
                f"on this worker with --root {name}=PATH or path mapping rules.",
                "farm.worker",
            )


def read_plan(order: Order, patience: Patience) -> PlanFile:
    """What the plan says of its units, once it is there and found to be the one that the order is about.

    Raises FarmError where this worker does not have the job folder, RequestError where the plan is not there, cannot
    be used or is another one.
    """
    if patience.wait_for([order.job], "the job folder"):
        raise FarmError(
            f"This worker has no job folder {order.job}; mount it here, or map its path to where it lies.",
            "farm.worker",
        )
    folder = JobFolder(order.job)
    patience.wait_for([str(folder.request), str(folder.plan)], "the plan")
    plan = PlanFile.load(folder)
    plan.check_units(folder, order.units)
    if order.key:
        plan.check_key(folder, order.key, order.units)
    return plan


def is_done(order: Order, plan: PlanFile) -> bool:
    """True where all units of a solve were solved before, which a look at their manifests says."""
    folder = JobFolder(order.job)
    wanted = order.units or tuple(plan.units)
    return order.step == "solve" and all(folder.unit_manifest(plan.units[index]).exists() for index in wanted)


def given_frames(text: str, request: RemovalRequest) -> FrameRange:
    """The frames to compose. Raises RequestError where the job does not deliver them all."""
    frames = request.frames
    assert frames is not None
    wanted = FrameRange.parse(text) if text else frames
    if not frames.holds(wanted):
        raise RequestError(f"Frames {wanted} are to be composed, but the job delivers {frames}.", "request.range")
    return wanted
