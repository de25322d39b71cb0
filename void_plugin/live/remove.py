"""The action `remove`: export what is needed, give the editor back to its user, let the jobs run, tell the end."""

import contextlib
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from void_plugin.desk import Desk
from void_plugin.errors import HostError, VoidError
from void_plugin.hostcall import HostCall
from void_plugin.live.choices import Choices
from void_plugin.live.exports import Exports
from void_plugin.live.farming import farm_args, to_farm
from void_plugin.live.hostside import HostSide
from void_plugin.live.lookover import looked_over
from void_plugin.live.plans import Plan, picked, plans_of
from void_plugin.live.records import keep, record_of
from void_plugin.live.results import Rows, place
from void_plugin.live.running import Ended, Running, Wanted
from void_plugin.live.sending import Sending, export, reserved, start_args
from void_plugin.live.timelinefacts import Context, LiveShot
from void_plugin.live.verify import Judge
from void_plugin.serverfacts import config_for
from void_plugin.versionjob import attach, start
from void_plugin.versions import give_back

log = logging.getLogger(__name__)


class Removal:
    """One action over all clips that were picked."""

    def __init__(self, desk: Desk, call: HostCall, host: HostSide, choices: Choices) -> None:
        self._desk, self._call, self._host, self._choices = desk, call, host, choices
        self._rows = Rows()
        self._context = host.context()
        judge = Judge(config_for(desk.environment, ""), desk.environment, call.check)
        self._exports = Exports(call, host, judge, self._warn)
        # A private server ends with us, and so would its jobs.
        self._leaves = not choices.wait and bool(config_for(desk.environment, choices.server).server)

    def run(self) -> dict[str, Any]:
        """Do all of it; the result has a row for each clip. Raises VoidError where nothing could begin, Cancelled."""
        refuse(self._context)
        shots = picked(self._host, self._choices)
        plans = plans_of(self._host, self._context, self._choices, shots, self._call.check)
        for plan in plans:
            self._rows.add(plan)
        if self._choices.dry_run:
            return self._rows.result("Nothing was sent: this only shows what would be.")
        sendings, wanted = self._prepare_all(plans)
        if wanted:
            with contextlib.suppress(VoidError):  # nobody may be there to read it
                self._host.tell(f"Resolve is as it was; {', '.join(one.shot for one in wanted)} can run.")
        for ended in Running(self._desk, self._call).run(wanted):
            self._ended(sendings[ended.shot], ended)
        self._call.check()
        return self._rows.result()

    # -- up to the job ---------------------------------------------------------------------------------------

    def _prepare_all(self, plans: Sequence[Plan]) -> tuple[dict[str, Sending], list[Wanted]]:
        """Everything that needs the editor, for all clips before the first job; what is left undone is given back."""
        sendings: dict[str, Sending] = {}
        with contextlib.ExitStack() as reservations:
            for plan in plans:
                sending = None if plan.problems else self._sending(plan, reservations)
                if plan.problems:
                    self._rows.end(plan.shot.name, "refused", " ".join(plan.problems))
                elif sending is not None:
                    sendings[sending.name] = sending
            found = [self._prepared(sending) for sending in sendings.values()]
            wanted = self._chosen(sendings, [job for job in found if job is not None])
            for job in wanted:
                self._mark(sendings[job.shot], "sent", "Sent; VOID Collect Results places what is ready.")
            reservations.pop_all()
        return sendings, wanted

    def _chosen(self, sendings: Mapping[str, Sending], ready: list[Wanted]) -> list[Wanted]:
        """The jobs that the user sends, having seen them in a panel where one is asked for."""
        if not self._choices.panel or not ready:
            return ready
        outputs = {name: sending.folder.parent for name, sending in sendings.items()}
        try:
            chosen = looked_over(ready, outputs, self._choices.server, self._desk.environment, self._call.check)
        except HostError as error:
            for job in ready:
                self._rows.warn(job.shot, f"it was sent without being shown. {error.message}")
            return ready
        for name in {job.shot for job in ready} - {job.shot for job in chosen}:
            self._rows.end(name, "left out", "It had no tick in the panel.")
            self._give_back(sendings[name].folder)
        return chosen

    def _sending(self, plan: Plan, reservations: contextlib.ExitStack) -> Sending | None:
        """A version folder for a clip: that of its failed job where that is tried again, else a new one."""
        self._call.check()
        found = _failed_before(plan) if self._choices.retry else None
        if found is not None:
            return found
        sending = reserved(self._desk, self._call, plan, self._context, self._choices)
        if sending is not None:
            reservations.callback(self._give_back, sending.folder)
        return sending

    def _give_back(self, folder: Path) -> None:
        """Give a folder back that nothing was begun in; others stay."""
        if self._host.gone:  # the sidecar gives back what is reserved at its end
            return
        try:
            give_back(folder)
            self._desk.begun(folder)
        except VoidError as error:
            log.info("%s was kept: %s", folder, error.message)

    def _prepared(self, sending: Sending) -> Wanted | None:
        """What the editor has to render is rendered; the job to run, or None where that failed."""
        try:
            if sending.begun:
                args = {"folder": sending.folder.as_posix(), "again": True}
                return Wanted(sending.name, attach, args, self._leaves)
            export(sending, self._exports, self._context, self._choices, self._call.check)
            args = start_args(sending, self._context, self._choices, self._call.check)
            if self._choices.farm:
                return Wanted(sending.name, to_farm, farm_args(args, self._choices.farm))
            return Wanted(sending.name, start, args, self._leaves)
        except VoidError as error:
            self._call.check()  # whatever fails after a wish to stop is that stop
            self._failed(sending, error)
            with contextlib.suppress(VoidError):  # the disk may be what failed
                keep(sending.folder, sending.placing, self._context, error)
                self._desk.begun(sending.folder)
            return None

    # -- after the job ---------------------------------------------------------------------------------------

    def _ended(self, sending: Sending, ended: Ended) -> None:
        if self._host.gone:
            return
        if ended.left:
            whose = "farm" if self._choices.farm else "server"
            self._rows.end(sending.name, "sent", f"The {whose} has it; collect it later.", sending.folder)
        elif ended.error is not None:
            self._failed(sending, ended.error)
        elif ended.manifest is None:
            self._mark(sending, "cancelled", "")
            self._rows.end(sending.name, "cancelled", "It was cancelled, here and on its server.")
        elif self._choices.place:
            self._rows.end(sending.name, *place(self._host, sending.folder, sending.placing), sending.folder)
        else:
            self._mark(sending, "sent", "Ready; VOID Collect Results places it.")
            self._rows.end(sending.name, "ready", "It is ready; collect places it.", sending.folder)

    def _failed(self, sending: Sending, error: VoidError) -> None:
        self._rows.end(sending.name, "failed", error.message, sending.folder)
        self._mark(sending, "failed", error.message)

    def _mark(self, sending: Sending, state: str, note: str) -> None:
        placing = sending.placing
        try:
            self._host.mark(placing.shot, placing.job, sending.folder.as_posix(), state, note)
        except VoidError as error:
            self._rows.warn(sending.name, f"its marker could not be set: {error.message}")

    def _warn(self, shot: LiveShot, text: str) -> None:
        self._rows.warn(shot.name, text)


def refuse(context: Context) -> None:
    """Raise HostError where nothing can be done in this project, with all the reasons."""
    if context.stops:
        raise HostError(" ".join(context.stops))


def _failed_before(plan: Plan) -> Sending | None:
    """The version folder of a clip's failed job; None where there is none to go on with."""
    folder = Path(str(plan.shot.ours.get("folder") or ""))
    try:
        record, placing = record_of(folder)
    except HostError:
        return None
    if record.state != "failed" or placing.shot != plan.shot.id or plan.plate is None:
        return None
    same = placing.used == str(plan.plate.used) and placing.route == plan.plate.route
    return Sending(plan, folder, placing, bool(record.requests)) if same else None
