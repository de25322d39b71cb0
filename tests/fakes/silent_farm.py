"""A farm that takes jobs, at most $FAKE_LIMIT of them, and answers no question; with $FAKE_SILENT not even a doctor."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

from void_plugin.errors import FarmError
from void_plugin.farm import Artefacts, Bundle, Farm, Finding, JobRef, JobStatus, Options


class SilentFarm(Farm):
    name = "silent"

    def translate(self, bundle: Bundle, options: Options) -> Artefacts:
        return Artefacts()

    def submit(self, bundle: Bundle, options: Options) -> JobRef:
        there = len(self.records.all())
        if there >= int(self.environment.get("FAKE_LIMIT", "9")):
            raise FarmError("The silent farm is full.", "farm.refused")
        return self.records.add(str(there + 1), bundle, {})

    def status(self, ref: JobRef) -> JobStatus:
        record = self.records.find(ref)
        if record.facts.get("cancelled"):
            return JobStatus(ref, "cancelled")
        threading.Event().wait()
        raise AssertionError("nobody waits so long")

    def cancel(self, ref: JobRef) -> None:
        if "FAKE_LIMIT" not in self.environment:
            raise FarmError("The silent farm does not hear.", "farm.unreachable")
        self.records.save(replace(self.records.find(ref), facts={"cancelled": True}))

    def logs(self, ref: JobRef) -> Iterator[str]:
        return iter(())

    def doctor(self) -> list[Finding]:
        if "FAKE_SILENT" in self.environment:
            threading.Event().wait()
        return []
