"""The farms of this machine, for those who put versions on one: which is chosen, and which job makes what there."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from void_plugin.config import load_config
from void_plugin.errors import FarmError
from void_plugin.farm import FARMS, Farm, JobRef, JobStatus, Records, load_site, open_farm
from void_plugin.farm.asking import within
from void_plugin.jobrecord import JobRecord
from void_plugin.request import RemovalRequest

NOT_CONFIGURED = (
    'No farm is configured on this machine. Write a site file with [farm] default = "slurm", or another that '
    "`void farm doctor` knows, and name it as `site` in the configuration or in $VOID_SITE."
)


@dataclass(frozen=True)
class FarmJob:
    """The job of one view."""

    ref: JobRef
    folder: str
    """Its job folder."""

    @property
    def result(self) -> Path:
        """Where its result.json is to lie."""
        return Path(self.folder) / "result.json"


class FarmJobs:
    """Asks farms about the jobs of versions. Raises RequestError and FarmError where the configuration is wrong."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment, self._config = environment, load_config(environment)

    def chosen(self, name: str = "") -> Farm:
        """The farm of this name, by default the site's. Raises FarmError where the site has none."""
        if not (name or self._config.site):
            raise FarmError(NOT_CONFIGURED, "farm.site")
        site = load_site(self._config.site)
        return open_farm(name or site.default, site, self._environment, self._config.farms)

    def farm_of(self, ref: JobRef) -> Farm:
        """The farm that a job is on."""
        return open_farm(ref.farm, load_site(self._config.site), self._environment, self._config.farms)

    def status(self, ref: JobRef, seconds: float) -> JobStatus:
        """How a job stands; `unknown` where its farm does not know it any more, or not from here."""
        farm = self.farm_of(ref)
        try:
            return within(seconds, farm.name, lambda: farm.status(ref))
        except FarmError as error:
            if error.code != "farm.job_unknown":
                raise
            return JobStatus(ref, "unknown", text=error.message)

    def cancel(self, ref: JobRef, seconds: float) -> None:
        """Ask for a job to be stopped, which it may take a while to do. Raises FarmError where that is not heard."""
        farm = self.farm_of(ref)
        within(seconds, farm.name, lambda: farm.cancel(ref))

    def of(self, folder: Path, record: JobRecord, requests: Mapping[str, RemovalRequest]) -> dict[str, FarmJob]:
        """The newest job of each view that has one.

        What was submitted from here last counts: a sidecar may have died before it could note it in the version, and
        whoever submits a failed job again tells the version nothing.
        """
        found: dict[str, FarmJob] = {}
        for view, noted in record.farm.get("jobs", {}).items():
            found[view] = FarmJob(JobRef.parse(noted["job"]), str(folder / noted["folder"]))
        records = [item for name in (*FARMS, *self._config.farms) for item in Records(self._environment, name).all()]
        for item in sorted(records, key=lambda item: item.submitted):
            for view, request in requests.items():
                # Its last part says which engine and range were meant, which planning may have filled in.
                if Path(item.job_folder).parent == Path(request.job_folder()).parent:
                    found[view] = FarmJob(item.ref, item.job_folder)
        return found
