"""From the values of a node's knobs to requests and folders. Pure: plain values in, plain values out."""

import re
from typing import Any, Dict, List, Mapping, NamedTuple, Tuple

from void_plugin.errors import RequestError
from void_plugin.frames import FrameRange
from void_plugin.hosts.nuke_knobs import COMPRESSIONS
from void_plugin.request import ImageInput, Output, RemovalRequest
from void_plugin.settings import RenderSettings

TEST_CONTEXT = 22
"""Frames on either side of a test frame: 45 in all, a clip length that VOID takes without padding (8k+5)."""
QUALITIES: Dict[str, Dict[str, Any]] = {
    "preview": {"void_passes": 1, "void_steps": 12, "void_pass2_steps": 50, "void_short_clips": "short"},
    "standard": {"void_passes": 1, "void_steps": 30, "void_pass2_steps": 50},
    "best": {"void_passes": 2, "void_steps": 30, "void_pass2_steps": 50},
}
"""What each quality sets; the knobs passes, steps and pass2_steps go before it where they are not 0."""
MOVING_SHAPES = ("drop", "path")
"""Presets of the affected shape that need the whole shot to be seen."""

_SCRIPT_VERSION = re.compile(r"[._-]?v\d+\Z", re.IGNORECASE)
_TCL = re.compile(r"([\[\]$\\])")


class Span(NamedTuple):
    """Frames of one run: what is delivered, and what is rendered so that the engine can look at it."""

    frames: FrameRange
    rendered: FrameRange


def asked_range(values: Mapping[str, Any], plate: FrameRange, project: FrameRange) -> FrameRange:
    """The frame range that the knobs name, without handles.

    Raises RequestError where it is no range or does not lie within the plate's.
    """
    mode = values["range_mode"]
    asked = plate if mode == "input" else project
    if mode == "custom":
        if not str(values["frame_range"]).strip():
            raise RequestError("The frame range is custom but empty; write it as 1001-1048.", "request.range")
        asked = FrameRange.parse(str(values["frame_range"]))
    if not plate.holds(asked):
        raise RequestError(
            "The frame range {} lies outside the plate, which has {}; shorten it, or extend the plate.".format(
                asked, plate
            ),
            "request.range",
        )
    return asked


def span(values: Mapping[str, Any], action: str, plate: FrameRange, project: FrameRange, current: int) -> Span:
    """The frames of an action: `remove`, `test` (around the current frame) or `preview` (the current frame).

    Raises RequestError where the current frame or the asked range lies outside the plate.
    """
    if action == "remove":
        asked = asked_range(values, plate, project)
        frames = asked.grown(max(0, int(values["handles"]))).clipped(plate)
        return Span(frames, frames.grown(max(0, int(values["context"]))).clipped(plate))
    if current not in plate:
        raise RequestError(
            "Frame {} lies outside the plate, which has {}; go to one of its frames.".format(current, plate),
            "request.range",
        )
    frames = FrameRange(current, current)
    if action == "test":
        return Span(frames, frames.grown(TEST_CONTEXT).clipped(plate))
    return Span(frames, plate if values["affected_preset"] in MOVING_SHAPES else frames)


def render_settings(values: Mapping[str, Any], action: str, fps: float) -> RenderSettings:
    """The settings of a request. Raises RequestError naming the setting that cannot be as it is."""
    chosen: Dict[str, Any] = dict(QUALITIES["preview" if action == "test" else values["quality"]])
    for knob, setting in (("passes", "void_passes"), ("steps", "void_steps"), ("pass2_steps", "void_pass2_steps")):
        if int(values[knob]):
            chosen[setting] = int(values[knob])
    helpers = bool(values["helper_channels"])
    compression = "" if values["compression"] == COMPRESSIONS[0] else str(values["compression"])
    settings = RenderSettings(
        seed=int(values["seed"]),
        source=str(values["source"]),
        grain=str(values["grain"]),
        detail=str(values["detail"]),
        rate=str(values["rate"]),
        fps=float(fps) if values["rate"] == "physics" else 0.0,
        affected_preset=str(values["affected_preset"]),
        affected_angle=float(values["affected_angle"]),
        affected_path=str(values["affected_path"]).strip(),
        recover_affected=str(values["recover_affected"]),
        recover_grain=str(values["recover_grain"]),
        compression=compression,
        coverage_channel=helpers,
        weight_channel=helpers,
        change_channel=helpers,
        source_channel=helpers,
        void_guidance=float(values["guidance"]),
        **chosen,
    )
    settings.check()
    return settings


