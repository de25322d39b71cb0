"""Reading timelines of any format for which there is an adapter, with what each loses said; writing OTIO."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import opentimelineio as otio

from void_plugin.editorial.prescan import is_newer, prescan
from void_plugin.editorial.times import exact_rate
from void_plugin.errors import RequestError
from void_plugin.localfiles import write_whole

PLUGINS = "pip install OpenTimelineIO-Plugins"
LOSSES = {
    ".edl": "An EDL holds one video track, no rate (see --rate), no retimes that read back, no colours, and reels of 8 "
    "letters; transitions are folded into clip lengths, so check them. Export OTIO for anything but a plain cut.",
    ".xml": "FCP XML holds no image sequences, only their first file; speed changes may be lost. Check the ranges.",
    ".fcpxml": "FCPX XML loses effects and most transitions, and turns storylines into nests. Check the ranges.",
    ".aaf": "AAF names media by their package, not by file, and may lose speed changes and effects; relink clips "
    "(plate: PATTERN in a note, or --plate-root).",
    ".ale": "An ALE lists clips without a cut and without media.",
    ".otioz": "",
    ".otiod": "",
    ".otio": "",
}
"""What is lost on the way into OTIO, by ending; nothing where it is the format's own."""
_PACKAGES = {".fcpxml": "pip install otio-fcpx-xml-adapter"}


@dataclass(frozen=True)
class Opened:
    """A timeline as it was read."""

    timeline: Any
    path: Path
    folder: str
    """Where relative paths of its media begin."""
    warnings: tuple[str, ...]


def open_timeline(path: str, name: str = "", rate: float = 24.0) -> Opened:
    """Read a timeline; `name` chooses one where a file holds several, `rate` is that of an EDL, which says none.

    Raises RequestError, with what to do, for a file that cannot be read or holds no timeline with picture.
    """
    place = Path(path)
    if not place.exists():
        raise RequestError(f"{path} does not exist; correct the path.")
    source, ending = place, place.suffix.lower()
    if ending == ".fcpxmld":  # a folder, of which adapters know the file inside
        source, ending = place / "Info.fcpxml", ".fcpxml"
    if ending not in otio.adapters.suffixes_with_defined_adapters(read=True) and ending[1:] not in _suffixes():
        how = _PACKAGES.get(ending, PLUGINS) if ending in LOSSES else "export the timeline as .otio"
        raise RequestError(f"Nothing here reads {ending or 'files without an ending'}: {how}.")
    unknown = prescan(place) if ending in (".otio", ".otioz", ".otiod") else []
    # OpenTimelineIO knows television's rates only as fractions, and people write 29.97.
    said = {"rate": float(exact_rate(rate))} if ending == ".edl" else {}
    try:
        read = otio.adapters.read_from_file(os.fspath(source), **said)
    except Exception as error:  # adapters are other people's plug-ins, and raise whatever they like over a bad file
        if ending == ".edl":
            raise RequestError(
                f"{path} cannot be read at {rate:g} frames a second ({_said(error)}); give --rate."
            ) from error
        what = f"it holds {', '.join(unknown)}, which is not known here" if unknown else _said(error)
        fix = "export it again, best as .otio"
        if any(map(is_newer, unknown)):
            fix = f"bring OpenTimelineIO {otio.__version__} up to date here (pip install -U opentimelineio)"
        raise RequestError(f"{path} cannot be read ({what}); {fix}.") from error
    timeline = _timeline_in(read, path, name)
    if ending == ".edl":
        _straighten(timeline)
    if ending == ".xml":
        _settle_markers(timeline)
    if not any(track.kind == otio.schema.TrackKind.Video for track in timeline.find_children(otio.schema.Track)):
        raise RequestError(f"{path} has no video track; export the timeline with its picture.")
    if not timeline.find_clips():
        raise RequestError(f"{path} holds no clips; export the timeline with its clips.")
    warnings = [LOSSES[ending]] if LOSSES.get(ending) else []
    if unknown:
        warnings.append(f"It holds {', '.join(unknown)}, which is kept as it is; Resolve refuses such files.")
    folder = os.fspath(place.resolve()) if ending == ".otiod" else os.fspath(place.resolve().parent)
    if ending == ".otioz":
        folder = os.fspath(place.resolve())  # no file can be opened below it, so such media are told as offline
        warnings.append(f"Media inside {place.name} cannot be used where they are; unpack it and use its content.otio.")
    return Opened(timeline, place, folder, tuple(warnings))


def write_otio(timeline: Any, path: Path) -> None:
    """Write a timeline as OTIO, whole or not at all."""
    write_whole(path, to_text(timeline))


def to_text(item: Any) -> str:
    """The OTIO text of anything, the same for equal things."""
    return str(otio.adapters.write_to_string(item, "otio_json", indent=4))


def _suffixes() -> set[str]:
    return {str(suffix).lstrip(".") for suffix in otio.adapters.suffixes_with_defined_adapters(read=True)}


def _said(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:300] if text else type(error).__name__


def _timeline_in(read: Any, path: str, name: str) -> Any:
    if isinstance(read, otio.schema.Timeline):
        return read
    if isinstance(read, otio.schema.SerializableCollection):
        found = [item for item in read if isinstance(item, otio.schema.Timeline)]
        if name:
            found = [item for item in found if item.name == name]
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(repr(item.name) for item in found)
            raise RequestError(f"{path} holds {len(found)} timelines; choose one with --timeline: {names}.")
    kind = read.schema_name() if hasattr(read, "schema_name") else type(read).__name__
    more = f" of the name {name!r}" if name else ""
    raise RequestError(f"{path} holds a {kind} and no timeline{more}; export the timeline.")


def _straighten(timeline: Any) -> None:
    """Give a timeline its start where the reader of EDLs left it: as a range before the first frame of a track."""
    for track in timeline.tracks:
        shown = track.source_range
        if shown is not None and shown.start_time.value < 0:
            if timeline.global_start_time is None:
                start = shown.start_time
                timeline.global_start_time = otio.opentime.RationalTime(-start.value, start.rate)
            track.source_range = None


def _settle_markers(timeline: Any) -> None:
    """Give markers of an FCP XML their comment as such, and let them count as their clip does, not from its media."""
    clips = timeline.find_clips()
    for item in (timeline.tracks, *clips):
        for marker in item.markers:
            said = marker.metadata.get("fcp_xml")
            comment = said.get("comment") if hasattr(said, "get") else None
            marker.comment = marker.comment or str(comment or "")
    for clip in clips:
        media = clip.media_reference.available_range
        for marker in clip.markers:
            marked = marker.marked_range
            if media is not None and marked.start_time <= media.duration:
                start = media.start_time.rescaled_to(marked.start_time.rate) + marked.start_time
                marker.marked_range = otio.opentime.TimeRange(start, marked.duration)
