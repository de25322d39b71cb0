"""What tests build on: EXR files written and read by OpenImageIO alone, a small shot, and jobs run in process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
from numpy.typing import NDArray

from void_plugin.config import Config
from void_plugin.events import Event, Warned, from_line
from void_plugin.frames import FrameRange
from void_plugin.request import ImageInput, Output, RemovalRequest

Array = NDArray[Any]


def save_exr(
    path: Path,
    pixels: Array,
    channels: Sequence[str] = ("R", "G", "B"),
    *,
    origin: tuple[int, int] = (0, 0),
    display: tuple[int, int, int, int] | None = None,
    compression: str = "zip",
    attributes: Mapping[str, Any] | None = None,
    kinds: Sequence[str] | None = None,
) -> Path:
    """Write half (or float) pixels without any of our own code; `display` is x0, y0, x1, y1."""
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    height, width, count = pixels.shape
    spec = oiio.ImageSpec(width, height, count, oiio.FLOAT if pixels.dtype == np.float32 else oiio.HALF)
    spec.channelnames = tuple(channels)
    if kinds is not None:
        spec.channelformats = tuple(oiio.TypeDesc(kind) for kind in kinds)
    spec.x, spec.y = origin
    x0, y0, x1, y1 = display or (origin[0], origin[1], origin[0] + width, origin[1] + height)
    spec.full_x, spec.full_y, spec.full_width, spec.full_height = x0, y0, x1 - x0, y1 - y0
    spec.attribute("compression", compression)
    for name, value in (attributes or {}).items():
        if isinstance(value, tuple):
            spec.attribute(name, oiio.TypeDesc(value[0]), value[1])
        else:
            spec.attribute(name, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    out = oiio.ImageOutput.create(str(path))
    assert out is not None
    assert out.open(str(path), spec), out.geterror()
    assert out.write_image(np.ascontiguousarray(pixels)), out.geterror()
    assert out.close(), out.geterror()
    return path


@dataclass(frozen=True)
class Exr:
    """A file read back: pixels by channel name in the file's own type, windows, attributes."""

    planes: Mapping[str, Array]
    data: tuple[int, int, int, int]
    display: tuple[int, int, int, int]
    attributes: Mapping[str, Any]

    def over(self, canvas: tuple[int, int, int, int], name: str, dtype: Any = np.float16) -> Array:
        """A channel placed on another data window, 0 elsewhere."""
        out = np.zeros((canvas[3] - canvas[1], canvas[2] - canvas[0]), dtype)
        x, y = self.data[0] - canvas[0], self.data[1] - canvas[1]
        plane = self.planes[name]
        out[y : y + plane.shape[0], x : x + plane.shape[1]] = plane
        return out


def load_exr(path: Path | str, subimage: int = 0) -> Exr:
    source = oiio.ImageInput.open(str(path))
    assert source is not None, f"{path}: {oiio.geterror()}"
    assert source.seek_subimage(subimage, 0)
    spec = source.spec()
    kinds = [str(kind) for kind in spec.channelformats] or [str(spec.format)] * spec.nchannels
    types = {"half": oiio.HALF, "float": oiio.FLOAT, "uint": oiio.UINT}
    planes = {
        name: source.read_image(subimage, 0, index, index + 1, types[kind])[..., 0]
        for index, (name, kind) in enumerate(zip(spec.channelnames, kinds, strict=True))
    }
    attributes = {item.name: item.value for item in spec.extra_attribs}
    data = (spec.x, spec.y, spec.x + spec.width, spec.y + spec.height)
    display = (spec.full_x, spec.full_y, spec.full_x + spec.full_width, spec.full_y + spec.full_height)
    source.close()
    return Exr(planes, data, display, attributes)


def bits(values: Array) -> Array:
    """The bit patterns of half or float pixels, which tell -0.0 from 0.0 and one NaN from another."""
    return values.view(np.uint16 if values.dtype == np.float16 else np.uint32)


def merged(patch: Exr, plate: Exr, names: Sequence[str] = ("R", "G", "B")) -> dict[str, Array]:
    """The patch merged over the plate as a host does it: in float, `patch + plate * (1 - alpha)`, back to half.

    Where the patch's alpha is 0 the host's plate stays; that the arithmetic agrees there is tested apart.
    """
    out = {}
    alpha = patch.over(plate.data, "A")
    for name in names:
        under = plate.planes[name]
        with np.errstate(invalid="ignore", over="ignore"):
            mixed = patch.over(plate.data, name[-1]).astype(np.float32) + under.astype(np.float32) * (
                1 - alpha.astype(np.float32)
            )
            out[name] = np.where(alpha == 0, under, mixed.astype(np.float16))
    return out


