"""What is worth saying before anything is submitted, each thing as an error, a warning or a word of information.

An error keeps all shots of a submission back: half a night's work submitted is harder to clean up than none.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from void_plugin.farm import Farm
from void_plugin.farm.jobs import Finding
from void_plugin.farm.packing import MOST_TASKS
from void_plugin.farm.template import Made
from void_plugin.frames import FrameRange
from void_plugin.request import INPUTS, RemovalRequest


def check_request(request: RemovalRequest, farm: Farm) -> Iterator[Finding]:
    """What a request says by itself, before the shot is looked at."""
    read = input_folders(request)
    written = [os.path.abspath(request.output_sequence(output).folder) for output in request.outputs]
    for name in INPUTS:
        if request.input(name) is not None:
            yield from _missing(request, name)
    for folder in dict.fromkeys(written):
        for name, place in read.items():
            if _is_below(folder, place):
                yield Finding(
                    "error",
                    f"The output folder {folder} lies in {place}, the folder of the {name}; workers would take results "
                    "for inputs. Choose a folder beside it.",
                    "output_inside_input",
                )
                break
        yield from _unwritable(folder)
    places = list(dict.fromkeys([*read.values(), *written]))
    yield from _not_shared(places, farm)


def check_bundle(made: Made, farm: Farm) -> Iterator[Finding]:
    """What the tasks ask of the farm."""
    site = farm.site
    for step in made.bundle.steps:
        if site.gpu_memory_mib and step.needs.vram_mib > site.gpu_memory_mib:
            yield Finding(
                "error",
                f"The step {step.name} asks for a GPU with {step.needs.vram_mib} MiB, and the largest of the farm has "
                f"{site.gpu_memory_mib} MiB; set memory to offload in the site file, or ask for less with --vram.",
                "vram",
            )
        if step.needs.gpus > 1:
            yield Finding(
                "warning",
                f"The step {step.name} holds {step.needs.gpus} GPUs a task, and the engine uses one; leave out --gpus.",
                "gpus",
            )
        if len(step.tasks) > MOST_TASKS:
            yield Finding(
                "warning",
                f"The step {step.name} has {len(step.tasks)} tasks, which some queue managers refuse; raise "
                "frames_per_task in the site file, or ask for fewer frames at once.",
                "tasks",
            )
    solved = sum(unit.solved for unit in made.units)
    if solved:
        whole = len(made.units)
        yield Finding("info", f"{solved} of {whole} units are solved already and cost nothing again.", "solved")


def check_together(requests: Sequence[RemovalRequest]) -> Iterator[Finding]:
    """What several requests of one submission do to one another."""
    patterns = Counter(
        os.path.normpath(request.output_sequence(output).pattern) for request in requests for output in request.outputs
    )
    for pattern, count in patterns.items():
        if count > 1:
            yield Finding(
                "error",
                f"{count} of the requests write {pattern}; give each output a name of its own.",
                "same_output",
            )


def input_folders(request: RemovalRequest) -> Mapping[str, str]:
    """The folder of each input that the request has, by the input's name for people."""
    return {
        name.replace("_", " "): os.path.abspath(request.sequence(name).folder)
        for name in INPUTS
        if request.input(name) is not None
    }


def input_files(request: RemovalRequest, frames: FrameRange) -> dict[str, int]:
    """The files that are read for some frames, and their sizes in bytes."""
    found: dict[str, int] = {}
    for name in INPUTS:
        if request.input(name) is None:
            continue
        sequence = request.sequence(name)
        numbers = [frame for frame in sequence.on_disk() if frame in frames]
        paths = [sequence.pattern] if sequence.is_still else [sequence.path(frame) for frame in numbers]
        found |= {os.path.abspath(path): os.path.getsize(path) for path in paths if os.path.isfile(path)}
    return found


def _missing(request: RemovalRequest, name: str) -> Iterator[Finding]:
    sequence = request.sequence(name)
    there = os.path.isfile(sequence.pattern) if sequence.is_still else bool(sequence.on_disk())
    if not there:
        yield Finding(
            "error",
            f"No file of the {name.replace('_', ' ')} {sequence.pattern} exists; correct the path or the number of "
            "digits.",
            "frame.missing",
        )


def _unwritable(folder: str) -> Iterator[Finding]:
    place = folder
    while not os.path.exists(place) and os.path.dirname(place) != place:
        place = os.path.dirname(place)
    if not os.path.isdir(place) or not os.access(place, os.W_OK | os.X_OK):
        yield Finding("error", f"Nothing can be written into {folder}; choose another output folder.", "unwritable")


def _not_shared(places: Sequence[str], farm: Farm) -> Iterator[Finding]:
    if farm.is_here:
        return
    roots = [os.path.abspath(root) for root in farm.site.shared_roots]
    if not roots:
        if not farm.carries_files:
            yield Finding(
                "info",
                "No site file names shared_roots, so nothing is known of what workers see; make sure that they see "
                f"{', '.join(places)}.",
                "shared_roots",
            )
        return
    for place in places:
        if any(_is_below(place, root) for root in roots):
            continue
        if farm.carries_files:
            yield Finding("info", f"{place} lies under no shared root; its files are uploaded.", "uploaded")
        else:
            yield Finding(
                "error",
                f"{place} lies under no shared root of the farm ({', '.join(roots)}), so no worker sees it; move it "
                "there, or add its root to the site file.",
                "not_shared",
            )


def _is_below(folder: str, root: str) -> bool:
    """True where a folder is another or lies in it, whatever links lead there."""
    return Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(root))
