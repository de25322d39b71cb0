"""One shot as it is painted on: its files and frames, and what is painted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from void_plugin.frames import FrameRange, ImageSequence
from void_plugin.pictures.mattefiles import MatteFiles, frames_of
from void_plugin.pictures.painting import Painting, Sheet
from void_plugin.pictures.planes import Plane


@dataclass
class Sheets:
    """A shot with its painting."""

    shot: str
    """What the window calls it."""
    files: MatteFiles
    frames: FrameRange
    around: FrameRange | None
    folder: Path
    """Where versions of its mattes go."""
    painting: Painting
    saved: Mapping[Sheet, Plane] = field(default_factory=dict)
    """What was painted when it was last saved."""
    saved_labels: tuple[str, ...] = ()
    """The labels that the last version has."""

    @classmethod
    def of_message(cls, message: Mapping[str, Any]) -> Sheets:
        """A shot that a window has opened. Raises FrameError where no frame of its plate can be read."""
        mattes = {label: (str(pattern), tuple(names)) for label, (pattern, names) in message["mattes"].items()}
        ready = message.get("quadmask")
        files = MatteFiles(str(message["plate"]), mattes, (str(ready[0]), tuple(ready[1])) if ready else None)
        frames = FrameRange.parse(message["frames"])
        size = files.size(list(frames))
        around = FrameRange.parse(message["around"]) if message.get("around") else None
        painting = Painting(size, lambda frame, label: files.matte(frame, label, size))
        return cls(str(message["shot"]), files, frames, around, Path(message["folder"]), painting)

    def unsaved(self) -> bool:
        """True where there is something that the last version has not."""
        touched = self.painting.touched()
        return touched.keys() != self.saved.keys() or any(self.saved[sheet] is not touched[sheet] for sheet in touched)

    def to_save(self) -> list[int]:
        """The frames that a version of the mattes has."""
        pattern = self.files.quadmask or self.files.mattes.get("remove", ("", ()))
        on_disk = ImageSequence(pattern[0]).on_disk() if pattern[0] else []
        return frames_of(self.frames, self.around, [*on_disk, *(frame for frame, _ in self.painting.touched())])
