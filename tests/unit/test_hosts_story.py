"""The story of the button, on a host in memory and with a sidecar that says what the test tells it to."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from void_plugin.errors import Cancelled, FarmError, HostError, ServerError, VoidError
from void_plugin.hosts import Host, Problem, Wanted
from void_plugin.hosts.states import NodeState
from void_plugin.hosts.story import Story

FOLDER = "/shots/void/v001"
MANIFEST = {
    "version": 1,
    "frames": "1-3",
    "seconds": 2.0,
    "summary": {"shares": "100 % recovered"},
    "warnings": [{"text": "w"}],
}
GOOD = {"prepare": {"problems": [], "folder": FOLDER}, "start": {"manifest": MANIFEST}}
LOST = HostError("The sidecar was killed by SIGKILL.", "host.sidecar")


class ScriptedSidecar:
    """Answers each call from a list, when the test says so; what a story never asked for fails."""

    def __init__(self, **answers: Any) -> None:
        """By call: a result, an error, or a list of them, used up one after the other."""
        self.answers = {name: list(each) if isinstance(each, list) else [each] for name, each in answers.items()}
        self.answers.setdefault("release", [{}])
        self.calls: list[tuple[str, Mapping[str, Any]]] = []
        self.cancelled: list[int] = []
        self.open: dict[int, tuple[str, Callable[..., None], Callable[..., None]]] = {}

    def call(self, name: str, args: Mapping[str, Any], done: Any = None, event: Any = None, timeout: Any = None) -> int:
        self.calls.append((name, args))
        number = len(self.calls)
        if done is not None:
            self.open[number] = (name, done, event)
        return number

    def cancel(self, number: int) -> None:
        self.cancelled.append(number)

    def say(self, **event: Any) -> None:
        for _, _, told in self.open.values():
            told(event)

    def answer(self, answer: Any = None) -> None:
        """Answer the call that waits."""
        _, (name, done, _) = self.open.popitem()
        given = answer if answer is not None else self.answers[name].pop(0)
        done(None, given) if isinstance(given, VoidError) else done(given, None)

    def names(self) -> list[str]:
        return [name for name, _ in self.calls]


class MemoryHost(Host):
    """A host whose main thread is a list, which counts what is asked of it and fails where told."""

    def __init__(self, fails: str = "", error: Exception | None = None, problems: tuple[Problem, ...] = ()) -> None:
        self.fails, self.error = fails, error or RuntimeError("no such knob")
        self.problems = list(problems)
        self.prepare: dict[str, Any] = {"output": "/shots/void"}
        self.posted: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        self.done: list[str] = []
        self.states: list[NodeState] = []
        self.told: list[str] = []
        self.job, self.shown = "", ""

    def _do(self, name: str) -> None:
        self.done.append(name)
        if name == self.fails:
            raise self.error

    def post(self, function: Callable[..., None], *arguments: Any) -> None:
        self.posted.append((function, arguments))

    def pump(self) -> None:
        while self.posted:
            function, arguments = self.posted.pop(0)
            function(*arguments)

    def gather(self) -> Wanted:
        self._do("gather")
        return Wanted(self.problems, self.prepare)

    def render(self, folder: str) -> dict[str, Any]:
        self._do("render")
        return {"folder": folder}

    def remember(self, folder: str) -> None:
        self._do("remember" if folder else "forget")
        self.job = folder

    def apply(self, folder: str, manifest: Mapping[str, Any]) -> None:
        self._do("apply")
        self.shown = folder

    def show(self, state: NodeState) -> None:
        self.states.append(state)
        if self.fails == "show":
            raise self.error

    def tell(self, text: str) -> None:
        self._do("tell")
        self.told.append(text)


def begun(host: MemoryHost, sidecar: ScriptedSidecar) -> tuple[Story, list[Story]]:
    ended: list[Story] = []
    story = Story(host, sidecar, "abc", ended.append)  # type: ignore[arg-type]
    story.begin()
    return story, ended


def played(host: MemoryHost, sidecar: ScriptedSidecar) -> Story:
    """A story to its end, every call answered as soon as it is made."""
    story, ended = begun(host, sidecar)
    host.pump()
    while sidecar.open:
        sidecar.answer()
        host.pump()
    assert ended == [story], "a story ends exactly once"
    return story


# -- all goes well -------------------------------------------------------------------------------------------------


def test_a_story_checks_renders_hands_over_and_shows_the_result() -> None:
    host, sidecar = MemoryHost(), ScriptedSidecar(**GOOD)
    story = played(host, sidecar)
    assert sidecar.names() == ["prepare", "start"]
    assert host.done == ["gather", "render", "remember", "apply", "forget"]
    assert host.shown == FOLDER and host.job == ""
    assert [state.kind for state in host.states] == ["preflight", "rendering", "running", "done"]
    assert story.state.text == "v001 · 1-3 · 2 s · 100 % recovered" and story.state.warnings == ("w",)
    assert not host.told and not sidecar.cancelled


def test_nothing_happens_on_the_thread_that_brings_the_answers() -> None:
    host, sidecar = MemoryHost(), ScriptedSidecar(**GOOD)
    begun(host, sidecar)
    before = list(host.done), list(host.states)
    sidecar.answer()
    assert (host.done, host.states) == before and len(host.posted) == 1


def test_however_many_events_come_while_the_host_is_busy_it_draws_once() -> None:
    host, sidecar = MemoryHost(), ScriptedSidecar(**GOOD)
    begun(host, sidecar)
    sidecar.answer()
    host.pump()
    drawn = len(host.states)
    for step in range(100):
        sidecar.say(kind="Progressed", step="solve", fraction=step / 100)
    assert len(host.posted) == 1
    host.pump()
    assert len(host.states) == drawn + 1 and host.states[-1].text == "Running 99 % (solve)"


def test_warnings_of_the_checks_stay_with_the_result() -> None:
    host = MemoryHost(problems=(Problem("warning", "one"),))
    answers = dict(GOOD, prepare={"problems": [{"level": "warning", "text": "two"}], "folder": FOLDER})
    story = played(host, ScriptedSidecar(**answers))
    assert story.state.kind == "done" and story.state.warnings == ("one", "two", "w")


# -- problems ------------------------------------------------------------------------------------------------------


def test_all_problems_are_told_at_once_errors_first() -> None:
    host = MemoryHost(problems=(Problem("warning", "It will be slow."), Problem("error", "No matte.")))
    sidecar = ScriptedSidecar(prepare={"problems": [{"level": "error", "text": "Disk full."}], "folder": ""})
    story = played(host, sidecar)
    assert story.state.kind == "failed" and story.state.text == "No matte. (and 2 more)"
    assert host.told == ["No matte.\n\nDisk full.\n\nIt will be slow."]
    assert "render" not in host.done


def test_a_folder_reserved_although_the_host_found_an_error_is_given_back() -> None:
    host, sidecar = MemoryHost(problems=(Problem("error", "No matte."),)), ScriptedSidecar(**GOOD)
    assert played(host, sidecar).state.kind == "failed"
    assert sidecar.calls[-1] == ("release", {"folder": FOLDER})


def test_where_too_little_is_known_the_sidecar_is_not_asked() -> None:
    host, sidecar = MemoryHost(problems=(Problem("error", "Save the script."),)), ScriptedSidecar()
    host.prepare = {}
    assert played(host, sidecar).state.text == "Save the script."
    assert not sidecar.calls


def test_a_check_that_fails_is_told_beside_what_the_host_found() -> None:
    host, sidecar = MemoryHost(problems=(Problem("error", "No matte."),)), ScriptedSidecar(prepare=ServerError("Away."))
    played(host, sidecar)
    assert host.told == ["No matte.\n\nAway."]


# -- cancel --------------------------------------------------------------------------------------------------------


def test_cancelled_while_checking_gives_the_folder_back_when_it_comes() -> None:
    host, sidecar = MemoryHost(), ScriptedSidecar(**GOOD)
    story, ended = begun(host, sidecar)
    story.cancel()
    assert sidecar.cancelled == [1] and host.states[-1].kind == "cancelling"
    sidecar.answer()
    host.pump()
    assert story.state.kind == "cancelled" and ended == [story]
    assert sidecar.calls[-1] == ("release", {"folder": FOLDER}) and "render" not in host.done


def test_cancelled_while_checking_and_confirmed_there_is_nothing_to_give_back() -> None:
    host, sidecar = MemoryHost(), ScriptedSidecar(**GOOD)
    story, _ = begun(host, sidecar)
    story.cancel()
    sidecar.answer({"cancelled": True})
    host.pump()
    assert story.state.kind == "cancelled" and sidecar.names() == ["prepare"]


def test_cancelled_in_the_hosts_own_render_gives_the_folder_back() -> None:
    host, sidecar = MemoryHost("render", Cancelled()), ScriptedSidecar(**GOOD)
    story = played(host, sidecar)
    assert story.state.kind == "cancelled" and not host.told and host.job == ""
    assert sidecar.names() == ["prepare", "release"]


def test_a_sidecar_that_died_meanwhile_is_followed_by_one_that_gives_the_folder_back() -> None:
    for answers, asked in (([LOST, {}], 2), ([LOST, LOST], 2), ([HostError("It is running.", "host.folder")], 1)):
        host, sidecar = MemoryHost("render", Cancelled()), ScriptedSidecar(**GOOD, release=answers)
        story = played(host, sidecar)
        assert story.state.kind == "cancelled" and sidecar.names() == ["prepare", *["release"] * asked]


def test_cancelled_while_running_asks_the_sidecar_and_a_second_time_again() -> None:
    host, sidecar = MemoryHost(), ScriptedSidecar(**GOOD)
    story, ended = begun(host, sidecar)
    sidecar.answer()
    host.pump()
    story.cancel()
    story.cancel()
    sidecar.say(kind="Progressed", step="solve", fraction=0.5)
    host.pump()
    assert sidecar.cancelled == [2, 2] and story.state.kind == "cancelling"
    sidecar.answer({"cancelled": True})
    host.pump()
    assert story.state.kind == "cancelled" and host.job == "" and ended == [story]
    assert sidecar.names() == ["prepare", "start"], "the sidecar takes the folder away itself"


def test_a_result_that_was_faster_than_the_cancel_is_shown() -> None:
    host, sidecar = MemoryHost(), ScriptedSidecar(**GOOD)
    story, _ = begun(host, sidecar)
    sidecar.answer()
    host.pump()
    story.cancel()
    sidecar.answer()
    host.pump()
    assert story.state.kind == "done" and host.shown == FOLDER


def test_cancel_after_the_end_does_nothing() -> None:
    host, sidecar = MemoryHost(), ScriptedSidecar(**GOOD)
    story = played(host, sidecar)
    story.cancel()
    assert not sidecar.cancelled and story.state.kind == "done"


# -- the farm ------------------------------------------------------------------------------------------------------

ON_FARM = {"farm": {"jobs": ["slurm:1234"], "state": "queued", "fraction": 0.0, "text": ""}}


def handed_over(host: MemoryHost, sidecar: ScriptedSidecar) -> tuple[Story, list[Story]]:
    """A story of the farm's button up to its last answer."""
    ended: list[Story] = []
    story = Story(host, sidecar, "abc", ended.append)  # type: ignore[arg-type]
    story.submit()
    sidecar.answer()
    host.pump()
    return story, ended