@dataclass
class Shot:
    """A small shot on disk: a square crosses a textured, panning set; truth is known."""

    folder: Path
    frames: FrameRange
    size: tuple[int, int]
    truth: dict[int, Array] = field(default_factory=dict)
    mattes: dict[int, Array] = field(default_factory=dict)

    @property
    def plate(self) -> str:
        return str(self.folder / "plate.%04d.exr")

    @property
    def matte(self) -> str:
        return str(self.folder / "object_matte.%04d.exr")

    def out(self, name: str = "result", folder: str = "out") -> str:
        return str(self.folder / folder / f"{name}.%04d.exr")

    def request(self, **changes: Any) -> RemovalRequest:
        values: dict[str, Any] = {
            "plate": ImageInput(self.plate),
            "object_matte": ImageInput(self.matte),
            "outputs": (Output("patch", self.out()),),
            "engine": "recover",
        }
        values.update(changes)
        return RemovalRequest(**values)


def build_shot(
    folder: Path, count: int = 8, size: tuple[int, int] = (108, 192), pan: float = 0.0, seed: int = 3
) -> Shot:
    """Write a shot with a soft square that moves across, half RGB, tagged ACEScg, with timecode and reel."""
    import cv2

    height, width = size
    random = np.random.default_rng(seed)
    world = np.zeros((height, width + int(abs(pan) * count) + 2, 3), np.float32)
    for cell in (4, 9, 30):
        noise = random.random((height // cell + 2, world.shape[1] // cell + 2, 3)).astype(np.float32)
        world += cv2.resize(noise, (world.shape[1], height), interpolation=cv2.INTER_CUBIC) * cell / 60
    world = np.clip(world, 0.01, None)
    shot = Shot(folder, FrameRange(1001, 1000 + count), size)
    side = height // 4
    for index, frame in enumerate(shot.frames):
        left = round(pan * index)
        truth = world[:, left : left + width]
        matte = np.zeros(size, np.float32)
        x = round(width * 0.1 + index * (width * 0.7 - side) / max(1, count - 1))
        matte[height // 3 : height // 3 + side, x : x + side] = 1
        matte = cv2.GaussianBlur(matte, (5, 5), 1.0)
        matte[matte < 0.01] = 0
        plate = truth * (1 - matte[..., None]) + np.float32([0.9, 0.1, 0.05]) * matte[..., None]
        save_exr(
            folder / f"plate.{frame}.exr",
            plate.astype(np.float16),
            attributes={
                "colorInteropID": "lin_ap1_scene",
                "reelName": "A001C002",
                "nuke/input/frame_rate": "24",
                "smpte:TimeCode": ("timecode", (0x01020304 + index, 0)),
                "FramesPerSecond": ("rational", (24, 1)),
                "DateTime": "2026:01:02 03:04:05",
            },
        )
        save_exr(folder / f"object_matte.{frame}.exr", matte.astype(np.float16), ["A"])
        shot.truth[frame], shot.mattes[frame] = truth.copy(), matte
    return shot


@dataclass(frozen=True)
class Ran:
    """What a job said and left behind."""

    events: Sequence[Event]
    folder: Path

    @property
    def warnings(self) -> list[Warned]:
        return [event for event in self.events if isinstance(event, Warned)]


def run_in_process(
    request: RemovalRequest,
    workers: int = 2,
    machine: Config | None = None,
    stop_after: int | None = None,
    warm: Any = None,
) -> Ran:
    """Run all steps of a job in this process; VoidErrors come out as they are. `warm` is what a worker keeps."""
    from void_server.eventlog import EventLog
    from void_server.jobfolder import JobFolder
    from void_server.runner import Job

    folder = JobFolder(request.job_folder())
    log = EventLog(folder, request.request_id or "test", None)
    told = 0

    def cancelled() -> bool:
        nonlocal told
        told += 1
        return stop_after is not None and told > stop_after

    try:
        with Job(request, folder, log, machine or Config(), workers, cancelled, warm=warm) as job:
            job.run()
    finally:
        log.close()
    lines = folder.events.read_text(encoding="utf-8").splitlines()
    events = [event for line in lines if (event := from_line(line)) is not None]
    return Ran(events, folder.path)
