"""plan.json as those read it who only want to know what there is to do: its version, its key, its units.

Needs no pixels and loads in no time, unlike `plan`, which knows what everything in it means.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from void_plugin.errors import RequestError
from void_plugin.frames import describe
from void_server.jobfolder import JobFolder, read_json

PLAN_VERSION = 5
"""Layout of plan.json; another number means the plan is made anew."""
PIXELS_VERSION = 13
"""Raised whenever equal inputs give other pixels, so that no old unit is ever reused."""


@dataclass(frozen=True)
class PlanFile:
    """What a plan says of its units."""

    key: str
    engine: str
    units: Mapping[int, str]
    """The key of each unit by its index."""

    @classmethod
    def load(cls, folder: JobFolder) -> PlanFile:
        """Read plan.json. Raises RequestError where it is missing, broken or of another version."""
        data = read_plan(folder)
        try:
            units = {int(unit["index"]): str(unit["key"]) for unit in data["units"]}
            return cls(str(data["key"]), str(data["engine"]), units)
        except (KeyError, TypeError, ValueError) as error:
            raise damaged(folder, error) from error

    def check_units(self, folder: JobFolder, wanted: Iterable[int]) -> None:
        """Raise RequestError for a unit that the plan does not have."""
        unknown = [index for index in wanted if index not in self.units]
        if unknown:
            has = f"has units {describe(self.units)}" if self.units else "has none"
            raise RequestError(
                f"The plan of {folder.path} does not know unit {describe(unknown)}, it {has}; submit the job again.",
                "request.plan",
            )

    def check_key(self, folder: JobFolder, key: str, wanted: Iterable[int]) -> None:
        """Raise RequestError where a key is neither that of the plan nor that of a unit that is wanted."""
        if key != self.key and key not in [self.units[index] for index in wanted]:
            raise RequestError(
                f"The plan of {folder.path} is not the one that this task was submitted for (its key is {self.key}, "
                f"the task has {key}): the inputs or settings were changed and planned anew. Submit the job again.",
                "request.plan",
            )


def read_plan(folder: JobFolder) -> dict[str, Any]:
    """The content of plan.json without its versions.

    Raises RequestError where it is missing, broken or of another version.
    """
    data = read_json(folder.plan)
    try:
        version, pixels = data.pop("plan_version"), data.pop("pixels_version")
    except (KeyError, TypeError, AttributeError) as error:
        raise damaged(folder, error) from error
    if (version, pixels) != (PLAN_VERSION, PIXELS_VERSION):
        raise RequestError(
            f"{folder.plan} was made by another version (plan {version}, pixels {pixels}; this is "
            f"{PLAN_VERSION}, {PIXELS_VERSION}); plan the job again.",
            "request.plan",
        )
    found: dict[str, Any] = data
    return found


def damaged(folder: JobFolder, error: Exception) -> RequestError:
    """The error for a plan that cannot be understood."""
    return RequestError(f"{folder.plan} is damaged ({error!r}); plan the job again.", "request.plan")