def test_a_story_that_submits_ends_as_soon_as_the_farm_has_it_and_keeps_its_note() -> None:
    host, sidecar = MemoryHost(), ScriptedSidecar(prepare=GOOD["prepare"], submit=ON_FARM)
    story, ended = handed_over(host, sidecar)
    sidecar.say(kind="Warned", text="The matte is thin.")
    sidecar.answer()
    host.pump()
    assert sidecar.names() == ["prepare", "submit"] and ended == [story]
    assert [state.kind for state in host.states] == ["preflight", "rendering", "running", "running", "farm"]
    assert host.states[2].text == "Submitting to the farm" and story.state.text == "On the farm: slurm:1234, v001"
    assert story.state.warnings == ("The matte is thin.",) and host.job == FOLDER and host.shown == ""
    assert not host.told and not sidecar.cancelled


def test_what_the_farm_refuses_is_what_the_node_says() -> None:
    host, sidecar = MemoryHost(), ScriptedSidecar(prepare=GOOD["prepare"], submit=FarmError("The queue is closed."))
    story, ended = handed_over(host, sidecar)
    sidecar.answer()
    host.pump()
    assert story.state.kind == "failed" and story.state.text == "The queue is closed." and ended == [story]


def test_a_sidecar_that_dies_while_it_submits_is_followed_by_one_that_asks_the_farm() -> None:
    host, sidecar = MemoryHost(), ScriptedSidecar(prepare=GOOD["prepare"], submit=LOST, attach=ON_FARM)
    story, ended = handed_over(host, sidecar)
    sidecar.answer()
    host.pump()
    sidecar.answer()
    host.pump()
    assert sidecar.names() == ["prepare", "submit", "attach"] and story.state.kind == "farm" and ended == [story]


