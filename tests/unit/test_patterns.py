import pytest
from hypothesis import given
from hypothesis import strategies as st

from void_plugin.errors import RequestError
from void_plugin.frames import ImageSequence
from void_plugin.patterns import to_pattern

stems = st.text("abcdefghijklmnopqrstuvwxyzABC0123456789_.-é ", min_size=1, max_size=12).map(lambda text: f"p{text}_")


@given(stem=stems, width=st.integers(2, 9))
def test_every_spelling_of_a_width_is_the_same_pattern(stem: str, width: int) -> None:
    wanted = f"/plates/{stem}.%0{width}d.exr"
    for token in (f"%0{width}d", "#" * width, "@" * width, f"$F{width}"):
        assert to_pattern(f"/plates/{stem}.{token}.exr") == wanted


@given(stem=stems, token=st.sampled_from(["%04d", "####", "@@@@", "$F4"]))
def test_a_pattern_that_was_converted_stays_as_it_is(stem: str, token: str) -> None:
    once = to_pattern(f"{stem}{token}.exr")
    assert to_pattern(once) == once
    assert ImageSequence(once).path(1001) == f"{stem}1001.exr"


@pytest.mark.parametrize("token", ["%d", "%01d", "#", "@", "$F", "$F1"])
def test_one_digit_means_no_padding(token: str) -> None:
    assert to_pattern(f"a.{token}.exr") == "a.%d.exr"


@pytest.mark.parametrize("name", ["clean.exr", "plate.1001.exr", "/a/b/sh010.exr", "<plates>/still.exr"])
def test_a_name_without_a_token_is_one_file(name: str) -> None:
    assert to_pattern(name) == name


def test_letters_that_look_like_tokens_stay_where_the_token_is_explicit() -> None:
    assert to_pattern("plates@2x/take#3@home.%04d.exr") == "plates@2x/take#3@home.%04d.exr"
    assert to_pattern("<plates>/p_v002.$F4.exr") == "<plates>/p_v002.%04d.exr"


@pytest.mark.parametrize(
    ("pattern", "advice"),
    [
        ("plate.<UDIM>.exr", "UDIM"),
        ("plate.%(UDIM)d.exr", "UDIM"),
        ("plate.%04d.%04d.exr", "more than one"),
        ("plate.####.####.exr", "more than one"),
        ("take#1.####.exr", "more than one"),
        ("plate.1001-1024####.exr", "--frames"),
        ("shot$F4/plate.exr", "folder"),
        ("shot%02d/plate.%04d.exr", "folder"),
        ("plate.%V.exr", "%"),
        ("plates/", "folder"),
        ("", "folder"),
    ],
)
def test_a_pattern_that_could_be_misread_is_refused_with_advice(pattern: str, advice: str) -> None:
    with pytest.raises(RequestError) as caught:
        to_pattern(pattern)
    assert caught.value.code == "request.pattern"
    assert advice in caught.value.message and repr(pattern) in caught.value.message


def test_the_refusal_says_what_is_accepted() -> None:
    with pytest.raises(RequestError, match=r"%04d, ####, @@@@ or \$F4"):
        to_pattern("plate.<UDIM>.exr")
