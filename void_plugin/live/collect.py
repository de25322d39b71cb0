"""The actions `collect`, `jobs` and `clean`: what was sent earlier, taken up by the markers on the timeline."""

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from void_plugin.claim import is_claimed
from void_plugin.desk import Desk
from void_plugin.errors import HostError, VoidError
from void_plugin.hostcall import HostCall
from void_plugin.jobrecord import JobRecord
from void_plugin.live.choices import Choices
from void_plugin.live.farming import stands
from void_plugin.live.hostside import HostSide
from void_plugin.live.records import Placing, record_of
from void_plugin.live.remove import refuse
from void_plugin.live.results import Rows, place
from void_plugin.live.running import Ended, Running, Wanted
from void_plugin.manifest import is_finished
from void_plugin.versionjob import attach

PLACED = ("done", "partial")
"""States of a marker whose result lies on the timeline."""
LOOK_SECONDS = 10.0
"""How long a server may take to bring something of a job that has ended, where nobody wants to wait for one."""
BRINGS = ("FrameReady", "Uploading")


class Collection:
    """One action over all clips with a marker of ours."""

    def __init__(self, desk: Desk, call: HostCall, host: HostSide, choices: Choices) -> None:
        self._desk, self._call, self._host, self._choices = desk, call, host, choices
        self._rows = Rows()
        self._known: dict[str, tuple[Path, Placing]] = {}

    def run(self) -> dict[str, Any]:
        """Place what is ready and take up what is not; a row for each clip. Raises VoidError, or Cancelled."""
        refuse(self._host.context())
        rows = [row for row in self._host.jobs() if row.get("state") not in PLACED]
        if not rows:
            return self._rows.result("Nothing is waiting on this timeline.")
        wanted = [job for row in rows if (job := self._taken(row)) is not None]
        self._call.check()
        for ended in self._follow(wanted):
            self._ended(ended)
        self._call.check()
        return self._rows.result()

    def _taken(self, row: Mapping[str, Any]) -> Wanted | None:
        """The job to go on with for a marker; None where there is no more to do than to place or to say something."""
        folder, name = Path(str(row["folder"])), self._name(row)
        try:
            record, placing = record_of(folder)
        except HostError as error:
            self._rows.end(name, "failed", error.message)
            return None
        self._known[name] = folder, placing
        if is_finished(folder):
            self._rows.end(name, *place(self._host, folder, placing), folder)
            return None
        if record.state == "farm":
            how = stands(folder, self._desk.environment, self._call.check)
            self._rows.end(name, *(how or place(self._host, folder, placing)), folder)
            return None
        why = self._why_not(folder, record)
        if why is not None:
            self._rows.end(name, *why, folder)
            return None
        args = {"folder": folder.as_posix(), "uuid": placing.shot, "again": self._choices.retry}
        return Wanted(name, attach, args)

    def _why_not(self, folder: Path, record: JobRecord) -> tuple[str, str] | None:
        """State and sentence of a job that is not to be gone on with; None where it is."""
        if record.state == "failed" and not (self._choices.retry and record.requests):
            return "failed", record.error.get("text", "It has failed.")
        if record.state == "reserved":
            return "failed", "Nothing was started for it; send the clip again."
        if is_claimed(folder):
            return "running", f"It is being made by {record.whose}."
        if not record.server and not self._choices.wait:
            return "running", "It was interrupted on this machine; collect with --wait goes on with it."
        return None

    def _follow(self, wanted: list[Wanted]) -> list[Ended]:
        patience = _Patience()
        running = Running(self._desk, self._call, leaves=True, heard=patience.hear)
        if self._choices.wait:
            return list(running.run(wanted))
        with patience.watching(running):
            return list(running.run(wanted))

    def _ended(self, ended: Ended) -> None:
        folder, placing = self._known[ended.shot]
        if ended.manifest is not None:
            self._rows.end(ended.shot, *place(self._host, folder, placing), folder)
        elif ended.error is not None:
            self._rows.end(ended.shot, "failed", ended.error.message, folder)
            try:
                self._host.mark(placing.shot, placing.job, folder.as_posix(), "failed", ended.error.message)
            except VoidError as error:
                self._rows.warn(ended.shot, f"its marker could not be set: {error.message}")
        else:
            self._rows.end(ended.shot, "running", "It is not ready yet.", folder)

    def _name(self, row: Mapping[str, Any]) -> str:
        """A name for a clip that no other of them has."""
        name, count = str(row.get("name") or row.get("shot")), 1
        taken = {*self._known, *(one["name"] for one in self._rows.result()["rows"])}
        while (name if count == 1 else f"{name} ({count})") in taken:
            count += 1
        return name if count == 1 else f"{name} ({count})"


class _Patience:
    """Leaves jobs that bring nothing for a while."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._until = time.monotonic() + LOOK_SECONDS

    def hear(self, event: Mapping[str, Any]) -> None:
        """An event of a job."""
        if event.get("kind") in BRINGS:
            self._until = time.monotonic() + LOOK_SECONDS

    @contextlib.contextmanager
    def watching(self, running: Running) -> Iterator[None]:
        """Watch jobs for as long as they run."""
        thread = threading.Thread(target=self._watch, args=(running,), name="patience", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _watch(self, running: Running) -> None:
        while not self._over.wait(0.2):
            if time.monotonic() > self._until:
                running.leave()
                return


def jobs(host: HostSide) -> dict[str, Any]:
    """What was sent from this timeline, as it stands on disk. Raises VoidError."""
    rows = []
    for row in host.jobs():
        folder = Path(str(row["folder"]))
        about = {key: row.get(key) for key in ("name", "shot", "job", "folder", "record")}
        rows.append({**about, **_stand(folder, str(row.get("state")))})
    text = "" if rows else "Nothing was sent from this timeline."
    return {"ok": True, "text": text, "rows": rows}


def _stand(folder: Path, marked: str) -> dict[str, str]:
    try:
        record, placing = record_of(folder)
    except HostError as error:
        return {"state": "failed", "text": error.message}
    version = f"v{placing.version:03d}, frames {record.frames}"
    if is_finished(folder):
        return {"state": "placed" if marked in PLACED else "ready", "text": version}
    if record.state == "failed":
        return {"state": "failed", "text": record.error.get("text", "")}
    if record.state == "farm":
        return {"state": "running", "text": f"{version}, on the farm {record.farm.get('name')}"}
    where = f"on the server {record.server}" if record.server else f"by {record.whose}"
    return {"state": "running" if record.state == "running" else "failed", "text": f"{version}, {where}"}


def clean(host: HostSide) -> dict[str, Any]:
    """Remove everything of ours from the project; files stay where they are. Raises VoidError."""
    refuse(host.context())
    done = host.clean()
    removed = {str(name): int(count) for name, count in (done.get("removed") or {}).items()}
    told = ", ".join(f"{count} {name}" for name, count in removed.items() if count) or "nothing"
    left = [str(text) for text in done.get("left") or ()]
    text = f"Removed {told} of ours; the files are where they were."
    return {"ok": not left, "text": " ".join([text, *left]), "rows": [], "removed": removed, "left": left}