def test_cancelled_while_submitting_the_sidecar_is_told() -> None:
    host, sidecar = MemoryHost(), ScriptedSidecar(prepare=GOOD["prepare"])
    story, _ = handed_over(host, sidecar)
    story.cancel()
    assert sidecar.cancelled == [2] and host.states[-1].kind == "cancelling"
    sidecar.answer({"cancelled": True})
    host.pump()
    assert story.state.kind == "cancelled" and host.job == ""


@pytest.mark.parametrize(
    ("answer", "kind", "job"),
    [
        (ON_FARM, "farm", FOLDER),
        ({"manifest": MANIFEST}, "done", ""),
        (FarmError("The job slurm:1234 failed."), "failed", FOLDER),
    ],
)
def test_a_version_on_the_farm_is_asked_after(answer: Any, kind: str, job: str) -> None:
    host, sidecar, ended = MemoryHost(), ScriptedSidecar(attach=answer), []
    host.job = FOLDER
    story = Story(host, sidecar, "abc", ended.append)  # type: ignore[arg-type]
    story.attach(FOLDER)
    sidecar.answer()
    host.pump()
    assert story.state.kind == kind and ended == [story] and host.job == job


@pytest.mark.parametrize(
    ("answer", "kind", "job"),
    [
        ({"cancelled": True}, "cancelled", ""),
        (ON_FARM, "farm", FOLDER),
        ({"manifest": MANIFEST}, "done", ""),
        (HostError("Of anna.", "host.taken"), "failed", FOLDER),
    ],
)
def test_a_version_on_the_farm_is_taken_back_or_stays(answer: Any, kind: str, job: str) -> None:
    host, sidecar, ended = MemoryHost(), ScriptedSidecar(cancel_farm=answer), []
    host.job = FOLDER
    story = Story(host, sidecar, "abc", ended.append)  # type: ignore[arg-type]
    story.withdraw(FOLDER)
    assert sidecar.calls == [("cancel_farm", {"folder": FOLDER})] and host.states[-1].kind == "cancelling"
    sidecar.answer()
    host.pump()
    assert story.state.kind == kind and ended == [story] and host.job == job