class Place(NamedTuple):
    """Where one run puts things: its version folder, the name of its files, its views."""

    folder: str
    name: str
    views: Tuple[str, ...]
    is_stereo: bool = False
    """True where the project has several views, also where the run is about one: that is nothing for the others."""

    def inputs(self, view: str, name: str) -> str:
        """Pattern of a rendered input."""
        return "{}/inputs/{}/{}.%04d.exr".format(self.folder, view, name)

    def results(self, kind: str, view: str) -> str:
        """Pattern of the files of a result: `patch`, `cleanplate` or `overlay`; views go into folders of their own."""
        below = "{}/{}".format(kind, view) if self.is_stereo else kind
        return "{}/{}/{}.%04d.exr".format(self.folder, below, self.name)


def request(
    values: Mapping[str, Any],
    action: str,
    place: Place,
    view: str,
    span: Span,
    inputs: Mapping[str, ImageInput],
    settings: RenderSettings,
) -> Dict[str, Any]:
    """The request of one view as it travels; `inputs` holds the images of the connected inputs by their names.

    Its check is the sidecar's: comparing paths looks at the file system.
    """
    if action == "preview":
        outputs: List[Output] = [Output("comp", place.results("overlay", view))]
    else:
        outputs = [Output("patch", place.results("patch", view))]
        if values["write_cleanplate"] and action == "remove":
            outputs.append(Output("comp", place.results("cleanplate", view)))
    made = RemovalRequest(
        plate=inputs["plate"],
        object_matte=inputs.get("matte"),
        affected_matte=inputs.get("affected"),
        holdout_matte=inputs.get("holdout"),
        outputs=tuple(outputs),
        shot=place.name,
        frames=span.frames,
        shot_range=span.rendered,
        view="" if view == "main" else view,
        colour=str(values["colour"]).strip(),
        prompt=str(values["prompt"]).strip(),
        engine=str(values["engine"]) or "auto",
        settings=settings,
        priority=int(values["priority"]),
    )
    return made.to_dict()


# -- folders ---------------------------------------------------------------------------------------------------


def file_name(full_name: str) -> str:
    """A node's name as it can stand in a file name: `Group1.VoidRemove1` becomes `Group1_VoidRemove1`."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", full_name).strip("_") or "VoidRemove"


def script_stem(script: str) -> str:
    """The script's file name without ending and version: `sh010_v012.nk` keeps the folder of `sh010_v011.nk`."""
    stem = re.sub(r"\.nk(nc|ple)?\Z", "", script.replace("\\", "/").rsplit("/", 1)[-1])
    return _SCRIPT_VERSION.sub("", stem) or stem


def folder_of(script: str) -> str:
    """The folder of a script, with forward slashes."""
    return script.replace("\\", "/").rpartition("/")[0]


def output_folder(chosen: str, script: str, full_name: str) -> str:
    """The folder that holds a node's versions, with forward slashes; empty where the script has no place yet."""
    chosen = chosen.replace("\\", "/").rstrip("/")
    absolute = chosen.startswith("/") or re.match(r"[A-Za-z]:/", chosen) is not None
    if absolute:
        return chosen
    if not folder_of(script):
        return ""
    if chosen:
        return "{}/{}".format(folder_of(script), chosen)
    return "{}/void/{}/{}".format(folder_of(script), script_stem(script), file_name(full_name))


def for_script(path: str, script: str) -> str:
    """A path as a file knob holds it: relative to the script where it lies below its folder, safe from Tcl."""
    base = folder_of(script)
    if base and path.startswith(base + "/"):
        return "[file dirname [value root.name]]/" + _TCL.sub(r"\\\1", path[len(base) + 1 :])
    # Without a bracket nothing of it is Tcl.
    return _TCL.sub(r"\\\1", path) if "[" in path else path
