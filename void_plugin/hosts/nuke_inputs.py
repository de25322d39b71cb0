"""The images that go to the server: the plate's own files where they are the plate, else rendered through the graph."""

import re
import uuid as uuids
from typing import Any, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from void_plugin.frames import FrameRange
from void_plugin.hosts import nuke_api as api
from void_plugin.hosts import nuke_trace as trace
from void_plugin.hosts.nuke_knobs import INPUTS

HALF = "16 bit half"
_TOKEN = re.compile(r"%0[1-9]d")
_HASHES = re.compile(r"#+")
_UNCHANGED_BY = ("Dot", "NoOp")
"""Classes of nodes that hand their input on as it is."""


class Image(NamedTuple):
    """One input to be rendered: which of the node's inputs, which channels, at which precision, to which files."""

    name: str
    channels: str
    datatype: str
    pattern: str
    """With %V where there are several views."""


def plain_files(source: Optional[api.Node], frames: FrameRange) -> str:
    """Pattern of the files that are this image as Nuke would render it; empty where that is not certain.

    Certain is only an EXR Read with nothing but dots and no-ops after it: raw or already in the working space, every
    frame at its own number and within the Read's range, and an error where one is missing.
    """
    while source is not None and source.Class() in _UNCHANGED_BY:
        source = source.input(0)
    if source is None or source.Class() != "Read":
        return ""
    knobs = source.knobs()
    pattern = _pattern(str(knobs["file"].value() or ""))
    return pattern if pattern and _reads_plainly(knobs, frames) and _is_in_working_space(knobs) else ""


def _pattern(file: str) -> str:
    """The file knob's text as a pattern with one %04d; empty where it is anything else."""
    file = file.replace("\\", "/")
    if not file.lower().endswith(".exr") or re.search(r"[\[\]$\s]|%[vV]", file):
        return ""
    folder, slash, name = file.rpartition("/")
    if _HASHES.search(name) and not _TOKEN.search(name) and len(_HASHES.findall(name)) == 1:
        name = _HASHES.sub(lambda match: "%0{}d".format(len(match.group(0))), name)
    if "%" in folder or "#" in folder or len(_TOKEN.findall(name)) != 1 or name.count("%") != 1:
        return ""
    return folder + slash + name


def _reads_plainly(knobs: Mapping[str, api.Knob], frames: FrameRange) -> bool:
    def says(name: str, *allowed: Any) -> bool:
        knob = knobs.get(name)
        return knob is None or (knob.value() in allowed and not _moves(knob))

    first, last = knobs["first"], knobs["last"]
    return (
        says("disable", False)
        and says("useLifetime", False)
        and says("on_error", "error")
        and says("frame", "")
        and says("frame_mode", "expression")
        and says("premultiplied", False)
        and not _moves(knobs["file"])
        and not _moves(first)
        and not _moves(last)
        and int(first.value()) <= frames.first
        and int(last.value()) >= frames.last
    )


def _moves(knob: api.Knob) -> bool:
    return bool(knob.isAnimated()) or bool(knob.hasExpression())


def _is_in_working_space(knobs: Mapping[str, api.Knob]) -> bool:
    if bool(knobs["raw"].value()):
        return True
    space = knobs.get("colorspace")
    return api.manages_colour_itself() and space is not None and str(space.value()) == "linear"


def render(node: api.Node, images: Sequence[Image], frames: FrameRange, views: Sequence[str]) -> None:
    """Render inputs of a node, all together, at full resolution and raw, through a Group that is gone afterwards.

    The script, its undo, selection, frame and proxy mode are then as before. Raises Cancelled where the artist stops
    it, HostError where Nuke cannot.
    """
    name = "VoidInputs_{}".format(uuids.uuid4().hex[:12])
    sources = [node.input(INPUTS.index(image.name)) for image in images]
    with trace.without_trace(), trace.inside(node.parent()), trace.full_resolution():
        group = api.make("Group", name=name)
        try:
            writes = _writes(group, images, views)
            for index, source in enumerate(sources):
                group.setInput(index, source)
            api.render(writes, frames.first, frames.last, views)
        finally:
            api.surely(lambda: api.delete(group))


def _writes(group: api.Node, images: Sequence[Image], views: Sequence[str]) -> List[api.Node]:
    writes = []
    with trace.inside(group):
        for index, image in enumerate(images):
            source = api.make("Input", name=image.name)
            api.put(source, "number", index)
            write = api.make("Write", name="write_" + image.name)
            write.setInput(0, source)
            _set_up(write, image, views)
            writes.append(write)
    return writes


def _set_up(write: api.Node, image: Image, views: Sequence[str]) -> None:
    settings: Tuple[Tuple[str, Any], ...] = (
        ("file", image.pattern),
        ("file_type", "exr"),  # before the knobs that only an EXR has
        ("channels", image.channels),
        ("raw", True),
        ("views", " ".join(views)),
        ("create_directories", True),
        ("datatype", image.datatype),
        ("compression", "Zip (1 scanline)"),
        ("metadata", "all metadata"),
    )
    for name, value in settings:
        api.put(write, name, value)


def largest_bytes(images: int, frames: int, width: int, height: int, views: int) -> int:
    """About how many bytes a run may take on disk at most: a plate, its mattes and its patch, in half, unpacked."""
    plate_and_patch = 3 + 4
    return 2 * (plate_and_patch + images - 1) * width * height * frames * views
