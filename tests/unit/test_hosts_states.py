"""What a node shows while a job runs and afterwards."""

import pytest

from void_plugin.events import KINDS
from void_plugin.hosts import states
from void_plugin.hosts.states import COLOURS, RESTING, NodeState, after_event


def test_every_kind_has_a_colour_and_only_resting_ones_let_the_button_be_pressed() -> None:
    busy = {"preflight", "rendering", "uploading", "queued", "running", "cancelling"}
    assert set(COLOURS) == busy | set(RESTING)
    assert all(NodeState(kind).is_busy == (kind in busy) for kind in COLOURS)


@pytest.mark.parametrize(
    ("event", "kind", "text"),
    [
        ({"kind": "Queued", "position": 2, "eta_seconds": 200.0}, "queued", "Queued, 2 before it, about 3 min"),
        ({"kind": "Queued", "position": 0, "eta_seconds": -1.0}, "queued", "Queued, next"),
        ({"kind": "Uploading", "done": 3, "total": 4}, "uploading", "Uploading 75 %"),
        ({"kind": "Uploading", "done": 0, "total": 0}, "uploading", "Uploading 0 %"),
        ({"kind": "Started", "engine": "recover"}, "running", "Running on recover"),
        ({"kind": "Progressed", "step": "plan", "fraction": 0.02}, "running", "Running 2 % (plan)"),
        (
            {"kind": "Progressed", "step": "solve", "fraction": 0.5, "pass_number": 2, "window": 3},
            "running",
            "Running 50 % (solve, pass 2, window 3)",
        ),
        ({"kind": "Progressed", "step": "solve", "fraction": 7.0}, "running", "Running 100 % (solve)"),
    ],
)
def test_each_event_leads_to_its_state(event: dict, kind: str, text: str) -> None:
    state = after_event(states.starting(), event)
    assert (state.kind, state.text) == (kind, text)


def test_one_of_several_views_is_named_and_main_is_not() -> None:
    event = {"kind": "Started", "engine": "void", "view": "left"}
    assert after_event(states.starting(), event).text == "left: Running on void"
    assert after_event(states.starting(), dict(event, view="main")).text == "Running on void"


def test_a_warning_is_kept_once_and_leaves_the_line_as_it_is() -> None:
    state = states.starting()
    for _ in range(2):
        state = after_event(state, {"kind": "Warned", "text": "The matte is empty on frame 3.", "frame": 3})
    assert state.text == "Starting" and state.warnings == ("The matte is empty on frame 3.",)
    assert "Warning: The matte is empty on frame 3." in state.full_text()


@pytest.mark.parametrize("kind", [*sorted(KINDS), "Danced", None])
def test_no_event_takes_back_that_it_is_being_cancelled(kind: str) -> None:
    state = states.cancelling(states.starting())
    assert after_event(state, {"kind": kind, "text": "x"}) == state


@pytest.mark.parametrize("event", [{}, {"kind": "Danced"}, {"kind": None}])
def test_an_event_of_a_newer_sidecar_changes_nothing(event: dict) -> None:
    assert after_event(states.starting(), event) == states.starting()


def test_a_finished_version_is_one_line() -> None:
    manifest = {"frames": "1001-1048", "seconds": 360.0, "summary": {"shares": "81 % recovered, 19 % generated"}}
    assert states.result_line("/a/v004", manifest) == "v004 · 1001-1048 · 6 min · 81 % recovered, 19 % generated"
    assert states.result_line("C:\\a\\test\\", {}) == "test"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0 s"), (99, "99 s"), (100, "2 min"), (3599, "60 min"), (4800, "1 h 20 min")]
)
def test_durations_are_said_as_people_say_them(seconds: float, text: str) -> None:
    assert states.duration(seconds) == text


def test_a_list_of_problems_starts_with_the_first_and_counts_the_rest() -> None:
    state = states.refused(("No plate.", "No matte.", "No script."))
    assert state.text == "No plate. (and 2 more)" and state.details.splitlines() == [
        "No plate.",
        "No matte.",
        "No script.",
    ]
    assert states.refused(("No plate.",)).text == "No plate."


@pytest.mark.parametrize(
    ("farm", "line"),
    [
        ({"jobs": ["slurm:1234"], "state": "queued"}, "On the farm: slurm:1234, v004"),
        ({"jobs": ["s:1", "s:2"], "state": "running", "fraction": 0.4}, "On the farm: s:1, s:2, v004, running 40 %"),
        ({"jobs": ["slurm:1"], "state": "running", "fraction": 7}, "On the farm: slurm:1, v004, running 100 %"),
        ({"jobs": ["slurm:1"], "state": "unknown"}, "On the farm: slurm:1, v004, no word from it"),
        ({"jobs": ["slurm:1"], "state": "succeeded"}, "On the farm: slurm:1, v004, finished, not here yet"),
        ({"jobs": ["slurm:1"], "state": "dancing"}, "On the farm: slurm:1, v004, dancing"),
        ({"jobs": None, "state": None, "fraction": None}, "On the farm: v004"),
    ],
)  # fmt: skip
def test_a_version_on_the_farm_is_one_line(farm: dict, line: str) -> None:
    state = states.on_farm("/a/v004", farm)
    assert (state.kind, state.text) == ("farm", line)


def test_a_version_on_the_farm_leaves_the_node_free_and_can_be_cancelled() -> None:
    state = states.on_farm("/a/v004", {"jobs": ["slurm:1"], "text": "Solve 3 of 9"}, ("It will be slow.",))
    assert not state.is_busy and state.can_be_cancelled and not state.shows_result and state.colour
    assert "void farm logs slurm:1" in state.details and "Solve 3 of 9" in state.details and "/a/v004" in state.details
    assert "Warning: It will be slow." in state.full_text()
    assert states.starting().can_be_cancelled and not states.done("v004").can_be_cancelled