@pytest.mark.parametrize("method", ["gather", "render", "remember", "show", "tell", "forget"])
def test_a_fault_of_the_host_while_submitting_ends_the_story_once(method: str) -> None:
    host, sidecar, ended = MemoryHost(method), ScriptedSidecar(prepare=GOOD["prepare"], submit=ON_FARM), []
    story = Story(host, sidecar, "abc", ended.append)  # type: ignore[arg-type]
    story.submit()
    host.pump()
    while sidecar.open:
        sidecar.answer()
        host.pump()
    assert ended == [story] and story.state.kind == ("failed" if method in ("gather", "render", "remember") else "farm")
    assert (("release", {"folder": FOLDER}) in sidecar.calls) == (method in ("render", "remember"))


# -- the sidecar dies ----------------------------------------------------------------------------------------------


def test_a_sidecar_that_dies_while_checking_is_reported() -> None:
    host, sidecar = MemoryHost(), ScriptedSidecar(prepare=LOST)
    assert played(host, sidecar).state.text == LOST.message
    assert host.told == [LOST.message] and sidecar.names() == ["prepare"]


def test_a_sidecar_that_dies_while_running_is_followed_by_one_that_takes_the_job_up() -> None:
    host, sidecar = MemoryHost(), ScriptedSidecar(**GOOD, attach={"manifest": MANIFEST})
    sidecar.answers["start"] = [LOST]
    story = played(host, sidecar)
    assert story.state.kind == "done" and host.shown == FOLDER
    assert sidecar.calls[-1] == ("attach", {"folder": FOLDER, "uuid": "abc", "reserved": True})


