"""Which channels a request means."""

import pytest

from void_plugin.errors import RequestError
from void_server.channels import matte_channel, plate_channels
from void_server.exr import ImageFile, Part
from void_server.tiles import Box

FILE = ImageFile("shot/plate.1001.exr", "plate", 1001)


def part(*names: str, index: int = 0, name: str = "", view: str = "") -> Part:
    box = Box(0, 0, 4, 4)
    channels = tuple((channel, "half") for channel in names)
    return Part(index, name, view, channels, box, box, (0, 0), False, 1.0, "zip", ())


@pytest.mark.parametrize(
    ("names", "wanted", "found"),
    [
        (("R", "G", "B", "A"), (), ["R", "G", "B"]),
        (("B", "G", "R"), (), ["R", "G", "B"]),
        (("red", "green", "blue"), (), ["red", "green", "blue"]),
        (("R", "G", "B", "beauty.R", "beauty.G", "beauty.B"), ("beauty",), ["beauty.R", "beauty.G", "beauty.B"]),
        (("R", "G", "B", "d.red", "d.green", "d.blue"), ("D",), ["d.red", "d.green", "d.blue"]),
        (("x", "y", "z"), ("z", "x", "y"), ["z", "x", "y"]),
    ],
)
def test_plate_channels_are_found_by_layer_or_name(
    names: tuple[str, ...], wanted: tuple[str, ...], found: list[str]
) -> None:
    assert plate_channels([part(*names)], wanted, "", FILE) == (0, found)


@pytest.mark.parametrize(
    ("names", "wanted", "found"),
    [
        (("R", "G", "B", "A"), (), "A"),
        (("alpha",), (), "alpha"),
        (("Y",), (), "Y"),
        (("R", "G", "B"), (), "R"),
        (("R", "roto.A", "roto.red"), ("roto",), "roto.A"),
        (("R", "roto.red"), ("Roto",), "roto.red"),
        (("whitebarmask.mask", "A"), ("whitebarmask.mask",), "whitebarmask.mask"),
    ],
)
def test_a_matte_channel_is_found_by_the_fields_habits(
    names: tuple[str, ...], wanted: tuple[str, ...], found: str
) -> None:
    assert matte_channel([part(*names)], wanted, "", FILE) == (0, found)


def test_a_view_chooses_its_part_and_its_prefix() -> None:
    parts = [part("R", "G", "B", view="right"), part("R", "G", "B", index=1, view="left")]
    assert plate_channels(parts, (), "left", FILE)[0] == 1
    assert plate_channels([part("R", "G", "B", "left.R", "left.G", "left.B")], (), "left", FILE)[1][0] == "left.R"


@pytest.mark.parametrize("wanted", [("nothing",), ("R", "G", "X")])
def test_what_is_not_there_is_answered_with_what_is(wanted: tuple[str, ...]) -> None:
    with pytest.raises(RequestError, match=r"R, G, B") as caught:
        plate_channels([part("R", "G", "B")], wanted, "", FILE)
    assert caught.value.code == "request.channel"
