"""The story of one pressed button: check, render the inputs, hand over, follow, show the result.

Everything happens on the host's main thread in short steps; what the sidecar says arrives on another thread and is only
posted. A story ends exactly once, whatever raises wherever, and then nothing of it is left but a state that says why.
"""

import threading
import traceback
from typing import Any, Callable, Dict, List, Mapping, Optional

from void_plugin.bridge import Sidecar
from void_plugin.errors import Cancelled, HostError, VoidError
from void_plugin.hosts import Host, Problem, Wanted, states
from void_plugin.hosts.states import NodeState

PREPARE_SECONDS = 60.0
"""How long the checks may take: a server that is away is noticed in a few seconds, a slow share takes longer."""
LOST = "host.sidecar"
"""Code of the error that every waiting call gets where the sidecar has ended."""

_DOING = {
    "checking": "reading the node",
    "preparing": "checking",
    "rendering": "rendering the inputs",
    "running": "following the job",
    "finished": "showing the result",
}
"""What each stage is called in sentences."""

Done = Callable[[Optional[Mapping[str, Any]], Optional[VoidError]], None]


class Story:
    """One run of the button on one node, from the press to its last state."""

    def __init__(
        self, host: Host, sidecar: Sidecar, uuid: str, ended: Callable[["Story"], None] = lambda story: None
    ) -> None:
        """`uuid` names the node to the sidecar; `ended` is called on the main thread once all is over."""
        self._host, self._sidecar, self._uuid, self._ended = host, sidecar, uuid, ended
        self.state = NodeState()
        self.folder = ""
        """The version folder that this story works on; empty before one is reserved."""
        self._stage = "checking"
        self._wanted = Wanted([], {})
        self._call_id = 0
        self._cancels = 0
        self._reattached = self._again = False
        self._to_farm = False
        self._order: Dict[str, Any] = {}
        self._complaint = ""
        self._events: List[Mapping[str, Any]] = []
        self._lock = threading.Lock()

    @property
    def is_over(self) -> bool:
        """True once it has ended."""
        return self._stage == "over"

    # -- what the user does ----------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start at the press of the button."""
        self._guarded(self._check)

    def submit(self) -> None:
        """Start at the press of the farm's button: the same up to the inputs, which a farm then gets.

        The story ends as soon as the farm has them; the document keeps the note of the version until it is there.
        """
        self._to_farm = True
        self._guarded(self._check)

    def withdraw(self, folder: str) -> None:
        """Start at the press of Cancel on a version that a farm makes."""
        self.folder = folder
        self._guarded(self._take_back)

    def attach(self, folder: str, again: bool = False) -> None:
        """Start in the middle: take up the job that an earlier story began in this version folder.

        With `again` also one that has failed, which is run once more.
        """
        self.folder, self._again = folder, again
        self._guarded(self._take_up)

    def cancel(self) -> None:
        """Stop at the next chance; a second time does not wait for the server."""
        if self._stage in ("preparing", "running"):
            self._cancels += 1
            self._sidecar.cancel(self._call_id)
            self._show(states.cancelling(self.state))

    # -- its chapters ----------------------------------------------------------------------------------------

    def _check(self) -> None:
        self._show(states.preparing())
        self._wanted = self._host.gather()
        if not self._wanted.prepare:
            self._refuse(self._wanted.problems)
            return
        # Also where the host has found errors: the user hears of everything at once.
        self._call("preparing", "prepare", self._wanted.prepare, self._prepared, PREPARE_SECONDS)

    def _prepared(self, result: Optional[Mapping[str, Any]], error: Optional[VoidError]) -> None:
        answer = dict(result or {})
        self.folder = str(answer.get("folder") or "")
        if self._cancels or answer.get("cancelled"):
            raise Cancelled
        problems = self._wanted.problems + [
            Problem(str(item.get("level")), str(item.get("text"))) for item in answer.get("problems") or ()
        ]
        if error is not None:
            problems.append(Problem("error", error.message))
        if any(problem.level == "error" for problem in problems):
            self._refuse(problems)
            return
        if not self.folder:
            raise HostError("The sidecar found nothing wrong but reserved no version folder; see its log.")
        self._stage = "rendering"
        self._show(states.rendering())
        arguments = self._host.render(self.folder)
        self._host.remember(self.folder)
        known = tuple(problem.text for problem in problems)
        self._show(states.submitting(known) if self._to_farm else states.starting(known))
        self._order = arguments
        self._start()

    def _start(self) -> None:
        self._call("running", "submit" if self._to_farm else "start", self._order, self._followed)

    def _take_up(self) -> None:
        self._show(states.attaching(self.folder))
        self._call("running", "attach", self._attachment(), self._followed)

    def _attachment(self) -> Dict[str, Any]:
        arguments = {"folder": self.folder, "uuid": self._uuid}  # type: Dict[str, Any]
        if self._again:
            arguments["again"] = True
        if self._order:
            arguments["reserved"] = True  # the sidecar may have died before it had heard what to do
        return arguments

    def _take_back(self) -> None:
        self._show(states.cancelling(self.state))
        self._call("running", "cancel_farm", {"folder": self.folder}, self._followed)

    def _followed(self, result: Optional[Mapping[str, Any]], error: Optional[VoidError]) -> None:
        self._draw()  # what was said before the end
        if error is not None:
            if error.code == LOST and not self._reattached and not self._cancels:
                self._reattached = True
                self._take_up()
                return
            raise error
        answer = dict(result or {})
        if answer.get("reserved"):
            if self._cancels:
                self._stage = "rendering"  # that is how far it has come, so the folder is given back
                self._forget()
                raise Cancelled
            self._start()
            return
        self._stage = "finished"
        if answer.get("cancelled"):
            self._forget()
            raise Cancelled
        farm = answer.get("farm")
        if isinstance(farm, dict):
            self._end(states.on_farm(self.folder, farm, self.state.warnings))
            return
        manifest = answer.get("manifest")
        if not isinstance(manifest, dict):
            raise HostError(
                "The sidecar ended the job without a manifest; see its log, then press Latest or run again."
            )
        self._host.post(self._guarded, self._apply, manifest)

    def _apply(self, manifest: Mapping[str, Any]) -> None:
        self._host.apply(self.folder, manifest)
        line, details = states.result_line(self.folder, manifest), states.details_of(self.folder, manifest)
        known = self.state.warnings
        fresh = tuple(text for text in states.warnings_of(manifest) if text not in known)
        # Steps of their own: the host is never held up for long, and undoing the result does not bring the job back.
        self._host.post(self._guarded, self._forget)
        self._host.post(self._guarded, self._end, states.done(line, details, known + fresh))

    def _forget(self) -> None:
        try:
            self._host.remember("")
        except Exception as error:  # all that follows is that the next opening of the document looks here once more
            self._complaint = "The job is still noted in the document: {}: {}".format(type(error).__name__, error)

    # -- events of the sidecar -------------------------------------------------------------------------------

    def _heard(self, event: Mapping[str, Any]) -> None:
        """An event, on the thread that reads: however many come while the host is busy, it draws once."""
        with self._lock:
            self._events.append(event)
            first = len(self._events) == 1
        if first:
            self._host.post(self._guarded, self._draw)

    def _draw(self) -> None:
        with self._lock:
            events, self._events = self._events, []
        state = self.state
        for event in events:
            state = states.after_event(state, event)
        if state != self.state:
            self._show(state)

    # -- ends ------------------------------------------------------------------------------------------------

    def _refuse(self, problems: List[Problem]) -> None:
        ordered = sorted(problems, key=lambda problem: problem.level != "error")
        texts = tuple(problem.text for problem in ordered)
        self._end(states.refused(texts), "\n\n".join(texts))

    def _end(self, state: NodeState, told: str = "") -> None:
        """Close the story; called once, since every step looks at the stage first."""
        stage, self._stage = self._stage, "over"
        if stage == "running" and self._call_id:
            self._sidecar.cancel(self._call_id)
        if stage in ("preparing", "rendering") and self.folder:
            self._release()
        if self._complaint:
            state = state._replace(warnings=state.warnings + (self._complaint,))
        # The last word must stand on the node, so it is said again where it could not be drawn.
        if not self._show(state):
            self._show(state)
        # Later the user is busy with something else, and the node says it.
        if state.kind == "failed" and stage in ("checking", "preparing", "rendering"):
            self._tell(told or state.text)
        self._ended(self)

    def _release(self, again: bool = True) -> None:
        def answered(result: Optional[Mapping[str, Any]], error: Optional[VoidError]) -> None:
            if again and error is not None and error.code == LOST:  # the sidecar has just died; the next one does it
                self._release(False)

        self._sidecar.call("release", {"folder": self.folder}, done=answered)

    # -- the edge to the host --------------------------------------------------------------------------------

    def _call(
        self, stage: str, name: str, arguments: Dict[str, Any], done: Done, timeout: Optional[float] = None
    ) -> None:
        def answered(result: Optional[Mapping[str, Any]], error: Optional[VoidError]) -> None:
            self._host.post(self._guarded, self._answered, done, result, error)

        self._stage = stage
        self._call_id = self._sidecar.call(name, arguments, done=answered, event=self._heard, timeout=timeout)

    def _answered(self, done: Done, result: Optional[Mapping[str, Any]], error: Optional[VoidError]) -> None:
        self._call_id = 0
        done(result, error)

    def _guarded(self, step: Callable[..., None], *arguments: Any) -> None:
        """Run one step; the top of everything that happens on the host's main thread."""
        if self.is_over:
            return
        try:
            step(*arguments)
        except (Cancelled, KeyboardInterrupt):  # Ctrl-C in a terminal, where the host has no windows
            self._end(states.cancelled())
        except VoidError as error:
            self._end(states.failed(error.message, warnings=self.state.warnings))
        except Exception as error:  # a host raises what it likes, and the node must say so
            text = "A fault met while {}: {}: {}.".format(_DOING[self._stage], type(error).__name__, error)
            if self._stage == "finished":
                text += " {} is complete on disk; press Latest to show it.".format(states.version_name(self.folder))
            self._end(states.failed(text, traceback.format_exc(), self.state.warnings))

    def _show(self, state: NodeState) -> bool:
        self.state = state
        try:
            self._host.show(state)
        except Exception as error:  # a picture of the work that cannot be drawn must not cost the work
            self._complaint = "The node could not be redrawn: {}: {}".format(type(error).__name__, error)
            return False
        return True

    def _tell(self, text: str) -> None:
        try:
            self._host.tell(text)
        except Exception as error:  # the state, which is shown already, says the same
            said = "The message could not be shown: {}: {}".format(type(error).__name__, error)
            self._show(self.state._replace(warnings=self.state.warnings + (said,)))
