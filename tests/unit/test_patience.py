"""How long a client waits, with a clock of its own."""

import pytest

from void_plugin.errors import JobError, ServerError
from void_plugin.patience import Patience


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


GONE = ServerError("The server box:1 cannot be reached.", "server.unavailable")


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_short_outage_is_nobodys_business(clock: Clock) -> None:
    told: list[str] = []
    patience = Patience("box:1", 300, told.append, clock=clock)
    patience.succeeded()
    waits = []
    for _ in range(8):
        waits.append(patience.failed(GONE, None))
        clock.now += 0.4
    assert waits == sorted(waits) and waits[0] <= 0.1 and waits[-1] <= 2.0
    patience.succeeded()
    assert told == []


def test_a_long_one_is_told_once_and_ends_with_a_promise(clock: Clock) -> None:
    told: list[str] = []
    patience = Patience("box:1", 300, told.append, clock=clock)
    patience.promise = "The job goes on there."
    patience.succeeded()
    for _ in range(300):
        patience.failed(GONE, None)
        clock.now += 1
    (sentence,) = told
    assert "box:1 has not answered for 4 seconds" in sentence and sentence.endswith("The job goes on there.")
    assert "5 minutes" in sentence
    clock.now += 1
    with pytest.raises(ServerError, match=r"not answered for 301 seconds\. The job goes on there\.$") as caught:
        patience.failed(GONE, None)
    assert caught.value.code == "server.unavailable"


def test_an_answer_ends_an_outage_and_the_next_one_counts_anew(clock: Clock) -> None:
    told: list[str] = []
    patience = Patience("box:1", 10, told.append, clock=clock)
    for _ in range(3):
        patience.succeeded()
        patience.failed(GONE, None)
        clock.now += 9
        patience.failed(GONE, None)
    assert len(told) == 3


def test_a_server_that_was_never_reached_is_not_waited_for(clock: Clock) -> None:
    patience = Patience("box:1", 300, clock=clock)
    with pytest.raises(ServerError) as caught:
        patience.failed(GONE, None)
    assert caught.value is GONE


def test_a_server_that_says_when_to_come_back_is_waited_for(clock: Clock) -> None:
    patience = Patience("box:1", 300, clock=clock)
    assert patience.failed(ServerError("No worker has started yet.", "server.unavailable"), 2.5) == 2.5
    assert patience.failed(ServerError("The queue is full.", "server.busy"), 1.5) == 1.5
    assert patience.failed(ServerError("Concurrent RPC limit exceeded!", "server.busy"), None) <= 2.0


def test_a_full_queue_is_told_in_the_servers_own_words(clock: Clock) -> None:
    told: list[str] = []
    patience = Patience("box:1", 20, told.append, clock=clock)
    for _ in range(10):
        patience.failed(ServerError("The queue is full with 1000 jobs.", "server.busy"), 2.0)
        clock.now += 2
    assert len(told) == 1 and told[0].startswith("The queue is full with 1000 jobs.")
    clock.now += 2
    with pytest.raises(ServerError, match="1000 jobs") as caught:
        patience.failed(ServerError("The queue is full with 1000 jobs.", "server.busy"), 2.0)
    assert caught.value.code == "server.busy"


@pytest.mark.parametrize(
    "error",
    [
        JobError("There is no such job.", "job.unknown"),
        ServerError("A limit of yours is reached.", "server.limit"),
        ServerError("The disk is full.", "server.disk_full"),
        ServerError("The token is wrong.", "server.unauthenticated"),
    ],
)
def test_what_does_not_pass_by_itself_is_raised_at_once(error: ServerError, clock: Clock) -> None:
    patience = Patience("box:1", 300, clock=clock)
    patience.succeeded()
    with pytest.raises(type(error)) as caught:
        patience.failed(error, None)
    assert caught.value is error


def test_waiting_in_vain_ends_with_the_reason(clock: Clock) -> None:
    def dead() -> None:
        raise JobError("void-server was killed.", "job.crashed")

    patience = Patience("box:1", 300, check=dead, clock=clock)
    patience.succeeded()
    with pytest.raises(JobError, match="was killed"):
        patience.failed(GONE, None)
