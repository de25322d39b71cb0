"""One shot in the panel: its request as it stands, the version that is shown, and what can be seen of both."""

import json
import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from void_plugin.frames import FrameRange
from void_plugin.hosts.states import NodeState
from void_plugin.request import ImageInput, Output, RemovalRequest
from void_plugin.ui.shotpictures import ShotPictures, Source

RATE = 24.0
"""Frames a second where the request says nothing."""
CONTEXT = 22
"""Frames on either side of a test frame that the engine may look at."""

TOUCHED, MATTES = "request.json", "_mattes"
"""The request of a version of painted mattes, and how the folder of those versions ends."""
PAINTED = {"remove": "object_matte", "affected": "affected_matte"}
"""Which input of a request each painted label is."""


@dataclass
class PanelShot:
    """A shot; changed only by the window's thread."""

    path: str
    """The request file."""
    request: RemovalRequest
    frames: FrameRange
    sequences: Mapping[str, str]
    """Pattern of each input."""
    output: str
    """The folder of its versions."""
    missing: Mapping[str, list[int]] = field(default_factory=dict)
    uuid: str = field(default_factory=lambda: uuid.uuid4().hex)
    state: NodeState = field(default_factory=NodeState)
    folder: str = ""
    """The version folder that is shown; empty before there is one."""
    views: Mapping[str, Any] = field(default_factory=dict)
    """Where that version has its results, from its manifest."""
    overlay: str = ""
    """Pattern of the overlay that was made last."""
    roi: tuple[int, int, int, int] | None = None
    """x0, y0, x1, y1 of the plate that the engine looks at, as that overlay says; None for all of it."""

    @classmethod
    def of_answer(cls, answer: Mapping[str, Any]) -> "PanelShot":
        """The shot behind what the sidecar's `open_request` says."""
        request = RemovalRequest.from_json(json.dumps(answer["request"]), str(answer["path"]))
        return cls(
            str(answer["path"]), request, FrameRange.parse(answer["frames"]), dict(answer["sequences"]),
            str(answer["output"]), dict(answer["missing"]),
        )  # fmt: skip

    @property
    def name(self) -> str:
        """What people call it."""
        return self.request.shot or os.path.splitext(os.path.basename(self.path))[0]

    @property
    def view(self) -> str:
        """The view of a stereo shot, by the name that manifests use."""
        return self.request.view or "main"

    def asked(self, action: str, frame: int, folder: str) -> RemovalRequest:
        """The request as it is sent: `remove`, `test` of one frame, or `preview` of the mask."""
        outputs = [
            Output(output.kind, f"{folder}/{output.kind}/{os.path.basename(output.pattern)}")
            for output in self.request.outputs
        ]
        frames = self.frames
        around = self.request.shot_range
        if action == "preview":
            outputs = [Output("comp", f"{folder}/overlay/{self.name}.%04d.png")]
        if action == "test":
            frames = FrameRange(frame, frame)
            around = FrameRange(frame - CONTEXT, frame + CONTEXT).clipped(around or self.frames)
        return replace(self.request, outputs=tuple(outputs), frames=frames, shot_range=around)

    def take(self, folder: str, manifest: Mapping[str, Any]) -> None:
        """Show a finished version, or an overlay."""
        views = dict(manifest.get("views") or {})
        mine: Mapping[str, Any] = views.get(self.view) or next(iter(views.values()), {})
        if manifest.get("kind") == "preview":
            self.overlay = f"{folder}/{mine.get('overlay')}" if mine.get("overlay") else ""
            roi = (manifest.get("summary") or {}).get("roi")
            self.roi = tuple(roi) if isinstance(roi, list) and len(roi) == 4 else None
            return
        self.folder, self.views = folder, mine

    def painting(self) -> dict[str, Any]:
        """What the painter needs to know to paint its mattes."""
        request = self.request

        def files(name: str) -> tuple[str, tuple[str, ...]]:
            given = request.input(name)
            return (self.sequences[name], given.channels) if given is not None else ("", ())

        around = request.shot_range
        return {
            "plate": self.sequences["plate"], "frames": str(self.frames), "around": str(around) if around else "",
            "mattes": {label: files(name) for label, name in PAINTED.items()},
            "quadmask": files("quadmask") if request.quadmask is not None else None, "folder": matte_folder(self.path),
        }  # fmt: skip

    def take_mattes(self, patterns: Mapping[str, str], missing: Sequence[int]) -> None:
        """Work with painted mattes from now on, given by label."""
        inputs: dict[str, Any] = {PAINTED[label]: ImageInput(pattern) for label, pattern in patterns.items()}
        self.request = replace(self.request, quadmask=None, **inputs)
        names = {PAINTED[label]: pattern for label, pattern in patterns.items()}
        kept = {name: pattern for name, pattern in self.sequences.items() if name != "quadmask"}
        self.sequences = {**kept, **names}
        lost = [frame for frame in missing if frame in self.frames]
        self.missing = {name: frames for name, frames in self.missing.items() if name not in (*names, "quadmask")}
        if lost:
            self.missing = {**self.missing, "object_matte": lost}

    def result(self) -> tuple[str, bool]:
        """Pattern of the result that is shown, and whether it is a patch; an empty pattern where there is none."""
        for kind, is_patch in (("cleanplate", False), ("patch", True)):
            if self.views.get(kind):
                return f"{self.folder}/{self.views[kind]}", is_patch
        return "", False

    def pictures(self) -> ShotPictures:
        """What there is to see of it."""
        plate = self.sequences["plate"]
        plate_channels = self.request.plate.channels
        sources = {"plate": Source(plate, channels=plate_channels)}
        matte = next((name for name in ("object_matte", "quadmask") if name in self.sequences), "")
        if matte:
            given = self.request.input(matte)
            sources["matte"] = Source(self.sequences[matte], "data", channels=given.channels if given else ())
        if self.overlay:
            sources["overlay"] = Source(self.overlay, "plain")
        pattern, is_patch = self.result()
        if pattern:
            sources["result"] = Source(pattern, "merged" if is_patch else "colour", plate if is_patch else "")
            sources["difference"] = Source(pattern, "difference", plate)
        fps = self.request.settings.fps or RATE
        return ShotPictures(self.frames, sources, fps, self.request.colour)


def matte_folder(path: str) -> str:
    """Where the versions of a request's painted mattes lie; a request of such a version shares those of its origin."""
    folder, name = os.path.split(os.path.abspath(path))
    if name == TOUCHED and os.path.dirname(folder).endswith(MATTES):
        return os.path.dirname(folder)
    return os.path.join(folder, os.path.splitext(name)[0] + MATTES)
