"""What the Resolve host calls is what Resolve offers: each call against the published list, without running it."""

from __future__ import annotations

import ast
from typing import Any

import pytest
from fakes.resolve import overrides, signatures
from fakes.resolve.models import MODELS
from fakes.resolve.strict import known_since
from resolvecalls import HOSTS, Facade, Made, constants, raw_uses

RETURNED = {"_text": {"str"}, "_list": {"list"}, "_map": {"dict"}, "_yes": {"bool"}, "_whole": {"int"}}
RETURNED["_frame"] = RETURNED["_whole"]
OLDEST = (18, 5, 0)


@pytest.fixture(scope="module")
def table() -> dict[str, Any]:
    found = signatures.read()
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def facade() -> Facade:
    return Facade()


@pytest.fixture(scope="module")
def calls(facade: Facade) -> list[Made]:
    found = list(facade.calls())
    assert len(found) > 80
    return found


def test_the_source_shows_every_call(facade: Facade, calls: list[Made]) -> None:
    assert facade.problems == []


def test_every_call_is_one_of_resolves(calls: list[Made], table: dict[str, Any]) -> None:
    unknown = [made for made in calls if made.method not in table["classes"].get(made.owner, {})]
    assert unknown == []


def test_every_call_has_as_many_arguments_as_it_takes(calls: list[Made], table: dict[str, Any]) -> None:
    wrong = []
    for made in calls:
        fits = []
        for overload in table["classes"][made.owner][made.method]["overloads"]:
            parameters = overload["parameters"]
            required = sum(not parameter["optional"] for parameter in parameters)
            most = 99 if overload["star"] else len(parameters)
            fits.append(made.count <= most and (made.more or made.count >= required))
        if not any(fits):
            wrong.append(made)
    assert wrong == []


def test_what_a_call_returns_is_taken_as_what_it_is(calls: list[Made], table: dict[str, Any]) -> None:
    wrong = []
    for made in calls:
        kinds = {kind.split("[")[0].split(":")[0] for kind in table["classes"][made.owner][made.method]["returns"]}
        if made.wrapper in RETURNED and not kinds & {*RETURNED[made.wrapper], "any"}:
            wrong.append((made.where, made.name, made.wrapper, kinds))
    assert wrong == []


def test_nothing_that_is_deprecated_or_forbidden_is_called(calls: list[Made], table: dict[str, Any]) -> None:
    assert [made for made in calls if table["classes"][made.owner][made.method]["deprecated"]] == []
    assert [made for made in calls if made.name in overrides.FORBIDDEN] == []
    methods = {name.split(".")[1] for name in overrides.FORBIDDEN}
    written = [
        f"{path.name}: {node.value}"
        for path in HOSTS.glob("resolve_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in methods
    ]
    assert written == []


def test_what_older_versions_lack_is_looked_for_before_it_is_called(calls: list[Made]) -> None:
    newer = [made for made in calls if known_since(made.name) > OLDEST]
    assert {"Timeline.GetSelectedClips", "Timeline.GetMarkInOut"} <= {made.name for made in newer}
    guarded = {made.name for made in newer if made.guarded}
    # Marks are written only where they were read.
    assert {made.name for made in newer} - guarded <= {"Timeline.SetMarkInOut", "Timeline.ClearMarkInOut"}


def test_the_fake_models_every_call(calls: list[Made]) -> None:
    missing = {made.name for made in calls if not hasattr(MODELS[made.owner], made.method)}
    assert missing == set()


def test_every_constant_is_one_of_resolves(table: dict[str, Any]) -> None:
    found = set(constants())
    assert found and found <= set(table["constants"])


def test_nothing_reaches_past_the_facade() -> None:
    assert {name: uses for name, uses in raw_uses().items() if name != "resolve_calls.py"} == {}