def test_a_sidecar_that_dies_before_it_has_heard_of_the_job_is_followed_by_one_that_is_told_again() -> None:
    host, sidecar = MemoryHost(), ScriptedSidecar(**{**GOOD, "start": [LOST, {"manifest": MANIFEST}]})
    sidecar.answers["attach"] = [{"reserved": True}]
    story = played(host, sidecar)
    assert story.state.kind == "done" and host.shown == FOLDER
    assert sidecar.names() == ["prepare", "start", "attach", "start"] and sidecar.calls[1] == sidecar.calls[3]
    host, sidecar = MemoryHost(), ScriptedSidecar(**{**GOOD, "start": [LOST, LOST]}, attach={"reserved": True})
    assert played(host, sidecar).state.text == LOST.message


def test_cancelled_before_the_next_sidecar_is_told_of_the_job_the_folder_is_given_back() -> None:
    host, sidecar = MemoryHost(), ScriptedSidecar(**GOOD)
    story, ended = begun(host, sidecar)
    for answer in (None, LOST):
        host.pump()
        sidecar.answer(answer)
    host.pump()
    story.cancel()
    sidecar.answer({"reserved": True})
    host.pump()
    assert story.state.kind == "cancelled" and ended == [story] and host.job == ""
    assert sidecar.names() == ["prepare", "start", "attach", "release"]


def test_a_second_death_is_reported_and_the_job_stays_noted_in_the_document() -> None:
    host, sidecar = MemoryHost(), ScriptedSidecar(prepare=GOOD["prepare"], start=LOST, attach=LOST)
    story = played(host, sidecar)
    assert story.state.kind == "failed" and story.state.text == LOST.message
    assert sidecar.names() == ["prepare", "start", "attach"] and host.job == FOLDER
    assert not host.told, "the user is busy with something else by now"


def test_a_sidecar_that_dies_while_it_cancels_is_not_asked_again() -> None:
    host, sidecar = MemoryHost(), ScriptedSidecar(**GOOD)
    story, _ = begun(host, sidecar)
    sidecar.answer()
    host.pump()
    story.cancel()
    sidecar.answer(LOST)
    host.pump()
    assert story.state.kind == "failed" and sidecar.names() == ["prepare", "start"]


