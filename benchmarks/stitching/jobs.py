"""Plates written as a user has them, and the product run on them as a user runs it: `runner.Job`, a patch, a merge."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from void_plugin.config import Config
from void_plugin.frames import FrameRange
from void_plugin.request import ImageInput, Output, RemovalRequest
from void_plugin.settings import RenderSettings
from void_server.colour import PINNED_CONFIG
from void_server.colour import Config as ColourConfig
from void_server.engines import Kept
from void_server.eventlog import EventLog
from void_server.exr import FIXED_DATE, ImageFile, ImageFiles, NewPart
from void_server.jobfolder import JobFolder
from void_server.plan import Plan
from void_server.runner import Job, Warm
from void_server.tiles import Box

Half = NDArray[np.float16]
Planes = Mapping[str, Half]

WORKERS = 2
ENGINE = {"stand-in": "stitching.standin:StandInEngine"}
RGB = ("R", "G", "B")


@dataclass(frozen=True)
class Plates:
    """A shot on disk."""

    folder: Path
    numbers: tuple[int, ...]
    data: Box
    has_affected: bool

    @property
    def truth(self) -> str:
        """Pattern of what the stand-in gives back."""
        return str(self.folder / "truth.%04d.npy")

    def request(self, engine: str, settings: RenderSettings, out: Path, prompt: str, **more: object) -> RemovalRequest:
        """What a user would send."""
        values: dict[str, object] = {
            "plate": ImageInput(str(self.folder / "plate.%04d.exr")),
            "object_matte": ImageInput(str(self.folder / "object_matte.%04d.exr")),
            "engine": engine,
            "prompt": prompt,
            "settings": settings,
            "outputs": (Output("patch", str(out / "patch.%04d.exr")),),
        }
        if self.has_affected:
            values["affected_matte"] = ImageInput(str(self.folder / "affected_matte.%04d.exr"))
        return RemovalRequest(**{**values, **more})  # type: ignore[arg-type]


@dataclass
class Ran:
    """What a job made."""

    plan: Plan
    pictures: dict[int, Half] = field(default_factory=dict)
    """The patch merged over the plate, by frame, over the data window."""
    weights: dict[int, Half] = field(default_factory=dict)
    """The patch's alpha over the data window."""
    extra: dict[int, dict[str, Half]] = field(default_factory=dict)
    """The patch's other channels over the data window."""
    comps: dict[int, Half] = field(default_factory=dict)
    """The comp's picture, where one was asked for."""
    files: dict[int, bytes] = field(default_factory=dict)
    """The patch file itself."""
    seconds: float = 0.0


