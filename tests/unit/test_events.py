import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from void_plugin.errors import RequestError
from void_plugin.events import KINDS, SCHEMA, Event, Failed, Finished, Stopped, from_line, is_last, to_line

texts = st.text(max_size=30)
values_by_type: dict[Any, st.SearchStrategy[Any]] = {
    str: texts,
    int: st.integers(-(2**53), 2**53),
    float: st.floats(allow_nan=False, allow_infinity=False),
    dict: st.dictionaries(texts, st.integers(-1000, 1000) | texts | st.none(), max_size=4),
}


def events_of(kind: type[Event]) -> st.SearchStrategy[Event]:
    blank = kind()
    given_values: dict[str, st.SearchStrategy[Any]] = {}
    for item in dataclasses.fields(kind):
        example = getattr(blank, item.name)
        given_values[item.name] = (
            st.none() | st.integers(-5000, 5000) if example is None else values_by_type[type(example)]
        )
    return st.builds(kind, **given_values)


any_event = st.one_of([events_of(kind) for kind in KINDS.values()])


@given(any_event)
def test_an_event_is_read_back_from_its_line(event: Event) -> None:
    assert from_line(to_line(event)) == event


@given(any_event)
def test_a_line_is_one_line_of_plain_ascii(event: Event) -> None:
    line = to_line(event)
    assert line.isascii() and len(line.splitlines()) == 1


@given(any_event)
def test_fields_of_a_newer_server_are_ignored(event: Event) -> None:
    data = json.loads(to_line(event))
    assert from_line(json.dumps({**data, "mood": "good"})) == event


def test_a_kind_of_a_newer_server_is_none() -> None:
    assert from_line('{"kind": "Applauded", "schema": 1, "job": "a", "number": 3}') is None


def test_a_newer_schema_is_refused_rather_than_misread() -> None:
    with pytest.raises(RequestError, match="install the same version") as caught:
        from_line(json.dumps({"kind": "Started", "schema": SCHEMA + 1}))
    assert caught.value.code == "request.schema"


@pytest.mark.parametrize(
    "line",
    ["", "hello", "[1, 2]", "3", "{}", '{"kind": 3}', '{"kind": ["Started"]}', '{"kind": null}', "{", "\x00",
     '{"kind": "FrameReady", "frame": "1001"}', '{"kind": "Started", "number": true}',
     '{"kind": "Progressed", "fraction": "0.5"}', '{"kind": "Finished", "summary": []}'],
)  # fmt: skip
def test_text_that_is_no_event_line_is_a_value_error(line: str) -> None:
    with pytest.raises(ValueError):
        from_line(line)


def test_whole_numbers_are_good_fractions() -> None:
    event = from_line('{"kind": "FrameReady", "frame": 7, "coverage": 1}')
    assert event is not None and event == KINDS["FrameReady"](frame=7, coverage=1.0)  # type: ignore[call-arg]


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_only_three_kinds_end_a_job(kind: type[Event]) -> None:
    assert is_last(kind()) == (kind in (Finished, Stopped, Failed))


def test_stopping_is_called_cancelled_on_the_wire() -> None:
    assert json.loads(to_line(Stopped()))["kind"] == "Cancelled"
