"""What a monitor asks its sidecar, and when: every two seconds while it is looked at, less often in vain."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from void_plugin.bridge import Sidecar
from void_plugin.errors import VoidError
from void_plugin.ui.asking import Asking
from void_plugin.ui.monitorrows import Row, row_of_farm, row_of_job
from void_plugin.ui.poster import Poster

EVERY_MS = 2000
"""How often a server is asked; with the deadline of the call that is less than five seconds."""
FARM_EVERY_MS = 5000
"""How often farms are asked, which is one program a job for some of them."""
SELDOM_MS = 10_000
"""How often one is asked that has not answered for a while."""
ASK_SECONDS = 30.0
"""How long the sidecar itself may take; the call to the server has a deadline of its own."""
ALL_FARMS = "*"


class Source(QObject):
    """A server, or the farms: asked again and again, less often while it is away."""

    def __init__(self, ask: Callable[[], None], every: int, parent: QObject) -> None:
        super().__init__(parent)
        self._ask, self._every, self._wait = ask, every, every
        self._asked = self._wanted = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.now)

    def watch(self, wanted: bool) -> None:
        """Ask from now on, or no longer."""
        if wanted and not self._wanted:
            self._wanted = True
            self.now()
        elif not wanted:
            self._wanted = False
            self._timer.stop()

    def now(self) -> None:
        """Ask at once, unless it is being asked."""
        if self._wanted and not self._asked:
            self._timer.stop()
            self._asked = True
            self._ask()

    def answered(self, well: bool) -> None:
        """Take note of an answer and wait for the next time."""
        self._asked = False
        self._wait = self._every if well else min(max(self._wait, self._every) * 2, SELDOM_MS)
        if self._wanted:
            self._timer.start(self._wait)


class MonitorWork(QObject):
    """The jobs of one server and of farms, and what can be done to them."""

    rows_changed = Signal(list)
    """All jobs as they stand."""
    server_told = Signal(bool, str)
    """Whether the server is there, and a sentence."""
    farms_told = Signal(bool, str)
    """Whether the farms could be asked, and a sentence; empty where all is well."""
    said = Signal(str)
    """A sentence about something that was asked for."""

    def __init__(self, sidecar: Sidecar, server: str | None, farm: str, parent: QObject | None = None) -> None:
        """`server` is an address, empty for the configured one, None for none; `farm` a name, `*` for all, or none."""
        super().__init__(parent)
        self._sidecar, self._server, self._farm = sidecar, server, farm
        self.asking = Asking(sidecar, Poster(self), lambda error: self.said.emit(error.message))
        self._jobs: list[Row] = []
        self._farm_jobs: list[Row] = []
        self.own = False
        """True to see only one's own jobs of the server."""
        self._server_source = Source(self._ask_server, EVERY_MS, self)
        self._farm_source = Source(self._ask_farms, FARM_EVERY_MS, self)

    def watch(self, wanted: bool) -> None:
        """Keep looking, or stop: nobody is asked for a window that nobody sees."""
        self._server_source.watch(wanted and self._server is not None)
        self._farm_source.watch(wanted and bool(self._farm))

    def close(self) -> None:
        """Leave. What runs, goes on."""
        self.watch(False)
        self._sidecar.close()

    def refresh(self) -> None:
        """Look at once."""
        self._server_source.now()
        self._farm_source.now()

    # -- looking ---------------------------------------------------------------------------------------------

    def _ask_server(self) -> None:
        args = {"server": self._server or "", "own": self.own}
        self.asking.ask("jobs", args, self._take_jobs, self._lost_server, ASK_SECONDS)

    def _take_jobs(self, answer: Mapping[str, Any]) -> None:
        address = str(answer["address"])
        self._jobs = [row_of_job(address, job) for job in answer["jobs"]]
        whose = "the jobs of everyone" if answer["everyone"] else "your jobs"
        some = "" if answer["complete"] else f", the newest {len(self._jobs)} of them"
        self.server_told.emit(True, f"{address}: {whose}{some}")
        self._tell()
        self._server_source.answered(True)

    def _lost_server(self, error: VoidError) -> None:
        last = " What is below was seen before; it is asked again by itself." if self._jobs else ""
        self.server_told.emit(False, f"{error.message}{last}")
        self._server_source.answered(False)

    def _ask_farms(self) -> None:
        args = {"farm": "" if self._farm == ALL_FARMS else self._farm}
        self.asking.ask("farm_jobs", args, self._take_farm_jobs, self._lost_farms, 4 * ASK_SECONDS)

    def _take_farm_jobs(self, answer: Mapping[str, Any]) -> None:
        self._farm_jobs = [row_of_farm(job) for job in answer["jobs"]]
        self.farms_told.emit(True, "")
        self._tell()
        self._farm_source.answered(True)

    def _lost_farms(self, error: VoidError) -> None:
        self.farms_told.emit(False, error.message)
        self._farm_source.answered(False)

    def _tell(self) -> None:
        self.rows_changed.emit([*self._jobs, *self._farm_jobs])

    # -- acting ----------------------------------------------------------------------------------------------

    def cancel(self, rows: Sequence[Row]) -> None:
        """Stop jobs; what is finished is kept."""
        mine = [row.job for row in rows if not row.farm]
        farms = [row.job for row in rows if row.farm]
        if mine:
            self.asking.ask("job_cancel", {"server": self._server or "", "jobs": mine}, self._acted)
        if farms:
            self.asking.ask("farm_cancel", {"jobs": farms}, self._acted, timeout=None)

    def retry(self, rows: Sequence[Row]) -> None:
        """Run jobs once more."""
        for row in rows:
            if row.farm:
                self._retry_on_farm(row)
            else:
                self._retry(row)

    def _acted(self, answer: Mapping[str, Any]) -> None:
        self.said.emit(" ".join(dict.fromkeys(answer.get("refused", {}).values())))
        self.refresh()

    def _retry(self, row: Row) -> None:
        begun: list[str] = []

        def heard(event: Mapping[str, Any]) -> None:
            if event.get("job") and not begun:
                begun.append(str(event["job"]))
                self.said.emit(f"{row.shot} runs again as {begun[0]}.")
                self._server_source.now()

        def failed(error: VoidError) -> None:
            self.said.emit(f"{row.shot}: {error.message}")

        self.said.emit(f"{row.shot} is submitted again…")
        args = {"server": self._server or "", "job": row.job}
        self.asking.ask("job_retry", args, lambda answer: self.refresh(), failed, None, heard)

    def _retry_on_farm(self, row: Row) -> None:
        def taken(answer: Mapping[str, Any]) -> None:
            wrong = [finding["text"] for finding in answer.get("findings", ()) if finding["level"] == "error"]
            self.said.emit(" ".join(wrong) or f"{row.shot} is on the farm again as {answer.get('job')}.")
            self.refresh()

        self.said.emit(f"{row.shot} is planned and submitted again…")
        self.asking.ask("farm_submit", {"path": row.source, "farm": row.farm}, taken, timeout=None)