class Studio:
    """A folder for plates and results, and the processes that read and write them; use as a context manager."""

    def __init__(self, parent: Path | None = None) -> None:
        self._parent = parent

    def __enter__(self) -> Studio:
        self.folder = Path(tempfile.mkdtemp(prefix="stitch-", dir=self._parent))
        self.files = ImageFiles(WORKERS)
        self.colour = ColourConfig(PINNED_CONFIG)
        self._count = 0
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.files.close()
        shutil.rmtree(self.folder)

    def write(
        self,
        frames: Mapping[int, Sequence[NDArray[np.float32]]],
        truths: Mapping[int, NDArray[np.float32]] | None = None,
        origin: tuple[int, int] = (0, 0),
        display: Box | None = None,
        aspect: float = 1.0,
        space: str = "lin_ap1_scene",
    ) -> Plates:
        """Plate, object matte and affected matte of each frame as EXR, uncompressed half."""
        self._count += 1
        folder = self.folder / f"plates{self._count}"
        folder.mkdir()
        height, width = next(iter(frames.values()))[0].shape[:2]
        data = Box(origin[0], origin[1], origin[0] + width, origin[1] + height)
        has_affected = any(bool(affected.any()) for _, _, affected in frames.values())
        for number, (plate, matte, affected) in frames.items():
            for name, pixels, channels in (
                ("plate", plate, RGB),
                ("object_matte", matte[..., None], ("A",)),
                ("affected_matte", affected[..., None], ("A",)),
            ):
                if name == "affected_matte" and not has_affected:
                    continue
                part = NewPart(
                    channels=tuple((channel, "half") for channel in channels),
                    data=data,
                    display=display or data,
                    compression="none",
                    attributes=(
                        ("DateTime", "string", FIXED_DATE),
                        ("PixelAspectRatio", "float", aspect),
                        ("colorInteropID", "string", space if name == "plate" else "data"),
                    ),
                    pixels=np.ascontiguousarray(pixels.astype(np.float16)),
                )
                self.files.write(str(folder / f"{name}.{number}.exr"), [part])
        for number, truth in (truths or {}).items():
            np.save(folder / f"truth.{number}.npy", truth.astype(np.float16))
        return Plates(folder, tuple(frames), data, has_affected)

    def run(
        self,
        plates: Plates,
        engine: str,
        settings: RenderSettings,
        prompt: str = "",
        frames: FrameRange | None = None,
        comp: bool = False,
        keep_files: bool = False,
    ) -> Ran:
        """The whole job, its results read back and its folder removed."""
        self._count += 1
        out = self.folder / f"out{self._count}"
        outputs = [Output("patch", str(out / "patch.%04d.exr"))]
        if comp:
            outputs.append(Output("comp", str(out / "comp.%04d.exr")))
        request = plates.request(engine, settings, out, prompt, outputs=tuple(outputs), frames=frames)
        folder = JobFolder(request.job_folder())
        log = EventLog(folder, "benchmark", None)
        begun = perf_counter()
        try:
            warm = Warm(self.files, self.colour, Kept())
            with Job(request, folder, log, Config(engines=ENGINE), WORKERS, warm=warm) as job:
                job.run()
        finally:
            log.close()
        ran = Ran(Plan.load(folder), seconds=perf_counter() - begun)
        for number in frames or plates.numbers:
            self._collect(ran, plates, out, number, comp)
            if keep_files:
                ran.files[number] = (out / f"patch.{number}.exr").read_bytes()
        shutil.rmtree(out)
        return ran

    def forget(self, plates: Plates) -> None:
        """Remove a shot that is done with."""
        shutil.rmtree(plates.folder)

    def plate(self, plates: Plates, number: int) -> Half:
        """The plate's own half values."""
        return self._read(plates.folder / f"plate.{number}.exr", RGB)[1]

    def _collect(self, ran: Ran, plates: Plates, out: Path, number: int, comp: bool) -> None:
        box, pixels, names = self._planes(out / f"patch.{number}.exr")
        here = box.moved(-plates.data.x0, -plates.data.y0)
        whole = {}
        for index, name in enumerate(names):
            fill = np.float16(-0.0) if name in RGB else np.float16(0)
            whole[name] = np.full(plates.data.size, fill, np.float16)
            whole[name][here.rows, here.columns] = pixels[..., index]
        rgb = np.stack([whole.pop(name) for name in RGB], axis=-1)
        ran.weights[number] = whole.pop("A")
        ran.pictures[number] = merged(rgb, ran.weights[number], self.plate(plates, number))
        ran.extra[number] = whole
        if comp:
            ran.comps[number] = self._read(out / f"comp.{number}.exr", RGB)[1]

    def _planes(self, path: Path) -> tuple[Box, Half, tuple[str, ...]]:
        part = self.files.header(ImageFile(str(path)))[0]
        return (*self._read(path, part.names), part.names)

    def _read(self, path: Path, names: Sequence[str]) -> tuple[Box, Half]:
        file = ImageFile(str(path))
        part = self.files.header(file)[0]
        return part.data, self.files.read(file, part, names).astype(np.float16)


def merged(rgb: Half, alpha: Half, plate: Half) -> Half:
    """A premultiplied patch over a plate by a host's arithmetic alone: nothing is kept by a mask."""
    under = plate.astype(np.float32) * (1 - alpha.astype(np.float32))[..., None]
    return np.asarray(rgb.astype(np.float32) + under, np.float16)
