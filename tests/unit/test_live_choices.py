"""The options of an action on a timeline, and the notes that say otherwise."""

from __future__ import annotations

from typing import Any

import pytest
from livehosts import shot

from void_plugin.errors import HostError, RequestError
from void_plugin.live.choices import Choices


def test_what_is_not_said_has_a_default() -> None:
    choices = Choices.of({})
    assert (choices.pick, choices.handles, choices.context, choices.wait, choices.place) == ("auto", 8, 48, True, False)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mattes": "x"}, "no option 'mattes'"),
        ({"handles": "8"}, "handles cannot be '8'"),
        ({"handles": True}, "handles cannot be True"),
        ({"handles": -1}, "cannot be negative"),
        ({"wait": 1}, "wait cannot be 1"),
        ({"names": "sh010"}, "names cannot be 'sh010'"),
        ({"pick": "best"}, "auto, selected, playhead, markers, all"),
        ({"plate": "scan"}, "auto, files, render"),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, Any], words: str) -> None:
    with pytest.raises(HostError, match=words):
        Choices.of(options)


def test_a_note_comes_before_the_options_and_leaves_the_rest_to_them() -> None:
    choices = Choices.of({"prompt": "a street", "engine": "recover", "matte": "/m/{shot}.####.exr", "handles": 4})
    plain = choices.note(shot())
    assert (plain.prompt, plain.engine, plain.handles) == ("a street", "recover", 4)
    assert plain.mattes == (("object_matte", "/m/sh010.####.exr"),)
    said = choices.note(shot(note="an empty room\nhandles: 0\nmatte: other.####.exr"))
    assert (said.prompt, said.engine, said.handles) == ("an empty room", "recover", 0)
    assert said.mattes == (("object_matte", "other.####.exr"),)
    with pytest.raises(RequestError, match="not valid JSON"):
        choices.note(shot(note="{"))


def test_clips_are_chosen_by_their_name_on_the_timeline_or_by_ours() -> None:
    assert Choices(names=("sh010",)).takes(shot()) and Choices(names=("sh010.[1001-1024].exr",)).takes(shot())
    assert not Choices(names=("sh020",)).takes(shot()) and Choices().takes(shot())