# -- taking up what was begun ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"manifest": MANIFEST}, "done"),
        ({"cancelled": True}, "cancelled"),
        (HostError("Of anna.", "host.taken"), "failed"),
    ],
)
def test_a_job_begun_earlier_is_taken_up_or_reported(answer: Any, kind: str) -> None:
    host, sidecar, ended = MemoryHost(), ScriptedSidecar(attach=answer), []
    story = Story(host, sidecar, "abc", ended.append)  # type: ignore[arg-type]
    story.attach(FOLDER)
    sidecar.say(kind="Progressed", step="solve", fraction=0.5)
    sidecar.answer()
    host.pump()
    assert story.state.kind == kind and ended == [story] and not host.told
    assert [state.kind for state in host.states[:2]] == ["detached", "running"]


# -- the host fails ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [RuntimeError("no such knob"), ValueError("gone"), HostError("The node is gone.")])
@pytest.mark.parametrize("method", ["gather", "render", "remember", "apply"])
def test_a_fault_of_the_host_ends_the_story_and_gives_the_folder_back(method: str, error: Exception) -> None:
    host, sidecar = MemoryHost(method, error), ScriptedSidecar(**GOOD)
    story = played(host, sidecar)
    assert (
        story.state.kind == "failed"
        and str(error) in story.state.text
        and host.shown == ""
        and host.job in ("", FOLDER)
    )
    released = ("release", {"folder": FOLDER}) in sidecar.calls
    assert released == (method in ("render", "remember")), "only what was reserved and not started"
    assert bool(host.told) == (method != "apply")
    if method == "apply":
        assert isinstance(error, HostError) or "press Latest" in story.state.text


def test_a_picture_that_cannot_be_drawn_does_not_cost_the_work() -> None:
    host, sidecar = MemoryHost("show"), ScriptedSidecar(**GOOD)
    story = played(host, sidecar)
    assert story.state.kind == "done" and host.shown == FOLDER
    assert "no such knob" in story.state.warnings[-1]


@pytest.mark.parametrize("answer", [{"manifest": MANIFEST}, {"cancelled": True}])
def test_a_job_that_cannot_be_forgotten_has_ended_all_the_same(answer: dict) -> None:
    host, sidecar = MemoryHost("forget"), ScriptedSidecar(prepare=GOOD["prepare"], start=answer)
    story = played(host, sidecar)
    assert story.state.kind == ("done" if "manifest" in answer else "cancelled")
    assert "still noted in the document" in story.state.warnings[-1]


def test_a_box_that_cannot_be_shown_still_leaves_the_state() -> None:
    host, sidecar = MemoryHost("tell"), ScriptedSidecar(prepare=ServerError("Away."))
    assert played(host, sidecar).state.text == "Away."


@pytest.mark.parametrize("answer", [{}, {"manifest": None}, {"manifest": [1]}])
def test_an_end_without_a_manifest_is_reported(answer: dict) -> None:
    host, sidecar = MemoryHost(), ScriptedSidecar(prepare=GOOD["prepare"], start=answer)
    story = played(host, sidecar)
    assert story.state.kind == "failed" and "manifest" in story.state.text


def test_an_answer_without_a_folder_is_reported() -> None:
    host, sidecar = MemoryHost(), ScriptedSidecar(prepare={"problems": [], "folder": ""})
    assert "reserved no version folder" in played(host, sidecar).state.text


def test_the_error_of_a_failed_job_is_what_the_node_says_with_its_warnings() -> None:
    host, sidecar = MemoryHost(), ScriptedSidecar(**GOOD)
    story, _ = begun(host, sidecar)
    sidecar.answer()
    host.pump()
    sidecar.say(kind="Warned", text="The matte is empty on frame 2.")
    sidecar.answer(ServerError("The server is full."))
    host.pump()
    assert story.state.text == "The server is full." and story.state.warnings == ("The matte is empty on frame 2.",)
    assert host.job == FOLDER, "so that opening the script again says it again"
