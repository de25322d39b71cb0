"""What is said about a prompt before it runs."""

from __future__ import annotations

import pytest

from void_server.engines.void.prompt import advice


@pytest.mark.parametrize(
    "prompt",
    ["remove the man", "The car is ERASED", "delete wires", "a street without people", "clean up the rig",
     "getting rid of the boom", "the dog disappears"],
)  # fmt: skip
def test_words_that_describe_the_removal_are_named(prompt: str) -> None:
    [(code, text)] = advice(prompt)
    assert code == "prompt_describes_removal" and "what remains" in text
    assert any(
        word.strip("'\",. ").lower() in prompt.lower() for word in text.split("says ")[1].split(". ")[0].split(",")
    )


@pytest.mark.parametrize(
    "prompt", ["", "an empty street at dusk, wet asphalt", "grass moves in the wind", "a remote beach"]
)
def test_a_prompt_that_describes_the_scene_gets_no_advice(prompt: str) -> None:
    assert list(advice(prompt)) == []
