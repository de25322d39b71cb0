"""The shots of a timeline for somebody who chooses among them in a window."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from void_plugin.editorial.adapters import open_timeline
from void_plugin.editorial.jobs import FILE, Making, folder_of, jobs_of, load_version, shot_row, write_version
from void_plugin.editorial.picks import Skipped, Wanted
from void_plugin.editorial.plates import FOLDER, take_plates
from void_plugin.editorial.shots import Shot, Wishes, find_shots
from void_plugin.editorial.times import timecode
from void_plugin.editorial.walk import Cut
from void_plugin.errors import RequestError


@dataclass(frozen=True)
class Choice:
    """What is on offer, and where it would be written."""

    cut: Cut
    path: Path
    shots: tuple[Shot, ...]
    skipped: tuple[Skipped, ...]
    warnings: tuple[str, ...]
    out: str
    """Folder of all versions; empty for one beside the timeline."""
    number: int
    """The version that requests are written under."""

    @classmethod
    def of(cls, path: str, name: str, rate: float, wanted: Wanted, wishes: Wishes, out: str, number: int) -> "Choice":
        """Read a timeline; `number` 0 takes the newest version there is. Raises RequestError where it cannot be."""
        opened = open_timeline(path, name, rate)
        cut = Cut(opened.timeline)
        shots, skipped = find_shots(cut, opened.folder, wanted, wishes)
        return cls(
            cut, opened.path, tuple(shots), tuple(skipped), opened.warnings, out, number or _newest(opened.path, out)
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        start, rate, drop = self.cut.start, self.cut.rate, self.cut.drops
        return {
            "timeline": self.path.name,
            "rate": self.cut.written_rate,
            "version": self.number,
            "shots": [shot_row(self.cut, shot) for shot in self.shots],
            "skipped": [
                {"name": one.name, "timecode": timecode(int(start + one.start), rate, drop), "reason": one.reason}
                for one in self.skipped
            ],
            "warnings": list(self.warnings),
        }

    def write(self, chosen: Collection[str], making: Making, say: Callable[[str], None]) -> list[Path]:
        """Write the requests of some shots, and give their files; those that the version has already stay in it.

        What they show of movies is decoded before; `say` hears of that, a sentence at a time. Raises RequestError where
        none can be sent, or the version holds results of other settings.
        """
        folder = folder_of(self.out or None, self.path, self.number)
        names = set(chosen)
        if (folder / FILE).is_file():
            names |= {row["name"] for job in load_version(folder).data["jobs"] for row in job["shots"]}
        shots = [shot for shot in self.shots if shot.name in names]
        take_plates(shots, folder.parent / FOLDER, say)
        jobs = jobs_of(shots, folder, self.number, making)
        mine = [job for job in jobs if any(shot.name in chosen for shot in job.shots)]
        if not mine:
            raise RequestError("None of these shots can be sent; what stands in the way is said beside each.")
        write_version(folder, self.number, self.path, self.cut, jobs)
        return [Path(job.request.job_folder()) / "request.json" for job in mine]


def _newest(path: Path, out: str) -> int:
    """The number of the newest version there is, else 1."""
    found = folder_of(out or None, path, 1).parent.glob(f"v[0-9]*/{FILE}")
    names = [file.parent.name[1:] for file in found]
    return max((int(name) for name in names if name.isdecimal()), default=1)
