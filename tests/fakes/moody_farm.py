"""A farm of the folder that it is asked in: `limit` is how many jobs it takes, and no job of it is ever run.

A file with a job's name holds its state. `answers`, a JSON list, are the next states of any job, and `away` where it
does not answer; the last one stays. It waits while it takes the job that `hold` names, and writes `held`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from void_plugin.errors import FarmError
from void_plugin.farm import Artefacts, Bundle, Farm, Finding, JobRef, JobStatus, Options


class MoodyFarm(Farm):
    name = "moody"
    poll_seconds = 0.01

    def translate(self, bundle: Bundle, options: Options) -> Artefacts:
        return Artefacts()

    def submit(self, bundle: Bundle, options: Options) -> JobRef:
        number = str(1 + len(self.records.all()))
        if int(number) > int(Path("limit").read_text()):
            raise FarmError("The moody farm is full.", "farm.refused")
        if Path("hold").is_file() and Path("hold").read_text() == number:
            Path("held").touch()
            threading.Event().wait(60)
        return self.records.add(number, bundle, {})

    def status(self, ref: JobRef) -> JobStatus:
        self.records.find(ref)
        state = Path(str(ref)).read_text() if Path(str(ref)).is_file() else "queued"
        if Path("answers").is_file():
            answers = json.loads(Path("answers").read_text())
            state = answers[0]
            Path("answers").write_text(json.dumps(answers[1:] or answers))
        if state == "away":
            raise FarmError("The moody farm is away.", "farm.unreachable")
        return JobStatus(ref, state)

    def cancel(self, ref: JobRef) -> None:
        self.records.save(replace(self.records.find(ref), facts={"cancelled": True}))

    def logs(self, ref: JobRef) -> Iterator[str]:
        return iter(())

    def doctor(self) -> list[Finding]:
        return []
