"""What does our EXR path cost beside OpenImageIO alone, when nothing is composed between reading and writing?

    python benchmarks/exr.py [--quick] [--rounds 5] [--json FILE] [--results FILE]

Grainy 1920x1080 half RGB plates are read and written again unchanged, bit for bit: by `void_server.exr`, whose reader
processes hand pixels over in shared memory, name a file only once it is whole and flush it to the disk, and by
OpenImageIO alone in as many processes of one thread each. Side by side in turn, files in the system's cache. Rows are
whole frames and the third of their rows that a ROI needs; ratios are those of the rounds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benching.alone import Alone, Touched, prepare
from benching.command import answer, build_parser, scratch
from benching.figures import Figure, in_turn, seconds
from benching.tables import Table, Verdict
from composing.shot import FIRST, SIZE, write_shot

from void_server.exr import ImageFile, ImageFiles, NewPart
from void_server.tiles import Box

CODECS = ("zip", "none", "piz")
PROCESSES = 2
ROWS = (SIZE[0] // 3, 2 * SIZE[0] // 3)
LIMIT = 1.25
"""Of the whole way over OpenImageIO's."""


class Ours:
    """Does what `benching.alone` does, through the product's image files."""

    def __init__(self, files: ImageFiles, processes: int) -> None:
        self._files = files
        self._pool = ThreadPoolExecutor(processes)

    def time(self, tasks: Sequence[Touched]) -> float:
        """Seconds of all."""
        prepare(tasks)
        return seconds(lambda: list(self._pool.map(self._touch, tasks)))

    def _touch(self, task: Touched) -> None:
        file = ImageFile(task.source)
        part = self._files.header(file)[0]
        box = part.data if task.rows is None else Box(part.data.x0, task.rows[0], part.data.x1, task.rows[1])
        pixels = self._files.read(file, part, part.names, box)
        if task.target:
            made = NewPart(part.channels, box, part.display, task.compression, part.attributes, pixels)
            self._files.write(task.target, [made])


def cases(folder: Path, count: int) -> Iterator[tuple[str, list[Touched]]]:
    """What is read and written, by the name of its row."""
    numbers = range(FIRST, FIRST + count)
    plates = [str(folder / f"plate.{number}.exr") for number in numbers]
    for codec in CODECS:
        if codec != "zip":
            converted = [
                Touched(plate, target=str(folder / codec / Path(plate).name), compression=codec) for plate in plates
            ]
            with Alone(PROCESSES) as alone:
                alone.time(converted)
            sources = [task.target for task in converted]
        else:
            sources = plates
        for label, rows in (("whole", None), ("a third", ROWS)):
            yield f"{codec}, {label}, read", [Touched(source, rows) for source in sources]
            copies = [
                Touched(source, rows, str(folder / "copies" / Path(source).name), compression=codec)
                for source in sources
            ]
            yield f"{codec}, {label}, read and write", copies


def measure(options: argparse.Namespace) -> Iterator[Table]:
    count = 4 if options.quick else 8
    title = f"EXR files of {SIZE[1]}x{SIZE[0]} through our readers and through OpenImageIO alone"
    columns = ("codec, rows, what", "OpenImageIO ms/frame", "ours ms/frame", "ratio")
    table = Table("exr", title, columns)
    whole: Figure | None = None
    with scratch(options) as folder, ImageFiles(PROCESSES) as files, Alone(PROCESSES) as alone:
        write_shot(folder, count)
        ours = Ours(files, PROCESSES)
        for name, tasks in cases(folder, count):
            ours.time(tasks[:PROCESSES])  # starts the readers
            ways = {
                "alone": lambda tasks=tasks: alone.time(tasks),  # type: ignore[misc]
                "ours": lambda tasks=tasks: ours.time(tasks),  # type: ignore[misc]
            }
            found = {way: figure.times(1000 / count) for way, figure in in_turn(ways, options.rounds).items()}
            ratio = found["ours"].over(found["alone"])
            table.add(name, found["alone"], found["ours"], ratio)
            if name == "zip, whole, read and write":
                whole = ratio
    assert whole is not None
    table.notes.append(f"{count} frames, {options.rounds} rounds, {PROCESSES} processes on either side.")
    table.verdicts.append(Verdict("zip, whole, read and write, over OpenImageIO", whole, LIMIT))
    yield table


def main(arguments: Sequence[str] | None = None) -> int:
    return answer(build_parser(__doc__, rounds=5), measure, arguments)


if __name__ == "__main__":
    sys.exit(main())
