"""The settings page as a table: what can be set, by what it means, with a sentence each."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from void_plugin.request import Output, RemovalRequest
from void_plugin.settings import CHOICES, RANGES

QUALITIES: Mapping[str, Mapping[str, Any]] = {
    "preview": {"void_passes": 1, "void_steps": 12, "void_short_clips": "short"},
    "standard": {"void_passes": 1, "void_steps": 30, "void_short_clips": "pad"},
    "best": {"void_passes": 2, "void_steps": 30, "void_short_clips": "pad"},
}
"""What each quality means for an engine that invents; the same as on the Nuke node."""
OUTPUTS: Mapping[str, tuple[str, ...]] = {"patch": ("patch",), "whole frame": ("comp",), "both": ("patch", "comp")}


@dataclass(frozen=True)
class Field:
    """One thing that can be set."""

    name: str
    label: str
    tip: str
    kind: str
    """choice, text, number, whole or switch."""
    get: Callable[[RemovalRequest], Any]
    put: Callable[[RemovalRequest, Any], RemovalRequest]
    choices: tuple[str, ...] = ()
    limits: tuple[float, float] = (0, 0)
    engines: tuple[str, ...] = ()
    """The engines that heed it; empty for all."""


def _plain(name: str, label: str, tip: str, kind: str = "text", **more: Any) -> Field:
    """A field of the request itself."""
    return Field(
        name, label, tip, kind, lambda request: getattr(request, name),
        lambda request, value: replace(request, **{name: value}), **more,
    )  # fmt: skip


def _setting(name: str, label: str, tip: str, kind: str = "choice", **more: Any) -> Field:
    """A field of the render settings."""
    if kind == "choice":
        more.setdefault("choices", CHOICES[name])
    elif name in RANGES:
        more.setdefault("limits", RANGES[name])
    return Field(
        name, label, tip, kind, lambda request: getattr(request.settings, name),
        lambda request, value: replace(request, settings=replace(request.settings, **{name: value})), **more,
    )  # fmt: skip


def quality_of(request: RemovalRequest) -> str:
    """The quality that the settings amount to; `custom` where they are none of those."""
    for name, values in QUALITIES.items():
        if all(getattr(request.settings, key) == value for key, value in values.items()):
            return name
    return "custom"


def _set_quality(request: RemovalRequest, value: str) -> RemovalRequest:
    if value not in QUALITIES:
        return request
    return replace(request, settings=replace(request.settings, **QUALITIES[value]))


def output_of(request: RemovalRequest) -> str:
    """What is written, in words."""
    kinds = tuple(output.kind for output in request.outputs)
    return next((name for name, known in OUTPUTS.items() if set(known) == set(kinds)), "patch")


def _set_output(request: RemovalRequest, value: str) -> RemovalRequest:
    """Other kinds; the first keeps the name that there is, a second one gets its kind into it."""
    if output_of(request) == value:
        return request
    first, *others = OUTPUTS[value]
    pattern = request.outputs[0].pattern
    folder, name = os.path.split(pattern)
    more = [Output(kind, os.path.join(folder, f"{kind}_{name}")) for kind in others]
    return replace(request, outputs=(Output(first, pattern), *more))


FIELDS: tuple[Field, ...] = (
    _plain(
        "engine", "Engine",
        "Who fills the hole. recover takes real pixels of other frames and needs no GPU; void also invents; auto lets "
        "the server choose.", "choice", choices=("auto",),
    ),
    Field(
        "quality", "Quality",
        "preview: one pass of 12 steps. standard: one pass of 30. best: a second pass of 50 for steadier motion. Only "
        "for engines that invent.", "choice", quality_of, _set_quality, ("preview", "standard", "best", "custom"),
        engines=("void", "auto"),
    ),
    _setting(
        "source", "Source",
        "Where new pixels come from with an engine that invents. hybrid: from other frames where the background is "
        "seen there, invented elsewhere.", engines=("void", "auto"),
    ),
    _plain(
        "prompt", "Prompt",
        "The scene as it is after the removal, in a sentence: say what is there, not what goes. 'An empty table by a "
        "window' helps; 'remove the lime' does not. May be empty.",
        engines=("void", "auto"),
    ),
    _setting(
        "affected_preset", "Affected shape",
        "A shape made from the matte that counts as affected where there is no affected matte: contact, shadow, "
        "reflection, drop (the object is held up) or path (it will move something).",
    ),
    _setting(
        "affected_angle", "Shadow angle",
        "For shadow: degrees that it leans from straight down, to the right above 0; 0 leans to both sides.", "number",
    ),
    _setting(
        "recover_affected", "Affected pixels",
        "What recover does with pixels that are only affected: keep the plate, or fill them too.",
        engines=("recover", "auto"),
    ),
    _setting(
        "grain", "Grain",
        "Grain on what is not the plate's own: synth makes it like the plate's, scatter takes it from the plate, off "
        "adds none.",
    ),
    _setting("detail", "Detail", "tiled refines what was invented at twice the size of the model; off is faster.",
             engines=("void", "auto")),
    _setting("seed", "Seed", "Decides what is invented and the grain; the same seed gives the same pixels.", "whole",
             limits=(0, 2**31 - 1)),
    Field(
        "output", "Write",
        "patch: only what changed, to be merged over the plate. whole frame: the plate with the patch in it.", "choice",
        output_of, _set_output, tuple(OUTPUTS),
    ),
    _plain("priority", "Priority", "0 to 100; higher runs first.", "whole", limits=(0, 100)),
)  # fmt: skip


def values_of(request: RemovalRequest) -> dict[str, Any]:
    """What is set, by field, as a preset keeps it; what belongs to one shot alone is left out."""
    return {field.name: field.get(request) for field in FIELDS if field.name not in ("priority", "prompt")}


def with_values(request: RemovalRequest, values: Mapping[str, Any]) -> RemovalRequest:
    """A request with the values of a preset; names that this version does not know are passed over."""
    known = {field.name: field for field in FIELDS}
    for name, value in values.items():
        if name in known and type(value) is type(known[name].get(request)):
            request = known[name].put(request, value)
    return request
